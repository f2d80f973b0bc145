mod attacks;

use super::access::is_guarded;
use super::login::{Login, is_hash, salted};
use super::*;
use crate::base::hex::to_base64;
use crate::web::server::{self, Bounds};
use crossbeam_channel::{Receiver, unbounded};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::thread;

/// A server on a port of this machine. Its loop answers each call with nothing.
fn serve(settings: &Settings, web_home: Option<Folder>) -> (u16, Arc<Door>) {
    let (asks, receiver) = unbounded();
    let door = Arc::new(Door::new(settings, false, web_home, asks).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    server::start(vec![listener], &service(&door), Bounds { connections: 64, body: MOST_BODY }).unwrap();
    let answers = door.answers.clone();
    thread::spawn(move || run(&receiver, &answers));
    (port, door)
}

fn run(asks: &Receiver<Ask>, answers: &Bodies) {
    for ask in asks {
        match ask {
            Ask::Rpc(mut conversation, promise) => {
                while conversation.next_call().is_some() {
                    conversation.answer(|_, _| Ok(()));
                }
                promise.keep(rpc_answer(conversation.finish(), answers));
            }
            Ask::Metrics(promise) => promise.keep(Answer::words("200 OK", "figures")),
            Ask::Health(promise) => promise.keep(Answer::words("200 OK", "ok")),
        }
    }
}

/// The answer to a request, up to the end of the connection.
fn exchange(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn ask(port: u16, method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let host = if headers.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
    let head =
        format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    exchange(port, (head + body).as_bytes())
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

const RPC: &str = "/transmission/rpc";
const CALL: &str = r#"{"method":"session-stats"}"#;

#[test]
fn a_request_needs_the_session_id_that_a_refusal_names() {
    let (port, door) = serve(&Settings::default(), None);
    for method in ["GET", "POST"] {
        let answer = ask(port, method, RPC, "X-Transmission-Session-Id: wrong\r\n", "");
        assert_eq!(status(&answer), "409");
        assert!(answer.contains(&format!("\r\nX-Transmission-Session-Id: {}\r\n", door.session_id())), "{answer}");
        assert!(answer.contains("\r\nX-Transmission-Rpc-Version: 6.0.0\r\n"));
        assert!(!answer.contains("Access-Control"), "{answer}");
    }
    let session = format!("X-Transmission-Session-Id: {}\r\n", door.session_id());
    for path in [RPC, "/transmission/rpc/", "/transmission/rpc?x"] {
        let answer = ask(port, "POST", path, &session, CALL);
        assert!(answer.ends_with(r#"{"arguments":{},"result":"success"}"#), "{answer}");
    }
    assert_eq!(status(&ask(port, "GET", RPC, &session, "")), "405");
    let note = r#"{"jsonrpc":"2.0","method":"session_close"}"#;
    assert_eq!(status(&ask(port, "POST", RPC, &session, note)), "204");
    assert_eq!(status(&ask(port, "PUT", RPC, &session, "")), "405");
    let answer = ask(port, "GET", "/", "", "");
    assert!(status(&answer) == "301" && answer.contains("\r\nLocation: /transmission/web/\r\n"), "{answer}");
    assert!(ask(port, "GET", "/metrics", "", "").ends_with("figures\n"));
    assert!(ask(port, "GET", "/healthz", "", "").ends_with("ok\n"));
}

#[test]
fn one_connection_carries_many_requests() {
    let (port, door) = serve(&Settings::default(), None);
    let session = door.session_id();
    let post = |session: &str| {
        let length = CALL.len();
        format!(
            "POST {RPC} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nX-Transmission-Session-Id: {session}\r\n\r\n{CALL}"
        )
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // The body of a refused request is skipped, also when it comes late.
    let refused = post("wrong");
    let (before, after) = refused.split_at(refused.len() - 5);
    stream.write_all(before.as_bytes()).unwrap();
    let mut buffer = [0; 12];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"HTTP/1.1 409");
    stream.write_all((after.to_string() + &post(&session) + &post(&session)).as_bytes()).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.matches("HTTP/1.1 200 OK").count(), 2, "{rest}");
    assert_eq!(rest.matches("HTTP/1.1 301").count(), 1, "{rest}");
}

#[test]
fn a_long_body_arrives_whole_and_only_from_those_who_may_send_it() {
    let (port, door) = serve(&Settings::default(), None);
    let session = format!("X-Transmission-Session-Id: {}\r\nExpect: 100-continue\r\n", door.session_id());
    let long = format!("{{\"method\":\"session-stats\",\"x\":\"{}\"}}", "a".repeat(3 << 20));
    let answer = ask(port, "POST", RPC, &session, &long);
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), "{answer}");
    // 1 GiB is refused before it is sent.
    let huge = |headers: &str| {
        let head = format!("POST {RPC} HTTP/1.1\r\nHost: [::1]:9091\r\n{headers}Content-Length: 1073741824\r\n\r\n");
        status(&exchange(port, head.as_bytes())).to_string()
    };
    assert_eq!(huge(&session), "413");
    let head = format!("POST {RPC} HTTP/1.1\r\nHost: localhost:9091\r\nContent-Length: 30000000\r\n\r\n");
    assert_eq!(status(&exchange(port, head.as_bytes())), "409");
}

#[test]
fn long_answers_arrive_whole_and_in_order() {
    let home = tempfile::tempdir().unwrap();
    let long = "long ".repeat(25_000);
    fs::write(home.path().join("long"), &long).unwrap();
    fs::write(home.path().join("empty"), "").unwrap();
    let (port, door) = serve(&Settings::default(), Some(Folder::open(home.path()).unwrap()));
    let tag = "t".repeat(60_000);
    let call = format!("{{\"method\":\"session-stats\",\"tag\":\"{tag}\"}}");
    let (session, length) = (door.session_id(), call.len());
    let post = format!(
        "POST {RPC} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nX-Transmission-Session-Id: {session}\r\n\r\n{call}"
    );
    let get =
        |name: &str, more: &str| format!("GET /transmission/web/{name} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
    let rest = get("nothing", "Connection: close\r\n");
    let all = [post.clone(), get("long", ""), get("empty", ""), post, rest];
    let answers = exchange(port, all.concat().as_bytes());
    let found: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(found.len(), 5, "{} bytes", answers.len());
    assert!(found[0].ends_with(&format!("{tag}\"}}")) && found[3].ends_with(&format!("{tag}\"}}")));
    assert!(found[1].ends_with(&format!("\r\n\r\n{long}")) && found[2].ends_with("\r\n\r\n"));
    assert!(found[4].starts_with("404"));
}

#[test]
fn slow_headers_end_the_connection() {
    let (port, _) = serve(&Settings::default(), None);
    let begin = Instant::now();
    assert_eq!(exchange(port, b"POST /transmission/rpc HTTP/1.1\r\nHost: "), "");
    assert!((4..9).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(9000));
    assert_eq!(status(&exchange(port, long.as_bytes())), "431");
}

#[test]
fn the_name_of_the_host_is_checked_unless_there_is_a_password() {
    let mut settings = Settings { rpc_host_whitelist: "nas.example, *.lan".into(), ..Settings::default() };
    let access = Access::new(&settings).unwrap();
    for good in [
        "localhost",
        "LOCALHOST:9091",
        "localhost.",
        "127.0.0.1:9091",
        "10.1.2.3",
        "[::1]:9091",
        "NAS.example",
        "a.lan",
    ] {
        assert!(access.allows_host(good), "{good}");
    }
    for wrong in ["[::1]evil.example", "localhost:evil.example", "[::1]:evil", "[::1", "a.lan:80x"] {
        assert!(!access.allows_host(wrong), "{wrong}");
    }
    for wrong in ["evil.example", "", "localhost.evil.example", "127.0.0.1.evil.example", "nas.example.evil", "lan"] {
        assert!(!access.allows_host(wrong), "{wrong}");
    }
    let (port, door) = serve(&settings, None);
    let headers = format!("Host: evil.example\r\nX-Transmission-Session-Id: {}\r\n", door.session_id());
    assert_eq!(status(&ask(port, "POST", RPC, &headers, CALL)), "421");
    for (path, expected) in [("/metrics", "421"), ("/transmission/web/", "421"), ("/healthz", "200")] {
        assert_eq!(status(&ask(port, "GET", path, &headers, "")), expected, "{path}");
    }
    (settings.rpc_authentication_required, settings.rpc_password) = (true, "p".into());
    assert!(Access::new(&settings).unwrap().allows_host("evil.example"));
}

#[test]
fn only_addresses_on_the_whitelist_may_ask() {
    let mut settings = Settings::default();
    let allows = |settings: &Settings, ip: &str| Access::new(settings).unwrap().allows_address(ip.parse().unwrap());
    for (ip, good) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("10.0.0.1", false),
        ("::2", false),
    ] {
        assert_eq!(allows(&settings, ip), good, "{ip}");
    }
    settings.rpc_whitelist = "192.168.*.*".into();
    assert!(allows(&settings, "192.168.1.2") && !allows(&settings, "127.0.0.1"));
    let (port, _) = serve(&settings, None);
    assert_eq!(status(&ask(port, "GET", "/healthz", "", "")), "403");
    settings.rpc_whitelist_enabled = false;
    assert!(allows(&settings, "8.8.8.8"));
    assert!(is_guarded(&settings));
    settings.rpc_bind_address = "0.0.0.0".into();
    assert!(!is_guarded(&settings));
    settings.rpc_whitelist_enabled = true;
    for (list, guards) in [("192.168.*.*", true), ("::1, fe80:*", true), ("*", false), ("127.0.0.1,*.*.*.*", false)] {
        settings.rpc_whitelist = list.into();
        assert_eq!(is_guarded(&settings), guards, "{list}");
    }
    settings.rpc_authentication_required = true;
    assert!(is_guarded(&settings));
    assert!(Access::new(&settings).is_err_and(|wrong| wrong.contains("rpc-password")));
}

#[test]
fn a_password_is_needed_and_a_wrong_one_takes_its_time() {
    let hash = salted("pass:word", "0123abcd");
    assert!(is_hash(&hash) && !is_hash("{secret") && !is_hash(&hash.to_uppercase()));
    let settings = Settings {
        rpc_authentication_required: true,
        rpc_username: "me".into(),
        rpc_password: hash,
        ..Settings::default()
    };
    let (port, door) = serve(&settings, None);
    let basic = |login: &str| format!("Authorization: Basic {}\r\n", to_base64(login.as_bytes()));
    let answer = ask(port, "POST", RPC, "", CALL);
    assert!(status(&answer) == "401" && answer.contains("WWW-Authenticate: Basic"), "{answer}");
    let begin = Instant::now();
    assert_eq!(status(&ask(port, "POST", RPC, &basic("me:wrong"), CALL)), "401");
    assert!(begin.elapsed() >= PAUSE, "{:?}", begin.elapsed());
    let answer = ask(port, "POST", RPC, &basic("me:pass:word"), CALL);
    assert!(status(&answer) == "409" && answer.contains("Access-Control-Allow-Origin: *"), "{answer}");
    let session = format!("{}X-Transmission-Session-Id: {}\r\n", basic("me:pass:word"), door.session_id());
    assert_eq!(status(&ask(port, "POST", RPC, &session, CALL)), "200");
    assert_eq!(status(&ask(port, "GET", "/metrics", "", "")), "401");
    let plain = Login::new("me", "secret");
    assert!(plain.accepts(basic("me:secret")[15..].trim().as_bytes()));
    for wrong in ["Basic", "Basic !", "Bearer bWU6c2VjcmV0", "", "Basic bWU="] {
        assert!(!plain.accepts(wrong.as_bytes()), "{wrong}");
    }
}

#[test]
fn an_address_with_many_wrong_passwords_is_refused_for_a_while() {
    let (mut failures, now) = (Failures::default(), Instant::now());
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    (0..100).for_each(|_| failures.add(ip("10.0.0.1"), now));
    assert!(!failures.may_try(ip("::ffff:10.0.0.1"), 100, now));
    assert!(failures.may_try(ip("10.0.0.1"), 101, now) && failures.may_try(ip("10.0.0.2"), 100, now));
    // One password a second is tried, be it right or wrong.
    let later = now + Duration::from_secs(1);
    assert!(failures.may_try(ip("10.0.0.1"), 100, later) && !failures.may_try(ip("10.0.0.1"), 100, later));
    (0..9).for_each(|_| assert!(failures.may_try(ip("10.0.0.1"), 100, now + Duration::from_secs(601))));
    failures.add(ip("2001:db8::1"), now);
    assert!(!failures.may_try(ip("2001:db8::ffff"), 1, now));
    // A machine has many addresses of its own, and they count as one.
    failures.add(ip("127.0.0.1"), now);
    failures.add(ip("127.9.9.9"), now + Duration::from_secs(599));
    assert!(!failures.may_try(ip("::1"), 2, now + Duration::from_secs(599)));
    // The time begins with the first wrong password, so nobody is locked out for longer.
    assert!(failures.may_try(ip("127.0.0.1"), 2, now + Duration::from_secs(600)));
    failures.add(ip("127.0.0.1"), now + Duration::from_secs(600));
    assert!(failures.may_try(ip("127.0.0.1"), 2, now + Duration::from_secs(600)));
    (0..2000u32).for_each(|number| failures.add(core::net::Ipv4Addr::from(0x0b00_0000 + number).into(), now));
    assert!(!failures.may_try(ip("11.0.7.207"), 1, now));
}

#[test]
fn a_script_of_another_page_learns_nothing_without_a_password() {
    let (port, _) = serve(&Settings::default(), None);
    let origin = "Origin: http://evil.example\r\nAccess-Control-Request-Headers: x-transmission-session-id\r\n";
    for method in ["OPTIONS", "POST", "GET"] {
        assert!(!ask(port, method, RPC, origin, "").contains("Access-Control"), "{method}");
    }
    let settings = Settings { rpc_authentication_required: true, rpc_password: "p".into(), ..Settings::default() };
    let (port, _) = serve(&settings, None);
    let answer = ask(port, "OPTIONS", RPC, origin, "");
    assert!(status(&answer) == "200" && answer.contains("Access-Control-Allow-Headers: x-transmission-session-id\r\n"));
    let folded = "Access-Control-Request-Headers: a:b\r\n";
    assert!(!ask(port, "OPTIONS", RPC, folded, "").contains("Allow-Headers"));
}

#[test]
fn the_web_page_is_served_from_its_folder_and_from_nowhere_else() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("index.html"), "<p>page</p>").unwrap();
    fs::create_dir(home.path().join("style")).unwrap();
    fs::write(home.path().join("style/a.css"), "b{}").unwrap();
    symlink("/etc/passwd", home.path().join("passwd")).unwrap();
    let (port, _) = serve(&Settings::default(), Some(Folder::open(home.path()).unwrap()));
    let get = |path: &str| ask(port, "GET", path, "", "");
    let page = get("/transmission/web/");
    assert!(page.ends_with("<p>page</p>") && page.contains("text/html") && page.contains("nosniff"), "{page}");
    assert!(get("/transmission/web/style/a.css?v=1").ends_with("b{}"));
    for nothing in ["passwd", "../x", "%2e%2e/x", "style", "nothing", "style/", "/etc/passwd"] {
        assert_eq!(status(&get(&format!("/transmission/web/{nothing}"))), "404", "{nothing}");
    }
    assert_eq!(status(&ask(port, "POST", "/transmission/web/index.html", "", "")), "405");
    assert_eq!(status(&get("/transmission/nothing")), "404");
    assert_eq!(status(&get("/transmission/web")), "301");
}

#[test]
fn the_own_page_loads_nothing_from_elsewhere_and_is_for_those_that_may_use_rpc() {
    let (port, _) = serve(&Settings::default(), None);
    let get = |path: &str| ask(port, "GET", path, "", "");
    for (path, kind) in [("", "text/html"), ("style.css", "text/css"), ("script.js", "text/javascript")] {
        let file = get(&format!("/transmission/web/{path}"));
        let has = |part: &str| file.contains(part);
        assert!(status(&file) == "200" && has(kind) && has("default-src 'none'") && has("frame-ancestors 'none'"));
        assert!(
            !has("http://") && !has("https://") && !has("innerHTML") && !has("onclick") && !has("style="),
            "{path}"
        );
    }
    assert_eq!(status(&get("/transmission/web/nothing")), "404");
    assert_eq!(status(&ask(port, "POST", "/transmission/web/", "", "")), "405");
    // Without a body, the length is that of the file.
    let style = get("/transmission/web/style.css");
    let header = |answer: &str, name: &str| {
        answer.lines().find_map(|line| line.strip_prefix(name)).map(String::from).unwrap_or_default()
    };
    let same = format!("If-None-Match: {}\r\n", header(&style, "ETag: "));
    for (method, headers, expected) in [("HEAD", "", "200"), ("GET", same.as_str(), "304"), ("HEAD", &same, "304")] {
        let bare = ask(port, method, "/transmission/web/style.css", headers, "");
        assert!(status(&bare) == expected && bare.ends_with("\r\n\r\n"), "{method} {headers}: {bare}");
        assert_eq!(header(&bare, "Content-Length: "), header(&style, "Content-Length: "), "{method} {headers}");
    }
    let login = Settings {
        rpc_authentication_required: true,
        rpc_username: "me".into(),
        rpc_password: "secret".into(),
        ..Settings::default()
    };
    let (port, _) = serve(&login, None);
    assert_eq!(status(&ask(port, "GET", "/transmission/web/", "", "")), "401");
}

#[test]
fn a_promise_that_nobody_keeps_is_answered() {
    let (asks, receiver) = unbounded();
    drop(receiver);
    let door = Arc::new(Door::new(&Settings::default(), false, None, asks).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    server::start(vec![listener], &service(&door), Bounds { connections: 4, body: MOST_BODY }).unwrap();
    assert_eq!(status(&ask(port, "GET", "/healthz", "", "")), "503");
}
