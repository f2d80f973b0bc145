//! The keys of the live screen, and the thread that waits for them.
//!
//! Floor 4. The thread waits for input, and then reads it only if the program is in the foreground: the kernel stops a
//! job that reads from the terminal in the background.

use super::request::{Key, Limit, Move, UserRequest};
use super::terminal;
use crate::cli::options::command::{Part, Section};
use crate::cli::show::peers;
use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::thread::Builder;

/// The thread needs little stack.
const STACK_BYTES: usize = 64 << 10;

/// The keys in one line of the screen: wide, and for few columns.
pub const KEYS: [&str; 2] =
    ["q quit, p pause, t ask trackers, +/- down, >/< up, v peers, ? hide", "q p:pause t:ask +- down >< up v:peers ?"];
/// The same for a list of torrents.
pub const LIST_KEYS: [&str; 2] = [
    "q quit, p pause, a all, s sort, t ask, +/- down, >/< up, arrows, v peers, ?",
    "q p:pause a:all s:sort t:ask +- >< v ?",
];

/// The keys, for the help.
const HELP: &[(&str, &str)] = &[
    ("q", "quit, like ^C: the first time the run ends cleanly, the second time immediately"),
    ("p", "pause or resume all torrents"),
    ("t", "ask the trackers of all torrents for peers now, or as soon as they allow"),
    ("+ -", "raise or lower the download limit of all torrents together"),
    ("> <", "raise or lower the upload limit of all torrents together"),
    ("v", "show the peers of the next torrent; after the last torrent, the normal screen again"),
    ("? h", "hide the line of keys and the meaning of the flags, or show them again"),
];

/// The keys of a list of torrents, for the help.
const LIST_HELP: &[(&str, &str)] = &[
    ("q", "quit, like ^C: the first time the run ends cleanly, the second time immediately"),
    ("arrows, j, k", "select a torrent; so do page up, page down, home and end"),
    ("s", "sort by name, progress, download rate, upload rate or number of peers"),
    ("p", "pause or resume the selected torrent"),
    ("a", "pause or resume all torrents"),
    ("t", "ask the trackers of the selected torrent for peers now, or as soon as they allow"),
    ("+ -", "raise or lower the download limit of all torrents together"),
    ("> <", "raise or lower the upload limit of all torrents together"),
    ("v", "show the peers of the selected torrent, then the list again"),
    ("? h", "hide the line of keys and the meaning of the flags, or show them again"),
];

/// The heading of both sections of the help.
const TITLE: &str = "Keys on the live screen";
/// The keys and the flags of peers, for the help of `get` and `seed`.
pub const SECTION: Section = Section { title: TITLE, parts: &[Part::Terms(HELP), Part::Text(peers::FLAGS_HELP)] };
/// The same for a list of torrents, for the help of `many`.
pub const LIST_SECTION: Section =
    Section { title: TITLE, parts: &[Part::Terms(LIST_HELP), Part::Text(peers::FLAGS_HELP)] };

/// Starts the thread, if standard input is a terminal.
pub fn listen(requests: &Sender<UserRequest>) {
    let requests = requests.clone();
    if terminal::has_keys() {
        let work = move || {
            let _ = read(&requests);
        };
        // Without the thread there are no keys, but ^C still ends the run.
        let _ = Builder::new().name("keys".into()).stack_size(STACK_BYTES).spawn(work);
    }
}

/// Sends requests until the terminal is gone.
fn read(requests: &Sender<UserRequest>) -> rustix::io::Result<()> {
    let terminal = io::stdin();
    let mut bytes = [0; 32];
    let mut typed = Typed::default();
    loop {
        terminal::wait_for();
        match poll(&mut [PollFd::new(&terminal, PollFlags::IN)], None) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        // The input may be for the shell.
        if terminal::in_background() {
            continue;
        }
        let count = match rustix::io::read(&terminal, &mut bytes) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        if count == 0 {
            return Ok(());
        }
        for request in typed.requests(&bytes[..count]) {
            if requests.send(request).is_err() {
                return Ok(());
            }
        }
    }
}

/// The state of the parser. Keys without a letter are sequences that begin with ESC (ECMA-48).
#[derive(Default)]
enum Typed {
    #[default]
    Letter,
    Escape,
    /// After ESC O.
    Single,
    /// After ESC [ and a number, or 0.
    Sequence(u8),
}

impl Typed {
    /// What the typed keys stand for. A sequence may go on in the next portion; an ESC at the end was the key itself.
    fn requests(&mut self, typed: &[u8]) -> Vec<UserRequest> {
        let requests = typed.iter().filter_map(|&byte| self.request(byte)).collect();
        if matches!(self, Typed::Escape) {
            *self = Typed::Letter;
        }
        requests
    }

    fn request(&mut self, byte: u8) -> Option<UserRequest> {
        match (std::mem::take(self), byte) {
            (_, 0x1b) => *self = Typed::Escape,
            (Typed::Letter, letter) => return of_letter(letter),
            (Typed::Escape, b'[') => *self = Typed::Sequence(0),
            (Typed::Escape, b'O') => *self = Typed::Single,
            (Typed::Escape, _) => {}
            (Typed::Single, end) => return of_sequence(0, end),
            (Typed::Sequence(number), digit @ b'0'..=b'9') => {
                *self = Typed::Sequence(number.saturating_mul(10).saturating_add(digit - b'0'));
            }
            // Modifier keys are ignored.
            (Typed::Sequence(number), b' '..=b'?') => *self = Typed::Sequence(number),
            (Typed::Sequence(number), end) => return of_sequence(number, end),
        }
        None
    }
}

fn of_letter(letter: u8) -> Option<UserRequest> {
    let limit = |uploads, faster| Key::Limit(Limit { uploads, faster });
    Some(UserRequest::Key(match letter.to_ascii_lowercase() {
        b'q' => return Some(UserRequest::Interrupt),
        b'p' => Key::Pause,
        b'a' => Key::PauseAll,
        b't' => Key::Announce,
        b'+' | b'=' => limit(false, true),
        b'-' | b'_' => limit(false, false),
        b'>' | b'.' => limit(true, true),
        b'<' | b',' => limit(true, false),
        b'v' => Key::Peers,
        b'?' | b'h' => Key::Help,
        b's' => Key::Sort,
        b'j' => Key::Move(Move::Down),
        b'k' => Key::Move(Move::Up),
        _ => return None,
    }))
}

/// What terminals send for the keys without letters (xterm, VT220, the console of Linux).
fn of_sequence(number: u8, end: u8) -> Option<UserRequest> {
    Some(UserRequest::Key(Key::Move(match (number, end) {
        (_, b'A') => Move::Up,
        (_, b'B') => Move::Down,
        (5, b'~') => Move::PageUp,
        (6, b'~') => Move::PageDown,
        (1 | 7, b'~') | (_, b'H') => Move::First,
        (4 | 8, b'~') | (_, b'F') => Move::Last,
        _ => return None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(typed: &[u8]) -> Vec<UserRequest> {
        Typed::default().requests(typed)
    }

    #[test]
    fn keys_are_letters() {
        let limit = |uploads, faster| UserRequest::Key(Key::Limit(Limit { uploads, faster }));
        assert_eq!(
            typed(b"pVtx\n?h"),
            [Key::Pause, Key::Peers, Key::Announce, Key::Help, Key::Help].map(UserRequest::Key)
        );
        assert_eq!(
            typed(b"+-q>,"),
            [limit(false, true), limit(false, false), UserRequest::Interrupt, limit(true, true), limit(true, false)]
        );
        assert_eq!(typed(&[0, 0xff]), []);
    }

    #[test]
    fn arrows_and_similar_keys_are_sequences() {
        let moves =
            |moves: &[Move]| moves.iter().map(|&to| UserRequest::Key(Key::Move(to))).collect::<Vec<UserRequest>>();
        assert_eq!(typed(b"\x1b[A\x1bOBjk"), moves(&[Move::Up, Move::Down, Move::Down, Move::Up]));
        assert_eq!(typed(b"\x1b[5~\x1b[6~"), moves(&[Move::PageUp, Move::PageDown]));
        assert_eq!(typed(b"\x1b[H\x1b[1~\x1bOF\x1b[4~"), moves(&[Move::First, Move::First, Move::Last, Move::Last]));
        // An arrow with a modifier; keys without a meaning; a lone ESC.
        let with_others = typed(b"\x1b[1;5A\x1bOq\x1b[15~\x1b[3~q");
        assert_eq!(with_others, [moves(&[Move::Up]), vec![UserRequest::Interrupt]].concat());
        let mut split = Typed::default();
        assert_eq!(split.requests(b"\x1b[6"), []);
        assert_eq!(split.requests(b"~"), moves(&[Move::PageDown]));
        assert_eq!(split.requests(b"\x1b"), []);
        assert_eq!(split.requests(b"q"), [UserRequest::Interrupt]);
    }
}
