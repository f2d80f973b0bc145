//! Routers that only have UPnP.

use super::*;

#[test]
fn upnp_comes_last_and_may_be_the_only_one() {
    let (mut stage, out) = Stage::with_upnp(false);
    assert_eq!(out, add(Tcp, PORT, LIFETIME, false));
    assert_eq!(stage.done(Done::Added(PORT)), add(Udp, PORT, LIFETIME, false));
    assert_eq!(stage.done(Done::Added(PORT)), [Output::Changed]);
    assert_eq!(stage.open().protocol, Protocol::Upnp);
    let renewal = stage.wait();
    assert_eq!(renewal, (HOUR / 2, vec![Output::Upnp(Task::Address)]), "it is not searched for again");
    assert_eq!(stage.tell(Input::Upnp(Err(Fault::Silent))), add(Tcp, PORT, LIFETIME, false));
    // The router has a new address for its service, or is another one.
    let again = stage.tell(Input::Upnp(Err(Fault::Silent)));
    assert_eq!(again, pcp_map(Tcp, PORT, LIFETIME), "from the beginning");
    assert!(stage.mapper.standing().open().is_some(), "the mapping may still be there");
}

/// A packet must not be taken for what UPnP will answer.
#[test]
fn packets_that_come_meanwhile_are_ignored() {
    let (mut stage, _) = Stage::without_pcp();
    stage.tell(Input::Unreachable);
    stage.done(Done::Found { is_second: false });
    assert_eq!(stage.tell(Input::Packet(&natpmp_address(0))), []);
    assert_eq!(stage.done(Done::Address(None)), add(Tcp, PORT, LIFETIME, false));
    assert_eq!(stage.tell(Input::Packet(&natpmp_answer(Tcp, 7000, 60, 0))), []);
}

#[test]
fn errors_of_upnp_are_told_in_words() {
    for (code, words) in [
        (606, "it does not allow that"),
        (714, "there is no such mapping"),
        (715, "it maps only for one remote host"),
        (716, "it does not choose the outer port"),
        (724, "outer and inner port must be the same"),
    ] {
        let (mut stage, _) = Stage::with_upnp(false);
        assert_eq!(stage.refuse(code), [Output::Changed]);
        assert_eq!(stage.words(), format!("the router refuses UPnP: {words} (error {code} NoReason)"));
    }
}

#[test]
fn a_router_may_have_only_permanent_mappings() {
    for code in [725, 402] {
        let (mut stage, _) = Stage::with_upnp(false);
        assert_eq!(stage.refuse(code), add(Tcp, PORT, 0, false));
        assert_eq!(stage.done(Done::Added(PORT)), add(Udp, PORT, 0, false));
        stage.done(Done::Added(PORT));
        assert_eq!(stage.tell(Input::End), [Output::Upnp(Task::Remove { transport: Tcp, outer: PORT })]);
        let (mut stage, _) = Stage::with_upnp(false);
        stage.refuse(code);
        assert_eq!(stage.refuse(code), [Output::Changed], "it says so for ever");
    }
}

#[test]
fn a_port_that_is_taken_is_replaced_four_times_at_most() {
    for code in [718, 501] {
        let (mut stage, mut out) = Stage::with_upnp(false);
        let mut ports = Vec::new();
        while let [Output::Upnp(Task::Add { outer, any: false, .. })] = out[..] {
            ports.push(outer);
            out = stage.refuse(code);
        }
        assert_eq!((ports.len(), ports[0]), (4, PORT), "{ports:?}");
        assert!(ports[1..].iter().all(|port| (40_000..50_000).contains(port)));
        assert!(stage.words().starts_with("the router refuses UPnP: "));
        assert_eq!(stage.wait().0, 2 * HOUR);
    }
    let (mut stage, _) = Stage::with_upnp(false);
    let [Output::Upnp(Task::Add { outer, .. })] = stage.refuse(718)[..] else { panic!("it asks for another port") };
    assert_eq!(stage.done(Done::Added(outer)), add(Udp, outer, LIFETIME, false), "both have one port if they can");
    stage.done(Done::Added(outer));
    assert_eq!(stage.open().ports, [Some(outer); 2]);
}

#[test]
fn a_second_version_of_upnp_chooses_the_port() {
    let (mut stage, _) = Stage::with_upnp(true);
    assert_eq!(stage.refuse(718), add(Tcp, PORT, LIFETIME, true));
    assert_eq!(stage.done(Done::Added(5555)), add(Udp, 5555, LIFETIME, false));
    let (mut stage, _) = Stage::with_upnp(true);
    stage.refuse(718);
    let [Output::Upnp(Task::Add { any: false, outer, .. })] = stage.refuse(401)[..] else {
        panic!("it can't choose, so we do")
    };
    assert!(outer >= 40_000);
}

#[test]
fn peers_can_connect_although_udp_is_refused() {
    let (mut stage, _) = Stage::with_upnp(false);
    stage.done(Done::Added(PORT));
    assert_eq!(stage.refuse(606), [Output::Changed]);
    assert_eq!(stage.open().ports, [Some(PORT), None]);
    assert_eq!(stage.tell(Input::End), [Output::Upnp(Task::Remove { transport: Tcp, outer: PORT })]);
    assert_eq!(stage.refuse(714), [Output::Ended]);
}
