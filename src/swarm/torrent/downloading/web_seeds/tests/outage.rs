//! Our own way out is away for a while.

use super::*;

impl Stage {
    /// The network goes away.
    fn goes_offline(&mut self) {
        self.shared.way_out.lost();
    }

    /// It is back.
    fn is_online(&mut self) {
        self.shared.way_out.back(self.now);
        self.happen(Event::Online);
    }

    /// The thread of the web seed can't send anything.
    fn cannot_ask(&mut self, number: usize, our_fault: bool) {
        let failed = WebEvent::Failed { file: Some(0..1), why: "no answer in time".into(), pause: None, our_fault };
        self.web_seed(number, failed);
        self.happen(Event::Peer(web(number), PeerEvent::Gone));
    }
}

#[test]
fn a_pause_that_began_in_an_outage_ends_with_it() {
    let mut stage = stage(1);
    stage.goes_offline();
    for _ in 0..5 {
        stage.cannot_ask(0, false);
        assert_eq!(stage.why()[0].1, "our own network was away");
        assert_eq!(stage.why()[0].2, Some(30), "it does not grow");
        stage.pass(Time::from_secs(30));
        stage.all_ready();
    }
    stage.cannot_ask(0, false);
    stage.pass(Time::from_secs(3));
    assert_eq!(stage.opened, [0; 0]);
    stage.is_online();
    assert_eq!(stage.opened, [0], "it is asked at once");
    stage.all_ready();
    stage.brings_all(web(0), |_| true);
    assert!(stage.torrent.is_seeding(), "no file is given up because of it");
}

#[test]
fn a_pause_ends_with_the_outage_although_the_thread_noticed_it_first() {
    let mut stage = stage(1);
    stage.cannot_ask(0, true);
    stage.goes_offline();
    stage.pass(Time::from_secs(1));
    stage.is_online();
    assert_eq!(stage.opened, [0]);
}

#[test]
fn an_answer_that_an_outage_cost_is_asked_for_again_at_once() {
    let mut stage = stage(1);
    stage.goes_offline();
    stage.pass(Time::from_secs(10));
    stage.is_online();
    stage.pass(Time::from_secs(9));
    stage.cannot_ask(0, false);
    assert_eq!(stage.opened, [0], "it was asked before the outage");
    stage.all_ready();
    stage.cannot_ask(0, false);
    assert_eq!((stage.opened.len(), stage.why()[0].2), (0, Some(30)), "now it fails by itself");
}

#[test]
fn a_silent_server_is_not_too_slow_if_our_network_was_away() {
    let mut stage = stage(1);
    stage.goes_offline();
    stage.pass(Time::from_secs(21));
    assert_eq!(stage.closed, [(web(0), "our own network was away")]);
    stage.is_online();
    assert_eq!(stage.opened, [0]);
}

#[test]
fn a_pause_that_a_server_earned_does_not_end_with_an_outage() {
    let mut stage = stage(1);
    stage.fails(0, Some(Time::from_secs(600)));
    stage.goes_offline();
    stage.pass(Time::from_secs(10));
    stage.is_online();
    assert_eq!((stage.opened.len(), stage.why()[0].2), (0, Some(590)));
}
