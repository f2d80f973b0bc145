//! Tests of another port, of encryption, and of the number of connections, with engines that have real sockets.

use crate::engine::testkit::{PATIENCE, open, torrent, wait_until};
use crate::engine::{Command, Config, Engine, Job, Network, Notice, Phase, Settings, Subscription};
use crate::proto::id::PeerId;
use crate::proto::peer::handshake::{self, Handshake, Reserved};
use crate::proto::peer::mse::{self, Policy};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

fn engine() -> (Engine, Subscription) {
    let config = Config {
        ports: 0..=0,
        status_every: Some(Duration::from_millis(50)),
        torrent: Settings { max_peers: 20, ..Settings::default() },
        ..Config::default()
    };
    Engine::start(config).unwrap()
}

fn network(encryption: Policy) -> Network {
    Network { encryption, ..Config::default().network() }
}

/// A plain handshake that is answered, and the connection.
fn plain(port: u16, hash: crate::proto::id::InfoHash, id: u8) -> Option<TcpStream> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let ours = Handshake { reserved: Reserved::default(), info_hash: hash, peer_id: PeerId([id; 20]) };
    socket.write_all(&ours.emit()).ok()?;
    socket.read_exact(&mut [0; handshake::LEN]).ok()?;
    Some(socket)
}

/// Waits until so many peers are connected to the only torrent.
fn wait_for_peers(notices: &Subscription, wanted: u32) {
    let (end, mut last) = (Instant::now() + PATIENCE, None);
    while last != Some(wanted) {
        let notice = notices.recv_deadline(end).unwrap_or_else(|_| panic!("{last:?} peers instead of {wanted}"));
        if let Notice::Status { reports, .. } = notice
            && let Some(Phase::Running(status)) = reports.first().map(|report| &report.phase)
        {
            last = Some(status.peers);
        }
    }
}

#[test]
fn peers_come_in_at_another_port_and_only_encrypted_and_not_too_many() {
    let (engine, notices) = engine();
    let (metainfo, _) = torrent(40_000, &[], 16_384, &[]);
    let dir = tempfile::tempdir().unwrap();
    drop(open(&metainfo, dir.path(), false));
    let hash = metainfo.info_hash;
    engine.add(Job::new(metainfo, dir.path()));
    let first = engine.port();
    wait_for_peers(&notices, 0);
    let mut peers = vec![plain(first, hash, 1).expect("the port is open")];
    wait_for_peers(&notices, 1);
    let second = engine.listen(0, false).unwrap();
    assert_ne!(first, second);
    wait_until("the old port is closed", || TcpStream::connect((Ipv4Addr::LOCALHOST, first)).is_err());
    peers.extend((2..5).map(|id| plain(second, hash, id).expect("the new port is open")));
    wait_for_peers(&notices, 4);
    let taken = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let why = engine.listen(taken.local_addr().unwrap().port(), false).unwrap_err();
    assert!(why.contains("can't listen on port"), "{why}");
    assert_eq!(engine.port(), second);
    engine.send(Command::MostPeers(2));
    wait_for_peers(&notices, 2);
    if mse::IS_BUILT_IN {
        engine.send(Command::Network(Box::new(network(Policy::Require))));
        wait_for_peers(&notices, 0);
        assert!(plain(second, hash, 9).is_none());
        engine.send(Command::Network(Box::new(network(Policy::Allow))));
        wait_until("plain connections are taken in again", || plain(second, hash, 9).is_some());
    }
}
