//! The trace of `--trace`: one line for each message, packet and decision.
//!
//! Floor 3. Any thread may write a [`line`](line()). As with the log, there is one trace for the whole process. If it
//! is off, [`is_on`] is a look at a number, and nothing is made or kept. The lines go through the bounded memory of a
//! [`spool`] to one thread that writes them. The book's chapter `trace` describes the format.

mod form;
mod line;
pub mod record;
pub mod speaker;
mod spool;

use crate::sys;
use form::Form;
pub use line::{Line, Way};
use spool::Spool;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of the format. It changes if the meaning of a line changes.
pub const FORMAT: u64 = 1;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Connections to peers and their messages.
    Peer,
    /// Which blocks are requested, and why.
    Pick,
    /// Which peers are served, and why.
    Choke,
    /// Announces and scrapes, over HTTP and UDP.
    Tracker,
    /// Packets and lookups of the DHT.
    Dht,
    /// Addresses that peers exchange.
    Pex,
    /// Packets in the local network.
    Lsd,
    /// Requests to web seeds.
    Web,
}

impl Subject {
    /// All of them, in the order of their bits.
    pub const ALL: [Subject; 8] = [
        Subject::Peer,
        Subject::Pick,
        Subject::Choke,
        Subject::Tracker,
        Subject::Dht,
        Subject::Pex,
        Subject::Lsd,
        Subject::Web,
    ];

    /// The word for it in a line and in `--trace-only`.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Peer => "peer",
            Subject::Pick => "pick",
            Subject::Choke => "choke",
            Subject::Tracker => "tracker",
            Subject::Dht => "dht",
            Subject::Pex => "pex",
            Subject::Lsd => "lsd",
            Subject::Web => "web",
        }
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What the first line of a trace contains, as text and as JSON ...
const MARKS: [&str; 2] = [" trace - - begins format ", "\"subject\":\"trace\""];
/// ... within this many bytes.
const MOST_HEAD: u64 = 64;

/// A bit for each subject that is traced.
static SUBJECTS: AtomicU32 = AtomicU32::new(0);
/// Where the lines go.
static TRACE: OnceLock<Trace> = OnceLock::new();

struct Trace {
    spool: Spool,
    is_json: bool,
}

/// Whether lines about `subject` are wanted. Look before you make one.
pub fn is_on(subject: Subject) -> bool {
    SUBJECTS.load(Ordering::Relaxed) & subject.bit() != 0
}

/// Begins a line about `subject`; `peer` is the other side: an address, or a URL without its secrets.
pub fn line(subject: Subject, way: Way, peer: &dyn std::fmt::Display, what: &str) -> Line {
    let line = Line::new(TRACE.get().is_some_and(|trace| trace.is_json), subject.name(), way, peer, what);
    match speaker::name() {
        Some(name) => line.word("by", &name),
        None => line,
    }
}

/// Begins a line that is not for the trace of this process.
pub fn other_line(is_json: bool, subject: Subject, way: Way, peer: &dyn std::fmt::Display, what: &str) -> Line {
    Line::new(is_json, subject.name(), way, peer, what)
}

/// Writes a line.
fn write(line: &str) {
    if let Some(trace) = TRACE.get() {
        trace.spool.add(line);
    }
}

/// What is done when the trace can't be written any more. It gets the reason.
pub type Failed = Box<dyn Fn(&io::Error) + Send>;

/// Begins the trace: to a new file at `path`, or to standard error. If that can't be written later, `failed` is told
/// why, once, and the trace ends there.
pub fn begin(path: Option<&Path>, is_json: bool, subjects: &[Subject], failed: Failed) -> io::Result<()> {
    let out: Box<dyn Write + Send> = match path {
        Some(path) => Box::new(create(path, &MARKS, "a trace")?),
        None => Box::new(io::stderr()),
    };
    let give_up = move |error: &io::Error| {
        SUBJECTS.store(0, Ordering::Relaxed);
        failed(error);
    };
    let form = if is_json { Form::Json } else { Form::Text };
    if TRACE.set(Trace { spool: Spool::start(out, form, give_up)?, is_json }).is_ok() {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let first = Line::new(is_json, spool::TRACE, Way::Here, &"-", "begins").number("format", FORMAT);
        first.number("unix", since.as_secs()).text("version", env!("CARGO_PKG_VERSION")).write();
        SUBJECTS.store(subjects.iter().map(|subject| subject.bit()).sum(), Ordering::Relaxed);
    }
    Ok(())
}

/// Creates the file, or replaces an earlier one of the same kind: `a trace`, which begins with one of `marks`. Another
/// file of the user is not harmed.
fn create(path: &Path, marks: &[&str], kind: &str) -> io::Result<File> {
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    let head = if is_file { sys::read_most(path, MOST_HEAD)? } else { Vec::new() };
    let is_known = marks.iter().any(|mark| head.windows(mark.len()).any(|part| part == mark.as_bytes()));
    if !head.is_empty() && !is_known {
        return Err(io::Error::other(format!("it is there, and it is not {kind}; name another file")));
    }
    // It contains the addresses of peers.
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Ends the trace and the record with a last line, and waits until all lines are written. For each of the two it waits
/// no longer than `patience`.
pub fn end(patience: Duration) {
    record::end(patience);
    if let Some(trace) = TRACE.get() {
        SUBJECTS.store(0, Ordering::Relaxed);
        trace.spool.end(&Line::new(trace.is_json, spool::TRACE, Way::Here, &"-", "ends").done(), patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_an_earlier_trace_or_an_empty_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for replaced in ["", "0.000310 trace - - begins format 1\n", "{\"time\":0.000310,\"subject\":\"trace\",\"way\""]
        {
            fs::write(&path, replaced).unwrap();
            create(&path, &MARKS, "a trace").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"");
        }
        fs::write(&path, "a letter").unwrap();
        assert!(create(&path, &MARKS, "a trace").unwrap_err().to_string().contains("not a trace"));
        assert_eq!(fs::read(&path).unwrap(), b"a letter");
        create(&dir.path().join("new"), &MARKS, "a trace").unwrap();
    }

    #[test]
    fn each_subject_has_a_bit_of_its_own() {
        let all: u32 = Subject::ALL.iter().map(|subject| subject.bit()).sum();
        assert_eq!(all.count_ones() as usize, Subject::ALL.len());
    }
}
