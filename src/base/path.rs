//! Makes names that strangers chose safe as file names, and safe on a terminal.
//!
//! BEP 3 says that a path is a list of components and nothing about their characters. The rules here are those of the
//! file system (Linux), and some that keep a name from misleading people.

use crate::base::hex::percent;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The longest file name, in bytes: NAME_MAX of Linux and of nearly every file system.
pub const MAX_COMPONENT_BYTES: usize = 255;

/// The longest path, in bytes: PATH_MAX of Linux. No program could open a longer one by its name.
pub const MAX_PATH_BYTES: usize = 4096;

/// The longest extension that is kept when a name is shortened, in bytes with its dot: `.torrent.aria2` has 14.
const MAX_EXTENSION_BYTES: usize = 16;

/// The longest name on eCryptfs, which allows the shortest ones, in bytes.
const SHORT_COMPONENT_BYTES: usize = 143;

/// The name that is used for a component of a torrent's path: the same, or a similar one if no disk can have a file of
/// that name.
///
/// Some real torrents have a `/` in a name; we replace it by `_`, as other programs do. An empty name and `.` become
/// `_`, and a name that is too long loses characters before its extension. Every command does the same, so each finds
/// the files of the others. A component that leads to another folder is refused.
pub fn usable_component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    match bytes {
        b".." => return Err("a name of dots, which leads to another folder".into()),
        // A NUL ends a name for the system, and no honest program writes it.
        _ if bytes.contains(&0) => return Err("a name with a NUL byte in it".into()),
        b"" | b"." => return Ok(Cow::Borrowed(b"_")),
        _ => {}
    }
    let name = match bytes.contains(&b'/') {
        true => Cow::Owned(bytes.iter().map(|&byte| if byte == b'/' { b'_' } else { byte }).collect()),
        false => Cow::Borrowed(bytes),
    };
    // Most names are short, and most that are long are not escaped.
    let fits = name.len() <= MAX_COMPONENT_BYTES / 3 || fitting(&name, MAX_COMPONENT_BYTES) == name.len();
    Ok(if fits { name } else { Cow::Owned(shortened(&name, "", MAX_COMPONENT_BYTES)) })
}

/// `name` with `.number` before its extension, so that it differs from another file of that name.
pub fn numbered(name: &[u8], number: u32) -> Vec<u8> {
    shortened(name, &format!(".{number}"), MAX_COMPONENT_BYTES)
}

/// `name` with `added` before its extension, shortened so that it has at most `most` bytes when it is escaped.
fn shortened(name: &[u8], added: &str, most: usize) -> Vec<u8> {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|&dot| dot > 0).unwrap_or(name.len());
    let is_short = fitting(&name[dot..], MAX_EXTENSION_BYTES) == name.len() - dot;
    let (stem, extension) = name.split_at(if is_short { dot } else { name.len() });
    let room = most - added.len() - escaped(extension).len();
    [&stem[..fitting(stem, room)], added.as_bytes(), extension].concat()
}

/// How many bytes of `name` fit into `most` bytes when they are escaped. A character is never cut.
fn fitting(name: &[u8], most: usize) -> usize {
    let (mut taken, mut end) = (0, 0);
    for run in name.utf8_chunks() {
        let valid = run.valid().chars().map(|c| (c.len_utf8(), if is_ugly(c) { 3 } else { 1 }));
        for (bytes, times) in valid.chain(run.invalid().iter().map(|_| (1, 3))) {
            taken += bytes * times;
            if taken > most {
                return end;
            }
            end += bytes;
        }
    }
    end
}

/// The path of a file on a disk that refuses `path`, as FAT and NTFS refuse `?` and a dot at the end of a name: such
/// characters become `_`. With `short`, for a disk that refuses long names, names are shortened too.
pub fn portable(path: &str, short: bool) -> String {
    let name = |name: &str| {
        let kept = name.trim_end_matches(['.', ' ']).len();
        let taken = |(at, c): (usize, char)| match c {
            '"' | '*' | ':' | '<' | '>' | '?' | '|' | '\\' => '_',
            _ if at >= kept => '_',
            c => c,
        };
        let name: String = name.char_indices().map(taken).collect();
        match short && name.len() > SHORT_COMPONENT_BYTES {
            // It is cut between characters.
            true => String::from_utf8_lossy(&shortened(name.as_bytes(), "", SHORT_COMPONENT_BYTES)).into_owned(),
            false => name,
        }
    };
    path.split('/').map(name).collect::<Vec<_>>().join("/")
}

/// The file name that `bytes` make, if it is safe in a new torrent.
///
/// A component that could lead elsewhere is refused, never repaired, because nobody chose the repaired name. Characters
/// that are only ugly (control and bidi characters, bytes that are not UTF-8) are written as `%XX`, byte by byte. An
/// error says what the component is instead of a safe name.
pub fn safe_component(bytes: &[u8]) -> Result<String, String> {
    let too_long = |bytes: usize| Err(format!("a name of {bytes} bytes"));
    match bytes {
        b"" => return Err("an empty name".into()),
        b"." | b".." => return Err("a name of dots, which leads to another folder".into()),
        _ if bytes.contains(&b'/') => return Err("a name with a / in it".into()),
        // A NUL ends a name for the system.
        _ if bytes.contains(&0) => return Err("a name with a NUL byte in it".into()),
        // Checked before escaping too, so that a name of megabytes costs nothing.
        _ if bytes.len() > MAX_COMPONENT_BYTES => return too_long(bytes.len()),
        _ => {}
    }
    if let Some(name) = plain(bytes) {
        return Ok(name.to_string());
    }
    let name = escaped(bytes);
    if name.len() > MAX_COMPONENT_BYTES {
        return too_long(name.len());
    }
    Ok(name)
}

/// The file name, or the whole path, that is made of `bytes`.
pub fn escaped(bytes: &[u8]) -> String {
    let mut name = String::with_capacity(bytes.len());
    for run in bytes.utf8_chunks() {
        for character in run.valid().chars() {
            match is_ugly(character) {
                false => name.push(character),
                true => name.extend(character.encode_utf8(&mut [0; 4]).bytes().flat_map(percent)),
            }
        }
        name.extend(run.invalid().iter().copied().flat_map(percent));
    }
    name
}

/// The file name or path that is made of `bytes`, if nothing in it has to be escaped.
pub fn plain(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok().filter(|text| !text.chars().any(is_ugly))
}

/// `text` with every character that could move the cursor, change the direction of writing or hide itself
/// written as `\x1b` or `\u{202e}`. The joiners U+200C and U+200D stay: Persian and emoji need them.
pub fn for_terminal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let code = u32::from(character);
        // Writing to a String can't fail.
        let _ = match character {
            _ if !is_unprintable(character) => shown.write_char(character),
            '\0'..='\x7f' => write!(shown, "\\x{code:02x}"),
            _ => write!(shown, "\\u{{{code:x}}}"),
        };
    }
    shown
}

/// Whether a character must not reach a terminal as it is: control characters (C0, DEL, C1), line and paragraph
/// separators, and invisible format characters.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || overrides_direction(character)
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The embeddings, overrides and isolates of Unicode's bidi algorithm: `exe.txt` can be made of `txt.exe`.
fn overrides_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character is escaped in the names of files.
fn is_ugly(character: char) -> bool {
    character.is_control() || overrides_direction(character)
}

/// The first path of `ours` that can't be on one disk with the files `theirs`: it is one of them, or it is a folder of
/// one of them, or one of them is a folder of it. The parts of a path are joined by `/`.
pub fn first_shared<'a>(
    mut ours: impl Iterator<Item = Cow<'a, str>>,
    theirs: &BTreeSet<Cow<str>>,
) -> Option<Cow<'a, str>> {
    ours.find(|path| {
        let folder = format!("{path}/");
        let next = theirs.range(Cow::Borrowed(folder.as_str())..).next();
        let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
        theirs.contains(&**path)
            || next.is_some_and(|next| next.starts_with(&folder))
            || above.any(|it| theirs.contains(it))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_a_folder_of_one_path_are_shared() {
        let theirs = BTreeSet::from(["a/b".into(), "c".into(), "d!".into()]);
        let shared = |path: &'static str| first_shared([Cow::Borrowed(path)].into_iter(), &theirs).is_some();
        for path in ["a/b", "a", "a/b/c", "c", "c/x/y"] {
            assert!(shared(path), "{path}");
        }
        for path in ["a/bb", "b", "a/c", "d", "d/e", ""] {
            assert!(!shared(path), "{path}");
        }
    }
    use proptest::prelude::*;

    #[test]
    fn honest_names_stay_unchanged() {
        for name in ["foo... bar", "...", ".hidden", "a\\b", "100%", "日本語のファイル.txt", "-rf", "C:", "~"] {
            assert_eq!(safe_component(name.as_bytes()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let cases: [(&[u8], &str); 7] = [
            (b"", "an empty name"),
            (b".", "a name of dots, which leads to another folder"),
            (b"..", "a name of dots, which leads to another folder"),
            (b"/etc", "a name with a / in it"),
            (b"a/../b", "a name with a / in it"),
            (b"a\0b", "a name with a NUL byte in it"),
            (&[b'a'; 256], "a name of 256 bytes"),
        ];
        for (bytes, problem) in cases {
            assert_eq!(safe_component(bytes), Err(problem.into()));
        }
        assert!(safe_component(&[b'a'; 255]).is_ok());
    }

    #[test]
    fn a_name_can_be_too_long_after_escaping() {
        assert!(safe_component(&[1; 85]).is_ok());
        assert_eq!(safe_component(&[1; 86]), Err("a name of 258 bytes".into()));
    }

    #[test]
    fn ugly_bytes_are_percent_encoded() {
        let name = |bytes: &[u8]| safe_component(bytes).unwrap();
        assert_eq!(name(b"a\n\x1b[2J\x7f"), "a%0A%1B[2J%7F");
        assert_eq!(name("\u{85}x\u{202e}fdp".as_bytes()), "%C2%85x%E2%80%AEfdp");
        assert_eq!(name("\u{2066}y\u{2069}".as_bytes()), "%E2%81%A6y%E2%81%A9");
        // Over-long forms of `.` and `/` are not UTF-8 and never become dots or slashes.
        assert_eq!(name(b"\xc0\xae\xc0\xaf"), "%C0%AE%C0%AF");
        assert_eq!(name(b"caf\xe9"), "caf%E9");
    }

    #[test]
    fn a_terminal_sees_no_hostile_character() {
        assert_eq!(for_terminal("a\x1b]0;x\x07\n"), "a\\x1b]0;x\\x07\\x0a");
        assert_eq!(for_terminal("\u{9b}\u{202e}\u{feff}\u{2028}"), "\\u{9b}\\u{202e}\\u{feff}\\u{2028}");
        assert_eq!(for_terminal("日本 \u{200f}é"), "日本 \\u{200f}é");
    }

    fn used(name: impl AsRef<[u8]>) -> String {
        usable_component(name.as_ref()).map_or_else(|problem| problem, |name| escaped(&name))
    }

    #[test]
    fn names_that_no_disk_can_have_are_changed() {
        let long = |end: &str, bytes: usize| "x".repeat(bytes - end.len()) + end;
        for (name, its_use) in [
            ("plain", "plain".to_string()),
            ("haiku R1/beta6", "haiku R1_beta6".into()),
            ("/etc", "_etc".into()),
            ("../a", ".._a".into()),
            ("", "_".into()),
            (".", "_".into()),
            ("...", "...".into()),
            ("/", "_".into()),
            (&long("", 255), long("", 255)),
            (&long(".tar.gz", 300), long(".gz", 255)),
            (&long(".an extension of many words", 300), long("", 255)),
            (&("日".repeat(86) + ".txt"), "日".repeat(83) + ".txt"),
            (&("\n".repeat(100) + ".a"), "%0A".repeat(84) + ".a"),
            (&long("/b", 256), long("_b", 256)[..255].into()),
        ] {
            assert_eq!(used(name), its_use, "{name}");
        }
        assert_eq!(used([&[0xff; 90][..], b".mp3"].concat()), "%FF".repeat(83) + ".mp3");
        assert!(used("..").contains("leads to another folder") && used("a\0b").contains("NUL"));
    }

    #[test]
    fn a_number_goes_before_the_extension() {
        let apart = |name: &str, number| String::from_utf8(numbered(name.as_bytes(), number)).unwrap();
        assert_eq!(apart("a.tar.gz", 1), "a.tar.1.gz");
        assert_eq!((apart("a", 12), apart(".hidden", 1)), ("a.12".into(), ".hidden.1".into()));
        assert_eq!(apart(&("x".repeat(251) + ".txt"), 7), "x".repeat(249) + ".7.txt");
    }

    #[test]
    fn disks_with_fewer_names_get_others() {
        assert_eq!(portable("what? \"now\": a|b/c. ./d", false), "what_ _now__ a_b/c___/d");
        assert_eq!(portable("plain/path.txt", true), "plain/path.txt");
        let long = "日".repeat(80) + ".txt";
        assert_eq!(portable(&long, false), long);
        assert_eq!(portable(&long, true), "日".repeat(46) + ".txt");
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_usable_name_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..400), number: u32) {
            if let Ok(name) = usable_component(&bytes) {
                for name in [&*name, &numbered(&name, number)] {
                    let shown = escaped(name);
                    prop_assert_eq!(safe_component(name), Ok(shown.clone()));
                    prop_assert_eq!(usable_component(name), Ok(Cow::Borrowed(name)));
                }
            }
        }

        #[test]
        fn any_bytes_make_a_safe_name_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(name) = safe_component(&bytes) {
                prop_assert!(!name.is_empty() && name != "." && name != ".." && name.len() <= MAX_COMPONENT_BYTES);
                prop_assert!(!name.contains('/') && !name.chars().any(char::is_control));
                prop_assert!(!for_terminal(&name).chars().any(is_unprintable));
            }
        }
    }
}
