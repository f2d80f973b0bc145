//! The log of announces and scrapes: a line each, in the combined format of web servers.
//!
//! Floor 3. `host - - [day/month/year:time +0000] "request" status bytes "-" "user agent"`. What a stranger sent can't
//! end a line or a field: all but plain characters is written as `%XX`.

use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Bytes of a user agent that are kept.
const MOST_AGENT: usize = 200;

/// The log.
pub struct AccessLog {
    file: File,
    /// The log could not be written to: said once.
    failed: bool,
}

impl AccessLog {
    /// Opens `path` to be written on at its end.
    pub fn open(path: &Path) -> io::Result<AccessLog> {
        Ok(AccessLog { file: File::options().create(true).append(true).open(path)?, failed: false })
    }

    /// Writes a line.
    pub fn line(&mut self, from: IpAddr, request: &[u8], status: u16, bytes: usize, agent: &[u8]) {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (request, agent) = (plain(request), plain(&agent[..agent.len().min(MOST_AGENT)]));
        let agent = if agent.is_empty() { "-" } else { &agent };
        let line = format!("{from} - - [{}] \"{request}\" {status} {bytes} \"-\" \"{agent}\"\n", date(seconds));
        // One write a line: lines of several threads do not mix, and none is lost when the process dies.
        match self.file.write_all(line.as_bytes()) {
            Err(error) if !self.failed => {
                self.failed = true;
                log::error!("can't write to the log: {error}");
            }
            outcome => self.failed &= outcome.is_err(),
        }
    }
}

/// `bytes` without what could end a line or a field.
fn plain(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b' '..=b'~' if byte != b'"' && byte != b'\\' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `21/Nov/2026:08:25:09 +0000`, of the seconds since 1970.
fn date(seconds: u64) -> String {
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Days from the first of March of the year 0, when leap days come last (Hinnant, "chrono-compatible algorithms").
    let days = day + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day:02}/{}/{year}:{hour:02}:{minute:02}:{second:02} +0000", MONTHS[month as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "01/Jan/1970:00:00:00 +0000");
        assert_eq!(date(951_782_399), "28/Feb/2000:23:59:59 +0000");
        assert_eq!(date(951_782_400), "29/Feb/2000:00:00:00 +0000");
        assert_eq!(date(1_000_000_000), "09/Sep/2001:01:46:40 +0000");
        assert_eq!(date(4_102_444_799), "31/Dec/2099:23:59:59 +0000");
    }

    #[test]
    fn nobody_writes_lines_of_his_own() {
        assert_eq!(plain(b"GET /\" 200\n1.2.3.4 - -\xff"), "GET /%22 200%0A1.2.3.4 - -%FF");
    }
}
