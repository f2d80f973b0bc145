//! What is long is asked of the engine when a program wants it: files, pieces, peers.
//!
//! Floor 4, part of the [loop](super).

use super::Daemon;
use super::adding::with_padding;
use crate::daemon::record::{Details, FileDetail, Record};
use crate::daemon::rpc::changing::ChangeTorrents;
use crate::daemon::rpc::{Failure, Kind};
use crate::engine::{Change, Priority};
use crate::proto::choice::Choice;
use crate::proto::metainfo::Metainfo;

impl Daemon {
    /// The .torrent file of a torrent.
    fn metainfo(&self, record: &Record) -> Option<Metainfo> {
        let bytes = self.state.dir.saved_torrent(record.about.hash?).ok()?;
        Metainfo::parse(&bytes).ok()
    }

    /// The details of a torrent.
    pub(super) fn details(&self, record: &Record) -> Option<Details> {
        let known = self.known.get(&record.id)?;
        let metainfo = self.metainfo(record)?;
        let files = metainfo.files.iter().enumerate().filter(|(_, file)| !file.padding).map(|(number, file)| {
            let (wanted, priority) = known.kept.files.as_ref().map_or((true, 0), |files| shown(files[number]));
            let pieces = metainfo.pieces_of(file);
            FileDetail {
                name: file.path(),
                length: file.length,
                have: if record.now.left == 0 { file.length } else { 0 },
                wanted,
                priority,
                pieces: [pieces.start, pieces.end],
            }
        });
        Some(Details { files: files.collect(), ..Details::default() })
    }

    /// Chooses the files of a torrent, and how urgent they are.
    pub(super) fn choose(&mut self, id: u32, change: &ChangeTorrents) -> Result<(), Failure> {
        let (Some(record), Some(known)) = (self.records.get(id), self.known.get(&id)) else { return Ok(()) };
        // The files of a link are not known.
        let metainfo = self.metainfo(record).ok_or_else(|| Failure::of(Kind::FileIndex))?;
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

/// Whether a file is wanted, and its priority.
fn shown(priority: Priority) -> (bool, i8) {
    match priority {
        Priority::Skip => (false, 0),
        Priority::Low => (true, -1),
        Priority::Normal => (true, 0),
        Priority::High => (true, 1),
    }
}
