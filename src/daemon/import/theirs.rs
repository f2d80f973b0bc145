//! What transmission's settings.json says, and whether transmission-daemon still runs.
//!
//! Floor 4, part of the [import](super).

use crate::base::json::read::{Value as Json, read, repaired};
use crate::daemon::settings::{Given, Settings, Source, unused};
use crate::sys::outlet::Outlet;
use crate::sys::{in_words, interfaces, read_regular};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest settings.json that is read, in bytes.
pub const MOST_SETTINGS: u64 = 1 << 20;
/// Most bytes that are read of an answer. That of transmission 3.00 begins with 200 bytes of headers.
const MOST_HEAD: usize = 1 << 10;
/// How long a program on this machine may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// The header by which transmission's answers are known, also a refusal. (Our own daemon does not send it.)
const SERVER: &[u8] = b"server: transmission";

/// What settings.json says.
pub struct Theirs {
    /// Its path.
    pub file: PathBuf,
    /// The settings that we have too.
    pub settings: Settings,
    /// Programs may ask it.
    has_rpc: bool,
    /// What can't be taken over, and why.
    pub left_out: Vec<String>,
}

impl Theirs {
    /// Reads it in the folder `from`.
    pub fn read(from: &Path) -> Result<Theirs, String> {
        let file = from.join("settings.json");
        let text = read_regular(&file, MOST_SETTINGS).map_err(|error| failed(&file, &error))?;
        let text = repaired(&text);
        let Json::Object(pairs) = read(&text).map_err(|why| format!("{}: {why}", file.display()))? else {
            return Err(format!("{}: expected an object", file.display()));
        };
        let mut theirs = Theirs { file, settings: Settings::default(), has_rpc: true, left_out: Vec::new() };
        let mut others = Vec::new();
        for (name, value) in &pairs {
            theirs.has_rpc &= !(matches!(&**name, "rpc-enabled" | "rpc_enabled") && *value == Json::Flag(false));
            let given = match value {
                Json::Flag(flag) => Given::Flag(*flag),
                Json::Whole(number) => Given::Number(*number as f64),
                Json::Real(number) => Given::Number(*number),
                Json::Text(text) => Given::Text(text),
                Json::Null | Json::List(_) | Json::Object(_) => Given::Other,
            };
            match theirs.settings.set(name, &given, Source::File) {
                Ok(true) => {}
                Ok(false) => others.push(&**name),
                Err(why) => theirs.left_out.push(format!("{why}; it is left out")),
            }
        }
        theirs.left_out.extend(unused::notice(&others));
        Ok(theirs)
    }

    /// Refuses to take over while transmission-daemon runs: both would write to the same content. It leaves no lock in
    /// its folder, but it answers at the address that its settings name. The way out is not chosen yet, and what goes
    /// to an address of this machine needs none.
    pub fn must_not_run(&self) -> Result<(), String> {
        if !self.has_rpc {
            return Ok(());
        }
        let at = self.place(|ip| matches!(interfaces::with_address(ip), Ok(Some(_))));
        let head = answer_of(at).unwrap_or_default().to_ascii_lowercase();
        if !head.windows(SERVER.len()).any(|part| part == SERVER) {
            return Ok(());
        }
        Err(format!(
            "transmission-daemon is running: it answers at {at}, as {} says, and two programs must not write to the \
             same content. End it first. If it is one with another folder, import a copy of this folder, with \
             \"rpc-enabled\": false in its settings.json",
            self.file.display()
        ))
    }

    /// Where it answers: at the address that is named, if this machine has it, else on loopback.
    fn place(&self, has: impl Fn(IpAddr) -> bool) -> SocketAddr {
        let named: Option<IpAddr> = self.settings.rpc_bind_address.parse().ok().filter(|ip| has(*ip));
        SocketAddr::new(named.unwrap_or(Ipv4Addr::LOCALHOST.into()), self.settings.rpc_port as u16)
    }
}

/// Says of which file an error is.
pub fn failed(path: &Path, error: &io::Error) -> String {
    format!("{}: {}", path.display(), in_words(error))
}

/// The beginning of what a web server says about itself.
fn answer_of(at: SocketAddr) -> io::Result<Vec<u8>> {
    let outlet = Outlet::default();
    let mut stream = outlet.stream(at)?;
    outlet.connect(&stream, at, ANSWERS_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    stream.write_all(b"GET /transmission/rpc HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut head = vec![0; MOST_HEAD];
    let count = stream.read(&mut head)?;
    head.truncate(count);
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn transmission_is_asked_at_the_address_that_its_settings_name() {
        let from = tempfile::tempdir().unwrap();
        let asked = |address: &str| {
            let text = format!(r#"{{"rpc-bind-address": "{address}", "rpc-port": 7}}"#);
            fs::write(from.path().join("settings.json"), text).unwrap();
            Theirs::read(from.path()).unwrap().place(|ip| ip == IpAddr::from([192, 168, 1, 5])).to_string()
        };
        assert_eq!(asked("192.168.1.5"), "192.168.1.5:7", "it answers nowhere else");
        // It is not asked at an address that another machine may have.
        ["192.168.1.6", "0.0.0.0", "::", "unix:/run/rpc"].iter().for_each(|at| assert_eq!(asked(at), "127.0.0.1:7"));
    }
}
