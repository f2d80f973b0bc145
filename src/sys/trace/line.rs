//! One line of the trace, as text for people or as a JSON object for programs.
//!
//! Floor 3, part of [`trace`](super). The two say the same. Text that comes from strangers is made harmless: in a line
//! of text it has quotation marks around it if it is more than a plain word.

use super::form::Form;
use crate::base::json;
use crate::base::width::shorten_middle;
use std::fmt::{Display, Write};
use std::time::Duration;

/// Longest text of a stranger that is shown whole: more than the addresses in the longest message of peer exchange.
const MOST_COLUMNS: usize = 8 * 1024;

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It came to us.
    In,
    /// We sent it.
    Out,
    /// It happened here: a decision.
    Here,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::In => "in",
            Way::Out => "out",
            Way::Here => "-",
        }
    }
}

/// A line that is being made, without its time.
pub struct Line {
    text: String,
    is_json: bool,
}

impl Line {
    /// Begins a line. `what` happened comes after the four columns.
    pub(super) fn new(is_json: bool, subject: &str, way: Way, peer: &dyn Display, what: &str) -> Line {
        let mut line = Line { text: String::with_capacity(128), is_json };
        if is_json {
            line = line.text("subject", subject).text("way", way.name()).text("peer", &peer.to_string());
            return line.text("what", what);
        }
        // Writing to a String can't fail.
        let _ = write!(line.text, " {subject} {} ", way.name());
        let peer = peer.to_string();
        // The host of a URL comes from a torrent. It must not look like further columns.
        if peer.chars().all(|c| c == '…' || c.is_ascii_graphic()) {
            line.text += &peer;
        } else {
            json::push_string(&mut line.text, &peer);
        }
        let _ = write!(line.text, " {what}");
        line
    }

    /// Adds a number.
    pub fn number(self, key: &str, number: u64) -> Line {
        self.raw(key, &number)
    }

    /// Adds a number, if there is one.
    pub fn number_if(self, key: &str, number: Option<u64>) -> Line {
        match number {
            Some(number) => self.number(key, number),
            None => self,
        }
    }

    /// Adds true or false.
    pub fn flag(self, key: &str, flag: bool) -> Line {
        self.raw(key, &flag)
    }

    /// Adds a value that is a number or a word of our own: an address, a hash, a name.
    pub fn word(self, key: &str, word: &dyn Display) -> Line {
        if self.is_json { self.text(key, &word.to_string()) } else { self.raw(key, word) }
    }

    /// Adds text that strangers may have written.
    pub fn text(mut self, key: &str, text: &str) -> Line {
        let is_word = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if !self.is_json && (1..MOST_COLUMNS).contains(&text.len()) && text.bytes().all(is_word) {
            return self.raw(key, &text);
        }
        self.key(key);
        if text.len() > MOST_COLUMNS {
            json::push_string(&mut self.text, &shorten_middle(text, MOST_COLUMNS, "..."));
        } else {
            json::push_string(&mut self.text, text);
        }
        self
    }

    /// Adds text that strangers may have written, if there is some.
    pub fn text_if(self, key: &str, text: Option<&str>) -> Line {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// Adds a number of the reason. In a line of text, the words of the reason contain it.
    pub fn detail(self, key: &str, number: u64) -> Line {
        if self.is_json { self.number(key, number) } else { self }
    }

    /// Adds the reason: the name of the rule, which only JSON shows, and the words, which come last.
    pub fn why(mut self, rule: &str, words: &str) -> Line {
        if self.is_json {
            return self.text("rule", rule).text("why", words);
        }
        self.text += ": ";
        self.text += words;
        self
    }

    /// The line, without its time.
    pub(super) fn done(self) -> String {
        self.text
    }

    /// The line as text, with its time and its line end. (A line of the trace gets its time when it is written.)
    pub fn stamped(self, since: Duration) -> String {
        let form = if self.is_json { Form::Json } else { Form::Text };
        form.stamp(since, &self.text)
    }

    /// Writes the line.
    pub fn write(self) {
        super::write(&self.text);
    }

    fn raw(mut self, key: &str, value: &dyn Display) -> Line {
        self.key(key);
        let _ = write!(self.text, "{value}");
        self
    }

    fn key(&mut self, key: &str) {
        let _ = if self.is_json { write!(self.text, ",\"{key}\":") } else { write!(self.text, " {key} ") };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(is_json: bool) -> String {
        let line = Line::new(is_json, "peer", Way::In, &"10.0.0.7:6881", "extended").number("bytes", 7);
        line.flag("seed", true)
            .word("torrent", &"ab")
            .text("client", "a \"b\"\n\x1b")
            .detail("rate", 5)
            .why("fast", "it is fast")
            .text
    }

    #[test]
    fn a_line_says_the_same_as_text_and_as_json() {
        let text =
            " peer in 10.0.0.7:6881 extended bytes 7 seed true torrent ab client \"a \\\"b\\\"\\n\\u001b\": it is fast";
        assert_eq!(line(false), text);
        let json = ",\"subject\":\"peer\",\"way\":\"in\",\"peer\":\"10.0.0.7:6881\",\"what\":\"extended\",\"bytes\":7,\"seed\":true,\
                    \"torrent\":\"ab\",\"client\":\"a \\\"b\\\"\\n\\u001b\",\"rate\":5,\"rule\":\"fast\",\"why\":\"it is fast\"";
        assert_eq!(line(true), json);
    }

    /// A torrent may name a tracker like this.
    #[test]
    fn the_host_of_a_url_makes_no_further_columns() {
        let begin = |peer: &str| Line::new(false, "tracker", Way::Out, &peer, "announce").text;
        assert_eq!(begin("udp://a.example:80/…"), " tracker out udp://a.example:80/… announce");
        assert_eq!(begin("http://x choke - b unchoke/…"), " tracker out \"http://x choke - b unchoke/…\" announce");
        assert_eq!(begin("http://\u{202e}x"), " tracker out \"http://\\u202ex\" announce");
    }

    #[test]
    fn a_line_has_a_bounded_length() {
        let (plain, odd) = ("x".repeat(10 << 20), "\u{202e}".repeat(1 << 20));
        let length = |text: &str| Line::new(false, "tracker", Way::Here, &"-", "failed").text("why", text).text.len();
        assert!(length(&plain) < MOST_COLUMNS + 100 && length(&odd) < 8 * MOST_COLUMNS);
    }

    #[test]
    fn a_plain_word_needs_no_quotation_marks() {
        let client = |text: &str| Line::new(false, "peer", Way::Out, &"-", "x").text("client", text).text;
        assert_eq!(client("aria2/1.37"), " peer out - x client aria2/1.37");
        assert_eq!(client(""), " peer out - x client \"\"");
        assert_eq!(client("x\u{202e}y"), " peer out - x client \"x\\u202ey\"");
    }
}
