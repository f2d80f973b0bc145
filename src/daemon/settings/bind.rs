//! `bind-address-ipv4` and `bind-address-ipv6`: from which address of this machine everything leaves.
//!
//! Floor 4. Pure. A person sets them so that nothing leaves beside a VPN. So they are obeyed as `--bind` is: other
//! addresses, and all of the other family, are not used at all. If that is not what the two say, the daemon does not
//! start.

use super::Settings;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl Settings {
    /// The only address that may be used, and the name of its setting; `None`: any. The error says what is wrong.
    pub fn bind_address(&self) -> Result<Option<(&'static str, IpAddr)>, String> {
        const V4: &str = "bind-address-ipv4";
        const V6: &str = "bind-address-ipv6";
        let wrong = |name: &str, text: &str, kind: &str| {
            format!("{name}: {text:?} is not an {kind} address; --bind also takes the name of a network interface")
        };
        let v4 = match self.bind_address_ipv4.as_str() {
            "" => Ipv4Addr::UNSPECIFIED,
            text => text.parse().map_err(|_| wrong(V4, text, "IPv4"))?,
        };
        let v6 = match self.bind_address_ipv6.as_str() {
            "" => Ipv6Addr::UNSPECIFIED,
            text => text.parse().map_err(|_| wrong(V6, text, "IPv6"))?,
        };
        match (v4.is_unspecified(), v6.is_unspecified()) {
            (true, true) => Ok(None),
            // With `::1`, people turn IPv6 off. It is off then anyway.
            (false, _) if v6.is_unspecified() || v6.is_loopback() => Ok(Some((V4, v4.into()))),
            (true, false) if v6.is_loopback() => Err(format!(
                "{V6} = ::1 turns IPv6 off, which swarmlet can do only if {V4} names an address, or with --bind"
            )),
            (true, false) => Ok(Some((V6, v6.into()))),
            (false, _) => Err(format!(
                "{V4} and {V6} name two addresses, and swarmlet uses only one: keep one of them, or name their network \
                 interface with --bind"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_taken_and_any_means_none() {
        let of = |v4: &str, v6: &str| {
            let (bind_address_ipv4, bind_address_ipv6) = (v4.into(), v6.into());
            Settings { bind_address_ipv4, bind_address_ipv6, ..Settings::default() }.bind_address()
        };
        let found = |v4, v6| of(v4, v6).unwrap().map(|(name, ip)| format!("{name} {ip}"));
        assert_eq!((found("0.0.0.0", "::"), found("", "")), (None, None));
        for (v4, v6, expected) in [
            ("10.8.0.2", "::", "bind-address-ipv4 10.8.0.2"),
            ("10.8.0.2", "::1", "bind-address-ipv4 10.8.0.2"),
            ("0.0.0.0", "fd00::2", "bind-address-ipv6 fd00::2"),
        ] {
            assert_eq!(found(v4, v6).as_deref(), Some(expected));
        }
        for (v4, v6, expected) in [
            ("tun0", "::", "bind-address-ipv4: \"tun0\" is not an IPv4 address; --bind also takes"),
            ("0.0.0.0", "10.8.0.2", "bind-address-ipv6: \"10.8.0.2\" is not an IPv6 address"),
            ("0.0.0.0", "::1", "bind-address-ipv6 = ::1 turns IPv6 off"),
            ("10.8.0.2", "fd00::2", "bind-address-ipv4 and bind-address-ipv6 name two addresses"),
        ] {
            let error = of(v4, v6).unwrap_err();
            assert!(error.starts_with(expected) && error.contains("--bind"), "{error}");
        }
    }
}
