//! The lines of a record that is a file.
//!
//! Floor 4, part of [`replay`](super). No more than one line is in memory, and its length is bounded.

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::typed;
use crate::proto::peer::message::MAX_MESSAGE_BYTES;
use crate::sys::in_words;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

/// The longest line, in bytes: the longest message in hex. The choice among a million files needs less, and so does a
/// tier of 2000 trackers whose names have 253 bytes, as names of hosts have at most.
const MOST_LINE_BYTES: u64 = 2 * MAX_MESSAGE_BYTES as u64 + 4096;

/// The lines of a file, one after the other.
pub struct Lines {
    /// The name of the file, for people.
    shown: String,
    from: Box<dyn BufRead>,
    /// The number of the last line.
    pub number: u64,
    line: Vec<u8>,
}

impl Lines {
    /// Opens the file; `-` is standard input.
    pub fn open(path: &OsStr) -> Result<Lines, Failure> {
        let shown = typed::shown(path);
        let from: Box<dyn BufRead> = if path == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(path);
            let cant_read = |error| Failure::new(Exit::NoInput, format!("can't read {shown}: {}", in_words(&error)));
            Box::new(BufReader::new(file.map_err(cant_read)?))
        };
        Ok(Lines { shown, from, number: 0, line: Vec::new() })
    }

    /// The next line; `None`: the file ends, perhaps in the middle of a line.
    pub fn next(&mut self) -> Result<Option<&str>, Failure> {
        self.number += 1;
        self.line.clear();
        // One byte more shows that the line is too long.
        let read = (&mut self.from).take(MOST_LINE_BYTES + 1).read_until(b'\n', &mut self.line);
        let read = read
            .map_err(|error| Failure::new(Exit::NoInput, format!("can't read {}: {}", self.shown, in_words(&error))))?;
        if read as u64 > MOST_LINE_BYTES {
            return Err(self.wrong(&format!("expected a line of at most {MOST_LINE_BYTES} bytes")));
        }
        if self.line.pop() != Some(b'\n') {
            return Ok(None);
        }
        match str::from_utf8(&self.line) {
            Ok(line) => Ok(Some(line)),
            Err(_) => Err(Failure::new(
                Exit::BadTorrent,
                format!("{}, line {}: expected text in UTF-8", self.shown, self.number),
            )),
        }
    }

    /// The last line is wrong.
    pub fn wrong(&self, why: &str) -> Failure {
        Failure::new(Exit::BadTorrent, self.at(&format!(": {why}")))
    }

    /// Something about the last line, for people.
    pub fn at(&self, what: &str) -> String {
        format!("{}, line {}{}", self.shown, self.number, what)
    }
}
