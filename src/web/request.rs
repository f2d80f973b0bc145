//! Parses an HTTP request: GET and HEAD, and POST and OPTIONS where a service takes bodies.
//!
//! Floor 3. RFC 9112, by httparse, which parses in place and allocates nothing.

use super::forwarded::Forwarded;

/// Longest request with all its headers, in bytes. (The longest URLs that people meet have some 2,000; nginx allows 8
/// KiB.)
pub const MOST_BYTES: usize = 8 << 10;
/// Most headers of a request.
const MOST_HEADERS: usize = 64;

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The first line, as it was received, without its end.
    pub line: &'a [u8],
    /// Path and query, not decoded.
    pub target: &'a str,
    /// `GET`, `HEAD`, `POST` or `OPTIONS`. The answer to HEAD has no body.
    pub method: &'a str,
    /// How long the body is, in bytes; 0 if it comes in chunks.
    pub length: u64,
    /// The body comes in chunks, each with its length.
    pub is_chunked: bool,
    /// The body, once all of it has come.
    pub body: Option<&'a [u8]>,
    /// The connection stays open for another request.
    pub keep_alive: bool,
    /// What proxies say about the client.
    pub forwarded: Forwarded<'a>,
    /// The name or address by which the client reached us, with the port. Empty if it is malformed.
    pub host: &'a str,
    /// The client program (`User-Agent`).
    pub agent: &'a [u8],
    headers: [httparse::Header<'a>; MOST_HEADERS],
}

impl<'a> Request<'a> {
    /// Whether a body follows the head.
    pub fn has_body(&self) -> bool {
        self.length > 0 || self.is_chunked
    }

    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }
}

/// A request that is refused because it is malformed, too long, or has another method or a body.
#[derive(Debug)]
pub struct Wrong<'a> {
    /// The first line, as far as it was received.
    pub line: &'a [u8],
    /// The status of the answer.
    pub status: &'static str,
}

/// What the bytes received so far are.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lies on the stack while one request is answered")]
pub enum Parsed<'a> {
    /// A complete request and its length in bytes.
    Whole(Request<'a>, usize),
    /// The beginning of a request.
    Partial,
    /// A request that is refused, with this status.
    Wrong(&'static str),
}

/// Parses the head of the request at the beginning of `bytes`. A body has at most `most_body` bytes; if that is 0, the
/// service takes none, and only GET and HEAD.
pub fn parse(bytes: &[u8], most_body: u64) -> Parsed<'_> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= MOST_BYTES => length,
        Ok(httparse::Status::Partial) if bytes.len() < MOST_BYTES => return Parsed::Partial,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Parsed::Wrong("431 Request Header Fields Too Large"),
        Err(_) => return Parsed::Wrong("400 Bad Request"),
    };
    let (Some(method), Some(target)) = (request.method, request.path) else { return Parsed::Wrong("400 Bad Request") };
    let mut keep_alive = request.version == Some(1);
    let (mut forwarded, mut agent, mut host, mut body) = (Forwarded::default(), &b""[..], "", None);
    let (mut is_chunked, mut has_host) = (false, false);
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("connection") {
            let says =
                |word: &[u8]| header.value.split(|&b| b == b',').any(|v| v.trim_ascii().eq_ignore_ascii_case(word));
            keep_alive = !says(b"close") && (keep_alive || says(b"keep-alive"));
        } else if header.name.eq_ignore_ascii_case("host") {
            // A proxy may believe the other one (RFC 9112, section 3.2).
            if std::mem::replace(&mut has_host, true) {
                return Parsed::Wrong("400 Bad Request");
            }
            let good = |byte: &u8| byte.is_ascii_alphanumeric() || b".:-[]_".contains(byte);
            host = str::from_utf8(header.value).ok().filter(|host| host.bytes().all(|b| good(&b))).unwrap_or("");
        } else if header.name.eq_ignore_ascii_case("user-agent") {
            agent = header.value;
        } else if header.name.eq_ignore_ascii_case("content-length") {
            // A second length, or another way to write one, may mean another request to a proxy (RFC 9112, section
            // 6.3).
            let Some(length) = digits(header.value).filter(|_| body.is_none()) else {
                return Parsed::Wrong("400 Bad Request");
            };
            body = Some(length);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            let is_known = header.value.trim_ascii().eq_ignore_ascii_case(b"chunked");
            match is_known {
                _ if most_body == 0 => return Parsed::Wrong("413 Content Too Large"),
                false => return Parsed::Wrong("501 Not Implemented"),
                // HTTP/1.0 has no chunks.
                true if is_chunked || request.version != Some(1) => return Parsed::Wrong("400 Bad Request"),
                true => is_chunked = true,
            }
        } else {
            forwarded.note(header.name, header.value);
        }
    }
    if is_chunked && body.is_some() {
        // To a proxy it may mean another request (RFC 9112, section 6.1).
        return Parsed::Wrong("400 Bad Request");
    }
    let body = body.unwrap_or(0);
    if body > most_body {
        return Parsed::Wrong("413 Content Too Large");
    }
    let takes_it = matches!(method, "GET" | "HEAD") || (most_body > 0 && matches!(method, "POST" | "OPTIONS"));
    if !takes_it {
        return Parsed::Wrong("405 Method Not Allowed");
    }
    let line = first_line(bytes);
    let request = Request {
        line,
        target,
        method,
        length: body,
        is_chunked,
        body: None,
        keep_alive,
        forwarded,
        host,
        agent,
        headers,
    };
    Parsed::Whole(request, length)
}

/// A number in decimal digits.
fn digits(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    text.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(text).ok()?.parse().ok())?
}

/// The first line of a request, as it was received. Empty lines before it are skipped (RFC 9112, section 2.2).
pub fn first_line(bytes: &[u8]) -> &[u8] {
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let begin = bytes.iter().position(|byte| !ends(byte)).unwrap_or(bytes.len());
    let line = &bytes[begin..];
    &line[..line.iter().position(ends).unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Request<'_> {
        match parse(text.as_bytes(), 0) {
            Parsed::Whole(request, length) => {
                assert!(length <= text.len());
                request
            }
            other => panic!("{other:?}"),
        }
    }

    fn wrong(text: &str) -> &'static str {
        match parse(text.as_bytes(), 0) {
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
        assert_eq!(whole("HEAD / HTTP/1.1\nHost: bare line ends\n\n").method, "HEAD");
        for before in ["\r\n", "\n", "\r\n\r\n\n"] {
            assert_eq!(whole(&format!("{before}GET /a HTTP/1.1\r\n\r\n")).line, b"GET /a HTTP/1.1", "{before:?}");
        }
        assert_eq!((first_line(b""), first_line(b"\r\n"), first_line(b"GET")), (&b""[..], &b""[..], &b"GET"[..]));
        assert!(whole("GET / HTTP/1.1\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n").forwarded.is_proxied());
    }

    #[test]
    fn a_bad_request_is_refused_with_a_status() {
        assert!(matches!(parse(b"GET /announce HT", 0), Parsed::Partial));
        assert!(matches!(parse(b"", 0), Parsed::Partial));
        assert!(wrong("POST / HTTP/1.1\r\n\r\n").starts_with("405"));
        assert!(wrong("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello").starts_with("413"));
        assert!(wrong("\x16\x03\x01 TLS").starts_with("400"));
        assert!(wrong("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n").starts_with("400"));
        assert!(wrong(&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(MOST_BYTES))).starts_with("431"));
        assert!(wrong(&format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(65))).starts_with("431"));
    }

    #[test]
    fn a_body_is_announced_with_its_length_and_nothing_else() {
        let post = |headers: &str| match parse(format!("POST / HTTP/1.1\r\n{headers}\r\n").as_bytes(), 10) {
            Parsed::Whole(request, _) if request.is_chunked => Err("chunked".into()),
            Parsed::Whole(request, _) => Ok((request.length, request.header("x-a").map(<[u8]>::to_vec))),
            Parsed::Wrong(status) => Err(status[..3].to_string()),
            Parsed::Partial => Err("partial".into()),
        };
        assert_eq!(post("Content-Length: 10\r\nX-A: b\r\n"), Ok((10, Some(b"b".to_vec()))));
        assert_eq!(post(""), Ok((0, None)));
        assert_eq!(post("Content-Length: 11\r\n"), Err("413".into()));
        for wrong in ["+1", "1, 1", "-1", "", "0x1", "99999999999999999999"] {
            assert_eq!(post(&format!("Content-Length: {wrong}\r\n")), Err("400".into()), "{wrong}");
        }
        assert_eq!(post("Content-Length: 1\r\nContent-Length: 1\r\n"), Err("400".into()));
        assert_eq!(post("Transfer-Encoding: Chunked\r\n"), Err("chunked".into()));
        for (wrong, status) in [
            ("Transfer-Encoding: gzip, chunked\r\n", "501"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "400"),
            ("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "400"),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "400"),
        ] {
            assert_eq!(post(wrong), Err(status.into()), "{wrong}");
        }
    }
}
