//! The files of a torrent as a tree: each folder once, with the total size of its files.
//!
//! Floor 4. A torrent may list its files in any order, so their indices are sorted first; no path is copied.

use crate::base::path::for_terminal;
use crate::base::sort::sorted;
use crate::proto::metainfo::{FileEntry, Files, Metainfo};

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
    files: &'a Files,
    /// The indices of the files without padding, in the order of their paths.
    order: Vec<u32>,
    /// The file whose row comes next, or the rows of its folders.
    next: usize,
    /// How many of its folders have had their row.
    depth: usize,
}

impl<'a> Tree<'a> {
    /// The tree of the torrent.
    pub fn of(metainfo: &'a Metainfo) -> Tree<'a> {
        let files = &metainfo.files;
        let mut order = sorted(files.len(), &|a, b| files.at(a).order(&files.at(b)));
        order.retain(|place| !files.at(*place as usize).padding);
        Tree { files, order, next: 0, depth: 0 }
    }

    /// The file at a position of the order.
    fn file(&self, at: usize) -> Option<FileEntry<'a>> {
        Some(self.files.at(*self.order.get(at)? as usize))
    }
}

impl Iterator for Tree<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let file = self.file(self.next)?;
        let path = file.path();
        let indent = "  ".repeat(self.depth);
        let slash = |place: usize| path.match_indices('/').nth(place).map(|(at, _)| at);
        let below = self.depth.checked_sub(1).and_then(slash).map_or(0, |at| at + 1);
        if let Some(end) = slash(self.depth).filter(|_| self.depth < DEEPEST) {
            // A folder. The files in it follow.
            let inside = file.inside();
            let folder = inside.get(..(end + 1 + inside.len()).saturating_sub(path.len())).unwrap_or_default();
            let inside =
                (self.next..).map_while(|at| self.file(at)).take_while(|other| other.inside().starts_with(folder));
            let bytes = inside.fold(0u64, |sum, other| sum.saturating_add(other.length));
            self.depth += 1;
            return Some(Row { bytes, text: format!("{indent}{}/", for_terminal(&path[below..end])) });
        }
        let row = Row { bytes: file.length, text: indent + &for_terminal(&path[below..]) };
        self.next += 1;
        // The folders that the next file shares with this one have had their rows.
        if let Some(next) = self.file(self.next) {
            let (this, that) = (path.split('/'), next.path());
            self.depth = this.zip(that.split('/')).take_while(|(a, b)| a == b).count().min(self.depth);
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
