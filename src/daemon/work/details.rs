//! What is long is asked of the engine when a program wants it: files, pieces, peers.
//!
//! Floor 4, part of the [loop](super).

use super::wished::{choice_of_link, shown, with_padding};
use super::{Daemon, Known};
use crate::daemon::record::{Details, FileDetail, PeerDetail, Record};
use crate::daemon::rpc::call::OfFiles;
use crate::daemon::rpc::changing::ChangeTorrents;
use crate::daemon::rpc::{Failure, Kind};
use crate::engine::{Change, Engine, FileDetails, Priority, TorrentId};
use crate::proto::choice::Choice;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::mse::Cover;
use crate::storage::content::renamed::Renamed;
use crate::storage::resume::StateDir;
use crate::swarm::figures::PeerStatus;
use crate::swarm::meeting::source::Source;
use std::path::PathBuf;

impl Daemon {
    /// The .torrent file of a torrent.
    pub(super) fn metainfo(&self, record: &Record) -> Option<Metainfo> {
        metainfo(&self.state.dir, record)
    }

    /// The details of a torrent.
    pub(super) fn details(&self, record: &Record, of_files: OfFiles) -> Option<Details> {
        let known = self.known.get(&record.id)?;
        details_of(&self.engine, &self.state.dir, &Origin::of(known), record, of_files)
    }

    /// Chooses the files of a torrent, and how urgent they are.
    pub(super) fn choose(&mut self, id: u32, change: &ChangeTorrents) -> Result<(), Failure> {
        if let Some(known) = self.known.get_mut(&id).filter(|known| known.kept.link.is_some()) {
            known.kept.files = choice_of_link(known.kept.files.as_deref(), &change.files)?;
            return Ok(());
        }
        let (Some(record), Some(known)) = (self.records.get(id), self.known.get(&id)) else { return Ok(()) };
        let metainfo = self.metainfo(record).ok_or_else(|| Failure::of(Kind::Internal))?;
        let padding = || metainfo.files.iter().map(|file| file.padding);
        let before = |number: usize| known.kept.files.as_ref().map_or((true, 0), |files| shown(files[number]));
        let numbers = padding().enumerate().filter(|(_, is_padding)| !is_padding);
        let mut files: Vec<(bool, i8)> = numbers.map(|(number, _)| before(number)).collect();
        change.files.apply(&mut files)?;
        let files = with_padding(padding(), &files);
        let wanted = Choice::new(&metainfo, files.to_vec()).map_or(metainfo.length, |choice| choice.bytes);
        self.change(id, Change::Files(files.to_vec()));
        if let Some((record, known)) = self.both(id) {
            // What is wanted now is missing until the engine says that it is there. Otherwise programs would take the
            // torrent for complete.
            let more = wanted.saturating_sub(record.now.size_when_done);
            record.now.left = (record.now.left + more).min(wanted);
            record.now.size_when_done = wanted;
            let is_usual = files.iter().all(|priority| *priority == Priority::Normal);
            known.kept.files = (!is_usual).then_some(files);
        }
        Ok(())
    }
}

/// The .torrent file of a torrent.
fn metainfo(states: &StateDir, record: &Record) -> Option<Metainfo> {
    let bytes = states.saved_torrent(record.about.hash?).ok()?;
    Metainfo::parse(&bytes).ok()
}

/// Where the details of a torrent come from.
pub(super) struct Origin {
    torrent: TorrentId,
    /// Its description is not there yet.
    is_link: bool,
    renamed: Vec<(PathBuf, String)>,
    files: Option<Box<[Priority]>>,
}

impl Origin {
    /// Of a torrent.
    pub(super) fn of(known: &Known) -> Origin {
        let kept = &known.kept;
        Origin {
            torrent: known.torrent,
            is_link: kept.link.is_some(),
            renamed: kept.renamed.clone(),
            files: kept.files.clone(),
        }
    }

    /// How urgently a file is wanted. `number` also counts padding.
    fn priority(&self, number: usize) -> Priority {
        self.files.as_deref().and_then(|files| files.get(number)).copied().unwrap_or_default()
    }
}

/// The details of a torrent, and of its files as much as is asked.
pub(super) fn details_of(
    engine: &Engine,
    states: &StateDir,
    origin: &Origin,
    record: &Record,
    of_files: OfFiles,
) -> Option<Details> {
    let found = engine.ask(origin.torrent)?;
    let (files, pieces) = match found.dir() {
        Some(_) if of_files == OfFiles::Nothing => (Vec::new(), found.have.as_bytes().to_vec()),
        Some(_) => {
            let all = found.files(of_files == OfFiles::Names).enumerate();
            // A choice that was just made is shown at once, although the engine needs a moment to follow it.
            let all = all.map(|(number, file)| FileDetails { priority: origin.priority(number), ..file });
            (files(record, all), found.have.as_bytes().to_vec())
        }
        None => before_check(states, origin, record, of_files),
    };
    let sends = |peer: &&PeerStatus| peer.web_host.is_some() && peer.down_rate > 0;
    let web_seed = |peer: &PeerStatus| (peer.web_host.as_deref().unwrap_or_default().into(), peer.down_rate);
    Some(Details {
        files,
        pieces,
        availability: found.availability().map(|peers| peers.map_or(-1, |peers| peers as i32)).collect(),
        web_seeds: found.peers.iter().filter(sends).map(web_seed).collect(),
        peers: found.peers.iter().filter(|peer| peer.web_host.is_none()).map(peer).collect(),
    })
}

/// The files and pieces of a torrent that the engine has not checked yet. Programs ask right after they added it, and a
/// check of large content takes minutes.
fn before_check(states: &StateDir, origin: &Origin, record: &Record, of_files: OfFiles) -> (Vec<FileDetail>, Vec<u8>) {
    if origin.is_link {
        return Default::default();
    }
    let pieces = Bitfield::new(record.about.piece_count).as_bytes().to_vec();
    let metainfo = if of_files == OfFiles::Nothing { None } else { metainfo(states, record) };
    let Some(metainfo) = metainfo else { return (Vec::new(), pieces) };
    let renamed = Renamed::new(&origin.renamed, &metainfo).unwrap_or_default();
    let all = metainfo.files.iter().enumerate().map(|(number, entry)| FileDetails {
        path: renamed.path(&entry.path()).into_owned(),
        length: entry.length,
        verified: 0,
        priority: origin.priority(number),
        padding: entry.padding,
    });
    (files(record, all), pieces)
}

/// Files as programs see them: padding is left out.
fn files(record: &Record, all: impl Iterator<Item = FileDetails>) -> Vec<FileDetail> {
    let (size, mut begin) = (record.about.piece_size.max(1), 0);
    let shown = all.filter_map(|file| {
        let end = begin + file.length;
        let last = if file.length == 0 { begin } else { end - 1 };
        let pieces = [(begin / size) as u32, (last / size) as u32 + u32::from(file.length > 0)];
        begin = end;
        let (wanted, priority) = shown(file.priority);
        let detail = FileDetail { name: file.path, length: file.length, have: file.verified, wanted, priority, pieces };
        (!file.padding).then_some(detail)
    });
    shown.collect()
}

/// A peer as programs see it.
fn peer(status: &PeerStatus) -> PeerDetail {
    PeerDetail {
        address: status.addr.ip().to_string(),
        port: status.addr.port(),
        client: status.id.client(),
        peer_id: status.id.to_string(),
        progress: f64::from(status.per_mille) / 1000.0,
        down_rate: status.down_rate,
        up_rate: status.up_rate,
        is_incoming: status.source == Source::Incoming,
        is_encrypted: status.cover == Cover::Rc4,
        chokes_us: status.chokes_us,
        we_are_interested: status.we_are_interested,
        we_choke: status.we_choke,
        is_interested: status.is_interested,
        source: match status.source {
            Source::Tracker => Some('T'),
            Source::Dht => Some('H'),
            Source::Pex => Some('X'),
            Source::Lsd => Some('L'),
            Source::Incoming => Some('I'),
            Source::Link | Source::WebSeed => None,
        },
    }
}
