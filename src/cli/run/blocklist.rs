//! The file of `--blocklist`: read at the start, and again on SIGHUP.
//!
//! Floor 4. [`blocklist`](crate::swarm::meeting::blocklist) parses the lines. A list is used only if the whole file
//! could be read. Invalid lines are skipped and reported with their numbers.

use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
use crate::swarm::meeting::blocklist::Blocklist;
use crate::sys::in_words;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The largest file that is read: three times the size of the largest public lists.
const MOST_BYTES: u64 = 64 << 20;
/// The longest line: addresses, and a name.
const MOST_LINE_BYTES: u64 = 1024;
/// Invalid lines that are reported one by one.
const MOST_TOLD: usize = 10;

/// Reads the list. Also returns messages about invalid lines. It fails if no line is valid.
pub fn read(path: &Path) -> Result<(Blocklist, Vec<String>), Failure> {
    let name = for_terminal(&path.to_string_lossy());
    let refused = |why: &str| Failure::new(Exit::NoInput, format!("the blocklist {name}: {why}"));
    let unreadable = |error: io::Error| refused(&in_words(&error));
    let file = File::open(path).map_err(unreadable)?;
    let (mut list, mut told, mut wrong) = (Blocklist::default(), Vec::new(), 0);
    let mut reader = BufReader::new(file.take(MOST_BYTES + 1));
    let (mut line, mut bytes) = (Vec::new(), 0);
    for number in 1u64.. {
        line.clear();
        reader.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line).map_err(unreadable)?;
        if line.is_empty() {
            break;
        }
        bytes += line.len() as u64;
        let mut said = list.add_line(&String::from_utf8_lossy(&line));
        if line.len() as u64 == MOST_LINE_BYTES && !line.ends_with(b"\n") {
            bytes += reader.skip_until(b'\n').map_err(unreadable)? as u64;
            said = Err("longer than 1024 bytes");
        }
        if bytes > MOST_BYTES {
            return Err(refused("larger than 64 MiB"));
        }
        list.make_room().map_err(refused)?;
        if let Err(why) = said {
            wrong += 1;
            if told.len() < MOST_TOLD {
                told.push(format!("{name}:{number}: {why}"));
            }
        }
    }
    list.finish().map_err(refused)?;
    if list.is_empty() && wrong > 0 {
        return Err(refused("no line is a range of addresses, expected lines such as 1.2.3.0/24"));
    }
    if wrong > told.len() {
        told.push(format!("{name}: {} more lines are invalid", wrong - told.len()));
    }
    log::info!("{name}: {} ranges of addresses are blocked", list.len());
    Ok((list, told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Reads a file of `bytes`: the number of ranges and the messages.
    fn of(bytes: &[u8]) -> (usize, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list");
        fs::write(&path, bytes).unwrap();
        let bare = |text: String| text.replace(&format!("{}", dir.path().display()), "");
        match read(&path) {
            Ok((list, told)) => (list.len(), told.into_iter().map(bare).collect()),
            Err(failure) => {
                assert_eq!(failure.exit, Exit::NoInput);
                (0, vec![bare(failure.text)])
            }
        }
    }

    #[test]
    fn invalid_lines_are_reported_by_number() {
        let text = b"# mine\r\n1.2.3.4\r\n\r\nnonsense\n5.0.0.0/8\n5.6.7.8/40\n\xff:9.0.0.1-9.0.0.2\nlast";
        let (ranges, told) = of(text);
        assert_eq!(ranges, 3);
        let beginnings = ["/list:4: expected an address", "/list:6: expected a number of bits", "/list:8: expected"];
        assert!(told.len() == 3 && told.iter().zip(beginnings).all(|(line, from)| line.starts_with(from)), "{told:?}");
        let many = [&b"1.1.1.1\n"[..], &b"x\n".repeat(30)].concat();
        let (_, told) = of(&many);
        assert_eq!((told.len(), told[10].as_str()), (11, "/list: 20 more lines are invalid"));
        let long = [&b"1.1.1.1\n"[..], &b"y".repeat(5000), b"\n2.2.2.2\n", &b"z".repeat(1024)].concat();
        assert_eq!(
            of(&long),
            (2, vec!["/list:2: longer than 1024 bytes".into(), "/list:4: longer than 1024 bytes".into()])
        );
        assert_eq!(of(b""), (0, vec![]));
        assert_eq!(of(b"# nobody\n"), (0, vec![]));
    }

    #[test]
    fn a_file_that_is_not_a_list_is_refused() {
        let (_, told) = of(&b"\x1f\x8b\x08 binary \n".repeat(9));
        assert!(told[0].starts_with("the blocklist /list: no line is"), "{told:?}");
        let (_, told) = of(&vec![b'\n'; (MOST_BYTES + 1) as usize]);
        assert_eq!(told, ["the blocklist /list: larger than 64 MiB"]);
        assert_eq!(read(Path::new("/no/such")).unwrap_err().text, "the blocklist /no/such: No such file or directory");
        assert!(read(Path::new("/")).is_err());
    }
}
