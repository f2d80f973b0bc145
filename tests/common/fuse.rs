//! A disk that hangs on command: a file system in a process (FUSE) that can be stopped.

use super::process::Process;
use super::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in a process. It is unmounted when dropped, and calls that still wait for it get an error.
pub struct HangingDisk {
    at: PathBuf,
    process: Process,
}

impl HangingDisk {
    /// Mounts it at `at`, which is created. Its files lie in the folder `at` with `.behind` added.
    pub fn mount(at: &Path, scratch: &Path) -> HangingDisk {
        HangingDisk::with(at, scratch, &[])
    }

    /// The same, and names are one if only case, the form of accents, or dots and spaces at the end differ.
    #[allow(dead_code)] // Not every program of tests needs it.
    pub fn folding(at: &Path, scratch: &Path) -> HangingDisk {
        HangingDisk::with(at, scratch, &["fold"])
    }

    fn with(at: &Path, scratch: &Path, options: &[&str]) -> HangingDisk {
        let behind = at.with_extension("behind");
        [at, &behind].iter().for_each(|dir| fs::create_dir_all(dir).expect("the folder can be made"));
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
        let before = device(at);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/hanging_fs.py");
        let mut command = Command::new("python3");
        let mut process = Process::start("disk", command.arg(script).arg(&behind).arg(at).args(options), scratch);
        wait_until("the file system is mounted", PATIENCE, || {
            process.must_run();
            device(at) != before
        });
        HangingDisk { at: at.into(), process }
    }

    /// From now on it does not answer.
    #[allow(dead_code)] // Not every program of tests needs it.
    pub fn hang(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// It answers again.
    #[allow(dead_code)] // Not every program of tests needs it.
    pub fn recover(&mut self) {
        self.process.signal(Signal::CONT);
    }
}

impl Drop for HangingDisk {
    fn drop(&mut self) {
        // A process that is stopped ends too.
        self.process.signal(Signal::KILL);
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}
