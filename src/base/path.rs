//! Makes names that strangers chose safe as file names, and safe on a terminal.
//!
//! BEP 3 says that a path is a list of components and nothing about their characters. The rules here are those of the file
//! system (Linux), and some that keep a name from misleading people.

use crate::base::hex::percent;
use std::fmt::Write;

/// The longest file name, in bytes: NAME_MAX of Linux and of nearly every file system.
pub const MAX_COMPONENT_BYTES: usize = 255;

/// The longest path, in bytes: PATH_MAX of Linux. No program could open a longer one by its name.
pub const MAX_PATH_BYTES: usize = 4096;

/// The file name for one component of a torrent's path.
///
/// A component that could lead elsewhere is refused, never repaired, because nobody chose the repaired name. What is only
/// ugly (control and bidi characters, bytes that are not UTF-8) is written as `%XX`, byte by byte. An error says what the
/// component is instead of a name that can be used.
pub fn safe_component(bytes: &[u8]) -> Result<String, String> {
    let too_long = |bytes: usize| Err(format!("a name of {bytes} bytes"));
    match bytes {
        b"" => return Err("an empty name".into()),
        b"." | b".." => return Err("a name of dots, which leads to another folder".into()),
        _ if bytes.contains(&b'/') => return Err("a name with a / in it".into()),
        // It ends a name for the system.
        _ if bytes.contains(&0) => return Err("a name with a NUL byte in it".into()),
        // Checked before escaping too, so that a name of megabytes costs nothing.
        _ if bytes.len() > MAX_COMPONENT_BYTES => return too_long(bytes.len()),
        _ => {}
    }
    if let Some(name) = plain(bytes) {
        return Ok(name.to_string());
    }
    let name: String = escaped(bytes).collect();
    if name.len() > MAX_COMPONENT_BYTES {
        return too_long(name.len());
    }
    Ok(name)
}

/// The characters of the file name, or of a whole path, that is made of `bytes`.
pub fn escaped(bytes: &[u8]) -> impl Iterator<Item = char> {
    bytes.utf8_chunks().flat_map(|run| {
        let characters = run.valid().chars().flat_map(|character| {
            let mut bytes = [0; 4];
            let count = if is_ugly(character) { character.encode_utf8(&mut bytes).len() } else { 0 };
            let itself = (count == 0).then_some(character);
            itself.into_iter().chain(bytes.into_iter().take(count).flat_map(percent))
        });
        characters.chain(run.invalid().iter().copied().flat_map(percent))
    })
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

/// Whether a character must not reach a terminal as it is: control characters (C0, DEL, C1), line and paragraph separators,
/// and invisible format characters.
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

#[cfg(test)]
mod tests {
    use super::*;
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

    proptest! {
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
