//! The options that say how everything leaves, and whom we trust: `--bind`, `--proxy`, `--ca-certificate`.
//!
//! Floor 4.

use super::flags::{Flag, Parsed};
use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
#[cfg(feature = "tls")]
use crate::sys::http::trust;
use crate::sys::in_words;
use crate::sys::outlet::{self, Bound, Outlet, Proxy, socks};
use std::net::IpAddr;

/// `--bind`.
pub const BIND: Flag = Flag::with(
    "bind",
    "ADDR|INTERFACE",
    "Send and receive only by this address of this machine, or by this network interface, such as the one of a VPN. \
     If it goes away, nothing leaves by another one; swarmlet goes on when it is back",
)
.default("all");
/// `--proxy`.
pub const PROXY: Flag = Flag::with(
    "proxy",
    "URL",
    "Reach peers, web seeds, HTTP trackers and torrents by URL only through this proxy, \
     socks5://[USER:PASSWORD@]HOST:PORT, which also looks up names. UDP trackers, the DHT, the local network and \
     incoming connections are off",
);

/// `--ca-certificate`.
#[cfg(feature = "tls")]
pub const CA_CERTIFICATE: Flag = Flag::with(
    "ca-certificate",
    "FILE",
    "Also trust the certificates in this file (PEM), for https. The variable SSL_CERT_FILE names one more file",
)
.default("those that are built in");

/// The way out that the options want. A command may have some of them only. The certificates are trusted from now on.
pub fn read(given: &Parsed) -> Result<Outlet, Failure> {
    #[cfg(feature = "tls")]
    trust(given)?;
    Ok(Outlet { bound: bound(given)?, proxy: proxy(given)? })
}

/// Chooses the way out that the options want, before anything is sent.
pub fn choose(given: &Parsed) -> Result<(), Failure> {
    let outlet = read(given)?;
    let is_usual = outlet.bound.is_none() && !outlet.is_proxied();
    // Nothing was sent before the options were read.
    let in_force = is_usual || outlet::choose(outlet);
    in_force.then_some(()).ok_or_else(|| Failure::new(Exit::Io, "--bind and --proxy can't be obeyed any more"))
}

#[cfg(feature = "tls")]
fn trust(given: &Parsed) -> Result<(), Failure> {
    if !given.knows("ca-certificate") {
        return Ok(());
    }
    let Some(path) = given.path("ca-certificate", "a file")? else { return Ok(()) };
    trust::add(&path).map_err(|why| Failure::new(Exit::NoInput, why))
}

fn bound(given: &Parsed) -> Result<Option<Bound>, Failure> {
    if !given.knows("bind") {
        return Ok(None);
    }
    let Some(text) = given.text("bind")? else { return Ok(None) };
    let bound = match text.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => Bound::Address(ip.to_canonical()),
        Err(_) => Bound::Interface(text),
    };
    if matches!(&bound, Bound::Address(ip) if ip.is_unspecified()) {
        return Err(Failure::usage("--bind: expected one address of this machine, or an interface"));
    }
    // A typing error is noticed now.
    bound.interface().map_err(|error| Failure::new(Exit::Unavailable, for_terminal(&in_words(&error))))?;
    Ok(Some(bound))
}

fn proxy(given: &Parsed) -> Result<Option<Proxy>, Failure> {
    if !given.knows("proxy") {
        return Ok(None);
    }
    let Some(text) = given.text("proxy")? else { return Ok(None) };
    // It may contain a password, so it is not repeated.
    let wrong = || Failure::usage(format!("--proxy: {}", socks::EXPECTED));
    Proxy::parse(&text).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::flags;
    use std::ffi::OsString;

    fn given(arguments: &[&str]) -> Parsed {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        flags::parse("get", &[&BIND, &PROXY], &arguments).unwrap()
    }

    #[test]
    fn an_address_or_an_interface_of_this_machine_is_named() {
        let read = |text: &str| bound(&given(&["--bind", text])).map_err(|failure| (failure.exit, failure.text));
        assert_eq!(read("127.0.0.1"), Ok(Some(Bound::Address([127, 0, 0, 1].into()))));
        assert_eq!(read("::ffff:127.0.0.1"), read("127.0.0.1"));
        assert_eq!(read("lo"), Ok(Some(Bound::Interface("lo".into()))));
        for (wrong, exit, text) in [
            ("192.0.2.1", Exit::Unavailable, "no interface that is up has 192.0.2.1 (--bind)"),
            ("lo9\x1b", Exit::Unavailable, "there is no interface lo9\\x1b (--bind)"),
            ("", Exit::Unavailable, "there is no interface  (--bind)"),
            ("0.0.0.0", Exit::Usage, "--bind: expected one address of this machine, or an interface"),
        ] {
            assert_eq!(read(wrong), Err((exit, text.into())));
        }
    }

    #[test]
    fn a_wrong_proxy_is_refused_without_its_password() {
        let read = |text: &str| proxy(&given(&["--proxy", text]));
        assert_eq!(read("socks5://me:secret@p:1").unwrap().unwrap().to_string(), "p:1");
        let failure = read("http://me:secret@p:1").unwrap_err();
        assert_eq!((failure.exit, failure.text), (Exit::Usage, format!("--proxy: {}", socks::EXPECTED)));
    }
}
