//! What the person is told: what became of a torrent, which trackers fail, how all torrents stand.
//!
//! Floor 3, part of the [`manager`](super).

use super::{Manager, Notice, State};
use crate::base::time::Time;
use crate::engine::{Phase, Problem, ProblemKind, Report};
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::swarm::event::News;
use std::sync::Arc;

impl Manager {
    /// Tells the person what became of a torrent.
    pub(super) fn tell(&mut self, number: TorrentId, content: &Arc<Content>, news: News) {
        match news {
            News::Complete => {
                // The last figures first, so that whoever shows the end shows the whole.
                if self.status_every.is_some() {
                    let _ = self.notices.send(Notice::Status(self.reports(self.started.elapsed())));
                }
                let _ = self.notices.send(Notice::Complete { torrent: number });
                self.completed = true;
            }
            News::Waiting { trouble } => {
                log::warn!("{}: waiting for disk: {}", content.metainfo.name, trouble.text);
                self.tell_standing(number);
                let _ = self.notices.send(Notice::Waiting { torrent: number, trouble });
            }
            News::Resumed => {
                self.tell_standing(number);
                let _ = self.notices.send(Notice::Resumed { torrent: number });
            }
            News::GaveUp { problem: text, status } => {
                log::error!("{}: {text}", content.metainfo.name);
                let _ = self.notices.send(Notice::Stood { torrent: number, status: Arc::new(*status) });
                self.failed(number, Problem { kind: ProblemKind::GaveUp, text });
            }
            News::Failed { problem } => log::error!("{}: {problem}", content.metainfo.name),
        }
    }

    /// So that what is told next does not contradict the last numbers, which are older.
    fn tell_standing(&self, number: TorrentId) {
        let Some(slot) = self.torrents.get(&number) else { return };
        if let Phase::Running(status) = slot.report(number, self.started.elapsed(), self.watch).phase {
            let _ = self.notices.send(Notice::Stood { torrent: number, status });
        }
    }

    /// Tells the person which trackers changed between answering and failing.
    pub(super) fn tell_of_trackers(&mut self, number: TorrentId) {
        let Some(slot) = self.torrents.get_mut(&number) else { return };
        let State::Running(torrent, _) = &slot.state else { return };
        for (tracker, told) in torrent.trackers().iter().zip(&mut slot.told) {
            if tracker.problem != *told {
                *told = tracker.problem.clone();
                let (url, problem) = (tracker.url.clone(), tracker.problem.clone());
                let _ = self.notices.send(Notice::Tracker { torrent: number, url, problem, refuses: tracker.refuses });
            }
        }
    }

    pub(super) fn reports(&self, now: Time) -> Vec<Report> {
        self.torrents.iter().map(|(id, slot)| slot.report(*id, now, self.watch)).collect()
    }
}
