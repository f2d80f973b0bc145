use super::*;
use proptest::prelude::*;

fn announce() -> AnnounceRequest {
    AnnounceRequest {
        downloaded: 3,
        left: 4,
        uploaded: 5,
        event: Some(AnnounceEvent::Started),
        key: Some(6),
        ..AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 6881)
    }
}

/// The tables of BEP 15.
#[test]
fn packets_have_the_bytes_of_bep_15() {
    let connect = Request::Connect.emit(0x0102_0304);
    assert_eq!(connect, [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4]);
    let url_data = Vec::new();
    let packet = Request::Announce { connection: 7, announce: announce(), url_data }.emit(8);
    assert_eq!(packet.len(), ANNOUNCE_BYTES);
    assert_eq!((&packet[8..16], &packet[80..84]), (&[0, 0, 0, 1, 0, 0, 0, 8][..], &[0, 0, 0, 2][..]));
    assert_eq!(packet[84..98], [0, 0, 0, 0, 0, 0, 0, 6, 255, 255, 255, 255, 0x1a, 0xe1]);
    let reply = Reply::Connect(2).emit(1);
    assert_eq!(reply.len(), 16, "not larger than the request");
    let (leechers, seeds, peers) = (2, 3, vec![10, 0, 0, 1, 0x1a, 0xe1]);
    let reply = Reply::Announce { interval: 900, leechers, seeds, peers }.emit(1);
    assert_eq!(reply[..20], [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 3, 132, 0, 0, 0, 2, 0, 0, 0, 3]);
}

/// A long URL is cut at 255 bytes, as in the example of BEP 41.
#[test]
fn url_data_is_joined() {
    for data in [&b""[..], b"/announce?passkey=x", &[b'x'; 300]] {
        let request = Request::Announce { connection: 1, announce: announce(), url_data: data.to_vec() };
        assert_eq!(Request::parse(&request.emit(2)), Some((2, request)));
    }
    let plain = Request::Announce { connection: 1, announce: announce(), url_data: b"/a".to_vec() };
    let mut odd = plain.emit(2);
    odd.splice(ANNOUNCE_BYTES..ANNOUNCE_BYTES, [1, 1, 77, 2, 9, 9]);
    odd.extend([0, 2, 1, b'z']);
    assert_eq!(Request::parse(&odd), Some((2, plain)), "padding, unknown options, and bytes after the end");
}

#[test]
fn invalid_packets_are_refused() {
    let mut wrong = Request::Connect.emit(1);
    wrong[0] = 1;
    assert_eq!(Request::parse(&wrong), None, "without the magic number");
    let packet = Request::Announce { connection: 7, announce: announce(), url_data: Vec::new() };
    assert!((0..ANNOUNCE_BYTES).all(|cut| Request::parse(&packet.emit(8)[..cut]).is_none()));
    let many = Request::Scrape { connection: 1, hashes: vec![InfoHash([3; 20]); 90] };
    match Request::parse(&many.emit(2)) {
        Some((2, Request::Scrape { hashes, .. })) => assert_eq!(hashes.len(), MOST_SCRAPED),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(packet: Vec<u8>) {
        let _ = Request::parse(&packet);
        let _ = Reply::parse(&packet);
    }

    #[test]
    fn replies_that_are_written_are_read_again(
        transaction: u32, numbers: [u32; 3], peers: Vec<u8>, counts: Vec<[u32; 3]>, message in "[^\\x00]{0,50}",
    ) {
        let [interval, leechers, seeds] = numbers;
        for reply in [
            Reply::Connect(interval.into()),
            Reply::Announce { interval, leechers, seeds, peers },
            Reply::Scrape(counts),
            Reply::Error(message),
        ] {
            prop_assert_eq!(Reply::parse(&reply.emit(transaction)), Some((transaction, reply)));
        }
    }
}

#[test]
fn the_words_of_a_refusal_are_bounded() {
    let said = |words: &[u8]| match Reply::parse(&[&[0, 0, 0, 3, 0, 0, 0, 9][..], words].concat()) {
        Some((9, Reply::Error(words))) => words,
        other => panic!("{other:?}"),
    };
    assert_eq!(said(b"not\0 here"), "not\0 here");
    assert_eq!(said("\u{1f41f}".repeat(5000).as_bytes()), "\u{1f41f}".repeat(500));
    assert_eq!(said(&[0xff; 5000]).chars().count(), 500);
}
