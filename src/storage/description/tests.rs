//! Descriptions in files that change, are deleted, or are not regular files.

use super::*;
use crate::storage::resume::StateDir;
use crate::storage::resume::saved_torrents::description;
use crate::storage::testkit::torrent;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use tempfile::TempDir;

/// A torrent, the bytes of its .torrent file, and its `info`.
fn made(private: bool) -> (Metainfo, Vec<u8>, Vec<u8>) {
    // 1,000 pieces: two blocks.
    let mut metainfo = torrent(1000, &[], 1, &["http://t.example/a".into()]).0;
    metainfo.private = private;
    let bytes = metainfo.emit();
    let metainfo = Metainfo::parse(&bytes).unwrap();
    let info = bytes[place_of_info(&bytes).unwrap()].to_vec();
    assert!(info.len() > BLOCK_BYTES as usize && info.starts_with(b"d") && info.ends_with(b"e"));
    (metainfo, bytes, info)
}

/// A .torrent file in a folder of its own.
fn file(bytes: &[u8]) -> (TempDir, Arc<Path>) {
    let dir = tempfile::tempdir().unwrap();
    let path: Arc<Path> = dir.path().join("a.torrent").into();
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// The whole description; or the words of an error, and whether the description is gone.
fn read(description: &Description, metainfo: &Metainfo) -> Result<Vec<u8>, (String, bool)> {
    let mut all = Vec::new();
    for piece in 0..description.size().div_ceil(BLOCK_BYTES) {
        description.read(&metainfo.info_hash, piece, &mut all).map_err(|unread| (unread.why, unread.is_gone))?;
    }
    Ok(all)
}

#[test]
fn a_description_is_read_from_the_torrent_file() {
    let (metainfo, bytes, info) = made(false);
    let (_dir, path) = file(&bytes);
    let own = description(Some(Arc::clone(&path)), &bytes, &metainfo, None).unwrap();
    assert!(matches!(&own, Description::InFile { path: of, .. } if Arc::ptr_eq(of, &path)), "no copy");
    assert_eq!(own.size() as usize, info.len());
    assert_eq!(read(&own, &metainfo), Ok(info));
    assert!(size_of::<Option<Description>>() <= 32, "thousands are at rest");
}

#[test]
fn a_private_torrent_has_none() {
    let (metainfo, bytes, _) = made(true);
    assert!(metainfo.private);
    assert!(description(None, &bytes, &metainfo, None).is_none());
}

#[test]
fn without_a_file_it_is_saved_with_the_states_or_stays_in_memory() {
    let (metainfo, bytes, info) = made(false);
    let dir = tempfile::tempdir().unwrap();
    let states = StateDir::open(dir.path()).unwrap();
    let compressed = file(b"compressed").1;
    for path in [None, Some(compressed), Some(Path::new("/dev/null").into()), Some(Path::new("-").into())] {
        let saved = description(path.clone(), &bytes, &metainfo, Some(&states)).unwrap();
        assert!(
            matches!(&saved, Description::InFile { path, is_folder: true, .. } if **path == *dir.path()),
            "{saved:?}"
        );
        assert_eq!(read(&saved, &metainfo), Ok(info.clone()));
        let kept = description(path, &bytes, &metainfo, None).unwrap();
        assert!(matches!(kept, Description::Kept(_)));
        assert_eq!(read(&kept, &metainfo), Ok(info.clone()));
    }
    assert_eq!(fs::read(states.path_of_torrent(metainfo.info_hash)).unwrap(), bytes);
}

#[test]
fn only_what_has_the_right_hash_is_read() {
    let (metainfo, bytes, info) = made(false);
    let (_dir, path) = file(&bytes);
    let own = description(Some(Arc::clone(&path)), &bytes, &metainfo, None).unwrap();
    read(&own, &metainfo).unwrap();
    // Only its stamp has changed.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read(&own, &metainfo), Ok(info));

    sleep(crate::sys::stamp::TICK);
    let mut changed = bytes.clone();
    let last = bytes.len() - 3;
    changed[last] ^= 1;
    fs::write(&path, &changed).unwrap();
    let (why, is_gone) = read(&own, &metainfo).unwrap_err();
    assert!(is_gone && why.ends_with("a.torrent: it no longer contains the torrent"), "{why}");
    sleep(crate::sys::stamp::TICK);
    fs::write(&path, &bytes[..1000]).unwrap();
    assert!(read(&own, &metainfo).unwrap_err().1, "it is shorter");
    fs::remove_file(&path).unwrap();
    assert!(read(&own, &metainfo).unwrap_err().1);
    fs::create_dir(&path).unwrap();
    assert!(read(&own, &metainfo).unwrap_err().1);
    fs::remove_dir(&path).unwrap();
    // Opening a named pipe would wait for a writer.
    rustix::fs::mknodat(rustix::fs::CWD, &*path, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    assert!(read(&own, &metainfo).unwrap_err().1);
    // An error that may pass.
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
    assert!(!read(&own, &metainfo).unwrap_err().1);
}
