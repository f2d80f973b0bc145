//! Settings change: by a program, or because the configuration is read again.
//!
//! Floor 4, part of the [loop](super). What the engine takes only at its start (ports, encryption, where peers are
//! searched) holds from the next start on; the log says so.

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
    pub(super) fn change_settings(&mut self, settings: Settings) -> Result<(), Failure> {
        let before = std::mem::replace(&mut self.settings, settings);
        self.settings_changed(Some(&before));
        self.save_session().map_err(|why| Failure::new(Kind::System, why))
    }

    /// The configuration is read again. If it is wrong, the old one stays.
    pub(super) fn reload(&mut self) {
        let configured = match self.options.configured() {
            Ok(configured) => configured,
            Err(error) => {
                log::error!("{error}; the configuration that was read before stays in force");
                return;
            }
        };
        let changed = changes(&self.configured, &self.settings);
        let settings = with_changes(&configured, &changed);
        self.configured = configured;
        let before = std::mem::replace(&mut self.settings, settings);
        self.settings_changed(Some(&before));
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
        if let Err(why) = self.door.change(now) {
            log::error!("{why}; nothing changes in what may use RPC");
        }
        let blocked = |settings: &Settings| (settings.blocklist_enabled, settings.blocklist_url.clone());
        if is_new(&|before| blocked(before) != blocked(now)) {
            if now.blocklist_enabled {
                let helpers = self.helpers.clone();
                let then = move |list| drop(helpers.send(Heard::Blocklist(None, list)));
                blocklist::saved(self.state.dir.path.clone(), then);
            } else if before.is_some() {
                self.engine.send(Command::Block(Blocklist::default()));
            }
        }
        let until = |settings: &Settings| {
            let ratio = (settings.seed_ratio_limited, settings.seed_ratio_limit.to_bits());
            (ratio, settings.idle_seeding_limit_enabled, settings.idle_seeding_limit)
        };
        if before.is_some_and(|before| until(before) != until(now)) {
            for (id, record) in self.known.keys().filter_map(|id| Some((*id, self.records.get(*id)?))) {
                self.change(id, Change::SeedUntil(super::wished::seed_until(&record.wishes, now)));
            }
        }
        let at_start = |settings: &Settings| {
            let finding = (settings.dht_enabled, settings.lpd_enabled, settings.pex_enabled);
            (finding, settings.encryption, settings.peer_port, settings.port_forwarding_enabled)
        };
        if before.is_some_and(|before| at_start(before) != at_start(now)) {
            log::warn!("the port, encryption, and where peers are searched hold from the next start on");
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
