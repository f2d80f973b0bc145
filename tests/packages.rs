//! The files in src/packaging: shell scripts without faults, a unit that systemd takes, and configurations that the
//! daemon takes. `make check-packages` installs the packages.

#![cfg(feature = "daemon")]

use std::env;
use std::fs;
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
    let checks = ["check/deb.sh", "check/dist.sh", "check/openwrt.sh"];
    succeed(Command::new("shellcheck").args(scripts.iter().chain(&checks).map(|name| packaging(name))));
    succeed(Command::new("shellcheck").args(["-s", "sh"]).arg(packaging("openwrt/files/swarmlet.init")));
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

#[test]
fn the_daemon_takes_what_the_init_script_of_openwrt_writes() {
    let folder = tempfile::tempdir().unwrap();
    let [state, done] = ["state", "done"].map(|name| folder.path().join(name));
    let mut script = Command::new(packaging("check/openwrt.sh"));
    script.args(["swarmlet.init", "swarmlet.config"].map(|name| packaging("openwrt/files").join(name)));
    script.arg(folder.path()).args([
        "enabled=1",
        "speed_limit_up=77",
        "encryption=2",
        "umask=63",
        "rpc_password=a # b",
    ]);
    script.arg(format!("config_dir={}", state.display())).arg(format!("download_dir={}", done.display()));
    let said = succeed(&mut script);
    let file = folder.path().join("main.conf");
    let command = format!("daemon --config {} --state {}", file.display(), state.display());
    for line in [&*command, "reload_signal HUP", "limits core=0 0 data=", "add_reload_trigger swarmlet"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let written = fs::read_to_string(&file).unwrap();
    for (key, value) in
        [("speed-limit-up", "77"), ("encryption", "required"), ("umask", "077"), ("rpc-password", "a # b")]
    {
        assert!(written.contains(&format!("{key} = \"{value}\"\n")), "{key}: {written}");
    }
    let said = refusal(&file);
    assert!(said.starts_with("Some(73)"), "{said}");
}
