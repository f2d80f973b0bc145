//! The files of a torrent: `length` or `files` of `info` (BEP 3), padding files and symlinks (BEP 47).
//!
//! Floor 1.

use super::error::{refuse, refuse_value};
use super::{FileEntry, MAX_METAINFO_BYTES, MetainfoError, collide};
use crate::proto::bencode::Value;
use crate::proto::path;

/// What is expected of a name.
pub(super) const A_NAME: &str = "the plain name of a file, at most 255 bytes";

/// How BitComet names padding files, which it made before there was `attr`.
const BITCOMET_PADDING: &[u8] = b"_____padding_file";

/// The most bytes that all paths of a torrent may take. Each begins with the torrent's name, so a million
/// tiny entries below a long name would otherwise make ten times the memory of the file they came in.
const MAX_PATHS_BYTES: usize = 2 * MAX_METAINFO_BYTES;

/// What a torrent shares.
pub(super) struct Content {
    /// In the order of the torrent.
    pub files: Vec<FileEntry>,
    /// The bytes of all together.
    pub length: u64,
}

/// The content of a torrent of one file, which has `length` and no `files`.
pub(super) fn single(length: Option<Value<'_>>, attr: Option<Value<'_>>, name: &str) -> Result<Content, MetainfoError> {
    if has_attr(attr, b'l') {
        return refuse_value("info.attr", attr, "a file, not a symlink");
    }
    let length = read_length(length, || "info.length".into())?;
    Ok(Content { files: vec![FileEntry { path: name.into(), length, offset: 0, padding: false }], length })
}

/// The content of a torrent of a folder, which has `files`.
///
/// If it has `length` as well `files` holds, as in libtorrent, transmission and aria2 (tried with each), and
/// another reading would find other content under the same info-hash.
pub(super) fn folder(
    list: Value<'_>,
    length: Option<Value<'_>>,
    name: &str,
    warnings: &mut Vec<String>,
) -> Result<Content, MetainfoError> {
    let Some(items) = list.items() else {
        return refuse_value("info.files", Some(list), "a list");
    };
    if length.is_some() {
        warnings.push("info has both length and files; length is ignored".into());
    }
    let mut content = Content { files: Vec::new(), length: 0 };
    let mut symlinks = 0usize;
    let mut paths_bytes = 0usize;
    for (place, item) in items.enumerate() {
        let Some(file) = read_file(item, place, name, content.length)? else {
            symlinks += 1;
            continue;
        };
        paths_bytes += file.path.len();
        if paths_bytes > MAX_PATHS_BYTES {
            return refuse("info.files", "too many and too long paths", format!("at most {MAX_PATHS_BYTES} bytes"));
        }
        let Some(sum) = content.length.checked_add(file.length) else {
            return refuse(format!("info.files[{place}].length"), file.length.to_string(), "a sum below 2^64");
        };
        content.length = sum;
        content.files.push(file);
    }
    if content.files.iter().all(|file| file.padding) {
        return refuse("info.files", "no file", "at least one");
    }
    if symlinks > 0 {
        warnings.push(format!("info.files: left out the symlinks, which are not supported: {symlinks}"));
    }
    content.files.shrink_to_fit();
    warnings.extend(collide::check(&content.files)?);
    Ok(content)
}

/// The file at `place` of the list, or `None` if it is a symlink.
fn read_file(item: Value<'_>, place: usize, name: &str, offset: u64) -> Result<Option<FileEntry>, MetainfoError> {
    let field = |key: &str| format!("info.files[{place}]{key}");
    let Some([length_value, path_utf8, plain_path, attr]) = item.get_all([b"length", b"path.utf-8", b"path", b"attr"])
    else {
        return refuse_value(field(""), Some(item), "a dict");
    };
    // A symlink is never made, lest it lead out of the folder; having no content, it isn't missed either.
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
        true => format!("{name}/.pad/{length}"),
        false => read_path(components, name, || field(if utf8.is_some() { ".path.utf-8" } else { ".path" }))?,
    };
    Ok(Some(FileEntry { path, length, offset, padding }))
}

fn read_length(value: Option<Value<'_>>, field: impl Fn() -> String) -> Result<u64, MetainfoError> {
    match value.and_then(Value::as_int).map(u64::try_from) {
        Some(Ok(length)) => Ok(length),
        _ => refuse_value(field(), value, "a number of bytes"),
    }
}

fn read_path(list: Option<Value<'_>>, name: &str, field: impl Fn() -> String) -> Result<String, MetainfoError> {
    let Some(items) = list.and_then(Value::items) else {
        return refuse_value(field(), list, "a list of names");
    };
    let mut path = name.to_string();
    for item in items {
        path.push('/');
        path.push_str(&read_component(item, &field)?);
        if path.len() > path::MAX_PATH_BYTES {
            return refuse(field(), "a longer path", format!("at most {} bytes", path::MAX_PATH_BYTES));
        }
    }
    if path.len() == name.len() {
        return refuse(field(), "an empty list", "at least one name");
    }
    // Paths stay for the life of the torrent, and growing has left room behind. Anew rather than shrunk: the room is used
    // by the next one then, and does not lie between them.
    Ok(path.as_str().to_string())
}

/// The safe name that stands in a field.
pub(super) fn read_component(value: Value<'_>, field: impl Fn() -> String) -> Result<String, MetainfoError> {
    match value.as_bytes().map(path::safe_component) {
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
