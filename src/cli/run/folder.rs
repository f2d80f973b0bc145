//! The torrents of a folder, as they come and go: looked at now and then, for folders on other machines tell nobody
//! when they change.
//!
//! Floor 4, the eyes of [`many`](crate::cli::commands::many). A file that is no torrent may be half written: it is told of only when it
//! stayed the same from one look to the next, and once.

use super::changes::Changes;
use crate::base::path::for_terminal;
use crate::cli::options::source;
use crate::engine::{Job, TorrentId};
use crate::proto::id::InfoHash;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// One look in so many is at everything: five minutes after the last.
const LOOKS_TO_ALL: u32 = 60;
/// Torrents that are taken from a folder.
const MOST_TORRENTS: usize = 20_000;

/// By what a change of a file is seen.
type Stamp = (Option<SystemTime>, u64);

/// What became of a file.
enum Fate {
    /// It is this torrent, whose content has this name.
    Runs { torrent: TorrentId, info_hash: InfoHash, name: Box<str> },
    /// It was no torrent when it was last looked at.
    Unsure,
    /// It can't be used, and the person knows why.
    Bad,
    /// Another is in its way, and the person knows that.
    LeftOut,
}

/// A folder that is watched.
pub struct Folder {
    changes: Changes,
    /// Where the content is; `None`: beside each torrent.
    content: Option<PathBuf>,
    seen: BTreeMap<PathBuf, (Stamp, Fate)>,
    next: Instant,
    /// Looks until one is at everything.
    looks_to_all: u32,
    /// At the last look a torrent gave way to another.
    some_went: bool,
}

impl Folder {
    /// The torrents in `dir` and below.
    pub fn new(dir: PathBuf, content: Option<PathBuf>) -> Folder {
        let changes = Changes::new(dir);
        Folder { changes, content, seen: BTreeMap::new(), next: Instant::now(), looks_to_all: 0, some_went: false }
    }

    /// When to look again.
    pub fn next_look(&self) -> Instant {
        self.next
    }

    /// Looks, if it is time or somebody wants it (then at everything): `start` adds the torrents that came,
    /// `stop` removes those that are gone. What the person must know comes back.
    pub fn look(
        &mut self,
        at_once: bool,
        start: &mut dyn FnMut(Job) -> TorrentId,
        stop: &mut dyn FnMut(TorrentId),
    ) -> Vec<String> {
        if !at_once && Instant::now() < self.next {
            return Vec::new();
        }
        let all = at_once || self.looks_to_all == 0;
        self.looks_to_all = if all { LOOKS_TO_ALL } else { self.looks_to_all } - 1;
        let mut told = Vec::new();
        // Also of the last look: what was in the way of one may have gone after that was looked at.
        let some_went = Cell::new(std::mem::take(&mut self.some_went));
        let stop: &mut dyn FnMut(TorrentId) = &mut |torrent| {
            some_went.set(true);
            stop(torrent);
        };
        let files = self.find(all, stop);
        for (path, stamp) in files {
            let before = self.seen.get(&path);
            let same = before.is_some_and(|(before, _)| *before == stamp);
            let settled = match before {
                Some((_, Fate::Unsure)) => false,
                // It could not be read, perhaps, and now it can.
                Some((_, Fate::Bad)) => !all,
                // What was in its way may be gone.
                Some((_, Fate::LeftOut)) => !some_went.get(),
                _ => true,
            };
            if same && settled {
                continue;
            }
            let fate = self.judge(&path, same, start, stop, &mut told);
            self.seen.insert(path, (stamp, fate));
        }
        self.some_went = some_went.get();
        self.next = Instant::now() + LOOK_EVERY;
        told
    }

    /// The torrent files that may have changed. Those that are gone are stopped.
    fn find(&mut self, all: bool, stop: &mut dyn FnMut(TorrentId)) -> BTreeMap<PathBuf, Stamp> {
        let found = self.changes.look(all);
        let mut files: BTreeMap<PathBuf, Stamp> = BTreeMap::new();
        let mut room = MOST_TORRENTS.saturating_sub(self.seen.len());
        for path in found.torrents.iter() {
            let known = self.seen.get(path).map(|(stamp, _)| *stamp);
            let stamp = match stamp(path) {
                Ok(Some(stamp)) if known.is_some() || room > 0 => stamp,
                Ok(_) => continue,
                // A server that does not answer just now has taken nothing away.
                Err(error) => match known.filter(|_| error.kind() != io::ErrorKind::NotFound) {
                    Some(known) => known,
                    None => continue,
                },
            };
            room -= usize::from(known.is_none());
            files.insert(path.clone(), stamp);
        }
        self.seen.retain(|path, (_, fate)| {
            let stays = files.contains_key(path) || found.left_alone(path);
            if let (false, Fate::Runs { torrent, .. }) = (stays, &fate) {
                stop(*torrent);
            }
            // What is being written changes, though its folder does not.
            if stays
                && !matches!(fate, Fate::Runs { .. })
                && let Ok(Some(stamp)) = stamp(path)
            {
                files.insert(path.clone(), stamp);
            }
            stays
        });
        files
    }

    /// What becomes of a file that is new or has changed, or (`same`) was no torrent the last time.
    fn judge(
        &mut self,
        path: &Path,
        same: bool,
        start: &mut dyn FnMut(Job) -> TorrentId,
        stop: &mut dyn FnMut(TorrentId),
        told: &mut Vec<String>,
    ) -> Fate {
        let metainfo = match source::read(path.as_os_str()) {
            Ok(metainfo) => metainfo,
            Err(failure) if same => {
                if !matches!(self.seen.get(path), Some((_, Fate::Bad))) {
                    told.push(failure.text);
                }
                return Fate::Bad;
            }
            Err(_) => return self.seen.remove(path).map_or(Fate::Unsure, |(_, fate)| fate.unless_bad()),
        };
        let was_left_out = match self.seen.remove(path) {
            Some((_, Fate::Runs { torrent, info_hash, name })) if info_hash == metainfo.info_hash => {
                return Fate::Runs { torrent, info_hash, name };
            }
            Some((_, Fate::Runs { torrent, .. })) => {
                stop(torrent);
                false
            }
            before => matches!(before, Some((_, Fate::LeftOut))),
        };
        let in_the_way = self.seen.iter().find(|(other, (_, fate))| {
            let Fate::Runs { info_hash, name, .. } = fate else { return false };
            *info_hash == metainfo.info_hash || **name == *metainfo.name && self.place(other) == self.place(path)
        });
        if let Some((other, _)) = in_the_way {
            if !was_left_out {
                let [this, other] = [path, other].map(|path| for_terminal(&path.to_string_lossy()));
                told.push(format!(
                    "{this} is left out: it is the same torrent as {other}, or has content of that name"
                ));
            }
            return Fate::LeftOut;
        }
        let (info_hash, name) = (metainfo.info_hash, metainfo.name.as_str().into());
        let dir = self.place(path).to_path_buf();
        let torrent = start(Job { metainfo, dir, choice: None, duty: Default::default() });
        Fate::Runs { torrent, info_hash, name }
    }

    /// The folder that holds the content of the torrent file `path`.
    fn place<'a>(&'a self, path: &'a Path) -> &'a Path {
        self.content.as_deref().or_else(|| path.parent()).unwrap_or(Path::new("."))
    }
}

impl Fate {
    /// What was bad may have become good: it is looked at anew.
    fn unless_bad(self) -> Fate {
        if matches!(self, Fate::Bad) { Fate::Unsure } else { self }
    }
}

/// `None`: it is no file.
fn stamp(file: &Path) -> io::Result<Option<Stamp>> {
    let metadata = fs::metadata(file)?;
    Ok(metadata.is_file().then(|| (metadata.modified().ok(), metadata.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::Bencode;

    fn torrent(name: &str) -> Vec<u8> {
        let info = Bencode::dict([
            ("length", 1u32.into()),
            ("name", name.into()),
            ("piece length", 16384u32.into()),
            ("pieces", vec![7u8; 20].into()),
        ]);
        Bencode::dict([("info", info)]).encode()
    }

    /// Looks, and says what came and went.
    fn look(folder: &mut Folder, count: &mut u64) -> (Vec<String>, Vec<u64>) {
        let (mut came, mut gone) = (Vec::new(), Vec::new());
        let mut start = |job: Job| {
            came.push(job.metainfo.name);
            *count += 1;
            TorrentId(*count - 1)
        };
        folder.look(true, &mut start, &mut |torrent: TorrentId| gone.push(torrent.0));
        (came, gone)
    }

    #[test]
    fn what_was_bad_is_looked_at_again_with_everything_though_it_looks_the_same() {
        let temp = tempfile::tempdir().unwrap();
        let (path, whole) = (temp.path().join("a.torrent"), torrent("a"));
        let write = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        };
        write(&vec![b'x'; whole.len()]);
        let mut folder = Folder::new(temp.path().into(), None);
        let told = (0..4).map(|_| folder.look(true, &mut |_| TorrentId(0), &mut |_| {}).len());
        assert_eq!(told.collect::<Vec<usize>>(), [0, 1, 0, 0]);
        write(&whole);
        assert_eq!(look(&mut folder, &mut 0).0, ["a"]);
    }

    #[test]
    fn torrents_come_and_go_and_half_written_ones_are_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, mut count) = (temp.path(), 0);
        fs::create_dir(dir.join("below")).unwrap();
        fs::write(dir.join("a.torrent"), torrent("a")).unwrap();
        fs::write(dir.join("below/b.torrent"), torrent("b")).unwrap();
        let whole = torrent("half");
        fs::write(dir.join("half.torrent"), &whole[..20]).unwrap();
        fs::write(dir.join("twice.torrent"), torrent("a")).unwrap();
        fs::write(dir.join("notes.txt"), "no torrent").unwrap();
        let mut folder = Folder::new(dir.into(), None);
        let none: (Vec<String>, Vec<u64>) = Default::default();
        assert_eq!(look(&mut folder, &mut count), (vec!["a".into(), "b".into()], vec![]));
        assert_eq!(look(&mut folder, &mut count), none);
        fs::write(dir.join("half.torrent"), &whole).unwrap();
        assert_eq!(look(&mut folder, &mut count), (vec!["half".into()], vec![]));
        fs::remove_file(dir.join("below/b.torrent")).unwrap();
        assert_eq!(look(&mut folder, &mut count), (vec![], vec![1]));
        fs::write(dir.join("a.torrent"), torrent("another")).unwrap();
        assert_eq!(look(&mut folder, &mut count), (vec!["another".into(), "a".into()], vec![0]));
        assert_eq!(look(&mut folder, &mut count), none);
        // Of two that are the same the second has its turn when the first is gone.
        fs::write(dir.join("thrice.torrent"), torrent("a")).unwrap();
        assert_eq!(look(&mut folder, &mut count), none);
        fs::remove_file(dir.join("twice.torrent")).unwrap();
        assert_eq!(look(&mut folder, &mut count), (vec!["a".into()], vec![4]));
    }
}
