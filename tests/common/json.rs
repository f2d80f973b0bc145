//! What our program writes with `--json`: one object a line, each about one event.

use serde_json::Value;

/// All objects in `text`, in order. A last line without its end is left out, because it may be half written.
pub fn objects(text: &str) -> Vec<Value> {
    let whole_lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    whole_lines.lines().map(parse).collect()
}

/// The first object of this event.
pub fn first(text: &str, event: &str) -> Option<Value> {
    objects(text).into_iter().find(|object| object["event"] == event)
}

/// The last object of this event.
pub fn last(text: &str, event: &str) -> Option<Value> {
    objects(text).into_iter().rfind(|object| object["event"] == event)
}

/// All objects about the torrent `name`, in order.
pub fn about(text: &str, name: &str) -> Vec<Value> {
    objects(text).into_iter().filter(|object| object["name"] == name).collect()
}
