//! The keys of the live screen, and the thread that waits for them.
//!
//! Floor 4. The thread waits for input, and then reads it only if the program is in the foreground: the kernel stops a
//! job that reads from the terminal in the background. A screen with other keys takes each [`Press`] as it comes.

use super::request::{Key, Limit, Move, Press, UserRequest};
use super::terminal;
use crate::cli::options::command::{Part, Section};
use crate::cli::show::peers;
use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::thread::Builder;

/// The thread needs little stack.
const STACK_BYTES: usize = 64 << 10;
/// How long the rest of a sequence may take after its ESC. A line may cut a sequence in two.
const REST: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

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

/// Starts the thread, if standard input is a terminal. `as_pressed`: keys are passed on as they are, and the end of the
/// terminal is a request for the end.
pub fn listen(requests: &Sender<UserRequest>, as_pressed: bool) {
    if !terminal::has_keys() {
        return;
    }
    let requests = requests.clone();
    let work = move || {
        let wish = |press| if as_pressed { Some(UserRequest::Press(press)) } else { request(press) };
        let _ = read(&mut |press| wish(press).is_none_or(|wish| requests.send(wish).is_ok()));
        if as_pressed {
            let _ = requests.send(UserRequest::Interrupt);
        }
    };
    // Without the thread there are no keys, but ^C still ends the run.
    let _ = Builder::new().name("keys".into()).stack_size(STACK_BYTES).spawn(work);
}

fn read(take: &mut dyn FnMut(Press) -> bool) -> rustix::io::Result<()> {
    let terminal = io::stdin();
    let mut bytes = [0; 32];
    let mut typed = Typed::default();
    loop {
        terminal::wait_for();
        let patience = matches!(typed, Typed::Escape).then_some(&REST);
        let is_silent = match poll(&mut [PollFd::new(&terminal, PollFlags::IN)], patience) {
            Err(Errno::INTR) => continue,
            other => other? == 0,
        };
        if is_silent {
            typed = Typed::Letter;
            if !take(Press::Escape) {
                return Ok(());
            }
            continue;
        }
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
        for press in bytes[..count].iter().filter_map(|&byte| typed.press(byte)) {
            if !take(press) {
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
    /// The key that ends with `byte`. A sequence may go on with the next byte.
    fn press(&mut self, byte: u8) -> Option<Press> {
        match (std::mem::take(self), byte) {
            (_, 0x1b) => *self = Typed::Escape,
            (Typed::Letter, letter) => return Some(Press::Byte(letter)),
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

/// What a key stands for on the screen of a run.
fn request(press: Press) -> Option<UserRequest> {
    match press {
        Press::Byte(letter) => of_letter(letter),
        Press::Move(to) => Some(UserRequest::Key(Key::Move(to))),
        Press::Side { .. } | Press::Escape | Press::Paste { .. } => None,
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
fn of_sequence(number: u8, end: u8) -> Option<Press> {
    Some(Press::Move(match (number, end) {
        (_, b'C' | b'D') => return Some(Press::Side { right: end == b'C' }),
        (200 | 201, b'~') => return Some(Press::Paste { begins: number == 200 }),
        (_, b'A') => Move::Up,
        (_, b'B') => Move::Down,
        (5, b'~') => Move::PageUp,
        (6, b'~') => Move::PageDown,
        (1 | 7, b'~') | (_, b'H') => Move::First,
        (4 | 8, b'~') | (_, b'F') => Move::Last,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(typed: &[u8]) -> Vec<UserRequest> {
        requests(&mut Typed::default(), typed)
    }

    fn requests(state: &mut Typed, typed: &[u8]) -> Vec<UserRequest> {
        typed.iter().filter_map(|&byte| state.press(byte)).filter_map(request).collect()
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
        assert_eq!(requests(&mut split, b"\x1b[6"), []);
        assert_eq!(requests(&mut split, b"~"), moves(&[Move::PageDown]));
        // `A` alone would pause all torrents.
        assert_eq!(requests(&mut split, b"\x1b"), []);
        assert_eq!(requests(&mut split, b"[A"), moves(&[Move::Up]));
    }

    #[test]
    fn a_paste_is_told_from_typing() {
        let mut state = Typed::default();
        let presses: Vec<Press> = b"\x1b[200~m\x1b[201~\x1b[C".iter().filter_map(|&byte| state.press(byte)).collect();
        let paste = |begins| Press::Paste { begins };
        assert_eq!(presses, [paste(true), Press::Byte(b'm'), paste(false), Press::Side { right: true }]);
    }
}
