//! nginx, a web server that has the files of torrents.

use super::ports::free_port;
use super::process::Process;
use super::wait::{PATIENCE, wait_until};
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A web server on this machine. It ends when dropped.
pub struct Nginx {
    port: u16,
    log: PathBuf,
    process: Process,
}

/// A request that it answered.
#[derive(Debug)]
pub struct Request {
    /// The number of its connection.
    pub connection: String,
    /// The first line, as the client sent it.
    pub line: String,
    /// The HTTP status.
    pub status: u16,
    /// Bytes of the body that were sent.
    pub bytes: u64,
}

impl Nginx {
    /// Serves the files below `root`. `more` is a part of the settings of its server, such as `limit_rate 1m;`.
    pub fn start(root: &Path, scratch: &Path, more: &str) -> Nginx {
        let port = free_port();
        let (mut command, log) = command(root, scratch, &format!("127.0.0.1:{port}"), more);
        let mut process = Process::start("nginx", &mut command, scratch);
        wait_until("nginx listens", PATIENCE, || {
            process.must_run();
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Nginx { port, log, process }
    }

    /// The URL of a file or folder.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The requests so far.
    pub fn requests(&mut self) -> Vec<Request> {
        self.process.must_run();
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let request = |line: &str| {
            let parts: Vec<&str> = line.split('\t').collect();
            let number = |at: usize| parts.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            let (connection, line) = (parts[0].to_string(), parts.get(1).unwrap_or(&"").to_string());
            Request { connection, line, status: number(2) as u16, bytes: number(3) }
        };
        text.lines().map(request).collect()
    }
}

/// The command of a web server at `listen`, such as `10.0.0.1:80`, and its log.
pub fn command(root: &Path, scratch: &Path, listen: &str, more: &str) -> (Command, PathBuf) {
    let home = scratch.join(format!("nginx-{listen}"));
    fs::create_dir_all(&home).expect("the folder can be made");
    let log = home.join("access.log");
    let (shown, root) = (home.display(), root.display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {shown}/{kind};\n"))
        .concat();
    let settings = format!(
        "daemon off; worker_processes 1; pid {shown}/pid; error_log stderr;\nevents {{}}\nhttp {{\n{temporary}\
         log_format lines '$connection\\t$request\\t$status\\t$body_bytes_sent';\n\
         access_log {shown}/access.log lines;\n\
         server {{ listen {listen}; root {root}; {more} }}\n}}\n"
    );
    let file = home.join("nginx.conf");
    fs::write(&file, settings).expect("the settings can be written");
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p"]).arg(&home).arg("-c").arg(&file);
    // Started by root, its worker is another user, which can't read the folders of stories.
    if rustix::process::getuid().is_root() {
        command.args(["-g", "user root;"]);
    }
    (command, log)
}
