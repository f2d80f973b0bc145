//! The resume states on disk, and when they are believed.
//!
//! Floor 3; what the bytes mean stands in [`crate::proto::resume`], and the thread that writes them is the
//! [keeper](crate::engine::keeper). A state is written when pieces came since the last one, at most once in [`SAVE_EVERY`], and
//! at the end. It is read when a torrent is added: pieces of files that have still the size and the time of change of
//! their record are had or not had as the state says, and not read. All others are hashed, whatever it says of them.
//!
//! ## Why no wrong byte is taken for right
//!
//! * *Order.* The manager copies the pieces that are proven (so all their bytes were written), then the keeper looks at
//!   the files. A piece that is had is never written again. So what we write after the look can only move a time on,
//!   which costs a check, or be missed, which costs a fetch; it harms no piece of the state.
//! * *kill -9.* What was written is in the system's cache, which outlives us. A state is written beside the old one and
//!   renamed over it: one of the two is there, whole. A file that we wrote to after the state was taken has another
//!   time, so its pieces are hashed: what came since is found, but for pieces that were not complete.
//! * *Other programs.* A file is looked at again only when we wrote to it, so what others do to files we have no part in
//!   shows as another time or size. Of a file that we write to a record is taken only if it always was [as we left
//!   it](super::changes), before each write and at the end; so what others do to it meanwhile shows too. (Not on file
//!   systems of other machines, where times may come late; nor within one tick of the clock between two writes of
//!   ours.) A write within the same tick of the file system's clock would leave the time as it is: so a record is taken
//!   only of a file that has been quiet for longer than a tick.
//! * *Loss of power, a disk pulled out.* They take what was not on the disk yet, while the file's time may be there. A
//!   record says whether the file is known to be on the disk: files are synced once, when all their pieces are had, by
//!   the keeper, for which nobody waits. A record of another file is trusted only while the system has not been started
//!   again and the file lies on the very same mount. (Linux 6.8 gives mounts numbers that never come again. Before, or
//!   without /proc, nobody can tell, so at the end files are synced, however long it takes.)
//! * *A disk that fails later.* What the system can't bring to it is told once, to who syncs first, and then forgotten:
//!   the next sync succeeds. So of a file of which it lost something no record is taken any more: all is checked
//!   again, what is missing is fetched again, and if that is lost too the torrent ends.
//! * *The [part file](super::parts)* has no record: pieces that are read from it do not count as had, and are hashed at
//!   each start.
//! * *The state itself* has a digest. It is synced before it is renamed, but not at the end, when somebody waits: a power
//!   cut right after may leave it empty; it is refused then, and everything checked.

use super::content::Content;
use super::error::{ContentError, Doing};
use crate::base::sha1::{Digest, sha1};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::resume::{MAX_RESUME_BYTES, Record, Resume, Stamp, file_name, is_file_name};
use crate::sys::beneath::{Folder, For};
use crate::sys::in_words;
use crate::sys::replace::{Sync, is_unfinished, replace};
use rustix::fs::{Access, Advice, AtFlags, StatxFlags, access, fadvise, statx};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// Between two saves of a torrent's state: flash wears out, and a check of the rest is no disaster.
pub const SAVE_EVERY: Duration = Duration::from_secs(60);
/// What was whole when it was found, and stays so, is saved sooner, and once: a process that idles then writes nothing.
pub const SAVE_WHOLE_AFTER: Duration = Duration::from_secs(5);
/// Between two saves when nothing changed but how much was sent.
pub const SAVE_TOTALS_EVERY: Duration = Duration::from_secs(3600);
/// States that nobody wrote for so long are removed: a year, after which few torrents are missed.
const OLD: Duration = Duration::from_secs(365 * 24 * 3600);
/// Times of change stand still for so long at most where they have nanoseconds: a tick of the slowest Linux (HZ=100) is
/// 10 ms; twice that.
const TICK: Duration = Duration::from_millis(20);
/// And where they have none: FAT counts in steps of 2 s.
const COARSE_TICK: Duration = Duration::from_millis(2020);
/// `STATX_MNT_ID_UNIQUE` (linux/stat.h, 6.8): mounts by a number that is never given twice.
const UNIQUE_MOUNT: StatxFlags = StatxFlags::from_bits_retain(0x4000);
/// The kernel's random name for the time since it was started (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The folder of the states.
#[derive(Debug)]
pub struct StateDir {
    folder: Folder,
    path: PathBuf,
    boot: Vec<u8>,
}

impl StateDir {
    /// Opens the folder, makes it where it is missing, for our eyes only, and clears away what is old.
    pub fn open(path: &Path) -> io::Result<StateDir> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        access(path, Access::WRITE_OK | Access::EXEC_OK)?;
        remove_old(path)?;
        let boot = fs::read(BOOT_ID).unwrap_or_default();
        Ok(StateDir { folder: Folder::open(path)?, path: path.to_path_buf(), boot })
    }

    /// What was known of `content`, and why it is of no use, if it is.
    fn load(&self, content: &Content) -> (Resume, Option<Digest>, Option<String>) {
        // The folder was opened a moment ago. Were its path gone, it would be as good a name as any.
        let folder = fs::canonicalize(content.dir()).unwrap_or_else(|_| content.dir().to_path_buf());
        let mut unknown = Resume::new(&content.metainfo, folder.as_os_str().as_bytes().to_vec());
        unknown.boot.clone_from(&self.boot);
        let name = file_name(&unknown.info_hash, &unknown.folder);
        let bytes = match self.read(&name) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (unknown, None, None),
            Err(error) => return (unknown, None, Some(self.unusable(&name, &in_words(&error)))),
        };
        match Resume::decode(&bytes, &content.metainfo, &unknown.folder) {
            Ok(resume) => (resume, Some(sha1(&bytes)), None),
            Err(problem) => (unknown, None, Some(self.unusable(&name, &problem))),
        }
    }

    fn unusable(&self, name: &str, problem: &str) -> String {
        format!("can't use the state {}: {problem}; all content is checked", self.path.join(name).display())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.folder.file(name, For::Reading)?;
        file.take(MAX_RESUME_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > MAX_RESUME_BYTES { Err(io::Error::other("it is too large")) } else { Ok(bytes) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `bytes` in the place of the state `name`.
    pub fn write(&self, name: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        let sync = if sync { Sync::First } else { Sync::Later };
        replace(&self.path.join(name), sync, |file| file.write_all(bytes))
    }
}

/// Removes states that nobody wrote for long. (Of torrents that are still there all is checked, once.)
fn remove_old(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)?.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(is_file_name) || is_unfinished(&name);
        let changed = || entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let is_old = || changed()?.elapsed().ok().map(|age| age > OLD);
        if is_ours && is_old() == Some(true) {
            log::info!("{} is old and goes", entry.path().display());
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// How `file` is now.
pub fn look_at(file: &File) -> io::Result<Record> {
    if let Ok(found) = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | UNIQUE_MOUNT) {
        let told = found.stx_mask & UNIQUE_MOUNT.bits() != 0;
        let stamp = Stamp { size: found.stx_size, seconds: found.stx_mtime.tv_sec, nanos: found.stx_mtime.tv_nsec };
        return Ok(Record { stamp, mount: if told { found.stx_mnt_id } else { 0 }, on_disk: false });
    }
    let found = file.metadata()?;
    let stamp = Stamp { size: found.len(), seconds: found.mtime(), nanos: found.mtime_nsec() as u32 };
    Ok(Record { stamp, mount: 0, on_disk: false })
}

/// Whether whatever is written to the file from now on gives it another time.
fn is_quiet(stamp: &Stamp) -> bool {
    let Ok(seconds) = u64::try_from(stamp.seconds) else { return true };
    let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, stamp.nanos.min(999_999_999)));
    let tick = if stamp.nanos == 0 { COARSE_TICK } else { TICK };
    // A time that is still to come tells nothing.
    changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age > tick)
}

/// What a state is to say.
pub struct Save {
    /// The pieces that are proven.
    pub have: Bitfield,
    /// Bytes sent in this run.
    pub uploaded: u64,
    /// Bytes that came in this run.
    pub downloaded: u64,
    /// Somebody waits for it, and nothing comes after it.
    pub in_haste: bool,
}

/// What is known of a torrent's files, from before their check until the end.
pub struct Known {
    resume: Resume,
    /// Of all runs before this one.
    totals: (u64, u64),
    /// Of the state that is on the disk.
    written: Option<Digest>,
    /// What was written is not on the disk, and never will be.
    lost: Option<ContentError>,
}

impl Known {
    /// What is known of `content` from earlier runs. `warn` hears why a state that is there is of no use.
    pub fn load(states: &StateDir, content: &Content, warn: impl FnMut(String)) -> Known {
        let (resume, written, problem) = states.load(content);
        problem.into_iter().for_each(warn);
        Known { totals: (resume.uploaded, resume.downloaded), resume, written, lost: None }
    }

    /// The pieces of the last run.
    pub fn have(&self) -> &Bitfield {
        &self.resume.have
    }

    /// Whether what is known of a file still holds, when it is now as `seen`.
    pub fn trusts(&self, states: &StateDir, file: usize, seen: Option<&Record>) -> bool {
        self.resume.trusts(file, seen, &states.boot)
    }

    /// The content was checked: its files were as `seen` before that, and `trusted` where nothing needed a check.
    pub fn checked(&mut self, states: &StateDir, seen: Vec<Option<Record>>, trusted: &[bool]) {
        let records = seen.into_iter().enumerate().map(|(file, seen)| {
            let on_disk = trusted[file] && self.resume.files[file].is_some_and(|record| record.on_disk);
            seen.filter(|seen| is_quiet(&seen.stamp)).map(|seen| Record { on_disk, ..seen })
        });
        self.resume.files = records.collect();
        self.resume.boot.clone_from(&states.boot);
    }

    /// Brings the state up to date: the pieces `have` are had, and in this run so much was sent and came. What is to
    /// be written, if it is not what was written last: the name and the bytes.
    pub fn take_in(&mut self, content: &Content, save: Save) -> Option<(String, Vec<u8>)> {
        self.resume.uploaded = self.totals.0.saturating_add(save.uploaded);
        self.resume.downloaded = self.totals.1.saturating_add(save.downloaded);
        self.update(content, save.have, save.in_haste);
        let bytes = self.resume.encode();
        let digest = sha1(&bytes);
        let is_new = self.written.replace(digest) != Some(digest);
        is_new.then(|| (file_name(&self.resume.info_hash, &self.resume.folder), bytes))
    }

    /// Why what was written is lost, once.
    pub fn take_lost(&mut self) -> Option<ContentError> {
        self.lost.take()
    }

    /// The state could not be written.
    pub fn not_written(&mut self) {
        self.written = None;
    }

    /// Looks at the files that were written to, now that the pieces `have` are had.
    fn update(&mut self, content: &Content, mut have: Bitfield, in_haste: bool) {
        // The files say nothing of those in the part file: these are hashed each time, there are few.
        for piece in content.pieces_in_part() {
            have.clear(piece);
        }
        let no_boot = self.resume.boot.is_empty();
        for (file, record) in self.resume.files.iter_mut().enumerate() {
            let (some, all) = content.has_of(file, &have);
            if !some {
                *record = None;
                continue;
            }
            // Asked before the look: what is written behind it is for the next one.
            let dirty = content.take_dirty(file);
            let wants_sync =
                |record: &Record| !record.on_disk && if in_haste { no_boot || record.mount == 0 } else { all };
            if !dirty && !record.as_ref().is_some_and(wants_sync) {
                continue;
            }
            let examined = content.open_file(file).and_then(|opened| {
                let before = record.filter(|_| !dirty);
                let now =
                    before.map_or_else(|| look_when_quiet(&opened, all || in_haste), |before| Ok(Some(before)))?;
                // Where somebody else wrote, its time vouches for nothing. (Where we write, it will the next time.)
                let now = now.filter(|_| before.is_some() || content.known.is_as_left(file, &opened));
                let on_disk = now.as_ref().is_some_and(wants_sync);
                if on_disk && let Err(error) = opened.sync_all() {
                    let error = content.error(Doing::Writing, &content.metainfo.files.at(file).path(), error);
                    if !error.may_pass() {
                        // No word of a disk: some file systems can't sync (EINVAL), and lose nothing by that.
                        return Err(error.error);
                    }
                    content.known.lost(file);
                    // The system may still have in memory what the disk lacks: who reads it must see what is there.
                    let _ = fadvise(&opened, 0, None, Advice::DontNeed);
                    self.lost = Some(error);
                    return Ok(None);
                }
                Ok(now.map(|now| Record { on_disk: on_disk || now.on_disk, ..now }))
            });
            *record = examined.unwrap_or_else(|error| {
                log::warn!("{}: {}", content.metainfo.files.at(file), in_words(&error));
                None
            });
            if record.is_none() {
                // Next time, perhaps.
                content.mark_dirty(file);
            }
        }
        self.resume.have = have;
    }
}

/// How `file` is now, if it is quiet. `wait`: nothing more will come, so it will be in a moment.
fn look_when_quiet(file: &File, wait: bool) -> io::Result<Option<Record>> {
    let now = look_at(file)?;
    if is_quiet(&now.stamp) {
        return Ok(Some(now));
    }
    if wait {
        thread::sleep(TICK);
    }
    Ok(Some(look_at(file)?).filter(|now| is_quiet(&now.stamp)))
}

#[cfg(test)]
mod tests;
