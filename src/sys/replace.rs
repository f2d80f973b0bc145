//! Writes a file whole or not at all.
//!
//! Floor 3. The content goes to a new file beside the old one, which then takes the old one's name. So no reader ever sees
//! half of it, and after a failure the old file is still there.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The name of an unfinished file begins with this and ends with [`END`]; the process id and a number are between them.
const BEGIN: &str = ".swarmlet-";
const END: &str = ".new";

/// When the content must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before the file takes its name: a power cut leaves the old file or the new one.
    First,
    /// When the system likes: a power cut may leave an empty file.
    Later,
}

/// Replaces the file at `path`, or makes it, with the content that `write` writes. The permissions stay.
pub fn replace(path: &Path, sync: Sync, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let unfinished = beside(path);
    let written = File::create_new(&unfinished).and_then(|mut file| {
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        write(&mut file)?;
        if sync == Sync::First { file.sync_all() } else { Ok(()) }
    });
    written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| {
        // It may not exist.
        let _ = fs::remove_file(&unfinished);
    })
}

/// Whether a file can be made at `path`, or the reason why not.
pub fn try_place(path: &Path) -> io::Result<()> {
    let unfinished = beside(path);
    File::create_new(&unfinished)?;
    fs::remove_file(&unfinished)
}

/// Whether a file of this name is one that [`replace`] did not finish, because the process was killed.
pub fn is_unfinished(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(BEGIN) && name.ends_with(END))
}

/// A hidden name in the folder of `path` that no other process and no other thread takes.
fn beside(path: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!("{BEGIN}{}-{number}{END}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    fn names(dir: &Path) -> Vec<std::ffi::OsString> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_permissions() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        for (sync, content) in [(Sync::First, "old"), (Sync::Later, "new")] {
            try_place(&path).unwrap();
            replace(&path, sync, |file| file.write_all(content.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        replace(&path, Sync::Later, |_| Ok(())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(temp.path()), ["file"]);
    }

    #[test]
    fn after_a_failure_the_old_file_is_there_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, "old").unwrap();
        let mut unfinished = Vec::new();
        let failed = replace(&path, Sync::First, |file| {
            file.write_all(b"half")?;
            unfinished = names(temp.path());
            Err(io::Error::other("full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "full");
        assert_eq!(unfinished.iter().filter(|name| is_unfinished(name)).count(), 1);
        assert_eq!((names(temp.path()), fs::read_to_string(&path).unwrap()), (vec!["file".into()], "old".to_string()));
        assert!(try_place(&temp.path().join("none/file")).is_err());
        assert!(replace(temp.path(), Sync::Later, |_| Ok(())).is_err(), "a folder is not replaced");
    }
}
