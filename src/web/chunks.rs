//! A request body of unknown length: it comes in chunks (RFC 9112, section 7.1).
//!
//! Floor 3. Pure. Each chunk says its length, and one of length 0 ends the body. Extensions and trailers are read and
//! dropped.

/// Longest line before or after a chunk, in bytes. Nobody needs extensions.
const MOST_LINE: usize = 256;
/// Most bytes of trailers.
const MOST_TRAILERS: usize = 8 << 10;
/// Most hex digits of a length: 4 GiB, which is more than any body may have.
const MOST_DIGITS: usize = 8;

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// These are no chunks.
    Malformed,
    /// It is longer than it may be.
    TooLong,
}

/// A body of which chunks have come.
#[derive(Debug)]
pub struct Chunks {
    /// The body so far.
    pub body: Vec<u8>,
    most: usize,
    next: Next,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The line with the length of a chunk.
    Length,
    /// So many bytes of a chunk.
    Bytes(usize),
    /// The end of the line after a chunk.
    End,
    /// A line after the last chunk; an empty one ends the body.
    Trailer,
    Nothing,
}

impl Chunks {
    /// A body that has at most `most` bytes.
    pub fn new(most: usize) -> Chunks {
        Chunks { body: Vec::new(), most, next: Next::Length, trailers: 0 }
    }

    /// Whether all of it has come.
    pub fn is_whole(&self) -> bool {
        self.next == Next::Nothing
    }

    /// Takes what has come. Returns how many bytes of it were used; the others have to come again, with more.
    pub fn take(&mut self, input: &[u8]) -> Result<usize, Wrong> {
        let mut used = 0;
        while let Some(count) = self.step(&input[used..])? {
            used += count;
        }
        Ok(used)
    }

    /// Takes one part; `None`: more has to come first.
    fn step(&mut self, input: &[u8]) -> Result<Option<usize>, Wrong> {
        if let Next::Bytes(left) = self.next {
            let count = left.min(input.len());
            self.body.extend_from_slice(&input[..count]);
            self.next = if count == left { Next::End } else { Next::Bytes(left - count) };
            return Ok(Some(count).filter(|count| *count > 0));
        }
        if self.is_whole() {
            return Ok(None);
        }
        let Some(end) = input.iter().take(MOST_LINE).position(|byte| *byte == b'\n') else {
            return if input.len() < MOST_LINE { Ok(None) } else { Err(Wrong::Malformed) };
        };
        // To a proxy a bare line feed may mean something else (RFC 9112, section 2.2, lets only heads have it).
        let line = input[..end].strip_suffix(b"\r").ok_or(Wrong::Malformed)?;
        self.next = match self.next {
            Next::Length => match length(line)? {
                0 => Next::Trailer,
                length if length > self.most - self.body.len() => return Err(Wrong::TooLong),
                length => Next::Bytes(length),
            },
            Next::End if line.is_empty() => Next::Length,
            Next::End => return Err(Wrong::Malformed),
            Next::Trailer if line.is_empty() => Next::Nothing,
            Next::Trailer => {
                self.trailers += end;
                if self.trailers > MOST_TRAILERS {
                    return Err(Wrong::TooLong);
                }
                Next::Trailer
            }
            Next::Bytes(_) | Next::Nothing => self.next,
        };
        Ok(Some(end + 1))
    }
}

/// The length that the line before a chunk says.
fn length(line: &[u8]) -> Result<usize, Wrong> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Wrong::Malformed);
    }
    if digits.len() > MOST_DIGITS {
        return Err(Wrong::TooLong);
    }
    let text = str::from_utf8(digits).map_err(|_| Wrong::Malformed)?;
    usize::from_str_radix(text, 16).map_err(|_| Wrong::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(text: &[u8], most: usize) -> Result<(String, usize), Wrong> {
        let mut chunks = Chunks::new(most);
        let used = chunks.take(text)?;
        assert_eq!(chunks.is_whole(), used > 0 && chunks.step(b"0\r\n") == Ok(None), "{text:?}");
        Ok((String::from_utf8(chunks.body).unwrap(), used))
    }

    #[test]
    fn chunks_become_one_body_and_what_follows_is_left() {
        let text = b"4\r\nWiki\r\n5;name=value\r\npedia\r\n0\r\nX: y\r\n\r\nPOST";
        assert_eq!(body(text, 9), Ok(("Wikipedia".into(), text.len() - 4)));
        for bare in [&b"0\n\n"[..], b"1;\na\r\n0\r\n\r\n", b"1\r\na\n0\r\n\r\n", b"0\r\n\n"] {
            assert_eq!(body(bare, 9).unwrap_err(), Wrong::Malformed, "{bare:?}");
        }
        assert_eq!(body(text, 8), Err(Wrong::TooLong));
        for wrong in ["x\r\n", "-1\r\n", "\r\n", "1\r\nab\r\n", "+1\r\na\r\n", "0x1\r\na\r\n"] {
            assert_eq!(body(wrong.as_bytes(), 9).unwrap_err(), Wrong::Malformed, "{wrong:?}");
        }
        assert_eq!(body(b"fffffffff\r\n", 9), Err(Wrong::TooLong));
        assert_eq!(body(&[b'1'; 300], 9), Err(Wrong::Malformed), "a line without an end");
        let trailers = [&b"0\r\n"[..], &b"X: y\r\n".repeat(2000)].concat();
        assert_eq!(body(&trailers, 9), Err(Wrong::TooLong));
    }

    proptest! {
        #[test]
        fn however_the_bytes_arrive_the_body_is_the_same(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6), step in 1..30usize,
        ) {
            let chunk = |part: &Vec<u8>| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
            let text = [parts.iter().map(chunk).collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat();
            let (mut chunks, mut input, mut rest) = (Chunks::new(1000), Vec::new(), &text[..]);
            while !rest.is_empty() {
                let (now, later) = rest.split_at(step.min(rest.len()));
                input.extend_from_slice(now);
                rest = later;
                let used = chunks.take(&input).unwrap();
                input.drain(..used);
            }
            prop_assert!(chunks.is_whole() && input.is_empty());
            prop_assert_eq!(chunks.body, parts.concat());
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(prop::sample::select(b"01af;\r\nx".to_vec()), 0..200)) {
            let _ = Chunks::new(50).take(&bytes);
        }
    }
}
