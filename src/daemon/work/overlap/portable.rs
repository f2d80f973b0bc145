//! Names that all file systems and network shares take: new torrents of the daemon get them on the disk.
//!
//! Floor 4. Pure. Transmission does the same, and programs count on it: Sonarr looks for `A_ B` if a torrent is called
//! `A: B`.

use crate::base::path::portable;
use crate::proto::metainfo::Metainfo;
use crate::storage::content::renamed::Renamed;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The paths in a torrent whose last component has another name on the disk, with that name. None if two names would
/// become the same: then all stay as they are.
pub fn portable_names(metainfo: &Metainfo) -> Vec<(PathBuf, String)> {
    let mut names = BTreeMap::new();
    for entry in metainfo.files.iter().filter(|entry| !entry.padding) {
        let path = entry.path();
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let name = path[..end].rsplit('/').next().unwrap_or_default();
            let other = portable(name, false);
            if other != name {
                names.insert(path[..end].to_string(), other);
            }
        }
    }
    let names: Vec<(PathBuf, String)> = names.into_iter().map(|(path, name)| (path.into(), name)).collect();
    if Renamed::new(&names, metainfo).is_ok() { names } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, files: &[&str]) -> Vec<(String, String)> {
        let file = |path: &&str| {
            let path: String = path.split('/').map(|part| format!("{}:{part}", part.len())).collect();
            format!("d6:lengthi1e4:pathl{path}ee")
        };
        let files: String = files.iter().map(file).collect();
        let pieces = "x".repeat(20);
        let (length, info) = (name.len(), "12:piece lengthi16384e6:pieces20:");
        let torrent = format!("d4:infod5:filesl{files}e4:name{length}:{name}{info}{pieces}ee");
        let names = portable_names(&Metainfo::parse(torrent.as_bytes()).unwrap());
        names.into_iter().map(|(path, name)| (path.to_string_lossy().into_owned(), name)).collect()
    }

    #[test]
    fn reserved_characters_become_underscores_unless_two_names_become_the_same() {
        assert_eq!(named("plain", &["a", "b/c"]), []);
        let pair = |path: &str, name: &str| (path.to_string(), name.to_string());
        assert_eq!(
            named("S: 1", &["who?/a*b", "who?/c", "d"]),
            [pair("S: 1", "S_ 1"), pair("S: 1/who?", "who_"), pair("S: 1/who?/a*b", "a_b")]
        );
        assert_eq!(named("S: 1", &["a?", "a*"]), []);
        assert_eq!(named("x", &["a?", "a_"]), []);
    }
}
