//! What a daemon says about a torrent: figures, and its state in a word.
//!
//! Floor 4. Each field may be missing, or be anything. Then it counts as 0, empty or unknown.

use super::daemon::words;
use super::fields::{flag, list, number, number_or_null, real, text, whole};
use super::torrents::Found;
use crate::base::json::read::Value;
use crate::base::json::{self, Object};
use crate::base::units::percent;

/// `error` of a torrent that a problem of the daemon's machine stopped, such as its disk. Smaller ones are about
/// trackers.
const LOCAL_ERROR: u64 = 3;
/// More labels of a torrent are not shown.
const MOST_LABELS: usize = 64;

/// A torrent in a list.
pub struct Figures {
    /// Which one it is.
    pub found: Found,
    /// What it does, in a word.
    pub state: &'static str,
    /// What is wrong with it; empty if nothing is.
    pub problem: String,
    /// The problem is one of the daemon's machine, such as its disk, not of a tracker.
    pub is_local: bool,
    /// The part of it that is done, for people.
    pub done: String,
    /// Bytes that are wanted.
    pub size: u64,
    /// Bytes of those that are missing.
    pub left: u64,
    /// Bytes that came, in all its life.
    pub downloaded: u64,
    /// Bytes that it sent, in all its life.
    pub uploaded: u64,
    /// Bytes per second.
    pub down_rate: u64,
    /// Bytes per second.
    pub up_rate: u64,
    /// Connected peers.
    pub peers: u64,
    /// Seconds until it is complete, if that is known.
    pub eta: Option<u64>,
    /// The folder of its content.
    pub folder: String,
    /// Its labels.
    pub labels: Vec<String>,
}

impl Figures {
    /// The fields that [`Figures::of`] reads.
    pub const FIELDS: &[&str] = &[
        "id",
        "hashString",
        "name",
        "status",
        "error",
        "errorString",
        "isFinished",
        "metadataPercentComplete",
        "recheckProgress",
        "sizeWhenDone",
        "leftUntilDone",
        "downloadedEver",
        "uploadedEver",
        "rateDownload",
        "rateUpload",
        "peersConnected",
        "eta",
        "downloadDir",
        "labels",
    ];

    /// Reads an answer.
    pub fn of(torrent: &Value) -> Figures {
        let (size, left) = (number(torrent, "sizeWhenDone"), number(torrent, "leftUntilDone"));
        let state = state(torrent);
        let done = match state {
            "checking" => share(torrent, "recheckProgress"),
            // Of a link that the daemon knows nothing about yet, it reports no size.
            _ if size == 0 => share(torrent, "metadataPercentComplete"),
            _ => percent(size.saturating_sub(left), size),
        };
        let problem =
            if number(torrent, "error") > 0 { words(text(torrent, "errorString"), "") } else { String::new() };
        Figures {
            found: Found::of(torrent),
            state,
            problem,
            is_local: number(torrent, "error") >= LOCAL_ERROR,
            done,
            size,
            left,
            downloaded: number(torrent, "downloadedEver"),
            uploaded: number(torrent, "uploadedEver"),
            down_rate: number(torrent, "rateDownload"),
            up_rate: number(torrent, "rateUpload"),
            peers: number(torrent, "peersConnected"),
            eta: whole(torrent, "eta").and_then(|eta| u64::try_from(eta).ok()).filter(|_| state != "waiting"),
            folder: text(torrent, "downloadDir").into(),
            labels: list(torrent, "labels")
                .iter()
                .take(MOST_LABELS)
                .filter_map(Value::text)
                .map(String::from)
                .collect(),
        }
    }

    /// The object of [`--json`](crate::book::json), without its end.
    pub fn object(&self) -> Object {
        let mut object = self.found.object("torrent");
        object.text("state", self.state);
        object.text_or_null("problem", Some(self.problem.as_str()).filter(|problem| !problem.is_empty()));
        object.number("size", self.size);
        object.number("left", self.left);
        object.number("downloaded", self.downloaded);
        object.number("uploaded", self.uploaded);
        object.number("down_rate", self.down_rate);
        object.number("up_rate", self.up_rate);
        object.number("peers", self.peers);
        number_or_null(&mut object, "eta", self.eta);
        object.text("folder", &self.folder);
        object.raw("labels", &json::array(&mut self.labels.iter().map(|label| json::string(label))));
        object
    }
}

/// What a torrent does (the numbers of rpc-spec.md, section 3.3).
fn state(torrent: &Value) -> &'static str {
    let lacks_description = real(torrent, "metadataPercentComplete").is_some_and(|part| part < 1.0);
    match whole(torrent, "status") {
        Some(3..) if number(torrent, "error") >= LOCAL_ERROR => "waiting",
        _ if number(torrent, "error") >= LOCAL_ERROR => "failed",
        Some(0) if flag(torrent, "isFinished") => "finished",
        Some(0) => "stopped",
        Some(2) => "checking",
        Some(1 | 3 | 5) => "queued",
        Some(4) if lacks_description => "learning",
        Some(4) => "downloading",
        Some(6) => "seeding",
        _ => "unknown",
    }
}

/// The share, from 0 to 1, that a field names: `40.5 %`.
fn share(torrent: &Value, key: &str) -> String {
    // A cast saturates.
    percent((real(torrent, key).unwrap_or(0.0) * 1000.0) as u64, 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json::read::read;

    fn figures(text: &str) -> Figures {
        Figures::of(&read(text).unwrap())
    }

    #[test]
    fn every_state_of_transmission_has_a_word() {
        for (fields, word) in [
            (r#""status":0"#, "stopped"),
            (r#""status":0,"isFinished":true"#, "finished"),
            (r#""status":1"#, "queued"),
            (r#""status":2"#, "checking"),
            (r#""status":3"#, "queued"),
            (r#""status":4,"metadataPercentComplete":1"#, "downloading"),
            (r#""status":4,"metadataPercentComplete":0.5"#, "learning"),
            (r#""status":5"#, "queued"),
            (r#""status":6,"error":2"#, "seeding"),
            (r#""status":0,"error":3"#, "failed"),
            // Our daemon goes on by itself when its disk works again.
            (r#""status":4,"error":3"#, "waiting"),
            (r#""status":7"#, "unknown"),
            (r#""status":"4""#, "unknown"),
        ] {
            assert_eq!(figures(&format!("{{{fields}}}")).state, word, "{fields}");
        }
    }

    #[test]
    fn the_part_that_is_done_is_what_the_state_is_about() {
        assert_eq!(figures(r#"{"status":4,"sizeWhenDone":1000,"leftUntilDone":595}"#).done, "40.5 %");
        assert_eq!(figures(r#"{"status":2,"sizeWhenDone":1000,"recheckProgress":0.25}"#).done, "25.0 %");
        assert_eq!(figures(r#"{"status":0,"sizeWhenDone":0,"metadataPercentComplete":0.5}"#).done, "50.0 %");
    }

    #[test]
    fn nonsense_counts_as_nothing() {
        let odd = r#"{"id":-1,"name":7,"hashString":null,"sizeWhenDone":1e300,"leftUntilDone":-5,"eta":-2,
            "rateDownload":"fast","labels":[1,"a",{}],"status":2,"recheckProgress":-1e300,"error":1}"#;
        let odd = figures(odd);
        assert_eq!((odd.found.id, odd.found.name.as_str(), odd.size, odd.left), (0, "", i64::MAX as u64, 0));
        assert_eq!((odd.eta, odd.down_rate, odd.done.as_str(), odd.labels), (None, 0, "0.0 %", vec!["a".to_string()]));
        for text in ["null", "[]", "7", "{}", r#"{"recheckProgress":1e308,"status":2}"#] {
            figures(text);
        }
    }
}
