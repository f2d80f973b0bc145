//! Escapes, joins, shows and mends URLs (RFC 3986).
//!
//! Announce URLs come from torrents. They have secrets (passkeys), queries of their own, and sometimes characters that no URL
//! may have. They are never taken apart and put together again, because trackers compare them byte by byte: everything that
//! does not have to change stays as it is.

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
/// (spaces, `|`, letters that are not ASCII, a `%` that begins no escape). A good URL stays as it is.
pub fn sanitize(url: &str) -> String {
    let url = url.trim_matches(|c: char| c.is_whitespace() || c.is_control());
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
mod tests;
