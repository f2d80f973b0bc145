use super::*;

/// What the guard thinks of a server at these addresses, to which a server in `from` redirected.
fn judged(url: &str, from: Option<Net>, addrs: &[&str]) -> (usize, Result<Net, &'static str>) {
    let guard = Guard::new(|ip| ip == IpAddr::from([198, 51, 100, 9]));
    guard.aim(url, from, None).unwrap();
    let mut found = DefaultResolver::default().empty();
    addrs.iter().for_each(|addr| found.push(SocketAddr::new(addr.parse().unwrap(), 80)));
    let allowed = guard.judge(found).map_or(0, |allowed| allowed.len());
    (allowed, guard.verdict())
}

#[test]
fn a_server_on_the_internet_leads_nowhere_else() {
    let outside = Some(Net::Internet);
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

#[test]
fn a_torrent_may_name_a_server_nearby_but_not_with_a_query() {
    assert_eq!(judged("http://a/file", None, &["192.168.1.1"]), (1, Ok(Net::Local)));
    assert_eq!(judged("http://a/set?dns=6.6.6.6", None, &["192.168.1.1"]), (0, Err(WITH_QUERY)));
    assert_eq!(judged("http://a/file?key=1", None, &["203.0.113.7"]), (1, Ok(Net::Internet)));
    assert_eq!(judged("http://a/file?key=1", Some(Net::Local), &["10.0.0.1"]), (1, Ok(Net::Local)));
}

#[test]
fn the_blocklist_holds() {
    assert_eq!(judged("http://a/", None, &["198.51.100.9"]), (0, Err("its address is on the blocklist")));
}

#[test]
fn through_a_proxy_what_is_written_in_the_url_is_judged() {
    let aim = |host: &str, from| {
        let guard = Guard::new(|ip| ip == IpAddr::from([198, 51, 100, 9]));
        guard.aim(&format!("http://{host}/"), from, Some("10.0.0.1:3128".into())).and_then(|()| guard.verdict())
    };
    for host in ["a.example", "a.example.", "203.0.113.7:81", "1.a.example", "[2001:db8::1]"] {
        assert_eq!(aim(host, Some(Net::Internet)), Ok(Net::Internet), "{host}");
    }
    let addresses = ["127.0.0.1", "192.168.1.1:8080", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "127.0.0.1."];
    let numbers = ["127.1", "2130706433", "0x7f000001", "10.0.0.0x1"];
    let names = ["LOCALHOST:81", "localhost.", "a.localhost", "router", "router.", "nas.local"];
    for host in [&addresses[..], &numbers, &names].concat() {
        assert_eq!(aim(host, Some(Net::Internet)), Err(FROM_OUTSIDE), "{host}");
        assert_eq!(aim(host, None), Ok(Net::Local), "{host}");
        assert_eq!(aim(host, Some(Net::Local)), Ok(Net::Local), "{host}");
    }
    assert_eq!(aim("198.51.100.9", None), Err(ON_BLOCKLIST));
    let with_query = Guard::new(|_| false).aim("http://router/set?dns=6.6.6.6", None, Some("p:1".into()));
    assert_eq!(with_query, Err(WITH_QUERY));
}
