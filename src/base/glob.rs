//! Patterns for paths, as in shells and `.gitignore`.
//!
//! `*` matches any run of characters within a name, `?` any one character, `[a-z]` a character of a class and `[!a-z]` one
//! that is not in it. `**` matches any run across folders, and `**/` any number of folders, including none. `\` takes the next
//! character literally. A pattern without `/` matches at any depth, one with `/` starts at the torrent's folder. A pattern
//! that matches a folder matches everything in it.
//!
//! The paths come from a stranger, so there is no backtracking: all possible continuations are followed at the same time, one
//! character after the other (Thompson's method). The time is proportional to the length of the path times that of the
//! pattern.

use std::fmt;

/// A valid pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    steps: Vec<Step>,
}

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobError {
    /// It has nothing but slashes.
    Empty,
    /// A `[` without its `]`.
    OpenClass,
    /// A class such as `[z-a]`, which is empty.
    BackwardRange,
    /// A `\` at the end.
    EndsInBackslash,
}

impl fmt::Display for GlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GlobError::Empty => "an empty pattern",
            GlobError::OpenClass => "a [ without its ]; the character itself is written \\[",
            GlobError::BackwardRange => "a range in [...] that runs backwards",
            GlobError::EndsInBackslash => "a \\ at the end; the character itself is written \\\\",
        })
    }
}

impl std::error::Error for GlobError {}

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
    /// Reads a pattern.
    pub fn new(pattern: &str) -> Result<Glob, GlobError> {
        let inner = pattern.trim_matches('/');
        if inner.is_empty() {
            return Err(GlobError::Empty);
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
                '\\' => steps.push(Step::Literal(rest.next().ok_or(GlobError::EndsInBackslash)?)),
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
fn read_class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Step, GlobError> {
    let outside = rest.next_if(|next| matches!(next, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let first = match rest.next().ok_or(GlobError::OpenClass)? {
            ']' if !ranges.is_empty() => return Ok(Step::Class { ranges, outside }),
            '\\' => rest.next().ok_or(GlobError::OpenClass)?,
            first => first,
        };
        let mut last = first;
        // A `-` at its end is one of its characters.
        if rest.peek() == Some(&'-') && rest.clone().nth(1).is_some_and(|next| next != ']') {
            rest.next();
            last = match rest.next() {
                Some('\\') => rest.next().ok_or(GlobError::OpenClass)?,
                last => last.ok_or(GlobError::OpenClass)?,
            };
        }
        if first > last {
            return Err(GlobError::BackwardRange);
        }
        ranges.push((first, last));
    }
}

#[cfg(test)]
mod tests;
