//! Why a .torrent file is refused, in words that name the field, the value and what was expected.

use crate::proto::bencode::Value;
use std::fmt::Display;

/// Refuses the torrent because of what was found in a field. `found` must be safe on a terminal.
pub(super) fn refuse<T>(field: impl Display, found: impl Display, expected: impl Display) -> Result<T, String> {
    Err(format!("{field}: {found}, expected {expected}"))
}

/// Refuses the torrent because a field has this value, or is missing.
pub(super) fn refuse_value<T>(
    field: impl Display,
    value: Option<Value<'_>>,
    expected: impl Display,
) -> Result<T, String> {
    value.map_or(Err(format!("{field} is missing, expected {expected}")), |value| refuse(&field, value, &expected))
}
