//! A folder for what the demo needs for a moment. It goes away with everything in it.
//!
//! Floor 4, part of [`demo`](super).

use crate::base::hex::to_hex;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::output::cant_write;
use crate::cli::options::typed;
use crate::sys::{in_words, random};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// What is said to a person who stops the demo.
pub const INTERRUPTED: &str = "interrupted; every file is deleted";

/// The folder. It is deleted when this is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a new folder where temporary files go, which nobody else may read.
    pub fn new() -> Result<Scratch, Failure> {
        let below = std::env::temp_dir();
        let path = below.join(format!("swarmlet-demo-{}", to_hex(&random::bytes::<6>())));
        let cant = |error| {
            let shown = typed::shown(&below);
            let text = format!("can't make a folder in {shown}: {}; TMPDIR names another place", in_words(&error));
            Failure::new(Exit::CantCreate, text)
        };
        DirBuilder::new().mode(0o700).create(&path).map_err(cant)?;
        Ok(Scratch(path))
    }

    /// Makes a folder in it.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join(name);
        fs::create_dir(&path).map_err(|error| cant_write(&path, &error))?;
        Ok(path)
    }

    /// Deletes everything. If files are still being made there, some may stay until the next try.
    pub fn delete(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.delete();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_for_the_moment_is_private_and_leaves_nothing() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.0.clone();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(scratch.folder("a").unwrap().join("file"), "content").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
