//! The stand-in for the folder `portmap` in a build without port mapping: it does nothing.

use super::input::Input;
use crossbeam_channel::Sender;
use std::io;

/// This build has no port mapping.
pub const IS_BUILT_IN: bool = false;

/// Nothing.
pub struct PortMapping;

#[expect(missing_docs, reason = "they are those of the other build")]
impl PortMapping {
    pub fn start(_: bool, _: u16, _: &Sender<Input>) -> io::Result<PortMapping> {
        Ok(PortMapping)
    }

    pub fn end(&mut self) {}
    pub fn wait(&mut self) {}
}
