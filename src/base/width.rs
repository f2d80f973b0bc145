//! How many columns text takes on a terminal, and how to make it fit.
//!
//! Unicode Standard Annex 11 (East Asian Width), as far as names of files need it. In doubtful cases this counts a
//! column too many: a line that is too short looks fine, one that is too long breaks the screen.

/// Characters of two columns: East Asian wide and full-width ones, and emoji. Each range is given by its first and its
/// last one.
const WIDE: [u32; 30] = [
    0x1100, 0x115f, 0x231a, 0x231b, 0x23e9, 0x23f3, 0x25fd, 0x27bf, 0x2b1b, 0x2b55, 0x2e80, 0x303e, 0x3041, 0xa4cf,
    0xa960, 0xa97c, 0xac00, 0xd7a3, 0xf900, 0xfaff, 0xfe10, 0xfe6f, 0xff00, 0xff60, 0xffe0, 0xffe6, 0x1f000, 0x1faff,
    0x20000, 0x3fffd,
];

/// Characters that take no column of their own: combining marks that file names have, joiners and variation selectors.
/// Ranges as above.
const NARROW: [u32; 12] =
    [0x0300, 0x036f, 0x1ab0, 0x1aff, 0x200b, 0x200d, 0x20d0, 0x20ff, 0x3099, 0x309a, 0xfe00, 0xfe0f];

/// The columns of one character.
fn of_char(character: char) -> usize {
    let within =
        |ranges: &[u32]| ranges.as_chunks().0.iter().any(|&[first, last]| (first..=last).contains(&character.into()));
    match character {
        '\0'..'\u{300}' | '…' => 1,
        _ if within(&NARROW) => 0,
        _ if within(&WIDE) => 2,
        _ => 1,
    }
}

/// The columns of a text.
pub fn columns(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// `text` in at most `most` columns, cut in the middle, because the end of a file name tells its type.
pub fn shorten_middle(text: &str, most: usize, ellipsis: &str) -> String {
    if columns(text) <= most {
        return text.to_string();
    }
    let room = most.saturating_sub(columns(ellipsis));
    let head = &text[..fit(text.char_indices(), room.div_ceil(2))];
    let tail_room = room - columns(head);
    let mut tail = text.len();
    let mut taken = 0;
    for (at, character) in text.char_indices().rev() {
        taken += of_char(character);
        if taken > tail_room {
            break;
        }
        // A combining mark without its letter would be drawn over the ellipsis.
        if of_char(character) > 0 {
            tail = at;
        }
    }
    let short = [head, ellipsis, &text[tail..]].concat();
    if columns(&short) <= most { short } else { String::new() }
}

/// `text` in at most `most` columns, cut at its end.
pub fn shorten_end(text: &str, most: usize, ellipsis: &str) -> String {
    if columns(text) <= most {
        return text.to_string();
    }
    let head = &text[..fit(text.char_indices(), most.saturating_sub(columns(ellipsis)))];
    let short = [head, ellipsis].concat();
    if columns(&short) <= most { short } else { String::new() }
}

/// `text` with spaces after it, up to `most` columns.
pub fn pad(text: &str, most: usize) -> String {
    let spaces = most.saturating_sub(columns(text));
    [text, &" ".repeat(spaces)].concat()
}

/// `text` in at most `lines` lines of at most `most` columns, broken at spaces; the rest is cut off.
pub fn wrap(text: &str, most: usize, lines: usize, ellipsis: &str) -> Vec<String> {
    let mut wrapped = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && wrapped.len() + 1 < lines && columns(rest) > most {
        let end = fit(rest.char_indices(), most);
        // A word that is longer than a line is broken where the line ends.
        let space = if rest[end..].starts_with(' ') { Some(end) } else { rest[..end].rfind(' ') };
        let space = space.unwrap_or(end);
        if space == 0 {
            break;
        }
        wrapped.push(rest[..space].trim_end().to_string());
        rest = rest[space..].trim_start();
    }
    if !rest.is_empty() && lines > 0 {
        wrapped.push(shorten_end(rest, most, ellipsis));
    }
    wrapped
}

/// The bytes of the characters that fit into `room` columns.
fn fit(characters: impl Iterator<Item = (usize, char)>, room: usize) -> usize {
    let mut taken = 0;
    let mut end = 0;
    for (at, character) in characters {
        taken += of_char(character);
        if taken > room {
            break;
        }
        end = at + character.len_utf8();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns("abc"), 3);
        assert_eq!(columns("日本語"), 6);
        assert_eq!(columns("e\u{301}"), 1);
        assert_eq!(columns("ﾊﾛｰ"), 3);
        assert_eq!(columns("한국 🎵"), 7);
    }

    #[test]
    fn names_are_shortened_in_the_middle() {
        assert_eq!(shorten_middle("debian-12.5.0-amd64-netinst.iso", 17, "…"), "debian-1…inst.iso");
        assert_eq!(shorten_middle("日本語のファイル.txt", 11, "…"), "日本…ル.txt");
        assert_eq!(shorten_middle("short", 5, "…"), "short");
        assert_eq!(shorten_middle("longer", 0, "…"), "");
        assert_eq!(shorten_end("longer", 4, "…"), "lon…");
        assert_eq!(pad("日本", 6), "日本  ");
    }

    #[test]
    fn long_texts_are_wrapped_at_spaces() {
        assert_eq!(wrap("no space left on device", 10, 3, "…"), ["no space", "left on", "device"]);
        assert_eq!(wrap("no space left on device", 10, 2, "…"), ["no space", "left on d…"]);
        assert_eq!(wrap("abcdefghijkl", 5, 3, "…"), ["abcde", "fghij", "kl"]);
        assert_eq!(wrap("日本語", 1, 3, "…"), ["…"]);
        assert_eq!(wrap("", 5, 3, "…"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn shortened_text_fits(text in ".*", most in 0usize..50) {
            prop_assert!(columns(&shorten_middle(&text, most, "…")) <= most);
            prop_assert!(columns(&shorten_end(&text, most, "..")) <= most);
        }
    }
}
