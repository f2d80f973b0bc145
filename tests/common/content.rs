//! Content to share. It is pseudo-random, the same in every run, and compared with what arrived.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file, or a folder of files, as a torrent describes it.
#[derive(Clone)]
pub struct Content {
    /// The name of the file, or of the folder.
    pub name: String,
    /// The files of the folder, paths with `/`; `None` stands for the one file itself.
    pub files: Vec<(Option<String>, Vec<u8>)>,
}

impl Content {
    /// One file of `size` bytes.
    pub fn one_file(name: &str, size: usize) -> Content {
        Content { name: name.into(), files: vec![(None, bytes(name, size))] }
    }

    /// A folder of the files given by path and size.
    pub fn folder(name: &str, files: &[(&str, usize)]) -> Content {
        let files =
            files.iter().map(|(path, size)| (Some((*path).into()), bytes(&format!("{name}/{path}"), *size))).collect();
        Content { name: name.into(), files }
    }

    /// 300 files in nested folders, about 9 MiB. Every tenth is empty, and so are the first and the last. Most are so
    /// small that a piece spans many of them; some are so large that they span many pieces.
    pub fn tree(name: &str) -> Content {
        let mut files = Vec::new();
        for i in 0..300_usize {
            let folder = ["", "a/", "a/b/", "a/b/c/d/e/", "docs and notes/", "z/"][i % 6];
            let size = match i {
                299 => 0,
                _ if i % 10 == 0 => 0,
                _ if i % 50 == 7 => 700_000 + 1_301 * i,
                _ => (i * 7_919) % 30_000 + 1,
            };
            files.push((format!("{folder}file {i:03}.bin"), size));
        }
        let files: Vec<(&str, usize)> = files.iter().map(|(path, size)| (path.as_str(), *size)).collect();
        Content::folder(name, &files)
    }

    /// A folder with Japanese names in it, itself named in Japanese.
    pub fn japanese() -> Content {
        Content::folder(
            "東京の音楽",
            &[
                ("はじめに.txt", 1_234),
                ("第一章/さくら さくら.flac", 3_000_017),
                ("第一章/ﾊﾝｶｸ・ガ.txt", 0),
                ("第二章/富士山🗻.jpg", 700_001),
            ],
        )
    }

    /// The same without its empty files.
    pub fn without_empty_files(&self) -> Content {
        let files = self.files.iter().filter(|(_, data)| !data.is_empty()).cloned().collect();
        Content { name: self.name.clone(), files }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|(_, data)| data.len() as u64).sum()
    }

    /// Every byte in the order of the torrent.
    pub fn concatenated(&self) -> Vec<u8> {
        self.files.iter().flat_map(|(_, data)| data).copied().collect()
    }

    /// Writes it below `dir` and returns its path: of the file, or of the folder.
    pub fn write_to(&self, dir: &Path) -> PathBuf {
        for (path, data) in &self.files {
            let path = self.path_of(dir, path.as_deref());
            fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder can be made");
            fs::write(&path, data).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
        }
        dir.join(&self.name)
    }

    /// Panics unless the same bytes lie below `dir`. A folder of many files must hold no other file.
    pub fn assert_same_in(&self, dir: &Path) {
        if let Some(difference) = self.difference_in(dir) {
            panic!("the content differs: {difference}");
        }
    }

    /// The first difference between this content and the files below `dir`.
    pub fn difference_in(&self, dir: &Path) -> Option<String> {
        let mut expected = BTreeSet::new();
        for (path, data) in &self.files {
            let path = self.path_of(dir, path.as_deref());
            let found = match fs::read(&path) {
                Ok(found) => found,
                Err(e) => return Some(format!("{}: {e}", path.display())),
            };
            if found != *data {
                let first = found.iter().zip(data).position(|(a, b)| a != b);
                return Some(format!(
                    "{} has {} bytes of {}; the first wrong one is at {first:?}",
                    path.display(),
                    found.len(),
                    data.len()
                ));
            }
            expected.insert(path);
        }
        let stranger = files_below(&dir.join(&self.name)).into_iter().find(|path| !expected.contains(path));
        stranger.map(|path| format!("{} does not belong to this torrent", path.display()))
    }

    fn path_of(&self, dir: &Path, path: Option<&str>) -> PathBuf {
        let root = dir.join(&self.name);
        path.map_or(root.clone(), |path| root.join(path))
    }
}

/// Overwrites the file at `path` from `offset` with `len` bytes that are each wrong.
pub fn damage(path: &Path, offset: usize, len: usize) {
    let mut data = fs::read(path).expect("the file is there");
    data[offset..offset + len].iter_mut().for_each(|byte| *byte ^= 0xa5);
    fs::write(path, data).expect("the file can be written");
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    match fs::read_dir(path) {
        Ok(entries) => entries.flat_map(|entry| files_below(&entry.expect("the folder can be read").path())).collect(),
        Err(_) => vec![path.into()],
    }
}

/// `size` bytes that depend on `name` alone (splitmix64).
fn bytes(name: &str, size: usize) -> Vec<u8> {
    let mut state =
        name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let mut data = Vec::with_capacity(size + 8);
    while data.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        data.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    data.truncate(size);
    data
}
