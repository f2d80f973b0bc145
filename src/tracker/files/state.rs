//! The state file (`--dfile`), which keeps the swarms over restarts.
//!
//! Floor 3. It is a bencoded dictionary. `swarms` has a dictionary for each info-hash: `c` (completed downloads), `s4`
//! and `s6` (how many of the peers are seeds; they come first), `v4` and `v6` (the peers: address, peer id, time since
//! the last announce in units of 4 seconds, tag). It is written in portions, so it takes little memory, and clients do
//! not wait.

use crate::base::time::Time;
use crate::proto::bencode::{Value, decode};
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::tracker::compact::{V4_BYTES, V6_BYTES};
use crate::sys::replace::{Output, Sync, replace};
use crate::tracker::config::TrackerError;
use crate::tracker::registry::peers::{Facts, Peers};
use crate::tracker::registry::{Registry, Swarm, tick};
use std::fs;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Bytes that are collected while the registry is locked.
const PORTION: usize = 64 << 10;
/// The largest file that is read: some 30 million peers.
const MOST_BYTES: u64 = 1 << 30;
/// The `version` of this format.
const VERSION: i64 = 1;
/// Bytes of a peer after its address: peer id, time, tag.
const REST_BYTES: usize = 26;

/// A registry with the swarms of the file at `path`, if there is one; `empty` makes one without swarms. A damaged file
/// is renamed and not used, because a part of a swarm looks like a whole one.
pub fn load(path: &Path, empty: impl Fn() -> Registry) -> Result<Registry, TrackerError> {
    let failed = |doing: String| move |error| TrackerError { doing, error, no_input: true };
    let shown = path.display();
    let bytes = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(empty()),
        // Such as /dev/null.
        Ok(metadata) if metadata.file_type().is_char_device() => return Ok(empty()),
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is not a regular file")),
        Ok(metadata) if metadata.len() == 0 => return Ok(empty()),
        Ok(metadata) if metadata.len() > MOST_BYTES => Err(io::Error::other("it is too large for a state file")),
        _ => fs::read(path),
    };
    let bytes = bytes.map_err(failed(format!("read the state file {shown}")))?;
    let mut restored = empty();
    if restore(&bytes, &mut restored).is_none() {
        // An earlier damaged file may still be useful, so it is kept.
        let mut aside = with_end(path, ".damaged".into());
        for number in 2.. {
            if !aside.exists() {
                break;
            }
            aside = with_end(path, format!(".damaged.{number}"));
        }
        let moved = fs::rename(path, &aside);
        moved.map_err(failed(format!("rename the damaged state file {shown}")))?;
        log::error!("{shown} is damaged and was renamed to {}; the tracker starts empty", aside.display());
        return Ok(empty());
    }
    Ok(restored)
}

fn with_end(path: &Path, end: String) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Refuses a path at which no state could be saved later.
pub fn check_place(path: &Path) -> Result<(), TrackerError> {
    let doing = format!("save the state as {}", path.display());
    Output::open(path).map(drop).map_err(|error| TrackerError { doing, error, no_input: false })
}

/// Restores the swarms into an empty registry. Returns `None` if the bytes are not a valid state.
fn restore(bytes: &[u8], registry: &mut Registry) -> Option<()> {
    let [swarms, version] = decode(bytes).ok()?.get_all([b"swarms", b"version"])?;
    let swarms = swarms.filter(|_| version.and_then(|version| version.as_int()) == Some(VERSION))?;
    for (hash, swarm) in swarms.entries()? {
        let hash = InfoHash(hash.try_into().ok()?);
        let [completed, seeds4, seeds6, v4, v6] = swarm.get_all([b"c", b"s4", b"s6", b"v4", b"v6"])?;
        let number = |value: Option<Value>| value?.as_int().and_then(|number| u32::try_from(number).ok());
        registry.restore_swarm(hash, number(completed)?);
        for (peers, seeds, address_bytes) in [(v4, seeds4, V4_BYTES), (v6, seeds6, V6_BYTES)] {
            let (entries, seeds) = (peers?.as_bytes()?, number(seeds)? as usize);
            let entries = entries.chunks_exact(address_bytes + REST_BYTES);
            if !entries.remainder().is_empty() || seeds > entries.len() {
                return None;
            }
            for (number, entry) in entries.enumerate() {
                let (address, rest) = entry.split_at(address_bytes);
                let (id, rest) = rest.split_first_chunk::<20>()?;
                let (age, tag) = rest.split_first_chunk::<2>()?;
                let seen = tick(Time::ZERO).wrapping_sub(u16::from_be_bytes(*age));
                let facts = Facts { peer_id: &PeerId(*id), seed: number < seeds, seen, key: 0 };
                registry.restore_peer(&hash, address, &facts, u32::from_be_bytes(tag.try_into().ok()?));
            }
        }
    }
    Some(())
}

/// Saves the registry at `path`. `lock` locks the registry; it is called for each portion.
pub fn save<R: Deref<Target = Registry>>(path: &Path, lock: impl Fn() -> R, now: Time) -> io::Result<()> {
    replace(path, Sync::First, |file| {
        let mut after = None;
        let mut out = b"d6:swarmsd".to_vec();
        loop {
            let registry = lock();
            for (hash, swarm) in registry.swarms_after(after) {
                push_swarm(hash, swarm, now, &mut out);
                after = Some(*hash);
                if out.len() >= PORTION {
                    break;
                }
            }
            drop(registry);
            if out.is_empty() {
                return file.write_all(format!("e7:versioni{VERSION}ee").as_bytes());
            }
            file.write_all(&out)?;
            out.clear();
        }
    })
}

fn push_swarm(hash: &InfoHash, swarm: &Swarm, now: Time, out: &mut Vec<u8>) {
    out.extend_from_slice(b"20:");
    out.extend_from_slice(&hash.0);
    let (seeds4, seeds6) = (swarm.v4.seeds(), swarm.v6.seeds());
    let head = format!("d1:ci{}e2:s4i{seeds4}e2:s6i{seeds6}e", swarm.completed);
    out.extend_from_slice(head.as_bytes());
    push_peers("2:v4", &swarm.v4, now, out);
    push_peers("2:v6", &swarm.v6, now, out);
    out.push(b'e');
}

fn push_peers(key: &str, peers: &Peers, now: Time, out: &mut Vec<u8>) {
    let entry_bytes = peers.address_bytes() + REST_BYTES;
    out.extend_from_slice(format!("{key}{}:", peers.len() * entry_bytes).as_bytes());
    for number in 0..peers.len() {
        out.extend_from_slice(peers.address(number));
        out.extend_from_slice(&peers.peer_id(number).0);
        out.extend_from_slice(&tick(now).wrapping_sub(peers.seen(number)).to_be_bytes());
        out.extend_from_slice(&peers.tag(number).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::tracker::announce::AnnounceEvent;
    use crate::tracker::registry::{Announce, Limits};

    fn registry() -> Registry {
        Registry::new(Limits { peers: 10_000, swarm_peers: 10_000, swarms: 1000, age: Time::from_secs(3600) }, 1)
    }

    fn asked(number: u16) -> Announce {
        Announce {
            info_hash: InfoHash([(number % 50) as u8; 20]),
            peer_id: PeerId([number as u8; 20]),
            addr: match number % 3 {
                0 => ([0xfd00, 0, 0, 0, 0, 0, 0, 1], number + 1).into(),
                _ => ([10, 0, 0, 1], number + 1).into(),
            },
            key: 0x1000 + u32::from(number),
            seed: number.is_multiple_of(4),
            event: number.is_multiple_of(8).then_some(AnnounceEvent::Completed),
            want: 0,
            both_families: true,
            ids: false,
            unproven: false,
        }
    }

    #[test]
    fn saved_swarms_are_restored() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("dfile");
        let mut before = registry();
        for number in 0..3000 {
            before.announce(&asked(number), Time::from_secs(u64::from(number))).unwrap();
        }
        let now = Time::from_secs(3000);
        save(&path, || &before, now).unwrap();
        let mut after = load(&path, registry).unwrap();
        assert_eq!((after.peers(), after.swarms()), (before.peers(), before.swarms()));
        for (hash, swarm) in before.swarms_after(None) {
            assert_eq!(after.counts(hash), Some(swarm.counts()));
        }
        // Old peers are still old, and what was counted is not counted again.
        assert!(after.expire(Time::from_secs(1600), usize::MAX));
        assert_eq!(after.peers(), 3000 - 1000, "those that announced before 1000 s are gone");
        let again = after.announce(&asked(2904), Time::from_secs(1)).unwrap();
        assert_eq!(Some(again.counts.completed), before.counts(&asked(2904).info_hash).map(|counts| counts.completed));
        // A restored registry can be saved again.
        save(&path, || &after, now).unwrap();
        assert!(decode(&fs::read(&path).unwrap()).is_ok());
    }

    #[test]
    fn a_damaged_file_is_renamed_and_nothing_of_it_is_taken() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("dfile");
        load(&path, registry).unwrap();
        let mut before = registry();
        for number in 0..150 {
            before.announce(&asked(number), Time::ZERO).unwrap();
        }
        save(&path, || &before, Time::ZERO).unwrap();
        let good = fs::read(&path).unwrap();
        // The last of 50 swarms is damaged in every way.
        let at = good.windows(4).rposition(|part| part == b"d1:c").unwrap();
        let (head, last) = good.split_at(at);
        let last = |from: &[u8], to: &[u8]| {
            let at = last.windows(from.len()).position(|part| part == from).unwrap();
            [head, &last[..at], to, &last[at + from.len()..]].concat()
        };
        let mut damages: Vec<Vec<u8>> =
            ["d6:swarmsd", "d6:swarmsd3:abcdeee", "hello", "de", "d6:swarmsdee"].map(Into::into).into();
        damages.extend((1..good.len()).step_by(97).map(|end| good[..end].to_vec()));
        damages.extend([
            last(b"1:ci", b"1:xi"),
            last(b"1:ci", b"1:ci-"),
            last(b"2:s4i", b"2:s4i9"),
            last(b"2:s6i", b"2:s6i4294967296"),
            last(b"2:v464:", b"2:v463:"),
            last(b"2:v6", b"2:v7"),
            last(b"versioni1e", b"versioni2e"),
        ]);
        for damage in damages {
            fs::write(&path, &damage).unwrap();
            let after = load(&path, registry).unwrap();
            assert_eq!((after.swarms(), after.peers()), (0, 0), "{}", String::from_utf8_lossy(&damage));
            assert!(!path.exists());
            assert_eq!(fs::read(temp.path().join("dfile.damaged")).unwrap(), damage);
            // Not even an earlier one is lost.
            fs::write(&path, &damage).unwrap();
            load(&path, registry).unwrap();
            assert_eq!(fs::read(temp.path().join("dfile.damaged.2")).unwrap(), damage);
            fs::remove_file(temp.path().join("dfile.damaged.2")).unwrap();
            fs::remove_file(temp.path().join("dfile.damaged")).unwrap();
        }
        fs::write(&path, "").unwrap();
        load(&path, registry).unwrap();
        assert!(path.exists(), "an empty file, as touch makes it, is not damaged");
        for device in ["/dev/null", "/dev/zero"] {
            load(Path::new(device), registry).unwrap();
            save(Path::new(device), || Box::new(registry()), Time::ZERO).unwrap();
            check_place(Path::new(device)).unwrap();
        }
    }

    /// Older versions accepted such announces.
    #[test]
    fn a_saved_peer_whose_address_is_not_usable_is_left_out() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("dfile");
        let mut before = registry();
        before.announce(&asked(1), Time::ZERO).unwrap();
        before.announce(&Announce { info_hash: InfoHash([1; 20]), ..asked(2) }, Time::ZERO).unwrap();
        save(&path, || &before, Time::ZERO).unwrap();
        let saved = fs::read(&path).unwrap();
        let at = saved.windows(6).position(|part| part == [10, 0, 0, 1, 0, 2]).unwrap();
        fs::write(&path, [&saved[..at], &[0, 0, 0, 0], &saved[at + 4..]].concat()).unwrap();
        assert_eq!(load(&path, registry).unwrap().peers(), 1);
        assert!(path.exists(), "the file is not damaged");
    }
}
