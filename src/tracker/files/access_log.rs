//! The log of announces and scrapes: a line each, in the combined format of web servers.
//!
//! Floor 3. `host - - [day/month/year:time +0000] "request" status bytes "-" "user agent"`. What a stranger sent can't
//! end a line or a field: all but plain characters is written as `%XX`.

use crate::base::date::log_date;
use crate::base::hex::percent;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

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
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let (request, agent) = (plain(request), plain(&agent[..agent.len().min(MOST_AGENT)]));
        let agent = if agent.is_empty() { "-" } else { &agent };
        let line = format!("{from} - - [{}] \"{request}\" {status} {bytes} \"-\" \"{agent}\"\n", log_date(seconds));
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
            _ => out.extend(percent(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_lines_of_his_own() {
        assert_eq!(plain(b"GET /\" 200\n1.2.3.4 - -\xff"), "GET /%22 200%0A1.2.3.4 - -%FF");
    }
}
