//! Programs ask, and are answered.
//!
//! Floor 4, part of the [loop](super). The calls of a text are carried out one after the other. If one needs a web
//! server or a disk, a helper waits for it, and the loop goes on with others meanwhile. What a call changes is written
//! before it is answered.

use super::{Asked, Daemon, Heard, now};
use crate::daemon::chores::{blocklist, space};
use crate::daemon::record::State;
use crate::daemon::rpc::call::{Call, Ids, Protocol};
use crate::daemon::rpc::session::{Stats, Sums, write_blocklist, write_groups, write_port, write_settings};
use crate::daemon::rpc::session::{write_space, write_stats};
use crate::daemon::rpc::{Failure, Kind, torrents};
use crate::engine::{Change, Command};
use crate::swarm::meeting::blocklist::Blocklist;

impl Daemon {
    /// Carries out what a program asks, and answers when all of it is done.
    pub(super) fn answer(&mut self, mut asked: Asked) {
        while let Some(call) = asked.conversation.next_call() {
            match self.carry_out(asked, call) {
                Some(back) => asked = back,
                // A helper has it now.
                None => return,
            }
        }
        asked.finish(&self.door.answers);
    }

    /// Carries out one call, and answers it; `None`: the answer comes later.
    fn carry_out(&mut self, mut asked: Asked, call: Call) -> Option<Asked> {
        let talk = &mut asked.conversation;
        let moment = now();
        match call {
            Call::TorrentGet(get) => {
                if get.fields.iter().any(|(_, field)| field.is_counted()) {
                    for id in self.records.select(&get.ids, moment) {
                        self.both(id).into_iter().for_each(|(record, known)| known.count(record));
                    }
                }
                if self.is_long(&get, moment) {
                    return self.write_apart(asked, get);
                }
                let (records, settings) = (&self.records, &self.settings);
                let details = |record: &_| self.details(record, get.of_files());
                talk.answer(|out, dialect| torrents::write(out, dialect, &get, (records, settings), details, moment));
            }
            Call::TorrentAdd(add) => return self.add(asked, *add),
            Call::TorrentSet(ids, change) => {
                let done = self.change_all(&ids, &change);
                talk.answer(|_, _| done);
            }
            Call::TorrentStart(ids) => {
                let done = self.each(&ids, |daemon, id| daemon.start(id));
                talk.answer(|_, _| done);
            }
            Call::TorrentStartNow(ids) => {
                let done = self.each(&ids, |daemon, id| {
                    daemon.start(id)?;
                    daemon.change(id, Change::StartNow);
                    Ok(())
                });
                talk.answer(|_, _| done);
            }
            Call::TorrentStop(ids) => {
                let done = self.each(&ids, |daemon, id| {
                    daemon.pause(id, true);
                    Ok(())
                });
                talk.answer(|_, _| done);
            }
            Call::TorrentVerify(ids) => {
                let done = self.each(&ids, |daemon, id| {
                    daemon.must_be_described(id)?;
                    daemon.change(id, Change::Verify);
                    Ok(())
                });
                talk.answer(|_, _| done);
            }
            Call::TorrentReannounce(ids) => {
                let done = self.each(&ids, |daemon, id| {
                    daemon.must_be_described(id)?;
                    if let Some(known) = daemon.known.get(&id) {
                        daemon.engine.send(Command::Announce(Some(known.torrent)));
                    }
                    Ok(())
                });
                talk.answer(|_, _| done);
            }
            Call::TorrentRemove { ids, delete } => return self.remove_all(asked, &ids, delete),
            Call::TorrentSetLocation { ids, location, carry } => {
                let done = self.set_location(&ids, &location, carry);
                talk.answer(|_, _| done);
            }
            Call::TorrentRenamePath { ids, path, name } => {
                let found = torrents::only_one(&self.records.select(&ids, moment));
                let refused = match found {
                    Ok(id) => self.rename(asked, id, path, name),
                    Err(failure) => Err((asked, failure)),
                };
                let Err((mut asked, failure)) = refused else { return None };
                asked.conversation.answer(|_, _| Err(failure));
                return Some(asked);
            }
            Call::QueueMove(ids, how) => {
                let moved = self.queue.shift(&self.records.select(&ids, moment), how);
                let done = self.queue_changed(moved);
                talk.answer(|_, _| done);
            }
            Call::SessionGet(names) => talk.answer(|out, dialect| {
                self.session.session_id = self.door.session_id();
                write_settings(out, dialect, names.as_deref(), &self.settings, &self.session);
                Ok(())
            }),
            Call::SessionSet(changes) => {
                let done = changes.applied(&self.settings).and_then(|settings| self.change_settings(settings));
                talk.answer(|_, _| done);
            }
            Call::SessionStats => {
                let stats = self.stats();
                talk.answer(|out, dialect| {
                    write_stats(out, dialect, &stats);
                    Ok(())
                });
            }
            Call::SessionClose => {
                talk.answer(|_, _| Ok(()));
                self.stop();
            }
            Call::FreeSpace(path) => {
                let helpers = self.helpers.clone();
                space::ask(path, move |path, space| drop(helpers.send(Heard::Measured(asked, path, space))));
                return None;
            }
            Call::PortTest(protocol) => {
                let is_meant = |other| protocol.is_none_or(|protocol| protocol == other);
                // By which protocol a peer reached us is not noted. Mostly it was IPv4.
                let is_open = self.router.reached && protocol != Some(Protocol::V6)
                    || is_meant(Protocol::V4) && self.router.v4.open().is_some()
                    || is_meant(Protocol::V6) && self.router.v6.open().is_some();
                talk.answer(|out, dialect| {
                    write_port(out, dialect, protocol, is_open);
                    Ok(())
                });
            }
            Call::BlocklistUpdate => {
                self.fetch_blocklist(Some(asked));
                return None;
            }
            Call::GroupGet => talk.answer(|out, _| {
                write_groups(out);
                Ok(())
            }),
        }
        Some(asked)
    }

    /// Does something with each torrent, and writes what changed. The first failure is returned.
    pub(super) fn each(
        &mut self,
        ids: &Ids,
        mut work: impl FnMut(&mut Daemon, u32) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut result = Ok(());
        for id in self.records.select(ids, now()) {
            result = result.and(work(self, id));
        }
        self.save_changed().and(result)
    }

    /// A folder was measured.
    pub(super) fn measured(&mut self, mut asked: Asked, path: &str, space: Result<(u64, u64), String>) {
        asked.conversation.answer(|out, dialect| {
            let (free, whole) = space.map_err(|why| Failure::new(Kind::System, why))?;
            write_space(out, dialect, path, free, whole);
            Ok(())
        });
        self.answer(asked);
    }

    /// The blocklist is fetched; a program may wait for it.
    pub(super) fn fetch_blocklist(&self, asked: Option<Asked>) {
        let (address, helpers) = (self.settings.blocklist_url.clone(), self.helpers.clone());
        let then = move |list| drop(helpers.send(Heard::Blocklist(asked, list)));
        blocklist::fetch(address, self.state.dir.path.to_path_buf(), then);
    }

    /// A blocklist was read.
    pub(super) fn blocklist_came(&mut self, asked: Option<Asked>, list: Result<Blocklist, String>) {
        let list = list.map(|list| {
            self.session.blocklist_size = list.len() as u64;
            if self.settings.blocklist_enabled {
                self.engine.send(Command::Block(list));
            }
            self.session.blocklist_size
        });
        if let Err(why) = &list {
            log::warn!("{why}; the list that was read before stays in force");
        }
        if let Some(mut asked) = asked {
            asked.conversation.answer(|out, dialect| {
                write_blocklist(out, dialect, list.map_err(|why| Failure::new(Kind::Blocklist, why))?);
                Ok(())
            });
            self.answer(asked);
        }
    }

    /// What all torrents do together.
    pub(super) fn stats(&self) -> Stats {
        let now = self.sums_now();
        let before = &self.sums_before;
        let ever = Sums {
            uploaded: before.uploaded + now.uploaded,
            downloaded: before.downloaded + now.downloaded,
            files_added: before.files_added + now.files_added,
            sessions: before.sessions + now.sessions,
            seconds: before.seconds + now.seconds,
        };
        let paused = self.records.iter().filter(|record| record.state == State::Stopped).count();
        Stats {
            active: self.records.len() - paused,
            paused,
            down_rate: self.records.iter().map(|record| record.now.down_rate).sum(),
            up_rate: self.records.iter().map(|record| record.now.up_rate).sum(),
            ever,
            now,
        }
    }
}
