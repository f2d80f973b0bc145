//! The page at `/` for people, and its figures for programs: `/stats.json` and `/metrics`.
//!
//! Floor 3. The page has no scripts, and its styles are in files of their own, so that its Content-Security-Policy can
//! forbid everything else. To search, the browser asks for the page again, with `?search=`. Names of torrents can't be
//! trusted and are escaped.

use crate::base::hex::from_hex;
use crate::base::json::{Object, array};
use crate::base::path::for_terminal;
use crate::base::units::size;
use crate::base::url::{percent_decode, percent_encode};
use crate::proto::id::InfoHash;
use crate::tracker::files::allowed::Allowed;
use crate::tracker::registry::{Counts, Registry};
use crate::tracker::shared::Shared;
use crate::web::answer::Answer;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Most swarms that are compared for the page if all torrents are tracked.
const MOST_SWARMS: usize = 2000;
/// Most rows of the page.
const MOST_ROWS: usize = 500;
/// Longest part of a name that is searched for, in bytes.
const MOST_SEARCH: usize = 200;
/// The height of a chart, in its own units.
const HEIGHT: u32 = 100;

/// A swarm on the page.
struct Row {
    hash: InfoHash,
    counts: Counts,
    /// The torrent's file name, name and length, if it is in the folder.
    torrent: Option<(String, String, u64)>,
}

impl Row {
    /// Whether its name or its info-hash has this part, in small letters.
    fn has(&self, part: &str) -> bool {
        let name = self.torrent.as_ref().map(|(_, name, _)| name.to_lowercase());
        name.is_some_and(|name| name.contains(part)) || self.hash.to_string().starts_with(part)
    }
}

/// The swarms whose name or info-hash has this part, the largest first.
fn rows(shared: &Shared, part: &str) -> Vec<Row> {
    let part = part.to_lowercase();
    let allowed = shared.allowed();
    let torrent = |hash: &InfoHash| {
        let (file, torrent) = allowed.as_ref().and_then(|allowed| allowed.get(hash))?;
        Some((file.to_string(), torrent.name.clone(), torrent.length))
    };
    let registry = shared.registry();
    let found: Vec<(InfoHash, Counts)> = match allowed.as_ref().map(Allowed::hashes) {
        Some(hashes) => hashes.map(|hash| (*hash, registry.counts(hash).unwrap_or_default())).collect(),
        None => swarms_from(&registry, &part),
    };
    drop(registry);
    let mut rows: Vec<Row> =
        found.into_iter().map(|(hash, counts)| Row { hash, counts, torrent: torrent(&hash) }).collect();
    rows.retain(|row| row.has(&part));
    let peers = |row: &Row| u64::from(row.counts.seeds) + u64::from(row.counts.leechers);
    rows.sort_unstable_by_key(|row| (std::cmp::Reverse(peers(row)), row.hash));
    rows.truncate(MOST_ROWS);
    rows
}

/// The first swarms in the order of their info-hashes that have `part` as the beginning, or follow it. (If all torrents
/// are tracked, swarms have no names.)
fn swarms_from(registry: &Registry, part: &str) -> Vec<(InfoHash, Counts)> {
    let Some(first) = from_hex(&format!("{part:0<40}")).map(InfoHash) else { return Vec::new() };
    let after = registry.swarms_after(Some(first)).map(|(hash, swarm)| (*hash, swarm.counts()));
    registry.counts(&first).map(|counts| (first, counts)).into_iter().chain(after).take(MOST_SWARMS).collect()
}

/// What is searched for: the value of `search` in a query.
fn search(query: &str) -> String {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("search=")).unwrap_or_default();
    let bytes = percent_decode(&value.replace('+', " ")).filter(|bytes| bytes.len() <= MOST_SEARCH);
    String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default().trim().into()
}

/// The page. `host` is the name by which the browser reached us; magnet links need it.
pub fn page(shared: &Shared, host: &str, query: &str) -> Answer {
    let part = search(query);
    let rows = rows(shared, &part);
    let (swarms, peers) = {
        let registry = shared.registry();
        (registry.swarms(), registry.peers())
    };
    let mut out = String::from(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>BitTorrent tracker</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/look.css\">\
         <link rel=\"stylesheet\" href=\"/style.css\"></head><body><main><h1>BitTorrent tracker</h1>",
    );
    let announces = shared.stats.http_announces.load(Relaxed) + shared.stats.udp_announces.load(Relaxed);
    let _ = write!(
        out,
        "<p>Swarms: {swarms}. Peers: {peers}. Announces since start: {announces}.</p><div class=\"charts\">"
    );
    chart("Announces per minute in the last hour", &shared.stats.last_hour(), &mut out);
    chart("Peers in the last hour", &shared.stats.last_peers(peers), &mut out);
    let _ = write!(
        out,
        "</div><form class=\"row\" role=\"search\"><input type=\"search\" name=\"search\" value=\"{0}\" \
         aria-label=\"Part of a name, or the beginning of an info-hash\" placeholder=\"Name or info-hash\">\
         <button>Search</button></form><p role=\"status\">",
        text(&part)
    );
    match rows.len() {
        _ if part.is_empty() => {}
        0 => out.push_str("No torrent has this name or info-hash. <a href=\"/\">Show all</a>"),
        MOST_ROWS => drop(write!(out, "At least {MOST_ROWS} torrents were found. <a href=\"/\">Show all</a>")),
        1 => out.push_str("1 torrent was found. <a href=\"/\">Show all</a>"),
        count => drop(write!(out, "{count} torrents were found. <a href=\"/\">Show all</a>")),
    }
    out.push_str("</p>");
    out.push_str(
        "<div class=\"table\"><table><thead><tr><th>Torrent<th>Size<th>Seeds<th>Leechers<th>Completed\
         <th>Traffic</tr></thead><tbody>",
    );
    for Row { hash, counts, torrent } in &rows {
        let Counts { seeds, leechers, completed } = counts;
        out.push_str("<tr><td>");
        let mut sizes = (String::new(), String::new());
        match torrent {
            Some((file, name, length)) => {
                let link = percent_encode(file.as_bytes());
                let _ = write!(out, "<a dir=\"auto\" href=\"/torrents/{link}\">{}</a> ", text(name));
                let tracker = percent_encode(format!("http://{host}/announce").as_bytes());
                let name = percent_encode(name.as_bytes());
                // The page must not publish a passkey, and without one the address of the tracker is useless.
                let tracker = if shared.passkeys().is_some() { String::new() } else { format!("&amp;tr={tracker}") };
                let _ = write!(
                    out,
                    "<small><a href=\"magnet:?xt=urn:btih:{hash}&amp;xl={length}&amp;dn={name}{tracker}\">magnet</a></small>"
                );
                sizes = (size(*length), size(length.saturating_mul(u64::from(*completed))));
            }
            None => {
                let _ = write!(out, "{hash}");
            }
        }
        let (size, traffic) = sizes;
        let _ = write!(out, "<td>{size}<td>{seeds}<td>{leechers}<td>{completed}<td>{traffic}</tr>");
    }
    out.push_str("</tbody></table></div></main></body></html>\n");
    let mut answer = Answer::of("200 OK", "text/html; charset=utf-8", out.into_bytes());
    answer.headers =
        "Content-Security-Policy: default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
            .into();
    answer
}

/// A file of styles.
pub fn style(text: &str) -> Answer {
    Answer::of("200 OK", "text/css; charset=utf-8", text.into())
}

/// A chart with a bar for each minute, the same in words, and what it shows.
fn chart(title: &str, hour: &[u32], out: &mut String) {
    let most = hour.iter().copied().max().unwrap_or(0);
    let now = hour.last().copied().unwrap_or(0);
    let _ = write!(
        out,
        "<figure><svg viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{title}: {now} now, at most {most}\">",
        10 * hour.len(),
    );
    for (at, &count) in hour.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = u64::from(count) * u64::from(HEIGHT) / u64::from(most);
        let (x, y) = (10 * at, u64::from(HEIGHT) - height);
        let _ = write!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"9\" height=\"{height}\"/>");
    }
    let _ = write!(out, "</svg><figcaption>{title}: at most {most}</figcaption></figure>");
}

/// The figures as JSON: sizes in bytes, times in seconds.
pub fn json(shared: &Shared) -> Answer {
    let (swarms, peers) = {
        let registry = shared.registry();
        (registry.swarms() as u64, registry.peers() as u64)
    };
    let stats = &shared.stats;
    let mut out = Object::plain();
    out.number("uptime", shared.now().as_secs());
    out.number("swarms", swarms);
    out.number("peers", peers);
    out.number("http_announces", stats.http_announces.load(Relaxed) as u64);
    out.number("udp_announces", stats.udp_announces.load(Relaxed) as u64);
    out.number("scrapes", stats.scrapes.load(Relaxed) as u64);
    out.number("refused", stats.refused.load(Relaxed) as u64);
    out.raw("announces_a_minute", &array(&mut stats.last_hour().iter().map(u32::to_string)));
    let torrent = |Row { hash, counts, torrent }: &Row| {
        let mut out = Object::plain();
        out.text("info_hash", &hash.to_string());
        out.number("seeds", counts.seeds.into());
        out.number("leechers", counts.leechers.into());
        out.number("completed", counts.completed.into());
        if let Some((_, name, length)) = torrent {
            out.text("name", name);
            out.number("size", *length);
        }
        out.end().trim_end().to_string()
    };
    out.raw("torrents", &array(&mut rows(shared, "").iter().map(torrent)));
    Answer::of("200 OK", "application/json", out.end().into_bytes())
}

/// The figures in the text format of Prometheus.
pub fn metrics(shared: &Shared) -> Answer {
    let (swarms, peers) = {
        let registry = shared.registry();
        (registry.swarms() as u64, registry.peers() as u64)
    };
    let stats = &shared.stats;
    let mut out = String::new();
    for (name, kind, value) in [
        ("swarms", "gauge", swarms),
        ("peers", "gauge", peers),
        ("announces_total{proto=\"http\"}", "counter", stats.http_announces.load(Relaxed) as u64),
        ("announces_total{proto=\"udp\"}", "", stats.udp_announces.load(Relaxed) as u64),
        ("scrapes_total", "counter", stats.scrapes.load(Relaxed) as u64),
        ("refused_total", "counter", stats.refused.load(Relaxed) as u64),
    ] {
        if !kind.is_empty() {
            let family = name.split('{').next().unwrap_or(name);
            let _ = writeln!(out, "# TYPE swarmlet_tracker_{family} {kind}");
        }
        let _ = writeln!(out, "swarmlet_tracker_{name} {value}");
    }
    Answer::of("200 OK", "text/plain; version=0.0.4", out.into_bytes())
}

/// `name` escaped for HTML.
fn text(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in for_terminal(name).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Time;
    use crate::tracker::registry::Limits;

    #[test]
    fn the_query_says_which_name_is_searched() {
        for (query, part) in [
            ("", ""),
            ("search=", ""),
            ("a=b&search=big+Buck%20%C3%BC", "big Buck ü"),
            ("search=%ff", ""),
            ("search=%", ""),
            ("research=a", ""),
        ] {
            assert_eq!(search(query), part, "{query}");
        }
        assert_eq!(search(&format!("search={}", "a".repeat(MOST_SEARCH + 1))), "");
    }

    #[test]
    fn every_swarm_is_found_by_the_beginning_of_its_info_hash() {
        let limits = Limits { peers: 10, swarm_peers: 10, swarms: 2 * MOST_SWARMS, age: Time::from_secs(3600) };
        let mut registry = Registry::new(limits, 1);
        let hash = |number: u16| InfoHash([&number.to_be_bytes()[..], &[0; 18]].concat().try_into().unwrap());
        for number in 0..3000 {
            registry.restore_swarm(hash(number), 0);
        }
        let found = |part: &str| swarms_from(&registry, part);
        assert_eq!(found("").len(), MOST_SWARMS);
        for (part, first) in [("", 0), ("0", 0), ("0bb", 2992), ("0bb7", 2999), (&hash(2500).to_string(), 2500)] {
            assert_eq!(found(part)[0].0, hash(first), "{part}");
        }
        for part in ["1", "name", "ü", &"0".repeat(41)] {
            assert!(found(part).is_empty(), "{part}");
        }
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(
            text("<script>alert('\"&')</script>\u{202e}"),
            "&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;\\u{202e}"
        );
    }
}
