//! The daemon's own web page.
//!
//! Floor 4. The files are in the binary. They are sent only to those that may use RPC, because [`http`](super) checks
//! that first. The page asks over RPC, and needs nothing from elsewhere. The browser lets it load and send nothing
//! else.

use crate::web::LOOK;
use crate::web::answer::Answer;
use crate::web::request::Request;

/// What the browser lets the page do: load its own files, and ask the daemon. No page may show it in a frame.
const HEADERS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'\r\n\
     X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The file at `path`. An empty path is the page itself.
pub fn answer(request: &Request, path: &str) -> Answer {
    let (kind, text) = match path {
        "" => ("text/html; charset=utf-8", include_str!("page.html")),
        "look.css" => ("text/css; charset=utf-8", LOOK),
        "style.css" => ("text/css; charset=utf-8", include_str!("style.css")),
        "main.js" => (SCRIPT, include_str!("main.js")),
        "list.js" => (SCRIPT, include_str!("list.js")),
        "files.js" => (SCRIPT, include_str!("files.js")),
        "hour.js" => (SCRIPT, include_str!("hour.js")),
        "details.js" => (SCRIPT, include_str!("details.js")),
        "rpc.js" => (SCRIPT, include_str!("rpc.js")),
        _ => return Answer::words("404 Not Found", "there is no such file"),
    };
    if !matches!(request.method, "GET" | "HEAD") {
        return Answer::words("405 Method Not Allowed", "files can only be read").with("Allow: GET, HEAD\r\n");
    }
    Answer::of("200 OK", kind, text.into()).with(HEADERS)
}
