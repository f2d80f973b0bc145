//! A web server by hand, for web seeds that misbehave.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Path and query.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Asked {
    /// The first and the last byte that are asked for.
    pub fn range(&self) -> (usize, usize) {
        let value = self.headers.get("range").expect("a web seed is asked for a range");
        let (first, last) = value.strip_prefix("bytes=").and_then(|it| it.split_once('-')).expect("it is of bytes");
        (first.parse().expect("a number"), last.parse().expect("a number"))
    }
}

/// A server on a port that the system chose. Its threads end with the process.
pub struct WebSeed {
    /// Where it listens.
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl WebSeed {
    /// Serves on this machine. `answer` writes the whole reply to a request; the connection is kept if it returns true.
    pub fn start(answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<bool> + Send + Sync + 'static) -> WebSeed {
        WebSeed::on(Ipv4Addr::LOCALHOST.into(), answer)
    }

    /// The same on another address.
    pub fn on(
        ip: IpAddr,
        answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<bool> + Send + Sync + 'static,
    ) -> WebSeed {
        let listener = TcpListener::bind((ip, 0)).expect("a port of the system's choice is free");
        let address = listener.local_addr().expect("it is bound");
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let kept = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, asked) = (answer.clone(), kept.clone());
                // The story sees for itself if a connection breaks.
                thread::spawn(move || serve(stream, &*answer, &asked));
            }
        });
        WebSeed { address, asked }
    }

    /// Its URL, of a folder.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(&Asked, &mut TcpStream) -> io::Result<bool>,
    all: &Mutex<Vec<Asked>>,
) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    loop {
        let Some(first) = lines.next().transpose()? else { return Ok(()) };
        let mut headers = BTreeMap::new();
        for line in lines.by_ref() {
            let line = line?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_string());
        }
        let asked = Asked { target: first.split(' ').nth(1).unwrap_or_default().into(), headers };
        all.lock().expect("nobody panics with it").push(asked.clone());
        if !answer(&asked, &mut stream)? {
            return Ok(());
        }
    }
}

/// Answers with the part of `file` that is asked for, as a server should.
pub fn send_part(asked: &Asked, file: &[u8], stream: &mut TcpStream) -> io::Result<bool> {
    let (first, last) = asked.range();
    let head = format!("Content-Range: bytes {first}-{last}/{}\r\n", file.len());
    send(206, &head, &file[first..=last], stream)
}

/// Answers with a status, more headers and a body.
pub fn send(status: u16, headers: &str, body: &[u8], stream: &mut TcpStream) -> io::Result<bool> {
    let length = body.len();
    let mut reply = format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    reply.extend(body);
    stream.write_all(&reply)?;
    Ok(true)
}
