//! The stand-in for the folder `udp` in a build without the DHT: it does nothing.

#[path = "order.rs"]
mod order;

use super::config::Dht as Options;
use super::input::Input;
use crate::swarm::dht::Figures;
use crossbeam_channel::Sender;
pub use order::Order;
use std::io;

/// Nothing.
pub struct Dht;

#[expect(missing_docs, reason = "they are those of the other build")]
impl Dht {
    pub fn prepare(_: Option<Options>, _: u16, _: &Sender<Input>) -> io::Result<Dht> {
        Ok(Dht)
    }

    pub fn order(&mut self, _: Order) {}
    pub fn end(&mut self) {}

    pub fn figures(&self) -> Option<Figures> {
        None
    }
}
