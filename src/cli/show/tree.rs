//! The files of a torrent as a tree: each folder once, with the total size of its files.
//!
//! Floor 4. A torrent may list its files in any order, so their indices are sorted first; no path is copied.

use crate::base::path::{escaped, for_terminal};
use crate::base::sort::sorted;
use crate::proto::metainfo::{FileEntry, Metainfo};

/// Deeper folders have no rows of their own. Otherwise a small torrent with deep paths could produce gigabytes of
/// spaces.
const DEEPEST: usize = 16;

/// A row of the tree.
pub struct Row {
    /// The bytes of the file, or of all files in the folder.
    pub bytes: u64,
    /// The name, indented, safe for a terminal. The name of a folder ends with `/`.
    pub text: String,
}

/// The rows of a torrent's files, from the top.
pub struct Tree<'a> {
    metainfo: &'a Metainfo,
    /// The indices of the files without padding, in the order of their paths.
    order: Vec<u32>,
    /// The file whose row comes next, or the rows of its folders.
    next: usize,
    /// How many of its folders have had their row.
    depth: usize,
    /// The bytes of its path that these folders take. (Paths are only escaped where they are shown: a stranger wrote
    /// them, and escaping a long one for each of its rows would take minutes.)
    begun: usize,
}

impl<'a> Tree<'a> {
    /// The tree of the torrent.
    pub fn of(metainfo: &'a Metainfo) -> Tree<'a> {
        let files = &metainfo.files;
        let mut order = sorted(files.len(), &|a, b| files.at(a).order(&files.at(b)));
        order.retain(|place| !files.at(*place as usize).padding);
        Tree { metainfo, order, next: 0, depth: 0, begun: 0 }
    }

    /// The file at a position of the order.
    fn file(&self, at: usize) -> Option<FileEntry<'a>> {
        Some(self.metainfo.files.at(*self.order.get(at)? as usize))
    }

    /// The row of a folder, whose files are the next ones. `path` is its path within the torrent's folder, with its
    /// `/`.
    fn folder(&self, name: &str, path: &[u8]) -> Row {
        let inside = (self.next..).map_while(|at| self.file(at)).take_while(|file| file.raw.starts_with(path));
        let bytes = inside.fold(0u64, |sum, file| {
            #[cfg(test)]
            tests::STEPS.set(tests::STEPS.get() + path.len());
            sum.saturating_add(file.length)
        });
        self.row(bytes, &format!("{name}/"))
    }

    fn row(&self, bytes: u64, name: &str) -> Row {
        Row { bytes, text: "  ".repeat(self.depth) + &for_terminal(name) }
    }
}

impl Iterator for Tree<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let file = self.file(self.next)?;
        if self.depth == 0 && self.metainfo.is_folder {
            let row = self.folder(&self.metainfo.name, b"");
            self.depth = 1;
            return Some(row);
        }
        let rest = &file.raw[self.begun..];
        if let Some(end) = rest.iter().position(|byte| *byte == b'/').filter(|_| self.depth < DEEPEST) {
            let path = &file.raw[..self.begun + end + 1];
            let row = self.folder(&escaped(&rest[..end]), path);
            (self.depth, self.begun) = (self.depth + 1, path.len());
            return Some(row);
        }
        let row = self.row(file.length, &escaped(rest));
        self.next += 1;
        // The folders that the next file shares with this one have had their rows.
        if let Some(next) = self.file(self.next) {
            let alike = file.raw[..self.begun].iter().zip(next.raw).take_while(|(a, b)| a == b).count();
            let shared = file.raw[..alike].iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
            self.depth -= file.raw[shared..self.begun].iter().filter(|byte| **byte == b'/').count();
            self.begun = shared;
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// How many bytes of paths were compared to sum up the folders.
        pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    /// However deep the folders are, and whatever their names are made of.
    #[test]
    fn the_time_is_linear_in_the_bytes_of_the_paths() {
        let deep = "2:\u{e9}".repeat(100);
        for count in [100, 1000] {
            let list: String = (0..count).map(|place| format!("d6:lengthi1e4:pathl{deep}8:{place:08}1:xee")).collect();
            let text =
                format!("d4:infod5:filesl{list}e4:name1:t12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee");
            let metainfo = Metainfo::parse(text.as_bytes()).unwrap();
            STEPS.set(0);
            assert_eq!(Tree::of(&metainfo).count(), DEEPEST + count);
            assert!((1..=DEEPEST * text.len()).contains(&STEPS.get()), "{} steps", STEPS.get());
        }
    }

    #[test]
    fn each_folder_comes_once_with_its_total_size() {
        let paths = ["t/b", "t/a/x/2", "t/a b", "t/a/1", "t/.pad/9", "t/a/x/10"];
        let list: String = paths
            .iter()
            .enumerate()
            .map(|(place, path)| {
                let path: String = path.split('/').skip(1).map(|name| format!("{}:{name}", name.len())).collect();
                let attr = if path.contains(".pad") { "4:attr1:p" } else { "" };
                format!("d{attr}6:lengthi{}e4:pathl{path}ee", 1 << place)
            })
            .collect();
        let text = format!("d4:infod5:filesl{list}e4:name1:t12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee");
        let metainfo = Metainfo::parse(text.as_bytes()).unwrap();
        let rows: Vec<String> = Tree::of(&metainfo).map(|row| format!("{} {}", row.bytes, row.text)).collect();
        assert_eq!(rows, ["47 t/", "42   a/", "8     1", "34     x/", "32       10", "2       2", "4   a b", "1   b"]);
    }
}
