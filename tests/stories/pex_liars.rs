//! A story of peers that lead us to others (BEP 11): they flood, name thousands, a victim's ports, and hosts of our
//! network. What a listener at all these addresses sees counts.

use crate::common::content::Content;
use crate::common::hosts::{Host, STORY, is_told_inside};
use crate::common::http::Server;
use crate::common::proc;
use crate::common::process::Process;
use crate::common::recorder::{HANDSHAKE, OUR_PEX, Recorder, adds, says};
use crate::common::swarmlet::Get;
use crate::common::torrent::make_with_tiers;
use crate::common::wait::{PATIENCE, wait_until};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The most addresses of a message that are read (BEP 11).
const MOST: usize = 50;

/// Whom our program connected to, among those who listen at all addresses of 198.18.0.0/16 and of the story.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeSet<SocketAddr>>>);

impl Seen {
    /// Listens at `at`. Returns the port.
    fn listen(&self, at: Ipv4Addr) -> u16 {
        let listener = TcpListener::bind((at, 0)).unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), self.0.clone());
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                seen.lock().unwrap().insert(socket.local_addr().unwrap());
            }
        });
        port
    }

    /// How many of these were connected to.
    fn of(&self, addrs: &[SocketAddr]) -> usize {
        let seen = self.0.lock().unwrap();
        addrs.iter().filter(|addr| seen.contains(addr)).count()
    }
}

/// A stranger elsewhere. Of 198.18.0.0/16 each address is one of the story's machine.
fn stranger(info_hash: [u8; 20], number: u8) -> Recorder {
    Recorder::listen(Ipv4Addr::new(198, 18, 0, number), info_hash, number.into(), says(None))
}

fn run(mut command: Command, scratch: &Path) {
    let status = Process::start("ip", &mut command, scratch).wait(PATIENCE);
    assert!(status.success(), "{command:?}: {status}");
}

fn ip(args: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(args.split(' '));
    command
}

#[test]
fn nobody_is_led_to_a_victim_or_into_the_local_network_or_to_thousands() {
    if is_told_inside("pex_liars::nobody_is_led_to_a_victim_or_into_the_local_network_or_to_thousands") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let host = Host::start(1, scratch.path());
    run(ip("route add local 198.18.0.0/16 dev lo"), scratch.path());
    run(host.command(&ip("route add default dev eth0")), scratch.path());

    let seen = Seen::default();
    let everywhere = seen.listen(Ipv4Addr::UNSPECIFIED);
    let hosts = |net: u8, count: usize| -> Vec<SocketAddr> {
        let ip = |number: usize| Ipv4Addr::new(198, 18, net + (number / 250) as u8, (number % 250) as u8 + 1);
        (0..count).map(|number| (ip(number), everywhere).into()).collect()
    };
    let victim = Ipv4Addr::new(198, 18, 250, 7);
    let ports: Vec<SocketAddr> = (0..MOST).map(|_| (victim, seen.listen(victim)).into()).collect();
    let local: Vec<SocketAddr> = (0..MOST).map(|_| (STORY, seen.listen(STORY)).into()).collect();
    let (too_many, many, flood) = (hosts(10, 10_000), hosts(100, 5_000), hosts(200, 100));

    let (torrent, strangers) = {
        let content = Content::one_file("a file", 100_000);
        let file = scratch.path().join("a.torrent");
        let without = make_with_tiers(&content, &file, 16_384, &[]);
        let strangers = [1, 2, 3, 4, 5].map(|number| stranger(without.info_hash, number));
        let entry = |stranger: &Recorder| adds(&[stranger.address])["d5:added6:".len()..][..6].to_vec();
        let list: Vec<u8> = strangers.iter().flat_map(entry).collect();
        let answer = [format!("d8:intervali1800e5:peers{}:", list.len()).as_bytes(), &list, b"e"].concat();
        let tracker = Server::start(STORY.into(), move |_, _| Some(answer.clone()));
        let url = format!("http://{}/announce", tracker.address());
        ((make_with_tiers(&content, &file, 16_384, &[vec![url]]), tracker), strangers)
    };
    let [names_too_many, names_ports, names_local, floods, names_many] = strangers;
    let get = Get::new("get", scratch.path()).torrent(&torrent.0).args(&["--json", "-vv"]);
    let mut running = get.start_on(&host);
    let all = [&names_too_many, &names_ports, &names_local, &floods, &names_many];
    wait_until("all are greeted", PATIENCE, || all.iter().all(|peer| !peer.heard_as(HANDSHAKE).is_empty()));
    let before = proc::status(running.id(), "VmRSS");

    names_too_many.say(OUR_PEX, &adds(&too_many)).unwrap();
    names_ports.say(OUR_PEX, &adds(&ports)).unwrap();
    names_local.say(OUR_PEX, &adds(&local)).unwrap();
    // It is skipped, and costs nothing.
    floods.say(OUR_PEX, &adds(&too_many).repeat(7)).unwrap();
    let mut said = 0;
    wait_until("the one that floods is closed", PATIENCE, || {
        running.must_run();
        // The peer may be gone already.
        let _ = floods.say(OUR_PEX, &adds(&flood[said..=said]));
        said += 1;
        thread::sleep(Duration::from_millis(1000));
        floods.open() == 0
    });
    assert!(said < 10, "it was closed after {said} messages");
    assert!(running.stderr().contains("it floods us"));
    // A list without flags, so that it is just short enough to be read.
    let list: Vec<u8> = many.iter().flat_map(|addr| adds(&[*addr])["d5:added6:".len()..][..6].to_vec()).collect();
    let short = [format!("d5:added{}:", list.len()).as_bytes(), &list, b"e"].concat();
    names_many.say(OUR_PEX, &short).unwrap();
    wait_until("all that count are tried", PATIENCE, || {
        running.must_run();
        seen.of(&many) == MOST
    });
    assert_eq!(seen.of(&many[..MOST]), MOST, "the first ones of the list");
    assert_eq!(seen.of(&ports), 1, "one port of the victim");
    assert_eq!(seen.of(&local), 0, "none in our network");
    assert_eq!(seen.of(&too_many), 0, "what is too long is not read");
    assert!(seen.of(&flood) <= 1, "one message a minute is read");
    let after = proc::status(running.id(), "VmRSS");
    assert!(after < before + 2 * 1024, "{before} KiB before, {after} after");
}
