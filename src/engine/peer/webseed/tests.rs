use super::*;
use crate::engine::input::Input;
use crate::engine::testkit::{http, open, serve, surroundings, torrent};
use crate::proto::peer::message::{BLOCK_BYTES, Message};
use crate::swarm::event::PeerOrder;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn inbox() -> Inbox {
    Inbox::new("http://user:secret@m.example:81/key?k=1", Arc::new(Client::new(|_| false, || ())))
}

fn block(number: u32) -> BlockSpec {
    BlockSpec { piece: number / 2, begin: number % 2 * BLOCK_BYTES, length: BLOCK_BYTES }
}

fn request(number: u32) -> PeerOrder {
    PeerOrder::Message(Message::Request(block(number)))
}

#[test]
fn only_requests_reach_a_web_server_and_a_cancel_takes_one_back() {
    let inbox = inbox();
    inbox.give(vec![request(1), PeerOrder::Message(Message::Interested), PeerOrder::Haves(vec![1]), request(2)]);
    inbox.give(vec![PeerOrder::Message(Message::Cancel(block(1)))]);
    assert_eq!((inbox.next(), inbox.has_next()), (Some(block(2)), false));
    assert_eq!(inbox.shown, "http://m.example:81/…", "nothing secret is for the log");
}

#[test]
fn a_thread_that_waits_is_woken_when_its_web_seed_is_closed() {
    let inbox = Arc::new(inbox());
    let waiting = Arc::clone(&inbox);
    let thread = thread::spawn(move || waiting.next());
    inbox.close();
    assert_eq!(thread.join().unwrap(), None);
    inbox.give(vec![request(1)]);
    assert_eq!(inbox.next(), None);
}

#[test]
fn a_request_reaches_to_the_end_of_its_run_or_as_far_as_requests_follow_each_other() {
    let (metainfo, _) = torrent(20 * BLOCK_BYTES as usize, &[], 2 * BLOCK_BYTES as usize, &[]);
    let inbox = inbox();
    let place = |number: u32| u64::from(number * BLOCK_BYTES);
    inbox.give([5, 6, 7, 9].map(request).into());
    assert_eq!(inbox.reach(&metainfo, block(4)), place(8));
    assert_eq!(inbox.reach(&metainfo, block(0)), place(1));
    inbox.give(vec![PeerOrder::Run(place(4)..place(16))]);
    assert_eq!(inbox.reach(&metainfo, block(4)), place(16));
    assert_eq!(inbox.reach(&metainfo, block(0)), place(1), "it is not in the run");
    inbox.clear();
    assert_eq!(inbox.reach(&metainfo, block(4)), place(5));
}

/// A server that ignores ranges sent small files as wholes only if all of the file was requested already when it was
/// asked. A manager that was late with the next run cost the file.
#[test]
fn a_small_file_comes_whole_whatever_part_of_it_is_asked_for() {
    const BLOCK: usize = BLOCK_BYTES as usize;
    let (metainfo, content) = torrent(0, &[(BLOCK / 2, false), (6 * BLOCK, false)], 2 * BLOCK, &[]);
    let (requests, bytes) = (Arc::new(AtomicUsize::new(0)), content.clone());
    let count = Arc::clone(&requests);
    let addr = serve(move |path, socket| {
        count.fetch_add(1, Ordering::Relaxed);
        let (first, second) = bytes.split_at(BLOCK / 2);
        let _ = socket.write_all(&http("200 OK", if path.ends_with("/0") { first } else { second }));
    });
    let (around, inbox) = surroundings(1);
    let reports = Arc::new(Reports::new(&around.manager, around.directory.name_peer()));
    let client = Arc::new(Client::new(|_| false, || ()));
    let mut fetching = Fetching::new(client, &format!("http://{addr}/"), &reports);
    let mut check = |block: usize, asked: usize| {
        let (begin, mut data) = (block * BLOCK, vec![0; BLOCK]);
        let end = (begin + BLOCK) as u64;
        let result = fetching.fill(&metainfo, begin as u64, &mut data, || end);
        assert!(result.is_ok(), "{:?}", result.err().map(|trouble| trouble.why));
        assert!(data == content[begin..begin + BLOCK], "block {block}");
        assert_eq!(requests.load(Ordering::Relaxed), asked, "requests up to block {block}");
    };
    check(0, 2);
    check(1, 2);
    check(4, 2);
    check(2, 3);
    reports.hand_over();
    let skipped = |event: PeerEvent| match event {
        PeerEvent::WebSeed(event) if let WebEvent::Skipped { bytes } = *event => bytes,
        _ => 0,
    };
    let events =
        inbox.try_iter().flat_map(|input| if let Input::Peer { events, .. } = input { events } else { vec![] });
    let skipped: u64 = events.map(skipped).sum();
    assert_eq!(
        skipped as usize,
        2 * BLOCK + 3 * BLOCK / 2,
        "blocks 2 and 3, and the second time what is before block 2"
    );
}

/// What comes together with a block becomes the next blocks, also when those are shorter, or in another file.
#[test]
fn blocks_are_right_however_the_bytes_of_an_answer_arrive() {
    const BLOCK: usize = BLOCK_BYTES as usize;
    let parts = [(BLOCK / 3, false), (20 * BLOCK + 777, false), (1000, true), (7 * BLOCK, false), (1, false)];
    for (piece_length, bursts) in [(4 * BLOCK, [1 << 20, 1]), (4 * BLOCK, [20_000, 9]), (3 * BLOCK / 2, [65_000, 31])] {
        let (metainfo, content) = torrent(0, &parts, piece_length, &[]);
        let bytes = content.clone();
        let addr = serve(move |path, socket| {
            // The files are named by their numbers.
            let file: usize = path.rsplit('/').next().unwrap().parse().unwrap();
            let begin: usize = parts[..file].iter().map(|(length, _)| length).sum();
            let answer = http("200 OK", &bytes[begin..][..parts[file].0]);
            let (mut rest, mut burst) = (&answer[..], bursts.into_iter().cycle());
            while let Some(most) = burst.next().filter(|_| !rest.is_empty()) {
                let (now, later) = rest.split_at(most.min(rest.len()));
                let _ = socket.write_all(now);
                rest = later;
            }
        });
        let (around, _inbox) = surroundings(1);
        let reports = Arc::new(Reports::new(&around.manager, around.directory.name_peer()));
        let client = Arc::new(Client::new(|_| false, || ()));
        let mut fetching = Fetching::new(client, &format!("http://{addr}/"), &reports);
        for begin in (0..content.len()).step_by(piece_length) {
            for block in content[begin..content.len().min(begin + piece_length)].chunks(BLOCK) {
                let at = block.as_ptr() as usize - content.as_ptr() as usize;
                let mut data = vec![0; block.len()];
                let result = fetching.fill(&metainfo, at as u64, &mut data, || content.len() as u64);
                assert!(result.is_ok(), "{:?}", result.err().map(|trouble| trouble.why));
                assert!(data == block, "the block at {at} of pieces of {piece_length}, {bursts:?}");
            }
        }
    }
}

/// Whether the manager gets `wanted` blocks of the two that a server is asked for, long before the server's time is
/// over.
fn are_handed_over(wanted: usize, answer: impl Fn(&[u8], &mut TcpStream) + Clone + Send + 'static) -> bool {
    let (metainfo, bytes) = torrent(2 * BLOCK_BYTES as usize, &[], 2 * BLOCK_BYTES as usize, &[]);
    let addr = serve(move |_, socket| {
        answer(&bytes, socket);
        // It keeps the connection, and says nothing more.
        thread::sleep(2 * SOON);
    });
    let dir = tempfile::tempdir().unwrap();
    let (around, manager) = surroundings(1);
    let peer = around.directory.name_peer();
    let inbox = start(&around, peer, &open(&metainfo, dir.path(), false), &format!("http://{addr}/")).unwrap();
    inbox.give(vec![request(0), request(1)]);
    let end = Instant::now() + SOON;
    let mut blocks = 0;
    while blocks < wanted
        && let Ok(Input::Peer { events, .. }) = manager.recv_deadline(end)
    {
        blocks += events.iter().filter(|event| matches!(event, PeerEvent::Block { .. })).count();
    }
    inbox.close();
    blocks == wanted
}

/// Much less than the time that a server has to say something (20 s).
const SOON: Duration = Duration::from_secs(8);
const HEAD: &str = "HTTP/1.1 206 Part\r\nContent-Range: bytes 0-32767/32768\r\n";

#[test]
fn a_block_does_not_wait_for_the_end_of_the_answer() {
    let in_time = are_handed_over(2, |bytes, socket| {
        let head = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", bytes.len());
        let _ = socket.write_all(&[head.as_bytes(), bytes, b"\r\n"].concat());
    });
    assert!(in_time, "the last chunk never comes");
}

#[test]
fn a_block_does_not_wait_for_the_next_one() {
    let in_time = are_handed_over(1, |bytes, socket| {
        let head = format!("{HEAD}Content-Length: {}\r\n\r\n", bytes.len());
        let _ = socket.write_all(&[head.as_bytes(), &bytes[..bytes.len() - 1]].concat());
    });
    assert!(in_time, "the last byte never comes");
}
