//! When the description of a magnet link's torrent has arrived: it is read, saved as a .torrent file, and turned into a
//! job.
//!
//! Floor 4. A disk may hang, and a description may have 32 MiB. So this is done by the [watcher](super::watcher), not
//! by the thread that draws the screen and handles ^C.

use super::obstacles::{Obstacle, Running};
use crate::base::sha256::sha256;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::choice::Files;
use crate::cli::options::source;
use crate::engine::Job;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::storage::resume::StateDir;
use crate::storage::resume::saved_torrents;
use crate::sys::in_words;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the torrents of links are downloaded.
pub struct Plan {
    /// Which of their files are wanted.
    pub files: Files,
    /// The folder of the content.
    pub dir: Arc<Path>,
    /// Where their .torrent files are saved.
    pub states: Option<Arc<StateDir>>,
    /// The other torrents of the run, which may have the same files.
    pub running: Running,
}

/// A torrent whose description has arrived.
pub struct Described {
    /// The job for the engine.
    pub job: Box<Job>,
    /// The bytes of its .torrent file.
    pub bytes: Vec<u8>,
}

impl Plan {
    /// Reads the description `info` of the torrent of `link`, and makes a job from it.
    pub fn describe(&mut self, link: &Magnet, info: &[u8]) -> Result<Described, Failure> {
        let (metainfo, bytes) = describe(link, info, self.states.as_deref())?;
        let name = source::shown_link(link);
        let choice = self.files.of(&metainfo, &name, Some(link)).map_err(|failure| {
            // The name of the torrent is put before it anyway.
            let text = failure.text.strip_prefix(&format!("{name}: ")).map(str::to_string);
            Failure { text: text.unwrap_or(failure.text), ..failure }
        })?;
        let content = self.dir.join(&*metainfo.name);
        // The torrent is in no folder of torrents, so it can't be part of another torrent's content.
        if let Some(Obstacle { other, why, .. }) = self.running.in_the_way(Path::new(""), &content, &metainfo) {
            let other = source::shown(other.as_os_str());
            return Err(Failure::new(Exit::CantCreate, format!("it is not used: {other} {why}")));
        }
        self.running.add(metainfo.info_hash, &content, &place(self.states.as_deref(), link));
        let description = saved_torrents::description(None, &bytes, &metainfo, self.states.as_deref());
        let job = Job { choice: choice.map(Arc::new), description, ..Job::new(metainfo, Arc::clone(&self.dir)) };
        Ok(Described { job: Box::new(job), bytes })
    }
}

/// Reads the description `info` of the torrent that `link` stands for, and saves its .torrent file. Returns the
/// torrent, and the bytes of the file.
pub fn describe(link: &Magnet, info: &[u8], states: Option<&StateDir>) -> Result<(Box<Metainfo>, Vec<u8>), Failure> {
    if link.info_hash_v2.is_some_and(|hash| hash != sha256(info)) {
        let why = "the link names two torrents: xt=urn:btih: and xt=urn:btmh: are the hashes of different torrents";
        return Err(Failure::new(Exit::BadTorrent, why));
    }
    let bytes = link.torrent_file(info);
    let metainfo = Metainfo::parse(&bytes).map_err(|error| {
        Failure::new(Exit::BadTorrent, format!("the description that came from peers can't be used: {error}"))
    })?;
    if let Some(states) = states
        && let Err(error) = states.save_torrent(metainfo.info_hash, &bytes)
    {
        let (path, error) = (states.path.display(), in_words(&error));
        log::warn!("can't save a .torrent file in {path}: {error}; the next run must ask peers again");
    }
    Ok((Box::new(metainfo), bytes))
}

/// The torrent of a link, if an earlier run saved it, and the bytes of its .torrent file. The trackers and web seeds of
/// the link are added to it.
pub fn saved(link: &Magnet, states: Option<&StateDir>) -> Option<(Box<Metainfo>, Vec<u8>)> {
    let (states, info_hash) = (states.filter(|_| IS_BUILT_IN)?, link.info_hash?);
    let mut bytes = states.saved_torrent(info_hash).ok()?;
    let mut metainfo = Metainfo::parse(&bytes).ok().filter(|metainfo| metainfo.info_hash == info_hash)?;
    let is_other = |hash: [u8; 32]| metainfo.about().info_hash_v2.as_deref().is_some_and(|ours| *ours != hash);
    if link.info_hash_v2.is_some_and(is_other) {
        return None;
    }
    if let Some(more) = link.add_to(&mut metainfo, &bytes) {
        // If the save fails, the next run adds them again.
        let _ = states.save_torrent(info_hash, &more);
        bytes = more;
    }
    Some((Box::new(metainfo), bytes))
}

/// Where the torrent of a link is saved.
fn place(states: Option<&StateDir>, link: &Magnet) -> Arc<Path> {
    let hash = link.info_hash.map(|hash| hash.to_string()).unwrap_or_default();
    states.map_or_else(|| PathBuf::from(&hash), |states| states.path.join(format!("{hash}.torrent"))).into()
}
