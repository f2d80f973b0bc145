//! What proxies say about the client of a request: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! Floor 3. Each proxy appends the address from which it got the request. The last address was written by the proxy
//! that is connected to us, so it is true if that proxy is trusted. If it names another trusted proxy, the address
//! before it is true too, and so on. What is to the left of the first untrusted address was written from there
//! and is not believed.

use crate::base::step;
use core::net::IpAddr;

/// Headers besides `Forwarded`, and those that begin with `X-Forwarded-`, that only proxies write: of RFC 9110 and
/// RFC 8586, and those by which web servers and networks of caches tell the client's address.
const OTHERS: [&str; 20] = [
    "via",
    "cdn-loop",
    "x-real-ip",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "fly-client-ip",
    "x-azure-clientip",
    "x-appengine-user-ip",
    "x-envoy-external-address",
];
/// How the others begin.
const BEGIN: &str = "x-forwarded-";

/// The headers of a request that proxies write.
#[derive(Debug, Default)]
pub struct Forwarded<'a> {
    /// The values of `X-Forwarded-For`, in order.
    x_forwarded_for: Vec<&'a [u8]>,
    /// The values of `Forwarded`, in order.
    forwarded: Vec<&'a [u8]>,
    /// There is a header of another kind that only proxies write.
    others: bool,
}

/// Why the address of a client is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The trusted proxies name only themselves.
    OnlyProxies,
    /// In the place of the client's address is a word, as RFC 7239 allows it, or something damaged.
    NoAddress,
    /// The two headers name different clients. Most likely the client wrote one of them.
    Disagreement,
}

impl Unknown {
    /// The reason, for the client and for the operator.
    pub fn reason(self) -> &'static str {
        match self {
            Unknown::OnlyProxies => "your address is not known: the proxy in front of this tracker names only proxies",
            Unknown::NoAddress => "your address is not known: the proxy in front of this tracker names no IP address",
            Unknown::Disagreement => {
                "your address is not known: X-Forwarded-For and Forwarded name different ones; \
                 the proxy in front of this tracker must remove one of them"
            }
        }
    }
}

impl<'a> Forwarded<'a> {
    /// Notes a header. Headers that proxies do not write are ignored.
    pub fn note(&mut self, name: &str, value: &'a [u8]) {
        if name.eq_ignore_ascii_case("x-forwarded-for") {
            self.x_forwarded_for.push(value);
        } else if name.eq_ignore_ascii_case("forwarded") {
            self.forwarded.push(value);
        } else {
            let begins = name.get(..BEGIN.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(BEGIN));
            self.others |= begins || OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other));
        }
    }

    /// Whether the request came through a proxy, as far as that can be told.
    pub fn is_proxied(&self) -> bool {
        self.others || !self.x_forwarded_for.is_empty() || !self.forwarded.is_empty()
    }

    /// The address of the client whose request came from `from`. A request of a trusted proxy without such headers is
    /// the proxy's own.
    pub fn client(&self, from: IpAddr, is_trusted: impl Fn(IpAddr) -> bool) -> Result<IpAddr, Unknown> {
        let from = from.to_canonical();
        if !is_trusted(from) {
            return Ok(from);
        }
        let lines = |values: &[&'a [u8]], address: fn(&[u8]) -> Option<IpAddr>| {
            let from_the_last = values.iter().rev().flat_map(|value| elements(value).into_iter().rev());
            (!values.is_empty()).then(|| walk(from_the_last.map(address), &is_trusted))
        };
        match (lines(&self.x_forwarded_for, address), lines(&self.forwarded, of_pairs)) {
            (None, None) => Ok(from),
            (Some(client), None) | (None, Some(client)) => client,
            (Some(one), Some(other)) if one == other => one,
            (Some(_), Some(_)) => Err(Unknown::Disagreement),
        }
    }
}

/// The first address, from the last one on, that is not a trusted proxy's.
fn walk(
    addresses: impl Iterator<Item = Option<IpAddr>>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<IpAddr, Unknown> {
    for address in addresses {
        match address {
            Some(ip) if is_trusted(ip) => {}
            Some(ip) => return Ok(ip),
            None => return Err(Unknown::NoAddress),
        }
    }
    Err(Unknown::OnlyProxies)
}

/// The elements of a list (RFC 9110, section 5.6.1). Empty ones do not count. A comma inside quotes does not separate.
fn elements(list: &[u8]) -> Vec<&[u8]> {
    let all = split(list, b',').into_iter().map(<[u8]>::trim_ascii);
    all.filter(|element| !element.is_empty()).collect()
}

/// The parts between separators that are not inside quotes. An unclosed quote ends with the text.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let ends = |&byte: &u8| {
        step(1);
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        byte == separator && !quoted
    };
    text.split(ends).collect()
}

/// The address in the `for` of an element of `Forwarded`: `for="[2001:db8::1]:4711";proto=http`.
fn of_pairs(element: &[u8]) -> Option<IpAddr> {
    let pairs = split(element, b';').into_iter().map(<[u8]>::trim_ascii);
    let mut values = pairs.filter_map(|pair| {
        let (name, value) = pair.split_at_checked(b"for=".len())?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    });
    address(values.next()?)
}

/// An address as proxies write it: `1.2.3.4`, `1.2.3.4:5555`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:5555`,
/// each also in quotes or with a zone (`fe80::1%eth0`).
fn address(text: &[u8]) -> Option<IpAddr> {
    step(text.len());
    let text = str::from_utf8(text.trim_ascii()).ok()?;
    let text = text.strip_prefix('"').map_or(Some(text), |text| text.strip_suffix('"'))?;
    let (ip, port) = match text.strip_prefix('[') {
        Some(text) => text.split_once(']')?,
        // One colon is before a port; an IPv6 address has at least two.
        None if text.matches(':').count() == 1 => text.split_at(text.find(':')?),
        None => (text, ""),
    };
    let is_port = port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let ip = ip.split_once('%').map_or(ip, |(ip, _)| ip);
    let ip: IpAddr = ip.parse().ok().filter(|_| port.is_empty() || is_port)?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::steps;

    const PROXY: &str = "10.0.0.1";

    /// The client of a request of the proxy 10.0.0.1 with these headers. 10.0.0.2 and fd00::2 are proxies too.
    fn client(headers: &[(&str, &str)]) -> Result<String, Unknown> {
        let mut noted = Forwarded::default();
        headers.iter().for_each(|(name, value)| noted.note(name, value.as_bytes()));
        let trusted = [PROXY, "10.0.0.2", "fd00::2"].map(|ip| ip.parse::<IpAddr>().unwrap());
        noted.client(PROXY.parse().unwrap(), |ip| trusted.contains(&ip)).map(|ip| ip.to_string())
    }

    fn both(x_forwarded_for: &str, forwarded: &str) -> [Result<String, Unknown>; 2] {
        [client(&[("X-Forwarded-For", x_forwarded_for)]), client(&[("forwarded", forwarded)])]
    }

    #[test]
    fn an_address_may_have_a_port_brackets_quotes_and_a_zone() {
        for (x_forwarded_for, forwarded, ip) in [
            ("11.1.1.9", "for=11.1.1.9", "11.1.1.9"),
            ("11.1.1.9:5555", "For=\"11.1.1.9:5555\"; proto=http;by=203.0.113.43", "11.1.1.9"),
            ("2001:db8::1", "FOR=\"[2001:db8::1]\"", "2001:db8::1"),
            ("[2001:DB8:0::1]:443", "proto=https ; for=\"[2001:db8::1]:443\"", "2001:db8::1"),
            (" \"[2001:db8::1]\" ,, ", ", ,for=\"[2001:db8::1]\" ,", "2001:db8::1"),
            ("fe80::1%eth0", "for=\"[fe80::1%25eth0]\"", "fe80::1"),
            ("::ffff:11.1.1.9", "for=\"[::ffff:11.1.1.9]:80\"", "11.1.1.9"),
            ("9.9.9.9, 11.1.1.9", "for=9.9.9.9;by=unknown,for=11.1.1.9", "11.1.1.9"),
            ("9.9.9.9\t,\t11.1.1.9", "for=\"a,b;c\\\",d\", for=11.1.1.9", "11.1.1.9"),
        ] {
            assert_eq!(both(x_forwarded_for, forwarded), [Ok(ip.to_string()), Ok(ip.to_string())], "{x_forwarded_for}");
        }
    }

    #[test]
    fn the_first_address_that_is_not_a_proxys_counts_from_the_right() {
        let expected = [Ok("11.1.1.9".to_string()), Ok("11.1.1.9".to_string())];
        assert_eq!(both("8.8.8.8, 11.1.1.9, 10.0.0.2", "for=8.8.8.8, for=11.1.1.9, for=10.0.0.2"), expected);
        let ports = "8.8.8.8:1, 11.1.1.9:2, [fd00::2]:3, 10.0.0.2:4, 10.0.0.1:5";
        assert_eq!(client(&[("x-forwarded-for", ports)]), expected[0]);
        // Several lines are one list.
        let lines = [("X-Forwarded-For", "8.8.8.8, 11.1.1.9"), ("Host", "x"), ("X-FORWARDED-FOR", "10.0.0.2")];
        assert_eq!(client(&lines), expected[0]);
        // A stranger may write anything to the left.
        assert_eq!(both("\u{1f}nonsense, 11.1.1.9", "for, =, for=11.1.1.9"), expected);
    }

    #[test]
    fn without_a_usable_address_the_client_is_unknown() {
        for (x_forwarded_for, forwarded) in [
            ("11.1.1.9, unknown", "for=11.1.1.9, for=unknown"),
            ("11.1.1.9, unknown, 10.0.0.2", "for=11.1.1.9, for=\"_gazonk\", for=10.0.0.2"),
            ("proxy.example", "for=proxy.example"),
            ("11.1.1.9:http", "for=\"11.1.1.9:http\""),
            ("[2001:db8::1", "for=\"[2001:db8::1\""),
            ("11.1.1", "by=11.1.1.9;proto=http"),
            ("11.1.1.9 10.0.0.2", "for=\"11.1.1.9"),
        ] {
            let expected = [Err(Unknown::NoAddress), Err(Unknown::NoAddress)];
            assert_eq!(both(x_forwarded_for, forwarded), expected, "{x_forwarded_for} {forwarded}");
        }
        assert_eq!(both("10.0.0.2, 10.0.0.1", "for=10.0.0.2"), [Err(Unknown::OnlyProxies), Err(Unknown::OnlyProxies)]);
        assert_eq!(both("", " , "), [Err(Unknown::OnlyProxies), Err(Unknown::OnlyProxies)]);
        assert_eq!(client(&[]), Ok(PROXY.to_string()), "the proxy's own request");
    }

    /// A proxy that writes one of the headers may pass on the other one, which the client wrote.
    #[test]
    fn two_headers_must_agree() {
        let answer = |forwarded| client(&[("X-Forwarded-For", "11.1.1.9"), ("Forwarded", forwarded)]);
        assert_eq!(answer("for=11.1.1.9"), Ok("11.1.1.9".to_string()));
        assert_eq!(answer("for=8.8.8.8"), Err(Unknown::Disagreement));
    }

    #[test]
    fn the_time_is_linear_in_the_bytes_of_the_headers() {
        let kinds = [
            "10.0.0.2,",
            "for=10.0.0.2,",
            "for=10.0.0.2;",
            ",",
            ";",
            "\"",
            "\\\",",
            "for=\"10.0.0.2:1\" ;by=x , ",
            "x",
        ];
        for (name, many_lines) in [("x-forwarded-for", false), ("forwarded", false), ("forwarded", true)] {
            for kind in kinds {
                steps::are_linear(
                    8,
                    |parts| kind.repeat(parts).into_bytes(),
                    |value| {
                        let mut noted = Forwarded::default();
                        let line = if many_lines { kind.len() } else { value.len() };
                        value.chunks(line).for_each(|line| noted.note(name, line));
                        let _ = noted.client(PROXY.parse().unwrap(), |ip| {
                            ip == PROXY.parse::<IpAddr>().unwrap() || ip.to_string() == "10.0.0.2"
                        });
                    },
                );
            }
        }
    }

    #[test]
    fn every_header_that_only_proxies_write_shows_a_proxy() {
        let is_proxied = |name: &str| {
            let mut noted = Forwarded::default();
            noted.note(name, b"1");
            noted.is_proxied()
        };
        for name in
            ["X-Forwarded-For", "X-FORWARDED-PROTO", "x-forwarded-host", "X-Forwarded-Server", "Forwarded", "VIA"]
        {
            assert!(is_proxied(name), "{name}");
        }
        for name in OTHERS {
            assert!(is_proxied(name) && is_proxied(&name.to_uppercase()), "{name}");
        }
        for name in ["X-Forwarded", "Host", "X-Requested-With", "X-Transmission-Session-Id", "Origin", "x-forwardé-x"]
        {
            assert!(!is_proxied(name), "{name}");
        }
    }

    #[test]
    fn nobody_else_is_believed() {
        let mut noted = Forwarded::default();
        assert!(!noted.is_proxied());
        noted.note("X-Forwarded-For", b"8.8.8.8");
        assert!(noted.is_proxied());
        let from: IpAddr = "9.9.9.9".parse().unwrap();
        assert_eq!(noted.client(from, |_| false), Ok(from));
        assert_eq!(noted.client("::ffff:9.9.9.9".parse().unwrap(), |_| false), Ok(from));
    }
}
