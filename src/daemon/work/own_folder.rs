//! No torrent may have a file in the daemon's own folder: a stranger's torrent could bring settings there, or records
//! of other torrents, and the daemon would believe them when it starts again.
//!
//! Floor 4, part of the [loop](super).

use super::Daemon;
use crate::base::path::for_terminal;
use crate::proto::metainfo::Metainfo;
use crate::storage::content::renamed::Renamed;
use std::fs;
use std::path::{Path, PathBuf};

impl Daemon {
    /// Whether content in one of these folders could be in the daemon's own one.
    pub(super) fn may_reach_own_folder(&self, dirs: &[&str]) -> bool {
        let own = without_links(&self.state.dir.path);
        dirs.iter().map(|dir| without_links(Path::new(dir))).any(|dir| own.starts_with(&dir) || dir.starts_with(&own))
    }

    /// Why a torrent can't have its content in `dirs`, with these names on the disk.
    pub(super) fn in_own_folder(&self, metainfo: &Metainfo, renamed: &Renamed, dirs: &[&str]) -> Result<(), String> {
        if !self.may_reach_own_folder(dirs) {
            return Ok(());
        }
        let paths = || metainfo.files.iter().map(|file| renamed.path(&file.path()).into_owned());
        match dirs.iter().find_map(|dir| first_below(&self.state.dir.path, Path::new(dir), paths())) {
            Some(path) => {
                Err(format!("{} would be in the daemon's own folder: choose another folder", for_terminal(&path)))
            }
            None => Ok(()),
        }
    }
}

/// The first of the `paths` in `dir` that is the folder `own`, or is in it.
fn first_below(own: &Path, dir: &Path, mut paths: impl Iterator<Item = String>) -> Option<String> {
    let (own, dir) = (without_links(own), without_links(dir));
    paths.find(|path| dir.join(path).components().collect::<PathBuf>().starts_with(&own))
}

/// The path without symbolic links, as far as it exists.
fn without_links(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    found.map_or_else(
        || path.into(),
        |(above, real)| real.join(path.strip_prefix(above).unwrap_or(path)).components().collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_in_the_daemons_own_folder_is_found_also_through_links() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path().join("home");
        fs::create_dir_all(home.join(".local/state")).unwrap();
        symlink(&home, temp.path().join("link")).unwrap();
        let own = home.join(".local/state/swarmlet");
        let found = |dir: &str, path: &str| first_below(&own, &temp.path().join(dir), [path.to_string()].into_iter());
        for (dir, path) in [
            ("home", ".local/state/swarmlet/imported.conf"),
            ("home", ".local/state/swarmlet"),
            ("link", ".local/state/swarmlet/x"),
            ("link/.local", "state/swarmlet/x"),
            ("home/.local/state/swarmlet/new", "a"),
            ("", "home/.local/state/swarmlet/a/b"),
        ] {
            assert_eq!(found(dir, path).as_deref(), Some(path), "{dir} {path}");
        }
        for (dir, path) in [("home", ".local/state/swarmlet2"), ("home", "a"), ("home/new", ".local/state/swarmlet/x")]
        {
            assert_eq!(found(dir, path), None, "{dir} {path}");
        }
    }
}
