//! Stories of runs that end early: by a signal, by two signals, or because nobody reads the output.

use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::json;
use crate::common::process::Process;
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::torrent::Maker;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PIECE: usize = 64 * 1024;

fn a_file() -> Content {
    Content::one_file("a file.bin", PIECE)
}

/// As under `| head -1`: the run ends, and announces that.
#[test]
fn a_closed_output_ends_the_run_properly() {
    let stage = Stage::new(a_file(), PIECE);
    let get = stage.get("leecher").arg("--json");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut process = {
        let mut command = get.command();
        Process::start_in_sight("leecher", command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null()))
    };
    let events = || -> Vec<String> { stage.announces_from(&get).into_iter().map(|announce| announce.event).collect() };
    wait_until("it announces itself", PATIENCE, || {
        process.must_run();
        !events().is_empty()
    });
    drop(reader);
    assert_eq!(process.wait(PATIENCE).code(), Some(74));
    assert_eq!(events(), ["started", "stopped"]);
}

/// The last announces have two seconds, whatever a tracker does. A second ^C ends even that wait.
#[test]
fn the_end_of_a_run_does_not_wait_for_a_tracker_that_hangs() {
    let (hold, last_announces) = (Mutex::new(Vec::new()), Arc::new(AtomicUsize::new(0)));
    let heard = last_announces.clone();
    let server = Server::raw((Ipv4Addr::LOCALHOST, 0).into(), move |target, stream| {
        if !target.contains("event=stopped") {
            return stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nd8:completei0e8:intervali1800e5:peers0:e");
        }
        hold.lock().unwrap().push(stream.try_clone()?);
        heard.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let scratch = tempfile::tempdir().unwrap();
    let url = format!("http://{}/announce", server.address());
    let torrent = Maker::Ours.make(&a_file(), &scratch.path().join("source"), PIECE, &url);
    let get = Get::new("leecher", scratch.path()).torrent(&torrent).arg("--json");
    for (count, insists) in [(1, false), (2, true)] {
        let mut leecher = get.start();
        wait_until("the tracker has answered", PATIENCE, || {
            leecher.must_run();
            json::last(&leecher.stdout(), "status").is_some_and(|status| status["swarm_seeds"] == 0)
        });
        let interrupt = || kill_process(Pid::from_raw(leecher.id() as i32).unwrap(), Signal::INT).unwrap();
        interrupt();
        wait_until("the last announce has come", PATIENCE, || last_announces.load(Ordering::Relaxed) == count);
        let begun = Instant::now();
        if insists {
            // Signals within 50 ms count as one.
            thread::sleep(Duration::from_millis(100));
            interrupt();
        }
        let outcome = leecher.wait();
        outcome.assert_code(75);
        // The deadline of other announces is 30 s.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert_eq!(
            outcome.stdout.contains(r#""event":"stopped""#),
            !insists,
            "the second signal must end it at once, the first must not"
        );
    }
}
