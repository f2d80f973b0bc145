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
    /// Take this key as it was pressed, because the person may be typing.
    Press(Press),
}

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// A byte of a letter in UTF-8, or a control character such as Enter.
    Byte(u8),
    /// An arrow, or a similar key.
    Move(Move),
    /// The arrows to the left and to the right.
    Side { right: bool },
    /// ESC.
    Escape,
    /// A paste begins, or ends. (Only terminals that were asked to say so do, see [`begin`](super::terminal::begin).)
    Paste { begins: bool },
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
