//! Any leecher, measured from outside: its time, its processor time, its memory.

use super::common::process::Process;
use super::common::wait::wait_until;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than any leecher takes for a GiB on loopback.
const DEADLINE: Duration = Duration::from_secs(180);
/// A transfer has begun when this much is on disk. A file that is only created does not count.
const BEGUN_BYTES: u64 = 1 << 20;
/// Ticks of the kernel's process times per second: USER_HZ, 100 on every Linux that Debian builds.
const TICKS: u32 = 100;
/// One GiB.
pub const GIB: u64 = 1 << 30;

/// The figures of a leecher.
#[derive(Clone, Copy)]
pub struct Figures {
    /// From its first MiB on disk until all of it.
    pub transfer: Duration,
    /// From its start until its end.
    pub whole: Duration,
    /// User and system time from its start until its end.
    pub cpu: Duration,
    /// Its peak memory, in KiB.
    pub peak_kib: u64,
}

/// Starts a leecher with `start`. It must end by itself when it has the `size` bytes of `file`.
pub fn leecher(file: &Path, size: u64, start: impl FnOnce() -> Process) -> Figures {
    let cpu_before = children_cpu();
    let begin = Instant::now();
    let mut process = start();
    let (mut first, mut last, mut peak_kib) = (None, None, 0);
    let what = format!("{} has fetched all and ended", process.name());
    let mut status = None;
    wait_until(&what, DEADLINE, || {
        let on_disk = on_disk(file);
        first = first.or_else(|| (on_disk > BEGUN_BYTES).then(Instant::now));
        last = last.or_else(|| (on_disk >= size).then(Instant::now));
        // The memory of its last moments is missed, but by then everything is on disk.
        peak_kib = peak_kib.max(peak_memory(process.id()));
        status = process.ended();
        status.is_some()
    });
    let end = Instant::now();
    let status = status.expect("it has ended");
    assert!(status.success(), "{} failed: {status}", process.name());
    let transfer = last.unwrap_or(end) - first.expect("what it fetched is on disk");
    // No other child ends meanwhile: seeds and trackers outlive the leecher.
    Figures { transfer, whole: end - begin, cpu: children_cpu() - cpu_before, peak_kib }
}

/// Starts a leecher with `start`, and ends it when `size` bytes of `file` are on disk. It need not end by itself.
pub fn until(file: &Path, size: u64, start: impl FnOnce() -> Process) -> Figures {
    let begin = Instant::now();
    let mut process = start();
    let what = format!("{} has fetched {size} bytes", process.name());
    let mut first = None;
    wait_until(&what, DEADLINE, || {
        process.must_run();
        let on_disk = on_disk(file);
        first = first.or_else(|| (on_disk > BEGUN_BYTES).then(Instant::now));
        on_disk >= size
    });
    let transfer = first.expect("what it fetched is on disk").elapsed();
    Figures { transfer, whole: begin.elapsed(), cpu: cpu(process.id()), peak_kib: peak_memory(process.id()) }
}

/// The bytes of a file that are on disk; none if it is not there.
pub fn on_disk(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |data| data.blocks() * 512)
}

/// Runs `command`, which must succeed.
pub fn command(command: &mut Command) -> Figures {
    let cpu_before = children_cpu();
    let begin = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let mut peak_kib = 0;
    let status = loop {
        // Every millisecond: the command takes hundreds of them, and this look hardly any time.
        std::thread::sleep(Duration::from_millis(1));
        peak_kib = peak_kib.max(peak_memory(child.id()));
        if let Some(status) = child.try_wait().expect("the child is ours to wait for") {
            break status;
        }
    };
    let whole = begin.elapsed();
    assert!(status.success(), "{command:?} failed: {status}");
    Figures { transfer: whole, whole, cpu: children_cpu() - cpu_before, peak_kib }
}

/// The processor time of all children that have ended and were waited for (proc(5): cutime and cstime). It includes
/// their last moments.
fn children_cpu() -> Duration {
    times("self", [13, 14])
}

/// The CPU time of the threads that a process has now, to the nanosecond (schedstat of proc(5)).
pub fn cpu_of_threads(id: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).expect("the process runs").flatten();
    let of = |text: String| text.split(' ').next()?.parse::<u64>().ok();
    // A thread may end meanwhile.
    let each = tasks.filter_map(|task| of(fs::read_to_string(task.path().join("schedstat")).ok()?));
    Duration::from_nanos(each.sum())
}

/// The processor time of a process that runs.
pub fn cpu(id: u32) -> Duration {
    times(&id.to_string(), [11, 12])
}

/// The sum of two time fields of `process`, counted after its name.
fn times(process: &str, fields: [usize; 2]) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    // The name, in parentheses, may hold anything.
    let all: Vec<&str> = stat.rsplit_once(')').expect("it has a name").1.split_whitespace().collect();
    let ticks = fields.map(|field| all[field].parse::<u32>().expect("times are numbers"));
    Duration::from_secs(1) * (ticks[0] + ticks[1]) / TICKS
}

/// The peak of the resident memory of a process in KiB; 0 if it has ended.
pub fn peak_memory(id: u32) -> u64 {
    memory(id, "VmHWM:")
}

/// The resident memory of a process in KiB; 0 if it has ended.
pub fn resident(id: u32) -> u64 {
    memory(id, "VmRSS:")
}

fn memory(id: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let found = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse().ok());
    found.unwrap_or(0)
}

/// Seconds of processor time for a GiB, if `bytes` took `cpu`.
pub fn per_gib(cpu: Duration, bytes: u64) -> f64 {
    cpu.as_secs_f64() * GIB as f64 / bytes as f64
}

/// The median; of an even number, the lower of the two.
pub fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort();
    values[(values.len() - 1) / 2]
}
