//! `swarmlet make`: makes a .torrent file of a file or a folder.
//!
//! Floor 4. First the options are checked ([`options::make`](crate::cli::options::make)), then the disk and the output,
//! so that errors are reported before gigabytes are hashed. The .torrent file appears when it is complete, or never.

use crate::base::json::Object;
use crate::base::path::for_terminal;
use crate::base::units::{count, duration, size};
use crate::base::words::glob::Glob;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::make::{Wanted, check_free, read};
use crate::cli::options::output;
use crate::cli::options::run::{HELP, JSON, QUIET, THREADS};
use crate::cli::say;
use crate::cli::show::bar::Bar;
use crate::maker;
use crate::maker::tree;
use crate::maker::tree::{Choice, FoundFile};
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::piece_length::automatic;
use crate::proto::metainfo::{About, HASH_BYTES, MAX_METAINFO_BYTES, MAX_PIECES, Metainfo};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The default of `created by`.
const CREATED_BY: &str = concat!("swarmlet/", env!("CARGO_PKG_VERSION"));

/// `make`, described.
pub const COMMAND: Command = Command {
    name: "make",
    summary: "make a .torrent file",
    usage: "[OPTION]... PATH... [ANNOUNCE...]",
    completes: Completes::Paths,
    about: &[
        "Make a .torrent file of a file or a folder.",
        "ANNOUNCE is the URL of a tracker; each URL is a tier of its own. Hidden files, CVS and core are left out of a \
         folder, symbolic links are refused, and files are sorted by the bytes of their paths. A GLOB without / \
         matches at any depth: '*.nfo', 'Extras/**', '[!a-m]*'.",
    ],
    options: &[
        Group {
            title: "Content",
            flags: &[
                Flag::with("include", "GLOB...", "Take only matching files, even hidden files"),
                Flag::with("exclude", "GLOB...", "Leave out matching files and folders"),
                Flag::switch("follow-symlinks", "Follow symbolic links"),
                Flag::switch("each", "Make one torrent for each PATH"),
                Flag::with("piece-length", "SIZE", "A power of two from 16 KiB to 16 MiB, such as 262144, 256K or 1M")
                    .short("l")
                    .default("for 1,000 to 2,000 pieces"),
                Flag::switch("pad", "Start each file at a piece boundary (BEP 47)"),
            ],
        },
        Group {
            title: "What the torrent says",
            flags: &[
                Flag::with(
                    "announce",
                    "URL[,URL]...",
                    "A tier of trackers; given again, the next tier, which is asked when the tiers before it fail",
                )
                .short("a"),
                Flag::with("webseed", "URL...", "A web server that has the content (BEP 19)").short("w"),
                Flag::with("node", "HOST:PORT...", "A node of the DHT (BEP 5)").short("n"),
                Flag::switch("private", "Peers come only from the trackers (BEP 27)").short("p"),
                Flag::with("comment", "TEXT", "Comment").short("c"),
                Flag::with("source", "TEXT", "Name of the source; changes the info-hash").short("s"),
                Flag::with("created-by", "TEXT", "Name of the creating program; empty: none").default("swarmlet"),
                Flag::switch("no-date", "Omit the creation date (SOURCE_DATE_EPOCH in the environment sets it)")
                    .short("d"),
            ],
        },
        Group {
            title: "Output",
            flags: &[
                Flag::with("output", "FILE", "Output file or folder, or - for standard output")
                    .short("o")
                    .default("PATH.torrent"),
                Flag::switch("force", "Replace an existing file").short("f"),
                Flag::switch("skip-there", "Skip a PATH whose torrent exists"),
                Flag::switch("dry-run", "Hash and report, but write nothing"),
                Flag::switch("magnet", "Print the magnet link to standard output").short("m"),
                THREADS,
                QUIET,
                Flag::switch("verbose", "Also name the files").short("v"),
                JSON,
                HELP,
            ],
        },
    ],
    exits: &[
        (Exit::Success, "success"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::NoInput, "a file does not exist, cannot be read, or changed while it was read"),
        (Exit::CantCreate, "the .torrent file exists already or cannot be written"),
    ],
    exit_note: "",
    sections: &[Section {
        title: "JSON (--json)",
        parts: &[Part::Text(
            "One object per torrent: event (made), path (null: not written), name, info_hash, size, files, pieces, \
             piece_length, private, magnet, bytes (of the .torrent file), seconds.",
        )],
    }],
    examples: &[
        "swarmlet make Aishah http://tracker.example:6969/announce",
        "swarmlet make -a http://a.example/announce,http://b.example/announce Aishah",
        "swarmlet make --magnet --exclude '*.nfo' Aishah",
        "swarmlet make --each --output /srv/torrents *.iso udp://tracker.example:6969",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let wanted = read(given)?;
    let mut exit = Exit::Success;
    for path in &wanted.paths {
        if let Err(failure) = make_one(path, &wanted) {
            if wanted.paths.len() == 1 {
                return Err(failure);
            }
            say::problem(&failure.text);
            exit = if exit == Exit::Success { failure.exit } else { exit };
        }
    }
    Ok(exit)
}

fn make_one(path: &Path, wanted: &Wanted) -> Result<(), Failure> {
    let refused = |error: tree::TreeError| Failure::new(Exit::NoInput, error.to_string());
    let (name, place) = name_and_place(path)?;
    let target = wanted.target(&name, &place);
    if let Some(target) = target.as_ref().filter(|_| !wanted.dry_run) {
        if wanted.skip_there && target.exists() {
            return Ok(());
        }
        check_free(target, wanted.force)?;
        if path.is_file() && fs::canonicalize(path).ok() == fs::canonicalize(target).ok() {
            return Err(Failure::usage(format!("{}: the output would replace the content", output::shown(path))));
        }
    }
    let found = find(path, target.as_deref(), wanted).map_err(refused)?;
    let is_folder = path.is_dir();
    if found.is_empty() {
        return Err(Failure::new(Exit::NoInput, format!("{}: contains no file to share", output::shown(path))));
    }
    let content: u64 = found.iter().map(|file| file.length).sum();
    let piece_length = wanted.piece_length.unwrap_or_else(|| automatic(content));
    let files = maker::lay_out(&name, &found, (wanted.pad && is_folder).then_some(piece_length));
    let length = files.length();
    check_count(path, length, piece_length)?;
    if wanted.verbose {
        found.iter().for_each(|file| say::line(&format!("{}  {}", size(file.length), file.path.display())));
    }

    let about = About {
        web_seeds: wanted.web_seeds.clone(),
        nodes: wanted.nodes.clone(),
        comment: wanted.comment.clone(),
        created_by: wanted.created_by.clone().or(Some(CREATED_BY.into())).filter(|text| !text.is_empty()),
        creation_date: if wanted.no_date { None } else { super::describe::man::creation_date()? },
        source: wanted.source.clone(),
        info_hash_v2: None,
        warnings: Vec::new(),
    };
    let mut metainfo = Metainfo {
        info_hash: InfoHash([0; 20]),
        name: name.into(),
        is_folder,
        files,
        length,
        piece_length,
        hashes: vec![0; length.div_ceil(piece_length.into()) as usize * HASH_BYTES].into(),
        tiers: wanted.tiers.clone(),
        private: wanted.private,
        about: about.boxed(),
    };
    // A torrent that swarmlet itself would refuse is refused now, before the hashing.
    let read = |bytes: &[u8]| {
        let refused = |error| Failure::new(Exit::NoInput, format!("{}: {error}", output::shown(path)));
        Metainfo::parse(bytes).map_err(refused)
    };
    let unhashed = metainfo.emit();
    check_size(path, unhashed.len())?;
    read(&unhashed)?;
    let output = match target.as_deref().filter(|_| !wanted.dry_run) {
        Some(target) => Some((target, output::open(target)?)),
        None => None,
    };

    let mut bar = Bar::new(&metainfo.name, length, wanted.quiet || wanted.json);
    let mut tick = |done| bar.tick(done);
    let hashes = maker::hash(&metainfo.files, &found, piece_length, wanted.threads, &mut tick).map_err(refused)?;
    metainfo.hashes = hashes.into();
    let time = bar.end();

    let bytes = metainfo.emit();
    let metainfo = read(&bytes)?;
    match output {
        Some((target, output)) => output::write_to(output, target, &bytes)?,
        None if !wanted.dry_run => say::write_out(&bytes)?,
        None => {}
    }
    tell(&metainfo, target.as_deref().filter(|_| !wanted.dry_run), bytes.len(), time, wanted)
}

fn find(path: &Path, target: Option<&Path>, wanted: &Wanted) -> Result<Vec<FoundFile>, tree::TreeError> {
    let fits = |globs: &[Glob], name: &str| globs.iter().any(|glob| glob.matches(name));
    let include = |name: &str| fits(&wanted.include, name);
    let choice = Choice {
        follow_links: wanted.follow_links,
        include: if wanted.include.is_empty() { None } else { Some(&include) },
        exclude: &|name| fits(&wanted.exclude, name),
    };
    let mut found = tree::find(path, &choice)?;
    // The .torrent file that is about to be replaced is not part of the content.
    if let Some(target) = target.and_then(|target| fs::canonicalize(target).ok()).filter(|_| path.is_dir()) {
        found.retain(|file| {
            file.path.file_name() != target.file_name() || fs::canonicalize(&file.path).ok().as_ref() != Some(&target)
        });
    }
    Ok(found)
}

/// The name of the content at `path`, and the path of its torrent: beside it.
fn name_and_place(path: &Path) -> Result<(String, PathBuf), Failure> {
    // `.` and `a/..` have a name only after they are resolved.
    let real = match path.file_name() {
        Some(_) => path.to_path_buf(),
        None => fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()),
    };
    let refused = |what: &str| Failure::new(Exit::NoInput, format!("{}: {what}", output::shown(path)));
    if path.as_os_str().is_empty() {
        return Err(Failure::usage("'' is not a path, expected a file or folder: swarmlet make PATH ANNOUNCE"));
    }
    let Some(name) = real.file_name() else { return Err(refused("has no name, and a torrent needs one")) };
    let Some(name) = name.to_str() else { return Err(refused("the name is not UTF-8 text; rename it")) };
    if crate::base::path::safe_component(name.as_bytes()).as_deref() != Ok(name) {
        return Err(refused("the name contains control characters; rename it"));
    }
    Ok((name.to_string(), real.with_file_name(format!("{name}.torrent"))))
}

fn check_count(path: &Path, length: u64, piece_length: u32) -> Result<(), Failure> {
    let pieces = length.div_ceil(piece_length.into());
    if pieces > MAX_PIECES {
        return Err(Failure::usage(format!(
            "{}: {pieces} pieces of {}, expected at most {MAX_PIECES}; choose a longer --piece-length",
            output::shown(path),
            size(piece_length.into())
        )));
    }
    Ok(())
}

/// The paths of very many files and the hashes of very many pieces may be too much together.
fn check_size(path: &Path, bytes: usize) -> Result<(), Failure> {
    if bytes > MAX_METAINFO_BYTES {
        return Err(Failure::usage(format!(
            "{}: the .torrent would have {}, expected at most {}; choose a longer --piece-length",
            output::shown(path),
            size(bytes as u64),
            size(MAX_METAINFO_BYTES as u64)
        )));
    }
    Ok(())
}

fn tell(
    metainfo: &Metainfo,
    written: Option<&Path>,
    bytes: usize,
    time: Duration,
    wanted: &Wanted,
) -> Result<(), Failure> {
    let name = for_terminal(&metainfo.name);
    let magnet = Magnet::of(metainfo).to_string();
    let files = metainfo.files.count();
    let pieces = metainfo.piece_count();
    if !wanted.quiet {
        metainfo.about().warnings.iter().for_each(|warning| say::problem(&format!("{name}: warning: {warning}")));
    }
    if wanted.json {
        let mut object = Object::new("made");
        object.text_or_null("path", written.map(|path| path.to_string_lossy()).as_deref());
        object.text("name", &metainfo.name);
        object.text("info_hash", &metainfo.info_hash.to_string());
        object.number("size", metainfo.length);
        object.number("files", files as u64);
        object.number("pieces", pieces.into());
        object.number("piece_length", metainfo.piece_length.into());
        object.flag("private", metainfo.private);
        object.text("magnet", &magnet);
        object.number("bytes", bytes as u64);
        object.raw("seconds", &crate::base::units::seconds(time));
        return say::write_out(object.end());
    }
    if !wanted.quiet {
        let what = match written {
            Some(path) => output::shown(path),
            None if wanted.dry_run => format!("{name}: nothing written"),
            None => format!("{name}: written to standard output"),
        };
        say::line(&format!(
            "{what}: {}, {}, {} of {}, info-hash {}, in {}",
            count(files, "file"),
            size(metainfo.length),
            count(pieces as usize, "piece"),
            size(metainfo.piece_length.into()),
            metainfo.info_hash,
            duration(time)
        ));
    }
    if wanted.magnet { say::write_out(&(magnet + "\n")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_pieces_for_a_torrent_need_a_longer_piece_length() {
        let path = Path::new("big");
        let refusal = |result: Result<(), Failure>| result.unwrap_err().to_string();
        assert!(check_count(path, MAX_PIECES << 14, 1 << 14).is_ok());
        let advice = "; choose a longer --piece-length";
        assert!(refusal(check_count(path, (MAX_PIECES << 14) + 1, 1 << 14)).ends_with(advice));
        assert!(check_size(path, MAX_METAINFO_BYTES).is_ok());
        assert_eq!(
            refusal(check_size(path, MAX_METAINFO_BYTES + 4096)),
            format!("big: the .torrent would have 48.0 MiB, expected at most 48.0 MiB{advice}")
        );
    }
}
