//! The keys of `attach`: what each of them changes on the screen, and what it asks of the daemon.
//!
//! Floor 4. Pure. The effect is shown at once, and marked until the daemon has answered.

use super::news::{After, Order, Request, Tab, Torrent};
use super::state::{Input, Line, Mark, NOT_SENT, Question, State, View};
use crate::base::json::{self, Object};
use crate::base::units::sum;
use crate::cli::commands::remote::limits::{self, Limits};
use crate::cli::run::request::Move;
use crate::cli::run::request::Press;

/// Most bytes that can be typed. (The longest links have some hundred trackers.)
const MOST_TYPED: usize = 16 << 10;
/// Control characters that terminals send for keys.
const ENTER: [u8; 2] = [b'\n', b'\r'];
const BACKSPACE: [u8; 2] = [0x7f, 0x08];
/// ^U.
const KILL: u8 = 0x15;

impl State {
    /// Does what a key stands for. Returns what the daemon is asked for.
    pub fn pressed(&mut self, press: Press) -> Option<Request> {
        self.note.clear();
        // From the first key on, no other torrent takes the place of the selected one.
        self.list.chosen = true;
        if let Press::Paste { begins } = press {
            self.is_paste = begins;
            // A link that is pasted is added after Enter.
            if begins && self.input == Input::None && self.view == View::List {
                self.input = Input::Add(String::new());
            }
            return None;
        }
        match &self.input {
            Input::Question(question) => {
                let question = question.clone();
                return self.answered(&question, press);
            }
            Input::Add(_) | Input::Filter(_) => return self.typed(press),
            // A paste must not act like keys.
            Input::None if self.is_paste => return None,
            Input::None => {}
        }
        match (press, &self.view) {
            (Press::Byte(letter), _) => self.letter(letter),
            (Press::Move(to), View::List) => {
                self.list.go(to, &self.torrents);
                None
            }
            (Press::Move(to), _) => {
                self.go(to);
                None
            }
            (Press::Side { right: true }, View::List) => self.view_next(),
            (Press::Side { right: true }, View::Torrent(..)) => self.view_next(),
            (Press::Escape, View::List) => {
                self.filter(String::new());
                None
            }
            (Press::Escape | Press::Side { right: false }, _) => self.back(),
            (Press::Side { .. }, View::Help) | (Press::Paste { .. }, _) => None,
        }
    }

    fn letter(&mut self, letter: u8) -> Option<Request> {
        let is_files = self.files().is_some();
        match letter {
            b'q' => self.quit(),
            b'?' | b'h' => return self.help(),
            b'j' => return self.pressed(Press::Move(Move::Down)),
            b'k' => return self.pressed(Press::Move(Move::Up)),
            b'v' | b'\t' => return self.view_next(),
            letter if ENTER.contains(&letter) && self.view == View::List => return self.view_next(),
            letter if BACKSPACE.contains(&letter) => return self.back(),
            b'n' => self.input = Input::Add(String::new()),
            b'/' if self.view == View::List => self.input = Input::Filter(self.list.filter.clone()),
            b's' if self.view == View::List => {
                self.list.sort_by_next_column();
                self.list.sort(&self.torrents);
            }
            b' ' if is_files => return self.want_file(),
            b'+' | b'=' if is_files => return self.prefer_file(1),
            b'-' | b'_' if is_files => return self.prefer_file(-1),
            b'+' | b'=' => return self.limit(false, true),
            b'-' | b'_' => return self.limit(false, false),
            b'>' | b'.' => return self.limit(true, true),
            b'<' | b',' => return self.limit(true, false),
            b'm' => return self.alternate(),
            b'p' => {
                let is_stopped = self.torrent()?.is_stopped();
                let [method, word, verb] = if is_stopped {
                    ["torrent-start", "starting", "start"]
                } else {
                    ["torrent-stop", "stopping", "stop"]
                };
                return self.act(method, word, verb);
            }
            b't' => {
                let request = self.act("torrent-reannounce", "asking", "ask the trackers of")?;
                self.note = "its trackers are asked for peers".into();
                return Some(request);
            }
            b'c' => {
                let torrent = self.torrent()?;
                if !torrent.is_complete() {
                    return self.act("torrent-verify", "verifying", "verify");
                }
                self.input = Input::Question(Question::Verify(torrent.hash().into()));
            }
            b'u' => return self.act("queue-move-up", "moving", "move"),
            b'd' => return self.act("queue-move-down", "moving", "move"),
            b'U' => return self.act("queue-move-top", "moving", "move"),
            b'D' => return self.act("queue-move-bottom", "moving", "move"),
            b'r' => {
                let hash = self.torrent()?.hash().to_string();
                self.input = Input::Question(Question::Remove(hash));
            }
            b'a' if !self.torrents.is_empty() => {
                let stop = self.torrents.values().any(|torrent| !torrent.is_stopped());
                self.input = Input::Question(Question::All { stop });
            }
            _ => {}
        }
        None
    }

    /// Scrolls, or selects a file.
    fn go(&mut self, to: Move) {
        let lines = self.scroll.count;
        match self.files() {
            Some(_) => self.scroll.place.go(to, lines),
            None => {
                let tops = lines.saturating_sub(self.scroll.place.height) + 1;
                self.scroll.place.go(to, tops);
            }
        }
    }

    fn show(&mut self, view: View) -> Option<Request> {
        (self.view, self.scroll, self.details) = (view, Default::default(), None);
        Some(Request::Watch(match &self.view {
            View::Torrent(hash, tab) => Some((hash.clone(), *tab)),
            View::List | View::Help => None,
        }))
    }

    /// The next view of the torrent; in the list, the first one.
    fn view_next(&mut self) -> Option<Request> {
        let hash = self.torrent()?.hash().to_string();
        let tab = match &self.view {
            View::Torrent(_, Tab::Facts) => Tab::Peers,
            View::Torrent(_, Tab::Peers) => Tab::Trackers,
            View::Torrent(_, Tab::Trackers) => Tab::Files,
            View::Torrent(_, Tab::Files) | View::List | View::Help => Tab::Facts,
        };
        self.show(View::Torrent(hash, tab))
    }

    fn back(&mut self) -> Option<Request> {
        if self.view == View::List { None } else { self.show(View::List) }
    }

    fn help(&mut self) -> Option<Request> {
        if self.view == View::Help { self.back() } else { self.show(View::Help) }
    }

    fn filter(&mut self, filter: String) {
        self.list.filter = filter.to_lowercase();
        self.list.sort(&self.torrents);
    }

    /// A key in a line that is being typed.
    fn typed(&mut self, press: Press) -> Option<Request> {
        let (Input::Add(text) | Input::Filter(text)) = &mut self.input else { return None };
        match press {
            Press::Byte(byte) if ENTER.contains(&byte) && !self.is_paste => return self.entered(),
            Press::Byte(byte) if BACKSPACE.contains(&byte) => drop(text.pop()),
            Press::Byte(KILL) => text.clear(),
            Press::Byte(byte) if !byte.is_ascii_control() && text.len() < MOST_TYPED => {
                self.partial.push(byte);
                let typed = match str::from_utf8(&self.partial) {
                    Ok(character) => character,
                    // The rest of the character comes next.
                    Err(error) if error.error_len().is_none() => return None,
                    Err(_) => "",
                };
                text.push_str(typed);
                self.partial.clear();
            }
            Press::Escape => {
                let was_filter = matches!(self.input, Input::Filter(_));
                self.input = Input::None;
                if was_filter {
                    self.filter(String::new());
                }
            }
            _ => {}
        }
        if let Input::Filter(text) = &self.input {
            self.filter(text.clone());
        }
        None
    }

    fn entered(&mut self) -> Option<Request> {
        match std::mem::replace(&mut self.input, Input::None) {
            Input::Add(text) if !text.trim().is_empty() => self.add(text.trim()),
            _ => None,
        }
    }

    fn answered(&mut self, question: &Question, press: Press) -> Option<Request> {
        self.input = Input::None;
        match (question, press) {
            _ if self.is_paste => None,
            (Question::Remove(hash), Press::Byte(letter @ (b'y' | b'Y' | b'X'))) => {
                let mut arguments = Object::plain();
                arguments.flag("delete-local-data", letter == b'X');
                self.act_on(hash, "torrent-remove", "removing", "remove", arguments)
            }
            (Question::Verify(hash), Press::Byte(b'y' | b'Y')) => {
                self.act_on(hash, "torrent-verify", "verifying", "verify", Object::plain())
            }
            (Question::All { stop }, Press::Byte(b'y' | b'Y')) => self.act_on_all(*stop),
            _ => None,
        }
    }

    /// Whether orders reach the daemon. If not, the person is told.
    fn can_order(&mut self) -> bool {
        let is_up = self.line == Line::Up;
        if !is_up {
            self.note = NOT_SENT.into();
        }
        is_up
    }

    /// An order about the torrent that keys are for.
    fn act(&mut self, method: &'static str, word: &'static str, verb: &str) -> Option<Request> {
        let hash = self.torrent()?.hash().to_string();
        self.act_on(&hash, method, word, verb, Object::plain())
    }

    fn act_on(
        &mut self,
        hash: &str,
        method: &'static str,
        word: &'static str,
        verb: &str,
        mut arguments: Object,
    ) -> Option<Request> {
        let what = format!("{verb} {}", self.by_hash(hash)?.figures.found.shown());
        if !self.can_order() {
            return None;
        }
        arguments.raw("ids", &json::array(&mut [json::string(hash)].into_iter()));
        let after = match method {
            "torrent-remove" => After::List,
            // The others move, too.
            _ if method.starts_with("queue") => After::All,
            _ => After::Torrent(hash.into()),
        };
        let request = self.order(Order { number: 0, what, method, arguments, source: None, after });
        self.marks.insert(hash.into(), Mark { word, order: Some(self.last_order) });
        Some(request)
    }

    /// Starts or stops all torrents.
    fn act_on_all(&mut self, stop: bool) -> Option<Request> {
        if !self.can_order() {
            return None;
        }
        let [method, word, what] = match stop {
            true => ["torrent-stop", "stopping", "stop all torrents"],
            false => ["torrent-start", "starting", "start all torrents"],
        };
        let arguments = Object::plain();
        let request =
            self.order(Order { number: 0, what: what.into(), method, arguments, source: None, after: After::All });
        for torrent in self.torrents.values().filter(|torrent| torrent.is_stopped() != stop) {
            self.marks.insert(torrent.hash().into(), Mark { word, order: Some(self.last_order) });
        }
        Some(request)
    }

    fn add(&mut self, source: &str) -> Option<Request> {
        if !self.can_order() {
            return None;
        }
        // `-` is standard input, from which the keys come.
        let source = if source == "-" { "./-" } else { source };
        let shown = crate::cli::options::source::shown(source.as_ref());
        self.note = format!("adding {shown}");
        let what = format!("add {shown}");
        let (method, arguments, source) = ("torrent-add", Object::plain(), Some(source.to_string()));
        Some(self.order(Order { number: 0, what, method, arguments, source, after: After::List }))
    }

    /// Raises or lowers a limit of all torrents together.
    fn limit(&mut self, uploads: bool, faster: bool) -> Option<Request> {
        if self.alternative.is_some() {
            self.note = "the alternative limits are in use; m ends that".into();
            return None;
        }
        let rate = |of: fn(&Torrent) -> u64| sum(self.torrents.values().map(of));
        let mut limits = self.limits;
        let (limit, rate, key) = match uploads {
            false => (&mut limits.down, rate(|torrent| torrent.figures.down_rate), "speed-limit-down"),
            true => (&mut limits.up, rate(|torrent| torrent.figures.up_rate), "speed-limit-up"),
        };
        *limit = limits::step(*limit, rate, faster);
        let mut arguments = Object::plain();
        limits::put(&mut arguments, Some(*limit), key, &format!("{key}-enabled"));
        let request = self.change_limits(limits, None, key, arguments)?;
        if self.view != View::List {
            // Only the list has a line with them.
            self.note = format!("limits of all torrents together: {}", limits.in_words());
        }
        Some(request)
    }

    /// Begins or ends the use of the alternative limits.
    fn alternate(&mut self) -> Option<Request> {
        let alternative = if self.alternative.is_some() { None } else { Some(Limits::default()) };
        let (key, mut arguments) = ("alt-speed-enabled", Object::plain());
        arguments.flag(key, alternative.is_some());
        self.change_limits(self.limits, alternative, key, arguments)
    }

    /// Only the setting `key` is in the order: others may have changed the rest meanwhile.
    fn change_limits(
        &mut self,
        limits: Limits,
        alternative: Option<Limits>,
        key: &'static str,
        arguments: Object,
    ) -> Option<Request> {
        if !self.can_order() {
            return None;
        }
        let (what, method, after) = ("change the limits".into(), "session-set", After::Limits(key));
        let request = self.order(Order { number: 0, what, method, arguments, source: None, after });
        (self.limits, self.alternative, self.limits_order) = (limits, alternative, Some(self.last_order));
        Some(request)
    }

    /// Downloads the selected file, or leaves it out.
    fn want_file(&mut self) -> Option<Request> {
        self.change_file(&|file| {
            file.wanted = !file.wanted;
            if file.wanted { "files-wanted" } else { "files-unwanted" }
        })
    }

    /// Raises or lowers the priority of the selected file.
    fn prefer_file(&mut self, by: i64) -> Option<Request> {
        let at = self.scroll.place.at;
        if self.files()?.get(at).is_some_and(|file| !file.wanted) {
            self.note = "the file is skipped, so it has no priority; space wants it".into();
            return None;
        }
        self.change_file(&|file| {
            file.priority = (file.priority + by).clamp(-1, 1);
            ["priority-low", "priority-normal", "priority-high"][(file.priority + 1) as usize]
        })
    }

    fn change_file(&mut self, change: &dyn Fn(&mut super::news::File) -> &'static str) -> Option<Request> {
        let torrent = self.torrent()?;
        let (hash, what) = (torrent.hash().to_string(), format!("change {}", torrent.figures.found.shown()));
        if !self.can_order() {
            return None;
        }
        let at = self.scroll.place.at;
        let key = change(self.files()?.get_mut(at)?);
        let mut arguments = Object::plain();
        arguments.raw("ids", &json::array(&mut [json::string(&hash)].into_iter()));
        arguments.raw(key, &format!("[{at}]"));
        let (method, after) = ("torrent-set", After::Torrent(hash));
        let request = self.order(Order { number: 0, what, method, arguments, source: None, after });
        self.files_order = Some(self.last_order);
        Some(request)
    }
}
