//! A .torrent file is read before its torrent is added.
//!
//! Floor 4, part of the [loop](super). To check 24 MB of hashes, or the names of 300,000 files, takes up to a second. A
//! helper does that, and the loop goes on with other programs meanwhile.

use super::{Asked, Daemon, Heard};
use crate::base::gzip::unpacked;
use crate::base::path::for_terminal;
use crate::daemon::chores::{Places, start};
use crate::daemon::rpc::adding::{AddTorrent, TorrentSource};
use crate::daemon::rpc::{Failure, Kind};
use crate::proto::metainfo::{MAX_METAINFO_BYTES, Metainfo};
use crate::storage::content::part_file;

/// An unpacked .torrent file is at most this many times as large as the compressed one. (Hashes can't be compressed.)
const MOST_PACKED: usize = 50;
/// The loop itself reads a file that has at most this many bytes: some milliseconds. (Few have more.)
const SHORT: usize = 256 << 10;

/// The files that are read at one time.
static PLACES: Places = Places::new(8);

/// A .torrent file that was read.
pub struct Described {
    /// It, not compressed.
    pub bytes: Vec<u8>,
    /// What it says.
    pub metainfo: Box<Metainfo>,
}

impl Described {
    /// Reads a file, which may be compressed.
    pub fn read(bytes: Vec<u8>) -> Result<Described, Failure> {
        let damaged = |why: String| {
            log::warn!("a torrent is refused: {why}");
            Failure::of(Kind::CorruptTorrent)
        };
        let most = MAX_METAINFO_BYTES.min(bytes.len().saturating_mul(MOST_PACKED));
        let bytes = unpacked(bytes, most).ok_or_else(|| damaged("compressed, and damaged".into()))?;
        let metainfo = Box::new(Metainfo::parse(&bytes).map_err(damaged)?);
        if part_file::is_name(&metainfo.name) {
            return Err(damaged(format!("{} is a name of swarmlet's own files", for_terminal(&metainfo.name))));
        }
        Ok(Described { bytes, metainfo })
    }
}

/// Whether a helper has to read a file, even if the file is compressed as well as possible.
pub fn is_long(bytes: &[u8]) -> bool {
    bytes.len() > SHORT / MOST_PACKED && (bytes.len() > SHORT || bytes.first() != Some(&b'd'))
}

impl Daemon {
    /// The .torrent file that a program named by its URL has arrived.
    pub(super) fn fetched(&mut self, mut asked: Asked, add: AddTorrent, bytes: Result<Vec<u8>, String>) {
        let source = match bytes {
            Ok(bytes) if bytes.starts_with(b"magnet:") => {
                TorrentSource::Magnet(String::from_utf8_lossy(&bytes).into_owned())
            }
            Ok(bytes) => TorrentSource::Metainfo(bytes),
            Err(why) => {
                asked.conversation.answer(|_, _| Err(Failure::new(Kind::Http, why)));
                return self.answer(asked);
            }
        };
        self.add_and_answer(asked, AddTorrent { source, ..add });
    }

    /// Has a helper read the file that a program adds. `None`: the answer comes later.
    pub(super) fn read_apart(&mut self, mut asked: Asked, add: AddTorrent, bytes: Vec<u8>) -> Option<Asked> {
        let Some(place) = PLACES.take() else {
            let words = "too many large .torrent files are being read; add this one again when some are done";
            asked.conversation.answer(|_, _| Err(Failure::new(Kind::Internal, words)));
            return Some(asked);
        };
        let helpers = self.helpers.clone();
        start("read", move || {
            let described = Described::read(bytes);
            drop(helpers.send(Heard::Read(asked, Box::new(add), described)));
            drop(place);
        });
        None
    }

    /// The file that a program adds was read.
    pub(super) fn was_read(&mut self, asked: Asked, add: AddTorrent, described: Result<Described, Failure>) {
        let result = described.and_then(|described| self.add_described(&add, described));
        if let Some(asked) = self.added(asked, add, result) {
            self.answer(asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn only_short_files_are_read_by_the_loop() {
        let plain = |length: usize| [&b"d"[..], &vec![b'x'; length - 1]].concat();
        assert!(!is_long(&plain(SHORT)) && is_long(&plain(SHORT + 1)));
        let packed = |length: usize| [&b"\x1f\x8b"[..], &vec![0; length - 2]].concat();
        assert!(!is_long(&packed(SHORT / MOST_PACKED)) && is_long(&packed(SHORT / MOST_PACKED + 1)));
    }

    #[test]
    fn the_stack_of_a_helper_suffices_for_the_deepest_files() {
        let (sender, receiver) = bounded(10);
        let file = |paths: &str| {
            let info = format!("5:filesl{paths}e4:name1:n12:piece lengthi16384e6:pieces20:{}", "x".repeat(20));
            format!("d4:infod{info}ee").into_bytes()
        };
        let deep = format!("d6:lengthi1e4:pathl{}ee", "1:a".repeat(100_000));
        let nested = [&b"d1:x"[..], &b"l".repeat(1 << 20)].concat();
        for bytes in [file("d6:lengthi1e4:pathl1:aee"), file(&deep), nested] {
            let sender = sender.clone();
            start("read", move || sender.send(Described::read(bytes).is_ok()).unwrap());
        }
        let mut read: Vec<bool> = (0..3).map(|_| receiver.recv().unwrap()).collect();
        read.sort_unstable();
        assert_eq!(read, [false, false, true]);
    }
}
