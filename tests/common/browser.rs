//! A headless Chromium, as a person uses it: it opens pages, clicks, types and looks. Elements of a page are named by
//! selectors of CSS, with the additions of playwright.

use super::process::Process;
use super::tools;
use super::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::env;
use std::io::{PipeWriter, Write, pipe};
use std::path::Path;
use std::thread;

/// A wide screen and a phone, in pixels.
pub const SHAPES: [[u32; 2]; 2] = [[1280, 800], [390, 844]];

/// What a phone shows must fit, and a finger must be able to touch it: 44 pixels.
const TOO_SMALL: &str = "[...document.querySelectorAll('dialog[open], body, #details')]
    .filter(box => box.scrollWidth > box.clientWidth).map(box => `too wide: ${box.id || box.localName}`)
    .concat([...document.querySelectorAll('button, select, input, .torrent')]
        .map(element => element.closest('li label, label.row') || element)
        .filter(element => element.checkVisibility() && element.offsetHeight < 44)
        .map(element => `too low: ${element.offsetHeight} ${element.outerHTML}`))";

/// The browser. It ends when dropped.
pub struct Browser {
    process: Process,
    /// Where its orders go.
    orders: Option<PipeWriter>,
    /// How many orders it got.
    given: usize,
}

impl Browser {
    /// Starts one that keeps its files in `scratch`. `names` mean this machine; other names mean nothing.
    pub fn start(scratch: &Path, names: &[&str]) -> Browser {
        let (reader, writer) = pipe().expect("a pipe can be made");
        let mut command = tools::browser();
        let command = command.args(names).env("TMPDIR", scratch).env("HOME", scratch);
        let process = Process::start_with_stdin("browser", command, scratch, reader.into());
        Browser { process, orders: Some(writer), given: 0 }
    }

    /// Opens a page.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        self.order(&json!({ "do": "open", "url": url }));
    }

    /// Clicks on an element when it is there.
    #[track_caller]
    pub fn click(&mut self, at: &str) {
        self.order(&json!({ "do": "click", "at": at }));
    }

    /// Clicks on an element while this key is held, such as `Control`.
    #[track_caller]
    pub fn click_with(&mut self, at: &str, held: &str) {
        self.order(&json!({ "do": "click", "at": at, "held": held }));
    }

    /// Drops a file on the page, whose content is this in base64.
    #[track_caller]
    pub fn drop_file(&mut self, name: &str, base64: &str) {
        self.order(&json!({ "do": "drop", "name": name, "base64": base64 }));
    }

    /// Opens the menu of an element.
    #[track_caller]
    pub fn menu(&mut self, at: &str) {
        self.order(&json!({ "do": "menu", "at": at }));
    }

    /// Clicks twice on an element.
    #[track_caller]
    pub fn double_click(&mut self, at: &str) {
        self.order(&json!({ "do": "double", "at": at }));
    }

    /// Gives the window this size, in pixels, and the colours that the person likes: `light` or `dark`.
    #[track_caller]
    pub fn shape(&mut self, [width, height]: [u32; 2], scheme: &str) {
        self.order(&json!({ "do": "shape", "width": width, "height": height, "scheme": scheme }));
    }

    /// Keeps a picture of the page in this file.
    #[track_caller]
    fn picture(&mut self, file: &Path) {
        self.order(&json!({ "do": "picture", "path": file }));
    }

    /// Looks at the page by day and by night. axe-core finds no barrier, and fingers reach all of it on a phone. Pictures
    /// are kept in the folder that `SWARMLET_PICTURES` names, if it is set.
    #[track_caller]
    pub fn look(&mut self, shape: [u32; 2], name: &str) {
        for scheme in ["dark", "light"] {
            self.shape(shape, scheme);
            if let Some(folder) = env::var_os("SWARMLET_PICTURES") {
                self.picture(&Path::new(&folder).join(format!("{name} {} {scheme}.png", shape[0])));
            }
            assert_eq!(self.barriers(), json!([]), "{name} {shape:?} {scheme}");
        }
        if shape == SHAPES[1] {
            assert_eq!(self.run(TOO_SMALL), json!([]), "{name}");
        }
    }

    /// The barriers for people with a disability that axe-core finds on the page.
    #[track_caller]
    fn barriers(&mut self) -> Value {
        self.order(&json!({ "do": "barriers" }))
    }

    /// Replaces the text of a field.
    #[track_caller]
    pub fn fill(&mut self, at: &str, text: &str) {
        self.order(&json!({ "do": "fill", "at": at, "text": text }));
    }

    /// Presses a key.
    #[track_caller]
    pub fn press(&mut self, key: &str) {
        self.order(&json!({ "do": "press", "key": key }));
    }

    /// Chooses from a list.
    #[track_caller]
    pub fn choose(&mut self, at: &str, value: &str) {
        self.order(&json!({ "do": "choose", "at": at, "value": value }));
    }

    /// Chooses a file to upload.
    #[track_caller]
    pub fn file(&mut self, at: &str, path: &Path) {
        self.order(&json!({ "do": "file", "at": at, "path": path }));
    }

    /// Waits until an element with this text is there.
    #[track_caller]
    pub fn see(&mut self, at: &str, text: &str) {
        self.order(&json!({ "do": "see", "at": at, "text": text }));
    }

    /// Waits until no element with this text is there.
    #[track_caller]
    pub fn see_no(&mut self, at: &str, text: &str) {
        self.order(&json!({ "do": "gone", "at": at, "text": text }));
    }

    /// Runs a script as a part of the page. Returns its value.
    #[track_caller]
    pub fn run(&mut self, script: &str) -> Value {
        self.order(&json!({ "do": "run", "script": script }))
    }

    /// Waits until a script has this value.
    #[track_caller]
    pub fn becomes(&mut self, script: &str, value: &Value) {
        wait_until(&format!("{script} is {value}"), PATIENCE, || self.run(script) == *value);
    }

    /// The faults of the scripts of all pages so far, and what they told the user in a box.
    #[track_caller]
    pub fn faults(&mut self) -> Value {
        self.order(&json!({ "do": "faults" }))
    }

    /// The status and the URL of each answer since the last call, each once, even if no script may read it.
    #[track_caller]
    pub fn answers(&mut self) -> Vec<String> {
        let answers = self.order(&json!({ "do": "answers" }));
        serde_json::from_value(answers).expect("a list of lines")
    }

    #[track_caller]
    fn order(&mut self, order: &Value) -> Value {
        writeln!(self.orders.as_mut().expect("it is open until the end"), "{order}").expect("the browser takes orders");
        let mut answer = None;
        wait_until(&format!("the browser did {order}"), PATIENCE, || {
            self.process.must_run();
            let said = self.process.stdout();
            answer = said.split_inclusive('\n').nth(self.given).filter(|line| line.ends_with('\n')).map(String::from);
            answer.is_some()
        });
        self.given += 1;
        let answer: Value = serde_json::from_str(&answer.expect("it was seen")).expect("an answer is JSON");
        assert_eq!(answer["error"], Value::Null, "{order}");
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without orders, it closes its windows and ends. If the story fails, it is killed.
        self.orders = None;
        if !thread::panicking() {
            self.process.wait(PATIENCE);
        }
    }
}
