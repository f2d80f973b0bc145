//! The torrents of a folder, as they come and go: looked at now and then, for folders on other machines tell nobody
//! when they change.
//!
//! Floor 4, the eyes of [`many`](super::many). A file that is no torrent may be half written: it is told of only when it
//! stayed the same from one look to the next, and once.

use super::{say, source};
use crate::engine::Job;
use crate::proto::id::InfoHash;
use crate::proto::path::for_terminal;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Folders within folders that are looked into.
const MOST_DEEP: usize = 8;
/// Torrents that are taken from a folder.
const MOST_TORRENTS: usize = 20_000;

/// By what a change of a file is seen.
type Stamp = (Option<SystemTime>, u64);

/// What became of a file.
enum Fate {
    /// It is the torrent with this number.
    Runs { torrent: usize, info_hash: InfoHash, content: PathBuf },
    /// It was no torrent when it was last looked at.
    Unsure,
    /// It can't be used, and the person knows why.
    Bad,
}

/// A folder that is watched.
pub struct Folder {
    dir: PathBuf,
    /// Where the content is; `None`: beside each torrent.
    content: Option<PathBuf>,
    seen: BTreeMap<PathBuf, (Stamp, Fate)>,
    next: Instant,
}

impl Folder {
    /// The torrents in `dir` and below.
    pub fn new(dir: PathBuf, content: Option<PathBuf>) -> Folder {
        Folder { dir, content, seen: BTreeMap::new(), next: Instant::now() }
    }

    /// When to look again.
    pub fn next_look(&self) -> Instant {
        self.next
    }

    /// Looks, if it is time or somebody wants it: `start` gets torrents that came and gives them numbers, `stop` gets the
    /// numbers of those that are gone.
    pub fn look(&mut self, at_once: bool, start: &mut dyn FnMut(Job) -> usize, stop: &mut dyn FnMut(usize)) {
        if !at_once && Instant::now() < self.next {
            return;
        }
        let mut found = BTreeMap::new();
        find(&self.dir, MOST_DEEP, &mut found);
        self.seen.retain(|path, (_, fate)| {
            let stays = found.contains_key(path);
            if let (false, Fate::Runs { torrent, .. }) = (stays, fate) {
                stop(*torrent);
            }
            stays
        });
        for (path, stamp) in found {
            let before = self.seen.get(&path);
            let same = before.is_some_and(|(before, _)| *before == stamp);
            if same && !matches!(before, Some((_, Fate::Unsure))) {
                continue;
            }
            let fate = self.judge(&path, same, start, stop);
            self.seen.insert(path, (stamp, fate));
        }
        self.next = Instant::now() + LOOK_EVERY;
    }

    /// What becomes of a file that is new or has changed, or (`same`) was no torrent the last time.
    fn judge(
        &mut self,
        path: &Path,
        same: bool,
        start: &mut dyn FnMut(Job) -> usize,
        stop: &mut dyn FnMut(usize),
    ) -> Fate {
        let metainfo = match source::read(path.as_os_str()) {
            Ok(metainfo) => metainfo,
            Err(failure) if same => {
                say::problem(&failure.text);
                return Fate::Bad;
            }
            Err(_) => return self.seen.remove(path).map_or(Fate::Unsure, |(_, fate)| fate.unless_bad()),
        };
        if let Some((_, Fate::Runs { torrent, info_hash, content })) = self.seen.remove(path) {
            if info_hash == metainfo.info_hash {
                return Fate::Runs { torrent, info_hash, content };
            }
            stop(torrent);
        }
        let beside = path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let dir = self.content.clone().unwrap_or(beside);
        let content = dir.join(&metainfo.name);
        let (hash, place) = (metainfo.info_hash, content.clone());
        let in_the_way = self.seen.iter().find(|(_, (_, fate))| {
            matches!(fate, Fate::Runs { info_hash, content, .. } if *info_hash == hash || *content == place)
        });
        if let Some((other, _)) = in_the_way {
            let [this, other] = [path, other].map(|path| for_terminal(&path.to_string_lossy()));
            say::problem(&format!(
                "{this} is left out: it is the same torrent as {other}, or has content of that name"
            ));
            return Fate::Bad;
        }
        let info_hash = metainfo.info_hash;
        let torrent = start(Job { metainfo, dir, choice: None, duty: Default::default() });
        Fate::Runs { torrent, info_hash, content }
    }
}

impl Fate {
    /// What was bad may have become good: it is looked at anew.
    fn unless_bad(self) -> Fate {
        if matches!(self, Fate::Bad) { Fate::Unsure } else { self }
    }
}

/// The torrent files in `dir` and below. Folders behind links are left out: they may lead in circles.
fn find(dir: &Path, deep: usize, found: &mut BTreeMap<PathBuf, Stamp>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with('.') || found.len() >= MOST_TORRENTS {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && deep > 0 => find(&path, deep - 1, found),
            Ok(kind) if !kind.is_dir() && path.extension().is_some_and(|extension| extension == "torrent") => {
                if let Ok(metadata) = fs::metadata(&path)
                    && metadata.is_file()
                {
                    found.insert(path, (metadata.modified().ok(), metadata.len()));
                }
            }
            _ => {}
        }
    }
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
    fn look(folder: &mut Folder, count: &mut usize) -> (Vec<String>, Vec<usize>) {
        let (mut came, mut gone) = (Vec::new(), Vec::new());
        let mut start = |job: Job| {
            came.push(job.metainfo.name);
            *count += 1;
            *count - 1
        };
        folder.look(true, &mut start, &mut |number| gone.push(number));
        (came, gone)
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
        let none: (Vec<String>, Vec<usize>) = Default::default();
        assert_eq!(look(&mut folder, &mut count), (vec!["a".into(), "b".into()], vec![]));
        assert_eq!(look(&mut folder, &mut count), none);
        fs::write(dir.join("half.torrent"), &whole).unwrap();
        assert_eq!(look(&mut folder, &mut count), (vec!["half".into()], vec![]));
        fs::remove_file(dir.join("below/b.torrent")).unwrap();
        assert_eq!(look(&mut folder, &mut count), (vec![], vec![1]));
        fs::write(dir.join("a.torrent"), torrent("another")).unwrap();
        assert_eq!(look(&mut folder, &mut count), (vec!["another".into()], vec![0]));
        assert_eq!(look(&mut folder, &mut count), none);
    }
}
