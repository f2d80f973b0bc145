//! What we do to URLs: escape, join, show and mend them (RFC 3986).
//!
//! Floor 1. Announce URLs come from torrents and carry secrets (passkeys), queries of their own, and now and then
//! characters no URL may hold. They are never taken apart and put together again: trackers compare them byte by
//! byte, so all that is not ours to change stays as it is.

use crate::base::hex::{self, percent};

/// How a secret is shown.
const HIDDEN: &str = "…";

/// Characters in a row from which on a piece of a path is taken for a passkey. The shortest in use have 16 hex
/// digits; words of paths (`announce.php`) are shorter.
const PASSKEY_CHARS: usize = 16;

/// Characters of a value or a password from which on it is looked for in texts: a shorter one is part of many words.
const SECRET_CHARS: usize = 6;

/// Bytes percent-encoded, but for the unreserved ones (RFC 3986, section 2.3): for a value of a query.
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

/// The bytes that percent-encoded `text` stands for; none if a `%` is not followed by two hex digits. A `+` is a
/// plus: that it means a space is a custom of web forms, and info-hashes are no forms.
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

/// `base` with the parameters `query` (`a=1&b=2`) added behind a `?`, or behind an `&` where `base` has a query
/// already, as URLs with a passkey do. A `#fragment` is for browsers, and dropped.
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

/// The scheme of `url`, as it is written there (compare without regard to case); none if it has none.
pub fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let mut chars = scheme.chars();
    let good = chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    good.then_some(scheme)
}

/// The host of `url`: a name or an address (IPv6 without its brackets). None if there is none.
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

/// The port that `url` names. None if it names none.
pub fn port(url: &str) -> Option<u16> {
    let (authority, _) = split_authority(url);
    let (host, port) = authority.rsplit_once(':')?;
    // The colons of an IPv6 address stand inside of brackets.
    (!host.is_empty() && !port.ends_with(']')).then(|| port.parse().ok())?
}

/// Path and query of `url`: what stands behind host and port.
pub fn path_and_query(url: &str) -> &str {
    split_authority(without_fragment(url)).1
}

/// `url` for logs and screens, its secrets hidden: user and password, every value of the query, and what looks like
/// a passkey in the path. Nothing a request needs is left in it. Not made safe for a terminal.
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
            // A passkey may stand alone: `announce.php?0123456789abcdef`.
            None if !parameter.is_empty() => out.push_str(HIDDEN),
            None => {}
        }
    }
    out
}

/// `text`, in which a server may repeat the `url` it was asked by or a secret of it, with neither.
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

/// `url` as strict parsers take it: without blanks around it, and with all that a URL may not hold (spaces, `|`,
/// letters that are not ASCII, a `%` that begins no escape) percent-encoded. A good URL stays as it is.
pub fn sanitize(url: &str) -> String {
    let url = url.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    // Brackets are good around an IPv6 address and nowhere else.
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

/// The part of `url` between `://` and the path, query or fragment; and those.
fn split_authority(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// Whether passkeys are made of `c`.
fn of_passkey(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '%')
}

/// Appends `path`, every long row of characters that passkeys are made of hidden.
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
