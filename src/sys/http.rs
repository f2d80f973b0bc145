//! HTTP GET: for trackers, and for .torrent files named by URL.
//!
//! Floor 3, over ureq (blocking). Every request has a deadline for the whole of it, follows at most five redirects and
//! reads at most as much as its caller allows.

use crate::base::url;
use core::net::SocketAddr;
use std::fmt;
use std::io::Read;
use std::time::Duration;
use ureq::config::{AutoHeaderValue, IpFamily};

/// How long finding and reaching a server may take, so that one that is down does not use up the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server's headers must have room in the one, the longest line of our request in the other. (ureq's own are 128 KiB
/// each, which stay with a process that has asked once.)
const INPUT_BYTES: usize = 16 * 1024;
const OUTPUT_BYTES: usize = 16 * 1024;
/// Redirects that are followed (what browsers' forebears took; loops are longer).
const MOST_REDIRECTS: u32 = 5;

/// The addresses by which a server may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Those that the system prefers.
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(addr: SocketAddr) -> Family {
        if addr.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// A server's answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status, such as 200.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum HttpError {
    /// The URL can't be asked for by this build or at all.
    Unsupported(String),
    /// The server can't be reached, or does not speak HTTP.
    Unreachable(String),
    /// The answer is larger than the limit, in bytes.
    TooLarge(u64),
    /// The server answered with an HTTP status other than 200.
    Status(u16),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            HttpError::Unsupported(reason) => write!(f, "{reason}"),
            HttpError::Unreachable(reason) => write!(f, "{reason}"),
            HttpError::TooLarge(limit) => write!(f, "the answer has more than {limit} bytes"),
            HttpError::Status(status) => write!(f, "the server answers with HTTP status {status}"),
        }
    }
}

impl std::error::Error for HttpError {}

/// Fetches `address` and expects status 200; the body has at most `limit` bytes, and all is over within `deadline`.
pub fn get(address: &str, limit: u64, deadline: Duration) -> Result<Vec<u8>, HttpError> {
    match ask(address, limit, deadline, Family::Any)? {
        Answer { status: 200, body } => Ok(body),
        Answer { status, .. } => Err(HttpError::Status(status)),
    }
}

/// Fetches `address` over this family of addresses, whatever the status.
pub fn ask(address: &str, limit: u64, deadline: Duration, family: Family) -> Result<Answer, HttpError> {
    match url::scheme(address) {
        Some("http") => {}
        Some("https") if cfg!(feature = "tls") => {}
        Some("https") => return Err(HttpError::Unsupported("this build has no https (feature tls)".into())),
        _ => return Err(HttpError::Unsupported("its URL is not of http or https".into())),
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(deadline))
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .ip_family(match family {
            Family::Any => IpFamily::Any,
            Family::V4 => IpFamily::Ipv4Only,
            Family::V6 => IpFamily::Ipv6Only,
        })
        .input_buffer_size(INPUT_BYTES)
        .max_response_header_size(INPUT_BYTES - 1)
        .output_buffer_size(OUTPUT_BYTES)
        .max_redirects(MOST_REDIRECTS)
        .max_idle_connections(0)
        .http_status_as_error(false)
        .user_agent(AutoHeaderValue::Provided(concat!("swarmlet/", env!("CARGO_PKG_VERSION")).to_string().into()))
        .build()
        .into();
    let unreachable = |error: ureq::Error| HttpError::Unreachable(plain(&error));
    let mut response = agent.get(url::sanitize(address)).call().map_err(unreachable)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let mut reader = response.body_mut().as_reader().take(limit + 1);
    reader.read_to_end(&mut body).map_err(|error| unreachable(error.into()))?;
    if body.len() as u64 > limit {
        return Err(HttpError::TooLarge(limit));
    }
    Ok(Answer { status, body })
}

/// ureq's words without its own prefixes ("io: Connection refused (os error 111)").
fn plain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => super::in_words(error),
        ureq::Error::HostNotFound => "no such host".into(),
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::TooManyRedirects => "too many redirects".into(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
