use super::*;
use crate::engine::testkit::torrent;
use crate::proto::peer::message::{BLOCK_BYTES, Message};
use crate::swarm::event::PeerOrder;

fn inbox() -> Inbox {
    Inbox::new("http://user:secret@m.example:81/key?k=1", Arc::new(Client::new(|_| false)))
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
