//! Stories of `swarmlet dht` where something is wrong: no node answers, packets are lost, nothing can be saved.

use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::ran::swarmlet;
use crate::common::swarmlet::program;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::thread;

/// A person who named a node is not told to name one.
#[test]
fn the_command_says_why_the_dht_can_not_be_entered() {
    let (dir, hash) = (tempfile::tempdir().unwrap(), "0".repeat(40));
    let find = |nodes: &[&str]| {
        let named = nodes.iter().flat_map(|node| ["--dht-node", node]);
        let args = ["dht", "find", &hash].into_iter().chain(named).collect::<Vec<_>>();
        swarmlet(dir.path(), &args).code(69).stderr
    };
    let (dead, away) = (format!("127.0.0.1:{}", free_port()), "swarmlet: no-host.invalid has no address\n");
    assert_eq!(find(&["no-host.invalid:6881"]), away);
    let both = format!("{away}swarmlet: no node answers: {dead}\n");
    assert_eq!(find(&["no-host.invalid:6881", &dead]), both);
    // Every part of the command says the same of a port that is not free.
    let (_taken, port) = taken();
    let port = port.to_string();
    let refusal = format!("swarmlet: can't use UDP port {port}: Address already in use\n");
    for args in [&["run"][..], &["ping", &dead], &["find", &hash]] {
        let args = [&["dht"], args, &["--port", &port, "--dht-node", &dead]].concat();
        assert_eq!(swarmlet(dir.path(), &args).code(69).stderr, refusal);
    }
}

/// A UDP port that is taken, of both families if this machine has both.
fn taken() -> (UdpSocket, u16) {
    let port = free_port();
    let socket = UdpSocket::bind(("::", port)).or_else(|_| UdpSocket::bind(("0.0.0.0", port)));
    (socket.unwrap(), port)
}

/// A packet may get lost, so one question proves nothing.
#[test]
fn a_ping_asks_three_times() {
    let dir = tempfile::tempdir().unwrap();
    for deaf in [2, 3] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let node = socket.local_addr().unwrap().to_string();
        let listener = thread::spawn(move || {
            for number in 0..3 {
                let mut question = [0; 500];
                let (length, from) = socket.recv_from(&mut question).expect("it asks again");
                let question = &question[..length];
                let at = question.windows(5).position(|five| five == b"1:t4:").expect("it has a transaction");
                let answer = [b"d1:rd2:id20:abcdefghij0123456789e", &question[at..at + 9], b"1:y1:re"].concat();
                if number >= deaf {
                    socket.send_to(&answer, from).unwrap();
                }
            }
        });
        let ping = swarmlet(dir.path(), &["dht", "ping", &node]).code(if deaf == 2 { 0 } else { 1 }).text();
        let says = if deaf == 2 { "is a node, its id is 6162636465" } else { "does not answer" };
        assert!(ping.contains(says), "{ping}");
        listener.join().unwrap();
    }
}

/// `dht run` without a place for its nodes says so at its start. Its last line comes at its end.
#[test]
fn a_node_says_what_it_can_not_save_and_how_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (port, file) = (free_port().to_string(), dir.path().join("a file"));
    fs::write(&file, "").unwrap();
    let mut command = Command::new(program());
    command.args(["dht", "run", "--port", &port, "--dht-node", "127.0.0.1:9", "--state"]).arg(&file);
    let mut node = Process::start("node", &mut command, dir.path());
    let lines = |node: &Process| node.stdout().matches(&format!("port {port}: 0 good of 0 nodes; ")).count();
    wait_until("it prints its figures", PATIENCE, || lines(&node) == 1);
    assert_eq!(node.stderr().matches("can't keep the nodes of the DHT in ").count(), 1);
    node.signal(Signal::INT);
    assert!(node.wait(PATIENCE).success());
    assert_eq!(lines(&node), 2);
}
