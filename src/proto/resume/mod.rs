//! The resume state: which pieces of a torrent were on the disk in the last run, so that they need not be hashed again.
//!
//! It is a bencoded file of our own; no BEP defines one. It is used only if its digest shows that it is as it was
//! written, if it belongs to this torrent and this folder, and if every number fits the torrent. Then a piece counts as
//! present if each of its files still has the stamp that was recorded.
//!
//! ```text
//! d 6:digest 20:SHA-1 of the value of `state`, as it stands
//!   5:state d 4:boot    the kernel's name for the time since it was started
//!             10:downloaded, 8:uploaded   bytes of all runs
//!             5:files   for each file, RECORD_BYTES: see `FileState`
//!             6:folder  the path of the folder that the content lies in
//!             4:have    the pieces, as in the message `bitfield`
//!             9:info hash, 7:version
//! ```

use super::peer::bitfield::Bitfield;
use crate::base::hex::to_hex;
use crate::base::sha1::sha1;
use crate::proto::bencode::{self, Bencode, Value};
use crate::proto::id::InfoHash;
use crate::proto::metainfo::{MAX_METAINFO_BYTES, Metainfo};
use std::sync::Arc;

/// The largest state that is read, in bytes. What is kept of a file is shorter than its entry in the metainfo, and the
/// bits of all pieces are shorter than their hashes. So a state is never larger than its .torrent file.
pub const MAX_RESUME_BYTES: usize = MAX_METAINFO_BYTES;

/// The version of the layout above.
const VERSION: i64 = 2;
/// The version before, whose records are incomplete: the content is checked once, and the totals are kept.
const BEFORE: i64 = 1;

/// Bytes of a file's state: stamp 8, mount 8, kind 1; numbers are big-endian.
const RECORD_BYTES: usize = 17;
/// Kinds of records: none, ...
const NOTHING: u8 = 0;
/// ... of a file that may be in memory only, ...
const IN_MEMORY: u8 = 1;
/// ... and of one that is known to be on the disk itself.
const ON_DISK: u8 = 2;
/// It is added to the kind if swarmlet has begun the file, ...
const BEGUN: u8 = 4;
/// ... or if it will, ...
const PLANNED: u8 = 8;
/// ... and if the file has a mark then.
const MARKED: u8 = 16;

/// What is known of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileState {
    /// What vouches for its pieces, if anything does.
    pub record: Option<Record>,
    /// Whether swarmlet is making it.
    pub making: Making,
    /// The file carries a mark while swarmlet makes it (an extended attribute). One without it is another program's.
    pub marked: bool,
}

/// Whether swarmlet is making a file, which lacks pieces or may not be on the disk yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Making {
    /// It is not.
    #[default]
    No,
    /// The file did not exist when the state was saved. If there is one now, swarmlet or another program made it.
    Planned,
    /// It is: the whole content of the file may be overwritten.
    Begun,
}

/// The state of a file when its pieces were last known to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// A digest of its size, its times and its inode: if it was written to since, it has another stamp.
    pub stamp: u64,
    /// The kernel's number of the mount that it is on, which is never used twice between two starts of the system; 0:
    /// unknown.
    pub mount: u64,
    /// Everything written to it is on the disk itself, so a loss of power loses nothing.
    pub on_disk: bool,
}

/// The state of a torrent in one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The path of the folder, with all links resolved.
    pub folder: Arc<[u8]>,
    /// The kernel's name for the run of the system in which the state was recorded; empty: unknown.
    pub boot: Arc<[u8]>,
    /// The verified pieces.
    pub have: Bitfield,
    /// What is known of each file of the torrent.
    pub files: Vec<FileState>,
    /// Bytes of content sent, in all runs.
    pub uploaded: u64,
    /// Bytes of content received, in all runs.
    pub downloaded: u64,
}

/// The name of the file with the state of `info_hash` in `folder`. (The same torrent may be in several folders.)
pub fn file_name(info_hash: &InfoHash, folder: &[u8]) -> String {
    let digest = sha1(folder);
    let short = to_hex(&digest[..8]);
    format!("{info_hash}-{short}{FILE_NAME_END}")
}

/// The end of the names of states.
pub const FILE_NAME_END: &str = ".resume";

/// Whether this is the name of a state.
pub fn is_file_name(name: &str) -> bool {
    let hex = |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = name.strip_suffix(FILE_NAME_END).and_then(|name| name.split_once('-'));
    parts.is_some_and(|(torrent, folder)| hex(torrent, 40) && hex(folder, 16))
}

impl Resume {
    /// The state of a torrent in `folder`, with nothing known yet.
    pub fn new(metainfo: &Metainfo, folder: impl Into<Arc<[u8]>>) -> Resume {
        Resume {
            info_hash: metainfo.info_hash,
            folder: folder.into(),
            boot: Arc::default(),
            have: Bitfield::new(metainfo.piece_count()),
            files: vec![FileState::default(); metainfo.files.len()],
            uploaded: 0,
            downloaded: 0,
        }
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let files: Vec<u8> = self.files.iter().flat_map(record_bytes).collect();
        let state = Bencode::dict([
            ("boot", (&*self.boot).into()),
            ("downloaded", self.downloaded.into()),
            ("files", files.into()),
            ("folder", (&*self.folder).into()),
            ("have", self.have.as_bytes().into()),
            ("info hash", self.info_hash.0.as_slice().into()),
            ("uploaded", self.uploaded.into()),
            ("version", VERSION.into()),
        ])
        .encode();
        let digest = sha1(&state);
        Bencode::dict([("digest", digest.as_slice().into()), ("state", Bencode::Raw(state))]).encode()
    }

    /// Reads the bytes of a file, which must be the state of `metainfo` in `folder`. An error says what is wrong with
    /// it.
    pub fn decode(bytes: &[u8], metainfo: &Metainfo, folder: impl Into<Arc<[u8]>>) -> Result<Resume, String> {
        let folder = folder.into();
        let state = whole(bytes)?;
        let keys: [&[u8]; 8] =
            [b"version", b"info hash", b"folder", b"boot", b"have", b"files", b"uploaded", b"downloaded"];
        let [version, info_hash, found_folder, boot, have, files, uploaded, downloaded] =
            state.get_all(keys).ok_or("its state is no dict")?;
        let version = version.and_then(Value::as_int);
        if ![Some(BEFORE), Some(VERSION)].contains(&version) {
            return Err(format!("it is not of version {VERSION}"));
        }
        let text = |value: Option<Value>| value.and_then(Value::as_bytes).unwrap_or_default().to_vec();
        if text(info_hash) != metainfo.info_hash.0 || text(found_folder) != *folder {
            return Err("it is of another torrent or folder".into());
        }
        let total = |value: Option<Value>| value.and_then(Value::as_int).and_then(|number| u64::try_from(number).ok());
        let resume = Resume {
            uploaded: total(uploaded).ok_or("uploaded is no number of bytes")?,
            downloaded: total(downloaded).ok_or("downloaded is no number of bytes")?,
            ..Resume::new(metainfo, folder)
        };
        let have = Bitfield::from_bytes(text(have), metainfo.piece_count())?;
        if version == Some(BEFORE) {
            // The version before did not record which files were being made: those that lacked a piece.
            let lacks = |entry| metainfo.pieces_of(entry).any(|piece| !have.get(piece));
            let making = |entry| if lacks(entry) { Making::Begun } else { Making::No };
            let files = metainfo.files.iter().map(|entry| FileState { making: making(entry), ..FileState::default() });
            return Ok(Resume { files: files.collect(), ..resume });
        }
        let records = text(files);
        if records.len() != metainfo.files.len() * RECORD_BYTES {
            return Err(format!("{} bytes do not describe {} files", records.len(), metainfo.files.len()));
        }
        let files: Option<Vec<_>> = records.as_chunks().0.iter().map(read_record).collect();
        Ok(Resume { boot: text(boot).into(), have, files: files.ok_or("a file's record is none")?, ..resume })
    }

    /// Whether the recorded pieces of a file are still there, if the file is `now` in this state: nothing wrote to it,
    /// and what we wrote was not lost on its way to the disk. `is_older`: the state is of an earlier run of the system.
    pub fn trusts(&self, file: usize, now: Option<&Record>, is_older: bool) -> bool {
        let (Some(then), Some(now)) = (self.files.get(file).and_then(|file| file.record), now) else { return false };
        let never_left = then.mount != 0 && then.mount == now.mount && !self.boot.is_empty() && !is_older;
        then.stamp == now.stamp && (then.on_disk || never_left)
    }
}

/// The folder that a state is of; `None`: the state is damaged.
pub fn folder(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(whole(bytes).ok()?.get(b"folder")?.as_bytes()?.to_vec())
}

/// The value of `state`, if its digest is right.
fn whole(bytes: &[u8]) -> Result<Value<'_>, String> {
    let outer = bencode::decode(bytes).map_err(|error| error.to_string())?;
    let [digest, state] = outer.get_all([b"digest", b"state"]).unwrap_or_default();
    let state = state.ok_or("it has no state")?;
    let is_whole = digest.and_then(Value::as_bytes) == Some(sha1(state.raw()).as_slice());
    if is_whole { Ok(state) } else { Err("its digest is wrong".into()) }
}

fn record_bytes(file: &FileState) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    let kind = file.record.map_or(NOTHING, |record| if record.on_disk { ON_DISK } else { IN_MEMORY });
    if let Some(Record { stamp, mount, .. }) = file.record {
        bytes[..8].copy_from_slice(&stamp.to_be_bytes());
        bytes[8..16].copy_from_slice(&mount.to_be_bytes());
    }
    let making = match file.making {
        Making::No => 0,
        Making::Planned => PLANNED,
        Making::Begun => BEGUN,
    };
    bytes[16] = kind | making | if file.marked { MARKED } else { 0 };
    bytes
}

/// `None`: these bytes are not a file's state.
fn read_record(bytes: &[u8; RECORD_BYTES]) -> Option<FileState> {
    let (stamp, rest) = bytes.split_first_chunk()?;
    let (mount, kind) = rest.split_first_chunk()?;
    let &[kind] = kind else { return None };
    let (stamp, mount) = (u64::from_be_bytes(*stamp), u64::from_be_bytes(*mount));
    let record = match kind & !(BEGUN | PLANNED | MARKED) {
        NOTHING => None,
        IN_MEMORY => Some(Record { stamp, mount, on_disk: false }),
        ON_DISK => Some(Record { stamp, mount, on_disk: true }),
        _ => return None,
    };
    let making = match (kind & BEGUN != 0, kind & PLANNED != 0) {
        (false, false) => Making::No,
        (false, true) => Making::Planned,
        (true, false) => Making::Begun,
        (true, true) => return None,
    };
    Some(FileState { record, making, marked: kind & MARKED != 0 })
}

#[cfg(test)]
mod tests;
