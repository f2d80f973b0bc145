//! The torrents of a folder, as they come and go.
//!
//! Floor 4, the eyes of [`many`](crate::cli::commands::many). The folder is looked at every few seconds, because
//! network disks do not report changes. A file that is not a torrent may be half written: it is reported only if it
//! stayed the same from one look to the next, and only once.

mod changes;
mod key;
mod links;

use super::learn::Described;
use super::obstacles::{Obstacle, Running, Short};
use crate::base::path::for_terminal;
use crate::cli::exit::Failure;
use crate::cli::options::source;
use crate::engine::{Job, LinkJob};
use crate::proto::id::InfoHash;
use crate::proto::metainfo::About;
use crate::storage::resume::StateDir;
use crate::sys::stamp::stamp;
use changes::{Changes, Difference};
pub use key::Key;
use links::Found;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The time between two looks.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Every 60th look is a full rescan: one every five minutes.
const LOOKS_TO_ALL: u32 = 60;
/// Most torrents that are taken from a folder.
const MOST_TORRENTS: usize = 20_000;

/// A change in the folder.
pub enum Change {
    /// A torrent came, in this file.
    Came(Arc<Path>, Box<Job>),
    /// A link has appeared in this file. The description of its torrent is not known yet.
    Link(Arc<Path>, LinkJob),
    /// The description of the torrent whose link is in this file has arrived; or it can't be used.
    Described(Arc<Path>, Result<Described, Failure>),
    /// A torrent came that can't be used, as these words say, because another one writes to the same files.
    LeftOut(Arc<Path>, Box<Job>, String),
    /// The torrent in this file is gone.
    Went(Arc<Path>),
    /// A file can't be used, as these words say.
    Bad(String),
}

/// What became of a file.
enum Fate {
    /// Its torrent runs. `content` is the path of its content, and `trackers` are its trackers.
    Runs { info_hash: InfoHash, content: Short, trackers: Short },
    /// It is a link, and peers are asked for the description of its torrent.
    Learns { info_hash: InfoHash, link: Short },
    /// It was not a torrent at the last look.
    Unsure,
    /// It can't be used, and that was reported.
    Bad,
    /// Another torrent is in its way, and that was reported in these words.
    LeftOut { words: Box<str>, is_listed: bool },
}

/// A folder that is watched.
pub struct Folder {
    changes: Changes,
    /// The folder of the content; `None`: beside each torrent.
    content: Option<Arc<Path>>,
    /// Where the torrents of links are saved.
    states: Option<Arc<StateDir>>,
    /// The stamp of each file, and what became of it. (In boxes, as below: maps to boxes share their code.)
    seen: BTreeMap<Key, Box<(u64, Fate)>>,
    running: Running,
    /// Looks until the next full rescan.
    looks_to_all: u32,
    /// A torrent went since the last look began, so another may take its place.
    some_went: bool,
    /// The files of `seen` without a torrent that runs. While no folder changes, only these may need something.
    without_run: BTreeSet<Key>,
    /// The files whose torrents failed, where their content is, and what was in its place.
    failed: BTreeMap<Key, Box<(PathBuf, Place)>>,
}

/// Device and inode of the folder that holds content, and of the content in it; `None`: it does not exist.
type Place = [Option<(u64, u64)>; 2];

impl Folder {
    /// The torrents in `dir` and its subfolders.
    pub fn new(dir: PathBuf, content: Option<PathBuf>, states: Option<Arc<StateDir>>) -> Folder {
        Folder {
            changes: Changes::new(dir),
            content: content.map(Arc::from),
            states,
            seen: BTreeMap::new(),
            running: Running::default(),
            looks_to_all: 0,
            some_went: false,
            without_run: BTreeSet::new(),
            failed: BTreeMap::new(),
        }
    }

    /// The torrent in this file has failed. It starts again when something else is in the place of its content: a disk
    /// was mounted, or a file that was in its way is gone.
    pub fn has_failed(&mut self, path: Arc<Path>) {
        let runs = matches!(self.seen.get(path.as_os_str()).map(|file| &file.1), Some(Fate::Runs { .. }));
        // Its name is read again, because the names of all torrents would take memory.
        if runs && let Ok(Found::Torrent(metainfo, ..)) = self.read(&path) {
            let content = self.place(&path).join(&*metainfo.name);
            let place = place_of(&content);
            self.failed.insert(Key(path), Box::new((content, place)));
        }
    }

    /// Forgets the torrents that failed and have something else in the place of their content now; with `all`, each
    /// that failed, because a file that was in the way may be gone from any folder of the content.
    fn try_again(&mut self, all: bool, tell: &mut dyn FnMut(Change)) {
        for (path, before) in std::mem::take(&mut self.failed) {
            let Some((_, fate @ Fate::Runs { .. })) = self.seen.get_mut(&path).map(|file| &mut **file) else {
                continue;
            };
            let (content, place) = &*before;
            if !all && place_of(content) == *place {
                self.failed.insert(path, before);
                continue;
            }
            std::mem::replace(fate, Fate::Unsure).leave(&path.0, &mut self.running);
            self.without_run.insert(path.clone());
            tell(Change::Went(path.0));
        }
    }

    /// Looks for changes, and tells them. `rescan`: at everything, whatever the times of change say.
    pub fn look(&mut self, rescan: bool, tell: &mut dyn FnMut(Change)) {
        let all = rescan || self.looks_to_all == 0;
        self.looks_to_all = if all { LOOKS_TO_ALL } else { self.looks_to_all } - 1;
        // What went during the last look may have been in the way of a file that was judged before it.
        let mut some_went = std::mem::take(&mut self.some_went);
        self.try_again(rescan, tell);
        let found = self.changes.look(all);
        let mut files = if found.any || !found.torrents.is_empty() { self.find(found, tell) } else { BTreeMap::new() };
        // A file that is being written changes, though its folder does not.
        for path in &self.without_run {
            if let Ok(Some(stamp)) = look(&path.0) {
                files.insert(path.clone(), stamp);
            }
        }
        // A torrent file in a subfolder may be content of a torrent above it, so that one comes first.
        let mut files: Vec<_> = files.into_iter().collect();
        let depth = |path: &Path| path.as_os_str().as_bytes().iter().filter(|byte| **byte == b'/').count();
        files.sort_by_cached_key(|(path, _)| depth(&path.0));
        for (Key(path), stamp) in files {
            some_went |= self.some_went;
            let before = self.seen.get(path.as_os_str()).map(|file| &**file);
            let same = before.is_some_and(|(before, _)| *before == stamp);
            let settled = match before {
                Some((_, Fate::Unsure)) => false,
                // Perhaps it could not be read, and now it can.
                Some((_, Fate::Bad)) => !all,
                // What was in its way may be gone.
                Some((_, Fate::LeftOut { .. })) => !some_went,
                _ => true,
            };
            if same && settled {
                continue;
            }
            let fate = self.judge(&path, same, tell);
            self.note(&path, &fate);
            self.seen.insert(Key(path), Box::new((stamp, fate)));
        }
    }

    /// Notes whether a file may need a new look although its folder does not change.
    fn note(&mut self, path: &Arc<Path>, fate: &Fate) {
        match fate {
            Fate::Runs { .. } | Fate::Learns { .. } => self.without_run.remove(path.as_os_str()),
            Fate::Unsure | Fate::Bad | Fate::LeftOut { .. } => self.without_run.insert(Key(Arc::clone(path))),
        };
    }

    /// The torrent files that may have changed. Reports the torrents whose file is gone.
    fn find(&mut self, found: Difference, tell: &mut dyn FnMut(Change)) -> BTreeMap<Key, u64> {
        let mut files: BTreeMap<Key, u64> = BTreeMap::new();
        let mut room = MOST_TORRENTS.saturating_sub(self.seen.len());
        for path in &found.torrents {
            let before = self.seen.get_key_value(path.as_os_str());
            let known = before.map(|(_, file)| file.0);
            let stamp = match look(path) {
                Ok(Some(stamp)) if known.is_some() || room > 0 => stamp,
                Ok(_) => continue,
                // A server that does not answer for the moment has taken nothing away.
                Err(error) => match known.filter(|_| error.kind() != io::ErrorKind::NotFound) {
                    Some(known) => known,
                    None => continue,
                },
            };
            room -= usize::from(known.is_none());
            files.insert(before.map_or_else(|| Key(path.as_path().into()), |(path, _)| path.clone()), stamp);
        }
        let (some_went, running) = (&mut self.some_went, &mut self.running);
        self.seen.retain(|path, file| {
            let fate = &file.1;
            let stays = !found.any || files.contains_key(path) || found.left_alone(&path.0);
            if !stays && fate.is_listed() {
                *some_went = true;
                fate.leave(&path.0, running);
                tell(Change::Went(Arc::clone(&path.0)));
            }
            if !stays {
                self.without_run.remove(path);
            }
            stays
        });
        files
    }

    /// What becomes of a file that is new or has changed, or (`same`) was not a torrent at the last look.
    fn judge(&mut self, path: &Arc<Path>, same: bool, tell: &mut dyn FnMut(Change)) -> Fate {
        let (mut metainfo, description, choice, peers) = match self.read(path) {
            Ok(Found::Torrent(metainfo, description, choice, peers)) => (metainfo, description, choice, peers),
            Ok(Found::Link(link)) => return self.judge_link(path, link, tell),
            Err(failure) if same => {
                let before = self.seen.get(path.as_os_str()).map(|file| &file.1);
                if let Some(before) = before.filter(|before| before.is_listed()) {
                    before.leave(path, &mut self.running);
                    tell(Change::Went(Arc::clone(path)));
                }
                if !matches!(before, Some(Fate::Bad)) {
                    tell(Change::Bad(failure.text));
                }
                return Fate::Bad;
            }
            Err(_) => return self.seen.remove(path.as_os_str()).map_or(Fate::Unsure, |file| file.1.unless_bad()),
        };
        let before = self.seen.remove(path.as_os_str()).map_or(Fate::Unsure, |file| file.1);
        let new_trackers = Short::of(format!("{:?}", metainfo.tiers).as_bytes());
        if let Fate::Runs { info_hash, trackers, .. } = &before
            && (*info_hash, *trackers) == (metainfo.info_hash, new_trackers)
        {
            return before;
        }
        before.leave(path, &mut self.running);
        let (info_hash, dir) = (metainfo.info_hash, self.place(path));
        let content = dir.join(&*metainfo.name);
        let obstacle = self.running.in_the_way(path, &content, &metainfo).map(|Obstacle { other, why, is_listed }| {
            let [this, other] = [path, other].map(|path| for_terminal(&path.to_string_lossy()));
            (format!("{this} is not used: {other} {why}"), is_listed)
        });
        if let (Some((new, _)), Fate::LeftOut { words, .. }) = (&obstacle, &before)
            && **words == **new
        {
            return before;
        }
        // A torrent whose trackers were edited starts again. The resume state knows its content. If it had failed, the
        // content that it makes now is no reason to begin once more.
        self.failed.remove(path.as_os_str());
        if before.is_listed() {
            self.some_went = true;
            tell(Change::Went(Arc::clone(path)));
        }
        let about = metainfo.about.take().unwrap_or_default();
        let (nodes, web_seeds) = (about.nodes.clone(), about.web_seeds.clone());
        metainfo.about = About { nodes, web_seeds, ..About::default() }.boxed();
        let job = Box::new(Job { choice, peers, description, ..Job::new(metainfo, dir) });
        if let Some((words, is_listed)) = obstacle {
            tell(match is_listed {
                true => Change::LeftOut(Arc::clone(path), job, words.clone()),
                false => Change::Bad(words.clone()),
            });
            return Fate::LeftOut { words: words.into(), is_listed };
        }
        let shown = source::shown(path.as_os_str());
        about.warnings.iter().for_each(|warning| tell(Change::Bad(format!("{shown}: warning: {warning}"))));
        tell(Change::Came(Arc::clone(path), job));
        self.running.add(info_hash, &content, path);
        Fate::Runs { info_hash, content: Short::of_path(&content), trackers: new_trackers }
    }

    /// The folder that holds the content of the torrent file `path`.
    fn place(&self, path: &Path) -> Arc<Path> {
        self.content.clone().unwrap_or_else(|| path.parent().unwrap_or(Path::new(".")).into())
    }
}

impl Fate {
    /// Whether its torrent is in the list of torrents.
    fn is_listed(&self) -> bool {
        matches!(self, Fate::Runs { .. } | Fate::Learns { .. } | Fate::LeftOut { is_listed: true, .. })
    }

    /// If its torrent runs, it does not any more.
    fn leave(&self, path: &Arc<Path>, running: &mut Running) {
        match self {
            Fate::Runs { info_hash, content, .. } => running.remove(info_hash, *content, path),
            Fate::Learns { info_hash, .. } => running.remove_link(info_hash),
            Fate::Unsure | Fate::Bad | Fate::LeftOut { .. } => {}
        }
    }

    /// A bad file has changed, so it may be good now.
    fn unless_bad(self) -> Fate {
        if matches!(self, Fate::Bad) { Fate::Unsure } else { self }
    }
}

fn place_of(content: &Path) -> Place {
    [content.parent(), Some(content)].map(|path| fs::metadata(path?).ok().map(|found| (found.dev(), found.ino())))
}

/// `None`: it is not a file.
fn look(file: &Path) -> io::Result<Option<u64>> {
    let metadata = fs::metadata(file)?;
    Ok(metadata.is_file().then(|| stamp(&metadata, false)))
}

#[cfg(test)]
mod tests;
