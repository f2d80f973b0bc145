//! Patterns and paths, and a comparison with a slow matcher that tries everything.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(pattern: &str, fits: &[&str], does_not: &[&str]) {
    let glob = Glob::new(pattern).unwrap();
    for path in fits {
        assert!(glob.matches(path), "{pattern} should fit {path}");
    }
    for path in does_not {
        assert!(!glob.matches(path), "{pattern} should not fit {path}");
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
        ("", GlobError::Empty),
        ("//", GlobError::Empty),
        ("a[bc", GlobError::OpenClass),
        ("[]", GlobError::OpenClass),
        ("[a-", GlobError::OpenClass),
        (r"[a\", GlobError::OpenClass),
        ("[z-a]", GlobError::BackwardRange),
        (r"a\", GlobError::EndsInBackslash),
    ] {
        assert_eq!(Glob::new(pattern).unwrap_err(), why, "{pattern}");
        assert!(!why.to_string().is_empty());
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
        ['*', rest @ ..] => (0..=path.len()).any(|taken| !path[..taken].contains(&'/') && slow(rest, &path[taken..])),
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
