//! Floor 3: threads, sockets, disks.
