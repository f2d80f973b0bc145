//! A web seed: a thread that asks an HTTP server for blocks, as a peer without a socket (BEP 19).
//!
//! Floor 3. The manager sends it requests for blocks, as to every peer, and gets blocks back. The thread makes of them
//! as few HTTP requests as it can: when the manager says that its requests will go on to the end of a gap, one request
//! asks for all of it, up to 4 MiB. What was not requested yet stays in the socket, except for a few blocks. So the
//! memory budget and the limits hold, and the server sends no faster than we read.
//!
//! [`fetching`] asks for files and checks the answers; [`inbox`] holds the requests, [`reports`] what came of them.
//! What is done about a failure is decided in `swarm/torrent/downloading/web_seeds`.

mod fetching;
mod inbox;
mod reports;

pub use inbox::Inbox;

use super::around::Surroundings;
use crate::base::time::Time;
use crate::engine::trace::packets;
use crate::proto::peer::message::BlockSpec;
use crate::storage::content::Content;
use crate::swarm::event::{PeerEvent, WebEvent};
use crate::swarm::peer::PeerKey;
use crate::sys::http::stream::Client;
use crate::sys::outlet;
use crate::sys::trace::speaker::start_thread;
use fetching::{Blame, Fetching, Trouble};
use reports::Reports;
use std::io;
use std::sync::Arc;

/// Stack of the thread: TLS needs more than a peer's reader.
const STACK_BYTES: usize = 256 * 1024;

/// The thread of a web seed.
struct WebSeed {
    around: Surroundings,
    inbox: Arc<Inbox>,
    content: Arc<Content>,
    fetching: Fetching,
    reports: Arc<Reports>,
}

/// Starts a thread that asks the web seed at `url` for blocks of `content`, as the peer `peer`.
pub fn start(around: &Surroundings, peer: PeerKey, content: &Arc<Content>, url: &str) -> io::Result<Arc<Inbox>> {
    let list = Arc::clone(&around.blocklist);
    let reports = Arc::new(Reports::new(&around.manager, peer));
    let waiting = Arc::clone(&reports);
    let client = Client::new(move |ip| crate::sys::lock_to_read(&list).blocks(ip), move || waiting.hand_over());
    let client = Arc::new(client);
    let inbox = Arc::new(Inbox::new(url, Arc::clone(&client)));
    let mut seed = WebSeed {
        around: around.clone(),
        inbox: Arc::clone(&inbox),
        content: Arc::clone(content),
        fetching: Fetching::new(client, url, &reports),
        reports,
    };
    start_thread("webseed", STACK_BYTES, move || seed.run())?;
    Ok(inbox)
}

impl WebSeed {
    fn run(&mut self) {
        loop {
            if !self.inbox.has_next() {
                self.reports.hand_over();
            }
            let Some(block) = self.inbox.next() else { break };
            match self.fetch(block) {
                Ok(event) => self.reports.add(event),
                Err(_) if self.inbox.is_closed() => break,
                Err(trouble) => {
                    let goes_on = self.in_trouble(trouble);
                    self.reports.hand_over();
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        self.reports.add(PeerEvent::Gone);
        self.reports.hand_over();
    }

    /// Fetches one block.
    fn fetch(&mut self, block: BlockSpec) -> Result<PeerEvent, Trouble> {
        let metainfo = &self.content.metainfo;
        let begin = u64::from(block.piece) * u64::from(metainfo.piece_length) + u64::from(block.begin);
        let mut data = self.around.blocks.take(block.length as usize);
        let inbox = &self.inbox;
        let result = self.fetching.fill(metainfo, begin, &mut data, || inbox.reach(metainfo, block));
        match result {
            Ok(()) => Ok(PeerEvent::Block { piece: block.piece, begin: block.begin, data }),
            Err(trouble) => {
                self.around.blocks.give(data);
                Err(trouble)
            }
        }
    }

    /// Something failed. Returns whether other files may still be asked for.
    fn in_trouble(&mut self, trouble: Trouble) -> bool {
        let Trouble { file, why, pause, blame } = trouble;
        log::info!("web seed {}: {why}", self.inbox.shown);
        packets::web_failed(&self.inbox.shown, &why);
        self.inbox.clear();
        let pause = pause.map(Time::from_secs);
        // While the way out is away, no server is to blame.
        let our_fault = outlet::get().is_there().is_err();
        let event = match blame {
            Blame::File => WebEvent::NotThere { file, why },
            Blame::Answer => WebEvent::Failed { file: Some(file), why, pause, our_fault },
            Blame::None => WebEvent::Failed { file: None, why, pause, our_fault },
        };
        self.reports.did(event);
        blame == Blame::File
    }
}

#[cfg(test)]
mod tests;
