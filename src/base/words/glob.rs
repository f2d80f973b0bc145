//! Patterns for paths, as in shells and `.gitignore`.
//!
//! `*` matches any run of characters within a name, `?` any one character, `[a-z]` a character of a class and `[!a-z]`
//! one that is not in it. `**` matches any run across folders, and `**/` any number of folders, including none. `\`
//! takes the next character literally. A pattern without `/` matches at any depth, one with `/` starts at the torrent's
//! folder. A pattern that matches a folder matches everything in it.
//!
//! The paths come from a stranger, so there is no backtracking: all possible continuations are followed at the same
//! time, one character after the other (Thompson's method). The time is proportional to the length of the path times
//! that of the pattern.

/// A valid pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    steps: Vec<Step>,
}

/// The pattern has only slashes.
const EMPTY: &str = "the pattern is empty";
/// A `[` without its `]`.
const OPEN_CLASS: &str = "the [ has no ] after it; to match the character [, write \\[";
/// A class such as `[z-a]`, which is empty.
const BACKWARD_RANGE: &str = "a range in [...] runs backwards";
/// A `\` at the end.
const ENDS_IN_BACKSLASH: &str = "it ends with a \\; to match the character \\, write \\\\";

/// What must come next in a path.
#[derive(Clone, Debug)]
enum Step {
    /// This character.
    Literal(char),
    /// Any character but `/`: `?`.
    Any,
    /// A character that is in one of the ranges or, with `outside`, in none. Never `/`.
    Class { ranges: Vec<(char, char)>, outside: bool },
    /// Any run of characters without `/`: `*`.
    Run,
    /// Any run of characters: `**`.
    Across,
    /// The next two steps, or neither: before those of `**/`.
    TwoOrNone,
}

impl Glob {
    /// Reads a pattern. An error says why it is invalid.
    pub fn new(pattern: &str) -> Result<Glob, &'static str> {
        let inner = pattern.trim_matches('/');
        if inner.is_empty() {
            return Err(EMPTY);
        }
        let mut steps = Vec::new();
        if !pattern.trim_end_matches('/').contains('/') {
            push_folders(&mut steps);
        }
        let mut rest = inner.chars().peekable();
        let mut begins_name = true;
        while let Some(character) = rest.next() {
            match character {
                '*' => {
                    let mut stars = 1;
                    while rest.next_if_eq(&'*').is_some() {
                        stars += 1;
                    }
                    match (stars, rest.peek()) {
                        (1, _) => steps.push(Step::Run),
                        (_, Some('/')) if begins_name => {
                            rest.next();
                            push_folders(&mut steps);
                            continue;
                        }
                        _ => steps.push(Step::Across),
                    }
                }
                '?' => steps.push(Step::Any),
                '[' => steps.push(read_class(&mut rest)?),
                '\\' => steps.push(Step::Literal(rest.next().ok_or(ENDS_IN_BACKSLASH)?)),
                _ => steps.push(Step::Literal(character)),
            }
            begins_name = character == '/';
        }
        // A pattern that ends in `/` matches a folder, so something must follow.
        if pattern.ends_with('/') {
            steps.extend([Step::Literal('/'), Step::Across]);
        }
        Ok(Glob { steps })
    }

    /// Whether the pattern matches `path`, or a folder on the way to it.
    pub fn matches(&self, path: &str) -> bool {
        let end = self.steps.len();
        // Marks on the steps that may be next. The mark after the last step means a match.
        let mut now = vec![false; end + 1];
        let mut then = vec![false; end + 1];
        now[0] = true;
        for character in path.chars() {
            self.skip_empty(&mut now);
            if now[end] && character == '/' {
                return true;
            }
            then.fill(false);
            for (at, step) in self.steps.iter().enumerate().filter(|(at, _)| now[*at]) {
                match step {
                    Step::Run if character != '/' => then[at] = true,
                    Step::Across => then[at] = true,
                    Step::Literal(wanted) if *wanted == character => then[at + 1] = true,
                    Step::Any if character != '/' => then[at + 1] = true,
                    Step::Class { ranges, outside } if character != '/' => {
                        let inside = ranges.iter().any(|(first, last)| (first..=last).contains(&&character));
                        then[at + 1] |= inside != *outside;
                    }
                    _ => {}
                }
            }
            std::mem::swap(&mut now, &mut then);
        }
        self.skip_empty(&mut now);
        now[end]
    }

    /// Also marks the steps that may be next because those before them may match nothing.
    fn skip_empty(&self, marks: &mut [bool]) {
        for (at, step) in self.steps.iter().enumerate() {
            if marks[at] && matches!(step, Step::Run | Step::Across | Step::TwoOrNone) {
                marks[at + 1] = true;
                if matches!(step, Step::TwoOrNone) {
                    marks[at + 3] = true;
                }
            }
        }
    }
}

/// Any number of folders.
fn push_folders(steps: &mut Vec<Step>) {
    steps.extend([Step::TwoOrNone, Step::Across, Step::Literal('/')]);
}

/// Reads the class after a `[`. A `]` at its start is one of its characters.
fn read_class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Step, &'static str> {
    let outside = rest.next_if(|next| matches!(next, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let first = match rest.next().ok_or(OPEN_CLASS)? {
            ']' if !ranges.is_empty() => return Ok(Step::Class { ranges, outside }),
            '\\' => rest.next().ok_or(OPEN_CLASS)?,
            first => first,
        };
        let mut last = first;
        // A `-` at its end is one of its characters.
        if rest.peek() == Some(&'-') && rest.clone().nth(1).is_some_and(|next| next != ']') {
            rest.next();
            last = match rest.next() {
                Some('\\') => rest.next().ok_or(OPEN_CLASS)?,
                last => last.ok_or(OPEN_CLASS)?,
            };
        }
        if first > last {
            return Err(BACKWARD_RANGE);
        }
        ranges.push((first, last));
    }
}

#[cfg(test)]
mod tests {
    //! Patterns and paths, and a comparison with a slow matcher that tries everything.

    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, fits: &[&str], does_not: &[&str]) {
        let glob = Glob::new(pattern).unwrap();
        for path in fits {
            assert!(glob.matches(path), "{pattern} should match {path}");
        }
        for path in does_not {
            assert!(!glob.matches(path), "{pattern} should not match {path}");
        }
    }

    #[test]
    fn a_pattern_without_slash_matches_at_any_depth() {
        check("*.nfo", &["a.nfo", "b/c/a.nfo", ".nfo"], &["a.nfos", "a.NFO", "nfo"]);
        check("a?c", &["abc", "x/aéc"], &["ac", "abbc", "a/c"]);
        check("readme", &["readme", "x/readme"], &["readme2", "my readme"]);
    }

    #[test]
    fn a_pattern_with_slash_starts_at_the_torrents_folder() {
        check("a/*.txt", &["a/b.txt"], &["b/a/b.txt", "a/b/c.txt", "b.txt"]);
        check("/a.txt", &["a.txt"], &["b/a.txt"]);
        check("a/?/c", &["a/b/c"], &["a//c", "a/bb/c"]);
    }

    #[test]
    fn a_folder_matches_with_everything_in_it() {
        check("extras", &["extras/a", "x/extras/y/z", "extras"], &["extras2/a", "x/my extras/a"]);
        check("extras/", &["extras/a", "x/extras/y"], &["extras", "x/extras"]);
        check("a/b", &["a/b", "a/b/c/d"], &["a/bc", "x/a/b"]);
        check("CD*", &["CD1/1.mp3"], &["cd1/1.mp3"]);
    }

    #[test]
    fn two_stars_match_across_folders() {
        check("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["a/bz", "z", "az"]);
        check("**/z/a", &["z/a", "x/z/a", "x/y/z/a"], &["xz/a"]);
        check("a/**", &["a/b", "a/b/c"], &["a", "b/a/c"]);
        check("a**c/d", &["abc/d", "a/b/c/d", "ac/d"], &["ab/d"]);
        check("**", &["a", "a/b"], &[]);
    }

    #[test]
    fn classes_are_sets_of_characters() {
        check("[a-c].x", &["a.x", "c.x"], &["d.x", "-.x"]);
        check("[!a-c].x", &["d.x", "é.x"], &["b.x", ".x"]);
        check("[^0-9]", &["a"], &["5"]);
        check("[]a-]", &["]", "a", "-"], &["b"]);
        check("a[!b]c/d", &["axc/d"], &["a/c/d", "abc/d"]);
        check(r"[\]\\]", &["]", "\\"], &["a"]);
        check("[あ-ん]*", &["さくら.flac"], &["サクラ.flac"]);
    }

    #[test]
    fn a_backslash_makes_the_next_character_literal() {
        check(r"\[Group\] \*", &["[Group] *"], &["G", "[Group] x"]);
        check(r"a\\b", &[r"a\b"], &["ab"]);
    }

    #[test]
    fn an_invalid_pattern_says_why() {
        for (pattern, why) in [
            ("", EMPTY),
            ("//", EMPTY),
            ("a[bc", OPEN_CLASS),
            ("[]", OPEN_CLASS),
            ("[a-", OPEN_CLASS),
            (r"[a\", OPEN_CLASS),
            ("[z-a]", BACKWARD_RANGE),
            (r"a\", ENDS_IN_BACKSLASH),
        ] {
            assert_eq!(Glob::new(pattern).unwrap_err(), why, "{pattern}");
        }
    }

    /// A backtracking matcher would not finish this in a lifetime.
    #[test]
    fn matching_time_is_bounded() {
        let pattern = "a*".repeat(100) + "**/b".repeat(20).as_str() + "*c";
        let path = "a".repeat(2000) + &"/b/a".repeat(500);
        assert!(!Glob::new(&pattern).unwrap().matches(&path));
    }

    /// A backtracking matcher for simple patterns.
    fn slow(pattern: &[char], path: &[char]) -> bool {
        match pattern {
            [] => path.is_empty() || path[0] == '/',
            ['*', '*', rest @ ..] => (0..=path.len()).any(|taken| slow(rest, &path[taken..])),
            ['*', rest @ ..] => {
                (0..=path.len()).any(|taken| !path[..taken].contains(&'/') && slow(rest, &path[taken..]))
            }
            ['?', rest @ ..] => path.first().is_some_and(|first| *first != '/') && slow(rest, &path[1..]),
            [own, rest @ ..] => path.first() == Some(own) && slow(rest, &path[1..]),
        }
    }

    proptest! {
        /// (`**/` is left to the tests above.)
        #[test]
        fn the_matcher_agrees_with_a_backtracking_one(pattern in "/[ab*?/]{0,6}", path in "[ab/]{0,8}") {
            let path = path.trim_matches('/');
            let characters: Vec<char> = pattern.trim_matches('/').chars().collect();
            if !characters.is_empty() && !pattern.ends_with('/') && !pattern.contains("**/") && !pattern.contains("***") {
                let path_characters: Vec<char> = path.chars().collect();
                prop_assert_eq!(Glob::new(&pattern).unwrap().matches(path), slow(&characters, &path_characters));
            }
        }

        #[test]
        fn any_text_is_a_pattern_or_an_error(pattern in any::<String>(), path in any::<String>()) {
            if let Ok(glob) = Glob::new(&pattern) {
                glob.matches(&path);
            }
        }
    }
}
