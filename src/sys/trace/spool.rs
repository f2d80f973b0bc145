//! The lines of the trace on their way to the file.
//!
//! Floor 3, part of [`trace`](super). The threads that report put lines into a bounded memory; one thread writes them.
//! If the memory is full, they wait for the writer, because a trace with gaps is worth less than a slower download. But
//! a reader that has stopped for good must not stop the download: after [`PATIENCE`] without any progress, lines are
//! dropped and counted. The next line that finds room comes after one that says how many were lost. (A thread may hold
//! a lock of a peer while it waits here. The writer needs none of those.)

use super::form::Form;
use super::line::{Line, Way};
use crate::sys::lock;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of lines that may wait; as many are being written. That is a second of the messages of a fast download.
const MOST_BYTES: usize = 256 * 1024;
/// How long the writer may make no progress until lines are dropped.
const PATIENCE: Duration = Duration::from_secs(2);
/// The writer has made progress when it has written this many bytes: a slow reader is no reader that has stopped.
const CHUNK_BYTES: usize = 16 * 1024;
/// The subject of lines about the trace itself.
pub(super) const TRACE: &str = "trace";

/// Takes the lines of all threads.
pub(super) struct Spool(Arc<Shared>);

/// The line that says how many lines are missing.
fn lost(form: Form, lines: u64) -> String {
    match form {
        Form::Bare => format!("lost {lines}"),
        Form::Text | Form::Json => {
            Line::new(form == Form::Json, TRACE, Way::Here, &"-", "lost").number("lines", lines).done()
        }
    }
}

struct Shared {
    began: Instant,
    form: Form,
    state: Mutex<State>,
    /// There are lines, or the end has come.
    for_writer: Condvar,
    /// There is room again, or all is written.
    for_others: Condvar,
}

#[derive(Default)]
struct State {
    lines: String,
    /// How many chunks were written.
    chunks: u64,
    /// Lines that were dropped since the last one that was kept.
    lost: u64,
    /// The writer has made no progress for so long that nobody waits for it.
    is_stuck: bool,
    /// No line comes any more.
    ends: bool,
    /// The writer has ended: all is written, or nothing can be.
    is_over: bool,
}

impl Spool {
    /// Starts the thread that writes to `out`. If that fails, `failed` hears why.
    pub fn start(
        out: Box<dyn Write + Send>,
        form: Form,
        failed: impl Fn(&io::Error) + Send + 'static,
    ) -> io::Result<Spool> {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            form,
            state: Mutex::default(),
            for_writer: Condvar::new(),
            for_others: Condvar::new(),
        });
        let writer = Arc::clone(&shared);
        let run = move || writer.run(out, &failed);
        thread::Builder::new().name("trace".into()).stack_size(64 << 10).spawn(run)?;
        Ok(Spool(shared))
    }

    /// Adds a line. It gets its time here, so that the times never go back from one line to the next.
    pub fn add(&self, line: &str) {
        let shared = &*self.0;
        let mut state = lock(&shared.state);
        // A line that is longer than all of the memory goes alone: the bitfield of a peer, in a record.
        let has_room = |lines: &String| lines.is_empty() || lines.len() + line.len() <= MOST_BYTES;
        let is_full = |state: &State| !has_room(&state.lines) && !state.is_over;
        while is_full(&state) && !state.is_stuck {
            let before = state.chunks;
            let no_progress = |state: &mut State| is_full(state) && !state.is_stuck && state.chunks == before;
            let waited = shared.for_others.wait_timeout_while(state, PATIENCE, no_progress);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.is_stuck |= is_full(&state) && state.chunks == before;
        }
        if is_full(&state) || state.is_over || state.ends {
            state.lost += 1;
        } else {
            shared.put(&mut state, line);
        }
    }

    /// This is the last line. Waits until all are written, but not longer than `patience`.
    pub fn end(&self, line: &str, patience: Duration) {
        let mut state = lock(&self.0.state);
        self.0.put(&mut state, line);
        state.ends = true;
        drop(self.0.for_others.wait_timeout_while(state, patience, |state| !state.is_over));
    }
}

impl Shared {
    /// Puts a line in, after one that says how many were lost before.
    fn put(&self, state: &mut State, line: &str) {
        let lost = std::mem::take(&mut state.lost);
        if lost > 0 {
            self.push(&mut state.lines, &self::lost(self.form, lost));
        }
        self.push(&mut state.lines, line);
        self.for_writer.notify_one();
    }

    fn push(&self, lines: &mut String, line: &str) {
        *lines += &self.form.stamp(self.began.elapsed(), line);
    }

    /// Writes lines until the end.
    fn run(&self, mut out: Box<dyn Write + Send>, failed: &dyn Fn(&io::Error)) {
        let mut lines = String::new();
        loop {
            let state = lock(&self.state);
            let waited = self.for_writer.wait_while(state, |state| state.lines.is_empty() && !state.ends);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut state.lines, &mut lines);
            state.is_stuck = false;
            state.is_over = lines.is_empty();
            self.for_others.notify_all();
            if state.is_over {
                return;
            }
            drop(state);
            for chunk in lines.as_bytes().chunks(CHUNK_BYTES) {
                let written = out.write_all(chunk).and_then(|()| out.flush());
                let mut state = lock(&self.state);
                (state.chunks, state.is_stuck, state.is_over) = (state.chunks + 1, false, written.is_err());
                drop(state);
                self.for_others.notify_all();
                if let Err(error) = written {
                    return failed(&error);
                }
            }
            lines.clear();
        }
    }
}

#[cfg(test)]
mod tests;
