//! Sockets that are bound to the loopback interface, which every machine has.

use super::*;
use std::io::{Read, Write};

fn bound(bound: Bound) -> Outlet {
    Outlet { bound: Some(bound), ..Outlet::default() }
}

fn to(ip: impl Into<IpAddr>) -> Outlet {
    bound(Bound::Address(ip.into()))
}

fn interface(name: &str) -> Outlet {
    bound(Bound::Interface(name.into()))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_connection_leaves_from_the_address_that_is_bound() {
    let source = Ipv4Addr::new(127, 0, 0, 2);
    for outlet in [to(source), interface("lo"), Outlet::default()] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut stream = outlet.stream(addr).unwrap();
        outlet.connect(&stream, addr, SECOND).unwrap();
        let (mut accepted, from) = listener.accept().unwrap();
        let is_chosen = matches!(outlet.bound, Some(Bound::Address(_)));
        assert_eq!(from.ip(), if is_chosen { source } else { Ipv4Addr::LOCALHOST }, "{outlet:?}");
        stream.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        accepted.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
    }
}

#[test]
fn a_connection_over_ipv6_leaves_from_the_address_that_is_bound() {
    // This machine may have no IPv6.
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let addr = listener.local_addr().unwrap();
    for outlet in [to(Ipv6Addr::LOCALHOST), interface("lo"), Outlet::default()] {
        let stream = outlet.stream(addr).unwrap();
        outlet.connect(&stream, addr, SECOND).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), Ipv6Addr::LOCALHOST, "{outlet:?}");
        let (mine, port) = outlet.listen(0).unwrap();
        let _caller = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        mine[0].accept().unwrap();
    }
}

#[test]
fn a_listener_hears_only_at_the_address_that_is_bound() {
    let outlet = to([127, 0, 0, 3]);
    let (listeners, port) = outlet.listen(0).unwrap();
    // (At 127.0.0.1, another test may have the same port.)
    assert!(TcpStream::connect(("127.0.0.4", port)).is_err());
    let caller = TcpStream::connect(("127.0.0.3", port)).unwrap();
    let (_, from) = listeners[0].accept().unwrap();
    assert_eq!(from.ip().to_canonical(), caller.local_addr().unwrap().ip());
    assert_eq!(outlet.listen(port).unwrap_err().kind(), io::ErrorKind::AddrInUse);

    let (listeners, port) = interface("lo").listen(0).unwrap();
    for to in ["127.0.0.1", "::1"] {
        let Ok(_caller) = TcpStream::connect((to, port)) else { continue };
        listeners[0].accept().unwrap();
    }
}

#[test]
fn packets_have_the_addresses_of_their_family() {
    let source = Ipv4Addr::new(127, 0, 0, 4);
    for outlet in [to(source), interface("lo"), Outlet::default()] {
        let (one, other) = (outlet.udp(false, 0).unwrap(), Outlet::default().udp(false, 0).unwrap());
        let ip = if let Some(Bound::Address(ip)) = outlet.bound { ip } else { Ipv4Addr::LOCALHOST.into() };
        one.send_to(b"question", (Ipv4Addr::LOCALHOST, other.port().unwrap()).into()).unwrap();
        let (from, length) = eventually(|| other.receive_from(&mut [0; 99]));
        assert_eq!((from, length), (SocketAddr::new(ip, one.port().unwrap()), 8), "{outlet:?}");
        other.connect(from).unwrap();
        other.send(b"answer").unwrap();
        let (from, length) = eventually(|| one.receive_from(&mut [0; 99]));
        assert_eq!((from.ip(), length), (IpAddr::from(Ipv4Addr::LOCALHOST), 6), "{outlet:?}");
        // Both families can have the same port.
        let may_have_v6 = outlet.has(true) && Outlet::default().udp(true, 0).is_ok();
        assert!(!may_have_v6 || outlet.udp(true, one.port().unwrap()).unwrap().is_v6(), "{outlet:?}");
        assert!(outlet.udp(false, one.port().unwrap()).is_err(), "it is ours alone");
    }
}

#[test]
fn both_families_have_the_same_port() {
    let sockets = Outlet::default().udp_pair(0).unwrap();
    let ports: Vec<u16> = sockets.iter().map(|socket| socket.port().unwrap()).collect();
    assert!(ports.iter().all(|port| *port == ports[0] && *port > 0), "{ports:?}");
    assert!(Outlet::default().udp_pair(ports[0]).is_err(), "it is ours alone");
    assert_eq!(sockets[0].receive_from(&mut [0; 9]), None, "nothing waits");
}

fn eventually<T>(get: impl Fn() -> Option<T>) -> T {
    let end = std::time::Instant::now() + 20 * SECOND;
    loop {
        if let Some(got) = get() {
            return got;
        }
        assert!(std::time::Instant::now() < end, "it comes");
        std::thread::yield_now();
    }
}

#[test]
fn nothing_leaves_by_the_other_family_or_without_the_address() {
    let v4 = to([127, 0, 0, 2]);
    let far_v6: SocketAddr = "[::1]:9".parse().unwrap();
    assert!(v4.has(false) && !v4.has(true));
    assert!(v4.stream(far_v6).is_err() && v4.udp(true, 0).is_err());
    let v6 = to(Ipv6Addr::LOCALHOST);
    assert!(v6.has(true) && !v6.has(false) && v6.stream(([127, 0, 0, 1], 9).into()).is_err());

    for (outlet, why) in [
        (to([192, 0, 2, 1]), "no interface that is up has 192.0.2.1 (--bind)"),
        (interface("no such"), "there is no interface no such (--bind)"),
    ] {
        let near = ([127, 0, 0, 1], 9).into();
        let errors = [outlet.stream(near).err(), outlet.udp(false, 0).err(), outlet.listen(0).err()];
        for error in errors {
            assert_eq!(error.unwrap().to_string(), why);
        }
    }
}

/// The loopback interface reaches nothing else.
#[test]
fn nothing_leaves_by_another_interface() {
    let far = ([192, 0, 2, 1], 9).into();
    for outlet in [interface("lo"), to(Ipv4Addr::LOCALHOST)] {
        let stream = outlet.stream(far).unwrap();
        assert!(outlet.connect(&stream, far, SECOND).is_err(), "{outlet:?}");
    }
}

#[test]
fn with_a_proxy_there_is_no_udp_and_nobody_is_listened_to() {
    let proxied = Outlet { proxy: Proxy::parse("socks5://127.0.0.1:9"), ..Outlet::default() };
    let group = "239.192.152.143:6771".parse().unwrap();
    let errors = [proxied.udp(false, 0).err(), proxied.hear(group).err(), proxied.group_sender(false).err()];
    for error in errors {
        assert_eq!(error.unwrap().to_string(), "the proxy (--proxy) carries no UDP");
    }
    assert!(proxied.is_proxied() && proxied.listen(6881).unwrap().0.is_empty());
    // Only the proxy looks up names.
    let hosts = ["localhost", "127.0.0.1"].map(|host| (host.to_string(), 7));
    assert_eq!(proxied.look_up(hosts.into()), ["127.0.0.1:7".parse().unwrap()]);
}
