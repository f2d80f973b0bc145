//! The part of the manager for torrents of which only the link is known: they look for peers and ask them for the
//! description. When the description has arrived and the content is checked, they join their swarm with the peers that
//! they have.
//!
//! Floor 3, part of the [`manager`](super). [`Learning`] decides which peer is asked for what.

pub mod stage;

use super::Manager;
use super::checking::Checking;
use super::queue::places::allowed;
use super::slot::State;
use crate::base::time::Time;
use crate::engine::checker::Check;
use crate::engine::config::{Job, LinkJob};
use crate::engine::input::Input;
use crate::engine::notice::Problem;
use crate::engine::peer::directory::Unknown;
use crate::proto::magnet::Magnet;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::learning::Learning;
use crate::swarm::meeting::source::Source;
use crate::swarm::settings::Term;
use crate::swarm::shared::Turn;
use crate::sys::lookup::MOST_HOSTS;
use crate::sys::outlet;
use stage::Stage;
use std::sync::Arc;

impl Manager {
    /// The user added a torrent of which only the link is known.
    pub(super) fn learn(&mut self, id: TorrentId, mut job: LinkJob, now: Time) {
        let settings = Arc::clone(&self.settings);
        let most = job.options.as_ref().and_then(|options| options.max_peers);
        let (info_hash, rng) = (job.info_hash(), &mut self.shared.rng);
        let Some(learning) = Learning::of_link(info_hash, &job.link, settings, now, rng) else { return };
        let unknown = Unknown::new(id);
        let stage = Stage::new(learning, info_hash, Arc::clone(&unknown), self.settings.stop_timeout, now);
        self.insert(id, State::Learning(Box::new(stage), job.present), job.options.take());
        self.peers.around.directory.add_unknown(info_hash, unknown, job.present);
        self.rest_or_go_on(id, now);
        self.search(id);
        most.into_iter().for_each(|most| self.handle(id, Event::Terms(allowed(Term::MaxPeers(most))), now));
        self.handle(id, Event::Timer, now);
        self.look_up(id, &job.link);
    }

    /// The description of a torrent has arrived; `job` is the job for it.
    pub(super) fn begin(&mut self, id: TorrentId, mut job: Box<Job>, now: Time) {
        // The torrent may have been removed meanwhile.
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let State::Learning(stage, _) = &mut slot.state else { return };
        if !stage.learning.is_learned() || stage.info_hash != job.metainfo.info_hash || stage.check.is_some() {
            let problem = Problem::io("the description is not that of the link");
            return self.failed_at_start(id, problem, None);
        }
        if job.metainfo.private {
            let turn = &mut Turn { now, shared: &mut self.shared, actions: &mut self.actions };
            stage.learning.becomes_private(turn);
        }
        slot.options = job.options.take().or(slot.options.take());
        let check = Checking::of(&mut job);
        let progress = Arc::clone(&check.progress);
        stage.check = Some(check);
        let finally = job.finally.take();
        if let Some(slot) = self.torrents.get_mut(&id) {
            slot.move_finally(finally);
        }
        self.news.touched(id);
        self.disks.check(Check::New { torrent: id, job, progress });
        self.carry_out(id, now);
    }

    /// Gives a torrent the peers that its link names.
    pub(super) fn meet(&mut self, id: TorrentId, peers: &[String], now: Time) {
        if IS_BUILT_IN && !peers.is_empty() {
            let link = Magnet { peers: peers.to_vec(), ..Magnet::default() };
            self.handle(id, Event::Found { source: Source::Link, addrs: link.addresses() }, now);
            self.look_up(id, &link);
        }
    }

    /// Looks up the peers that a link names by host name.
    fn look_up(&self, torrent: TorrentId, link: &Magnet) {
        let (mut hosts, manager) = (link.hosts(), self.peers.around.manager.clone());
        if hosts.is_empty() {
            return;
        }
        hosts.truncate(MOST_HOSTS);
        let found = move |addrs| {
            // The manager is gone only when the process ends.
            let _ = manager.send(Input::Torrent { torrent, event: Event::Found { source: Source::Link, addrs } });
        };
        if let Err(error) = outlet::get().look_up_aside(hosts, found) {
            log::warn!("can't start a thread to look up the hosts in a link: {error}");
        }
    }
}
