//! The keys of the live screen, and the thread that waits for them.
//!
//! Floor 4. The thread blocks on the terminal, and reads only while we are in the foreground: a job that reads in the
//! background is stopped by the kernel. So it waits for input first, and then looks whose terminal it is.

use super::person::Wish;
use super::signals::interrupt;
use super::terminal;
use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::thread::Builder;

/// The thread calls nothing deep.
const STACK_BYTES: usize = 64 << 10;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// To quit, as ^C does.
    Quit,
    /// A pause, or an end to it.
    Pause,
    /// To download faster: a higher limit, or none.
    Faster,
    /// To download slower.
    Slower,
    /// To see the peers, of the next torrent each time.
    Peers,
    /// To see what the keys are.
    Help,
}

/// The keys in a line, for the screen.
pub const KEYS: &str = "q quit, p pause, +/- rate, v peers, ?";

/// The keys, for `--help`.
pub const HELP: &str = "  q  quits, as ^C does: the first ends the run well, the second at once
  p  pauses all torrents, and lets them go on
  + and - raise and lower the limit of the download rate of all torrents together
  v  shows the peers: of the next torrent each time, and then all torrents again
  ?  shows the keys in a line (h does too)
";

/// Starts the thread, if there is somebody who may type.
pub fn watch(wishes: &Sender<Wish>) {
    let wishes = wishes.clone();
    if terminal::has_keys() {
        let listen = move || {
            let _ = listen(&wishes);
        };
        // Without it there are no keys, and ^C still ends the run.
        let _ = Builder::new().name("keys".into()).stack_size(STACK_BYTES).spawn(listen);
    }
}

/// Sends what is typed until the terminal is gone.
fn listen(wishes: &Sender<Wish>) -> rustix::io::Result<()> {
    let terminal = io::stdin();
    let mut typed = [0; 32];
    loop {
        terminal::wait_for();
        match poll(&mut [PollFd::new(&terminal, PollFlags::IN)], None) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        // What was typed may be for the shell.
        if terminal::in_background() {
            continue;
        }
        let count = match rustix::io::read(&terminal, &mut typed) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        if count == 0 {
            return Ok(());
        }
        for key in keys(&typed[..count]) {
            if key == Key::Quit {
                interrupt(wishes);
            } else if wishes.send(Wish::Key(key)).is_err() {
                return Ok(());
            }
        }
    }
}

/// The keys among what was typed. Arrows and their like, which begin with ESC, are none.
fn keys(typed: &[u8]) -> impl Iterator<Item = Key> + '_ {
    let end = typed.iter().position(|&byte| byte == 0x1b).unwrap_or(typed.len());
    typed[..end].iter().filter_map(|byte| match byte {
        b'q' | b'Q' => Some(Key::Quit),
        b'p' | b'P' => Some(Key::Pause),
        b'+' | b'=' => Some(Key::Faster),
        b'-' | b'_' => Some(Key::Slower),
        b'v' | b'V' => Some(Key::Peers),
        b'?' | b'h' | b'H' => Some(Key::Help),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_letters_and_arrows_are_none() {
        let typed = |typed: &[u8]| keys(typed).collect::<Vec<Key>>();
        assert_eq!(typed(b"pVx\n?h"), [Key::Pause, Key::Peers, Key::Help, Key::Help]);
        assert_eq!(typed(b"+-q\x1b[A"), [Key::Faster, Key::Slower, Key::Quit]);
        assert_eq!(typed(b"\x1bOq"), []);
        assert_eq!(typed(&[0, 0xff]), []);
    }
}
