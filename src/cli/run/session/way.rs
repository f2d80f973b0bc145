//! How everything leaves, in words for people: `--bind` and `--proxy`.
//!
//! Floor 4, part of the [`session`](super).

use super::{Session, Update};
use crate::sys::outlet::{self, Bound, Outlet};

/// What a proxy does not carry.
const OFF: &str = "UDP trackers, the DHT, the local network and incoming connections are off";

impl Session {
    /// Takes in why nothing can be sent; `None`: something can again.
    pub(super) fn is_offline(&mut self, why: Option<String>) -> Update {
        let text = match &why {
            Some(why) => format!("{why}: nothing is sent until it is back"),
            None => back(outlet::get()),
        };
        self.offline = why;
        Update::Problem(text)
    }

    /// How everything leaves, or why nothing does; `None`: as usual.
    pub fn way_out(&self) -> Option<String> {
        let in_words = || in_words(outlet::get());
        self.offline.as_ref().map(|why| format!("nothing is sent: {why}")).or_else(in_words)
    }

    /// Where we listen.
    pub fn listening(&self) -> String {
        match outlet::get() {
            proxied if proxied.is_proxied() => in_words(proxied).unwrap_or_default(),
            Outlet { bound: Some(bound), .. } => format!("listening on port {} of {bound}", self.port),
            _ => format!("listening on port {}", self.port),
        }
    }
}

fn back(outlet: &Outlet) -> String {
    let bound = outlet.bound.as_ref().map_or(String::new(), Bound::to_string);
    format!("{bound} (--bind) is back")
}

fn in_words(outlet: &Outlet) -> Option<String> {
    let bound = outlet.bound.as_ref().map(|bound| format!("bound to {bound}"));
    let proxy = outlet.proxy.as_ref().map(|proxy| format!("everything leads through the proxy {proxy}: {OFF}"));
    match (bound, proxy) {
        (Some(bound), Some(proxy)) => Some(format!("{bound}; {proxy}")),
        (bound, proxy) => bound.or(proxy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::outlet::Proxy;

    #[test]
    fn the_way_out_is_named_without_passwords() {
        let words = |bound: Option<&str>, proxy: Option<&str>| {
            let bound = bound.map(|name| Bound::Interface(name.into()));
            in_words(&Outlet { bound, proxy: proxy.and_then(Proxy::parse) })
        };
        assert_eq!(words(None, None), None);
        assert_eq!(words(Some("tun0"), None).unwrap(), "bound to tun0");
        let proxied = words(Some("tun0"), Some("socks5://me:secret@p")).unwrap();
        assert_eq!(proxied, format!("bound to tun0; everything leads through the proxy p:1080: {OFF}"));
    }

    #[test]
    fn what_is_away_is_shown_until_it_is_back() {
        let mut session = Session::new(6881);
        assert_eq!((session.way_out(), session.listening().as_str()), (None, "listening on port 6881"));
        let update = session.is_offline(Some("the interface tun0 (--bind) is down".into()));
        let text = "the interface tun0 (--bind) is down: nothing is sent until it is back";
        assert_eq!(update, Update::Problem(text.into()));
        assert_eq!(session.way_out().unwrap(), "nothing is sent: the interface tun0 (--bind) is down");
        session.is_offline(None);
        assert_eq!(session.way_out(), None);
        let bound = Some(Bound::Interface("tun0".into()));
        assert_eq!(back(&Outlet { bound, proxy: None }), "tun0 (--bind) is back");
    }
}
