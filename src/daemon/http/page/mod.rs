//! The daemon's own web page: one page, one style and one script.
//!
//! Floor 4. The files are in the binary, packed by `build.rs`, which also joins the parts of the script: they share one
//! scope. They are sent only to those that may use RPC, because [`http`](super) checks that first. The page asks over
//! RPC, and needs nothing from elsewhere. The browser lets it load and send nothing else.

use crate::base::gzip::gunzip;
use crate::base::hex::to_hex;
use crate::web::answer::Answer;
use crate::web::request::Request;

/// What the browser lets the page do: load its own files, and ask the daemon. No page may show it in a frame. A browser
/// asks each time whether the files that it has are still the same.
const HEADERS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'\r\n\
     X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-cache\r\n\
     Vary: Accept-Encoding\r\n";
/// Most bytes of all files together, unpacked. Packed, they go over slow lines.
const MOST_BYTES: usize = 60 << 10;
/// The end of a gzip file: the checksum and the length of the content (RFC 1952, section 2.3.1).
const SUM_BYTES: usize = 8;

/// The file at `path`, with its media type; `None`: there is none. An empty path is the page itself.
fn packed(path: &str) -> Option<(&'static str, &'static [u8])> {
    Some(match path {
        "" => ("text/html; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/page.html.gz"))),
        "style.css" => ("text/css; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/style.css.gz"))),
        "script.js" => ("text/javascript; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/script.js.gz"))),
        _ => return None,
    })
}

/// The answer to a request for the file at `path`.
pub fn answer(request: &Request, path: &str) -> Answer {
    let Some((kind, packed)) = packed(path) else { return Answer::words("404 Not Found", "there is no such file") };
    if !matches!(request.method, "GET" | "HEAD") {
        return Answer::words("405 Method Not Allowed", "files can only be read").with("Allow: GET, HEAD\r\n");
    }
    let tag = format!("W/\"{}\"", to_hex(&packed[packed.len() - SUM_BYTES..]));
    let status = if has_same(request, &tag) { "304 Not Modified" } else { "200 OK" };
    let answer = if takes_gzip(request) {
        Answer::of(status, kind, packed.into()).with("Content-Encoding: gzip\r\n")
    } else {
        // The build script has unpacked it, too.
        Answer::of(status, kind, gunzip(packed, MOST_BYTES).unwrap_or_default())
    };
    answer.with(HEADERS).with(&format!("ETag: {tag}\r\n"))
}

/// Whether the browser has the file with this tag (RFC 9110, section 13.1.2).
fn has_same(request: &Request, tag: &str) -> bool {
    elements(request, "if-none-match").any(|one| one == "*" || one == tag)
}

/// Whether the client takes gzip (RFC 9110, section 12.5.3).
fn takes_gzip(request: &Request) -> bool {
    // Without a digit from 1 to 9, the weight is 0.
    let is_wanted = |weight: &str| weight.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let takes = |coding: &str| {
        elements(request, "accept-encoding").find_map(|one| {
            let (name, weight) = one.split_once(';').unwrap_or((one, "q=1"));
            name.trim().eq_ignore_ascii_case(coding).then(|| is_wanted(weight))
        })
    };
    takes("gzip").or_else(|| takes("x-gzip")).or_else(|| takes("*")).unwrap_or(false)
}

/// The elements of the list in this header. (None of ours has a comma.)
fn elements<'a>(request: &Request<'a>, name: &str) -> impl Iterator<Item = &'a str> {
    let value = request.header(name).and_then(|value| str::from_utf8(value).ok());
    value.unwrap_or_default().split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::request::{Parsed, parse};

    fn get(path: &str, headers: &str) -> Answer {
        let text = format!("GET /{path} HTTP/1.1\r\n{headers}\r\n");
        match parse(text.as_bytes(), 0) {
            Parsed::Whole(request, _) => answer(&request, path),
            other => panic!("{other:?}"),
        }
    }

    fn body(answer: &Answer) -> &[u8] {
        match &answer.body {
            crate::web::answer::Body::Bytes(bytes) => bytes,
            crate::web::answer::Body::File(..) => panic!("it is in the binary"),
        }
    }

    #[test]
    fn files_are_packed_for_clients_that_take_gzip() {
        for packed in
            ["gzip", "deflate, gzip;q=0.5, *;q=0", "GZIP ; Q=1.000", "x-gzip", "br, *", "*;q=0.1,identity;q=0"]
        {
            let answer = get("", &format!("Accept-Encoding: {packed}\r\n"));
            assert!(answer.headers.contains("Content-Encoding: gzip\r\n"), "{packed}");
            assert!(body(&answer).starts_with(&[0x1f, 0x8b]), "{packed}");
        }
        for plain in
            ["", "gzip;q=0", "gzip; q=0.000, *", "x-gzip;q=0, br", "*;q=0", "identity", "gzipped", ";", "\u{fc}"]
        {
            let answer = get("", &format!("Accept-Encoding: {plain}\r\n"));
            assert!(!answer.headers.contains("Content-Encoding"), "{plain}");
            assert!(body(&answer).starts_with(b"<!DOCTYPE html>"), "{plain}");
        }
        let answer = get("", "");
        assert!(body(&answer).starts_with(b"<!DOCTYPE html>") && answer.headers.contains("Vary: Accept-Encoding\r\n"));
    }

    #[test]
    fn a_browser_that_has_a_file_need_not_load_it_again() {
        let tag = |answer: &Answer| answer.headers.split("ETag: ").nth(1).unwrap().trim_end().to_string();
        let style = tag(&get("style.css", ""));
        assert_eq!(style, tag(&get("style.css", "Accept-Encoding: gzip\r\n")), "it is weak");
        for same in [style.clone(), format!("\"other\", {style}"), "*".into()] {
            let answer = get("style.css", &format!("If-None-Match: {same}\r\n"));
            assert_eq!((answer.status, tag(&answer)), ("304 Not Modified", style.clone()), "{same}");
        }
        for other in [tag(&get("script.js", "")), String::new(), "W/\"\"".into()] {
            assert_eq!(get("style.css", &format!("If-None-Match: {other}\r\n")).status, "200 OK", "{other}");
        }
    }

    #[test]
    fn the_page_is_small() {
        let files = ["", "style.css", "script.js"];
        let lengths = |headers: &str| files.map(|path| get(path, headers).length()).iter().sum::<usize>();
        let (plain, packed) = (lengths(""), lengths("Accept-Encoding: gzip\r\n"));
        println!("the page has {plain} bytes, packed {packed}");
        assert!(plain <= MOST_BYTES && packed < plain / 3, "{plain}, packed {packed}");
    }
}
