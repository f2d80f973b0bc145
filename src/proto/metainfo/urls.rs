//! The addresses in a torrent: trackers (BEP 3, 12), web seeds (BEP 19), nodes of the DHT (BEP 5).
//!
//! They are kept as they are, trimmed. Whether one of them can be used is decided where it is used.

use crate::base::url;
use crate::proto::bencode::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most URLs of a kind that are kept: no torrent is known to have hundreds, and each costs memory.
pub const MAX_URLS: usize = 1000;

/// The longest URL that is kept, in bytes: 8 KiB is what most servers accept, and no known tracker comes near it.
pub const MAX_URL_BYTES: usize = 8192;

/// The trackers by tier. `announce` counts only without an announce-list (BEP 12), or one without a URL.
pub(super) fn tiers(
    announce_list: Option<Value<'_>>,
    announce: Option<Value<'_>>,
    warnings: &mut Vec<String>,
) -> Vec<Vec<Arc<str>>> {
    let mut urls = Urls::default();
    let mut tiers = Vec::new();
    for tier in announce_list.and_then(Value::items).into_iter().flatten() {
        // Some programs write a plain list of URLs: then each is a tier.
        let tier: Vec<Arc<str>> = match tier.items() {
            Some(items) => items.filter_map(|url| Some(urls.take(url)?.into())).collect::<Box<[_]>>().into(),
            None => urls.take(tier).map(Arc::from).into_iter().collect(),
        };
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    if tiers.is_empty() {
        tiers.extend(announce.and_then(|url| urls.take(url)).map(|url| vec![url.into()]));
    }
    // Most torrents have one or two, and there may be thousands of torrents.
    tiers.shrink_to_fit();
    urls.warn("tracker", warnings);
    let junk = tiers.iter().flatten().filter(|url| !names_a_tracker(url)).count();
    if junk > 0 {
        warnings.push(format!("tracker URLs that name no tracker, such as one without a scheme or host: {junk}"));
    }
    tiers
}

/// Whether some program may reach a tracker at `url`; swarmlet has no websockets.
fn names_a_tracker(url: &str) -> bool {
    let known = |scheme: &str| ["http", "https", "udp", "ws", "wss"].iter().any(|it| scheme.eq_ignore_ascii_case(it));
    url::scheme(url).is_some_and(known) && url::host(url).is_some() && !url::has_wrong_port(url)
}

/// The web seeds: `url-list` is a list, or one string.
pub(super) fn web_seeds(url_list: Option<Value<'_>>, warnings: &mut Vec<String>) -> Vec<String> {
    let mut urls = Urls::default();
    let web_seeds = match url_list.and_then(Value::items) {
        Some(items) => items.filter_map(|url| urls.take(url)).collect(),
        None => url_list.and_then(|url| urls.take(url)).into_iter().collect(),
    };
    urls.warn("web seed", warnings);
    web_seeds
}

/// The nodes: a list of pairs of host and port. Anything else in it is left out, because nothing depends on it.
pub(super) fn nodes(list: Option<Value<'_>>) -> Vec<(String, u16)> {
    let node = |pair: Value<'_>| {
        let mut items = pair.items()?;
        let host = items.next()?.as_text().filter(|host| (1..=MAX_URL_BYTES).contains(&host.len()))?;
        let port = u16::try_from(items.next()?.as_int()?).ok().filter(|port| *port > 0)?;
        (!host.contains(char::is_control)).then(|| (host.to_string(), port))
    };
    list.and_then(Value::items).into_iter().flatten().filter_map(node).take(MAX_URLS).collect()
}

#[derive(Default)]
struct Urls<'a> {
    seen: BTreeSet<&'a str>,
    dropped: usize,
}

impl<'a> Urls<'a> {
    /// The URL, unless it is empty, was there before, or is not text.
    fn take(&mut self, value: Value<'a>) -> Option<String> {
        // A line break within a URL would let it write headers of its own into a request.
        let url =
            value.as_text().map(str::trim).filter(|url| url.len() <= MAX_URL_BYTES && !url.contains(char::is_control));
        let Some(url) = url.filter(|url| self.seen.len() < MAX_URLS || self.seen.contains(url)) else {
            self.dropped += 1;
            return None;
        };
        (!url.is_empty() && self.seen.insert(url)).then(|| url.to_string())
    }

    fn warn(&self, kind: &str, warnings: &mut Vec<String>) {
        if self.dropped > 0 {
            let count = self.dropped;
            warnings.push(format!(
                "left out {kind} URLs that are not text, over {MAX_URL_BYTES} bytes, or above {MAX_URLS}: {count}"
            ));
        }
    }
}
