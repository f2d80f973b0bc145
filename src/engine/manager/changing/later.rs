//! Changes that come too early.
//!
//! Floor 3, part of the [`manager`](super::super).

use crate::proto::choice::Priority;
use std::sync::Arc;

/// What a person has changed about a torrent that can't take it in yet, because its content is not checked; only the
/// last change of each kind.
#[derive(Default)]
pub struct Later {
    /// How urgently each file is wanted.
    pub files: Option<Vec<Priority>>,
    /// Its pieces are downloaded in order.
    pub sequential: Option<bool>,
    /// The announce URLs, in tiers.
    pub trackers: Option<Vec<Vec<Arc<str>>>>,
}
