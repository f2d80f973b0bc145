//! The table: Markdown that lines up when it is read as text, too.

use super::common::tools::say;
use std::time::Duration;

/// A run's report, printed as it grows.
pub struct Report {
    met: usize,
    missed: Vec<String>,
}

impl Report {
    /// Begins with what was measured, and where.
    pub fn begin(machine: &str) -> Report {
        println!("{machine}");
        Report { met: 0, missed: Vec::new() }
    }

    /// A new part.
    pub fn section(&mut self, title: &str) {
        println!("\n**{title}**\n");
    }

    /// A table; every row has as many cells as `head`.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let print = |cells: Vec<&str>| {
            let cells: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("| {} |", cells.join(" | "));
        };
        print(head.to_vec());
        let lines: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        print(lines.iter().map(String::as_str).collect());
        rows.iter().for_each(|row| print(row.iter().map(String::as_str).collect()));
    }

    /// The word for a target in its row, remembered for the last line.
    pub fn verdict(&mut self, target: &str, met: bool) -> String {
        if met {
            self.met += 1;
            return "ok".into();
        }
        self.missed.push(target.into());
        "MISSED".into()
    }

    /// The last line.
    pub fn end(self) {
        let all = self.met + self.missed.len();
        match self.missed.as_slice() {
            [] => println!("\nAll {all} targets met."),
            missed => println!("\n{} of {all} targets met; missed: {}.", self.met, missed.join("; ")),
        }
        say("done");
    }
}

/// Seconds with two places.
pub fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

/// KiB in MiB with one place.
pub fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}
