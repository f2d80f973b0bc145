//! Writers that are fast, that stop for a while, and that fail.

use super::*;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

/// Each write of 16 KiB waits until the test lets it pass, and is then shown to it.
struct Gate {
    passes: Receiver<io::Result<()>>,
    written: Sender<String>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A pipe takes a part at a time.
        let bytes = &bytes[..bytes.len().min(16 << 10)];
        self.passes.recv().unwrap_or(Ok(()))?;
        let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn spool(failed: impl Fn(&io::Error) + Send + 'static) -> (Spool, Sender<io::Result<()>>, Receiver<String>) {
    let ((pass, passes), (written, seen)) = (unbounded(), unbounded());
    (Spool::start(Box::new(Gate { passes, written }), Form::Text, failed).unwrap(), pass, seen)
}

#[test]
fn all_lines_are_written_in_order_before_the_end() {
    let (spool, pass, seen) = spool(|_| {});
    drop(pass);
    (0..1000).for_each(|number| spool.add(&format!(" {number}")));
    spool.end(" ends", PATIENCE);
    let text: String = seen.try_iter().collect();
    let numbers: Vec<&str> = text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    let expected = (0..1000).map(|number| number.to_string()).chain(["ends".into()]);
    assert_eq!(numbers, expected.collect::<Vec<_>>());
    let times: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(times.is_sorted_by_key(|time| time.parse::<f64>().unwrap()), "times never go back");
}

/// The memory is full and the writer hangs: the threads that report wait once, and then go on. Afterwards a line says
/// how many are missing.
#[test]
fn a_writer_that_hangs_stops_nobody_and_what_is_lost_is_counted() {
    let (spool, pass, seen) = spool(|_| {});
    let long = format!(" {}", "x".repeat(MOST_BYTES / 4));
    let began = Instant::now();
    (0..40).for_each(|_| spool.add(&long));
    let took = began.elapsed();
    assert!(took < 4 * PATIENCE, "it took {took:?}");
    assert!(lock(&spool.0.state).lines.len() <= MOST_BYTES + 200, "the memory is bounded");
    drop(pass);
    // (The first lines that find room.)
    while lock(&spool.0.state).lost > 0 {
        spool.add(" after");
        thread::yield_now();
    }
    spool.end(" ends", PATIENCE);
    let text: String = seen.try_iter().collect();
    let kept = text.lines().filter(|line| line.contains("xxx")).count() as u64;
    let lost = text.lines().filter_map(|line| line.split_once(" trace - - lost lines ")?.1.parse::<u64>().ok());
    let after = text.lines().filter(|line| line.ends_with(" after")).count() as u64;
    assert!(kept > 0 && after > 0, "{kept} {after}");
    assert!(kept + lost.sum::<u64>() >= 40, "each line is there or counted");
}

/// It reads all the time, but needs longer than the patience for all that waits.
#[test]
fn a_reader_that_is_slow_gets_every_line() {
    let (spool, pass, seen) = spool(|_| {});
    thread::spawn(move || {
        while pass.send(Ok(())).is_ok() {
            thread::sleep(PATIENCE / 12);
        }
    });
    let long = format!(" {}", "x".repeat(MOST_BYTES / 4));
    (0..8).for_each(|_| spool.add(&long));
    assert_eq!(lock(&spool.0.state).lost, 0);
    spool.end(" ends", 10 * PATIENCE);
    let text: String = seen.try_iter().collect();
    assert!(text.matches("xxx\n").count() == 8 && !text.contains(" lost ") && text.ends_with(" ends\n"));
}

#[test]
fn a_full_disk_is_told_once_and_ends_the_trace() {
    let (told, hears) = bounded(9);
    let (spool, pass, _seen) = spool(move |error| drop(told.send(error.to_string())));
    pass.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    spool.add(" first");
    assert_eq!(hears.recv().unwrap(), io::Error::from(io::ErrorKind::StorageFull).to_string());
    let began = Instant::now();
    (0..100).for_each(|_| spool.add(&"x".repeat(MOST_BYTES)));
    spool.end(" ends", PATIENCE);
    assert!(began.elapsed() < PATIENCE, "nobody waits for it");
    assert!(hears.try_recv().is_err(), "it is told once");
}

/// The writer hangs, but the memory is empty: nobody waits.
#[test]
fn a_long_line_finds_room_in_an_empty_memory_at_once() {
    let (spool, pass, _seen) = spool(|_| {});
    let began = Instant::now();
    spool.add(&"x".repeat(2 * MOST_BYTES));
    assert!(began.elapsed() < PATIENCE && lock(&spool.0.state).lost == 0);
    drop(pass);
    spool.end(" ends", PATIENCE);
}

#[test]
fn a_line_that_is_longer_than_the_memory_is_not_lost() {
    let (spool, pass, seen) = spool(|_| {});
    drop(pass);
    spool.add(" before");
    spool.add(&" long".repeat(MOST_BYTES));
    spool.end(" ends", PATIENCE);
    let text: String = seen.try_iter().collect();
    assert!(text.len() > 5 * MOST_BYTES && text.ends_with(" ends\n") && !text.contains("lost"));
}
