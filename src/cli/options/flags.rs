//! Options, and the parser that reads them from the command line.
//!
//! Floor 4. `getopts` does the parsing. It knows no `_` in the names of options and takes only UTF-8. So before it sees
//! the arguments, `_` becomes `-` in names of options, and only there; and arguments that are not UTF-8, as names of
//! files may be, are set aside.

use super::meant;
use crate::cli::exit::Failure;
use getopts::{Fail, Matches, Options};
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// An option.
pub struct Flag {
    /// One letter; empty if there is none.
    pub short: &'static str,
    /// The long name, with `-` between words.
    pub long: &'static str,
    /// What the value is called in the help; `None` for an option without a value. If it ends with `...`, the option
    /// may be given several times. If it begins with `[=`, the value may be left out.
    pub value: Option<&'static str>,
    /// What it does, without a period at the end.
    pub help: &'static str,
    /// What holds if the option is not given; empty if that is obvious.
    pub default: &'static str,
}

impl Flag {
    /// An option without a value.
    pub const fn switch(long: &'static str, help: &'static str) -> Flag {
        Flag { short: "", long, value: None, help, default: "" }
    }

    /// An option with a value, which is called `value` in the help.
    pub const fn with(long: &'static str, value: &'static str, help: &'static str) -> Flag {
        Flag { short: "", long, value: Some(value), help, default: "" }
    }

    /// Whether its value may be left out. If there is one, it comes after `=`.
    pub fn is_optional(&self) -> bool {
        self.value.is_some_and(|value| value.starts_with('['))
    }

    /// Whether the next argument is its value.
    pub fn wants_value(&self) -> bool {
        self.value.is_some() && !self.is_optional()
    }

    /// The same option, also by a letter.
    pub const fn short(self, short: &'static str) -> Flag {
        Flag { short, ..self }
    }

    /// The same option, with a default that the help names.
    pub const fn default(self, default: &'static str) -> Flag {
        Flag { default, ..self }
    }

    /// What it does, and what holds without it.
    pub fn help_and_default(&self) -> String {
        match self.default {
            "" => self.help.into(),
            default => format!("{} (default: {default})", self.help),
        }
    }
}

/// The parsed command line of a command.
pub struct Parsed {
    matches: Matches,
    /// Arguments that are not UTF-8; see `set_aside`.
    aside: Vec<OsString>,
}

impl Parsed {
    /// Whether the command has the option `long`.
    pub fn knows(&self, long: &str) -> bool {
        self.matches.opt_defined(long)
    }

    /// Whether the option `long` was given.
    pub fn has(&self, long: &str) -> bool {
        self.matches.opt_present(long)
    }

    /// How often the option `long` was given.
    pub fn times(&self, long: &str) -> usize {
        self.matches.opt_count(long)
    }

    /// The value of the option `long`.
    pub fn value(&self, long: &str) -> Option<OsString> {
        self.matches.opt_str(long).map(|text| self.take_back(&text))
    }

    /// The values of the option `long`, which may be given several times.
    pub fn values(&self, long: &str) -> Vec<OsString> {
        self.matches.opt_strs(long).iter().map(|text| self.take_back(text)).collect()
    }

    /// The value of the option `long`, which must be text.
    pub fn text(&self, long: &str) -> Result<Option<String>, Failure> {
        let text = |value: OsString| value.into_string();
        self.value(long).map(text).transpose().map_err(|_| Failure::usage(format!("--{long}: expected UTF-8 text")))
    }

    /// The path of the option `long`. It must not be empty: that is usually an unset variable of the shell.
    pub fn path(&self, long: &str, expected: &str) -> Result<Option<PathBuf>, Failure> {
        match self.value(long) {
            Some(path) if path.is_empty() => Err(Failure::usage(format!("--{long} is empty, expected {expected}"))),
            path => Ok(path.map(PathBuf::from)),
        }
    }

    /// The value of the option `long` as a number within `range`; `unit` is for people.
    pub fn number(&self, long: &str, range: RangeInclusive<u64>, unit: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.value(long) else { return Ok(None) };
        let text = text.to_string_lossy();
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most) = (range.start(), range.end());
                Err(Failure::usage(format!("--{long} {text}: expected a number from {least} to {most} ({unit})")))
            }
        }
    }

    /// The value of the option `long`, in hundredths: a number above zero with two decimal places at most.
    pub fn hundredths(&self, long: &str, expected: &str) -> Result<Option<u64>, Failure> {
        let parse = |value: OsString| {
            let text = value.to_string_lossy();
            hundredths(&text).ok_or_else(|| Failure::usage(format!("--{long} {text}: expected {expected}")))
        };
        self.value(long).map(parse).transpose()
    }

    /// The arguments that are not options.
    pub fn arguments(&self) -> Vec<OsString> {
        self.matches.free.iter().map(|text| self.take_back(text)).collect()
    }

    fn take_back(&self, text: &str) -> OsString {
        let number = text.strip_prefix('\0').and_then(|number| number.parse::<usize>().ok());
        number.and_then(|number| self.aside.get(number)).cloned().unwrap_or_else(|| text.into())
    }
}

/// Parses the arguments of `command`, which takes the options `flags`.
pub fn parse(command: &str, flags: &[&Flag], arguments: &[OsString]) -> Result<Parsed, Failure> {
    let mut aside = Vec::new();
    let texts: Vec<String> = arguments.iter().map(|argument| set_aside(argument, &mut aside)).collect();
    let mut options = Options::new();
    for flag in flags {
        match flag.value {
            Some(value) if value.ends_with("...") => options.optmulti(flag.short, flag.long, flag.help, value),
            Some(value) if flag.is_optional() => options.optflagopt(flag.short, flag.long, flag.help, value),
            Some(value) => options.optopt(flag.short, flag.long, flag.help, value),
            None => options.optflagmulti(flag.short, flag.long, flag.help),
        };
    }
    match options.parse(normalise(flags, texts)) {
        Ok(matches) => Ok(Parsed { matches, aside }),
        Err(fail) => Err(Failure::usage(explain(command, flags, &fail))),
    }
}

/// `1.5` becomes 150. Floating point would make the program larger.
fn hundredths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let hundredths = number(whole)?.checked_mul(100)?.checked_add(number(&format!("{part:0<2}"))?)?;
    (hundredths > 0).then_some(hundredths)
}

/// Turns `--max_peers` into `--max-peers`. Values, and everything after `--`, stay as they are.
fn normalise(flags: &[&Flag], arguments: Vec<String>) -> Vec<String> {
    let mut done = false;
    let mut is_value = false;
    let one = |argument: String| {
        if done || std::mem::take(&mut is_value) {
            return argument;
        }
        done = argument == "--";
        match argument.strip_prefix("--") {
            Some(option) => {
                let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
                let name = name.replace('_', "-");
                is_value = value.is_none() && flags.iter().any(|flag| flag.long == name && flag.wants_value());
                value.map_or(format!("--{name}"), |value| format!("--{name}={value}"))
            }
            None => {
                is_value = argument.strip_prefix('-').is_some_and(|letters| wants_value(flags, letters));
                argument
            }
        }
    };
    arguments.into_iter().map(one).collect()
}

/// Whether the next argument is the value of an option in `-letters`. It is if the letter of that option comes last.
fn wants_value(flags: &[&Flag], letters: &str) -> bool {
    let takes_value =
        |letter: char| flags.iter().any(|flag| flag.value.is_some() && flag.short.chars().eq(std::iter::once(letter)));
    letters.find(takes_value).is_some_and(|at| letters[at..].chars().count() == 1)
}

/// `getopts` takes only UTF-8. The bytes of any other argument are set aside, and a NUL with a number takes their
/// place, which no real argument can contain. The name of an option stays.
fn set_aside(argument: &OsStr, aside: &mut Vec<OsString>) -> String {
    if let Some(text) = argument.to_str() {
        return text.to_string();
    }
    let bytes = argument.as_bytes();
    let equals = bytes.iter().position(|&byte| byte == b'=').filter(|_| bytes.starts_with(b"--"));
    let (name, value) = bytes.split_at(equals.map_or(0, |at| at + 1));
    let (name, value) = std::str::from_utf8(name).map_or(("", bytes), |name| (name, value));
    aside.push(OsString::from_vec(value.to_vec()));
    format!("{name}\0{}", aside.len() - 1)
}

fn explain(command: &str, flags: &[&Flag], fail: &Fail) -> String {
    let shown = |name: &str| if name.chars().count() == 1 { format!("-{name}") } else { format!("--{name}") };
    match fail {
        Fail::UnrecognizedOption(name) => {
            let names: Vec<&str> = flags.iter().map(|flag| flag.long).collect();
            let near = if name.chars().count() > 1 { meant::options(name, &names) } else { Vec::new() };
            let hint = match near.join(" or --") {
                near if near.is_empty() => format!("`swarmlet {command} --help` lists the options"),
                near => format!("did you mean --{near}?"),
            };
            format!("unknown option {}; {hint}", shown(name))
        }
        Fail::ArgumentMissing(name) => {
            let of_name = |flag: &&&Flag| flag.long == name || flag.short == name;
            let value = flags.iter().find(of_name).and_then(|flag| flag.value).unwrap_or("VALUE");
            format!("{0} needs a value: {0} {value}", shown(name))
        }
        Fail::OptionDuplicated(name) => format!("{} is given twice", shown(name)),
        Fail::UnexpectedArgument(name) => format!("{} takes no value", shown(name)),
        Fail::OptionMissing(name) => format!("{} is missing", shown(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [&Flag; 5] = [
        &Flag::with("trace", "[=FILE]", "Lines"),
        &Flag::with("dir", "DIR", "Where").short("d"),
        &Flag::with("max-peers", "N", "Most"),
        &Flag::switch("sequential", "In order"),
        &Flag::switch("verbose", "More").short("v"),
    ];

    fn normal(arguments: &[&str]) -> Vec<String> {
        normalise(&FLAGS, arguments.iter().map(|argument| argument.to_string()).collect())
    }

    fn parsed(arguments: &[&str]) -> Result<Parsed, String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        parse("get", &FLAGS, &arguments).map_err(|failure| failure.text)
    }

    fn complaint(arguments: &[&str]) -> String {
        parsed(arguments).err().unwrap_or_default()
    }

    #[test]
    fn only_names_of_options_are_normalised() {
        assert_eq!(normal(&["--max_peers", "5"]), ["--max-peers", "5"]);
        assert_eq!(normal(&["--max_peers=a_b"]), ["--max-peers=a_b"]);
        assert_eq!(normal(&["--dir", "--my_dir", "--se_q"]), ["--dir", "--my_dir", "--se-q"]);
        assert_eq!(normal(&["-vd", "--my_dir"]), ["-vd", "--my_dir"]);
        assert_eq!(normal(&["-dx", "--max_peers"]), ["-dx", "--max-peers"]);
        assert_eq!(normal(&["a_b", "--", "--max_peers"]), ["a_b", "--", "--max_peers"]);
    }

    #[test]
    fn values_and_arguments_are_found() {
        let given = parsed(&["a", "--dir=x_y", "--max_peers", "7", "-vv", "--", "--b_c"]).unwrap();
        assert_eq!(given.value("dir"), Some("x_y".into()));
        assert_eq!(given.number("max-peers", 1..=9, "peers").unwrap(), Some(7));
        assert!(given.number("max-peers", 8..=9, "peers").is_err());
        assert_eq!((given.times("verbose"), given.has("sequential")), (2, false));
        assert_eq!(given.arguments(), ["a", "--b_c"]);
    }

    #[test]
    fn an_optional_value_comes_after_an_equals_sign() {
        let given = parsed(&["--trace", "a.torrent"]).unwrap();
        assert_eq!((given.has("trace"), given.value("trace")), (true, None));
        assert_eq!(given.arguments(), ["a.torrent"]);
        assert_eq!(parsed(&["--trace=x_y", "a"]).unwrap().value("trace"), Some("x_y".into()));
    }

    #[test]
    fn hundredths_have_at_most_two_decimal_places() {
        let numbers = [("2", 200), ("1.5", 150), ("0.05", 5), (".5", 50), ("3.", 300), ("007", 700)];
        numbers.iter().for_each(|(text, expected)| assert_eq!(hundredths(text), Some(*expected), "{text}"));
        for wrong in ["", ".", "0", "0.00", "-1", "1e3", "1.234", "x", "1,5", "99999999999999999999"] {
            assert_eq!(hundredths(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_that_are_not_utf8_pass() {
        let raw = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let given = parse("get", &FLAGS, &[raw(b"--dir=\xff_x"), raw(b"a\xfe"), raw(b"--"), raw(b"-\xfd")]).unwrap();
        assert_eq!(given.value("dir"), Some(raw(b"\xff_x")));
        assert_eq!(given.arguments(), [raw(b"a\xfe"), raw(b"-\xfd")]);
    }

    #[test]
    fn error_messages_suggest_what_was_meant() {
        assert_eq!(complaint(&["--sequental"]), "unknown option --sequental; did you mean --sequential?");
        assert_eq!(complaint(&["-x"]), "unknown option -x; `swarmlet get --help` lists the options");
        assert_eq!(complaint(&["--dir"]), "--dir needs a value: --dir DIR");
        assert_eq!(complaint(&["--dir", "a", "-d", "b"]), "--dir is given twice");
        assert_eq!(complaint(&["--verbose=3"]), "--verbose takes no value");
        assert_eq!(complaint(&["--max-peers", "-1"]), "");
    }
}
