//! Reads the files of a torrent: `length` or `files` of `info` (BEP 3), padding files and symlinks (BEP 47).

use super::changed::Changed;
use super::error::{refuse, refuse_value};
use super::{Files, collide};
use crate::base::path;
use crate::proto::bencode::Value;
use std::borrow::Cow;

/// What is expected of a name.
pub(super) const A_NAME: &str = "the plain name of a file";

/// How BitComet names padding files, which it made before `attr` existed.
const BITCOMET_PADDING: &[u8] = b"_____padding_file";

/// The fewest bytes that a file takes in a .torrent file besides its path: `d6:lengthi1e4:pathlee`.
const LEAST_ENTRY_BYTES: usize = 21;

/// The content of a torrent of one file, which has `length` and no `files`.
pub(super) fn single(length: Option<Value<'_>>, attr: Option<Value<'_>>, name: &str) -> Result<Files, String> {
    if has_attr(attr, b'l') {
        return refuse_value("info.attr", attr, "a file, not a symlink");
    }
    let length = read_length(length, || "info.length".into())?;
    Ok(Files::single(name, length))
}

/// The content of a torrent of a folder, which has `files`.
///
/// If it has `length` as well, `files` counts, as in libtorrent, transmission and aria2 (each was tried). Otherwise the
/// same info-hash would mean other content here.
pub(super) fn folder(
    list: Value<'_>,
    length: Option<Value<'_>>,
    name: &str,
    warnings: &mut Vec<String>,
) -> Result<Files, String> {
    let Some(items) = list.items() else {
        return refuse_value("info.files", Some(list), "a list");
    };
    if length.is_some() {
        warnings.push("info has both length and files; length is ignored".into());
    }
    // Room for all of them at once, because a buffer that grows takes twice the memory while it is moved.
    let count = items.clone().count();
    let paths_bytes = list.raw().len().saturating_sub(count * LEAST_ENTRY_BYTES);
    let mut files = Files::of_folder(name, count, paths_bytes);
    let mut symlinks = 0usize;
    let mut changed = Changed::default();
    for (place, item) in items.enumerate() {
        let Some((inside, length, padding)) = read_file(item, place, name.len(), &mut changed)? else {
            symlinks += 1;
            continue;
        };
        if files.length().checked_add(length).is_none() {
            return refuse(format!("info.files[{place}].length"), length.to_string(), "a sum below 2^64");
        }
        files.push(&inside, length, padding);
    }
    if files.count() == 0 {
        return refuse("info.files", "no file", "at least one");
    }
    if symlinks > 0 {
        warnings.push(format!("info.files: left out the symlinks, which are not supported: {symlinks}"));
    }
    files.shrink();
    let files = collide::resolve(files, &mut changed)?;
    changed.warn(warnings);
    warnings.extend(collide::warn_of_case(&files));
    Ok(files)
}

/// The file at `place` of the list: its path in the folder, its length, and whether it is padding; `None` if it is a
/// symlink. `name` is the number of bytes of the folder's name.
fn read_file(
    item: Value<'_>,
    place: usize,
    name: usize,
    changed: &mut Changed,
) -> Result<Option<(Vec<u8>, u64, bool)>, String> {
    let field = |key: &str| format!("info.files[{place}]{key}");
    let Some([length_value, path_utf8, plain_path, attr]) = item.get_all([b"length", b"path.utf-8", b"path", b"attr"])
    else {
        return refuse_value(field(""), Some(item), "a dict");
    };
    // A symlink is never made, because it could lead out of the folder. It has no content, so nothing is missing
    // without it.
    if has_attr(attr, b'l') {
        return match length_value.map(Value::as_int) {
            None | Some(Some(0)) => Ok(None),
            _ => refuse_value(field(".length"), length_value, "0, because it is a symlink"),
        };
    }
    let length = read_length(length_value, || field(".length"))?;
    let utf8 = path_utf8.filter(|list| is_text_list(*list));
    let components = utf8.or(plain_path);
    let padding = has_attr(attr, b'p') || components.is_some_and(is_bitcomet_padding);
    let path = match padding {
        true => Vec::new(),
        false => read_path(components, name, changed, || field(if utf8.is_some() { ".path.utf-8" } else { ".path" }))?,
    };
    Ok(Some((path, length, padding)))
}

fn read_length(value: Option<Value<'_>>, field: impl Fn() -> String) -> Result<u64, String> {
    match value.and_then(Value::as_int).map(u64::try_from) {
        Some(Ok(length)) => Ok(length),
        _ => refuse_value(field(), value, "a number of bytes"),
    }
}

/// The path, joined by `/`, as it is in the torrent unless a name in it has to be changed. Its length is limited as it
/// is on the disk: escaped.
fn read_path(
    list: Option<Value<'_>>,
    name: usize,
    changed: &mut Changed,
    field: impl Fn() -> String,
) -> Result<Vec<u8>, String> {
    let Some(items) = list.and_then(Value::items) else {
        return refuse_value(field(), list, "a list of names");
    };
    let (mut path, mut escaped_bytes, mut is_changed) = (Vec::new(), name, false);
    for item in items {
        if !path.is_empty() {
            path.push(b'/');
        }
        let component = read_component(item, &field)?;
        escaped_bytes += 1 + path::escaped(&component).len();
        is_changed |= item.as_bytes() != Some(&*component);
        path.extend_from_slice(&component);
        if escaped_bytes > path::MAX_PATH_BYTES {
            return refuse(field(), "a longer path", format!("at most {} bytes", path::MAX_PATH_BYTES));
        }
    }
    if path.is_empty() {
        return refuse(field(), "an empty list", "at least one name");
    }
    if is_changed {
        changed.add(|| format!("{}: {}", field(), list.map_or(String::new(), |list| list.to_string())), NO_NAME, &path);
    }
    Ok(path)
}

/// Why the name in a torrent is not used.
pub(super) const NO_NAME: &str = "can't be the name of a file";

/// The name in a field, changed if no disk can have a file of that name; not escaped.
pub(super) fn read_component(value: Value<'_>, field: impl Fn() -> String) -> Result<Cow<'_, [u8]>, String> {
    match value.as_bytes().map(path::usable_component) {
        Some(Ok(name)) => Ok(name),
        Some(Err(problem)) => refuse(field(), format!("{value} is {problem}"), A_NAME),
        None => refuse_value(field(), Some(value), A_NAME),
    }
}

fn has_attr(attr: Option<Value<'_>>, letter: u8) -> bool {
    attr.and_then(Value::as_bytes).is_some_and(|letters| letters.contains(&letter))
}

fn is_text_list(list: Value<'_>) -> bool {
    list.items().is_some_and(|mut items| items.clone().next().is_some() && items.all(|item| item.as_text().is_some()))
}

fn is_bitcomet_padding(path: Value<'_>) -> bool {
    let file_name = path.items().and_then(Iterator::last).and_then(Value::as_bytes);
    file_name.is_some_and(|name| name.starts_with(BITCOMET_PADDING))
}
