//! `make install`, and the files in src/packaging: shell scripts without faults, a unit that systemd takes, and configurations that the
//! daemon takes. `make check-packages` installs the packages.

#![cfg(feature = "daemon")]

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_swarmlet");

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/packaging").join(name)
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs it and returns what it says. It must succeed.
fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// Whether `program` is here. If not, the test is skipped; with CI=true it fails.
fn is_here(program: &str) -> bool {
    let is_here = Command::new(program).arg("--version").output().is_ok();
    if !is_here {
        assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "SKIPPED: {program} is missing");
        eprintln!("SKIPPED: {program} is missing");
    }
    is_here
}

/// How the daemon ends with this configuration, if its state is where it can't be. It reads the configuration first.
fn refusal(configuration: &Path) -> String {
    let mut daemon = Command::new(PROGRAM);
    daemon.arg("daemon").args(["--state", "/dev/null/state", "--config"]).arg(configuration);
    let output = run(&mut daemon);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    format!("{:?}: {text}", output.status.code())
}

#[test]
fn the_shell_scripts_have_no_faults() {
    if !is_here("shellcheck") {
        return;
    }
    let scripts = ["deb/build.sh", "deb/postinst", "deb/prerm", "deb/postrm", "dist.sh"];
    let checks = ["deb.sh", "debian.sh", "dist.sh", "openwrt.sh", "router.sh", "router-steps.sh", "systemd.sh"];
    let checks = checks.map(|name| format!("check/{name}"));
    let all = scripts.iter().copied().chain(checks.iter().map(String::as_str));
    succeed(Command::new("shellcheck").args(all.map(packaging)));
    succeed(Command::new("shellcheck").args(["-s", "sh"]).arg(packaging("openwrt/files/swarmlet.init")));
}

/// With sudo, PATH has no cargo that rustup brought.
#[test]
fn what_make_built_is_installed_without_cargo_and_removed_again() {
    let folder = tempfile::tempdir().unwrap();
    let [built, to] = ["target", "to"].map(|name| folder.path().join(name));
    let make = |target: &str| {
        let mut make = Command::new("make");
        make.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("MAKEFLAGS").args([target, "CARGO=no-such-cargo"]);
        make.arg(format!("CARGO_TARGET_DIR={}", built.display())).arg(format!("DESTDIR={}", to.display()));
        make
    };
    let output = run(&mut make("install"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("nothing is built, and cargo is not in PATH"), "{said}");
    assert!(!to.exists(), "nothing is installed");
    fs::create_dir_all(built.join("release")).unwrap();
    fs::copy(PROGRAM, built.join("release/swarmlet")).unwrap();
    succeed(&mut make("install"));
    for name in ["bin/swarmlet", "bin/bttrack.py", "share/man/man1/swarmlet-get.1"] {
        assert!(to.join("usr/local").join(name).is_file(), "{name}");
    }
    succeed(&mut make("uninstall"));
    let left = succeed(Command::new("find").arg(&to).args(["-not", "-type", "d"]));
    assert_eq!(left, "");
}

#[test]
fn systemd_takes_the_unit() {
    if !is_here("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = fs::read_to_string(packaging("deb/swarmlet.service")).unwrap();
    let file = folder.path().join("swarmlet.service");
    fs::write(&file, unit.replace("/usr/bin/swarmlet", PROGRAM)).unwrap();
    let said = succeed(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file));
    assert!(!said.contains("swarmlet.service"), "{said}");
}

#[test]
fn the_daemon_takes_the_configuration_of_the_debian_package() {
    let said = refusal(&packaging("deb/daemon.conf"));
    assert!(said.starts_with("Some(73)"), "{said}");
}

/// What the init script for OpenWrt does with these options, which come before those of its configuration. It writes to
/// `run`.
fn start_on_openwrt(run: &Path, options: &[String]) -> String {
    let mut script = Command::new(packaging("check/openwrt.sh"));
    script.args(["swarmlet.init", "swarmlet.config"].map(|name| packaging("openwrt/files").join(name)));
    succeed(script.arg(run).arg("enabled=1").args(options))
}

#[test]
fn the_daemon_takes_what_the_init_script_of_openwrt_writes() {
    let folder = tempfile::tempdir().unwrap();
    let [state, done] = ["disk/state", "disk/done"].map(|name| folder.path().join(name).display().to_string());
    let mut options = vec![format!("config_dir={state}"), format!("download_dir={done}")];
    options.extend(
        ["speed_limit_up=77", "encryption=2", "umask=63", "rpc_password=a # b", "web_home=/www"].map(String::from),
    );
    let said = start_on_openwrt(folder.path(), &options);
    let file = folder.path().join("main.conf");
    let command = format!("daemon --config {} --state {state}\n", file.display());
    for part in [
        &*command,
        "append_param command --web-home /www\n",
        "reload_signal HUP\n",
        "limits core=0 0 data=",
        "add_reload_trigger swarmlet\n",
        &format!("add_jail_mount {}\n", folder.path().display()),
        &format!("add_jail_mount_rw {state}\n"),
        &format!("add_jail_mount_rw {done}\n"),
        &format!("add_restart_mount_trigger {done}\n"),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    let written = fs::read_to_string(&file).unwrap();
    for (key, value) in
        [("speed-limit-up", "77"), ("encryption", "required"), ("umask", "077"), ("rpc-password", "a # b")]
    {
        assert!(written.contains(&format!("{key} = \"{value}\"\n")), "{key}: {written}");
    }
    let said = refusal(&file);
    assert!(said.starts_with("Some(73)"), "{said}");
}

#[test]
fn the_init_script_of_openwrt_makes_no_jail_that_would_hide_something() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let options = [format!("config_dir={}", in_folder("state")), format!("download_dir={}", in_folder("done"))];
    assert!(start_on_openwrt(folder.path(), &options).contains("add_jail "));
    for more in ["script_torrent_done_enabled=1".to_owned(), format!("download_dir={}", in_folder("my files"))] {
        let said = start_on_openwrt(folder.path(), &[&options[..], &[more]].concat());
        assert!(said.contains("open_instance") && !said.contains("jail"), "{said}");
    }
}

#[test]
fn the_init_script_of_openwrt_takes_no_link_and_makes_nothing_behind_one() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, folder.path().join("link")).unwrap();
    for state in ["link", "link/", "link/state", "link/new/state"] {
        let said = start_on_openwrt(folder.path(), &[format!("config_dir={}", in_folder(state))]);
        assert!(said.contains("be no links") && !said.contains("open_instance"), "{state}: {said}");
    }
    for done in ["link/done", "link/new/done"] {
        let options = [format!("config_dir={}", in_folder("state")), format!("download_dir={}", in_folder(done))];
        let said = start_on_openwrt(folder.path(), &options);
        assert!(said.contains(&format!("{done} can't be made")), "{said}");
    }
    assert!(fs::read_dir(&elsewhere).unwrap().next().is_none(), "it made a folder behind a link");
}

#[test]
fn the_init_script_of_openwrt_uses_each_option() {
    let files = packaging("openwrt/files");
    let script = fs::read_to_string(files.join("swarmlet.init")).unwrap();
    let words: Vec<_> = script.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for line in fs::read_to_string(files.join("swarmlet.config")).unwrap().lines() {
        let Some(option) = line.trim().strip_prefix("option ") else { continue };
        let name = option.split(' ').next().unwrap();
        assert!(words.contains(&name), "{name}");
    }
}
