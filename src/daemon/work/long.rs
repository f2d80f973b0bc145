//! A program asks for what is long: the files, pieces or peers of many torrents, or of one with many files.
//!
//! Floor 4, part of the [loop](super). A helper writes such an answer, from copies of the records, so the loop goes on
//! with others meanwhile. There is one helper at a time, and few programs may wait for it, so neither the memory nor
//! the processor is used up by somebody that asks for a million files ten times a second.

use super::details::{Origin, details_of};
use super::{Asked, Daemon, Heard, now};
use crate::daemon::chores::start;
use crate::daemon::record::Record;
use crate::daemon::rpc::call::{GetTorrents, OfFiles};
use crate::daemon::rpc::{Failure, Kind, torrents};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The loop itself answers for at most this many torrents, ...
const MOST_TORRENTS: usize = 50;
/// ... and this many files: some milliseconds.
const MOST_FILES: usize = 2_000;
/// Most programs that wait for a long answer.
const MOST_WAITING: usize = 8;

/// Programs that wait for long answers.
#[derive(Default)]
pub struct Long {
    is_writing: bool,
    waiting: VecDeque<(Asked, GetTorrents)>,
}

impl Daemon {
    /// Whether a helper has to write the answer.
    pub(super) fn is_long(&self, get: &GetTorrents, moment: i64) -> bool {
        if !get.needs_details() {
            return false;
        }
        let ids = self.records.select(&get.ids, moment);
        let files = |id: &u32| self.records.get(*id).map_or(0, |record| record.about.file_count);
        let lists_files = get.of_files() != OfFiles::Nothing;
        ids.len() > MOST_TORRENTS || lists_files && ids.iter().map(files).sum::<usize>() > MOST_FILES
    }

    /// Has a helper write the answer. `None`: it comes later.
    pub(super) fn write_apart(&mut self, mut asked: Asked, get: GetTorrents) -> Option<Asked> {
        if self.long.waiting.len() >= MOST_WAITING {
            let words = "too many programs ask for long lists; ask for fewer torrents or fields, or ask again";
            asked.conversation.answer(|_, _| Err(Failure::new(Kind::Internal, words)));
            return Some(asked);
        }
        self.long.waiting.push_back((asked, get));
        self.write_next();
        None
    }

    /// A long answer was written.
    pub(super) fn written(&mut self, asked: Asked) {
        self.long.is_writing = false;
        self.write_next();
        self.answer(asked);
    }

    fn write_next(&mut self) {
        // Where there is no thread, the program is told that nobody answers, and the next one is tried.
        while !self.long.is_writing
            && let Some((asked, get)) = self.long.waiting.pop_front()
        {
            self.long.is_writing = self.write(asked, get);
        }
    }

    /// Starts the helper that writes an answer. Returns whether it runs.
    fn write(&self, mut asked: Asked, get: GetTorrents) -> bool {
        let moment = now();
        let records = self.records.only(&self.records.select(&get.ids, moment));
        let origins = records.iter().filter_map(|record| Some((record.id, Origin::of(self.known.get(&record.id)?))));
        let origins: BTreeMap<u32, Origin> = origins.collect();
        let (settings, engine, helpers) = (self.settings.clone(), Arc::clone(&self.engine), self.helpers.clone());
        let states = Arc::clone(&self.state.dir);
        start("answer", move || {
            let details =
                |record: &Record| details_of(&engine, &states, origins.get(&record.id)?, record, get.of_files());
            asked
                .conversation
                .answer(|out, dialect| torrents::write(out, dialect, &get, (&records, &settings), details, moment));
            drop(helpers.send(Heard::Written(asked)));
        })
    }
}
