//! Settings change: by a program, or because the configuration is read again.
//!
//! Floor 4, part of the [loop](super). Each setting holds at once, but the address of RPC, the watched folder and the
//! umask, which only the file can change, hold from the next start on.

use super::{Daemon, Heard};
use crate::base::time::Time;
use crate::daemon::chores::blocklist;
use crate::daemon::rpc::{Failure, Kind};
use crate::daemon::settings::Settings;
use crate::daemon::state::session::{self, changes, with_changes};
use crate::engine::{Change, Command, Places, RateLimits};
use crate::swarm::meeting::blocklist::Blocklist;

impl Daemon {
    /// A program changed settings.
    pub(super) fn change_settings(&mut self, mut settings: Settings) -> Result<(), Failure> {
        self.listen(&mut settings).map_err(|why| Failure::new(Kind::System, why))?;
        let before = std::mem::replace(&mut self.settings, settings);
        self.settings_changed(Some(&before));
        self.follow_schedule();
        self.save_changed()?;
        self.save_session().map_err(|why| Failure::new(Kind::System, why))
    }

    /// Listens for peers on the port of `settings`. If that can't be, the error says why, and the old port stays.
    fn listen(&mut self, settings: &mut Settings) -> Result<(), String> {
        if settings.peer_port != self.settings.peer_port {
            // It is at most 65,535.
            let port = self.engine.listen(settings.peer_port as u16, settings.dht_enabled)?;
            settings.peer_port = port.into();
        }
        Ok(())
    }

    /// The configuration is read again. If it is wrong, the old one stays.
    pub(super) fn reload(&mut self) {
        let mut configured = match self.options.configured() {
            Ok(configured) => configured,
            Err(error) => {
                log::error!("{error}; the configuration that was read before stays in force");
                return;
            }
        };
        if self.options.has_port || configured.peer_port_random_on_start {
            configured.peer_port = self.configured.peer_port;
        }
        let changed = changes(&self.configured, &self.settings);
        let mut settings = with_changes(&configured, &changed);
        if let Err(why) = self.listen(&mut settings) {
            log::error!("{why}; the port stays as it was");
            settings.peer_port = self.settings.peer_port;
        }
        if configured.bind_address() != self.configured.bind_address() {
            log::warn!("another bind-address-ipv4 or bind-address-ipv6 holds from the next start on");
        }
        self.configured = configured;
        let before = std::mem::replace(&mut self.settings, settings);
        self.settings_changed(Some(&before));
        self.follow_schedule();
        if let Err(why) = self.save_session() {
            log::error!("{why}");
        }
        log::info!("the configuration was read again");
    }

    /// Tells the engine and the door what has changed; everything if there was nothing `before`.
    pub(super) fn settings_changed(&mut self, before: Option<&Settings>) {
        let now = &self.settings;
        let is_new = |differs: &dyn Fn(&Settings) -> bool| before.is_none_or(differs);
        if is_new(&|before| before.limits() != now.limits()) {
            let [download, upload] = now.limits();
            self.engine.send(Command::Limit(RateLimits { download, upload }));
        }
        if is_new(&|before| places(before) != places(now)) {
            self.engine.send(Command::Places(places(now)));
        }
        let login = |settings: &Settings| {
            (settings.rpc_authentication_required, settings.rpc_username.clone(), settings.rpc_password.clone())
        };
        if let Err(why) = self.door.change(now, is_new(&|before| login(before) != login(now))) {
            log::error!("{why}; nothing changes in what may use RPC");
        }
        let blocked = |settings: &Settings| (settings.blocklist_enabled, settings.blocklist_url.clone());
        if is_new(&|before| blocked(before) != blocked(now)) {
            let is_other = before.is_some_and(|before| before.blocklist_url != now.blocklist_url);
            let has_one = !is_other && blocklist::age(&self.state.dir.path).is_some();
            let is_fetched = now.blocklist_updates_enabled && !now.blocklist_url.is_empty();
            if now.blocklist_enabled && before.is_some() && is_fetched && !has_one {
                self.fetch_blocklist(None);
            } else if now.blocklist_enabled {
                let helpers = self.helpers.clone();
                let then = move |list| drop(helpers.send(Heard::Blocklist(None, list)));
                blocklist::saved(self.state.dir.path.to_path_buf(), then);
            } else if before.is_some() {
                self.engine.send(Command::Block(Blocklist::default()));
            }
        }
        if is_new(&|before| before.seed_until() != now.seed_until()) {
            self.engine.send(Command::SeedUntil(now.seed_until()));
        }
        let network = |settings: &Settings| {
            let finding = (settings.dht_enabled, settings.lpd_enabled, settings.pex_enabled);
            (finding, settings.encryption, settings.port_forwarding_enabled)
        };
        if before.is_some_and(|before| network(before) != network(now)) {
            self.engine.send(Command::Network(Box::new(self.options.network(now))));
        }
        if is_new(&|before| before.peer_limit_global != now.peer_limit_global) {
            self.engine.send(Command::MostPeers(now.peer_limit_global as usize));
        }
        if let Some(before) = before {
            self.limit_peers(before.peer_limit_per_torrent, now.peer_limit_per_torrent);
        }
    }

    /// The limit of peers for torrents that have none of their own is not `before` any more, but `now`.
    fn limit_peers(&mut self, before: u64, now: u64) {
        for (id, known) in &mut self.known {
            let record = self.records.get_mut(*id).filter(|record| record.wishes.peer_limit == before && before != now);
            if let Some(record) = record {
                record.wishes.peer_limit = now;
                record.dates.changed = super::now();
                known.is_changed = true;
                known.change(&self.engine, Change::MaxPeers(now as usize));
            }
        }
    }

    /// Writes the daemon's own file.
    pub(super) fn save_session(&self) -> Result<(), String> {
        let changes = changes(&self.configured, &self.settings);
        let session = session::Session { changes, sums: self.stats().ever };
        self.state.save_session(&session::encode(&session))
    }
}

/// How many torrents may be active at once.
fn places(settings: &Settings) -> Places {
    let most = |enabled: bool, most: u64| enabled.then_some(most as usize);
    let minutes = settings.queue_stalled_enabled.then_some(settings.queue_stalled_minutes);
    Places {
        downloads: most(settings.download_queue_enabled, settings.download_queue_size),
        seeds: most(settings.seed_queue_enabled, settings.seed_queue_size),
        stalled: minutes.map(|minutes| Time::from_secs(minutes.saturating_mul(60))),
    }
}
