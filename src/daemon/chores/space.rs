//! How much space the disks have.
//!
//! Floor 4. A network disk may take minutes to answer, so a helper asks.

use super::{Places, start};
use crate::sys::in_words;
use rustix::fs::statvfs;
use std::collections::BTreeMap;
use std::path::Path;

/// The free space of folders, in bytes. A folder that can't be asked is left out.
pub type Space = BTreeMap<String, u64>;

/// The disks that programs ask at one time.
static PLACES: Places = Places::new(16);

/// Asks for the space of a folder, as [`of`], and passes it to `then`.
pub fn ask(folder: String, then: impl FnOnce(String, Result<(u64, u64), String>) + Send + 'static) {
    let Some(place) = PLACES.take() else {
        return then(
            folder,
            Err("too many disks are being asked for their space; ask again when they answered".into()),
        );
    };
    start("space", move || {
        let space = of(&folder);
        then(folder, space);
        drop(place);
    });
}

/// The free space of a folder for us, and all its space, in bytes. If the folder does not exist yet, the one that will
/// hold it counts.
pub fn of(folder: &str) -> Result<(u64, u64), String> {
    let existing = Path::new(folder).ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let found = statvfs(existing).map_err(|error| format!("{folder}: {}", in_words(&error.into())))?;
    let unit = found.f_frsize;
    Ok((found.f_bavail.saturating_mul(unit), found.f_blocks.saturating_mul(unit)))
}

/// The free space of these folders.
pub fn of_all(folders: Vec<String>) -> Space {
    folders.into_iter().filter_map(|folder| of(&folder).ok().map(|(free, _)| (folder, free))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_does_not_exist_has_the_space_of_the_one_above() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("a/b").display().to_string();
        let (free, whole) = of(&folder).unwrap();
        assert!(free > 0 && free <= whole);
        assert_eq!(of_all(vec![folder.clone()]).into_keys().collect::<Vec<_>>(), [folder]);
    }
}
