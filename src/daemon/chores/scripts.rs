//! Programs that are started when something happens to a torrent.
//!
//! Floor 4. Only the configuration file names them; RPC can't (CVE-2018-5702). They are started directly, without a
//! shell, so a name such as `$(reboot)` is only a name. Transmission's variables say what happened. Nobody waits for
//! them but a helper that takes their end from the system.

use super::start;
use crate::daemon::record::Record;
use crate::daemon::settings::Settings;
use crate::sys::in_words;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most programs that run at once. A program that never ends must not use up the machine.
const MOST: usize = 8;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A torrent was added.
    Added,
    /// It is complete.
    Done,
    /// It has seeded enough.
    DoneSeeding,
}

/// The programs that run.
#[derive(Clone, Default)]
pub struct Scripts(Arc<AtomicUsize>);

impl Scripts {
    /// Starts the program for what happened, if there is one.
    pub fn run(&self, event: Event, record: &Record, settings: &Settings, time: &str) {
        let Some(file) = file_for(event, settings) else { return };
        if self.0.fetch_add(1, Ordering::Relaxed) >= MOST {
            self.0.fetch_sub(1, Ordering::Relaxed);
            log::warn!("{file} is not started: {MOST} such programs run already");
            return;
        }
        let mut command = Command::new(file);
        command.envs(variables(record, time)).stdin(Stdio::null()).stdout(Stdio::null());
        let (file, running) = (file.to_string(), Arc::clone(&self.0));
        let run = move || {
            let ended = command.status();
            running.fetch_sub(1, Ordering::Relaxed);
            match ended {
                Ok(status) if status.success() => {}
                Ok(status) => log::warn!("{file} has failed: {status}"),
                Err(error) => log::warn!("can't start {file}: {}", in_words(&error)),
            }
        };
        if !start("script", run) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// What is wrong with the programs that the settings name, as far as that can be known before they are started.
pub fn faults(settings: &Settings) -> Vec<String> {
    let fault = |event| {
        let file = Path::new(file_for(event, settings)?);
        if !file.is_absolute() {
            return Some(format!("the script {} has no absolute path, so it may not be found", file.display()));
        }
        let why = match fs::metadata(file) {
            Ok(found) if found.is_file() && found.mode() & 0o111 != 0 => return None,
            Ok(_) => "it is not an executable file".into(),
            Err(error) => in_words(&error),
        };
        Some(format!("the script {} can't be started: {why}", file.display()))
    };
    [Event::Added, Event::Done, Event::DoneSeeding].into_iter().filter_map(fault).collect()
}

fn file_for(event: Event, settings: &Settings) -> Option<&str> {
    let (is_on, file) = match event {
        Event::Added => (settings.script_torrent_added_enabled, &settings.script_torrent_added_filename),
        Event::Done => (settings.script_torrent_done_enabled, &settings.script_torrent_done_filename),
        Event::DoneSeeding => {
            (settings.script_torrent_done_seeding_enabled, &settings.script_torrent_done_seeding_filename)
        }
    };
    (is_on && !file.is_empty()).then_some(file)
}

/// Transmission's variables. What strangers chose (names, labels, trackers) has no control characters: a line end in a
/// name must not look like another line in a log that the program writes.
fn variables(record: &Record, time: &str) -> Vec<(&'static str, String)> {
    let clean = |text: &str| text.chars().map(|c| if c.is_control() { '_' } else { c }).collect::<String>();
    let trackers: Vec<&str> = record.trackers.iter().map(|tracker| &*tracker.announce).collect();
    vec![
        ("TR_APP_VERSION", env!("CARGO_PKG_VERSION").into()),
        ("TR_TIME_LOCALTIME", time.into()),
        ("TR_TORRENT_BYTES_DOWNLOADED", record.now.have_valid.to_string()),
        ("TR_TORRENT_DIR", clean(&record.download_dir)),
        ("TR_TORRENT_HASH", record.about.hash.map(|hash| hash.to_string()).unwrap_or_default()),
        ("TR_TORRENT_ID", record.id.to_string()),
        ("TR_TORRENT_LABELS", clean(&record.labels.join(","))),
        ("TR_TORRENT_NAME", clean(&record.about.name)),
        ("TR_TORRENT_PRIORITY", record.wishes.bandwidth_priority.to_string()),
        ("TR_TORRENT_TRACKERS", clean(&trackers.join(","))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::record::About;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, Instant};

    #[test]
    fn a_program_gets_the_name_as_a_name_and_not_as_a_command() {
        let temp = tempfile::tempdir().unwrap();
        let (script, out) = (temp.path().join("script"), temp.path().join("out"));
        fs::write(
            &script,
            format!(
                "#!/bin/sh\nprintf %s \"$TR_TORRENT_NAME|$TR_TORRENT_ID\" > {}.new\nmv {0}.new {0}\n",
                out.display()
            ),
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let settings = Settings {
            script_torrent_done_enabled: true,
            script_torrent_done_filename: script.display().to_string(),
            ..Settings::default()
        };
        let about = About { name: "$(touch x)\n`id`;a".into(), ..About::default() };
        let record = Record { id: 7, about: Arc::new(about), ..Record::default() };
        assert!(faults(&settings).is_empty());
        for (file, fault) in [
            (temp.path().join("nope"), "can't be started: No such file or directory"),
            (temp.path().to_path_buf(), "can't be started: it is not an executable file"),
            ("script".into(), "has no absolute path, so it may not be found"),
        ] {
            let settings = Settings { script_torrent_done_filename: file.display().to_string(), ..settings.clone() };
            assert_eq!(faults(&settings), [format!("the script {} {fault}", file.display())]);
        }
        let scripts = Scripts::default();
        scripts.run(Event::Added, &record, &settings, "");
        scripts.run(Event::Done, &record, &settings, "");
        let began = Instant::now();
        while !out.exists() || scripts.0.load(Ordering::Relaxed) > 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "the script runs and its end is noticed");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(fs::read_to_string(out).unwrap(), "$(touch x)_`id`;a|7");
    }
}
