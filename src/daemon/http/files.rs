//! The files of a web page, from a folder that a person named.
//!
//! Floor 4. Only files in that folder are sent. No link is followed ([`beneath`](crate::sys::beneath)).

use crate::base::url::percent_decode;
use crate::sys::beneath::{Folder, For};
use crate::web::answer::{Answer, Body};
use crate::web::request::Request;

/// The file at `path` in the folder. An empty path is the page itself.
pub fn answer(folder: &Folder, request: &Request, path: &str) -> Answer {
    if !matches!(request.method, "GET" | "HEAD") {
        return Answer::words("405 Method Not Allowed", "files can only be read").with("Allow: GET, HEAD\r\n");
    }
    let Some(path) = inner_path(path) else { return not_found() };
    let Ok(file) = folder.file(&path, For::Reading) else { return not_found() };
    let Ok(length) = file.metadata().map(|about| about.len()) else { return not_found() };
    Answer {
        status: "200 OK",
        kind: kind(&path),
        headers: "X-Content-Type-Options: nosniff\r\nX-Frame-Options: SAMEORIGIN\r\nCache-Control: max-age=3600\r\n"
            .into(),
        body: Body::File(file, length),
        taken: None,
    }
}

fn not_found() -> Answer {
    Answer::words("404 Not Found", "there is no such file")
}

/// The path in the folder that the path of a URL means; `None`: it leads out, or names nothing.
fn inner_path(path: &str) -> Option<String> {
    let path = String::from_utf8(percent_decode(if path.is_empty() { "index.html" } else { path })?).ok()?;
    let is_name = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(char::is_control);
    path.split('/').all(is_name).then_some(path)
}

/// The media type of a file. (These are the ones that web pages have.)
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "css" => "text/css; charset=utf-8",
        "gif" => "image/gif",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/vnd.microsoft.icon",
        "js" => "text/javascript; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out() {
        assert_eq!(inner_path("").as_deref(), Some("index.html"));
        assert_eq!(inner_path("style/a%20b.css").as_deref(), Some("style/a b.css"));
        for out in ["..", "../a", "a/../../b", "%2e%2e/a", "a%2f..%2f..", "/etc", "a//b", "./a", "%00", "a/", "%ff"] {
            assert_eq!(inner_path(out), None, "{out}");
        }
    }
}
