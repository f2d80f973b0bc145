use super::*;

/// What the guard thinks of a server at these addresses.
fn judged(url: &str, origin: Origin, addrs: &[&str]) -> (usize, Result<Net, &'static str>) {
    let guard = Guard::new(|ip| ip == IpAddr::from([198, 51, 100, 9]));
    guard.aim(url, origin, None).unwrap();
    let mut found = DefaultResolver::default().empty();
    addrs.iter().for_each(|addr| found.push(SocketAddr::new(addr.parse().unwrap(), 80)));
    let allowed = guard.judge(found).map_or(0, |allowed| allowed.len());
    (allowed, guard.verdict())
}

#[test]
fn a_server_on_the_internet_leads_nowhere_else() {
    let outside = Origin::Redirect(Net::Internet);
    assert_eq!(judged("http://a/", outside, &["203.0.113.7"]), (1, Ok(Net::Internet)));
    for inside in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "fe80::1", "::ffff:192.168.1.1"] {
        assert_eq!(judged("http://a/", outside, &[inside]), (0, Err(FROM_OUTSIDE)), "{inside}");
    }
    for inside in ["0.0.0.0", "100.64.0.1", "255.255.255.255", "224.0.0.1", "64:ff9b::7f00:1", "::"] {
        assert_eq!(judged("http://a/", outside, &[inside]), (0, Err(FROM_OUTSIDE)), "{inside}");
    }
    assert_eq!(
        judged("http://a/", outside, &["10.0.0.1", "203.0.113.7"]),
        (1, Ok(Net::Internet)),
        "one of its addresses"
    );
}

/// With IPv6 every host at home has an address of the internet.
#[test]
fn a_host_with_our_own_first_64_bits_is_in_the_local_network() {
    let beside = |ip: &str, ours: &str| is_beside(ip.parse().unwrap(), ours.parse().unwrap());
    assert!(beside("2001:db8:0:7::1", "2001:db8:0:7:1:2:3:4"));
    assert!(!beside("2001:db8:0:8::1", "2001:db8:0:7:1:2:3:4"));
    assert!(!beside("203.0.113.7", "203.0.113.7") && !beside("::ffff:203.0.113.7", "::ffff:203.0.113.7"));
    assert!(is_local(&"[::1]:80".parse().unwrap()) && !is_local(&"203.0.113.7:80".parse().unwrap()));
}

#[test]
fn names_are_forgotten_between_requests_and_all_at_once() {
    let guard = Guard::new(|_| false);
    let aim = || guard.aim("http://a/", Origin::WebSeed, None).unwrap();
    let know = |at| lock(&guard.state).known.push(("a".into(), at, DefaultResolver::default().empty()));
    aim();
    let before = guard.terms();
    (0..MOST_NAMES - 1).for_each(|_| know(Instant::now()));
    aim();
    assert!(guard.terms() == before && guard.remembered("a").is_some());
    know(Instant::now());
    aim();
    assert!(guard.terms() != before && guard.remembered("a").is_none());
    let before = guard.terms();
    know(Instant::now().checked_sub(REMEMBERED).unwrap());
    assert!(guard.remembered("a").is_some());
    aim();
    assert!(guard.terms() != before && guard.remembered("a").is_none());
}

#[test]
fn a_torrent_may_name_a_server_nearby_but_not_with_a_query() {
    assert_eq!(judged("http://a/file", Origin::WebSeed, &["192.168.1.1"]), (1, Ok(Net::Local)));
    assert_eq!(judged("http://a/set?dns=6.6.6.6", Origin::WebSeed, &["192.168.1.1"]), (0, Err(WITH_QUERY)));
    assert_eq!(judged("http://a/file?key=1", Origin::WebSeed, &["203.0.113.7"]), (1, Ok(Net::Internet)));
    assert_eq!(judged("http://a/file?key=1", Origin::Redirect(Net::Local), &["10.0.0.1"]), (1, Ok(Net::Local)));
}

#[test]
fn a_tracker_and_a_torrents_url_may_be_anywhere_with_any_query() {
    for (addr, net) in [("192.168.1.1", Net::Local), ("127.0.0.1", Net::Local), ("203.0.113.7", Net::Internet)] {
        assert_eq!(judged("http://a/announce?key=1", Origin::Named, &[addr]), (1, Ok(net)));
    }
}

#[test]
fn the_way_never_leads_back_from_the_internet() {
    let far = Origin::Redirect(Net::Internet);
    for origin in [Origin::WebSeed, Origin::Named, Origin::Redirect(Net::Local)] {
        assert_eq!((origin.then(Net::Local), origin.then(Net::Internet)), (Origin::Redirect(Net::Local), far));
    }
    // Through a proxy, a name is taken for one of the internet although nobody looked it up.
    assert_eq!((far.then(Net::Local), far.then(Net::Internet)), (far, far));
}

#[test]
fn the_blocklist_holds() {
    assert_eq!(judged("http://a/", Origin::WebSeed, &["198.51.100.9"]), (0, Err("its address is on the blocklist")));
}

#[test]
fn through_a_proxy_what_is_written_in_the_url_is_judged() {
    let aim = |host: &str, origin| {
        let guard = Guard::new(|ip| ip == IpAddr::from([198, 51, 100, 9]));
        guard.aim(&format!("http://{host}/"), origin, Some("10.0.0.1:3128".into())).and_then(|()| guard.verdict())
    };
    for host in ["a.example", "a.example.", "203.0.113.7:81", "1.a.example", "[2001:db8::1]"] {
        assert_eq!(aim(host, Origin::Redirect(Net::Internet)), Ok(Net::Internet), "{host}");
    }
    let addresses = ["127.0.0.1", "192.168.1.1:8080", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "127.0.0.1."];
    let numbers = ["127.1", "2130706433", "0x7f000001", "10.0.0.0x1"];
    let names = ["LOCALHOST:81", "localhost.", "a.localhost", "router", "router.", "nas.local"];
    for host in [&addresses[..], &numbers, &names].concat() {
        assert_eq!(aim(host, Origin::Redirect(Net::Internet)), Err(FROM_OUTSIDE), "{host}");
        assert_eq!(aim(host, Origin::WebSeed), Ok(Net::Local), "{host}");
        assert_eq!(aim(host, Origin::Redirect(Net::Local)), Ok(Net::Local), "{host}");
    }
    assert_eq!(aim("198.51.100.9", Origin::WebSeed), Err(ON_BLOCKLIST));
    let with_query = Guard::new(|_| false).aim("http://router/set?dns=6.6.6.6", Origin::WebSeed, Some("p:1".into()));
    assert_eq!(with_query, Err(WITH_QUERY));
}
