//! The arguments of `get`: torrents, and magnet links.
//!
//! Floor 4. If an earlier run saved the torrent of a link, its description is known. Otherwise peers are asked for it:
//! during the download or, for `--list` and `--metadata-only`, in a run of its own.

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::flags::Parsed;
use crate::cli::options::named::{self, Named};
use crate::cli::options::{run, source};
use crate::cli::run::learn::{self, Plan};
use crate::cli::run::obstacles::Running;
use crate::cli::run::{Until, Watched, Work, run_all};
use crate::cli::show::view::View;
use crate::engine::{Config, LinkJob};
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::storage::resume::StateDir;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// One argument.
pub struct Wanted {
    /// As it was typed.
    pub source: OsString,
    /// What it is.
    pub named: Named,
    /// The link, if it is or was one.
    pub link: Option<Box<Magnet>>,
    /// The bytes of the .torrent file.
    pub bytes: Vec<u8>,
}

impl Wanted {
    /// The torrent, if its description is known.
    pub fn metainfo(&self) -> Option<&Metainfo> {
        match &self.named {
            Named::Torrent(metainfo) => Some(metainfo),
            Named::Link(_) => None,
        }
    }

    /// How messages name this argument.
    pub fn shown(&self) -> String {
        source::shown(&self.source)
    }

    fn info_hash(&self) -> Option<InfoHash> {
        match &self.named {
            Named::Torrent(metainfo) => Some(metainfo.info_hash),
            Named::Link(link) => link.info_hash,
        }
    }

    fn is_link(&self) -> bool {
        matches!(self.named, Named::Link(_))
    }
}

/// Reads the arguments.
pub fn read(given: &Parsed) -> Result<Vec<Wanted>, Failure> {
    let mut all: Vec<Wanted> = Vec::new();
    for source in run::sources("get", given)? {
        let bytes = source::bytes(&source)?;
        let named = if IS_BUILT_IN {
            named::of(&source, &bytes)?
        } else {
            // This refuses a link.
            Named::Torrent(source::parse(&source, &bytes)?.into())
        };
        let link = match &named {
            Named::Link(link) if IS_BUILT_IN => {
                job(&source, link)?;
                Some(link.clone())
            }
            _ => None,
        };
        all.push(Wanted { source, named, link, bytes });
    }
    Ok(all)
}

/// The job of a link.
pub fn job(source: &OsStr, link: &Magnet) -> Result<LinkJob, Failure> {
    let place = if source::is_link(source) { String::new() } else { source::shown(source) + ": " };
    LinkJob::new(link.clone()).map_err(|why| Failure::new(Exit::BadTorrent, place + why))
}

/// Replaces each link whose torrent an earlier run saved by that torrent.
pub fn use_saved(all: &mut [Wanted], states: Option<&StateDir>) {
    for wanted in all {
        if IS_BUILT_IN
            && let Named::Link(link) = &wanted.named
            && let Some((metainfo, bytes)) = learn::saved(link, states)
        {
            (wanted.named, wanted.bytes) = (Named::Torrent(metainfo), bytes);
        }
    }
}

/// Refuses arguments that name the same torrent, or torrents that would write to the same file.
pub fn check_distinct(all: &[Wanted]) -> Result<(), Failure> {
    // In a build without links, the check below is enough.
    for (at, wanted) in all.iter().enumerate().filter(|_| IS_BUILT_IN) {
        let same = |other: &&Wanted| other.info_hash() == wanted.info_hash();
        if let (Some(other), Some(info_hash)) = (all[..at].iter().find(same), wanted.info_hash()) {
            return Err(source::same_torrent(&other.source, &wanted.source, info_hash));
        }
    }
    let known = all.iter().filter_map(|wanted| Some((wanted.source.as_os_str(), wanted.metainfo()?)));
    source::check_distinct(&known.collect::<Vec<_>>(), true)
}

/// Asks peers for the descriptions of the links' torrents, and downloads nothing else. A link whose description arrived
/// becomes a torrent. Returns the exit code, and the arguments that are torrents.
pub fn learn(
    mut all: Vec<Wanted>,
    config: Config,
    view: View,
    blocklist: Option<std::path::PathBuf>,
) -> Result<(Exit, Vec<Wanted>), Failure> {
    if !IS_BUILT_IN {
        return Ok((Exit::Success, all));
    }
    let mut links = Vec::new();
    for wanted in &all {
        if let Named::Link(link) = &wanted.named {
            links.push(job(&wanted.source, link)?);
        }
    }
    if links.is_empty() {
        return Ok((Exit::Success, all));
    }
    let states = config.states.clone();
    let plan = Plan { files: Default::default(), dir: Path::new("").into(), states, running: Running::default() };
    let work = Work { links, plan: Some(plan), only_descriptions: true, ..Work::default() };
    let (exit, mut found) = run_all(work, config, view, &Until::Complete, Watched { folder: None, blocklist })?;
    for wanted in all.iter_mut().filter(|wanted| wanted.is_link()) {
        let of_link = |(info_hash, _): &&mut (InfoHash, _)| Some(*info_hash) == wanted.info_hash();
        if let Some((_, bytes)) = found.iter_mut().find(of_link) {
            wanted.bytes = std::mem::take(bytes);
            wanted.named = named::of(&wanted.source, &wanted.bytes)?;
        }
    }
    all.retain(|wanted| !wanted.is_link());
    Ok((exit, all))
}

/// The torrents of a run that are known at the start. The torrent of a link must not be in the way of any of them.
pub fn running(all: &[Wanted], dir: &Path) -> Running {
    let mut running = Running::default();
    for wanted in all {
        if let Some(metainfo) = wanted.metainfo() {
            running.add(metainfo.info_hash, &dir.join(&*metainfo.name), &Path::new(&wanted.source).into());
        }
    }
    running
}
