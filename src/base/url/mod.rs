//! Escapes, joins, shows and mends URLs (RFC 3986).
//!
//! Announce URLs come from torrents. They have secrets (passkeys), queries of their own, and sometimes characters that no URL
//! may have. They are never taken apart and put together again, because trackers compare them byte by byte: everything that
//! does not have to change stays as it is.

pub mod punycode;

use self::punycode::ascii_host;
use crate::base::hex::{self, percent};

/// What is shown in place of a secret.
const HIDDEN: &str = "…";

/// A part of a path with this number of characters or more is taken for a passkey. The shortest passkeys in use have 16 hex
/// digits; the words of paths (`announce.php`) are shorter.
const PASSKEY_CHARS: usize = 16;

/// A value or a password with fewer characters is not searched for in texts, because it is part of many words.
const SECRET_CHARS: usize = 6;

/// Percent-encodes all bytes except the unreserved ones (RFC 3986, section 2.3), for a value of a query.
pub fn percent_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3);
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.extend(percent(byte)),
        }
    }
    out
}

/// The bytes that percent-encoded `text` stands for; `None` if a `%` is not followed by two hex digits. A `+` is a plus. It
/// means a space only in web forms, and info-hashes are not from forms.
pub fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            out.push(escape(after)?);
            rest = &after[2..];
        } else {
            out.push(byte);
            rest = after;
        }
    }
    Some(out)
}

/// Adds the parameters `query` (`a=1&b=2`) to `base`, after a `?`, or after an `&` if `base` has a query already, as URLs with
/// a passkey do. A `#fragment` is for browsers and is dropped.
pub fn join_query(base: &str, query: &str) -> String {
    let base = without_fragment(base);
    let glue = match base.split_once('?') {
        _ if query.is_empty() => "",
        None => "?",
        Some((_, had)) if had.is_empty() || had.ends_with('&') => "",
        Some(_) => "&",
    };
    [base, glue, query].concat()
}

/// The scheme of `url`, as it is written there (compare it without regard to case). `None` if it has none.
pub fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let mut chars = scheme.chars();
    let good = chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    good.then_some(scheme)
}

/// The host of `url`: a name or an address (IPv6 without its brackets). `None` if there is none.
pub fn host(url: &str) -> Option<&str> {
    scheme(url)?;
    let (authority, _) = split_authority(url);
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host_port.strip_prefix('[') {
        Some(address) => address.split_once(']')?.0,
        None => host_port.split_once(':').map_or(host_port, |(host, _)| host),
    };
    (!host.is_empty()).then_some(host)
}

/// The port that `url` names. `None` if it names none.
pub fn port(url: &str) -> Option<u16> {
    let (authority, _) = split_authority(url);
    let (host, port) = authority.rsplit_once(':')?;
    // The colons of an IPv6 address are inside brackets.
    (!host.is_empty() && !port.ends_with(']')).then(|| port.parse().ok())?
}

/// Path and query of `url`: the part after host and port.
pub fn path_and_query(url: &str) -> &str {
    split_authority(without_fragment(url)).1
}

/// `url` for logs and screens, with its secrets hidden: user and password, every value of the query, and what looks like a
/// passkey in the path. The result is not made safe for a terminal.
pub fn redact(url: &str) -> String {
    let url = without_fragment(url);
    let (front, path) = match scheme(url) {
        Some(scheme) => url.split_at(scheme.len() + "://".len() + split_authority(url).0.len()),
        None => ("", url),
    };
    let mut out = match (scheme(front), front.rsplit_once('@')) {
        (Some(scheme), Some((_, host))) => format!("{scheme}://{HIDDEN}@{host}"),
        _ => front.to_string(),
    };
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    push_without_passkeys(&mut out, path);
    for (place, parameter) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        out.push(if place == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) => {
                push_without_passkeys(&mut out, name);
                out.push('=');
                out.push_str(HIDDEN);
            }
            // A passkey may be the whole parameter: `announce.php?0123456789abcdef`.
            None if !parameter.is_empty() => out.push_str(HIDDEN),
            None => {}
        }
    }
    out
}

/// `text` of a server, without the `url` by which the server was asked and without the secrets in that.
pub fn hide_secrets(text: &str, url: &str) -> String {
    let (authority, path) = split_authority(url);
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let rows = path.split(|c| !of_passkey(c)).filter(|row| row.len() >= PASSKEY_CHARS);
    let values = query.split('&').map(|value| value.split_once('=').map_or(value, |(_, value)| value));
    let values = values.chain(user.split(':')).filter(|value| value.len() >= SECRET_CHARS);
    let hidden = text.replace(url, host(url).unwrap_or(HIDDEN));
    rows.chain(values).fold(hidden, |hidden, secret| hidden.replace(secret, HIDDEN))
}

/// `url` as strict parsers accept it: without blanks around it, and with everything percent-encoded that a URL may not have
/// (spaces, `|`, letters that are not ASCII, a `%` that begins no escape), and the host as the DNS has it. A good URL stays as
/// it is.
pub fn sanitize(url: &str) -> String {
    let url = url.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let url = &with_ascii_host(url).unwrap_or(url.into());
    // Brackets are allowed around an IPv6 address and nowhere else.
    let brackets_end = scheme(url).map_or(0, |scheme| scheme.len() + "://".len() + split_authority(url).0.len());
    let mut out = String::with_capacity(url.len());
    for (place, &byte) in url.as_bytes().iter().enumerate() {
        let good = match byte {
            b'%' => escape(&url.as_bytes()[place + 1..]).is_some(),
            b'[' | b']' => place < brackets_end,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
            _ => byte.is_ascii_graphic(),
        };
        if good { out.push(char::from(byte)) } else { out.extend(percent(byte)) }
    }
    out
}

/// `url` with its host in ASCII; `None` if it is so already. Some programs percent-encode a host that is not.
fn with_ascii_host(url: &str) -> Option<String> {
    let host = host(url).filter(|host| !host.is_ascii() || host.contains('%'))?;
    let decoded = percent_decode(host).and_then(|host| String::from_utf8(host).ok())?;
    let ascii = ascii_host(&decoded);
    // What the decoded text has in it must not be taken for the port or the path.
    let is_name = ascii.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let authority_end = url.len() - split_authority(url).1.len();
    let at = url[..authority_end].rfind(host).filter(|_| is_name)?;
    Some([&url[..at], &*ascii, &url[at + host.len()..]].concat())
}

/// The byte that the two hex digits at the start of `after` stand for.
fn escape(after: &[u8]) -> Option<u8> {
    hex::byte(*after.first_chunk()?)
}

/// `url` up to its `#`.
fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(url, _)| url)
}

/// Splits `url` after its `://` into host and port, and the rest: path, query and fragment.
fn split_authority(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// Whether `c` can be part of a passkey.
fn of_passkey(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '%')
}

/// Appends `path` with everything hidden that looks like a passkey.
fn push_without_passkeys(out: &mut String, path: &str) {
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| of_passkey(c) != of_passkey(first)).unwrap_or(rest.len());
        let (row, after) = rest.split_at(end);
        out.push_str(if of_passkey(first) && row.len() >= PASSKEY_CHARS { HIDDEN } else { row });
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_but_unreserved_characters_are_encoded() {
        assert_eq!(percent_encode(b"Az09-._~"), "Az09-._~");
        assert_eq!(percent_encode(b"\x00 +/%\xff"), "%00%20%2B%2F%25%FF");
        assert_eq!(percent_decode("%00%20+%2f%25%fF").unwrap(), b"\x00 +/%\xff");
        for bad in ["%", "%1", "a%g0", "%%20", "%é"] {
            assert_eq!(percent_decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn queries_are_joined_with_the_right_character() {
        for (base, joined) in [
            ("http://t.example/announce", "http://t.example/announce?a=1&b=2"),
            ("http://t.example/announce?passkey=x", "http://t.example/announce?passkey=x&a=1&b=2"),
            ("http://t.example/announce?", "http://t.example/announce?a=1&b=2"),
            ("http://t.example/announce?x&", "http://t.example/announce?x&a=1&b=2"),
            ("http://t.example/a%2Fb//c?k=%7e#frag?", "http://t.example/a%2Fb//c?k=%7e&a=1&b=2"),
            ("http://t.example", "http://t.example?a=1&b=2"),
        ] {
            assert_eq!(join_query(base, "a=1&b=2"), joined);
        }
        assert_eq!(join_query("http://t.example/x#y", ""), "http://t.example/x");
    }

    #[test]
    fn scheme_and_host_are_found() {
        for (url, its_scheme, its_host) in [
            ("http://t.example/announce", Some("http"), Some("t.example")),
            ("HTTPS://u:p@t.example:443?x=http://other/", Some("HTTPS"), Some("t.example")),
            ("udp://[2001:db8::1]:6969", Some("udp"), Some("2001:db8::1")),
            ("http://a@b@c/", Some("http"), Some("c")),
            ("http:///announce", Some("http"), None),
            ("http://[::1/x", Some("http"), None),
            ("t.example/announce", None, None),
            ("/x?y=http://t.example/", None, None),
            ("", None, None),
            ("://", None, None),
            ("1a://x", None, None),
        ] {
            assert_eq!((scheme(url), host(url)), (its_scheme, its_host), "{url}");
        }
    }

    #[test]
    fn secrets_are_hidden() {
        for (url, shown) in [
            ("http://t.example/0123456789abcdef0123456789abcdef/announce", "http://t.example/…/announce"),
            ("http://t.example:80/announce.php?passkey=abc&x=1", "http://t.example:80/announce.php?passkey=…&x=…"),
            ("http://t.example/announce.php?secret", "http://t.example/announce.php?…"),
            ("https://user:password@t.example/announce", "https://…@t.example/announce"),
            ("https://t.example/a/123e4567-e89b-12d3-a456-426614174000.php", "https://t.example/a/….php"),
            ("http://t.example/announce#0123456789abcdef0123456789abcdef", "http://t.example/announce"),
            ("http://t.example/announce?pass=a?b=c&d", "http://t.example/announce?pass=…&…"),
            ("udp://averylongtrackername.example:6969/announce", "udp://averylongtrackername.example:6969/announce"),
            ("0123456789abcdef0123", "…"),
            ("/announce?", "/announce?"),
        ] {
            assert_eq!(redact(url), shown);
        }
    }

    #[test]
    fn secrets_in_the_words_of_servers_are_hidden() {
        for (url, text, shown) in [
            ("http://t.example/announce?passkey=hunter2&x=1", "no such passkey: hunter2 (1)", "no such passkey: … (1)"),
            ("http://t.example/0123456789abcdef/a", "0123456789abcdef is unknown in a", "… is unknown in a"),
            ("http://me:secret@t.example/a", "who is me:secret?", "who is me:…?"),
            ("http://t.example/a?b", "GET http://t.example/a?b: refused", "GET t.example: refused"),
        ] {
            assert_eq!(hide_secrets(text, url), shown);
        }
    }

    #[test]
    fn invalid_characters_are_escaped() {
        for (url, mended) in [
            (" http://t.example/a b|c\r\n", "http://t.example/a%20b%7Cc"),
            ("http://t.example/ü?q={\"}", "http://t.example/%C3%BC?q=%7B%22%7D"),
            ("http://t.example/100%", "http://t.example/100%25"),
            ("http://BÜCHER.example:80/ü", "http://xn--bcher-kva.example:80/%C3%BC"),
            ("http://bücher:bücher@bücher.example", "http://b%C3%BCcher:b%C3%BCcher@xn--bcher-kva.example"),
            ("http://b%c3%bccher.example/", "http://xn--bcher-kva.example/"),
            ("http://a%2Fb.example/", "http://a%2Fb.example/"),
            ("udp://[fe80::1%25eth0]:80", "udp://[fe80::1%25eth0]:80"),
            ("http://t.example/%zz%2g%41", "http://t.example/%25zz%252g%41"),
            ("udp://[::1]:80/[x]", "udp://[::1]:80/%5Bx%5D"),
            ("http://t.example/a?b=c&d=~!$'()*+,;:@-._/?#f", "http://t.example/a?b=c&d=~!$'()*+,;:@-._/?#f"),
        ] {
            assert_eq!(sanitize(url), mended);
        }
    }

    proptest! {
        #[test]
        fn encoded_bytes_are_decoded_again(bytes: Vec<u8>) {
            let text = percent_encode(&bytes);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
            prop_assert_eq!(percent_decode(&text), Some(bytes));
        }

        /// Sanitizing twice changes nothing more, and no text makes any of these functions panic.
        #[test]
        fn any_text_is_survived(url in "[ -~é…\u{0}]{0,40}", wild: String) {
            for text in [url, wild, "http://".to_string()] {
                let mended = sanitize(&text);
                prop_assert!(mended.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(sanitize(&mended), mended.clone());
                prop_assert!(join_query(&text, "k=v").ends_with("k=v") && !redact(&text).contains('#'));
                prop_assert!(host(&text).is_none() || scheme(&text).is_some());
                prop_assert!(percent_decode(&text).is_none_or(|bytes| bytes.len() <= text.len()));
            }
        }

        #[test]
        fn no_passkey_is_shown(key in "[0-9a-zA-Z]{16,40}", host in "[a-z]{1,9}[.]example") {
            for url in [
                format!("http://{host}/{key}/announce"),
                format!("http://{host}/announce/{key}"),
                format!("http://{host}/announce?passkey={key}"),
                format!("http://{host}/announce?{key}"),
                format!("http://{host}/announce?{key}=1"),
                format!("http://me:{key}@{host}/announce"),
                format!("http://{host}/announce#{key}"),
            ] {
                let shown = redact(&url);
                prop_assert!(!shown.contains(&key), "{}", shown);
                prop_assert!(shown.contains(&host), "{}", shown);
            }
        }

        #[test]
        fn a_joined_query_is_found_again(path in "[a-z/]{0,9}", had in "[a-z=&]{0,9}", value: Vec<u8>) {
            let url = join_query(&format!("http://t.example/{path}?{had}"), &format!("k={}", percent_encode(&value)));
            let (_, query) = url.split_once('?').unwrap();
            let last = query.rsplit('&').next().unwrap().strip_prefix("k=").unwrap();
            prop_assert_eq!(percent_decode(last), Some(value));
        }
    }

    #[test]
    fn ports_and_paths_are_found() {
        for (url, expected_port, path) in [
            ("udp://tracker.example:6969/announce?passkey=1#x", Some(6969), "/announce?passkey=1"),
            ("udp://[fd00::1]:80", Some(80), ""),
            ("udp://[fd00::1]", None, ""),
            ("http://user:secret@host/a:b", None, "/a:b"),
            ("udp://host:70000/", None, "/"),
            ("udp://host", None, ""),
        ] {
            let found = port(url).filter(|_| !url.contains('@'));
            assert_eq!((found, path_and_query(url)), (expected_port, path), "{url}");
        }
    }
}
