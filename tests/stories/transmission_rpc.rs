//! The story of transmission-rpc from PyPI, which many Python programs use. See `tests/common/rpc_calls.py`.

use crate::common::content::Content;
use crate::common::daemon::Daemon;
use crate::common::folder::Folder;
use crate::common::http::Server;
use crate::common::tools::{Tool, here};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

#[test]
fn transmission_rpc_of_python_calls_all_that_it_has() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) || !here(&[Tool::TransmissionRpc]) {
        return;
    }
    let folder = Folder::new();
    let torrent = folder.make_of(&Content::folder("two", &[("a", 50_000), ("b", 50_000)]), "two");
    let bytes = fs::read(&torrent.file).unwrap();
    let server = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(bytes.clone()));
    let daemon = Daemon::start(folder.path(), &[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/rpc_calls.py");
    let mut python = Command::new("python3");
    python.args(["-W", "ignore"]).arg(script).arg(daemon.rpc.port().to_string()).arg(&torrent.file);
    python.arg(format!("http://{}/two.torrent", server.address())).arg(&daemon.dir);
    let output = python.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(said.trim(), "all is well");
}
