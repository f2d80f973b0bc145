use super::*;

/// What the handshake with this payload says.
fn read(payload: &[u8]) -> Option<ExtendedHandshake> {
    match Extended::received(HANDSHAKE, payload.to_vec()).parse()? {
        Incoming::Handshake(told) => Some(told),
        other => panic!("{other:?}"),
    }
}

fn payload(handshake: &ExtendedHandshake) -> Vec<u8> {
    let Extended { id, payload } = handshake.message();
    assert_eq!(id, HANDSHAKE);
    payload
}

#[test]
fn a_handshake_that_is_written_is_read_again() {
    let all = ExtendedHandshake {
        ids: Ids::default(),
        reqq: Some(512),
        version: Some("swarmlet 0.1.0".into()),
        port: Some(6881),
        your_ip: Some(IpAddr::from([80, 4, 4, 200])),
        upload_only: Some(true),
        prefers_encryption: Some(true),
        metadata_size: Some(31235),
    };
    let bytes = payload(&all);
    let text = bytes.escape_ascii().to_string();
    assert_eq!(
        text,
        "d1:ei1e1:mde13:metadata_sizei31235e1:pi6881e4:reqqi512e11:upload_onlyi1e1:v14:swarmlet 0.1.06:yourip4:P\\x04\\x04\\xc8e"
    );
    assert_eq!(read(&bytes), Some(all));
    let six = ExtendedHandshake { your_ip: Some(IpAddr::from([7; 16])), ..ExtendedHandshake::ours(Offers::default()) };
    assert_eq!(read(&payload(&six)), Some(six));
}

#[test]
fn the_example_of_bep_10_and_nonsense() {
    let example = b"d1:md11:LT_metadatai1e6:ut_pexi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
    let told = read(example).unwrap();
    assert_eq!((told.port, told.version.as_deref()), (Some(6881), Some("\u{b5}Torrent 1.2")));
    let nonsense = b"d1:mi3e1:pi65536e4:reqqi-1e11:upload_only1:x1:v2:\xff\xff6:yourip3:abce";
    assert_eq!(read(nonsense), Some(ExtendedHandshake::default()));
    for no_dict in [&b""[..], b"le", b"d", b"i1e", b"d1:pi1e"] {
        assert_eq!(read(no_dict), None);
    }
}

#[test]
fn our_handshake_offers_the_table_and_each_of_its_ids_is_accepted() {
    assert_eq!(payload(&ExtendedHandshake::ours(Offers::default())), b"d1:md11:upload_onlyi3eee");
    let less = ExtendedHandshake::withdrawing(Extension::Metadata, Offers::default());
    assert_eq!(payload(&less), b"d1:md11:upload_onlyi3e11:ut_metadatai0eee");
    let all = ExtendedHandshake::ours(Offers { pex: true, metadata: true });
    assert_eq!(payload(&all), b"d1:md11:upload_onlyi3e11:ut_metadatai2e6:ut_pexi1eee");
    for (place, extension) in Extension::ALL.into_iter().enumerate() {
        let row = extension.row();
        assert_eq!((extension as usize, Extension::of_our_id(row.our_id)), (place, Some(extension)));
        assert_eq!(limit(row.our_id), Some(row.most_bytes));
        assert_ne!(row.our_id, HANDSHAKE);
    }
    assert_eq!((limit(HANDSHAKE), limit(200)), (Some(MAX_HANDSHAKE_BYTES), None));
}

#[test]
fn nothing_is_sent_that_the_peer_did_not_name() {
    let mut ids = Ids::default();
    let message = |ids: &Ids| ids.message(Extension::UploadOnly, vec![1]);
    assert_eq!(message(&ids), None);
    ids.update(read(b"d1:md11:upload_onlyi77eee").unwrap().ids);
    assert_eq!(message(&ids), Some(Extended { id: 77, payload: vec![1] }));
    // A later handshake adds, and takes back what it gives the id 0.
    for (later, id) in [
        (&b"d1:md6:ut_pexi1eee"[..], Some(77)),
        (b"de", Some(77)),
        (b"d1:md11:upload_onlyi256eee", Some(77)),
        (b"d1:md11:upload_onlyi-1eee", Some(77)),
        (b"d1:md11:upload_onlyi9eee", Some(9)),
        (b"d1:md11:upload_onlyi0eee", None),
    ] {
        ids.update(read(later).unwrap().ids);
        assert_eq!(message(&ids).map(|message| message.to_string()), id.map(|id: u8| format!("{id} 1 bytes")));
    }
}

#[test]
fn a_message_of_the_table_is_read_by_our_id() {
    let read = |id: u8, payload: &[u8]| Extended::received(id, payload.to_vec()).parse();
    assert_eq!(read(3, &[1]), Some(Incoming::UploadOnly(true)));
    assert_eq!(read(3, &[0]), Some(Incoming::UploadOnly(false)));
    assert_eq!((read(3, &[]), read(4, &[1])), (None, None));
    // A message that can't be read counts too.
    for nothing in [&b"de"[..], b"le", b""] {
        assert_eq!(read(1, nothing), Some(Incoming::Pex(Pex::default())));
    }
}
