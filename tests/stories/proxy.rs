//! Stories of `--proxy`: everything leads through a SOCKS proxy, and nothing around it.

use crate::common::content::Content;
use crate::common::json;
use crate::common::libtorrent;
use crate::common::links::{FAR, Links};
use crate::common::nginx;
use crate::common::process::Process;
use crate::common::ran::swarmlet;
use crate::common::swarmlet::{Get, program};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Torrent, make_with_tiers, make_with_web_seeds};
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const KIB: usize = 1024;
/// The machine of the proxy, as the other one sees it.
const PROXY: &str = "10.77.1.2:1080";
/// A name that only the machine of the proxy knows: it is [`FAR`].
const NAME: &str = "tracker.test";

/// Counts the packets that leave a machine: to the proxy, and to anybody else.
const COUNTERS: &str = "table inet swarmlet {
    counter proxied {}
    counter others {}
    chain out {
        type filter hook output priority 0; policy accept;
        oifname \"lo\" accept
        ip daddr 10.77.1.2 tcp dport 1080 counter name proxied accept
        counter name others
    }
}";

/// Both machines, and on the second one a tracker, a web server, a seed and a proxy.
struct Stage {
    links: Links,
    scratch: TempDir,
    content: Content,
    torrent: Torrent,
    seed_port: u16,
    processes: Vec<Process>,
}

impl Stage {
    /// `proxy`: the command of the proxy.
    fn new(tools: &[Tool], proxy: impl Fn(&Path) -> Command) -> Option<Stage> {
        if !here(&[&[Tool::Nft], tools].concat()) {
            return None;
        }
        let links = Links::new()?;
        // What is meant for the internet would leave by the second link.
        links.sh_on(0, "ip route add default via 10.77.2.2 dev eth1");
        links.sh_on(0, &format!("echo '{COUNTERS}' | nft -f -"));
        let scratch = tempfile::tempdir().unwrap();
        let content = Content::one_file("a file.bin", 3000 * KIB);
        let urls = [format!("http://{NAME}:6969/announce"), format!("udp://{FAR}:6969/announce")];
        let torrent =
            make_with_tiers(&content, &scratch.path().join("a.torrent"), 64 * KIB, &urls.map(|url| vec![url]));
        content.write_to(&scratch.path().join("source"));
        let mut stage = Stage { links, scratch, content, torrent, seed_port: 0, processes: Vec::new() };
        let path = stage.path().to_owned();
        fs::write(path.join("hosts"), format!("{FAR} {NAME}\n")).unwrap();

        let mut track = Command::new(program());
        stage.run("track", track.args(["track", "--port", "6969", "-v"]), "tracker on");
        let mut web = Command::new("python3");
        stage.run("web", web.args(["-um", "http.server", "8000", "--bind", FAR, "--directory"]).arg(&path), "Serving");
        let mut seed = Get::seed("seed", &path, &path.join("source")).torrent(&stage.torrent).arg("-v");
        stage.seed_port = seed.port;
        seed = seed.with_dht_node(&format!("{FAR}:9"));
        stage.run("seed", &mut seed.command(), "udp://10.99.0.1:6969/…: 0 peers");
        stage.run("proxy", &mut proxy(&path), "");
        wait_until("the proxy listens", PATIENCE, || {
            stage.processes.iter_mut().for_each(Process::must_run);
            stage.connects(1, "10.77.1.2", 1080)
        });
        Some(stage)
    }

    /// Runs a program on the second machine until it has said `ready`. There, `NAME` has an address.
    fn run(&mut self, name: &str, command: &mut Command, ready: &str) {
        let hosts = format!("mount --bind '{}' /etc/hosts; exec \"$@\"", self.path().join("hosts").display());
        let mut inside = Command::new("unshare");
        inside.args(["-m", "sh", "-ec", &hosts, "sh"]).arg(command.get_program()).args(command.get_args());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut process = Process::start(name, &mut self.links.command(1, &inside), self.path());
        wait_until(&format!("{name} says {ready}"), PATIENCE, || {
            process.must_run();
            (process.stderr() + &process.stdout()).contains(ready)
        });
        self.processes.push(process);
    }

    fn connects(&self, machine: usize, host: &str, port: u16) -> bool {
        let script = format!("exec 3<>/dev/tcp/{host}/{port}");
        self.links.command(machine, Command::new("bash").args(["-c", &script])).output().unwrap().status.success()
    }

    fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The packets that left the first machine: to the proxy, and to anybody else.
    fn packets(&self) -> [u64; 2] {
        let mut list = Command::new("nft");
        list.args(["-j", "list", "counters"]);
        let text = self.links.command(0, &list).output().unwrap().stdout;
        let all: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let all = all["nftables"].as_array().unwrap();
        ["proxied", "others"].map(|name| {
            let counter = all.iter().find(|entry| entry["counter"]["name"] == name);
            counter.and_then(|entry| entry["counter"]["packets"].as_u64()).expect("it counts")
        })
    }

    /// Fetches what `source` names, through the proxy at `url`.
    fn get(&self, name: &str, source: &str, url: &str) -> Get {
        let get = Get::new(name, self.path()).arg(source).args(&["--proxy", url, "--json", "-vvv"]);
        // The DHT would be entered through the seed.
        get.with_lsd().with_dht_node(&format!("{FAR}:{}", self.seed_port))
    }

    fn downloads(&self, name: &str, source: &str, url: &str) {
        let get = self.get(name, source, url);
        let outcome = get.start_after(&self.links.on(0)).wait();
        outcome.assert_code(0);
        self.content.assert_same_in(&get.dir);
        let [proxied, others] = self.packets();
        assert!(proxied > 0);
        assert_eq!(others, 0, "not one packet to anybody but the proxy");

        let start = json::first(&outcome.stdout, "start").unwrap();
        assert_eq!((&start["proxy"], start["port"].is_null()), (&PROXY.into(), true));
        let tracker = json::objects(&outcome.stdout).into_iter().find(|object| object["event"] == "tracker");
        assert!(tracker.is_some_and(|udp| udp["problem"] == "the proxy (--proxy) carries no UDP"));
        assert!(!(outcome.stdout + &outcome.stderr).contains("geheim"), "the password is shown nowhere");
    }
}

fn microsocks(arguments: &'static [&'static str]) -> impl Fn(&Path) -> Command {
    move |_| {
        let mut command = Command::new("microsocks");
        command.args(["-i", "10.77.1.2", "-p", "1080"]).args(arguments);
        command
    }
}

#[test]
fn a_torrent_by_url_and_a_link_are_downloaded_through_microsocks_alone() {
    let Some(stage) = Stage::new(&[Tool::Microsocks], microsocks(&[])) else { return };
    stage.downloads("by URL", &format!("http://{NAME}:8000/a.torrent"), &format!("socks5://{PROXY}"));
    let link = stage.torrent.link(&format!("&tr=http://{NAME}:6969/announce&tr=udp://{FAR}:6969/announce"));
    stage.downloads("by link", &link, &format!("socks5://{PROXY}"));
}

#[test]
fn a_proxy_that_wants_a_password_gets_it() {
    let Some(stage) = Stage::new(&[Tool::Microsocks], microsocks(&["-u", "me", "-P", "geheim"])) else { return };
    let file = stage.torrent.file.to_string_lossy().into_owned();
    stage.downloads("with password", &file, &format!("socks5://me:geheim@{PROXY}"));
    // Without it, the download waits, and says why.
    let get = stage.get("without password", &file, &format!("socks5://{PROXY}"));
    let mut running = get.start_after(&stage.links.on(0));
    wait_until("the proxy refuses", PATIENCE, || {
        running.must_run();
        running.stdout().contains("the proxy 10.77.1.2:1080: it wants a user and a password")
    });
    running.terminate();
    assert_eq!(stage.packets()[1], 0);
}

#[test]
fn a_torrent_is_downloaded_through_dante_alone() {
    let dante = |path: &Path| {
        let config = path.join("dante.conf");
        let text = "logoutput: stderr\ninternal: 10.77.1.2 port = 1080\nexternal: 10.77.1.2\nclientmethod: none\n\
                    socksmethod: none\nuser.notprivileged: nobody\nclient pass { from: 0/0 to: 0/0 }\n\
                    socks pass { from: 0/0 to: 0/0 }\n";
        fs::write(&config, text).unwrap();
        let mut command = Command::new("danted");
        command.arg("-f").arg(config);
        command
    };
    let Some(stage) = Stage::new(&[Tool::Dante], dante) else { return };
    let file = stage.torrent.file.to_string_lossy().into_owned();
    stage.downloads("through dante", &file, &format!("socks5://{PROXY}"));
}

/// nginx is known by a name that means something to the proxy only. It may not lead to an address next to the proxy.
#[test]
fn a_web_seed_is_read_through_the_proxy_alone() {
    if !cfg!(feature = "webseeds") {
        return;
    }
    let Some(mut stage) = Stage::new(&[Tool::Microsocks, Tool::Nginx], microsocks(&[])) else { return };
    let root = stage.path().join("source");
    let away = "location /away/ { return 302 http://127.0.0.1:8080/; }";
    let (mut nginx, log) = nginx::command(&root, stage.path(), "8080", away);
    stage.run("nginx", &mut nginx, "");
    wait_until("nginx listens", PATIENCE, || stage.connects(1, FAR, 8080));
    let get = |name: &str, path: &str| {
        let file = stage.path().join(format!("{name}.torrent"));
        make_with_web_seeds(&stage.content, &file, 64 * KIB, &[format!("http://{NAME}:8080/{path}")]);
        stage.get(name, &file.to_string_lossy(), &format!("socks5://{PROXY}"))
    };
    let whole = get("by web", "");
    whole.start_after(&stage.links.on(0)).wait().assert_code(0);
    stage.content.assert_same_in(&whole.dir);
    assert!(fs::read_to_string(&log).unwrap().contains("GET /a%20file.bin"));
    let [proxied, others] = stage.packets();
    assert!(proxied > 0 && others == 0, "{proxied} packets to the proxy, {others} to others");

    let refused = get("away", "away/").args(&["--stop-timeout", "2"]).start_after(&stage.links.on(0)).wait();
    let why = format!("web seed {NAME}:8080: it redirects into the local network, which is refused");
    assert!(refused.stderr.contains(&why), "{}", refused.stderr);
    assert_eq!(stage.packets()[1], 0);
}

/// A plain handshake is refused. The encrypted one is made on another connection through the proxy.
#[test]
fn a_peer_that_wants_encryption_is_reached_through_the_proxy() {
    if !cfg!(feature = "encryption") {
        return;
    }
    let Some(mut stage) = Stage::new(&[Tool::Microsocks, Tool::Libtorrent], microsocks(&[])) else { return };
    let mut seed = libtorrent::python();
    let source = stage.path().join("source");
    seed.arg("seed").arg(&stage.torrent.file).arg(source).args([&format!("{FAR}:7001"), "0", "0"]);
    stage.run("libtorrent", &mut seed, "");
    wait_until("libtorrent listens", PATIENCE, || stage.connects(1, FAR, 7001));
    let link = stage.torrent.link(&format!("&x.pe={FAR}:7001"));
    let get = stage.get("encrypted", &link, &format!("socks5://{PROXY}"));
    let outcome = get.start_after(&stage.links.on(0)).wait();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert!(outcome.stderr.contains(" encryption rc4"), "{}", outcome.stderr);
    assert_eq!(stage.packets()[1], 0);
}

/// Otherwise the other stories would say nothing.
#[test]
fn without_a_proxy_packets_are_sent_to_others() {
    let Some(stage) = Stage::new(&[Tool::Microsocks], microsocks(&[])) else { return };
    let get = Get::new("get", stage.path()).torrent(&stage.torrent).with_lsd();
    get.with_dht_node(&format!("{FAR}:{}", stage.seed_port)).start_after(&stage.links.on(0)).wait().assert_code(0);
    let [proxied, others] = stage.packets();
    assert!(proxied == 0 && others > 0);
}

#[test]
fn a_proxy_that_can_not_be_used_is_named_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let url = format!("socks5://me:geheim@{closed}");
    let ran = swarmlet(dir.path(), &["get", "http://tracker.invalid/a.torrent", "--proxy", &url]);
    let ran = ran.refused(69, &format!("tracker.invalid/…: the proxy {closed}: Connection refused"));
    assert!(!ran.stderr.contains("geheim"));
    let torrent = make_with_tiers(&Content::one_file("a", 9), &dir.path().join("a.torrent"), 16 * KIB, &[]);
    let get = Get::new("get", dir.path()).torrent(&torrent).args(&["--proxy", &url, "--stop-timeout", "1", "--plain"]);
    let outcome = get.run();
    let off = "UDP trackers, the DHT, the local network and incoming connections are off";
    assert!(
        outcome.stderr.contains(&format!("everything leads through the proxy {closed}: {off}\n")),
        "it says what is off"
    );
    let ran = swarmlet(dir.path(), &["get", "http://tracker.invalid/a.torrent", "--proxy", "http://me:geheim@p:1"]);
    let ran = ran.refused(64, "--proxy: expected socks5://HOST:PORT or socks5://USER:PASSWORD@HOST:PORT");
    assert!(!ran.stderr.contains("geheim"));
}
