//! Why a .torrent file is refused, in words that name the field, the value and what was expected.

use super::MAX_METAINFO_BYTES;
use crate::proto::bencode::{DecodeError, Value};
use std::fmt;

/// Why a .torrent file is refused. Its text is safe on a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetainfoError {
    /// The file has this many bytes, more than [`MAX_METAINFO_BYTES`].
    TooLarge(usize),
    /// The file is not bencode.
    NotBencode(DecodeError),
    /// A field has a value that is not allowed.
    Field {
        /// Where: `info.files[3].path`, the first file being 0.
        field: String,
        /// Its value, or `missing`.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The torrent has no version 1 in it (BEP 52).
    Version2Only,
}

impl fmt::Display for MetainfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetainfoError::TooLarge(bytes) => {
                write!(f, "the file: {bytes} bytes, expected a .torrent file of at most {MAX_METAINFO_BYTES}")
            }
            MetainfoError::NotBencode(error) => write!(f, "damaged, or not a .torrent file: {error}"),
            MetainfoError::Field { field, found, expected } => write!(f, "{field}: {found}, expected {expected}"),
            MetainfoError::Version2Only => f.write_str(
                "this is a version 2 torrent (BEP 52) only; swarmlet uses version 1: \
                 look for a version 1 or hybrid torrent of the same content",
            ),
        }
    }
}

impl std::error::Error for MetainfoError {}

/// Refuses the torrent because of what was found in a field. `found` must be safe on a terminal.
pub(super) fn refuse<T>(
    field: impl Into<String>,
    found: impl Into<String>,
    expected: impl Into<String>,
) -> Result<T, MetainfoError> {
    Err(MetainfoError::Field { field: field.into(), found: found.into(), expected: expected.into() })
}

/// Refuses the torrent because a field has this value, or is missing.
pub(super) fn refuse_value<T>(
    field: impl Into<String>,
    value: Option<Value<'_>>,
    expected: impl Into<String>,
) -> Result<T, MetainfoError> {
    refuse(field, value.map_or("missing".into(), |value| value.to_string()), expected)
}
