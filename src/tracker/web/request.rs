//! One HTTP request, as much of it as a tracker needs.
//!
//! Floor 3. RFC 9112, by httparse, which reads what is in memory and keeps nothing.

use core::net::IpAddr;

/// A request with all its headers is at most so long (HOSTILE: more is no announce).
pub const MOST_BYTES: usize = 8 << 10;
/// Headers that are looked at.
const MOST_HEADERS: usize = 64;

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The first line, for the log.
    pub line: &'a [u8],
    /// Path and query, raw.
    pub target: &'a str,
    /// Only the head of the answer is wanted.
    pub head: bool,
    /// Another request may follow.
    pub keep_alive: bool,
    /// Whom a proxy speaks for, as it says.
    pub forwarded: Option<IpAddr>,
    /// What the one who asks calls us; empty if it is no name or address with a port.
    pub host: &'a str,
    /// The program that asks.
    pub agent: &'a [u8],
}

/// What the bytes so far are.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A request, and how many bytes it takes.
    Whole(Request<'a>, usize),
    /// The beginning of one.
    Partial,
    /// No request that we answer: the status that says so.
    Wrong(&'static str),
}

/// Reads the request that `bytes` begin with.
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < MOST_BYTES => return Parsed::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Wrong("431 Request Header Fields Too Large");
        }
        Err(_) => return Parsed::Wrong("400 Bad Request"),
    };
    let (Some(method), Some(target)) = (request.method, request.path) else { return Parsed::Wrong("400 Bad Request") };
    let mut keep_alive = request.version == Some(1);
    let (mut forwarded, mut agent, mut host) = (None, &b""[..], "");
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("connection") {
            let says =
                |word: &[u8]| header.value.split(|&b| b == b',').any(|v| v.trim_ascii().eq_ignore_ascii_case(word));
            keep_alive = !says(b"close") && (keep_alive || says(b"keep-alive"));
        } else if header.name.eq_ignore_ascii_case("x-forwarded-for") {
            // The last one is what the proxy itself has seen; those before it anybody may have written.
            let last = header.value.rsplit(|&byte| byte == b',').next().unwrap_or_default();
            forwarded = str::from_utf8(last.trim_ascii()).ok().and_then(|ip| ip.parse().ok());
        } else if header.name.eq_ignore_ascii_case("host") {
            let good = |byte: &u8| byte.is_ascii_alphanumeric() || b".:-[]".contains(byte);
            host = str::from_utf8(header.value).ok().filter(|host| host.bytes().all(|b| good(&b))).unwrap_or("");
        } else if header.name.eq_ignore_ascii_case("user-agent") {
            agent = header.value;
        } else if (header.name.eq_ignore_ascii_case("content-length") && header.value.trim_ascii() != b"0")
            || header.name.eq_ignore_ascii_case("transfer-encoding")
        {
            return Parsed::Wrong("413 Content Too Large");
        }
    }
    if method != "GET" && method != "HEAD" {
        return Parsed::Wrong("405 Method Not Allowed");
    }
    let end = bytes.iter().position(|&byte| byte == b'\r' || byte == b'\n').unwrap_or(0);
    let head = method == "HEAD";
    Parsed::Whole(Request { line: &bytes[..end], target, head, keep_alive, forwarded, host, agent }, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Request<'_> {
        match parse(text.as_bytes()) {
            Parsed::Whole(request, length) => {
                assert!(length <= text.len());
                request
            }
            other => panic!("{other:?}"),
        }
    }

    fn wrong(text: &str) -> &'static str {
        match parse(text.as_bytes()) {
            Parsed::Wrong(status) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_read_to_its_end() {
        let request = whole("GET /announce?a=%00 HTTP/1.1\r\nHost: x\r\nUser-Agent: me\r\n\r\nGET /next");
        assert_eq!((request.target, request.agent, request.keep_alive), ("/announce?a=%00", &b"me"[..], true));
        assert_eq!(request.line, b"GET /announce?a=%00 HTTP/1.1");
        assert!(!whole("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(whole("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
        assert!(!whole("GET / HTTP/1.1\r\nConnection: TE, close\r\n\r\n").keep_alive);
        assert!(whole("HEAD / HTTP/1.1\nHost: bare line ends\n\n").head);
        let proxied = whole("GET / HTTP/1.1\r\nX-Forwarded-For: 9.9.9.9, 10.0.0.1\r\n\r\n");
        assert_eq!(proxied.forwarded, Some("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_none_is_refused_with_a_status() {
        assert!(matches!(parse(b"GET /announce HT"), Parsed::Partial));
        assert!(matches!(parse(b""), Parsed::Partial));
        assert!(wrong("POST / HTTP/1.1\r\n\r\n").starts_with("405"));
        assert!(wrong("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello").starts_with("413"));
        assert!(wrong("\x16\x03\x01 TLS").starts_with("400"));
        assert!(wrong(&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(MOST_BYTES))).starts_with("431"));
        assert!(wrong(&format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(65))).starts_with("431"));
    }
}
