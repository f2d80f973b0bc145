//! `swarmlet attach`: the live screen of [`many`](crate::cli::commands::many), of a daemon on another machine.
//!
//! Floor 4. One thread asks the daemon ([`asking`]), one reads keys, and one draws: no key waits for the network. The
//! [`state`] is what the screen shows, [`pressing`] changes it, [`drawing`] makes rows of it, and [`painter`] writes
//! those that have changed.

mod asking;
mod drawing;
mod keys;
mod list;
mod news;
mod painter;
mod pressing;
mod state;
mod views;
mod words;

use super::daemon::Daemon;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::outlet;
#[cfg(feature = "tls")]
use crate::cli::options::outlet::CA_CERTIFICATE;
use crate::cli::options::run::HELP;
use crate::cli::options::typed;
use crate::cli::run::request::UserRequest;
use crate::cli::run::{keys as terminal_keys, signals, terminal};
use crate::cli::show::layout::Look;
use crate::cli::show::live;
use asking::Asker;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use news::{News, Request};
use painter::Painter;
use state::{End, State};
use std::io::{self, IsTerminal, Write};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How often times on the screen are counted down.
const TICK: Duration = Duration::from_secs(1);
/// How many news wait for the screen. A terminal may be slower than the daemon.
const NEWS: usize = 4;

/// `attach`, described.
pub const COMMAND: Command = Command {
    name: "attach",
    summary: "show the live screen of a daemon, also transmission's",
    usage: "[URL]",
    completes: Completes::Nothing,
    about: &[
        "Show the torrents of a daemon on a live screen, over transmission's RPC: of `swarmlet daemon`, or of \
         transmission-daemon, on this machine or another one.",
        "URL says where the daemon is: http://HOST:PORT/PATH, or only HOST:PORT. The path is /transmission/rpc if none \
         is given. Without URL, the variable SWARMLET_REMOTE says it; without that, it is http://127.0.0.1:9091.",
        "A key shows its effect at once, however slow the line is. An ellipsis (…) marks what the daemon has not \
         answered yet. If the daemon goes away, the screen says why, and tries again until it is back.",
    ],
    options: &[Group {
        title: "Options",
        flags: &[
            Flag::with(
                "user",
                "USER:PASSWORD",
                "Log in with these. Others on this machine can see them in the list of processes, as they can see those \
                 in a URL; the variable TR_AUTH hides them better",
            )
            .short("u"),
            #[cfg(feature = "tls")]
            CA_CERTIFICATE,
            HELP,
        ],
    }],
    exits: &[
        (Exit::Success, "you have quit"),
        (Exit::Incomplete, "the daemon refused something that you had asked of it just before you quit"),
        (Exit::Usage, "the command line is wrong, or there is no terminal"),
        (
            Exit::Unavailable,
            "the daemon did not answer at first, or not any more when you quit, there is another server, or user or \
             password are wrong",
        ),
    ],
    exit_note: "",
    sections: &[
        Section { title: "Keys", parts: &[Part::Terms(keys::KEYS)] },
        Section {
            title: "Environment",
            parts: &[Part::Terms(&[
                ("SWARMLET_REMOTE", "where the daemon is, if URL is not given"),
                ("TR_AUTH", "USER:PASSWORD, if neither --user nor the URL has them"),
                ("http_proxy", "the proxy; https_proxy, all_proxy and no_proxy work too, as for `get`"),
                ("NO_COLOR", "if it is set, nothing is bold, inverse or pale"),
            ])],
        },
    ],
    examples: &["swarmlet attach", "swarmlet attach nas:9091", "TR_AUTH=me:secret swarmlet attach https://nas/"],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    outlet::choose(given)?;
    let url =
        match &given.arguments()[..] {
            [] => None,
            [url] => Some(url.to_str().map(String::from).ok_or_else(|| {
                Failure::usage(format!("{}: expected http://HOST:PORT or HOST:PORT", typed::shown(url)))
            })?),
            _ => return Err(Failure::usage("expected one URL: swarmlet attach HOST:PORT")),
        };
    let daemon = Daemon::new(url, "URL", given)?;
    if !live::is_there() || !terminal::has_keys() || !io::stdout().is_terminal() {
        return Err(Failure::usage("attach needs a terminal; `swarmlet remote list` writes to files and pipes"));
    }
    let mut screen = Screen::start(daemon)?;
    let result = screen.go();
    terminal::release();
    result
}

/// The screen, and the channels that it listens to.
struct Screen {
    state: State,
    painter: Painter,
    utf8: bool,
    requests: Sender<Request>,
    news: Receiver<News>,
    wishes: Receiver<UserRequest>,
}

impl Screen {
    fn start(daemon: Daemon) -> Result<Screen, Failure> {
        let refused = |error| Failure::new(Exit::Io, format!("can't start a thread: {error}"));
        let (wish_sender, wishes) = unbounded();
        let (requests, wanted) = unbounded();
        let (news_sender, news) = bounded(NEWS);
        let state = State::new(daemon.shown());
        signals::listen(&wish_sender, true, false, false)?;
        let asker = Asker::new(daemon, wanted, news_sender);
        Builder::new().name("asker".into()).spawn(move || asker.run()).map_err(refused)?;
        terminal::begin(true);
        terminal_keys::listen(&wish_sender, true);
        let styles = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let (painter, utf8) = (Painter::new(styles), live::is_utf8());
        Ok(Screen { state, painter, utf8, requests, news, wishes })
    }

    /// Shows what happens until the end.
    fn go(&mut self) -> Result<Exit, Failure> {
        loop {
            self.draw();
            let tick = crossbeam_channel::after(TICK);
            crossbeam_channel::select! {
                recv(self.wishes) -> wish => wish.into_iter().for_each(|wish| self.wished(wish)),
                recv(self.news) -> news => self.heard(news.ok()),
                recv(tick) -> _ => {}
            }
            // All that has come is drawn together.
            while let Ok(wish) = self.wishes.try_recv() {
                self.wished(wish);
            }
            while let Ok(news) = self.news.try_recv() {
                self.heard(Some(news));
            }
            match std::mem::replace(&mut self.state.end, End::No) {
                End::Now => return Ok(Exit::Success),
                End::Failed(failure) => return Err(failure),
                end @ (End::No | End::Asked(_)) => self.state.end = end,
            }
        }
    }

    /// `None`: the thread has ended.
    fn heard(&mut self, news: Option<News>) {
        let Some(news) = news else {
            let failure = Failure::new(Exit::Io, "the thread that asks the daemon has ended");
            return self.state.end = End::Failed(failure);
        };
        let request = self.state.take(news, Instant::now());
        self.ask(request);
    }

    fn ask(&self, request: Option<Request>) {
        // If the thread is gone, it has said why.
        request.into_iter().for_each(|request| drop(self.requests.send(request)));
    }

    /// A key, or a signal.
    fn wished(&mut self, wish: UserRequest) {
        match wish {
            UserRequest::Press(press) => {
                let request = self.state.pressed(press);
                self.ask(request);
            }
            UserRequest::Interrupt => self.state.quit(),
            UserRequest::Redraw => self.painter.forget(),
            UserRequest::Resized | UserRequest::Rescan | UserRequest::Key(_) => {}
        }
    }

    fn draw(&mut self) {
        // A job in the background draws nothing.
        if terminal::in_background() {
            return;
        }
        if terminal::take() {
            self.painter.forget();
        }
        let (columns, rows) = terminal::size();
        // The last column stays free, because terminals wrap there.
        let look = Look { columns: columns.saturating_sub(1), rows, utf8: self.utf8 };
        let text = self.painter.paint(&drawing::frame(&mut self.state, look, Instant::now()));
        // If the terminal is gone, SIGHUP ends the program.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
