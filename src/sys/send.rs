//! Sends bytes to a socket, from memory or directly from a file.
//!
//! Floor 3. `sendfile(2)` hands the pages of the file in the kernel's cache to the socket without copying them.
//! Measured in turn, 1 GiB to libtorrent over loopback took 0.9 s of processor time with it, and 2.4 s with reading and
//! sending.

use rustix::fs::sendfile;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Most bytes of a file per system call, which does not return before all of them are sent.
const MOST_AT_ONCE: usize = 64 * 1024;

/// Sends what the socket takes at once of `head` and then `body`, and returns how many bytes that is.
pub fn send_now(socket: &TcpStream, head: &[u8], body: &[u8]) -> io::Result<usize> {
    let slices = [IoSlice::new(head), IoSlice::new(body)];
    loop {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        return match sendmsg(socket, &slices, &mut SendAncillaryBuffer::default(), flags) {
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Ok(0),
            sent => Ok(sent?),
        };
    }
}

/// Sends all of `bytes` within `deadline`. With `more`, they may be sent together with what follows.
pub fn send_all(socket: &TcpStream, bytes: &[u8], more: bool, deadline: Duration) -> io::Result<()> {
    let flags = if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
    repeat(bytes.len(), deadline, |sent| send(socket, &bytes[sent..], flags)).map(drop)
}

/// Sends `length` bytes of `file` from `offset` on, within `deadline`. Returns how many were sent. That is fewer if the
/// file is shorter or can't be sent this way; a caller that reads the rest of the file learns why.
pub fn send_from_file(
    socket: &TcpStream,
    file: &File,
    mut offset: u64,
    length: usize,
    deadline: Duration,
) -> io::Result<usize> {
    repeat(length, deadline, |sent| match sendfile(socket, file, Some(&mut offset), MOST_AT_ONCE.min(length - sent)) {
        Err(error @ (Errno::INTR | Errno::AGAIN | Errno::PIPE | Errno::CONNRESET)) => Err(error),
        Err(_) => Ok(0),
        sent => sent,
    })
}

/// Calls `act(sent)` until `length` bytes are sent, or no byte is. A single system call ends after the socket's timeout
/// at the latest. The deadline is for a peer that reads a byte per minute, which would cause one call after the other.
fn repeat(
    length: usize,
    deadline: Duration,
    mut act: impl FnMut(usize) -> rustix::io::Result<usize>,
) -> io::Result<usize> {
    let mut sent = 0;
    let mut end = None;
    while sent < length {
        // Usually the first call sends everything. Then the clock is not read.
        if sent > 0 && Instant::now() >= *end.get_or_insert_with(|| Instant::now() + deadline) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads too slowly"));
        }
        match act(sent) {
            Ok(0) => break,
            Ok(count) => sent += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testkit::{PATIENCE, socket_pair};
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::thread;

    #[test]
    fn a_slow_reader_does_not_block_a_thread_for_ever() {
        let scratch = tempfile::tempfile().unwrap();
        scratch.set_len(1 << 28).unwrap();
        for from_file in [false, true] {
            let (mut near, far) = socket_pair();
            far.set_write_timeout(Some(Duration::from_millis(700))).unwrap();
            let reader = thread::spawn(move || {
                // Reads enough at a time for each write of the other end to make progress.
                let mut buffer = vec![0; 64 * 1024];
                while near.read(&mut buffer).is_ok_and(|count| count > 0) {
                    thread::sleep(Duration::from_millis(5));
                }
            });
            let begun = Instant::now();
            let deadline = Duration::from_secs(1);
            let sent = match from_file {
                true => send_from_file(&far, &scratch, 0, 1 << 28, deadline).map(drop),
                false => send_all(&far, &vec![0; 1 << 28], false, deadline),
            };
            let error = sent.unwrap_err();
            assert!(begun.elapsed() < PATIENCE);
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
            far.shutdown(Shutdown::Both).unwrap();
            reader.join().unwrap();
        }
    }

    #[test]
    fn a_file_that_is_too_short_or_cannot_be_sent_is_not_the_peers_fault() {
        let (mut near, far) = socket_pair();
        let mut scratch = tempfile::tempfile().unwrap();
        scratch.write_all(b"ten bytes!").unwrap();
        assert_eq!(send_from_file(&far, &scratch, 4, 100, PATIENCE).unwrap(), 6);
        let only_written = File::options().write(true).open("/dev/null").unwrap();
        assert_eq!(send_from_file(&far, &only_written, 0, 100, PATIENCE).unwrap(), 0);
        drop(far);
        let mut arrived = Vec::new();
        near.read_to_end(&mut arrived).unwrap();
        assert_eq!(arrived, b"bytes!");
    }
}
