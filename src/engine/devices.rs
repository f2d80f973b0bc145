//! What each device has for itself while torrents are on it: its disk threads, its keeper.
//!
//! Floor 3. A disk that hangs blocks every thread that uses it, so devices share no threads.

use crate::storage::TorrentId;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// For each device that torrents are on, a `T`.
pub struct Devices<T> {
    /// By device (`st_dev`): what it has, and how many torrents are on it.
    devices: BTreeMap<u64, (T, usize)>,
    /// The device of each torrent.
    torrents: BTreeMap<TorrentId, u64>,
}

impl<T> Devices<T> {
    /// A torrent begins on `device`, moves there, or stays there. If it is the first one, `make` makes what the device
    /// has.
    pub fn begin<E>(
        &mut self,
        torrent: TorrentId,
        device: u64,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&mut (T, usize), E> {
        if self.torrents.get(&torrent).is_some_and(|before| *before != device) {
            self.end(torrent);
        }
        let of_device = match self.devices.entry(device) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert((make()?, 0)),
        };
        of_device.1 += usize::from(self.torrents.insert(torrent, device).is_none());
        Ok(of_device)
    }

    /// A torrent ends. If it was the last one of its device, returns the device and what it had.
    pub fn end(&mut self, torrent: TorrentId) -> Option<(u64, T)> {
        let device = self.torrents.remove(&torrent)?;
        let (_, torrents) = self.devices.get_mut(&device)?;
        *torrents -= 1;
        if *torrents > 0 {
            return None;
        }
        self.devices.remove(&device).map(|(what, _)| (device, what))
    }

    /// What the device of `torrent` has, and how many torrents are on it.
    pub fn of(&mut self, torrent: TorrentId) -> Option<&mut (T, usize)> {
        self.devices.get_mut(self.torrents.get(&torrent)?)
    }

    /// What each device has.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.devices.iter_mut().map(|(device, (what, _))| (*device, what))
    }

    /// How many devices there are.
    pub fn count(&self) -> usize {
        self.devices.len()
    }
}

impl<T> Default for Devices<T> {
    fn default() -> Devices<T> {
        Devices { devices: BTreeMap::new(), torrents: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_its_own_from_its_first_torrent_to_its_last() {
        let mut devices = Devices::default();
        let begin = |devices: &mut Devices<u64>, torrent, device| {
            let made = devices.begin(torrent, device, || Ok::<u64, ()>(10 * device)).unwrap();
            *made
        };
        assert_eq!(begin(&mut devices, TorrentId(0), 5), (50, 1));
        assert_eq!(begin(&mut devices, TorrentId(1), 5), (50, 2));
        assert_eq!(begin(&mut devices, TorrentId(1), 5), (50, 2), "it goes on");
        assert_eq!(begin(&mut devices, TorrentId(1), 6), (60, 1), "it moves");
        assert_eq!(
            (devices.count(), devices.of(TorrentId(0)).copied(), devices.of(TorrentId(2))),
            (2, Some((50, 1)), None)
        );
        assert!(devices.begin(TorrentId(2), 7, || Err("no thread")).is_err());
        assert_eq!(
            (devices.end(TorrentId(0)), devices.end(TorrentId(0)), devices.end(TorrentId(2))),
            (Some((5, 50)), None, None)
        );
        assert_eq!(devices.iter_mut().map(|(device, _)| device).collect::<Vec<_>>(), [6]);
    }
}
