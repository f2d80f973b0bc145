//! Whether two files of the torrent are one file on this disk: a write to one of them would corrupt the other.
//!
//! Floor 3. The reason may be hard links, a bind mount, or a file system that ignores how their names differ: in case
//! (FAT, exFAT, NTFS, SMB), in the form of accents (HFS+, APFS), in dots and spaces at the end (FAT, SMB). Files that
//! exist are compared by device and inode. Files that do not exist are tried: the first is created, and then the second
//! must not exist. This is done only for names that some known file system treats as the same. On other file systems
//! the second file cannot be created later (see `content/making.rs`), and nothing is corrupted. Files that exist on a
//! file system without lasting inodes count as one if their sizes and times are equal, unless the disk lists both
//! names.
//!
//! Two files that have all their pieces may be one file: their content is the same, and nothing is written to them.

use super::claim::refuse;
use crate::base::sort::sorted;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::PathBuf;

/// Refuses two files that are one file on the disk, if one of them lacks pieces. `own`: the verified pieces in the
/// files; `inodes`: of the files that exist, otherwise 0.
pub fn refuse_shared(content: &Content, own: &Bitfield, inodes: &[u64], recorded: &[bool]) -> Result<(), ContentError> {
    compare(content, own, inodes)?;
    let mut created = BTreeSet::new();
    try_names(content, own, recorded, &mut created)
        .inspect_err(|_| created.iter().for_each(|file| content.remove(*file)))
}

/// Compares the files that exist.
fn compare(content: &Content, own: &Bitfield, inodes: &[u64]) -> Result<(), ContentError> {
    let order = sorted(inodes.len(), &|a, b| inodes[a].cmp(&inodes[b]));
    for group in order.chunk_by(|a, b| inodes[*a as usize] == inodes[*b as usize]).filter(|group| group.len() > 1) {
        let files = || group.iter().map(|file| *file as usize);
        for file in files().filter(|file| inodes[*file] != 0 && content.lacks(*file, own)) {
            if let Some(other) = files().find(|other| *other != file && content.is_same(file, *other)) {
                return Err(one(content, file, other));
            }
        }
    }
    Ok(())
}

/// Creates the missing files whose names may be the same for the disk.
fn try_names(
    content: &Content,
    own: &Bitfield,
    recorded: &[bool],
    created: &mut BTreeSet<usize>,
) -> Result<(), ContentError> {
    let (files, mut folders) = (&content.metainfo.files, BTreeMap::new());
    let key = |file: usize| if content.may_be_written(file) { key(&content.path(file)) } else { 0 };
    let keys: Vec<u64> = (0..files.len()).map(key).collect();
    let order = sorted(keys.len(), &|a, b| keys[a].cmp(&keys[b]).then(a.cmp(&b)));
    for group in order.chunk_by(|a, b| keys[*a as usize] == keys[*b as usize]).filter(|group| group.len() > 1) {
        let files = || group.iter().map(|file| *file as usize).filter(|file| keys[*file] != 0);
        for file in files().filter(|file| content.is_vacant(*file)) {
            let Err(error) = content.create(file) else {
                created.insert(file);
                continue;
            };
            let exists = error.error.kind() == ErrorKind::AlreadyExists;
            let mut others = files().filter(|other| exists && *other != file && !content.is_vacant(*other));
            // Not every file system has inodes to compare.
            let other = others.find(|other| content.is_same(file, *other) || !content.known.numbered);
            return Err(other.map_or(error, |other| one(content, file, other)));
        }
        // On a file system that gives one file two inodes, files that exist are compared by their stamps. (Files that
        // swarmlet was making were compared when they were created.)
        let look = |file: usize| content.find_file(file).ok().map(|(_, found)| (content.known.stamp(&found), file));
        let in_doubt = |file: &usize| !content.known.numbered && !created.contains(file);
        let mut looks: Vec<_> = files().filter(in_doubt).filter_map(look).collect();
        looks.sort_unstable();
        for ((stamp, file), (other_stamp, other)) in looks.iter().zip(looks.iter().skip(1)) {
            let may_be_one = stamp == other_stamp && !(recorded[*file] && recorded[*other]);
            let mut pair = [*file, *other].into_iter();
            if may_be_one
                && pair.clone().any(|file| content.lacks(file, own))
                && !pair.all(|file| is_listed(content, file, &mut folders))
            {
                return Err(one(content, *file, *other));
            }
        }
    }
    Ok(())
}

/// Whether the disk lists a file by its very name, and its folders by theirs. If it treats two names as the same, it
/// lists at most one of them. `folders`: what it has listed so far.
fn is_listed(content: &Content, file: usize, folders: &mut BTreeMap<PathBuf, BTreeSet<OsString>>) -> bool {
    let path = content.dir.join(content.path(file));
    let mut below = path.ancestors().take_while(|path| **path != *content.dir);
    below.all(|path| {
        let folder = path.parent().unwrap_or(path);
        let list = || fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        let listed = folders.entry(folder.into()).or_insert_with(list);
        path.file_name().is_some_and(|name| listed.contains(name))
    })
}

fn one(content: &Content, file: usize, other: usize) -> ContentError {
    let other = content.dir.join(content.path(other));
    refuse(
        content,
        file,
        &format!(
            "on this disk it is the same file as {}; choose a folder on another disk with --dir, or leave one of them \
             out with --exclude",
            other.display()
        ),
    )
}

/// Returns the same number for all names that a file system may treat as the same. (Other names may have the same
/// number too, which does no harm.)
fn key(path: &str) -> u64 {
    let mut kept = String::with_capacity(path.len());
    for component in path.split('/') {
        kept.push('/');
        for character in component.trim_end_matches(['.', ' ']).chars() {
            match character {
                // An accent after a letter: together they may be one character that is left out.
                '\u{300}'..='\u{36f}' if kept.ends_with(|last: char| last.is_ascii_alphabetic()) => drop(kept.pop()),
                // Some disks have no such characters in names (see `base/path`).
                '"' | '*' | ':' | '<' | '>' | '?' | '|' | '\\' => kept.push('_'),
                _ if character.is_ascii() => kept.push(character.to_ascii_lowercase()),
                // Kana may have a mark of their own; the other characters of East Asia have one form and no case.
                '\u{3040}'..='\u{30ff}' => {}
                '\u{2e80}'..='\u{a4cf}' => kept.push(character),
                _ => {}
            }
        }
    }
    let mut hasher = DefaultHasher::new();
    kept.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_file_system_may_take_for_one_have_one_key() {
        for (one, other) in [
            ("a/B.txt", "A/b.TXT"),
            ("a/b. ", "a/b"),
            ("a?.txt", "a*.txt"),
            ("a\\b", "a_b"),
            ("a./b", "a/b"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("\u{c9}", "\u{e9}"),
            ("\u{304c}", "\u{304b}\u{3099}"),
            ("\u{ac00}", "\u{1100}\u{1161}"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        for (one, other) in [("a/b", "ab"), ("a/b", "a/c"), ("\u{6f22}", "\u{5b57}"), ("01 \u{304c}", "02 \u{304c}")] {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
    }
}
