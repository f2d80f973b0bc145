//! Torrents are added, and the descriptions of links arrive.
//!
//! Floor 4, part of the [loop](super). A torrent is written to the [state](crate::daemon::state) before the engine gets
//! it, so it is not lost when the process is killed right after a program was told that it was added.

use super::overlap::portable::portable_names;
use super::reading::{Described, is_long};
use super::wished::{choice_of_link, named, numbered, of_files, options_of, with_padding};
use super::{Asked, Daemon, Heard, Known, NONE, now};
use crate::base::path::for_terminal;
use crate::base::sha256::sha256;
use crate::daemon::chores::fetch;
use crate::daemon::chores::scripts::Event;
use crate::daemon::record::{About as Shown, Dates, Now, Record, State, Trouble, Wishes};
use crate::daemon::rpc::adding::{AddTorrent, TorrentSource};
use crate::daemon::rpc::changing::read_tiers;
use crate::daemon::rpc::{Failure, Kind, torrents};
use crate::daemon::state::kept::Kept;
use crate::engine::{Change, Job, LinkJob, Priority, TorrentId};
use crate::proto::choice::Choice;
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::{About, Metainfo};
use crate::storage::resume::saved_torrents;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Most programs that wait because the content of the torrent that they add is still being deleted. Each holds its
/// .torrent file.
const MOST_WAITING: usize = 8;

impl Daemon {
    /// A program adds a torrent. `None`: the answer comes later.
    pub(super) fn add(&mut self, asked: Asked, add: AddTorrent) -> Option<Asked> {
        let result = match &add.source {
            TorrentSource::Metainfo(bytes) if is_long(bytes) => {
                let bytes = bytes.clone();
                return self.read_apart(asked, add, bytes);
            }
            TorrentSource::Metainfo(bytes) => {
                Described::read(bytes.clone()).and_then(|described| self.add_described(&add, described))
            }
            TorrentSource::Magnet(link) => self.add_link(&add, link),
            TorrentSource::Url(address) => {
                let (address, helpers) = (address.clone(), self.helpers.clone());
                let add = Box::new(add);
                fetch::torrent(address, move |bytes| drop(helpers.send(Heard::Fetched(asked, add, bytes))));
                return None;
            }
        };
        self.added(asked, add, result)
    }

    /// Answers a program that adds a torrent. `None`: the answer comes later, because the same torrent is just being
    /// deleted.
    pub(super) fn added(
        &mut self,
        mut asked: Asked,
        add: AddTorrent,
        result: Result<(u32, bool), Failure>,
    ) -> Option<Asked> {
        let is_leaving = matches!(&result, Err(failure) if failure.kind == Kind::Leaving);
        if is_leaving && self.adding_again.len() < MOST_WAITING {
            self.adding_again.push((asked, add));
            return None;
        }
        self.answer_added(&mut asked, result);
        Some(asked)
    }

    /// A program adds a torrent, and is answered.
    pub(super) fn add_and_answer(&mut self, asked: Asked, add: AddTorrent) {
        if let Some(asked) = self.add(asked, add) {
            self.answer(asked);
        }
    }

    fn answer_added(&mut self, asked: &mut Asked, result: Result<(u32, bool), Failure>) {
        let record = result.and_then(|(id, was_there)| {
            let record = self.records.get(id).ok_or_else(|| Failure::of(Kind::Internal))?;
            Ok((record, was_there))
        });
        asked.conversation.answer(|out, dialect| {
            let (record, was_there) = record?;
            torrents::write_added(out, dialect, record, was_there);
            Ok(())
        });
    }

    /// Adds the torrent of a .torrent file. Returns its number, and whether it was there already.
    pub(super) fn add_described(&mut self, add: &AddTorrent, described: Described) -> Result<(u32, bool), Failure> {
        let Described { bytes, metainfo } = described;
        if let Some(id) = self.records.with_hash(&metainfo.info_hash) {
            if self.known.get(&id).is_some_and(|known| !known.is_described()) {
                self.describe_again(id, metainfo, &bytes)?;
            }
            return Ok((id, true));
        }
        self.refuse_leaving(metainfo.info_hash)?;
        let (mut record, mut kept) = self.wished(add)?;
        kept.paused |= add.stop_when_described;
        kept.files = chosen(&metainfo, add)?;
        kept.renamed = portable_names(&metainfo);
        self.overlap_of_new(&record, &kept, &metainfo)?;
        let dir = Path::new(kept.dir(&record.download_dir)).into();
        let saved = self.state.dir.save_torrent(metainfo.info_hash, &bytes);
        saved.map_err(|error| Failure::new(Kind::System, crate::sys::in_words(&error)))?;
        let job = self.job(metainfo, &bytes, dir, &mut record, &kept);
        let id = self.enter(record, kept)?;
        self.know(id, self.engine.add(job));
        self.after_adding(id);
        Ok((id, false))
    }

    /// A torrent whose .torrent file was damaged has it again.
    fn describe_again(&mut self, id: u32, metainfo: Box<Metainfo>, bytes: &[u8]) -> Result<(), Failure> {
        let (Some(record), Some(known)) = (self.records.get(id), self.known.get(&id)) else { return Ok(()) };
        self.overlap_of_new(record, &known.kept, &metainfo)?;
        let (mut record, kept) = (record.clone(), known.kept.clone());
        let saved = self.state.dir.save_torrent(metainfo.info_hash, bytes);
        saved.map_err(|error| Failure::new(Kind::System, crate::sys::in_words(&error)))?;
        let dir = Path::new(kept.dir(&record.download_dir)).into();
        let job = self.job(metainfo, bytes, dir, &mut record, &kept);
        record.dates.changed = now();
        record.trouble = Trouble::None;
        record.state = if kept.paused { State::Stopped } else { State::CheckWait };
        if let Some((place, known)) = self.both(id) {
            *place = record;
            known.obstacle = None;
        }
        self.place(id);
        self.know(id, self.engine.add(job));
        self.tell_order(id);
        Ok(())
    }

    /// Adds the torrent of a link.
    pub(super) fn add_link(&mut self, add: &AddTorrent, link: &str) -> Result<(u32, bool), Failure> {
        let unusable = |why: String| Failure::new(Kind::UnrecognizedInfo, why);
        let mut job =
            Magnet::parse(link).and_then(|link| LinkJob::new(link).map_err(String::from)).map_err(unusable)?;
        if let Some(id) = self.records.with_hash(&job.info_hash()) {
            return Ok((id, true));
        }
        self.refuse_leaving(job.info_hash())?;
        let (mut record, mut kept) = self.wished(add)?;
        kept.stops_when_described = add.stop_when_described;
        kept.link = Some(job.link.to_string().into());
        kept.files = choice_of_link(None, &add.files)?;
        record.about = Arc::new(of_link(&job.link, job.info_hash()));
        record.trackers = numbered(job.link.trackers.iter().map(|url| vec![url.as_str().into()]));
        job.options = Some(Box::new(options_of(&record, &kept)));
        let id = self.enter(record, kept)?;
        self.know(id, self.engine.learn(job));
        self.after_adding(id);
        Ok((id, false))
    }

    /// A record with what a program, or the settings, wish for a new torrent.
    fn wished(&self, add: &AddTorrent) -> Result<(Record, Kept), Failure> {
        let settings = &self.settings;
        let download_dir = match &add.download_dir {
            Some(dir) => {
                let dir = settings.allowed_dir(dir).map_err(Failure::params)?;
                // It came from a text.
                dir.to_string_lossy().into_owned()
            }
            None => settings.download_dir.clone(),
        };
        let wishes = Wishes {
            bandwidth_priority: add.bandwidth_priority,
            peer_limit: add.peer_limit.unwrap_or(settings.peer_limit_per_torrent),
            sequential_download: add.sequential_download.unwrap_or(settings.sequential_download),
            ..Wishes::default()
        };
        let paused = add.paused.unwrap_or(!settings.start_added_torrents);
        let at = Some(settings.incomplete_dir.as_str())
            .filter(|dir| settings.incomplete_dir_enabled && !dir.is_empty() && **dir != *download_dir);
        let moment = now();
        let record = Record {
            download_dir: download_dir.into(),
            labels: add.labels.clone(),
            wishes,
            dates: Dates { added: moment, started: if paused { 0 } else { moment }, ..Dates::default() },
            ..Record::default()
        };
        Ok((record, Kept { paused, at: at.map(Box::from), ..Kept::default() }))
    }

    /// Writes a new torrent and lists it. Returns its number.
    fn enter(&mut self, mut record: Record, mut kept: Kept) -> Result<u32, Failure> {
        record.dates.changed = now();
        record.state = if kept.paused { State::Stopped } else { State::CheckWait };
        let id = self.records.insert(record);
        kept.place = self.queue.push(id);
        // It was inserted a moment ago.
        if let Some(record) = self.records.get(id)
            && let Err(why) = self.state.save(record, &kept)
        {
            self.queue.remove(id);
            self.records.remove(id, now());
            return Err(Failure::new(Kind::System, why));
        }
        self.list(id, kept);
        self.number_queue();
        Ok(id)
    }

    /// The engine knows a torrent by this number.
    pub(super) fn know(&mut self, id: u32, torrent: TorrentId) {
        if let Some(known) = self.known.get_mut(&id) {
            (known.torrent, known.changes) = (torrent, 0);
            self.ids.insert(torrent, id);
        }
    }

    /// Lists a torrent that has a record.
    pub(super) fn list(&mut self, id: u32, kept: Kept) {
        let before = self.records.get(id).map_or_else(Default::default, |record| record.totals);
        let known = Known {
            torrent: NONE,
            kept,
            is_checked: false,
            is_changed: false,
            is_counted: false,
            before,
            counted: Instant::now(),
            places: Box::default(),
            obstacle: None,
            learned: None,
            owes_script: false,
            waits_for_space: false,
            changes: 0,
            moves: 0,
        };
        self.known.insert(id, Box::new(known));
        self.place(id);
    }

    fn after_adding(&mut self, id: u32) {
        if let Some(record) = self.records.get(id) {
            log::info!("{}: added", for_terminal(&record.about.name));
            self.sums.files_added += record.about.file_count as u64;
        }
        self.tell_order(id);
        if self.settings.min_free_space > 0 {
            // It must not fill up the disk until the next minute.
            self.measure();
        }
        self.run_script(Event::Added, id);
    }

    /// The job for a torrent whose .torrent file, with these bytes, is in the state. Fills in what the record says of
    /// it.
    pub(super) fn job(
        &self,
        mut metainfo: Box<Metainfo>,
        bytes: &[u8],
        dir: Arc<Path>,
        record: &mut Record,
        kept: &Kept,
    ) -> Job {
        if let Some(tiers) = &kept.tiers {
            metainfo.tiers = tiers.to_vec();
        } else if !metainfo.private {
            // A person checked them when they were set.
            let more = read_tiers(&self.settings.default_trackers).unwrap_or_default();
            metainfo.tiers.extend(more);
        }
        record.about =
            Arc::new(named(of_metainfo(&metainfo, Arc::clone(&self.state.dir.path)), &metainfo.name, &kept.renamed));
        record.trackers = numbered(metainfo.tiers.iter().cloned());
        let choice = kept.files.as_ref().and_then(|files| Choice::new(&metainfo, files.to_vec()));
        record.now = Now {
            size_when_done: choice.as_ref().map_or(metainfo.length, |choice| choice.bytes),
            metadata: 1.0,
            ..Now::default()
        };
        record.now.left = record.now.size_when_done;
        let description = saved_torrents::saved_description(bytes, &metainfo, &self.state.dir);
        // The rest is in the record.
        let about = metainfo.about.take().unwrap_or_default();
        metainfo.about = About { nodes: about.nodes, web_seeds: about.web_seeds, ..About::default() }.boxed();
        // What has been downloaded must not begin again in an empty folder.
        let is_new = record.totals.downloaded == 0 && record.dates.done == 0;
        let root = self.settings.root_of(&dir).filter(|_| is_new);
        Job {
            make_below: root.map(Arc::from),
            choice: choice.map(Arc::new),
            description,
            renamed: kept.renamed.clone(),
            finally: kept.at.as_ref().map(|_| Path::new(&*record.download_dir).into()),
            options: Some(Box::new(options_of(record, kept))),
            ..Job::new(metainfo, dir)
        }
    }

    /// The description of a link's torrent has arrived.
    pub(super) fn learned(&mut self, torrent: TorrentId, info: &[u8]) {
        let Some(&id) = self.ids.get(&torrent) else { return };
        if let Err(why) = self.begin(id, torrent, info)
            && let Some((record, known)) = self.both(id)
        {
            log::warn!("{}: {why}", for_terminal(&record.about.name));
            known.is(record, State::Stopped);
            known.obstacle = Some(why.as_str().into());
            known.learned = Some(info.into());
            record.note(Trouble::Local(why));
            self.change(id, Change::Paused(true));
        }
    }

    fn begin(&mut self, id: u32, torrent: TorrentId, info: &[u8]) -> Result<(), String> {
        let (Some(record), Some(known)) = (self.records.get(id), self.known.get(&id)) else { return Ok(()) };
        let Some(link) = &known.kept.link else { return Ok(()) };
        let link = Magnet::parse(link)?;
        if link.info_hash_v2.is_some_and(|hash| hash != sha256(info)) {
            return Err("the link names two different torrents: xt=urn:btih: and xt=urn:btmh:".into());
        }
        let bytes = link.torrent_file(info);
        let metainfo = Metainfo::parse(&bytes).map_err(|why| format!("the description can't be used: {why}"))?;
        let (dir, at) = (&*record.download_dir, known.kept.at.as_deref());
        self.overlap(
            Some(id),
            &metainfo,
            &known.kept.renamed,
            &[Some(dir), at].into_iter().flatten().collect::<Vec<_>>(),
        )?;
        let saved = self.state.dir.save_torrent(metainfo.info_hash, &bytes);
        saved.map_err(|error| format!("the .torrent file can't be saved: {}", crate::sys::in_words(&error)))?;
        let files = known.kept.files.as_ref().map(|chosen| of_files(&metainfo, chosen));
        let renamed = portable_names(&metainfo);
        let mut kept = Kept { link: None, files, renamed, ..known.kept.clone() };
        let stops = std::mem::take(&mut kept.stops_when_described);
        kept.paused |= stops;
        let mut record = record.clone();
        let dir = Path::new(kept.dir(&record.download_dir)).into();
        let job = self.job(Box::new(metainfo), &bytes, dir, &mut record, &kept);
        self.state.save(&record, &kept)?;
        if let Some((place, known)) = self.both(id) {
            *place = record;
            known.kept = kept;
            known.is(place, if known.kept.paused { State::Stopped } else { State::CheckWait });
            place.dates.changed = now();
        }
        self.place(id);
        if stops {
            self.change(id, Change::Paused(true));
        }
        self.engine.begin(torrent, job);
        self.tell_order(id);
        Ok(())
    }
}

/// What a record says of a torrent.
fn of_metainfo(metainfo: &Metainfo, folder: Arc<Path>) -> Shown {
    let about = metainfo.about();
    Shown {
        hash: Some(metainfo.info_hash),
        name: metainfo.name.clone(),
        hash_v2: about.info_hash_v2.clone(),
        link: None,
        comment: about.comment.as_deref().unwrap_or_default().into(),
        creator: about.created_by.as_deref().unwrap_or_default().into(),
        created: about.creation_date.unwrap_or(0),
        is_private: metainfo.private,
        total_size: metainfo.length,
        file_count: metainfo.files.iter().filter(|file| !file.padding).count(),
        piece_count: metainfo.piece_count(),
        piece_size: metainfo.piece_length.into(),
        torrent_folder: Some(folder),
        web_seeds: about.web_seeds.clone(),
    }
}

/// What a record says of a torrent of which only the link is known.
pub(super) fn of_link(link: &Magnet, hash: InfoHash) -> Shown {
    Shown {
        hash: Some(hash),
        name: link.name.clone().unwrap_or_else(|| hash.to_string()).into(),
        link: Some(link.to_string().into()),
        web_seeds: link.web_seeds.clone(),
        ..Shown::default()
    }
}

/// The files that a program chooses when it adds a torrent; `None`: all as usual.
fn chosen(metainfo: &Metainfo, add: &AddTorrent) -> Result<Option<Box<[Priority]>>, Failure> {
    if add.files.is_empty() {
        return Ok(None);
    }
    let mut files: Vec<(bool, i8)> = metainfo.files.iter().filter(|file| !file.padding).map(|_| (true, 0)).collect();
    add.files.apply(&mut files)?;
    Ok(Some(with_padding(metainfo.files.iter().map(|file| file.padding), &files)))
}
