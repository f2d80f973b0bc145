//! Finds the word that a person may have meant, given a mistyped one.
//!
//! By optimal string alignment: an additional, missing or wrong letter and two swapped letters each count one.

/// The word of `words` that is most like `typed`, if one is like it at all.
pub fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = typed.chars().take(MOST_CHARS).collect();
    // The beginning of a word counts as one typing error: `--seq` means `--sequential`.
    let mistakes = |word: &str| {
        let word: Vec<char> = word.chars().collect();
        if typed.len() > 1 && word.starts_with(&typed) { 1 } else { distance(&typed, &word) }
    };
    let near = words.into_iter().map(|word| (mistakes(word), word)).min_by_key(|&(mistakes, _)| mistakes);
    near.filter(|&(miss, word)| miss <= (word.len().max(typed.len()) / 3).clamp(1, 3)).map(|(_, word)| word)
}

/// A word with more characters is not one of ours, mistyped.
const MOST_CHARS: usize = 40;

/// How many typing errors lie between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let wrong = usize::from(a[i - 1] != b[j - 1]);
                let least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + wrong);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { least.min(rows[i - 2][j - 2] + 1) } else { least }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_word() {
        let words = ["get", "seed", "track", "make", "sequential", "max-peers", "state"];
        for (typed, meant) in [
            ("gte", Some("get")),
            ("sead", Some("seed")),
            ("tracker", Some("track")),
            ("maxpeers", Some("max-peers")),
            ("seq", Some("sequential")),
            ("zzz", None),
            ("", None),
            ("download", None),
            ("ratio", None),
            ("rate", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), words), None);
    }
}
