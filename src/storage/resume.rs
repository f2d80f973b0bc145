//! Resume states on disk, and when they are trusted.
//!
//! Floor 3. The format is described in [`crate::proto::resume`]; the keeper of the engine writes the states. A state is
//! written if pieces came since the last one, at most once in [`SAVE_EVERY`], and at the end. It is read when a torrent
//! is added. If a file still has the stamp of its record, its pieces are present or missing as the state says, and they
//! are not read. All other pieces are hashed, whatever the state says.
//!
//! ## Why no corrupt byte is taken for correct
//!
//! * *Order.* The manager copies the set of verified pieces, all of whose bytes were written, and then the keeper looks
//!   at the files. A verified piece is never written again. So a write after the look can only change a modification
//!   time, which costs a check, or be missed, which costs a download. It does no harm to the pieces of the state.
//! * *kill -9.* What was written is in the system's cache, which outlives the process. A state is written beside the
//!   old one and renamed over it, so one of the two is always complete. (The first state of content that was there
//!   before has no old one. If it is not complete, everything is checked again.) If a file was written to after the
//!   state was taken, it has a different stamp and its pieces are hashed. So everything is found except incomplete
//!   pieces.
//! * *Other programs.* If another program writes to a file that swarmlet does not write to, its
//!   [stamp](crate::sys::stamp) differs from the record, even if that program sets the modification time back. If
//!   swarmlet writes to the file, a record is taken only if the file always was [as we left
//!   it](crate::storage::content), before each write and at the end, so that writes of others show too. (This does not
//!   work on file systems of other machines, whose times may arrive late, nor within one tick of the clock between two
//!   of our writes.) A write within the same tick of the file system's clock would not change the time, so a record is
//!   taken only of a file that has been quiet for longer than a tick.
//! * *Loss of power, a disk pulled out.* What was not on the disk yet is lost, while the file's time may be there. So a
//!   record says whether the file is known to be on the disk: the keeper syncs a file once, when all its pieces
//!   are verified. The record of another file is trusted only as long as the system was not restarted and the file is
//!   on the very same mount. (Since Linux 6.8 mounts have numbers that are never used again. Without them, or without
//!   /proc, files are synced at the end, however long it takes.)
//! * *A disk that fails later.* The system reports a failed write only to the first sync, and the next sync succeeds.
//!   So no record is taken any more of a file that lost something: it is checked again, and what is missing is
//!   downloaded again. If that is lost too, the torrent ends.
//! * *The [part file](crate::storage::content::part_file)* has no record: the state does not count pieces that are read
//!   from it, and they are hashed at each start.
//! * *The state itself* has a digest. It is synced before it is renamed, but not at the end, when a person waits, nor
//!   if it is the first one and nothing was downloaded. A power cut right after may leave it empty; then it is refused,
//!   and everything is checked.

pub mod folders;
pub mod journal;
mod making;
pub mod saved_torrents;

use super::content::Content;
use super::error::{ContentError, Doing};
use crate::base::sha1::{Digest, sha1};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::resume::{FileState, MAX_RESUME_BYTES, Making, Record, Resume, file_name, is_file_name};
use crate::sys::beneath::{Folder, For};
use crate::sys::in_words;
use crate::sys::replace::{Output, Sync, is_unfinished};
use crate::sys::stamp::{TICK, is_quiet};
use rustix::fs::{Access, Advice, AtFlags, StatxFlags, access, fadvise, statx};
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Least time between two saves of a torrent's state: flash wears out, and checking the rest is not bad.
pub const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Content that is complete from the beginning is saved sooner, and once, so that an idle process writes nothing.
pub const SAVE_COMPLETE_AFTER: Duration = Duration::from_secs(5);
/// Time between two saves if only the number of uploaded bytes has changed.
pub const SAVE_TOTALS_EVERY: Duration = Duration::from_secs(3600);
/// States that were not written for this long are deleted: a year, after which few torrents are missed.
const OLD: Duration = Duration::from_secs(365 * 24 * 3600);
/// `STATX_MNT_ID_UNIQUE` (linux/stat.h, 6.8): numbers of mounts that are never used twice.
const UNIQUE_MOUNT: StatxFlags = StatxFlags::from_bits_retain(0x4000);
/// The kernel's random name for the time since it booted (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The folder of the states.
#[derive(Debug)]
pub struct StateDir {
    folder: Folder,
    /// Where it is.
    pub path: Arc<Path>,
    boot: Arc<[u8]>,
}

impl StateDir {
    /// Opens the folder, creates it if necessary, for our eyes only, and deletes old states.
    pub fn open(path: &Path) -> io::Result<StateDir> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        access(path, Access::WRITE_OK | Access::EXEC_OK)?;
        remove_old(path)?;
        let boot = fs::read(BOOT_ID).unwrap_or_default().into();
        Ok(StateDir { folder: Folder::open(path)?, path: path.into(), boot })
    }

    pub(super) fn read(&self, name: &str) -> io::Result<(Vec<u8>, (i64, i64))> {
        let (file, found) = self.folder.find(name, For::Reading)?;
        if found.len() > MAX_RESUME_BYTES as u64 {
            return Err(io::Error::other("it is too large"));
        }
        // It does not grow while it is read, because it is only replaced. (A first one is refused until it is written.)
        let mut bytes = Vec::with_capacity(found.len() as usize);
        file.take(found.len()).read_to_end(&mut bytes)?;
        Ok((bytes, (found.mtime(), found.mtime_nsec())))
    }

    /// Removes the file `name`, if it exists.
    pub fn remove(&self, name: &str) {
        if let Err(error) = self.folder.remove(name)
            && error.kind() != io::ErrorKind::NotFound
        {
            log::warn!("can't remove {}: {}", self.path.join(name).display(), in_words(&error));
        }
    }

    /// Removes the state of content that is not there any more.
    pub fn remove_state(&self, content: &Content) {
        self.remove(&file_name(&content.metainfo.info_hash, &content.real_dir()));
    }

    /// Writes the first state of this name. If it is not written to its end, it is refused and all is checked, as if
    /// there were none. So it need not be written beside and renamed, which costs as much again.
    pub fn write_first(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        let Ok(mut file) = File::options().write(true).create_new(true).mode(0o600).open(&path) else {
            return self.write(name, bytes, false);
        };
        file.write_all(bytes).inspect_err(|_| drop(fs::remove_file(&path)))
    }

    /// Replaces the state `name` by `bytes`. Only we may read it, also if others may look into the folder.
    pub fn write(&self, name: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        let sync = if sync { Sync::First } else { Sync::Later };
        // A symbolic link of this name is replaced: states are not read through links either.
        Output::Replace(self.path.join(name)).write(sync, |file| {
            // FAT has no permissions.
            let _ = file.set_permissions(Permissions::from_mode(0o600));
            file.write_all(bytes)
        })
    }
}

/// Deletes states that were not written for long. (If their torrents are still there, they are checked once.)
fn remove_old(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)?.flatten() {
        let name = entry.file_name();
        let is_state = |name: &str| is_file_name(name) || saved_torrents::is_name(name) || journal::is_name(name);
        let is_ours = name.to_str().is_some_and(is_state) || is_unfinished(&name);
        let changed = || entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let is_old = || changed()?.elapsed().ok().map(|age| age > OLD);
        if is_ours && is_old() == Some(true) {
            log::info!("{} is old and goes", entry.path().display());
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// What `file` of `content` is like now. `None`: a write from now on might not show.
pub fn look_at(content: &Content, file: &File) -> io::Result<Option<Record>> {
    Ok(record_of(content, file, &file.metadata()?))
}

fn record_of(content: &Content, file: &File, found: &Metadata) -> Option<Record> {
    let (stamp, mount) = (content.known.stamp(found), mount_of(file));
    is_quiet(found).then_some(Record { stamp, mount, on_disk: false })
}

/// The kernel's number of the mount that a file or folder is on; 0: unknown.
pub fn mount_of(file: &File) -> u64 {
    let told = statx(file, "", AtFlags::EMPTY_PATH, UNIQUE_MOUNT).ok();
    let told = told.filter(|told| told.stx_mask & UNIQUE_MOUNT.bits() != 0);
    told.map_or(0, |told| told.stx_mnt_id)
}

/// The contents of a state.
pub struct Save {
    /// The pieces that are verified.
    pub have: Bitfield,
    /// Bytes uploaded in this run.
    pub uploaded: u64,
    /// Bytes downloaded in this run.
    pub downloaded: u64,
    /// A person waits for it, and it is the last.
    pub in_haste: bool,
}

/// What is known of a torrent's files, from before their check until the end.
pub struct Known {
    pub(super) resume: Resume,
    /// The state is of an earlier run of the system.
    is_older: bool,
    /// Bytes uploaded and downloaded in all runs before this one.
    pub(super) totals: (u64, u64),
    /// When the state was saved, by the clock of its disk.
    saved: (i64, i64),
    /// The digest of the state on the disk; `None`: there is none, or it could not be written.
    pub written: Option<Digest>,
    /// Why written bytes were lost on their way to the disk.
    pub lost: Option<Box<ContentError>>,
    /// The content was deleted or is in another place: its state is not written any more.
    pub gone: bool,
    /// The state on the disk says all that a new one would say. So no state is written again for thousands of complete
    /// torrents.
    pub is_saved: bool,
}

impl Known {
    /// Reads what earlier runs knew of `content`. `warn` gets the reason why a state cannot be used.
    pub fn load(states: &StateDir, content: &Content, mut warn: impl FnMut(String)) -> Known {
        let mut unknown = Resume::new(&content.metainfo, content.real_dir());
        unknown.boot = Arc::clone(&states.boot);
        let name = file_name(&unknown.info_hash, &unknown.folder);
        let found = match states.read(&name) {
            Ok((bytes, saved)) => {
                let resume = Resume::decode(&bytes, &content.metainfo, Arc::clone(&unknown.folder));
                resume.map(|resume| Some((resume, Some(sha1(&bytes)), saved)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(in_words(&error)),
        };
        let found = found.unwrap_or_else(|problem| {
            let path = states.path.join(&name);
            warn(format!("can't use the state {}: {problem}; all content is checked", path.display()));
            None
        });
        let (mut resume, written, saved) = found.unwrap_or((unknown, None, (0, 0)));
        let is_older = std::mem::replace(&mut resume.boot, Arc::clone(&states.boot)) != states.boot;
        // A state of this run counts what it transferred already.
        let totals = content.before.unwrap_or((resume.uploaded, resume.downloaded));
        Known { totals, resume, written, saved, lost: None, gone: false, is_saved: false, is_older }
    }

    /// The same, if all runs before this one uploaded and downloaded these bytes.
    pub fn with_totals(self, totals: (u64, u64)) -> Known {
        Known { is_saved: self.is_saved && totals == self.totals, totals, ..self }
    }

    /// Whether the files were on the mount of this number, which another run of the system may use for another mount.
    pub fn was_on(&self, mount: u64) -> bool {
        let mut records = self.resume.files.iter().filter_map(|file| file.record);
        mount != 0 && !self.is_older && records.any(|record| record.mount == mount)
    }

    /// Whether what is known of a file still holds if it looks like `seen` now.
    pub fn trusts(&self, file: usize, seen: Option<&Record>) -> bool {
        self.resume.trusts(file, seen, self.is_older)
    }

    /// The content was checked, and has the pieces `have`. Its files looked like `seen` before that; those in `trusted`
    /// were not read.
    pub fn checked(mut self, content: &Content, have: &Bitfield, seen: Vec<Option<Record>>, trusted: &[bool]) -> Known {
        let before = std::mem::take(&mut self.resume.files);
        let records = seen.into_iter().enumerate().map(|(file, seen)| {
            let before = before[file];
            let on_disk = trusted[file] && before.record.is_some_and(|record| record.on_disk);
            FileState { record: seen.map(|seen| Record { on_disk, ..seen }), ..before }
        });
        self.resume.files = records.collect();
        let on_disk = |state: &FileState| state.record.is_some_and(|record| record.on_disk);
        let is_same = |(file, (then, now)): (usize, (&FileState, &FileState))| match content.has_of(file, have).1 {
            true => then == now && on_disk(now) && now.making == Making::No && !now.marked,
            false => *then == FileState::default(),
        };
        self.is_saved = self.written.is_some()
            && !self.is_older
            && have.is_full()
            && self.resume.have.is_full()
            && self.totals == (self.resume.uploaded, self.resume.downloaded)
            && before.iter().zip(&self.resume.files).enumerate().all(is_same);
        self.is_older = false;
        // Each save says which pieces there are.
        self.resume.have = Bitfield::new(0);
        self
    }

    /// Forgets all but the totals: there are other files now.
    pub fn forget(&mut self) {
        self.resume.files.fill(FileState::default());
        self.resume.have = Bitfield::new(0);
    }

    /// Updates the state. If it differs from what was written last, returns the name and the bytes to write.
    pub fn take_in(&mut self, content: &Content, save: Save) -> Option<(String, Vec<u8>)> {
        if self.gone {
            return None;
        }
        self.resume.uploaded = self.totals.0.saturating_add(save.uploaded);
        self.resume.downloaded = self.totals.1.saturating_add(save.downloaded);
        self.update(content, save.have, save.in_haste);
        let changed = self.changed();
        self.resume.have = Bitfield::new(0);
        changed
    }

    /// The name and the bytes of the state, if it differs from what was written last.
    fn changed(&mut self) -> Option<(String, Vec<u8>)> {
        let bytes = self.resume.encode();
        let digest = sha1(&bytes);
        let is_new = self.written.replace(digest) != Some(digest);
        is_new.then(|| (file_name(&self.resume.info_hash, &self.resume.folder), bytes))
    }

    /// Looks at the files that were written to, now that we have the pieces in `have`.
    fn update(&mut self, content: &Content, have: Bitfield, in_haste: bool) {
        // The files do not vouch for pieces in the part file. These are few, and hashed at each start.
        let have = content.without_parts(have);
        let no_boot = self.resume.boot.is_empty();
        content.unmark_complete(&have);
        for (file, FileState { record, making, marked }) in self.resume.files.iter_mut().enumerate() {
            let (some, all) = content.has_of(file, &have);
            // A file that another program makes after the end is not swarmlet's.
            *making = match content.making(file) {
                Making::Planned if in_haste => Making::No,
                now => now,
            };
            *marked = if *making == Making::Planned { *marked } else { content.is_marked(file) };
            if !some {
                *record = None;
                continue;
            }
            // This comes before the look: a write after it is for the next time.
            let dirty = content.take_dirty(file);
            let wants_sync =
                |record: &Record| !record.on_disk && if in_haste { no_boot || record.mount == 0 } else { all };
            if !dirty && !record.as_ref().is_some_and(wants_sync) {
                continue;
            }
            let examined = content.open_file(file).and_then(|opened| {
                let before = record.filter(|_| !dirty);
                let look = || look_when_quiet(content, &opened, &opened.metadata()?, all || in_haste);
                let now = before.map_or_else(look, |before| Ok(Some(before)))?;
                // If another program wrote, the file's time vouches for nothing. (If we are writing, it will next
                // time.)
                let is_ours = before.is_some() || content.known.is_as_left(file, &opened);
                let now = now.filter(|_| is_ours);
                let on_disk = now.as_ref().is_some_and(wants_sync);
                if all && (on_disk || !is_ours && !content.known.has_lost(file)) {
                    content.make(file, false);
                    *making = Making::No;
                }
                if on_disk && let Err(error) = opened.sync_all() {
                    let error = content.error(Doing::Writing, &content.path(file), error);
                    if !error.may_pass() {
                        // This is no failed disk: some file systems cannot sync (EINVAL), and lose nothing by that.
                        return Err(error.error);
                    }
                    content.known.lost(file);
                    // Whatever the disk did to the file, it is not a user's own.
                    content.make(file, true);
                    *making = Making::Begun;
                    // The system may still have in memory what the disk lacks. A reader must see what is on the disk.
                    let _ = fadvise(&opened, 0, None, Advice::DontNeed);
                    self.lost = Some(Box::new(error));
                    return Ok(None);
                }
                Ok(now.map(|now| Record { on_disk: on_disk || now.on_disk, ..now }))
            });
            *record = examined.unwrap_or_else(|error| {
                log::warn!("{}: {}", content.path(file), in_words(&error));
                None
            });
            if record.is_none() {
                // It may work the next time.
                content.mark_dirty(file);
            }
        }
        self.resume.have = have;
    }
}

/// The same as [`look_at`], for a file that was `found` to be so a moment ago. `wait`: no more writes will come, so it
/// will be quiet in a moment.
pub fn look_when_quiet(content: &Content, file: &File, found: &Metadata, wait: bool) -> io::Result<Option<Record>> {
    let now = record_of(content, file, found);
    if now.is_some() || !wait {
        return Ok(now);
    }
    thread::sleep(TICK);
    look_at(content, file)
}

#[cfg(test)]
mod tests;
