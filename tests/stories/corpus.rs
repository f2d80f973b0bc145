//! Stories of damaged torrents. Each rule for torrents is broken on purpose, and ten thousand good torrents are
//! mutated. Every command either reads such a torrent or refuses it with a clear message. Nothing panics, nothing is
//! created on the disk, and no torrent takes more memory than twice its size.

use crate::common::content::Content;
use crate::common::ran::{Ran, swarmlet};
use crate::common::swarmlet::program;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const HASH: &str = "6:pieces20:aaaaaaaaaaaaaaaaaaaa";

/// A torrent whose info dictionary has this in it.
fn with(info: &str) -> Vec<u8> {
    format!("d4:infod{info}ee").into_bytes()
}

/// A torrent of one file: its name, its length and the keys that follow.
fn one(name: &[u8], length: &str, behind: &str) -> Vec<u8> {
    let name = [format!("{}:", name.len()).as_bytes(), name].concat();
    [b"d4:infod6:length", length.as_bytes(), b"4:name", &name, behind.as_bytes(), b"ee"].concat()
}

/// A torrent of a folder with one-byte files at these paths. `|` separates the components.
fn folder(paths: &[&str]) -> Vec<u8> {
    let file = |path: &&str| {
        let names: String = path.split('|').map(|name| format!("{}:{name}", name.len())).collect();
        format!("d6:lengthi1e4:pathl{names}ee")
    };
    let files: String = paths.iter().map(file).collect();
    with(&format!("5:filesl{files}e4:name1:n12:piece lengthi16384e{HASH}"))
}

/// Each torrent with words that the message must contain.
fn refused() -> Vec<(Vec<u8>, &'static str)> {
    let good = "12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa";
    let pieces = |length: &str, behind: &str| one(b"n", length, behind);
    let mut all = vec![
        // Paths.
        (one(b"..", "i1e", good), "info.name: \"..\" is a name of dots"),
        (one(b"a\0b", "i1e", good), "is a name with a NUL byte in it"),
        (folder(&["a", "..|..|b"]), "info.files[1].path: \"..\" is a name of dots"),
        (with(&format!("5:filesld6:lengthi1e4:pathleee4:name1:n12:piece lengthi16384e{HASH}")), "an empty list"),
        (with(&format!("4:attr1:l6:lengthi1e4:name1:n{good}")), "info.attr: \"l\", expected a file, not a symlink"),
        // Bencode.
        (b"".to_vec(), "empty, expected a .torrent file"),
        (b"<html>".to_vec(), "a web page, expected a .torrent file"),
        (b"d4:info".to_vec(), "byte 7: the input ends within a value"),
        (b"d4:infod6:lengthi1".to_vec(), "byte 18: the input ends within a value"),
        (b"d4:info99999999999999999999:a".to_vec(), "runs past the end of the input"),
        (b"d4:info10:ae".to_vec(), "byte 7: string of 10 bytes runs past the end"),
        (pieces("ie", good), "integer without digits"),
        (pieces("i1x", good), "'x' in an integer"),
        (b"i1e".to_vec(), "not a .torrent file"),
        (b"d4:infoi1ee".to_vec(), "info: 1, expected a dict"),
        (b"d4:infodee".to_vec(), "info.name is missing"),
        (b"d4:infod4:name1:nee".to_vec(), "info.piece length is missing"),
        // Pieces and lengths.
        (pieces("i1e", "12:piece lengthi0e6:pieces20:aaaaaaaaaaaaaaaaaaaa"), "info.piece length: 0, expected 1 to"),
        (pieces("i1e", "12:piece lengthi-5e6:pieces20:aaaaaaaaaaaaaaaaaaaa"), "info.piece length: -5, expected 1 to"),
        (
            pieces("i1e", "12:piece lengthi4294967296e6:pieces0:"),
            "info.piece length: 4294967296, expected 1 to 536870912",
        ),
        (
            pieces("i1e", "12:piece lengthi16384e6:pieces19:aaaaaaaaaaaaaaaaaaa"),
            "info.pieces: 19 bytes, expected a multiple",
        ),
        (pieces("i16385e", good), "info.pieces: 1 hashes, expected 2"),
        (pieces("i0e", good), "info.pieces: 1 hashes, expected 0"),
        (pieces("i9223372036854775808e", good), "info.length: 9223372036854775808, expected a number of bytes"),
        (pieces("i-1e", good), "info.length: -1, expected a number of bytes"),
        (pieces("i9223372036854775807e", "12:piece lengthi1e6:pieces0:"), "make 9223372036854775807 pieces"),
        (with(&format!("5:filesle4:name1:n{good}")), "info.files: no file, expected at least one"),
        (with("12:meta versioni2e4:name1:n12:piece lengthi16384e"), "version 2 torrent (BEP 52) only"),
    ];
    let huge = "d6:lengthi9223372036854775807e4:pathl1:aee";
    let huge = format!("5:filesl{huge}{}{}e4:name1:n{good}", huge.replace("1:a", "1:b"), huge.replace("1:a", "1:c"));
    all.push((with(&huge), "expected a sum below 2^64"));
    for open in ["l", "d1:a"] {
        all.push((format!("d4:info{}", open.repeat(100_000)).into_bytes(), "nest deeper than 100"));
        let words = if open == "l" { "not a .torrent file" } else { "nest deeper than 32" };
        all.push((open.repeat(100_000).into_bytes(), words));
    }
    all
}

#[test]
fn a_torrent_that_breaks_a_rule_is_refused_by_every_command_and_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let torrent = dir.join("t");
    for (bytes, words) in refused() {
        fs::write(&torrent, &bytes).unwrap();
        for command in [
            &["show"][..],
            &["show", "--json"],
            &["link"],
            &["check"],
            &["edit", "--comment", "x"],
            &["get", "--dir", "new"],
        ] {
            let ran = swarmlet(dir, &[command, &["t"]].concat()).refused(65, words);
            assert!(
                ran.stdout.is_empty() && ran.stderr.lines().count() <= 2,
                "{command:?}: {}{}",
                ran.text(),
                ran.stderr
            );
        }
        assert_eq!(fs::read(&torrent).unwrap(), bytes);
        assert_eq!(fs::read_dir(dir).unwrap().count(), 1, "a file was created");
    }
}

#[test]
fn an_odd_torrent_is_read_and_shown_without_harm() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let good = "12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa";
    let show = |bytes: Vec<u8>| -> Value {
        fs::write(dir.join("t"), bytes).unwrap();
        let plain = swarmlet(dir, &["show", "t"]).code(0).text();
        assert!(!plain.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{plain:?}");
        swarmlet(dir, &["show", "--json", "t"]).code(0).objects().remove(0)
    };
    assert_eq!(show(one(b"foo... bar", "i1e", good))["name"], "foo... bar");
    assert_eq!(show(one("a\u{202e}\x1b[2J\n".as_bytes(), "i1e", good))["name"], "a%E2%80%AE%1B[2J%0A");
    assert_eq!(show(one(b"caf\xe9", "i1e", good))["name"], "caf%E9");
    let cased = show(folder(&["A|b", "a|B"]));
    assert!(cased["warnings"][0].as_str().unwrap().contains("one path where upper and lower case are the same"));
    // Mail programs and editors add white space, and some makers write text instead of a number.
    let with_newline = show([b"\xef\xbb\xbf".to_vec(), one(b"n", "i1e", good), b"\r\n".to_vec()].concat());
    assert_eq!(with_newline["warnings"], serde_json::json!([]));
    for (bytes, odd) in [
        (one(b"n", "i01e", good), "number with a leading zero"),
        (one(b"n", "i1e", &format!("{good}02:xx1:y")), "number with a leading zero"),
        (one(b"n", "i1e", &format!("{good}1:xi-0e")), "integer -0"),
        (one(b"n", "i1e", &format!("4:name1:m{good}")), "the same dict key twice"),
        ([one(b"n", "i1e", good), b"x".to_vec()].concat(), "1 bytes follow the value"),
    ] {
        let shown = show(bytes);
        let warning = shown["warnings"][0].as_str().unwrap();
        assert!(
            warning.starts_with("the file is not quite as it should be: byte ") && warning.ends_with(odd),
            "{warning}"
        );
        assert_eq!(shown["size"], 1);
    }
    let texts = show(format!("d13:creation date10:17000000004:infod6:lengthi1e4:name1:n{good}7:private1:1ee").into());
    assert_eq!((texts["creation_date"].as_u64(), texts["private"].as_bool()), (Some(1_700_000_000), Some(true)));
    assert_eq!(show(one(b"n", "i1e", &format!("{good}7:privatei2e")))["private"], true);
    assert_eq!(show(one(b"n", "i1e", &format!("{good}7:privatei0e")))["private"], false);
    let flat = show(format!("d13:announce-listl9:http://a/9:http://b/i5ee4:infod6:lengthi1e4:name1:n{good}ee").into());
    assert_eq!(flat["trackers"], serde_json::json!([["http://a/"], ["http://b/"]]));
    let link = "d4:attr1:l6:lengthi0e4:pathl1:ae12:symlink pathl2:..3:etcee";
    let linked = show(with(&format!("5:filesl{link}d6:lengthi1e4:pathl1:beee4:name1:n{good}")));
    assert!(linked["warnings"][0].as_str().unwrap().contains("left out the symlinks"));
    assert_eq!(linked["files"].as_array().unwrap().len(), 1);
}

/// Pseudo-random numbers, the same at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }

    fn slice<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let from = self.below(bytes.len());
        &bytes[from..(from + 1 + self.below(40)).min(bytes.len())]
    }
}

/// Damages a torrent: bytes change, are lost, doubled or moved, and numbers are replaced.
fn mutate(good: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..1 + random.below(4) / 2 {
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(20)).min(bytes.len());
        match random.below(12) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, good[at.min(good.len() - 1)..end.min(good.len())].to_vec())),
            3 => drop(bytes.splice(at..end, random.slice(other).to_vec())),
            4 => bytes.truncate(at),
            5 => {
                let numbers = ["0", "-1", "4294967296", "9223372036854775807", "18446744073709551616", "007", ""];
                let digits = bytes[at..].iter().position(u8::is_ascii_digit).map_or(at, |first| at + first);
                let length = bytes[digits..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                bytes.splice(digits..digits + length, numbers[random.below(numbers.len())].bytes());
            }
            6 => drop(bytes.splice(at..end, b"d1:al1:bli0eeee"[..random.below(16)].to_vec())),
            // A letter, likely within a name, a URL or a hash: then the torrent may still be readable.
            7..=10 => {
                let letter = bytes[at..].iter().position(u8::is_ascii_alphabetic).map_or(at, |first| at + first);
                bytes[letter] = *b"/.\0%a\xff\x1b~".get(random.below(8)).unwrap_or(&b'b');
            }
            _ => {
                let words = ["..", "/", "\0", "\u{202e}", "4:info", "5:files", "6:length", "4:attr1:l", "1:e"];
                bytes.splice(at..at, words[random.below(words.len())].bytes());
            }
        }
        if bytes.is_empty() {
            return bytes;
        }
    }
    bytes
}

/// Good torrents of different kinds.
fn good_ones(dir: &Path) -> Vec<Vec<u8>> {
    Content::folder("Aishah", &[("1.mp3", 70_000), ("a b/2", 0), ("a b/c/3", 5), ("é/日本", 20_000)]).write_to(dir);
    Content::one_file("one", 50_000).write_to(dir);
    let all = [
        "-a",
        "http://a.example/a,udp://b.example:1",
        "-a",
        "http://c.example/",
        "-w",
        "http://w/",
        "-n",
        "h:1",
        "-c",
        "x",
        "-s",
        "y",
    ];
    let makes: [&[&str]; 5] =
        [&["Aishah"], &["one"], &["Aishah", "--pad", "-l", "16K"], &["one", "http://t.example/", "-p"], &all];
    let make = |args: &&[&str]| {
        let path: &[&str] = if args.len() > 5 { &["Aishah"] } else { &[] };
        swarmlet(dir, &[&["make", "-o", "-"], *args, path].concat()).code(0).stdout
    };
    makes.iter().map(make).collect()
}

/// The hashes that `show` prints for the torrents that it can read. Each other one must get one line of complaint.
fn hashes(dir: &Path, names: &[String]) -> BTreeMap<String, (String, Value)> {
    let ran = on_all(dir, &["show", "--json"], names);
    let told: BTreeMap<String, (String, Value)> = ran
        .objects()
        .into_iter()
        .map(|object| {
            let text = |key: &str| object[key].as_str().unwrap().to_string();
            (text("torrent"), (text("info_hash"), object["comment"].clone()))
        })
        .collect();
    let mut complaints = ran.stderr.lines();
    for name in names.iter().filter(|name| !told.contains_key(*name)) {
        let line = complaints.next().unwrap_or_else(|| panic!("{name} is neither shown nor refused"));
        assert!(line.starts_with(&format!("swarmlet: {name}: ")) && line.len() > 20, "{line}");
    }
    assert_eq!(complaints.next(), None);
    told
}

fn on_all(dir: &Path, command: &[&str], names: &[String]) -> Ran {
    let ran = swarmlet(dir, &[command, &names.iter().map(String::as_str).collect::<Vec<_>>()].concat());
    assert!([Some(0), Some(1), Some(65)].contains(&ran.code), "{:?}: {}", ran.code, ran.stderr);
    ran
}

#[test]
fn ten_thousand_mutated_torrents_are_read_or_refused() {
    const COUNT: usize = 10_000;
    /// The torrents for one run of the program.
    const BATCH: usize = 500;
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let good = good_ones(dir);
    let mut random = Random(2004);
    let mut read = 0;
    for batch in 0..COUNT / BATCH {
        let folder = dir.join(format!("batch {batch}"));
        fs::create_dir(&folder).unwrap();
        let names: Vec<String> = (0..BATCH).map(|number| format!("{number}.torrent")).collect();
        for name in &names {
            let (one, other) = (random.below(good.len()), random.below(good.len()));
            fs::write(folder.join(name), mutate(&good[one], &good[other], &mut random)).unwrap();
        }
        let before = hashes(&folder, &names);
        read += before.len();
        on_all(&folder, &["link"], &names);
        on_all(&folder, &["check", "--dir", "/proc/self/fdinfo"], &names);
        // An edit leaves everything else in the torrent as it is, even if it is odd.
        on_all(&folder, &["edit", "--quiet", "--comment", "edited"], &names);
        let after = hashes(&folder, &names);
        assert!(before.keys().eq(after.keys()), "other torrents can be read after an edit");
        for (name, (hash, comment)) in &after {
            assert_eq!((hash, comment.as_str()), (&before[name].0, Some("edited")), "{name}");
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), BATCH, "a file was created");
        fs::remove_dir_all(&folder).unwrap();
    }
    assert!((COUNT / 20..COUNT * 19 / 20).contains(&read), "{read} of {COUNT} could be read");
}

/// Whether our program shows `torrent` with this exit code within `kib` KiB of address space.
fn answers_within(dir: &Path, kib: u64, torrent: &str, code: i32) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$1\"; shift; exec \"$@\"", "sh", &kib.to_string()]).arg(program());
    let output = command.args(["show", torrent]).current_dir(dir).output().expect("there is a shell");
    output.status.code() == Some(code)
}

/// The KiB that the program needs for an empty torrent. It depends on the machine and the build, so it is searched for.
fn enough_for_nothing(dir: &Path) -> u64 {
    fs::write(dir.join("tiny"), b"d4:infod").unwrap();
    let (mut too_little, mut enough) = (1 << 10, 1 << 20);
    assert!(answers_within(dir, enough, "tiny", 65));
    while enough - too_little > 64 {
        let middle = (too_little + enough) / 2;
        if answers_within(dir, middle, "tiny", 65) { enough = middle } else { too_little = middle }
    }
    enough
}

#[test]
fn a_torrent_takes_no_more_memory_than_twice_its_size_even_with_many_files() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let enough = enough_for_nothing(dir);
    let many = |name: &str, count: usize, file: &dyn Fn(usize) -> String| {
        let files: String = (0..count).map(file).collect();
        let pieces = "a".repeat(count.div_ceil(16_384) * 20);
        let name = format!("{}:{name}", name.len());
        with(&format!("5:filesl{files}e4:name{name}12:piece lengthi16384e6:pieces{}:{pieces}", pieces.len()))
    };
    let path = |names: &[String]| names.iter().map(|name| format!("{}:{name}", name.len())).collect::<String>();
    let photo = |n: usize| format!("d6:lengthi1e4:pathl{}ee", path(&["pictures".into(), format!("{n:05}.jpg")]));
    let short = |n: usize| format!("d6:lengthi1e4:pathl{}ee", path(&[format!("{n:x}")]));
    // Names that are three times as long after they are escaped.
    let ugly = |n: usize| format!("d6:lengthi1e4:pathl{}ee", path(&[format!("{}{n}", "\n".repeat(75))]));
    let long =
        |n: usize| format!("d6:lengthi1e4:pathl{}ee", path(&["x".repeat(100), format!("{n} {}", "y".repeat(100))]));
    let torrents = [
        ("100,000 photos", many("Some.Show.S01.1080p", 100_000, &photo)),
        ("short names below a long one", many(&"x".repeat(255), 100_000, &short)),
        ("long names", many("n", 10_000, &long)),
        ("names to be escaped", many("n", 20_000, &ugly)),
    ];
    for (what, bytes) in torrents {
        fs::write(dir.join("big"), &bytes).unwrap();
        let allowed = enough + 2 * (bytes.len() as u64 >> 10);
        assert!(answers_within(dir, allowed, "big", 0), "{what}: more than twice its size");
        assert!(
            !answers_within(dir, enough + (bytes.len() as u64 >> 10), "big", 0),
            "{what}: the limit no longer has an effect"
        );
    }
}

#[test]
fn a_refused_torrent_takes_no_more_memory_than_twice_its_size() {
    const SIZE: usize = 8 << 20;
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let enough = enough_for_nothing(dir);
    let integers = format!("d4:infod6:lengthl{}", "i1e".repeat(SIZE / 3));
    let hashes = "a".repeat(SIZE / 20 * 20);
    let pieces = |length: &str, count: usize| {
        with(&format!("6:lengthi{length}e4:name1:n12:piece lengthi16384e6:pieces{count}:{}", &hashes[..count]))
    };
    let big: [(&str, Vec<u8>); 7] = [
        ("nested lists", [&b"d4:info"[..], &vec![b'l'; SIZE]].concat()),
        ("nested dicts", [&b"d4:info"[..], "d1:a".repeat(SIZE / 4).as_bytes()].concat()),
        ("integers without an end", integers.into_bytes()),
        ("a string that is not all there", [&b"d4:info99999999:"[..], &vec![b'x'; SIZE]].concat()),
        ("too few hashes", pieces("99999999999999", hashes.len())),
        ("half a hash", pieces("1", hashes.len() - 1)),
        ("bytes behind it", [with(""), vec![b'x'; SIZE]].concat()),
    ];
    for (what, bytes) in big {
        fs::write(dir.join("big"), &bytes).unwrap();
        let allowed = enough + 2 * (bytes.len() as u64 >> 10);
        assert!(answers_within(dir, allowed, "big", 65), "{what}: more than twice its size");
        assert!(
            !answers_within(dir, enough + (bytes.len() as u64 >> 11), "big", 65),
            "{what}: the limit no longer has an effect"
        );
    }
}
