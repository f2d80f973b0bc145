//! The manual and the other long chapters: how to use swarmlet, and what was measured.
//!
//! 1. First steps: [installation](install), [downloading](get), [the screen](screen), [uploading](seed), [many
//!    torrents](many), [the daemon](daemon) and [the commands for it](remote), [torrent files](makers), [the
//!    tracker](tracker), [the DHT](dht), and [the tutorial of 2004](tutorial). To see what a swarm does, begin with [a
//!    swarm to watch](demo).
//! 2. To look something up: [every file that is written](files), [disks and resume states](disks), [JSON and exit
//!    codes](json), [the trace](trace), [records of runs](replay), [limits, safety and blocklists](safety).
//! 3. What was tried: [measurements], with [the laboratory](measurements#the-laboratory), and
//!    [interoperability](interop).
//! 4. [For an auditor](audit): what is read, what is written, what bounds it, and what is trusted.
//! 5. For a student: [a course in BitTorrent](course) in ten steps, for readers who know Rust and nothing of
//!    BitTorrent. It begins with one torrent, goes on with [the swarm](course_swarm), and ends [without a
//!    server](course_dht), in the DHT.
//!
//! The chapters are Markdown files beside this one, so that a forge shows them too. On a forge, a link such as
//! `[blocklist]` leads to the file that is named in the last lines of the chapter. In these pages, the lines in front
//! of the chapter define the same link, and the first definition counts. The program does not contain this module.

/// [old-names]: crate::book::tutorial#the-old-names
#[doc = include_str!("install.md")]
pub mod install {}

/// [exit_codes]: crate::book::json#exit-codes
/// [json]: crate::book::json#the-command-demo
#[doc = include_str!("demo.md")]
pub mod demo {}

/// [blocklist]: crate::book::safety#blocklists
/// [encryption]: crate::book::safety#encryption
/// [states]: crate::book::disks#resume-states
/// [json]: crate::book::json
/// [lsd]: crate::book::get#peers-in-the-local-network
/// [dht]: crate::book::dht
/// [pex]: crate::book::safety#peer-exchange-pex
/// [encryption]: crate::book::safety#encryption
/// [mapping]: crate::book::get#peers-from-outside-the-router
/// [many]: crate::book::many
/// [makers]: crate::book::makers
#[doc = include_str!("get.md")]
pub mod get {}

/// [json]: crate::book::json
/// [links]: crate::book::get#magnet-links
/// [many]: crate::book::many#the-screen-of-many
#[doc = include_str!("screen.md")]
pub mod screen {}

#[doc = include_str!("disks.md")]
pub mod disks {}

/// [links]: crate::book::get#magnet-links
/// [states]: crate::book::disks#resume-states
#[doc = include_str!("files.md")]
pub mod files {}

/// [blocklist]: crate::book::safety#blocklists
/// [encryption]: crate::book::safety#encryption
/// [json]: crate::book::json
/// [many]: crate::book::many
/// [lsd]: crate::book::get#peers-in-the-local-network
/// [dht]: crate::book::dht
/// [pex]: crate::book::safety#peer-exchange-pex
/// [encryption]: crate::book::safety#encryption
/// [mapping]: crate::book::get#peers-from-outside-the-router
/// [links]: crate::book::get#magnet-links
/// [states]: crate::book::disks#resume-states
#[doc = include_str!("seed.md")]
pub mod seed {}

/// [get]: crate::book::get
/// [links]: crate::book::get#magnet-links
/// [peers]: crate::book::screen#the-peers-view
/// [seed]: crate::book::seed
#[doc = include_str!("many.md")]
pub mod many {}

/// [box]: crate::book::measurements#the-daemon-on-a-small-router
#[doc = include_str!("daemon.md")]
pub mod daemon {}

/// [get]: crate::book::get
/// [remote-json]: crate::book::json#the-command-remote
#[doc = include_str!("remote.md")]
pub mod remote {}

/// [links]: crate::book::get#magnet-links
#[doc = include_str!("json.md")]
pub mod json {}

/// [files]: crate::book::files
/// [json-files]: crate::book::json#commands-for-torrent-files
#[doc = include_str!("makers.md")]
pub mod makers {}

/// [exit_codes]: crate::book::json#exit-codes
/// [json]: crate::book::json#the-command-dht
#[doc = include_str!("dht.md")]
pub mod dht {}

#[doc = include_str!("tracker.md")]
pub mod tracker {}

#[doc = include_str!("trace.md")]
pub mod trace {}

#[doc = include_str!("replay.md")]
pub mod replay {}

#[doc = include_str!("tutorial.md")]
pub mod tutorial {}

/// [seed]: crate::book::seed
#[doc = include_str!("measurements.md")]
pub mod measurements {}

#[doc = include_str!("interop.md")]
pub mod interop {}

/// [costs]: crate::book::measurements#encryption
/// [dependencies]: crate::book::install#dependencies
/// [json]: crate::book::json
/// [links]: crate::book::get#magnet-links
/// [peers]: crate::book::screen#the-peers-view
#[doc = include_str!("safety.md")]
pub mod safety {}

/// [dependencies]: crate::book::install#dependencies
/// [encryption]: crate::book::safety#encryption
/// [files]: crate::book::files
/// [flood]: crate::book::safety#a-flood-of-connections
/// [limits]: crate::book::safety#limits-on-everything-from-outside
/// [measured]: crate::book::measurements#memory-idleness-and-size
/// [passkeys]: crate::book::safety#passkeys
#[doc = include_str!("audit.md")]
pub mod audit {}

/// [dht]: crate::book::course_dht
/// [encryption]: crate::book::safety#encryption
/// [swarm]: crate::book::course_swarm
/// [trace]: crate::book::trace
#[doc = include_str!("course.md")]
pub mod course {}

/// [dht]: crate::book::course_dht
/// [lab]: crate::book::measurements#the-laboratory
/// [one]: crate::book::course
#[doc = include_str!("course_swarm.md")]
pub mod course_swarm {}

/// [dht]: crate::book::dht
/// [files]: crate::book::files
/// [one]: crate::book::course
/// [swarm]: crate::book::course_swarm
/// [trace]: crate::book::trace
#[doc = include_str!("course_dht.md")]
pub mod course_dht {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    /// The chapters by their names, without `.md`, and the README.
    fn pages() -> BTreeMap<String, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut pages = BTreeMap::from([("README".into(), fs::read_to_string(root.join("README.md")).unwrap())]);
        for entry in fs::read_dir(root.join("src/book")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                pages.insert(name, fs::read_to_string(path).unwrap());
            }
        }
        pages
    }

    /// The name by which a link leads to a heading, both on a forge and in these pages.
    fn anchor(heading: &str) -> String {
        let word = |c: char| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_';
        heading.to_lowercase().chars().filter(|c| word(*c)).collect::<String>().replace(' ', "-")
    }

    /// The links that a page defines: name and place (`json#events`, without `.md`).
    fn definitions(page: &str, before: &str, end: &str) -> BTreeMap<String, String> {
        let parts = page.lines().filter_map(|line| line.strip_prefix(before)?.split_once("]: "));
        parts.map(|(name, place)| (name.into(), place.replace(end, ""))).collect()
    }

    #[test]
    fn every_link_leads_somewhere() {
        let pages = pages();
        assert!(pages.len() > 10, "the chapters were read");
        for (name, text) in &pages {
            let all = definitions(text, "[", ".md");
            for place in all.values() {
                let place = place.strip_prefix("src/book/").unwrap_or(place);
                let (page, heading) = place.split_once('#').unwrap_or((place, ""));
                let page = pages.get(page).unwrap_or_else(|| panic!("{name}: there is no chapter {page}"));
                let mut headings = page.lines().filter_map(|line| line.strip_prefix('#'));
                let is_there = |line: &str| anchor(line.trim_start_matches(['#', ' '])) == heading;
                assert!(heading.is_empty() || headings.any(is_there), "{name}: {place} is not there");
            }
        }
    }

    /// The definitions in front of a chapter are those at its end.
    #[test]
    fn links_lead_to_the_same_place_on_a_forge_and_in_these_pages() {
        let pages = pages();
        let source = include_str!("mod.rs").split("\n#[cfg(test)]").next().unwrap_or_default();
        let mut chapters = 0;
        for part in source.split("\n\n") {
            let Some((links, rest)) = part.split_once("#[doc = include_str!(\"") else { continue };
            let name = rest.split('.').next().unwrap_or_default();
            assert_eq!(
                definitions(links, "/// [", "crate::book::"),
                definitions(&pages[name], "[", ".md"),
                "the links of {name}"
            );
            chapters += 1;
        }
        assert_eq!(chapters + 1, pages.len(), "a chapter is missing");
    }

    /// Each step has an example, a command, a file to read, and a question with its answer.
    #[test]
    fn the_course_has_ten_steps_with_all_their_parts() {
        let pages = pages();
        let course = ["course", "course_swarm", "course_dht"].map(|name| pages[name].as_str()).concat();
        let is_step = |part: &&str| part.starts_with(|first: char| first.is_ascii_digit());
        let steps: Vec<&str> = course.split("\n## ").filter(is_step).collect();
        assert_eq!(steps.len(), 10);
        for (number, step) in (1..).zip(steps) {
            assert!(step.starts_with(&format!("{number}. ")), "step {number} is in its place");
            let parts = ["```rust\n", "$ ", "In the code: `", "**Question.** ", "<details><summary>Answer</summary>\n"];
            for part in parts {
                assert!(step.contains(&format!("\n{part}")), "step {number} has no {part:?}");
            }
        }
    }

    /// Otherwise the documentation takes examples for Rust, and runs them.
    #[test]
    fn every_example_says_what_it_is() {
        for (name, text) in pages() {
            let fences = text.lines().filter(|line| line.starts_with("```"));
            assert!(fences.step_by(2).all(|fence| fence.len() > 3), "{name}: a block of code without a language");
        }
    }
}
