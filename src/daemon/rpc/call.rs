//! What programs can ask of the daemon.
//!
//! Floor 4. Pure. Each method of RPC becomes a [`Call`] whose arguments are checked, so that the daemon only has to
//! carry it out.

use super::adding::AddTorrent;
use super::arguments::{Arguments, whole};
use super::changing::ChangeTorrents;
use super::field::{Field, fields};
use super::fixed;
use super::{Failure, Kind};
use crate::base::hex::from_hex;
use crate::base::json::read::Value;
use crate::daemon::settings::table::snake;
use crate::daemon::settings::{Given, Settings, Source};
use crate::proto::id::InfoHash;

/// One thing that a program wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// What is known of torrents. [`torrents::write`](super::torrents::write) answers.
    TorrentGet(GetTorrents),
    /// Changes torrents.
    TorrentSet(Ids, Box<ChangeTorrents>),
    /// Adds a torrent. [`torrents::write_added`](super::torrents::write_added) answers.
    TorrentAdd(Box<AddTorrent>),
    /// Starts torrents, when they have a place.
    TorrentStart(Ids),
    /// Starts torrents now.
    TorrentStartNow(Ids),
    /// Stops torrents.
    TorrentStop(Ids),
    /// Reads and hashes the content of torrents.
    TorrentVerify(Ids),
    /// Announces torrents to their trackers.
    TorrentReannounce(Ids),
    /// Removes torrents, and their content if `delete` is set.
    TorrentRemove {
        /// Which.
        ids: Ids,
        /// The content is deleted, too.
        delete: bool,
    },
    /// The content of torrents is in another folder.
    TorrentSetLocation {
        /// Which.
        ids: Ids,
        /// The folder.
        location: String,
        /// It is moved there; otherwise it is there already.
        carry: bool,
    },
    /// A file or folder of a torrent gets another name. [`torrents::write_renamed`](super::torrents::write_renamed)
    /// answers.
    TorrentRenamePath {
        /// One torrent.
        ids: Ids,
        /// The path within the torrent.
        path: String,
        /// The new last component.
        name: String,
    },
    /// Moves torrents in the queue.
    QueueMove(Ids, QueueMove),
    /// The settings with these names; all if `None`. [`session::write_settings`](super::session::write_settings)
    /// answers.
    SessionGet(Option<Vec<String>>),
    /// Changes settings.
    SessionSet(Changes),
    /// What all torrents did together. [`session::write_stats`](super::session::write_stats) answers.
    SessionStats,
    /// The daemon ends.
    SessionClose,
    /// How much space a folder has. [`session::write_space`](super::session::write_space) answers.
    FreeSpace(String),
    /// Whether peers can reach our port, by this protocol or by either.
    /// [`session::write_port`](super::session::write_port) answers.
    PortTest(Option<Protocol>),
    /// The blocklist is fetched. [`session::write_blocklist`](super::session::write_blocklist) answers.
    BlocklistUpdate,
    /// The bandwidth groups. (There are none: [`session::write_groups`](super::session::write_groups).)
    GroupGet,
}

/// Which torrents are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// All.
    All,
    /// Those of which something changed within a minute.
    Recent,
    /// These. Those that do not exist are ignored.
    These(Vec<Id>),
}

/// The name of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// Its number.
    Number(u32),
    /// Its info-hash.
    Hash(InfoHash),
}

/// What `torrent-get` asks.
#[derive(Clone, Debug, PartialEq)]
pub struct GetTorrents {
    /// Which torrents.
    pub ids: Ids,
    /// What of each, with the names by which the program knows it.
    pub fields: Vec<(String, Field)>,
    /// One row of names and one row for each torrent, and not objects.
    pub as_table: bool,
}

impl GetTorrents {
    /// Whether the records do not have all of it: the engine must be asked for the details of each torrent.
    pub fn needs_details(&self) -> bool {
        self.fields.iter().any(|(_, field)| field.is_detail())
    }

    /// What is asked of each file.
    pub fn of_files(&self) -> OfFiles {
        match self.fields.iter().map(|(_, field)| field.least_of_file()).max() {
            Some(least) if least >= Field::Files.least_of_file() => OfFiles::Names,
            Some(1..) => OfFiles::Figures,
            _ => OfFiles::Nothing,
        }
    }

    /// The least number of bytes that the answer has for each file.
    pub fn least_of_file(&self) -> usize {
        self.fields.iter().map(|(_, field)| field.least_of_file()).sum()
    }
}

/// What is asked of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfFiles {
    /// Nothing.
    Nothing,
    /// Its figures.
    Figures,
    /// Its name, too.
    Names,
}

/// A protocol by which peers may reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Where torrents go in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueMove {
    /// To the front.
    Top,
    /// One place towards the front.
    Up,
    /// One place towards the end.
    Down,
    /// To the end.
    Bottom,
}

/// Settings to be changed, not yet checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes(Vec<(String, Owned)>);

#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Flag(bool),
    Number(f64),
    Text(String),
    Texts(Vec<String>),
    Other,
}

impl Owned {
    /// Whether it is what a setting that can't be changed is.
    fn is(&self, value: fixed::Value) -> bool {
        match (self, value) {
            (Owned::Flag(flag), fixed::Value::Flag(other)) => *flag == other,
            (Owned::Number(number), fixed::Value::Number(other)) => *number == f64::from(other),
            (Owned::Texts(texts), fixed::Value::One(text)) => *texts == [text],
            _ => false,
        }
    }
}

impl Changes {
    fn new(arguments: &Arguments) -> Changes {
        let owned = |value: &Value| match value {
            Value::Flag(flag) => Owned::Flag(*flag),
            Value::Whole(number) => Owned::Number(*number as f64),
            Value::Real(number) => Owned::Number(*number),
            Value::Text(text) => Owned::Text(text.to_string()),
            Value::List(list) => Owned::Texts(list.iter().filter_map(Value::text).map(String::from).collect()),
            Value::Null | Value::Object(_) => Owned::Other,
        };
        // tremc writes null beside the flag that a limit does not hold.
        let given = arguments.pairs().filter(|(_, value)| **value != Value::Null);
        Changes(given.map(|(name, value)| (name.into(), owned(value))).collect())
    }

    /// `before` with the changes. All are good, or none is made. Names that are not known are ignored.
    pub fn applied(&self, before: &Settings) -> Result<Settings, Failure> {
        let mut after = before.clone();
        for (name, value) in &self.0 {
            fixed::check(name, |only| value.is(only)).map_err(Failure::params)?;
            let given = match value {
                Owned::Flag(flag) => Given::Flag(*flag),
                Owned::Number(number) => Given::Number(*number),
                Owned::Text(text) => Given::Text(text),
                Owned::Texts(_) | Owned::Other => Given::Other,
            };
            after.set(name, &given, Source::Rpc).map_err(Failure::params)?;
        }
        for (old, new) in
            [(&before.download_dir, &mut after.download_dir), (&before.incomplete_dir, &mut after.incomplete_dir)]
        {
            if old != new {
                let allowed = before.allowed_dir(new).map_err(|text| Failure::new(Kind::PathNotAbsolute, text))?;
                // It came from a text.
                *new = allowed.to_string_lossy().into_owned();
            }
        }
        Ok(after)
    }
}

/// Reads the call of a method.
pub fn read(method: &str, arguments: Option<&Value>) -> Result<Call, Failure> {
    let arguments = Arguments::new(arguments)?;
    let ids = || ids(&arguments);
    Ok(match &*snake(method) {
        "torrent_get" => {
            let list = arguments.list("fields")?.ok_or_else(|| Failure::params("no fields specified"))?;
            let as_table = arguments.text("format")? == Some("table");
            // A program that writes null means all. (It can't do harm here.)
            let ids = if arguments.get("ids").is_none() && arguments.get("id").is_none() { Ids::All } else { ids()? };
            Call::TorrentGet(GetTorrents { ids, fields: fields(list), as_table })
        }
        "torrent_set" => Call::TorrentSet(ids()?, Box::new(ChangeTorrents::read(&arguments)?)),
        "torrent_add" => Call::TorrentAdd(Box::new(AddTorrent::read(&arguments)?)),
        "torrent_start" => Call::TorrentStart(ids()?),
        "torrent_start_now" => Call::TorrentStartNow(ids()?),
        "torrent_stop" => Call::TorrentStop(ids()?),
        "torrent_verify" => Call::TorrentVerify(ids()?),
        "torrent_reannounce" => Call::TorrentReannounce(ids()?),
        "torrent_remove" => {
            Call::TorrentRemove { ids: ids()?, delete: arguments.flag("delete_local_data")?.unwrap_or(false) }
        }
        "torrent_set_location" => {
            let location = arguments.text("location")?.ok_or_else(|| Failure::params("no location"))?.to_string();
            if !location.starts_with('/') {
                return Err(Failure::new(Kind::PathNotAbsolute, "new location path is not absolute"));
            }
            Call::TorrentSetLocation { ids: ids()?, location, carry: arguments.flag("move")?.unwrap_or(false) }
        }
        "torrent_rename_path" => {
            let text = |name: &str| {
                let text = arguments.text(name)?.filter(|text| !text.is_empty());
                text.map(String::from).ok_or_else(|| Failure::params(format!("{name}: expected a text")))
            };
            Call::TorrentRenamePath { ids: ids()?, path: text("path")?, name: text("name")? }
        }
        "queue_move_top" => Call::QueueMove(ids()?, QueueMove::Top),
        "queue_move_up" => Call::QueueMove(ids()?, QueueMove::Up),
        "queue_move_down" => Call::QueueMove(ids()?, QueueMove::Down),
        "queue_move_bottom" => Call::QueueMove(ids()?, QueueMove::Bottom),
        "session_get" => {
            let names = |list: &[Value]| list.iter().filter_map(Value::text).map(String::from).collect();
            Call::SessionGet(arguments.list("fields")?.map(names))
        }
        "session_set" => Call::SessionSet(Changes::new(&arguments)),
        "session_stats" => Call::SessionStats,
        "session_close" => Call::SessionClose,
        "free_space" => {
            let path = arguments.text("path")?;
            let path = path.ok_or_else(|| Failure::params("directory path argument is missing"))?;
            if !path.starts_with('/') {
                return Err(Failure::new(Kind::PathNotAbsolute, "directory path is not absolute"));
            }
            Call::FreeSpace(path.into())
        }
        "port_test" => Call::PortTest(match arguments.text("ip_protocol")? {
            None => None,
            Some("ipv4") => Some(Protocol::V4),
            Some("ipv6") => Some(Protocol::V6),
            Some(_) => return Err(Failure::params("ip_protocol: expected ipv4 or ipv6")),
        }),
        "blocklist_update" => Call::BlocklistUpdate,
        "group_get" => Call::GroupGet,
        "group_set" => return Err(Failure::no_groups()),
        _ => return Err(Failure::new(Kind::Method, "method name not recognized")),
    })
}

/// Which torrents the arguments name. A value that names none must not mean all.
fn ids(arguments: &Arguments) -> Result<Ids, Failure> {
    let is_given = arguments.pairs().any(|(name, _)| name == "ids" || name == "id");
    let wrong = || Failure::params("ids: expected a number, a list of numbers and hashes, or \"recently-active\"");
    match arguments.get("ids").or_else(|| arguments.get("id")) {
        None if is_given || arguments.are_damaged => Err(wrong()),
        None => Ok(Ids::All),
        Some(Value::Text(text)) if snake(text) == "recently_active" => Ok(Ids::Recent),
        Some(Value::List(list)) => Ok(Ids::These(list.iter().filter_map(id).collect())),
        Some(value @ (Value::Whole(_) | Value::Real(_) | Value::Text(_))) => {
            Ok(Ids::These(id(value).into_iter().collect()))
        }
        Some(_) => Err(wrong()),
    }
}

fn id(value: &Value) -> Option<Id> {
    match value {
        Value::Text(text) => from_hex(text).map(|hash| Id::Hash(InfoHash(hash))),
        number => u32::try_from(whole(number)?).ok().map(Id::Number),
    }
}
