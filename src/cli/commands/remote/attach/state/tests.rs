//! Tests of what keys and news change on the screen of `attach`. Floor 4.

use super::*;
use crate::base::json::read::read;
use crate::cli::commands::remote::attach::news::{After, facts_of, files, peers, trackers};
use crate::cli::run::request::Move;
use crate::cli::run::request::Press;

/// A torrent as a daemon describes it, with more fields.
pub fn torrent(id: u64, name: &str, fields: &str) -> Torrent {
    let text = format!(r#"{{"id":{id},"hashString":"{id:040x}","name":"{name}"{fields}}}"#);
    Torrent::of(&read(&text).unwrap()).unwrap()
}

/// What the daemon says of all its torrents.
pub fn all(torrents: Vec<Torrent>) -> News {
    News::Torrents { all: true, torrents, removed: Vec::new() }
}

/// A screen with three torrents, of which the first is selected.
pub fn three() -> State {
    let seeds = r#","status":6,"sizeWhenDone":104857600,"uploadedEver":157286400,"rateUpload":1048576,"peersConnected":7,
        "peersGettingFromUs":2,"queuePosition":2"#;
    let downloads = r#","status":4,"metadataPercentComplete":1,"sizeWhenDone":104857600,"leftUntilDone":62914560,
        "rateDownload":5242880,"peersConnected":3,"peersSendingToUs":1,"eta":12,"queuePosition":1"#;
    let stopped = r#","status":0,"error":3,"errorString":"No space left on device","sizeWhenDone":5,"leftUntilDone":5"#;
    let torrents = vec![
        torrent(1, "b comes", downloads),
        torrent(2, "東京 seeds", seeds),
        torrent(3, "a failed", &format!("{stopped},\"queuePosition\":0")),
    ];
    let mut state = State::new("http://nas/…".into());
    state.take(all(torrents), Instant::now());
    state
}

/// Presses letters. Returns the calls of the orders that follow.
fn press(state: &mut State, keys: &str) -> Vec<String> {
    let requests = keys.bytes().filter_map(|byte| state.pressed(Press::Byte(byte))).collect::<Vec<_>>();
    let call = |request| match request {
        Request::Order(order) => Some(format!("{} {}", order.method, order.arguments.end().trim_end())),
        Request::Watch(_) => None,
    };
    requests.into_iter().filter_map(call).collect()
}

fn selected(state: &State) -> &str {
    state.torrent().map_or("", Torrent::name)
}

fn hash(id: u64) -> String {
    format!("{id:040x}")
}

#[test]
fn a_key_marks_a_torrent_until_the_daemon_says_what_it_does_now() {
    let mut state = three();
    state.pressed(Press::Move(Move::Down));
    assert_eq!(selected(&state), "b comes");
    assert_eq!(press(&mut state, "p"), [format!("torrent-stop {{\"ids\":[\"{}\"]}}", hash(1))]);
    let word = |state: &State| state.marks.get(&hash(1)).map(|mark| mark.word);
    assert_eq!(word(&state), Some("stopping"));
    // An answer to an older question says nothing about it.
    state.take(all(vec![torrent(1, "b comes", r#","status":4"#)]), Instant::now());
    assert_eq!(word(&state), Some("stopping"));
    state.take(News::Done(state.last_order, Ok(String::new())), Instant::now());
    assert_eq!(word(&state), Some("stopping"));
    state.take(all(vec![torrent(1, "b comes", r#","status":0"#)]), Instant::now());
    assert_eq!(word(&state), None);
    assert!(press(&mut state, "p")[0].starts_with("torrent-start "));
    state.take(News::Done(state.last_order, refused("start b comes: no")), Instant::now());
    assert_eq!((word(&state), state.note.as_str()), (None, "start b comes: no"));
    // The words stay until the next key.
    press(&mut state, "j");
    assert_eq!(state.note, "");
}

#[test]
fn each_key_has_its_call() {
    let ids = format!("\"ids\":[\"{}\"]", hash(3));
    for (keys, call) in [
        ("t", "torrent-reannounce {"),
        ("c", "torrent-verify {"),
        ("u", "queue-move-up {"),
        ("d", "queue-move-down {"),
        ("U", "queue-move-top {"),
        ("D", "queue-move-bottom {"),
        ("p", "torrent-start {"),
        ("ry", "torrent-remove {\"delete-local-data\":false,"),
        ("rX", "torrent-remove {\"delete-local-data\":true,"),
    ] {
        assert_eq!(press(&mut three(), keys), [format!("{call}{ids}}}")], "{keys}");
    }
    for nothing in ["rn", "rD", "r\u{1b}", "rq", "a", "an", "x", "/p", "np", "?p"] {
        assert_eq!(press(&mut three(), nothing), Vec::<String>::new(), "{nothing}");
    }
    let mut asks = three();
    press(&mut asks, "t");
    assert_eq!(asks.note, "its trackers are asked for peers");
    assert_eq!(press(&mut three(), "ay"), ["torrent-stop {}"]);
    assert_eq!(press(&mut three(), "nmagnet:?x\n"), ["torrent-add {}"]);
}

#[test]
fn limits_change_at_once_and_older_answers_do_not_change_them_back() {
    let mut state = three();
    // A limit that somebody else changed meanwhile stays.
    let order = "session-set {\"speed-limit-down-enabled\":true,\"speed-limit-down\":5120}";
    assert_eq!(press(&mut state, "-"), [order]);
    assert_eq!(press(&mut three(), "<"), [order.replace("down", "up").replace("5120", "1024")]);
    let low = Limits { down: Some(5000 << 10), up: None };
    assert_eq!(state.limits, low);
    state.take(News::Limits(Limits::default(), None), Instant::now());
    assert_eq!((state.limits, state.limits_order), (low, Some(1)));
    state.take(News::Done(1, Ok(String::new())), Instant::now());
    state.take(News::Limits(low, None), Instant::now());
    assert_eq!((state.limits, state.limits_order), (low, None));
    assert_eq!(press(&mut state, "m"), ["session-set {\"alt-speed-enabled\":true}"]);
    assert_eq!((state.alternative, press(&mut state, "+")), (Some(Limits::default()), Vec::new()));
    assert!(state.note.starts_with("the alternative limits are in use"));
}

#[test]
fn a_paste_adds_a_link_and_acts_like_no_key() {
    let mut state = three();
    let paste = |state: &mut State, text: &str| {
        state.pressed(Press::Paste { begins: true });
        let calls = press(state, text);
        state.pressed(Press::Paste { begins: false });
        calls
    };
    assert_eq!(paste(&mut state, "magnet:?xt=é\nq"), Vec::<String>::new());
    assert_eq!(state.input, Input::Add("magnet:?xt=éq".into()));
    assert_eq!(press(&mut state, "\n").len(), 1);
    for keys in ["r", "a"] {
        press(&mut state, keys);
        assert_eq!(paste(&mut state, "y"), Vec::<String>::new());
        assert!(matches!(state.end, End::No) && state.input == Input::None);
    }
    press(&mut state, "v");
    assert_eq!(paste(&mut state, "pq"), Vec::<String>::new());
    assert!(matches!(state.end, End::No));
}

#[test]
fn without_a_connection_nothing_is_ordered() {
    let mut state = three();
    state.take(News::Gone("gone".into(), Instant::now()), Instant::now());
    for keys in ["p", "ry", "ay", "-", "m", "nx\n"] {
        assert_eq!(press(&mut state, keys), Vec::<String>::new());
        assert_eq!(state.note, NOT_SENT, "{keys}");
    }
    assert!(state.marks.is_empty() && state.limits == Limits::default());
    state.take(all(Vec::new()), Instant::now());
    assert_eq!((&state.line, &*state.note), (&Line::Up, ""), "what was said holds no longer");
}

#[test]
fn the_end_waits_for_orders_once() {
    let mut state = three();
    press(&mut state, "q");
    assert!(matches!(state.end, End::Now));
    let mut state = three();
    press(&mut state, "pq");
    assert!(matches!(state.end, End::Asked(None)));
    state.take(News::Done(1, Ok(String::new())), Instant::now());
    assert!(matches!(state.end, End::Now));
    let mut state = three();
    press(&mut state, "pqq");
    assert!(matches!(state.end, End::Now));
}

fn refused(words: &str) -> Result<String, Failure> {
    Err(Failure::new(Exit::Incomplete, words))
}

#[test]
fn an_order_that_fails_at_the_end_is_reported() {
    let failure = |state: &mut State| match std::mem::replace(&mut state.end, End::No) {
        End::Failed(failure) => Some((failure.exit, failure.text)),
        _ => None,
    };
    let gone = || News::Gone("http://nas/…: Connection refused".into(), Instant::now());
    // All orders are answered before the end, and the first failure is told.
    let mut state = three();
    press(&mut state, "prXq");
    state.take(News::Done(1, refused("stop a failed: no")), Instant::now());
    assert!(matches!(state.end, End::Asked(Some(_))));
    state.take(News::Done(2, refused("remove a failed: no")), Instant::now());
    press(&mut state, "q");
    assert_eq!(failure(&mut state), Some((Exit::Incomplete, "stop a failed: no".into())));
    // The daemon disappears.
    let mut state = three();
    press(&mut state, "rXq");
    state.take(gone(), Instant::now());
    assert_eq!(failure(&mut state), Some((Exit::Unavailable, "http://nas/…: Connection refused".into())));
    // An order is on its way to the thread that asks, which has just lost the daemon.
    let mut state = three();
    press(&mut state, "p");
    state.take(gone(), Instant::now());
    press(&mut state, "q");
    assert!(matches!(state.end, End::Asked(None)));
    state.take(News::Done(1, refused("not sent")), Instant::now());
    assert_eq!(failure(&mut state), Some((Exit::Incomplete, "not sent".into())));
}

#[test]
fn a_complete_torrent_is_verified_after_a_question() {
    let mut state = three();
    press(&mut state, "jj");
    assert_eq!(selected(&state), "東京 seeds");
    assert_eq!(press(&mut state, "c"), Vec::<String>::new());
    // Another key than y means no.
    assert_eq!(press(&mut state, "n"), Vec::<String>::new());
    assert_eq!(press(&mut state, "cy"), [format!("torrent-verify {{\"ids\":[\"{}\"]}}", hash(2))]);
}

#[test]
fn torrents_are_sorted_filtered_and_stay_selected() {
    let mut state = three();
    let names =
        |state: &State| state.list.sorted.iter().map(|id| state.torrents[id].name().to_string()).collect::<Vec<_>>();
    let mut seen = vec![(state.list.order(), names(&state)[0].clone())];
    press(&mut state, "j");
    for _ in 0..5 {
        press(&mut state, "s");
        seen.push((state.list.order(), names(&state)[0].clone()));
        assert_eq!(selected(&state), "b comes");
    }
    let expected = [
        ("name", "a failed"),
        ("done", "a failed"),
        ("down", "b comes"),
        ("up", "東京 seeds"),
        ("peers", "東京 seeds"),
        ("queue", "a failed"),
    ];
    assert_eq!(seen, expected.map(|(order, name)| (order, name.to_string())));
    press(&mut state, "/SEED\n");
    assert_eq!(names(&state), ["東京 seeds"]);
    press(&mut state, "/");
    press(&mut state, "\u{15}Fail");
    assert_eq!((selected(&state), &*state.list.filter), ("a failed", "fail"));
    state.pressed(Press::Escape);
    assert_eq!(names(&state).len(), 3);
    // The torrent below takes the place of one that was removed.
    press(&mut state, "sj");
    let news = News::Torrents { all: false, torrents: Vec::new(), removed: vec![1] };
    assert!(state.take(news, Instant::now()).is_none());
    assert_eq!((names(&state).len(), selected(&state)), (2, "東京 seeds"));
}

#[test]
fn a_view_ends_with_its_torrent() {
    let mut state = three();
    let watched = |request: Option<Request>| match request {
        Some(Request::Watch(watch)) => watch,
        _ => panic!("a view is watched"),
    };
    for tab in [Tab::Facts, Tab::Peers, Tab::Trackers, Tab::Files] {
        assert_eq!(watched(state.pressed(Press::Byte(b'v'))), Some((hash(3), tab)));
    }
    let files = files(&read(r#"{"files":[{"name":"a"},{"name":"b"}],"wanted":[1,1],"priorities":[0,-9]}"#).unwrap());
    state.take(News::Details(hash(9), Details::Peers(Vec::new())), Instant::now());
    assert!(state.details.is_none());
    state.take(News::Details(hash(3), Details::Files(files)), Instant::now());
    assert_eq!(state.files().unwrap()[1].priority, -1);
    state.scroll.count = 2;
    assert_eq!(press(&mut state, "j "), [format!("torrent-set {{\"ids\":[\"{}\"],\"files-unwanted\":[1]}}", hash(3))]);
    let figures = || Details::Figures(vec![(1, true, 0), (2, true, 0)]);
    state.take(News::Details(hash(3), figures()), Instant::now());
    assert!(!state.files().unwrap()[1].wanted, "an older answer changed it back");
    state.take(News::Done(1, Ok(String::new())), Instant::now());
    state.take(News::Details(hash(3), figures()), Instant::now());
    assert!(state.files().unwrap()[1].wanted);
    assert_eq!(press(&mut state, "+"), [format!("torrent-set {{\"ids\":[\"{}\"],\"priority-high\":[1]}}", hash(3))]);
    assert_eq!(watched(state.take(all(Vec::new()), Instant::now())), None);
    assert_eq!(state.view, View::List);
}

#[test]
fn after_an_order_the_changed_things_are_asked() {
    let after = |keys: &str| {
        let mut state = three();
        let requests: Vec<Request> = keys.bytes().filter_map(|byte| state.pressed(Press::Byte(byte))).collect();
        requests.into_iter().find_map(|request| match request {
            Request::Order(order) => Some(order.after),
            Request::Watch(_) => None,
        })
    };
    assert_eq!(after("p"), Some(After::Torrent(hash(3))));
    assert_eq!([after("u"), after("ay")], [Some(After::All), Some(After::All)]);
    assert_eq!([after("ry"), after("nx\n")], [Some(After::List), Some(After::List)]);
    assert_eq!(after("m"), Some(After::Limits("alt-speed-enabled")));
}

#[test]
fn nonsense_from_a_daemon_counts_as_nothing() {
    for text in
        ["null", "[]", "{}", r#"{"hashString":"x"}"#, r#"{"hashString":"zz00000000000000000000000000000000000000"}"#]
    {
        assert!(Torrent::of(&read(text).unwrap()).is_none(), "{text}");
    }
    let long = torrent(1, &"x".repeat(1 << 20), "");
    assert_eq!(long.name().len(), 255);
    let unasked = torrent(1, "", r#","downloadDir":"/a","labels":["b"]"#);
    assert_eq!((unasked.figures.folder.len(), unasked.figures.labels.len()), (0, 0));
    let comment = format!(r#"{{"comment":"{}"}}"#, "é".repeat(1 << 20));
    let comment = facts_of(&read(&comment).unwrap());
    assert!(comment.iter().any(|fact| fact.starts_with("comment ")));
    assert!(comment.iter().all(|fact| fact.chars().count() <= 2_000));
    let odd = r#"{"peers":[1,{"address":7,"progress":1e300,"flagStr":"\u001b[2JDUHEIKXYZ","port":-1}],
        "trackerStats":[null,{"announce":"http://t/KEY","nextAnnounceTime":-5}],"files":[3,{"name":"\u001b"}]}"#;
    let odd = read(odd).unwrap();
    let all = peers(&odd);
    assert_eq!((all.len(), &*all[1].flags, &*all[1].place), (2, "[2JDUHEI", ":0"));
    assert_eq!(trackers(&odd, 9).iter().map(|tracker| &*tracker.host).collect::<Vec<_>>(), ["…", "http://t/…"]);
    assert_eq!(files(&odd).len(), 2);
}

#[test]
fn a_daemon_without_end_is_cut_off() {
    let mut state = State::new(String::new());
    for from in [1, 30_001, 60_001] {
        let torrents = (from..from + 30_000).map(|id| torrent(id, "", "")).collect();
        state.take(News::Torrents { all: from == 1, torrents, removed: Vec::new() }, Instant::now());
    }
    assert_eq!(state.torrents.len(), MOST_TORRENTS);
}
