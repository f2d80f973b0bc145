//! Asks the router to let peers in: port mapping by PCP, NAT-PMP or UPnP.
//!
//! Floor 3. [`PortMapping`] is the manager's handle. One thread asks the routers of both address families, sleeps until
//! a mapping has to be renewed, the network changes or the router announces that it has started, and at the end removes
//! what it mapped. What to ask is decided by a [`Mapper`](crate::swarm::meeting::portmap::Mapper); which router is
//! asked, by [`route`]. In a build without the feature `portmap`, `absent.rs` takes the place of this folder.

mod family;
pub mod packets;
pub mod probe;
pub mod route;
mod thread;
pub mod upnp;

use self::thread::Work;
use super::config::FINAL_ANNOUNCE_TIME;
use super::input::Input;
use crate::sys::wake::Wake;
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// This build has port mapping.
pub const IS_BUILT_IN: bool = true;
/// Stack size of the thread: HTTP needs some.
const STACK_BYTES: usize = 256 * 1024;

/// A handle to the thread; `None`: ports are not mapped.
pub struct PortMapping(Option<Handle>);

struct Handle {
    /// It wakes the thread, which then ends.
    end: Wake,
    /// This is disconnected when the thread has ended.
    ended: Receiver<()>,
    /// The thread was told to end then.
    told: Option<Instant>,
    /// There may be something to remove.
    has_mappings: Arc<AtomicBool>,
}

impl PortMapping {
    /// Begins to map `port`, if that is `wanted`. How it stands goes to `manager`, now and after each change.
    pub fn start(wanted: bool, port: u16, manager: &Sender<Input>) -> io::Result<PortMapping> {
        if !wanted {
            return Ok(PortMapping(None));
        }
        let end = Wake::new()?;
        let (ends, ended) = crossbeam_channel::bounded(0);
        let has_mappings = Arc::default();
        let mut work = Work::new(port, manager.clone(), end.clone(), Arc::clone(&has_mappings))?;
        let builder = std::thread::Builder::new().name("portmap".into()).stack_size(STACK_BYTES);
        builder.spawn(move || {
            work.run();
            drop(ends);
        })?;
        Ok(PortMapping(Some(Handle { end, ended, told: None, has_mappings })))
    }

    /// The process ends soon: the thread removes the mappings.
    pub fn end(&mut self) {
        if let Some(handle) = &mut self.0 {
            handle.told.get_or_insert_with(Instant::now);
            handle.end.wake();
        }
    }

    /// Waits until the mappings are removed, within the time that the end may take.
    pub fn wait(&mut self) {
        self.end();
        if let Some(Handle { ended, told: Some(told), has_mappings, .. }) = &self.0
            && has_mappings.load(Ordering::Relaxed)
        {
            let _ = ended.recv_deadline(*told + FINAL_ANNOUNCE_TIME);
        }
    }
}
