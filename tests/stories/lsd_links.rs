//! Stories of links that name nobody: the peers find each other in the local network (BEP 14).

use super::lsd::{HEARD, Stage};
use crate::common::lan::Addresses;
use crate::common::libtorrent;
use crate::common::peers::{Plan, Program};
use crate::common::process::Process;
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here};
use crate::common::transmission;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::process::Command;

fn get(stage: &Stage) -> Get {
    Get::new("get", stage.path()).arg(stage.torrent.link("")).with_lsd().arg("-vv")
}

#[test]
fn from_libtorrent_by_a_link_alone() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    let get = get(&stage);
    let running = stage.start(&get, 0);
    let mut command = libtorrent::python();
    command.arg("lsd-seed").arg(&stage.torrent.file).arg(&stage.source).args(["0.0.0.0:7001", "0"]);
    let _seed = Process::start("libtorrent", &mut stage.lan.command(1, &command), stage.path());
    running.wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn to_libtorrent_by_a_link_alone() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    let fetched = stage.path().join("fetched");
    fs::create_dir(&fetched).unwrap();
    let _seed = stage.start(&stage.seed(), 0);
    let mut command = libtorrent::python();
    command.arg("lsd-get").arg(stage.torrent.link("")).arg(&fetched).args(["0.0.0.0:7001", "0"]);
    let mut other = Process::start("libtorrent", &mut stage.lan.command(1, &command), stage.path());
    assert!(other.wait(PATIENCE).success());
    stage.content.assert_same_in(&fetched);
}

#[test]
fn from_transmission_by_a_link_alone() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    let plan = Plan::seed(Program::Transmission, &stage.torrent, &stage.source, stage.path());
    let get = get(&stage);
    let running = stage.start(&get, 0);
    let mut other =
        Process::start("transmission", &mut stage.lan.command(1, &transmission::in_a_lan(&plan)), stage.path());
    wait_until("we hear it", 2 * PATIENCE, || {
        other.must_run();
        running.stderr().contains(HEARD)
    });
    running.wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// It is given the link by its remote control, on its own machine.
#[test]
fn to_transmission_by_a_link_alone() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    let fetched = stage.path().join("fetched");
    fs::create_dir(&fetched).unwrap();
    let link = stage.torrent.by_link("");
    let plan = Plan::seed(Program::Transmission, &link, &fetched, stage.path());
    let running = stage.start(&stage.seed(), 0);
    let mut other =
        Process::start("transmission", &mut stage.lan.command(1, &transmission::in_a_lan(&plan)), stage.path());
    let mut remote = Command::new("transmission-remote");
    remote.arg(plan.rpc().to_string()).arg("--add").arg(&link.file);
    let mut remote = stage.lan.command(1, &remote);
    wait_until("it takes the link", PATIENCE, || {
        other.must_run();
        remote.output().is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("success"))
    });
    wait_until("it has everything", 2 * PATIENCE, || {
        other.must_run();
        stage.content.difference_in(&fetched).is_none()
    });
    drop(running);
}
