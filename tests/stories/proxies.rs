//! Stories of requests through proxies, which the environment names as for curl.

use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::ran::{Ran, run};
use crate::common::swarmlet::{Get, program};
use crate::common::tools::{Tool, here};
use crate::common::torrent::Maker;
use crate::common::track::Track;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

const TORRENT: &[u8] = b"d4:infod6:lengthi1e4:name1:n12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";

/// The variables that name proxies.
const VARIABLES: [&str; 8] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];

/// A proxy that keeps the head of each request. It answers a whole request with a torrent, and refuses tunnels.
struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Proxy {
        Proxy::answering(|head, stream| {
            let tunnel = head.starts_with("CONNECT");
            let (status, body) = if tunnel { ("403 Forbidden", &b""[..]) } else { ("200 OK", TORRENT) };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(body);
        })
    }

    fn answering(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the system's choice is free");
        let port = listener.local_addr().expect("it is bound").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().expect("it is open")).lines();
                let head: Vec<String> =
                    lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let head = head.join("\n");
                kept.lock().expect("nobody panics with it").push(head.clone());
                answer(&head, &mut stream);
            }
        });
        Proxy { port, heads }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The heads of the requests since the last call.
    fn heads(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().expect("nobody panics with it"))
    }
}

/// `swarmlet show URL`, with only these variables.
fn show(url: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(program());
    for name in VARIABLES {
        command.env_remove(name);
    }
    run(command.args(["show", url]).envs(variables.iter().copied()), b"")
}

#[test]
fn a_request_by_http_goes_to_the_proxy_as_a_whole_and_one_by_https_through_a_tunnel() {
    let proxy = Proxy::start();
    // The proxy alone knows where this host is.
    let with_user = format!("http://user:p%40ss@127.0.0.1:{}/", proxy.port);
    show("http://tracker.invalid:6969/a b.torrent?x=1#y", &[("http_proxy", &with_user)]).code(0);
    let head = proxy.heads().remove(0);
    assert!(head.starts_with("GET http://tracker.invalid:6969/a%20b.torrent?x=1 HTTP/1.1\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\nhost: tracker.invalid:6969"), "{head}");
    assert!(head.contains("\nproxy-authorization: basic dxnlcjpwqhnz"), "{head}");
    assert!(!head.contains("\nauthorization"), "{head}");

    show("http://me:s%20t@tracker.invalid", &[("all_proxy", &proxy.url())]).code(0);
    let head = proxy.heads().remove(0);
    assert!(head.starts_with("GET http://tracker.invalid/ HTTP/1.1\n"), "{head}");
    assert!(head.contains(": Basic bWU6cyB0") && !head.to_lowercase().contains("proxy-authorization"), "{head}");

    if cfg!(feature = "tls") {
        for variable in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            let ran = show("https://tracker.invalid/a", &[(variable, &with_user)]);
            ran.refused(69, "https://tracker.invalid/…: the proxy 127.0.0.1: proxy server responded 403");
            let head = proxy.heads().remove(0);
            assert!(head.starts_with("CONNECT tracker.invalid:443 HTTP/1.1\n"), "{head}");
            assert!(head.contains("Basic dXNlcjpwQHNz"), "{head}");
        }
    }
}

#[test]
fn what_the_variables_do_not_name_is_asked_directly() {
    let proxy = Proxy::start();
    let direct = Server::start(Ipv4Addr::LOCALHOST.into(), |_, _| Some(TORRENT.to_vec()));
    let (url, through) = (format!("http://{}/a", direct.address()), proxy.url());
    for variables in [
        &[("HTTPS_PROXY", through.as_str()), ("https_proxy", &through)][..],
        // A client of a web server can set it.
        &[("HTTP_PROXY", &through)],
        &[("http_proxy", "")],
        &[("http_proxy", &through), ("no_proxy", "127.0.0.0/8")],
        &[("http_proxy", &through), ("NO_PROXY", "example.org, 127.0.0.1")],
        &[("ALL_PROXY", &through), ("no_proxy", "*")],
    ] {
        show(&url, variables).code(0);
        assert!(proxy.heads().is_empty(), "{variables:?}");
    }
    show(&url, &[("http_proxy", &through), ("no_proxy", "127.0.0.2")]).code(0);
    assert_eq!(proxy.heads().len(), 1);
    // A redirect may lead away from the proxy, but not from the internet into the local network.
    let target = url.clone();
    let redirecting = Proxy::answering(move |_, stream| {
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
    });
    let through = redirecting.url();
    let variables = [("http_proxy", through.as_str()), ("no_proxy", "127.0.0.1")];
    show("http://tracker.local/a", &variables).code(0);
    show("http://tracker.invalid/a", &variables).refused(69, "it redirects into the local network");
    assert_eq!(redirecting.heads().len(), 2);
    // A proxy that cannot be used is named without its password.
    let ran = show(&url, &[("http_proxy", "gopher://me:geheim@127.0.0.1")]);
    let ran = ran.refused(69, "the environment names a proxy that is not supported");
    assert!(!ran.stderr.contains("geheim"), "{}", ran.stderr);
    show(&url, &[("http_proxy", "http://me:geheim@127.0.0.1:1")])
        .refused(69, "the proxy 127.0.0.1: Connection refused");
}

#[test]
fn socks_is_spoken() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).unwrap();
        let mut methods = vec![0; greeting[1].into()];
        stream.read_exact(&mut methods).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        let mut connect = [0; 5];
        stream.read_exact(&mut connect).unwrap();
        assert_eq!(connect[..4], [5, 1, 0, 3], "a name, which the proxy looks up");
        let mut rest = vec![0; usize::from(connect[4]) + 2];
        stream.read_exact(&mut rest).unwrap();
        stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).unwrap();
        let mut request = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut request).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", TORRENT.len()).unwrap();
        stream.write_all(TORRENT).unwrap();
        (rest, request)
    });
    show("http://tracker.invalid/a", &[("ALL_PROXY", &format!("socks5h://127.0.0.1:{port}"))]).code(0);
    let (host, request) = server.join().unwrap();
    assert_eq!((&host[..host.len() - 2], &host[host.len() - 2..]), (&b"tracker.invalid"[..], &[0, 80][..]));
    assert_eq!(request.trim(), "GET /a HTTP/1.1");
}

/// tinyproxy, as Debian has it, allows tunnels to port 443 only.
#[test]
fn a_swarm_meets_at_a_tracker_behind_tinyproxy() {
    if !here(&[Tool::Tinyproxy]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let port = free_port();
    let log = dir.join("proxy.log");
    let config = format!("Port {port}\nListen 127.0.0.1\nLogFile \"{}\"\nConnectPort 443\n", log.display());
    fs::write(dir.join("proxy.conf"), config).unwrap();
    let mut tinyproxy = Command::new("tinyproxy");
    let mut tinyproxy = Process::start("tinyproxy", tinyproxy.arg("-dc").arg(dir.join("proxy.conf")), dir);
    wait_until("tinyproxy listens", PATIENCE, || {
        tinyproxy.must_run();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    let track = Track::on_free_port(dir).start();
    let content = Content::one_file("a.bin", 100_000);
    let source = dir.join("source");
    let torrent = Maker::Ours.make(&content, &source, 1 << 14, &track.url());
    let through = format!("unset {}; export http_proxy=http://127.0.0.1:{port}", VARIABLES.join(" "));
    let mut seed = Get::seed("seed", dir, &source).torrent(&torrent).start_after(&through);
    track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    Get::new("get", dir).torrent(&torrent).start_after(&through).wait().assert_code(0);
    seed.terminate();
    tinyproxy.signal(Signal::TERM);
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains(&format!("GET {}", track.url())) && !log.contains("): CONNECT "), "{log}");
}
