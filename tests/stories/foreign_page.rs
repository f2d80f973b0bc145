//! Pages of somebody else, in Chromium. The daemon refuses what such a page asks for, and the page can't read what
//! belongs to the daemon. So it changes nothing.

use crate::common::browser::Browser;
use crate::common::daemon::{Daemon, base64, command};
use crate::common::http::{Server, request};
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use tempfile::tempdir;

/// The user of a daemon, with the password.
const USER: &str = "me:secret";
/// A name of somebody else's, which leads to this machine.
const FOREIGN: &str = "foreign.test";
/// What a page tries with RPC at `rpc`, and with the web page beside it. Its value is the list of the ways by which it
/// could read what belongs to the daemon. Each way also asks for a change that the daemon must not make.
const ATTACK: &str = r#"async rpc => {
    const ways = new Set()
    const link = 'magnet:?xt=urn:btih:0123456789012345678901234567890123456789'
    const calls = [
        { method: 'torrent-add', arguments: { filename: link } },
        { method: 'session-set', arguments: { 'speed-limit-down': 1, 'speed-limit-down-enabled': true } }
    ].map(call => JSON.stringify(call))
    const read = (way, text) => { if (/[0-9a-f]{48}|"success"|framed/.test(text)) ways.add(way) }
    const soon = () => new Promise(resolve => setTimeout(resolve, 100))

    // By scripts: with each type of content, in each mode, with and without a password that the browser knows.
    const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/json', 'json']
    const tries = []
    for (const body of calls) for (const mode of ['cors', 'no-cors', 'same-origin']) {
        for (const credentials of ['include', 'omit']) for (const type of types) for (const id of [undefined, 'guess']) {
            const headers = { 'Content-Type': type }
            if (id) headers['X-Transmission-Session-Id'] = id
            tries.push({ method: 'POST', body, mode, credentials, headers })
        }
    }
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) for (const mode of ['cors', 'no-cors']) {
        tries.push({ method, mode, credentials: 'include' })
    }
    await Promise.all(tries.map(async choice => {
        try {
            const answer = await fetch(rpc, choice)
            const id = answer.headers.get('X-Transmission-Session-Id')
            read('fetch', id + await answer.text())
            if (id) {
                choice.headers = { 'X-Transmission-Session-Id': id }
                if (choice.method === 'POST') read('call', await (await fetch(rpc, choice)).text())
            }
        } catch {}
    }))
    await new Promise(done => {
        const asked = new XMLHttpRequest()
        asked.onloadend = () => done(read('xhr', asked.getAllResponseHeaders() + asked.responseText))
        asked.open('POST', rpc)
        asked.withCredentials = true
        asked.send(calls[0])
    })
    for (const body of calls) navigator.sendBeacon(rpc, body)

    // By elements that load what is elsewhere.
    const put = (name, attributes) => new Promise(done => {
        const element = Object.assign(document.createElement(name), attributes)
        element.onload = element.onerror = () => done(element)
        document.body.append(element)
    })
    let fault = ''
    onerror = message => { fault += message }
    await put('script', { src: rpc })
    read('script', fault)
    const image = await put('img', { src: rpc })
    if (image.naturalWidth) ways.add('image')
    const sheet = await put('link', { rel: 'stylesheet', href: rpc })
    try { read('sheet', [...sheet.sheet.cssRules].map(rule => rule.cssText).join()) } catch {}
    const inside = frame => { try { return frame.contentDocument.body.innerText } catch { return '' } }
    read('frame', inside(await put('iframe', { src: rpc })))

    // By forms, whose field looks like a call.
    for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
        const frame = await put('iframe', { name: 'frame ' + Math.random() })
        for (const call of calls) {
            const form = Object.assign(document.createElement('form'), { action: rpc, method: 'POST', enctype, target: frame.name })
            form.append(Object.assign(document.createElement('input'), { name: call.slice(0, -1) + ', "x": "', value: '"}' }))
            document.body.append(form)
            const loaded = new Promise(done => { frame.onload = done })
            form.submit()
            await loaded
            read('form', inside(frame))
        }
    }

    // By a socket and a stream of events.
    await new Promise(done => {
        const socket = new WebSocket(rpc.replace('http', 'ws'))
        socket.onopen = () => { ways.add('socket'); socket.send(calls[0]); done() }
        socket.onerror = done
    })
    await new Promise(done => {
        const events = new EventSource(rpc, { withCredentials: true })
        events.onopen = () => ways.add('events')
        events.onerror = () => { events.close(); done() }
    })

    // The web page in a frame, where clicks of the user could be stolen; and the figures.
    onmessage = message => read('web page', message.data)
    await put('iframe', { src: rpc.replace('rpc', 'web/') })
    await soon()
    try { if ((await (await fetch(new URL('/metrics', rpc))).text()).includes('swarmlet_torrents')) ways.add('figures') } catch {}
    return [...ways].sort()
}"#;

#[test]
fn a_page_of_somebody_else_can_do_nothing() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) || !here(&[Tool::Browser]) {
        return;
    }
    let scratch = tempdir().unwrap();
    let [home, locked] = ["home", "locked"].map(|name| scratch.path().join(name));
    for folder in [&home, &locked] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(home.join("index.html"), "<p>ours<script>parent.postMessage('framed', '*')</script>").unwrap();
    let home = home.to_string_lossy();
    let open = Daemon::start(scratch.path(), &["--web-home", &home]);
    let mut browser = Browser::start(scratch.path(), &[FOREIGN]);

    // The daemon's own page can do all of it. So it is the origin that makes the difference.
    browser.open(&format!("http://{}/transmission/web/", open.rpc));
    assert_eq!(
        attack(&mut browser, &open.rpc.to_string()),
        ["call", "fetch", "figures", "form", "frame", "web page", "xhr"]
    );
    assert_eq!(open.torrents(&["id"]).len(), 1);
    open.ask("torrent-remove", &json!({ "ids": 1 }));
    open.ask("session-set", &json!({ "speed-limit-down-enabled": false }));

    let server = Server::start(Ipv4Addr::LOCALHOST.into(), |_, _| Some(b"<!DOCTYPE html><p>foreign".into()));
    let closed = Closed::start(&locked, &home);
    // The user has logged in. The browser sends the password along for pages of the same host.
    browser.open(&format!("http://{USER}@{}/transmission/web/", closed.rpc));
    browser.see("p", "ours");
    for (name, of_closed) in [("127.0.0.1", "409"), (FOREIGN, "401")] {
        browser.open(&format!("http://{name}:{}/", server.address().port()));
        for (rpc, refusal) in [(open.rpc, "409"), (closed.rpc, of_closed)] {
            browser.answers();
            assert_eq!(attack(&mut browser, &rpc.to_string()), [""; 0], "{name} reads from {rpc}");
            let refused = format!("{refusal} http://{rpc}/transmission/rpc");
            assert!(browser.answers().contains(&refused), "the daemon was asked, and refused");
        }
    }
    // The name of the foreign page leads to the daemon now (DNS rebinding). So the page has the same origin as RPC.
    let rebound = format!("{FOREIGN}:{}", open.rpc.port());
    browser.open(&format!("http://{rebound}/healthz"));
    assert_eq!(attack(&mut browser, &rebound), [""; 0]);
    let answers = browser.answers();
    assert!(answers.contains(&format!("421 http://{rebound}/transmission/rpc")), "{answers:?}");

    for (torrents, settings) in [
        (open.ask("torrent-get", &json!({ "fields": ["id"] })), open.ask("session-get", &json!({}))),
        (closed.ask("torrent-get", &json!({ "fields": ["id"] })), closed.ask("session-get", &json!({}))),
    ] {
        assert_eq!(torrents, json!({ "torrents": [] }));
        assert_eq!(settings["speed-limit-down-enabled"], false);
    }
}

/// The ways by which the page of the browser can read what belongs to the daemon at `host`.
fn attack(browser: &mut Browser, host: &str) -> Vec<String> {
    let ways = browser.run(&format!("({ATTACK})('http://{host}/transmission/rpc')"));
    serde_json::from_value(ways).expect("a list of names")
}

/// A daemon with a password.
struct Closed {
    _process: Process,
    rpc: SocketAddr,
}

impl Closed {
    fn start(scratch: &Path, home: &str) -> Closed {
        let (config, rpc) = (scratch.join("config"), SocketAddr::from(([127, 0, 0, 1], free_port())));
        let (user, password) = USER.split_once(':').expect("it has both");
        let login = format!("rpc-username = {user}\nrpc-password = {password}\n");
        fs::write(&config, format!("rpc-authentication-required = yes\n{login}")).unwrap();
        let mut command = command(scratch, &scratch.join("content"));
        command.arg("--port=0").arg("--rpc").arg(rpc.to_string()).args(["--web-home", home]);
        let mut process = Process::start("closed daemon", command.arg("--config").arg(&config), scratch);
        wait_until("the daemon answers", PATIENCE, || {
            process.must_run();
            request(rpc, "/healthz", "", None).is_ok()
        });
        Closed { _process: process, rpc }
    }

    fn ask(&self, method: &str, arguments: &Value) -> Value {
        let question = json!({ "method": method, "arguments": arguments }).to_string();
        let login = format!("Authorization: Basic {}\r\n", base64(USER.as_bytes()));
        let post = |headers: &str| request(self.rpc, "/transmission/rpc", headers, Some(&question)).unwrap();
        let refusal = post(&login);
        let id = refusal.header("X-Transmission-Session-Id").expect("the user may ask");
        let answer: Value =
            serde_json::from_slice(&post(&format!("{login}X-Transmission-Session-Id: {id}\r\n")).body).unwrap();
        answer["arguments"].clone()
    }
}
