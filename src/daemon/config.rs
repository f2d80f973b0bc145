//! The configuration file: a line `key = value` for each setting, with transmission's names.
//!
//! Floor 4. Pure.
//!
//! ```text
//! # My router.
//! download-dir = /srv/media
//! speed-limit-up = 500
//! speed-limit-up-enabled = true
//! ```
//!
//! A text may stand between double quotes. A `#` at the beginning of a line or after a blank begins a comment, unless
//! it stands between quotes.

use super::settings::table::{TABLE, snake};
use super::settings::unused::is_unused;
use super::settings::{Given, Settings, Source};
use crate::base::words::nearest::nearest;

/// Reads the text of a configuration file. Returns the names of settings of transmission that have no effect here. An
/// error names the line, and says what was expected.
pub fn read<'a>(text: &'a str, settings: &mut Settings) -> Result<Vec<&'a str>, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        let why = "expected lines such as speed-limit-up = 500; if this is the settings.json of transmission, name its \
                   folder with --import";
        return Err(why.into());
    }
    let mut unused = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |why: String| format!("line {number}: {why}");
        let Some((key, value)) = split(line).map_err(|why| wrong(why.into()))? else { continue };
        match settings.set(key, &Given::Text(value), Source::File) {
            Ok(true) => {}
            Ok(false) if is_unused(key) => unused.push(key),
            Ok(false) => return Err(wrong(format!("there is no setting {key:?}{}", meant(key)))),
            Err(why) => return Err(wrong(why)),
        }
    }
    Ok(unused)
}

/// A question whether a setting was meant that has nearly the name `key`; empty: none has.
fn meant(key: &str) -> String {
    let near = nearest(&snake(key), TABLE.iter().map(|row| row.name));
    near.map_or(String::new(), |name| format!("; did you mean {}?", name.replace('_', "-")))
}

/// The key and the value of a line; `None`: it is empty, or a comment.
fn split(line: &str) -> Result<Option<(&str, &str)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (key, value) =
        line.split_once('=').ok_or("expected a setting such as speed-limit-up = 500, or # and a comment")?;
    let value = value.trim();
    let value = match value.strip_prefix('"') {
        Some(quoted) => {
            let (inside, rest) = quoted.split_once('"').ok_or("a quote is not closed")?;
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err("there is something behind the closing quote");
            }
            inside
        }
        None => value.find(" #").or_else(|| value.find("\t#")).map_or(value, |end| value[..end].trim_end()),
    };
    Ok(Some((key.trim(), value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::settings::Encryption;

    fn of(text: &str) -> Result<Settings, String> {
        let mut settings = Settings::default();
        read(text, &mut settings).map(|_| settings)
    }

    #[test]
    fn a_file_has_settings_comments_and_quotes() {
        let text = "\u{feff}# mine\r\n\r\ndownload-dir = /srv/a b#c # there\nspeed_limit_up=500\n  ratio-limit = 1.5\n\
                    rpc-password = \"x # y\"  # secret\nwatch-dir-enabled = Yes\nincomplete-dir=\nencryption=2\n";
        let settings = of(text).unwrap();
        assert_eq!((settings.download_dir.as_str(), settings.speed_limit_up), ("/srv/a b#c", 500));
        assert_eq!((settings.seed_ratio_limit, settings.rpc_password.as_str()), (1.5, "x # y"));
        assert!(settings.watch_dir_enabled && settings.incomplete_dir.is_empty());
        assert_eq!(settings.encryption, Encryption::Required, "as transmission 3 counts");
    }

    #[test]
    fn what_only_transmission_has_is_told_and_has_no_effect() {
        let mut settings = Settings::default();
        let unused = read("utp-enabled = true\npeer-port = 7\ncache_size_mb = 4\n", &mut settings).unwrap();
        assert_eq!((unused, settings.peer_port), (vec!["utp-enabled", "cache_size_mb"], 7));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, error) in [
            ("\nnonsense", "line 2: expected a setting such as speed-limit-up = 500, or # and a comment"),
            ("nothing = 5", "line 1: there is no setting \"nothing\""),
            ("downlaod-dir = /a", "line 1: there is no setting \"downlaod-dir\"; did you mean download-dir?"),
            ("ratio-limit = 2,5", "line 1: ratio-limit: \"2,5\" is not a number such as 1.5, and at least 0"),
            (
                " {\n\"rpc-port\": 9}",
                "expected lines such as speed-limit-up = 500; if this is the settings.json of \
                transmission, name its folder with --import",
            ),
            ("peer-port = x", "line 1: peer-port: \"x\" is not a number from 0 to 65535"),
            ("rpc-password = \"x", "line 1: a quote is not closed"),
            ("rpc-password = \"x\" y", "line 1: there is something behind the closing quote"),
        ] {
            assert_eq!(of(text).unwrap_err(), error);
        }
    }
}
