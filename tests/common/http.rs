//! A small HTTP server that answers each request with a function, and a small client.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long either side waits for the other.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A server on a port that the system chose. It ends when dropped.
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves on `ip`. `answer` takes the raw target (path and query) and the client, and returns the body, or `None`
    /// for 404.
    pub fn start(ip: IpAddr, answer: impl Fn(&str, IpAddr) -> Option<Vec<u8>> + Send + Sync + 'static) -> Server {
        Server::raw((ip, 0).into(), move |target, stream| {
            let from = stream.peer_addr()?.ip();
            let (status, body) = answer(target, from).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
            stream.write_all(&body)
        })
    }

    /// Serves at `address`. `answer` takes the target and writes the whole reply, including the head.
    pub fn raw(
        address: SocketAddr,
        answer: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind(address).expect("the port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, answer) = (stop.clone(), Arc::new(answer));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let answer = answer.clone();
                // It is not the server's concern if a client hangs up half-way.
                thread::spawn(move || stream.and_then(|stream| serve(stream, answer.as_ref())));
            }
        });
        Server { address, stop, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // This wakes the accept. If it fails, there is nothing left to wake.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&str, &mut TcpStream) -> io::Result<()>) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for header in lines {
        if header?.is_empty() {
            break;
        }
    }
    answer(request.split(' ').nth(1).unwrap_or_default(), &mut stream)
}

/// The answer to a request.
pub struct Answer {
    /// The lines above the body.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of the header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Sends one request. Each of the `headers` ends with `\r\n`. A body makes it a POST.
pub fn request(address: SocketAddr, target: &str, headers: &str, body: Option<&str>) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let (method, body) = body.map_or(("GET", ""), |body| ("POST", body));
    let length = body.len();
    write!(stream, "{method} {target} HTTP/1.0\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")?;
    let mut data = Vec::new();
    stream.read_to_end(&mut data)?;
    let end = data.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let body = data.split_off(end + 4);
    Ok(Answer { head: String::from_utf8_lossy(&data).into_owned(), body })
}

/// `text` with every `%XX` decoded.
pub fn percent_decode(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let (byte, step) = code.filter(|_| *first == b'%').map_or((*first, 1), |byte| (byte, 3));
        out.push(byte);
        rest = &rest[step..];
    }
    out
}

/// Every byte of `bytes` as `%XX`.
pub fn percent_encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}
