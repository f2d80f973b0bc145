//! The files of a folder that contain a magnet link.
//!
//! Floor 4, a part of [`folder`](super). If an earlier run saved the torrent of a link, its description is known.
//! Otherwise peers are asked for it; then the file is treated as if it contained the torrent.

use super::{Change, Fate, Folder, Obstacle, Short};
use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::choice::Files;
use crate::cli::options::named::{self, Named};
use crate::cli::options::source;
use crate::cli::run::learn::{self, Described};
use crate::engine::{Job, LinkJob};
use crate::proto::choice::Choice;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::storage::description::Description;
use crate::storage::resume::saved_torrents;
use std::path::Path;
use std::sync::Arc;

/// What a file contains.
pub(super) enum Found {
    /// A torrent, and where its description can be read again. If the torrent came from a link: also the files that the
    /// link selects, and the peers that it names.
    Torrent(Box<Metainfo>, Option<Description>, Option<Arc<Choice>>, Box<[String]>),
    /// A link whose torrent is not known yet.
    Link(LinkJob),
}

impl Folder {
    pub(super) fn read(&self, path: &Arc<Path>) -> Result<Found, Failure> {
        let (bytes, states) = (source::bytes(path.as_os_str())?, self.states.as_deref());
        let link = match named::of(path.as_os_str(), &bytes)? {
            Named::Torrent(metainfo) => {
                let description = saved_torrents::description(Some(Arc::clone(path)), &bytes, &metainfo, states);
                return Ok(Found::Torrent(metainfo, description, None, Box::default()));
            }
            Named::Link(link) => link,
        };
        if let Some((metainfo, bytes)) = learn::saved(&link, states) {
            let choice = Files::default().of(&metainfo, &source::shown(path.as_os_str()), Some(&link))?;
            let description = saved_torrents::description(None, &bytes, &metainfo, states);
            return Ok(Found::Torrent(metainfo, description, choice.map(Arc::new), link.peers.into()));
        }
        let refused = |why| Failure::new(Exit::BadTorrent, format!("{}: {why}", source::shown(path.as_os_str())));
        LinkJob::new(*link).map(Found::Link).map_err(refused)
    }

    /// Decides what becomes of a file with a link.
    pub(super) fn judge_link(&mut self, path: &Arc<Path>, job: LinkJob, tell: &mut dyn FnMut(Change)) -> Fate {
        let before = self.seen.remove(path.as_os_str()).map_or(Fate::Unsure, |file| file.1);
        let (info_hash, text) = (job.info_hash(), Short::of(job.link.to_string().as_bytes()));
        if matches!(&before, Fate::Learns { link, .. } if *link == text) {
            return before;
        }
        before.leave(path, &mut self.running);
        if before.is_listed() {
            self.some_went = true;
            tell(Change::Went(Arc::clone(path)));
        }
        if let Some(other) = self.running.of_hash(&info_hash) {
            let [this, other] = [path, other].map(|path| for_terminal(&path.to_string_lossy()));
            let words = format!("{this} is not used: {other} describes the same torrent");
            if !matches!(&before, Fate::LeftOut { words: told, .. } if **told == *words) {
                tell(Change::Bad(words.clone()));
            }
            return Fate::LeftOut { words: words.into(), is_listed: false };
        }
        self.failed.remove(path.as_os_str());
        self.running.add_link(info_hash, path);
        tell(Change::Link(Arc::clone(path), job));
        Fate::Learns { info_hash, link: text }
    }

    /// The description of the torrent whose `link` is in the file `path` has arrived.
    pub fn has_come(&mut self, path: &Arc<Path>, link: &Magnet, info: &[u8], tell: &mut dyn FnMut(Change)) {
        if !IS_BUILT_IN {
            return;
        }
        // The file may have changed meanwhile.
        let digest = Short::of(link.to_string().as_bytes());
        let Some((_, fate @ Fate::Learns { .. })) = self.seen.get_mut(path.as_os_str()).map(|file| &mut **file) else {
            return;
        };
        if !matches!(fate, Fate::Learns { link, .. } if *link == digest) {
            return;
        }
        std::mem::replace(fate, Fate::Unsure).leave(path, &mut self.running);
        let described = self.describe(path, link, info);
        if let Err(failure) = &described {
            self.put(path, Fate::LeftOut { words: failure.text.as_str().into(), is_listed: true });
        }
        tell(Change::Described(Arc::clone(path), described));
    }

    fn describe(&mut self, path: &Arc<Path>, link: &Magnet, info: &[u8]) -> Result<Described, Failure> {
        let (metainfo, bytes) = learn::describe(link, info, self.states.as_deref())?;
        let (info_hash, dir) = (metainfo.info_hash, self.place(path));
        let content = dir.join(&*metainfo.name);
        let trackers = Short::of(format!("{:?}", metainfo.tiers).as_bytes());
        if let Some(Obstacle { other, why, .. }) = self.running.in_the_way(path, &content, &metainfo) {
            let words = format!("it is not used: {} {why}", for_terminal(&other.to_string_lossy()));
            return Err(Failure::new(Exit::CantCreate, words));
        }
        let choice = Files::default().of(&metainfo, &source::shown(path.as_os_str()), Some(link))?;
        self.running.add(info_hash, &content, path);
        self.put(path, Fate::Runs { info_hash, content: Short::of_path(&content), trackers });
        let description = saved_torrents::description(None, &bytes, &metainfo, self.states.as_deref());
        let job = Job { choice: choice.map(Arc::new), description, ..Job::new(metainfo, dir) };
        Ok(Described { job: Box::new(job), bytes })
    }

    /// Stores the new fate of a file.
    fn put(&mut self, path: &Arc<Path>, now: Fate) {
        self.note(path, &now);
        if let Some(file) = self.seen.get_mut(path.as_os_str()) {
            file.1 = now;
        }
    }
}
