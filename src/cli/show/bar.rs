//! The progress of hashing: a live bar on a terminal, a line now and then in a log.
//!
//! Floor 4. The bar leaves the cursor in an empty line below itself, and changes no mode of the terminal. Work that
//! ends at once is not shown.

use super::live;
use super::pieces::bar;
use crate::base::path::for_terminal;
use crate::base::units::{average, duration, of, per_mille, percent, rate, time_left};
use crate::base::width;
use crate::cli::run::terminal;
use crate::cli::say;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How often a line is written to a log.
const LOGGED: Duration = Duration::from_secs(10);
/// The widest bar.
const MOST_BAR: usize = 30;
/// The narrowest bar that is useful.
const LEAST_BAR: usize = 5;

/// The progress of one job.
pub struct Bar {
    name: String,
    total: u64,
    began: Instant,
    way: Way,
}

enum Way {
    /// A live bar; whether it is drawn now.
    Live(bool),
    /// A line now and then; when the last line was written.
    Lines(Instant),
    Quiet,
}

impl Bar {
    /// The progress of the job `name`, which has `total` bytes.
    pub fn new(name: &str, total: u64, quiet: bool) -> Bar {
        let began = Instant::now();
        let way = match quiet {
            true => Way::Quiet,
            false if live::is_there() => Way::Live(false),
            false => Way::Lines(began),
        };
        Bar { name: for_terminal(name), total, began, way }
    }

    /// Reports that `done` bytes are done.
    pub fn tick(&mut self, done: u64) {
        let left = done < self.total;
        match &mut self.way {
            Way::Live(drawn) if left && !terminal::in_background() => {
                let back = if std::mem::replace(drawn, true) { "\r\x1b[1A" } else { "\r" };
                let columns = terminal::size().0.saturating_sub(1);
                let row = row(&self.name, done, self.total, self.began.elapsed(), columns, live::is_utf8());
                write(&format!("{back}{row}\x1b[K\n"));
            }
            Way::Lines(last) if left && last.elapsed() >= LOGGED => {
                *last = Instant::now();
                let numbers = numbers(done, self.total, self.began.elapsed()).join(", ");
                say::line(&format!("{}: {numbers}", self.name));
            }
            _ => {}
        }
    }

    /// Removes the bar. Returns how long the job took.
    pub fn end(&mut self) -> Duration {
        if matches!(self.way, Way::Live(true)) {
            write("\r\x1b[1A\x1b[J");
            self.way = Way::Live(false);
        }
        self.began.elapsed()
    }
}

/// If the job fails, its error message gets a clean line.
impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}

fn write(text: &str) {
    // If the terminal is gone, there is nowhere to report that.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn numbers(done: u64, total: u64, time: Duration) -> Vec<String> {
    let speed = average(done, time);
    let mut numbers = vec![percent(done, total), of(done, total), rate(speed)];
    numbers.extend(time_left(total.saturating_sub(done), speed).map(|left| format!("{} left", duration(left))));
    numbers
}

/// `Aishah  ██████░░░░  46.0 %  62.8 of 136 MiB  590 MiB/s  2 s left`, in at most `columns` columns.
fn row(name: &str, done: u64, total: u64, time: Duration, columns: usize, utf8: bool) -> String {
    let numbers = numbers(done, total, time).join("  ");
    let room = columns.saturating_sub(numbers.len() + 2);
    let bar_width = (room / 2).min(MOST_BAR);
    if bar_width < LEAST_BAR {
        return width::shorten_end(&numbers, columns, "");
    }
    let name = if utf8 { name.to_string() } else { name.replace(|c: char| !c.is_ascii(), "?") };
    let name = width::shorten_middle(&name, room.saturating_sub(bar_width + 2), if utf8 { "…" } else { "..." });
    let bar = bar(per_mille(done, total), 0, bar_width, utf8);
    if name.is_empty() { format!("{bar}  {numbers}") } else { format!("{name}  {bar}  {numbers}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_any_width() {
        let shown = |columns| row("日本語のファイル", 62 << 20, 136 << 20, Duration::from_millis(100), columns, true);
        assert_eq!(shown(80), "日本語…ファイル  ███████░░░░░░░░░░  45.5 %  62.0 of 136 MiB  620 MiB/s  1 s left");
        for columns in 0..200 {
            assert!(width::columns(&shown(columns)) <= columns, "{columns}: {}", shown(columns));
        }
    }
}
