//! Reads a blocklist from a file.
//!
//! Floor 3. [`blocklist`](crate::swarm::meeting::blocklist) parses the lines. A list is used only if the whole file
//! could be read. Invalid lines are skipped and reported with their numbers.

use crate::base::gzip::gunzip;
use crate::swarm::meeting::blocklist::Blocklist;
use crate::sys::in_words;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// The largest file that is read: three times the size of the largest public lists.
const MOST_BYTES: u64 = 64 << 20;
/// The longest line: addresses, and a name.
const MOST_LINE_BYTES: u64 = 1024;
/// Invalid lines that are reported one by one.
const MOST_TOLD: usize = 10;

/// Reads the list at `path`, which messages call `name`. Also returns messages about invalid lines. It fails if no line
/// is valid.
pub fn read(path: &Path, name: &str) -> Result<(Blocklist, Vec<String>), String> {
    let refused = |why: &str| format!("the blocklist {name}: {why}");
    let unreadable = |error: io::Error| refused(&in_words(&error));
    let file = File::open(path).map_err(unreadable)?;
    let (mut list, mut told, mut wrong) = (Blocklist::default(), Vec::new(), 0);
    let mut reader: Box<dyn BufRead> = Box::new(BufReader::new(file.take(MOST_BYTES + 1)));
    // Lists are published compressed.
    if reader.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]) {
        let mut packed = Vec::new();
        reader.read_to_end(&mut packed).map_err(unreadable)?;
        let unpacked = gunzip(&packed, MOST_BYTES as usize);
        let unpacked = unpacked.ok_or_else(|| refused("compressed (gzip), and damaged or larger than 64 MiB"))?;
        reader = Box::new(Cursor::new(unpacked));
    }
    let (mut line, mut bytes) = (Vec::new(), 0);
    for number in 1u64.. {
        line.clear();
        reader.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line).map_err(unreadable)?;
        if line.is_empty() {
            break;
        }
        bytes += line.len() as u64;
        // Editors of Windows put a byte order mark before the first line.
        let mut said = list.add_line(String::from_utf8_lossy(&line).trim_start_matches('\u{feff}'));
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
        match read(&path, &path.display().to_string()) {
            Ok((list, told)) => (list.len(), told.into_iter().map(bare).collect()),
            Err(why) => (0, vec![bare(why)]),
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
    fn a_list_may_be_compressed_or_begin_with_a_byte_order_mark() {
        assert_eq!(of(b"\xef\xbb\xbf1.1.1.1\r\n2.2.2.2\r\n"), (2, vec![]));
        // `1.1.1.1\n3.3.3.0/24\n`, stored by gzip.
        let text = b"1.1.1.1\n3.3.3.0/24\n";
        let length = (text.len() as u16).to_le_bytes();
        let not = (!(text.len() as u16)).to_le_bytes();
        let head = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01";
        let sum = 0x2cc4ad55_u32.to_le_bytes();
        let packed = [&head[..], &length, &not, text, &sum, &(text.len() as u32).to_le_bytes()].concat();
        assert_eq!(of(&packed), (2, vec![]));
    }

    #[test]
    fn a_file_that_is_not_a_list_is_refused() {
        let (_, told) = of(&b"\x1f\x8b\x08 binary \n".repeat(9));
        assert_eq!(told, ["the blocklist /list: compressed (gzip), and damaged or larger than 64 MiB"]);
        // UTF-16, and the line ends of old Macs.
        for text in [&b"\xff\xfe1\x00.\x001\x00.\x001\x00.\x001\x00\r\x00\n\x00"[..], &b"1.1.1.1\r2.2.2.2\r"[..]] {
            let (_, told) = of(text);
            assert!(told[0].starts_with("the blocklist /list: no line is"), "{told:?}");
        }
        // Few lines, because a million of them take long in a build without optimization.
        let mut comments = [&[b'#'; 1_023][..], b"\n"].concat().repeat(MOST_BYTES as usize / 1_024);
        comments.push(b'\n');
        let (_, told) = of(&comments);
        assert_eq!(told, ["the blocklist /list: larger than 64 MiB"]);
        assert_eq!(
            read(Path::new("/no/such"), "/no/such").unwrap_err(),
            "the blocklist /no/such: No such file or directory"
        );
        assert!(read(Path::new("/"), "/").is_err());
    }
}
