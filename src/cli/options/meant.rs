//! What a person may have meant by a command or an option that does not exist: the words of other programs.
//!
//! Floor 4. A typing error is tried first ([`nearest`]), then these words, then the parts of a name: `--rate` is a
//! part of `--max-upload-rate`.

use crate::base::words::nearest::nearest;

/// Our commands, each with its names in aria2, imdl, rqbit, transmission, webtorrent and others, and in 2004.
const COMMANDS: &[(&str, &[&str])] = &[
    ("get", &["add", "dl", "download", "fetch", "leech", "pull", "resume", "start"]),
    ("seed", &["serve", "share", "upload"]),
    ("many", &["folder", "launchmany", "watch"]),
    ("track", &["bttrack", "tracker"]),
    ("make", &["build", "create", "metainfo", "mktorrent", "new", "torrent", "torrent-create"]),
    ("show", &["cat", "dump", "files", "info", "inspect", "list", "ls", "print", "view"]),
    ("check", &["hash", "hash-check", "recheck", "test", "validate", "verify"]),
    ("edit", &["change", "modify", "reannounce", "rename", "set"]),
    ("link", &["magnet", "uri"]),
    ("dht", &["kademlia", "node", "ping", "scrape"]),
    ("remote", &["control", "rpc", "transmission-remote"]),
    ("attach", &["monitor", "screen", "top", "tremc", "tui"]),
    ("completions", &["complete", "completion"]),
    ("man", &["manual"]),
];

/// Our options, each with its names in other programs.
const OPTIONS: &[(&str, &[&str])] = &[
    ("dir", &["destination", "directory", "folder", "out", "output", "path", "save-path", "saveas"]),
    ("output", &["dir", "destination", "out", "target"]),
    ("max-download-rate", &["downlimit"]),
    ("max-upload-rate", &["uplimit"]),
    ("max-peers", &["connections"]),
    ("files", &["only", "select"]),
    ("force", &["overwrite"]),
    ("announce", &["tracker", "trackers"]),
    ("plain", &["headless", "no-color", "no-tui"]),
    ("quiet", &["silent"]),
];

/// Words that are parts of many option names, so they do not show which option is meant.
const EMPTY_WORDS: [&str; 4] = ["max", "min", "no", "total"];

/// Words of other programs for a rate.
const RATES: [&str; 4] = ["bandwidth", "limit", "speed", "throttle"];

/// The most names that a message offers.
const MOST: usize = 3;

/// The command of `commands` that may be meant by `typed`.
pub fn command<'a>(typed: &str, commands: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let theirs = other_names(COMMANDS, typed).find_map(|ours| commands.clone().find(|name| *name == ours));
    theirs.or_else(|| nearest(typed, commands))
}

/// The options that may be meant by `--typed`, of a command whose options have these `names`.
pub fn options(typed: &str, names: &[&'static str]) -> Vec<&'static str> {
    let typed: Vec<&str> = typed.split('-').map(|word| if RATES.contains(&word) { "rate" } else { word }).collect();
    let typed = typed.join("-");
    let names = || names.iter().copied();
    let begun: Vec<&str> = names().filter(|name| name.starts_with(&typed)).collect();
    if !begun.is_empty() {
        return if begun.len() <= MOST { begun } else { Vec::new() };
    }
    let theirs = || other_names(OPTIONS, &typed).find(|ours| names().any(|name| name == *ours));
    if let Some(one) = nearest(&typed, names()).or_else(theirs) {
        return vec![one];
    }
    let words = |name: &'static str| name.split('-').filter(|word| !EMPTY_WORDS.contains(word));
    let shared = |name: &&'static str| words(name).filter(|word| typed.split('-').any(|other| other == *word)).count();
    let most = names().map(|name| shared(&name)).max().unwrap_or(0);
    names().filter(|name| most > 0 && shared(name) == most).take(MOST).collect()
}

/// Our names for what other programs call `typed`.
fn other_names<'a>(table: &'a [(&'static str, &[&str])], typed: &'a str) -> impl Iterator<Item = &'static str> + 'a {
    table.iter().filter(move |(_, theirs)| theirs.contains(&typed)).map(|(ours, _)| *ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::{self, OPTIONAL};
    use crate::cli::options::command::Command;

    fn find(name: &str) -> &'static Command {
        commands::COMMANDS.iter().find(|command| command.name == name).unwrap()
    }

    fn of_get(typed: &str) -> Vec<&'static str> {
        options(typed, &find("get").flags().map(|flag| flag.long).collect::<Vec<_>>())
    }

    #[test]
    fn every_name_in_the_tables_is_one_of_ours_and_no_other_is() {
        let is_ours = |name: &str| commands::COMMANDS.iter().any(|command| command.name == name);
        for (ours, theirs) in COMMANDS {
            assert!(is_ours(ours) || OPTIONAL.iter().any(|(name, _)| name == ours), "{ours}");
            theirs.iter().for_each(|name| assert!(!is_ours(name), "{name}"));
        }
        for (ours, _) in OPTIONS.iter().filter(|_| OPTIONAL.iter().all(|(name, _)| is_ours(name))) {
            assert!(commands::COMMANDS.iter().any(|command| command.flags().any(|flag| flag.long == *ours)), "{ours}");
        }
    }

    #[test]
    fn words_of_other_programs_are_understood() {
        let names = || commands::COMMANDS.iter().map(|command| command.name);
        for (typed, ours) in [("download", "get"), ("verify", "check"), ("info", "show"), ("list", "show")] {
            assert_eq!(command(typed, names()), Some(ours), "{typed}");
        }
        assert_eq!((command("sede", names()), command("xyzzy", names())), (Some("seed"), None));
    }

    #[test]
    fn a_part_of_a_name_offers_every_option_that_has_it() {
        assert_eq!(of_get("rate"), ["max-upload-rate", "max-download-rate"]);
        assert_eq!(of_get("download-limit"), ["max-download-rate"]);
        assert_eq!(of_get("max-upload-limit"), ["max-upload-rate"]);
        assert_eq!(of_get("listen-port")[0], "port");
        assert_eq!(of_get("destination"), ["dir"]);
        assert_eq!(of_get("sequental"), ["sequential"]);
        assert_eq!(of_get("max-up"), ["max-upload-rate", "max-uploads"]);
        assert_eq!(of_get("max"), Vec::<&str>::new());
        assert_eq!([of_get("limit"), of_get("speed")], [(); 2].map(|()| of_get("rate")));
    }
}
