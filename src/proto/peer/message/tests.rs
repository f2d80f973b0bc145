use super::*;
use proptest::prelude::*;

const BITFIELD: u8 = 5;
const EXTENDED: u8 = 20;

/// A torrent of a thousand pieces: its bitfield is 125 bytes.
const PIECES: u32 = 1000;

/// The bytes of one message.
fn emitted(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.emit(&mut out);
    out
}

/// What goes over the wire: a message, a block, or what is skipped (id and body).
#[derive(Clone, PartialEq, Debug)]
enum Sent {
    Message(Message),
    Block(BlockSpec, Vec<u8>),
    Other(Vec<u8>),
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Sent::Message(message) => emitted(message),
            Sent::Block(spec, data) => {
                let mut out = Vec::new();
                emit_piece_header(spec, &mut out);
                [out, data.clone()].concat()
            }
            Sent::Other(body) => [&(body.len() as u32).to_be_bytes()[..], body].concat(),
        }
    }
}

/// Does what a reader at a socket does, step by step. Returns the first message of `stream` and its length in bytes;
/// `None` if it is incomplete.
fn read(stream: &[u8], pieces: u32) -> Result<Option<(Sent, usize)>, String> {
    let Some((prefix, rest)) = stream.split_first_chunk::<4>() else { return Ok(None) };
    let length = parse_length(*prefix)?;
    if length == 0 {
        return Ok(Some((Sent::Message(Message::KeepAlive), 4)));
    }
    let Some((&id, rest)) = rest.split_first() else { return Ok(None) };
    let kind = body_kind(id, length, pieces)?;
    let Some(body) = rest.get(..length as usize - 1) else { return Ok(None) };
    let sent = match kind {
        BodyKind::Gather(bytes) => {
            assert_eq!(bytes as usize, body.len());
            Sent::Message(parse_body(id, body)?)
        }
        BodyKind::Piece(bytes) => {
            let (header, data) = body.split_first_chunk().unwrap();
            let PieceHeader { piece, begin } = PieceHeader::parse(header);
            assert_eq!(bytes as usize, data.len());
            Sent::Block(BlockSpec { piece, begin, length: bytes }, data.to_vec())
        }
        BodyKind::Extended(bytes) => {
            assert_eq!(bytes as usize, body.len() - 1);
            Sent::Message(Message::Extended(Extended::received(body[0], body[1..].to_vec())))
        }
        BodyKind::Skip(bytes) => {
            assert_eq!(bytes as usize, body.len());
            Sent::Other([&[id], body].concat())
        }
    };
    Ok(Some((sent, 4 + length as usize)))
}

/// All messages of `stream`, or the first error.
fn read_all(mut stream: &[u8]) -> Result<Vec<Sent>, String> {
    let mut messages = Vec::new();
    while let Some((message, bytes)) = read(stream, PIECES)? {
        messages.push(message);
        stream = &stream[bytes..];
    }
    assert!(stream.is_empty());
    Ok(messages)
}

#[test]
fn messages_have_the_bytes_of_the_beps() {
    let spec = BlockSpec { piece: 7, begin: 0x4000, length: 0x4000 };
    let spec_bytes = [0, 0, 0, 7, 0, 0, 0x40, 0, 0, 0, 0x40, 0];
    let with_spec = |id: u8| [&[0, 0, 0, 13, id][..], &spec_bytes].concat();
    let table: [(Message, Vec<u8>, &str); 16] = [
        (Message::KeepAlive, vec![0, 0, 0, 0], "keep-alive"),
        (Message::Choke, vec![0, 0, 0, 1, 0], "choke"),
        (Message::Unchoke, vec![0, 0, 0, 1, 1], "unchoke"),
        (Message::Interested, vec![0, 0, 0, 1, 2], "interested"),
        (Message::NotInterested, vec![0, 0, 0, 1, 3], "not interested"),
        (Message::Have(258), vec![0, 0, 0, 5, 4, 0, 0, 1, 2], "have piece 258"),
        (Message::Bitfield(vec![0xff; 125]), [&[0, 0, 0, 126, 5][..], &[0xff; 125]].concat(), "bitfield 125 bytes"),
        (Message::Request(spec), with_spec(6), "request piece 7 begin 16384 length 16384"),
        (Message::Cancel(spec), with_spec(8), "cancel piece 7 begin 16384 length 16384"),
        (Message::Port(6881), vec![0, 0, 0, 3, 9, 0x1a, 0xe1], "port 6881"),
        (Message::Suggest(1), vec![0, 0, 0, 5, 13, 0, 0, 0, 1], "suggest piece 1"),
        (Message::HaveAll, vec![0, 0, 0, 1, 14], "have all"),
        (Message::HaveNone, vec![0, 0, 0, 1, 15], "have none"),
        (Message::Reject(spec), with_spec(16), "reject piece 7 begin 16384 length 16384"),
        (Message::AllowedFast(1), vec![0, 0, 0, 5, 17, 0, 0, 0, 1], "allowed fast piece 1"),
        (
            Message::Extended(Extended::received(0, b"de".to_vec())),
            b"\0\0\0\x04\x14\0de".to_vec(),
            "extended 0 2 bytes",
        ),
    ];
    for (message, bytes, line) in &table {
        assert_eq!(emitted(message), *bytes, "{message}");
        assert_eq!(read(bytes, PIECES), Ok(Some((Sent::Message(message.clone()), bytes.len()))));
        assert_eq!(message.to_string(), *line);
    }
    let block = Sent::Block(BlockSpec { piece: 7, begin: 16384, length: 2 }, b"ab".to_vec());
    assert_eq!(block.bytes(), [0, 0, 0, 11, 7, 0, 0, 0, 7, 0, 0, 0x40, 0, b'a', b'b']);
    let other = Sent::Other(vec![99, 1, 2]);
    let stream = table.iter().flat_map(|(_, bytes, _)| bytes.clone()).chain(block.bytes()).chain(other.bytes());
    let all = table.iter().map(|(message, ..)| Sent::Message(message.clone())).chain([block, other]);
    assert_eq!(read_all(&stream.collect::<Vec<u8>>()), Ok(all.collect()));
}

#[test]
fn four_gigabytes_are_refused_at_the_length() {
    assert_eq!(parse_length([0xff; 4]), Err("message of 4294967295 bytes, at most 1048576 are accepted".into()));
    assert_eq!(parse_length([0, 0x10, 0, 0]), Ok(MAX_MESSAGE_BYTES));
    assert!(parse_length([0, 0x10, 0, 1]).is_err());
    assert!(body_kind(99, u32::MAX, PIECES).is_err(), "also if `parse_length` was not called");
    assert!(read(&[0xff; 4], PIECES).is_err());
}

#[test]
fn every_known_message_has_its_exact_length() {
    for (id, body) in [(0, 0), (1, 0), (2, 0), (3, 0), (4, 4), (6, 12), (8, 12), (9, 2), (13, 4), (14, 0), (15, 0)] {
        assert_eq!(body_kind(id, body + 1, PIECES), Ok(BodyKind::Gather(body)));
        for wrong in [body.wrapping_sub(1), body + 1, 1000] {
            let error = format!("{} with a body of {wrong} bytes, expected {body}", row(id).unwrap().0);
            if wrong < MAX_MESSAGE_BYTES {
                assert_eq!(body_kind(id, wrong + 1, PIECES), Err(error.clone()));
                assert_eq!(parse_body(id, &vec![0; wrong as usize]), Err(error));
            }
        }
    }
}

#[test]
fn a_bitfield_has_a_bit_for_each_piece() {
    assert_eq!(body_kind(BITFIELD, 126, PIECES), Ok(BodyKind::Gather(125)));
    let error = body_kind(BITFIELD, 127, PIECES).unwrap_err();
    assert_eq!(error.to_string(), "bitfield with a body of 126 bytes, expected 125");
    assert!(body_kind(BITFIELD, 125, PIECES).is_err());
}

#[test]
fn a_block_has_one_byte_to_sixteen_kibibytes() {
    assert_eq!(body_kind(PIECE, 1 + 8 + 1, PIECES), Ok(BodyKind::Piece(1)));
    assert_eq!(body_kind(PIECE, 1 + 8 + BLOCK_BYTES, PIECES), Ok(BodyKind::Piece(BLOCK_BYTES)));
    for length in [1, 8, 9, 1 + 8 + BLOCK_BYTES + 1] {
        assert!(body_kind(PIECE, length, PIECES).is_err(), "{length}");
    }
    let error = body_kind(PIECE, 9, PIECES).unwrap_err();
    assert_eq!(error.to_string(), "piece with a body of 8 bytes, expected 9 to 16392");
}

#[test]
fn requests_of_no_block_are_refused() {
    for (begin, length) in [(0, 0), (0, BLOCK_BYTES + 1), (0, u32::MAX), (u32::MAX, 1), (u32::MAX - 10, 16384)] {
        for message in [Message::Request, Message::Cancel, Message::Reject] {
            let bytes = emitted(&message(BlockSpec { piece: 0, begin, length }));
            let error = read(&bytes, PIECES).unwrap_err();
            assert!(error.ends_with(&format!("begin {begin} length {length}: there can be no such block")), "{error}");
        }
    }
    let error = read_all(&emitted(&Message::Request(BlockSpec { piece: 1, begin: 2, length: 0 }))).unwrap_err();
    assert_eq!(error.to_string(), "request of piece 1 begin 2 length 0: there can be no such block");
    let last = BlockSpec { piece: 0, begin: u32::MAX - 1, length: 1 };
    assert_eq!(read_all(&emitted(&Message::Request(last))), Ok(vec![Sent::Message(Message::Request(last))]));
}

#[test]
fn unknown_messages_are_skipped_and_extended_ones_have_an_id() {
    assert_eq!(body_kind(99, MAX_MESSAGE_BYTES, PIECES), Ok(BodyKind::Skip(MAX_MESSAGE_BYTES - 1)));
    assert_eq!(body_kind(99, 1, PIECES), Ok(BodyKind::Skip(0)));
    assert_eq!(body_kind(EXTENDED, 2, PIECES), Ok(BodyKind::Extended(0)));
    assert_eq!(body_kind(EXTENDED, MAX_MESSAGE_BYTES, PIECES), Ok(BodyKind::Extended(MAX_MESSAGE_BYTES - 2)));
    assert!(body_kind(EXTENDED, 1, PIECES).is_err(), "without its extended id");
    for id in [PIECE, EXTENDED, 99] {
        assert_eq!(parse_body(id, &[0; 20]), Err(format!("message {id}: its body is read in another way")));
    }
}

#[test]
fn an_incomplete_message_waits() {
    let whole = emitted(&Message::Have(3));
    for cut in 0..whole.len() {
        assert_eq!(read(&whole[..cut], PIECES), Ok(None));
    }
}

/// Any block that a peer may request.
fn any_spec() -> impl Strategy<Value = BlockSpec> {
    (any::<u32>(), 0..=u32::MAX - BLOCK_BYTES, 1..=BLOCK_BYTES).prop_map(|(piece, begin, length)| BlockSpec {
        piece,
        begin,
        length,
    })
}

/// Any message that a peer may send.
fn any_message() -> impl Strategy<Value = Sent> {
    let bytes = |range| prop::collection::vec(any::<u8>(), range);
    let message = prop_oneof![
        prop::sample::select(vec![
            Message::KeepAlive,
            Message::Choke,
            Message::Unchoke,
            Message::Interested,
            Message::NotInterested,
            Message::HaveAll,
            Message::HaveNone,
        ]),
        any::<u32>().prop_map(Message::Have),
        any::<u32>().prop_map(Message::Suggest),
        any::<u32>().prop_map(Message::AllowedFast),
        any::<u16>().prop_map(Message::Port),
        bytes(125..126).prop_map(Message::Bitfield),
        any_spec().prop_map(Message::Request),
        any_spec().prop_map(Message::Cancel),
        any_spec().prop_map(Message::Reject),
        (any::<u8>(), bytes(0..100)).prop_map(|(id, payload)| Message::Extended(Extended::received(id, payload))),
    ];
    let block = (any::<u32>(), any::<u32>(), bytes(1..100))
        .prop_map(|(piece, begin, data)| Sent::Block(BlockSpec { piece, begin, length: data.len() as u32 }, data));
    let other = (21u8.., bytes(0..100)).prop_map(|(id, body)| Sent::Other([&[id], &body[..]].concat()));
    prop_oneof![12 => message.prop_map(Sent::Message), 1 => block, 1 => other]
}

proptest! {
    #[test]
    fn messages_that_are_written_are_read_again(messages in prop::collection::vec(any_message(), 0..20)) {
        let stream: Vec<u8> = messages.iter().flat_map(Sent::bytes).collect();
        let read = read_all(&stream);
        prop_assert_eq!(read.as_ref(), Ok(&messages));
        for message in &messages {
            prop_assert!(!matches!(message, Sent::Message(message) if message.to_string().contains('\n')));
        }
    }

    /// Any bytes: there is no panic, and what is read as a message is written with the same length.
    #[test]
    fn any_bytes_are_a_message_or_an_error(
        length in 0u32..40, id in 0u8..25, body in prop::collection::vec(any::<u8>(), 0..60), pieces in 0u32..300,
    ) {
        let mut input = length.to_be_bytes().to_vec();
        input.push(id);
        input.extend(body);
        match read(&input, pieces) {
            Ok(Some((message, taken))) => prop_assert_eq!(message.bytes().len(), taken),
            Ok(None) => {}
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn bodies_of_any_length_do_not_panic(id: u8, body in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(message) = parse_body(id, &body) {
            prop_assert_eq!(emitted(&message).len(), 5 + body.len());
        }
    }
}
