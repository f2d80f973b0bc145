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

    /// The same, but names that differ only in case, the form of accents, or dots and spaces at the end are one file.
    pub fn folding(at: &Path, scratch: &Path) -> HangingDisk {
        HangingDisk::with(at, scratch, &["fold"])
    }

    /// The same, but it refuses names that FAT refuses, and names that are too long for eCryptfs.
    pub fn picky(at: &Path, scratch: &Path) -> HangingDisk {
        HangingDisk::with(at, scratch, &["picky"])
    }

    /// The same, but times are as on FAT: in steps of 2 s, and the same for content and inode.
    pub fn coarse(at: &Path, scratch: &Path) -> HangingDisk {
        HangingDisk::with(at, scratch, &["coarse"])
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
        // With the first file that is closed, the kernel learns that it need not ask (see the script).
        let first = at.join("first");
        fs::write(&first, "").and_then(|()| fs::remove_file(&first)).expect("the file system works");
        HangingDisk { at: at.into(), process }
    }

    /// From now on it does not answer. (Nothing can end a process that waits for a call which the file system has begun
    /// to carry out. So it is stopped between two calls.)
    pub fn hang(&mut self) {
        let proc = PathBuf::from(format!("/proc/{}", self.process.id()));
        let is_stopped = || fs::read_to_string(proc.join("status")).is_ok_and(|status| status.contains("State:\tT"));
        wait_until("it is stopped between two calls", PATIENCE, || {
            let before = bytes_read(&proc);
            if !waits_for_a_call(&proc) {
                return false;
            }
            self.process.signal(Signal::STOP);
            wait_until("it is stopped", PATIENCE, is_stopped);
            // It may have read a call that came just now, and still seem to wait for it.
            let is_idle = waits_for_a_call(&proc) && bytes_read(&proc) == before;
            if !is_idle {
                self.process.signal(Signal::CONT);
            }
            is_idle
        });
    }

    /// It answers again.
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

/// Whether the process is in a system call on /dev/fuse, as proc_pid_syscall(5) shows it: its number, then the
/// descriptor.
fn waits_for_a_call(proc: &Path) -> bool {
    // Not every kernel shows it.
    let Ok(call) = fs::read_to_string(proc.join("syscall")) else { return true };
    let number = call.split(' ').nth(1).and_then(|word| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let file = number.and_then(|number| fs::read_link(proc.join("fd").join(number.to_string())).ok());
    file.is_some_and(|file| file == Path::new("/dev/fuse"))
}

/// The bytes that the process has read, in the words of proc_pid_io(5).
fn bytes_read(proc: &Path) -> Option<String> {
    let io = fs::read_to_string(proc.join("io")).ok()?;
    io.lines().find(|line| line.starts_with("rchar:")).map(str::to_string)
}
