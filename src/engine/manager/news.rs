//! What the person is told: what became of a torrent, which trackers fail, how all torrents stand.
//!
//! Floor 3, part of the [`manager`](super).

use super::{Manager, Notice, State};
use crate::base::time::Time;
use crate::engine::{Phase, Report};
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::swarm::event::News;
use crate::swarm::figures::Status;
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
            // What is told of a wait must not contradict the last numbers, so it comes with new ones.
            News::Waiting { trouble } => {
                log::warn!("{}: waiting for disk: {}", content.metainfo.name, trouble.text);
                if let Some(status) = self.status(number) {
                    let _ = self.notices.send(Notice::Waiting { torrent: number, trouble, status });
                }
            }
            News::Resumed => {
                if let Some(status) = self.status(number) {
                    let _ = self.notices.send(Notice::Resumed { torrent: number, status });
                }
            }
            News::Failed { problem, status } => {
                log::error!("{}: {}", content.metainfo.name, problem.text);
                self.failed(number, problem, Some(Arc::new(*status)));
            }
        }
    }

    /// How a torrent in its swarm stands.
    fn status(&self, number: TorrentId) -> Option<Arc<Status>> {
        match self.torrents.get(&number)?.report(number, self.started.elapsed(), self.watch).phase {
            Phase::Running(status) => Some(status),
            Phase::Checking(_) | Phase::Failed(_) => None,
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
