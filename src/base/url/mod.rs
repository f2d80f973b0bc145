//! Escapes, joins, shows and mends URLs (RFC 3986).
//!
//! Announce URLs come from torrents. They have secrets (passkeys), queries of their own, and sometimes characters that
//! no URL may have. They are never taken apart and put together again, because trackers compare them byte by byte:
//! everything that does not have to change stays as it is.

pub mod punycode;

use self::punycode::ascii_host;
use crate::base::hex::{self, percent};

/// What is shown in place of a secret.
pub const HIDDEN: &str = "…";

/// A part of a path with this number of characters or more is taken for a passkey, whatever the characters are. The
/// words of paths (`announce.php`) are shorter.
const PASSKEY_CHARS: usize = 16;

/// A part of a path, a value or a password with fewer characters is not searched for in texts, because it is part of
/// many words.
const SECRET_CHARS: usize = 4;

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

/// The bytes that percent-encoded `text` stands for; `None` if a `%` is not followed by two hex digits. A `+` is a
/// plus. It means a space only in web forms, and info-hashes are not from forms.
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

/// Adds the parameters `query` (`a=1&b=2`) to `base`, after a `?`, or after an `&` if `base` has a query already, as
/// URLs with a passkey do. A `#fragment` is for browsers and is dropped.
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
    is_scheme(scheme).then_some(scheme)
}

fn is_scheme(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic()) && chars.all(of_scheme)
}

fn of_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
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

/// Whether `url` has something else than a port where its port should be. `http://host:/` has none, which is allowed
/// (RFC 3986).
pub fn has_wrong_port(url: &str) -> bool {
    let (authority, _) = split_authority(url);
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after = host_port.rsplit_once(']').map_or(host_port, |(_, after)| after);
    let port = after.split_once(':').map_or("", |(_, port)| port);
    scheme(url).is_some() && !port.is_empty() && port.parse::<u16>().is_err()
}

/// Path and query of `url`: the part after host and port.
pub fn path_and_query(url: &str) -> &str {
    split_authority(without_fragment(url)).1
}

/// `url` for logs and screens: scheme, host and port, and no part of the rest, because a passkey can be anywhere there.
/// The result is not made safe for a terminal.
pub fn redact(url: &str) -> String {
    let (Some(scheme), Some(host)) = (scheme(url), host(url)) else { return HIDDEN.into() };
    let mut out = match host.contains(':') {
        true => format!("{scheme}://[{host}]"),
        false => format!("{scheme}://{host}"),
    };
    if let Some(port) = port(url) {
        out += &format!(":{port}");
    }
    if !matches!(split_authority(url).1, "" | "/") {
        out += "/";
        out += HIDDEN;
    }
    out
}

/// The `text` of a server without the secrets of the requested `url`. Every URL in it is cut after its host.
pub fn hide_secrets(text: &str, url: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let before = rest[..at].char_indices().rev().take_while(|(_, c)| of_scheme(*c));
        let begin = before.last().map_or(at, |(begin, _)| begin);
        let end = at + "://".len();
        // An apostrophe and brackets may be parts of a URL.
        let outside = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>');
        let end = rest[end..].find(outside).map_or(rest.len(), |length| end + length);
        // These end the URL's part of a sentence.
        let end = begin + rest[begin..end].trim_end_matches([':', ',', ';', '.']).len().max(at + 3 - begin);
        out.push_str(&rest[..begin]);
        out.push_str(&redact(&rest[begin..end]));
        rest = &rest[end..];
    }
    out.push_str(rest);
    let (authority, path) = split_authority(url);
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    // A short part of a path is a word, unless there is a digit in it.
    let is_key = |part: &&str| part.len() >= PASSKEY_CHARS || part.contains(|c: char| c.is_ascii_digit());
    let parts = path.split(|c| !of_passkey(c)).filter(is_key);
    let values = query.split('&').map(|value| value.split_once('=').map_or(value, |(_, value)| value));
    let secrets: Vec<&str> = parts.chain(values).chain(user.split(':')).filter(|it| it.len() >= SECRET_CHARS).collect();
    for secret in secrets {
        out = out.replace(secret, HIDDEN);
        // The server may have decoded it.
        if let Some(decoded) = percent_decode(secret).and_then(|bytes| String::from_utf8(bytes).ok()) {
            out = out.replace(&decoded, HIDDEN);
        }
    }
    out
}

/// The URL to which a server at `base` redirects with `location` (RFC 3986, section 5.2): another URL, or a path on
/// that server. It may have any scheme, such as `magnet:`.
pub fn join(base: &str, location: &str) -> String {
    let location = location.trim();
    let base = without_fragment(base);
    let path = path_and_query(base).split('?').next().unwrap_or("");
    let front = &base[..base.len() - path_and_query(base).len()];
    let has_scheme = location.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme));
    match location.bytes().next() {
        _ if has_scheme => location.into(),
        None | Some(b'#') => base.into(),
        Some(b'/') if location.starts_with("//") => format!("{}:{location}", scheme(base).unwrap_or_default()),
        Some(b'/') => format!("{front}{location}"),
        Some(b'?') => format!("{front}{path}{location}"),
        Some(_) => {
            let (to, query) = location.split_at(location.find(['?', '#']).unwrap_or(location.len()));
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut parts: Vec<&str> = folder.split('/').skip(1).collect();
            let last = to.matches('/').count();
            for (place, part) in to.split('/').enumerate() {
                let is_last = place == last;
                match part {
                    ".." => drop(parts.pop()),
                    "." => {}
                    part => parts.push(part),
                }
                if is_last && matches!(part, "." | "..") {
                    parts.push("");
                }
            }
            format!("{front}/{}{query}", parts.join("/"))
        }
    }
}

/// Takes user and password out of `url`, and decodes them: `user:password`.
pub fn take_user(url: &str) -> (String, Option<Vec<u8>>) {
    let (authority, _) = split_authority(url);
    let Some((user, _)) = authority.rsplit_once('@') else { return (url.into(), None) };
    let decoded = percent_decode(user).unwrap_or_else(|| user.as_bytes().to_vec());
    let decoded = if user.contains(':') { decoded } else { [&decoded[..], b":"].concat() };
    (url.replacen(&format!("{user}@"), "", 1), Some(decoded))
}

/// `url` as strict parsers accept it: without blanks around it, and with everything percent-encoded that a URL may not
/// have (spaces, `|`, letters that are not ASCII, a `%` that begins no escape), and the host as the DNS has it. A good
/// URL stays as it is.
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

/// `url` with its host in ASCII; `None` if it is ASCII already. Some programs percent-encode the others.
fn with_ascii_host(url: &str) -> Option<String> {
    let host = host(url).filter(|host| !host.is_ascii() || host.contains('%'))?;
    let decoded = percent_decode(host).and_then(|host| String::from_utf8(host).ok())?;
    let ascii = ascii_host(&decoded);
    // A `:` or `/` in the decoded text must not be taken for the start of the port or the path.
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

#[cfg(test)]
mod tests;
