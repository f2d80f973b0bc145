//! States that are read as they were written, and states that are refused.

use super::*;
use proptest::prelude::*;

const FOLDER: &[u8] = b"/srv/\xff iso";

/// A torrent with this number of files of 40 bytes each, in pieces of 16.
fn metainfo(files: usize) -> Metainfo {
    let file =
        |number: usize| Bencode::dict([("length", 40i64.into()), ("path", Bencode::list([&*number.to_string()]))]);
    let info = Bencode::dict([
        ("files", Bencode::List((0..files).map(file).collect())),
        ("name", "a".into()),
        ("piece length", 16i64.into()),
        ("pieces", vec![7; (files * 40).div_ceil(16) * 20].into()),
    ]);
    Metainfo::parse(&Bencode::dict([("info", info)]).encode()).unwrap()
}

fn record() -> impl Strategy<Value = FileState> {
    let fields = (any::<u64>(), any::<u64>(), any::<bool>());
    let record = proptest::option::of(fields.prop_map(|(stamp, mount, on_disk)| Record { stamp, mount, on_disk }));
    let making = prop_oneof![Just(Making::No), Just(Making::Planned), Just(Making::Begun)];
    (record, making, any::<bool>()).prop_map(|(record, making, marked)| FileState { record, making, marked })
}

fn resume() -> impl Strategy<Value = (Metainfo, Resume)> {
    let fields = (
        proptest::collection::vec(record(), 1..9),
        proptest::collection::vec(any::<bool>(), 23),
        proptest::collection::vec(any::<u8>(), 0..40),
        (0..u64::MAX / 2, 0..u64::MAX / 2),
    );
    fields.prop_map(|(files, had, boot, (uploaded, downloaded))| {
        let metainfo = metainfo(files.len());
        let mut resume = Resume::new(&metainfo, FOLDER.to_vec());
        (0..metainfo.piece_count()).filter(|piece| had[*piece as usize]).for_each(|piece| {
            resume.have.set(piece);
        });
        (metainfo, Resume { files, boot: boot.into(), uploaded, downloaded, ..resume })
    })
}

/// The state with another value for `key`, and a correct digest.
fn with(resume: &Resume, key: &str, value: Bencode) -> Vec<u8> {
    with_all(resume, &[(key, value)])
}

/// The same with several other values.
fn with_all(resume: &Resume, others: &[(&str, Bencode)]) -> Vec<u8> {
    let bytes = resume.encode();
    let state = bencode::decode(&bytes).unwrap().get(b"state").unwrap();
    let mut entries: Vec<(Vec<u8>, Bencode)> =
        state.entries().unwrap().map(|(name, value)| (name.to_vec(), value.into())).collect();
    entries.extend(others.iter().map(|(key, value)| ((*key).into(), value.clone())));
    let state = Bencode::dict(entries).encode();
    Bencode::dict([("digest", sha1(&state).as_slice().into()), ("state", Bencode::Raw(state))]).encode()
}

proptest! {
    #[test]
    fn what_is_written_can_be_read_again((metainfo, resume) in resume()) {
        prop_assert_eq!(Resume::decode(&resume.encode(), &metainfo, FOLDER).unwrap(), resume);
    }

    #[test]
    fn every_changed_bit_is_noticed((metainfo, resume) in resume(), at: prop::sample::Index, bit in 0..8u8) {
        let mut bytes = resume.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        prop_assert!(Resume::decode(&bytes, &metainfo, FOLDER).is_err());
    }

    #[test]
    fn a_state_cut_short_is_refused((metainfo, resume) in resume(), at: prop::sample::Index) {
        let bytes = resume.encode();
        prop_assert!(Resume::decode(&bytes[..at.index(bytes.len())], &metainfo, FOLDER).is_err());
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>, key in "[a-z ]{4,10}", value: Vec<u8>, number: i64) {
        let metainfo = metainfo(3);
        prop_assert!(Resume::decode(&bytes, &metainfo, FOLDER).is_err());
        let resume = Resume::new(&metainfo, FOLDER.to_vec());
        for key in [key.as_str(), "have", "files", "boot", "folder", "info hash", "uploaded", "version"] {
            let _ = Resume::decode(&with(&resume, key, value.clone().into()), &metainfo, FOLDER);
            let _ = Resume::decode(&with(&resume, key, number.into()), &metainfo, FOLDER);
        }
    }
}

#[test]
fn every_field_is_checked() {
    let metainfo = metainfo(2);
    let resume = Resume::new(&metainfo, FOLDER.to_vec());
    let refused = |bytes: &[u8]| Resume::decode(bytes, &metainfo, FOLDER).expect_err("it is taken");
    let odd_kind = |kind| {
        let mut records = vec![0; 2 * RECORD_BYTES];
        records[RECORD_BYTES - 1] = kind;
        records
    };
    for (key, value, words) in [
        ("version", Bencode::Int(3), "version 2"),
        ("info hash", vec![0; 20].into(), "another torrent"),
        ("folder", "/srv".into(), "another torrent or folder"),
        ("have", vec![0xff].into(), "a bit set beyond"),
        ("have", vec![0, 0].into(), "2 bytes, expected 1"),
        ("files", vec![0; RECORD_BYTES].into(), "17 bytes do not describe 2 files"),
        ("files", odd_kind(BEGUN | 3).into(), "record"),
        ("files", odd_kind(BEGUN | PLANNED).into(), "record"),
        ("uploaded", Bencode::Int(-1), "uploaded"),
        ("downloaded", "7".into(), "downloaded"),
    ] {
        let said = refused(&with(&resume, key, value));
        assert!(said.contains(words), "{key}: {said}");
    }
    assert!(refused(b"de").contains("no state"));
    assert!(refused(b"").contains("byte"), "{}", refused(b""));
    assert!(Resume::decode(&with(&resume, "later", "x".into()), &metainfo, FOLDER).is_ok(), "fields may be added");
}

#[test]
fn only_an_unchanged_file_is_trusted() {
    let metainfo = metainfo(1);
    let then = Record { stamp: 5, mount: 9, on_disk: false };
    let mut resume = Resume { boot: (*b"b").into(), ..Resume::new(&metainfo, FOLDER.to_vec()) };
    assert!(!resume.trusts(0, Some(&then), false), "nothing is known of it");
    resume.files[0].record = Some(then);
    assert!(resume.trusts(0, Some(&then), false));
    assert!(!resume.trusts(0, None, false), "it is gone");
    assert!(!resume.trusts(1, Some(&then), false), "there is no such file");
    assert!(!resume.trusts(0, Some(&then), true), "the system was started since: the cache may have been lost");
    assert!(!resume.trusts(0, Some(&Record { mount: 10, ..then }), false), "the disk may have been pulled out");
    assert!(!resume.trusts(0, Some(&Record { stamp: 6, ..then }), false), "it was written to");
    resume.files[0].record = Some(Record { mount: 0, ..then });
    assert!(!resume.trusts(0, Some(&Record { mount: 0, ..then }), false), "it may have been pulled out");
    resume.files[0].record = Some(Record { on_disk: true, ..then });
    assert!(resume.trusts(0, Some(&Record { mount: 10, ..then }), true), "it is on the disk");
    assert!(!resume.trusts(0, Some(&Record { stamp: 6, ..then }), false));
}

/// It may vouch for files that another program has changed since.
#[test]
fn of_a_state_of_the_version_before_only_the_totals_count() {
    let metainfo = metainfo(2);
    let full = Bitfield::full(metainfo.piece_count());
    let resume = Resume { have: full, uploaded: 7, downloaded: 8, ..Resume::new(&metainfo, FOLDER.to_vec()) };
    let bytes = with_all(&resume, &[("version", Bencode::Int(1)), ("files", vec![2; 2 * 29].into())]);
    let found = Resume::decode(&bytes, &metainfo, FOLDER).unwrap();
    assert_eq!((found.uploaded, found.downloaded, found.have.count()), (7, 8, 0));
    let made = |making| [FileState { making, ..FileState::default() }; 2];
    assert_eq!(found.files, made(Making::No), "complete files may be the user's by now");
    let begun = Resume { have: Bitfield::new(metainfo.piece_count()), ..resume };
    let bytes = with_all(&begun, &[("version", Bencode::Int(1)), ("files", vec![2; 2 * 29].into())]);
    assert_eq!(Resume::decode(&bytes, &metainfo, FOLDER).unwrap().files, made(Making::Begun), "they lacked pieces");
}

#[test]
fn each_folder_has_its_own_file_name() {
    let hash = InfoHash([0xab; 20]);
    let name = file_name(&hash, b"/a");
    assert!(name.starts_with(&"ab".repeat(20)) && is_file_name(&name), "{name}");
    assert_ne!(name, file_name(&hash, b"/b"));
    for other in ["", ".resume", "a.resume", &name.replace('-', "_"), &format!("{name}.new"), &name[1..]] {
        assert!(!is_file_name(other), "{other}");
    }
}
