//! Stories of how a run ends before its time: told to, told twice, or because nobody listens.

use crate::common::content::Content;
use crate::common::http::Server;
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

/// As under `| head -1`: nobody wants to know any more, so it ends, and says goodbye.
#[test]
fn when_nobody_reads_what_it_tells_it_ends_well() {
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

/// Goodbyes have two seconds, whatever a tracker does; and who can't wait for them interrupts again.
#[test]
fn a_tracker_that_hangs_at_the_end_is_not_waited_for() {
    let (hold, goodbyes) = (Mutex::new(Vec::new()), Arc::new(AtomicUsize::new(0)));
    let heard = goodbyes.clone();
    let server = Server::raw((Ipv4Addr::LOCALHOST, 0).into(), move |target, stream| {
        if !target.contains("event=stopped") {
            return stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nd8:intervali1800e5:peers0:e");
        }
        hold.lock().unwrap().push(stream.try_clone()?);
        heard.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let scratch = tempfile::tempdir().unwrap();
    let url = format!("http://{}/announce", server.address());
    let torrent = Maker::Ours.make(&a_file(), &scratch.path().join("source"), PIECE, &url);
    let get = Get::new("leecher", scratch.path()).torrent(&torrent).arg("--json");
    for (goodbye, insists) in [(1, false), (2, true)] {
        let mut leecher = get.start();
        wait_until("it knows the tracker", PATIENCE, || {
            leecher.must_run();
            leecher.stdout().contains("the tracker knows none")
        });
        let interrupt = || kill_process(Pid::from_raw(leecher.id() as i32).unwrap(), Signal::INT).unwrap();
        interrupt();
        wait_until("it says goodbye", PATIENCE, || goodbyes.load(Ordering::Relaxed) == goodbye);
        let begun = Instant::now();
        if insists {
            // Signals that come within 50 ms are one.
            thread::sleep(Duration::from_millis(100));
            interrupt();
        }
        let outcome = leecher.wait();
        outcome.assert_code(75);
        // The deadline of other announces is 30 s.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert_eq!(outcome.stdout.contains(r#""event":"stopped""#), !insists, "the second signal ends it at once");
    }
}
