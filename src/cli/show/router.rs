//! The router in words: whether peers elsewhere can connect to us, and why not.
//!
//! Floor 4. Nothing here is safe for a terminal yet: the router wrote a part of it.

use crate::base::json::Object;
use crate::engine::Router;
use crate::proto::portmap::Transport;
use crate::swarm::meeting::portmap::{Open, Standing};

/// How the line begins if the router lets nobody in.
const NOBODY: &str = "nobody has connected to us from elsewhere";

/// `nobody has connected to us from elsewhere: the router 192.168.1.1 refuses UPnP: ...`. `None`: nothing stands in the
/// way of peers, as far as we know.
pub fn trouble(router: &Router) -> Option<String> {
    let why = match &router.v4 {
        Standing::Closed(why) => named(why, router),
        Standing::Open(open) => open.obstacle().map(|why| named(&why, router))?,
        Standing::Off | Standing::Useless(_) | Standing::Asking => return None,
    };
    let is_open = router.reached || router.v6.open().is_some();
    (!is_open).then(|| format!("{NOBODY}: {why}"))
}

/// `the router` gets its address.
fn named(words: &str, router: &Router) -> String {
    let Some(ip) = router.ip else { return words.into() };
    match words.strip_prefix("the router ") {
        Some(rest) => format!("the router {ip} {rest}"),
        None => words.into(),
    }
}

/// A line about the router, after something changed there: which port leads to us, or what is wrong.
pub fn line(router: &Router) -> Option<String> {
    let opens = |standing: &Standing| standing.open().map(Open::to_string);
    trouble(router).or_else(|| opens(&router.v4)).or_else(|| opens(&router.v6))
}

/// The field `port_mapping` of a JSON object.
pub fn json(router: &Router) -> String {
    let mut object = Object::plain();
    let state = match &router.v4 {
        Standing::Off => "off",
        Standing::Useless(_) => "useless",
        Standing::Asking => "asking",
        Standing::Open(_) => "open",
        Standing::Closed(_) => "closed",
    };
    object.text("state", state);
    object.text_or_null("router", router.ip.map(|ip| ip.to_string()).as_deref());
    let open = router.v4.open();
    object.text_or_null("protocol", open.map(|open| open.protocol.name()));
    object.text_or_null("outer_ip", open.and_then(|open| open.ip).map(|ip| ip.to_string()).as_deref());
    for (key, transport) in [("tcp", Transport::Tcp), ("udp", Transport::Udp)] {
        object.number_or_null(key, open.and_then(|open| open.port(transport)).map(u32::from));
    }
    object.flag("ipv6", router.v6.open().is_some());
    object.flag("reached", router.reached);
    let why = match &router.v4 {
        Standing::Useless(why) | Standing::Closed(why) => Some(why.clone()),
        Standing::Open(open) => open.obstacle(),
        Standing::Off | Standing::Asking => None,
    };
    object.text_or_null("why", why.as_deref());
    object.so_far() + "}"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::meeting::portmap::Protocol;

    fn router(v4: Standing) -> Router {
        Router { ip: Some([192, 168, 1, 1].into()), v4, v6: Standing::Off, reached: false }
    }

    fn open(ip: [u8; 4]) -> Standing {
        Standing::Open(Open { protocol: Protocol::Upnp, ip: Some(ip.into()), ports: [Some(7000), None] })
    }

    #[test]
    fn a_refusal_is_shown_until_somebody_connects() {
        let refuses = router(Standing::Closed("the router refuses UPnP: it does not allow that (error 606)".into()));
        let words = "nobody has connected to us from elsewhere: the router 192.168.1.1 refuses UPnP: it does not allow \
            that (error 606)";
        assert_eq!((trouble(&refuses).as_deref(), line(&refuses).as_deref()), (Some(words), Some(words)));
        assert_eq!(trouble(&Router { reached: true, ..refuses.clone() }), None);
        let v6 = Open { protocol: Protocol::Pcp, ip: None, ports: [Some(1), Some(1)] };
        assert_eq!(trouble(&Router { v6: Standing::Open(v6), ..refuses }), None);
        for quiet in [Standing::Off, Standing::Asking, Standing::Useless("no router".into())] {
            assert_eq!(line(&router(quiet)), None);
        }
    }

    #[test]
    fn a_port_that_leads_here_is_told_once_and_a_carriers_nat_is_trouble() {
        assert_eq!(trouble(&router(open([45, 77, 0, 1]))), None);
        assert_eq!(
            line(&router(open([45, 77, 0, 1]))).unwrap(),
            "port 7000 (TCP only) of 45.77.0.1 leads here, by UPnP"
        );
        let carrier = trouble(&router(open([100, 64, 0, 1]))).unwrap();
        assert!(carrier.contains("elsewhere: the router's outer address 100.64.0.1 is not public"), "{carrier}");
    }

    #[test]
    fn programs_get_all_of_it() {
        let text = json(&router(open([45, 77, 0, 1])));
        let expected = "{\"state\":\"open\",\"router\":\"192.168.1.1\",\"protocol\":\"UPnP\",\
            \"outer_ip\":\"45.77.0.1\",\"tcp\":7000,\"udp\":null,\"ipv6\":false,\"reached\":false,\"why\":null}";
        assert_eq!(text, expected);
        assert!(json(&router(Standing::Useless("no router".into()))).ends_with("\"why\":\"no router\"}"));
    }
}
