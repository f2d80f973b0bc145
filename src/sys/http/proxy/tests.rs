//! The variables of the environment, and lists of hosts as people write them.

use super::*;
use crate::base::steps;

fn chosen(address: &str, variables: &[(&str, &str)]) -> Option<String> {
    choose(address, |name| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.to_string()))
}

#[test]
fn each_scheme_has_its_variable() {
    let all = [("http_proxy", "h"), ("HTTPS_PROXY", "s"), ("ALL_PROXY", "a"), ("HTTP_PROXY", "evil")];
    assert_eq!(chosen("http://t.example/", &all).as_deref(), Some("h"));
    assert_eq!(chosen("HTTPS://t.example/", &all).as_deref(), Some("s"));
    assert_eq!(chosen("http://t.example/", &all[1..]).as_deref(), Some("a"));
    assert_eq!(chosen("https://t.example/", &all[2..]).as_deref(), Some("a"));
    assert_eq!(chosen("http://t.example/", &all[3..]), None, "a client may have chosen it");
    assert_eq!(chosen("http://t.example/", &[("HTTPS_PROXY", "s"), ("https_proxy", "s")]), None);
    assert_eq!(chosen("https://t.example/", &[("HTTPS_PROXY", "S"), ("https_proxy", "s")]).as_deref(), Some("s"));
    assert_eq!(chosen("http://t.example/", &[("http_proxy", "h"), ("NO_PROXY", "example")]), None);
    assert_eq!(chosen("t.example", &all), None);
}

#[test]
fn hosts_are_exempt_as_for_curl() {
    for (list, host, port, listed) in [
        ("*", "t.example", 80, true),
        ("a, *", "t.example", 80, false),
        ("t.example", "T.Example.", 80, true),
        ("T.EXAMPLE.", "t.example", 80, true),
        ("example", "t.example", 80, true),
        (".example", "t.example", 80, true),
        ("*.example", "t.example", 80, true),
        (".t.example", "t.example", 80, true),
        ("ample", "t.example", 80, false),
        ("x.t.example", "t.example", 80, false),
        ("a b\tt.example", "t.example", 80, true),
        ("a,,t.example,", "t.example", 80, true),
        ("", "t.example", 80, false),
        (".", "t.example", 80, false),
        ("t.example:80", "t.example", 80, true),
        ("t.example:81", "t.example", 80, false),
        ("10.0.0.0/8", "10.255.0.1", 80, true),
        ("10.0.0.0/8", "11.0.0.1", 80, false),
        ("0.0.0.0/0", "11.0.0.1", 80, true),
        ("10.0.0.0/33", "10.0.0.0", 80, false),
        ("10.0.0.1", "10.0.0.1", 80, true),
        ("0.0.1", "10.0.0.1", 80, false),
        ("10.0.0.1:80", "10.0.0.1", 80, true),
        ("::1", "::1", 80, true),
        ("[::1]", "::1", 80, true),
        ("[::1]:81", "::1", 80, false),
        ("fd00::/8", "fdff::1", 80, true),
        ("::/0", "fdff::1", 80, true),
        ("10.0.0.0/8", "10.example", 80, false),
    ] {
        assert_eq!(is_listed(list, host, port), listed, "{list:?}, {host}");
    }
}

#[test]
fn proxies_are_named_in_many_ways() {
    for (address, protocol, host, port, user) in [
        ("proxy.example", ProxyProtocol::Http, "proxy.example", 1080, None),
        ("proxy.example:3128", ProxyProtocol::Http, "proxy.example", 3128, None),
        ("HTTP://proxy.example:3128/", ProxyProtocol::Http, "proxy.example", 3128, None),
        ("http://u:p%40ss@proxy.example:3128", ProxyProtocol::Http, "proxy.example", 3128, Some("Basic dTpwQHNz")),
        ("u:p@proxy.example:3128", ProxyProtocol::Http, "proxy.example", 3128, Some("Basic dTpw")),
        ("http://[::1]:3128", ProxyProtocol::Http, "[::1]", 3128, None),
        ("socks5://proxy.example", ProxyProtocol::Socks5h, "proxy.example", 1080, None),
        ("socks5h://proxy.example:9050", ProxyProtocol::Socks5h, "proxy.example", 9050, None),
    ] {
        let proxy = parse(address).unwrap_or_else(|| panic!("{address}"));
        assert_eq!((proxy.protocol(), proxy.host(), proxy.port()), (protocol, host, port), "{address}");
        assert_eq!(authorization(&proxy).as_deref(), user, "{address}");
    }
    assert_eq!(parse("https://proxy.example").is_some(), cfg!(feature = "tls"));
    for wrong in ["ftp://proxy.example", "socks4a://proxy.example", "http://", "://", "a b", "http:///x"] {
        assert!(parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn the_time_is_linear_in_the_bytes_of_a_list_of_hosts() {
    for host in ["t.example".to_string(), "10.0.0.1".into(), "t.".repeat(5000)] {
        for entry in ["x,", ",", "*.t. ", "10.0.0.0/8:1,", "[::1]:9,", "::,", "t:"] {
            // The host is read once.
            let text = |parts| [entry.repeat(parts).as_bytes(), &vec![b' '; host.len()]].concat();
            steps::are_linear(2, text, |list| {
                is_listed(str::from_utf8(list).unwrap(), &host, 80);
            });
        }
    }
}
