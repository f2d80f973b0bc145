//! What is long is asked of the engine when a program wants it: files, pieces, peers.
//!
//! Floor 4, part of the [loop](super).

use super::Daemon;
use super::wished::{choice_of_link, shown, with_padding};
use crate::daemon::record::{Details, FileDetail, PeerDetail, Record};
use crate::daemon::rpc::changing::ChangeTorrents;
use crate::daemon::rpc::{Failure, Kind};
use crate::engine::{Change, Priority};
use crate::proto::choice::Choice;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::mse::Cover;
use crate::swarm::figures::PeerStatus;
use crate::swarm::meeting::source::Source;

impl Daemon {
    /// The .torrent file of a torrent.
    fn metainfo(&self, record: &Record) -> Option<Metainfo> {
        let bytes = self.state.dir.saved_torrent(record.about.hash?).ok()?;
        Metainfo::parse(&bytes).ok()
    }

    /// The details of a torrent.
    pub(super) fn details(&self, record: &Record) -> Option<Details> {
        let known = self.known.get(&record.id)?;
        let found = self.engine.ask(known.torrent)?;
        let mut begin = 0;
        let files = found.files().filter_map(|file| {
            let end = begin + file.length;
            let last = if file.length == 0 { begin } else { end - 1 };
            let size = record.about.piece_size.max(1);
            let pieces = [(begin / size) as u32, (last / size) as u32 + u32::from(file.length > 0)];
            begin = end;
            let (wanted, priority) = shown(file.priority);
            let detail =
                FileDetail { name: file.path, length: file.length, have: file.verified, wanted, priority, pieces };
            (!file.padding).then_some(detail)
        });
        let files = files.collect();
        let sends = |peer: &&PeerStatus| peer.web_host.is_some() && peer.down_rate > 0;
        let web_seeds = found
            .peers
            .iter()
            .filter(sends)
            .map(|peer| (peer.web_host.as_deref().unwrap_or_default().into(), peer.down_rate));
        Some(Details {
            files,
            pieces: found.have.as_bytes().to_vec(),
            availability: found.availability().map(|peers| peers.map_or(-1, |peers| peers as i32)).collect(),
            web_seeds: web_seeds.collect(),
            peers: found.peers.iter().filter(|peer| peer.web_host.is_none()).map(peer).collect(),
        })
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
            record.now.size_when_done = wanted;
            let is_usual = files.iter().all(|priority| *priority == Priority::Normal);
            known.kept.files = (!is_usual).then_some(files);
        }
        Ok(())
    }
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
