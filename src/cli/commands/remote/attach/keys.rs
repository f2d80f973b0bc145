//! The keys of `attach`, for the screen and for the help.
//!
//! Floor 4.

/// The keys, each with its meaning.
pub const KEYS: &[(&str, &str)] = &[
    ("q", "quit; the daemon goes on"),
    ("arrows", "select a torrent; so do j, k, page up, page down, home and end"),
    ("v, Enter", "show the selected torrent: facts, peers, trackers, files; Esc: the list again"),
    ("p", "stop or start the torrent"),
    ("a", "stop or start all torrents, after a question"),
    ("n", "add a torrent: type or paste a magnet link, a URL or the path of a file. A pasted link needs no n"),
    ("r", "remove the torrent, after a question: from the list only (y), or with its content (X)"),
    ("t", "ask its trackers for peers now"),
    ("c", "check: verify its content; after a question, if it is complete"),
    ("u d", "move it up or down in the queue; U and D: to its ends"),
    ("s", "sort by name, progress, download rate, upload rate, number of peers or queue"),
    ("/", "show only torrents whose name or state has a text in it; Esc: all again"),
    ("+ -", "raise or lower the download limit of all torrents together"),
    ("> <", "raise or lower the upload limit of all torrents together"),
    ("m", "use the alternative limits, or the usual ones again"),
    ("space", "in the files: want the file, or skip it; there + and - change its priority"),
    ("? h", "show all keys"),
];
