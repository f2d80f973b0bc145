//! The access log: a line per request, in the combined log format of web servers.
//!
//! Floor 3. `host - - [day/month/year:time +0000] "request" status bytes "-" "user agent"`. What a client sent
//! can't end a line or a field, because everything but plain characters is written as `%XX`.

use crate::base::date::log_date;
use crate::base::hex::percent;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Most bytes of a user agent that are logged.
const MOST_AGENT: usize = 200;

/// The access log.
pub struct AccessLog {
    file: File,
    /// The log could not be written. This is reported once.
    failed: bool,
}

impl AccessLog {
    /// Opens the file at `path`, to append to it.
    pub fn open(path: &Path) -> io::Result<AccessLog> {
        Ok(AccessLog { file: File::options().create(true).append(true).open(path)?, failed: false })
    }

    /// Writes a line.
    pub fn line(&mut self, from: IpAddr, request: &[u8], status: u16, bytes: usize, agent: &[u8]) {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let (request, agent) = (plain(request), plain(&agent[..agent.len().min(MOST_AGENT)]));
        let agent = if agent.is_empty() { "-" } else { &agent };
        let line = format!("{from} - - [{}] \"{request}\" {status} {bytes} \"-\" \"{agent}\"\n", log_date(seconds));
        // One write per line, so that no line is lost if the process is killed.
        match self.file.write_all(line.as_bytes()) {
            Err(error) if !self.failed => {
                self.failed = true;
                log::error!("can't write to the log: {error}");
            }
            outcome => self.failed &= outcome.is_err(),
        }
    }
}

/// `bytes` with everything escaped that could end a line or a field.
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
    fn no_client_can_write_a_line_of_its_own() {
        assert_eq!(plain(b"GET /\" 200\n1.2.3.4 - -\xff"), "GET /%22 200%0A1.2.3.4 - -%FF");
    }
}
