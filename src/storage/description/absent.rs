//! What stands in the place of [`description`](super) in a build without magnet links. No value of this type exists, so
//! the compiler leaves out all that would be done with one.

use crate::proto::id::InfoHash;
use crate::proto::metainfo::Metainfo;
use std::path::Path;
use std::sync::Arc;

/// It can't be made.
#[derive(Clone, Debug)]
pub enum Description {}

/// Why a block could not be read.
#[expect(missing_docs, reason = "it is never made")]
pub struct Unread {
    pub why: String,
    pub is_gone: bool,
}

#[expect(missing_docs, reason = "they are those of the other build, and are never called")]
impl Description {
    pub fn of(_: Option<Arc<Path>>, _: &[u8], _: &Metainfo, _: &dyn Fn() -> Option<Arc<Path>>) -> Option<Description> {
        None
    }

    pub fn size(&self) -> u32 {
        match *self {}
    }

    pub fn read(&self, _: &InfoHash, _: u32, _: &mut Vec<u8>) -> Result<(), Unread> {
        match *self {}
    }
}
