//! What the person at the terminal can ask for during a run.
//!
//! Floor 4. Signals and keys become requests; [`run_engine`](super::run_engine) carries them out.

use std::time::Duration;

/// Two requests for the end that come this close together count as one: `timeout` sends its signal to the process and
/// to its group, and a terminal that is closed may bring SIGHUP and SIGTERM. No person presses ^C twice that fast.
pub const ONE_REQUEST: Duration = Duration::from_millis(50);

/// Something that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRequest {
    /// End the run cleanly; the second time, end it at once.
    Interrupt,
    /// Draw the screen again: what was drawn may be gone.
    Redraw,
    /// Draw the screen again: the terminal has another size.
    Resized,
    /// Scan the folder and read the blocklist again.
    Rescan,
    /// Do what a key stands for.
    Key(Key),
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Pause or resume the selected torrent; where none can be selected, all torrents.
    Pause,
    /// Pause or resume all torrents.
    PauseAll,
    /// Announce the selected torrent to its trackers; where none can be selected, all torrents.
    Announce,
    /// Change a limit.
    Limit(Limit),
    /// Show the peers of the selected torrent; where none can be selected, of the next torrent.
    Peers,
    /// Show or hide the keys.
    Help,
    /// Select another torrent.
    Move(Move),
    /// Sort the torrents by the next column.
    Sort,
}

/// A change of the limit of all torrents together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Of uploads; otherwise of downloads.
    pub uploads: bool,
    /// To a higher limit, or to none; otherwise to a lower one.
    pub faster: bool,
}

/// A move in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// To the row above.
    Up,
    /// To the row below.
    Down,
    /// Up by as many rows as are visible.
    PageUp,
    /// Down by as many rows as are visible.
    PageDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
}
