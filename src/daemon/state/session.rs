//! What the daemon keeps of itself: settings that programs changed, and sums over all runs.
//!
//! Floor 4. Pure. A setting that a program changed stays until the configuration file gives another value than it had
//! then. So a person who edits the file is obeyed, and a person who does not edit it loses nothing.

use super::saved::{sealed, unsealed};
use crate::daemon::rpc::session::Sums;
use crate::daemon::settings::table::{Place, TABLE};
use crate::daemon::settings::{Encryption, Given, Settings, Source};
use crate::proto::bencode::{Bencode, Value};

/// What the daemon keeps of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// Settings that programs changed.
    pub changes: Vec<Change>,
    /// Sums over all runs.
    pub sums: Sums,
}

/// A setting that a program changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Its value, as a configuration file has it.
    pub value: String,
    /// The value that the configuration gave when it was changed.
    pub configured: String,
}

/// The settings that differ from the configuration.
pub fn changes(configured: &Settings, now: &Settings) -> Vec<Change> {
    let (mut configured, mut now) = (configured.clone(), now.clone());
    let change = TABLE.iter().filter(|row| row.may_change()).map(|row| Change {
        name: row.name.into(),
        value: text_of(row.place(&mut now)),
        configured: text_of(row.place(&mut configured)),
    });
    change.filter(|change| change.value != change.configured).collect()
}

/// The settings of the configuration, with the changes that still hold.
pub fn with_changes(configured: &Settings, changes: &[Change]) -> Settings {
    let mut now = configured.clone();
    let mut before = configured.clone();
    for change in changes {
        let row = TABLE.iter().find(|row| row.name == change.name && row.may_change());
        let holds = row.is_some_and(|row| text_of(row.place(&mut before)) == change.configured);
        if holds && let Err(wrong) = now.set(&change.name, &Given::Text(&change.value), Source::File) {
            log::warn!("a setting that was saved is left out: {wrong}");
        }
    }
    now
}

/// A value as a configuration file has it.
pub fn text_of(place: Place) -> String {
    match place {
        Place::Flag(flag) => flag.to_string(),
        Place::Number(number, _) => number.to_string(),
        Place::Real(number) => number.to_string(),
        Place::Text(text) => text.clone(),
        Place::Octal(mask) => format!("{mask:03o}"),
        Place::Encryption(Encryption::Tolerated) => "tolerated".into(),
        Place::Encryption(Encryption::Preferred) => "preferred".into(),
        Place::Encryption(Encryption::Required) => "required".into(),
    }
}

/// The bytes of the file.
pub fn encode(session: &Session) -> Vec<u8> {
    let change = |change: &Change| Bencode::list([&*change.name, &*change.value, &*change.configured]);
    let Sums { uploaded, downloaded, files_added, sessions, seconds } = session.sums;
    let sums = [downloaded, files_added, seconds, sessions, uploaded];
    let value = Bencode::dict([
        ("changes", Bencode::List(session.changes.iter().map(change).collect())),
        ("sums", Bencode::list(sums)),
    ]);
    sealed("session", value)
}

/// Reads the bytes of the file. An error says what is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Session, String> {
    let [changes, sums] = unsealed("session", bytes)?.get_all([b"changes".as_slice(), b"sums"]).unwrap_or_default();
    let changes = changes.and_then(Value::items).into_iter().flatten().filter_map(|change| {
        let mut texts = change.items()?.filter_map(|text| text.as_text().map(String::from));
        Some(Change { name: texts.next()?, value: texts.next()?, configured: texts.next()? })
    });
    let mut sums = sums.and_then(Value::items).into_iter().flatten();
    let mut sum = || sums.next().and_then(Value::as_int).and_then(|sum| u64::try_from(sum).ok()).unwrap_or(0);
    let [downloaded, files_added, seconds, sessions, uploaded] = std::array::from_fn(|_| sum());
    Ok(Session { changes: changes.collect(), sums: Sums { uploaded, downloaded, files_added, sessions, seconds } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_holds_until_the_configuration_says_something_else() {
        let configured = Settings { speed_limit_down: 500, download_dir: "/srv".into(), ..Settings::default() };
        let now = Settings { speed_limit_down: 200, seed_ratio_limit: 1.5, umask: 0o002, ..configured.clone() };
        let sums = Sums { uploaded: 1, downloaded: 2, files_added: 3, sessions: 4, seconds: 5 };
        let session = Session { changes: changes(&configured, &now), sums };
        assert_eq!(session.changes.len(), 2, "programs can't change the umask: {:?}", session.changes);
        let read = decode(&encode(&session)).unwrap();
        assert_eq!(read, session);
        let again = with_changes(&configured, &read.changes);
        assert_eq!((again.speed_limit_down, again.seed_ratio_limit, again.umask), (200, 1.5, 0o022));
        let edited = Settings { speed_limit_down: 300, ..configured };
        let again = with_changes(&edited, &read.changes);
        assert_eq!((again.speed_limit_down, again.seed_ratio_limit), (300, 1.5), "the person edited the file");
    }

    #[test]
    fn every_setting_is_read_as_it_is_written() {
        let default = Settings::default();
        for row in &TABLE {
            let (mut written, mut read) = (Settings::default(), Settings::default());
            match row.place(&mut written) {
                Place::Flag(place) => *place = !*place,
                Place::Number(place, most) => *place = if *place < most { *place + 1 } else { 0 },
                Place::Real(place) => *place += 0.1,
                Place::Text(place) => place.push_str("x y"),
                Place::Octal(place) => *place += 1,
                Place::Encryption(place) => *place = Encryption::Required,
            }
            assert_ne!(written, default, "{}", row.name);
            read.set(row.name, &Given::Text(&text_of(row.place(&mut written))), Source::File).unwrap();
            assert_eq!(read, written, "{}", row.name);
        }
    }
}
