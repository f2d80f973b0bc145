//! How messages name arguments, and what is wrong with a URL among them.
//!
//! Floor 4. A mistyped URL contains the same passkey as a correct one, in whichever argument it is.

use crate::base::path::for_terminal;
use crate::base::url;
use std::ffi::OsStr;
use std::path::Path;

/// An argument as messages name it: safe for a terminal, and without the secrets of what looks like a URL.
pub fn shown(argument: impl AsRef<OsStr>) -> String {
    let argument = argument.as_ref();
    let text = argument.to_string_lossy();
    let is_there = || Path::new(argument).exists();
    for_terminal(&redacted(&text).filter(|_| !is_there()).unwrap_or(text.into_owned()))
}

/// `text` up to its host, if it looks like a URL: `htp://host/…`, `http:/host/…` or `host.example:80/…`.
fn redacted(text: &str) -> Option<String> {
    let (front, rest) = match text.split_once('/')? {
        // A forgotten slash.
        (scheme, rest) if scheme.ends_with(':') => (format!("{scheme}/"), rest),
        (host, _) if is_host_and_port(host) => (String::new(), text),
        _ => return None,
    };
    let (front, rest) = match rest.strip_prefix('/').filter(|_| !front.is_empty()) {
        Some(rest) => (front + "/", rest),
        None => (front, rest),
    };
    if rest.is_empty() {
        return None;
    }
    let short = url::redact(&format!("http://{rest}"));
    let short = short.strip_prefix("http://").unwrap_or(&short);
    // With nothing to hide, it is shown as it was typed.
    let whole = matches!(rest.strip_prefix(short), Some("" | "/"));
    Some(front + if whole { rest } else { short })
}

/// Whether `text` is a host and a port. Names of files contain colons too, so the host must look like one.
fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        is_port && (host.contains(['.', '[', '@']) || host == "localhost")
    })
}

/// What is wrong with a URL if [`url::has_wrong_port`].
pub const WRONG_PORT: &str = "expected a port up to 65535 after the host";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_urls_are_shown_up_to_the_host() {
        for (argument, expected) in [
            ("ftp://x/KEY/announce", "ftp://x/…"),
            ("htp://user:KEY@h:99/KEY/a", "htp://h:99/…"),
            ("htp://h?key=KEY", "htp://h/…"),
            ("http:/x/KEY/announce", "http:/x/…"),
            ("http:///KEY/announce", "http://…"),
            ("://x/KEY", "://x/…"),
            ("127.0.0.1:9/KEY/a.torrent", "127.0.0.1:9/…"),
            ("[::1]:9/KEY/a.torrent", "[::1]:9/…"),
            ("http://h:99999/KEY", "http://h/…"),
            // Nothing to hide.
            ("gopher://x/", "gopher://x/"),
            ("http://", "http://"),
            ("localhost:80/", "localhost:80/"),
            ("a\x1b/b.torrent", "a\\x1b/b.torrent"),
            ("Title: more/b.torrent", "Title: more/b.torrent"),
            ("shows:2/b.torrent", "shows:2/b.torrent"),
            ("/tmp/a:/b", "/tmp/a:/b"),
        ] {
            assert_eq!(shown(argument), expected, "{argument}");
        }
    }
}
