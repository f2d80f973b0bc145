//! HTTP GET, with limits.
//!
//! Floor 3, over ureq (blocking). A request has one deadline for everything, follows at most five redirects, and reads no
//! more bytes than its caller allows.

use crate::base::url;
use core::net::SocketAddr;
use std::fmt;
use std::io::Read;
use std::time::Duration;
use ureq::config::AutoHeaderValue;
pub use ureq::config::IpFamily as Family;

/// How long the name lookup and the connection may take, so that a dead server does not use up the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a response's headers, and of the longest line of our request. (ureq's own buffers have 128 KiB each, which
/// the process would keep after its first request.)
const INPUT_BYTES: usize = 16 * 1024;
const OUTPUT_BYTES: usize = 16 * 1024;
/// Most redirects that are followed (the limit of RFC 2068; more are a loop).
const MOST_REDIRECTS: u32 = 5;

/// The family of an address.
pub fn family_of(addr: SocketAddr) -> Family {
    if addr.is_ipv4() { Family::Ipv4Only } else { Family::Ipv6Only }
}

/// A server's answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status, such as 200.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request failed.
#[derive(Debug)]
pub enum HttpError {
    /// This build does not support the URL, or none does.
    Unsupported(String),
    /// The server can't be reached, or what it sends is not HTTP.
    Unreachable(String),
    /// The answer is larger than the limit, in bytes.
    TooLarge(u64),
    /// The server answered with an HTTP status other than 200.
    Status(u16),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            HttpError::Unsupported(reason) | HttpError::Unreachable(reason) => f.write_str(reason),
            HttpError::TooLarge(limit) => write!(f, "the response has more than {limit} bytes"),
            HttpError::Status(status) => write!(f, "the server returned HTTP status {status}"),
        }
    }
}

impl std::error::Error for HttpError {}

/// Gets `address`, within `deadline`. Any status but 200 and a body of more than `limit` bytes are errors.
pub fn get(address: &str, limit: u64, deadline: Duration) -> Result<Vec<u8>, HttpError> {
    match ask(address, limit, deadline, Family::Any)? {
        Answer { status: 200, body } => Ok(body),
        Answer { status, .. } => Err(HttpError::Status(status)),
    }
}

/// Gets `address` over a family of addresses, within `deadline`. Every status is an answer; a body of more than `limit`
/// bytes is an error.
pub fn ask(address: &str, limit: u64, deadline: Duration, family: Family) -> Result<Answer, HttpError> {
    match url::scheme(address) {
        Some("http") => {}
        Some("https") if cfg!(feature = "tls") => {}
        Some("https") => return Err(HttpError::Unsupported("this build has no https (feature tls)".into())),
        _ => return Err(HttpError::Unsupported("the URL is neither http nor https".into())),
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(deadline))
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .ip_family(family)
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

/// The text of an error without ureq's prefixes ("io: Connection refused (os error 111)").
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
