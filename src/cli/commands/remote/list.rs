//! `remote list`: all torrents of a daemon, a line each.
//!
//! Floor 4. On a terminal, a narrow one has fewer columns, and a long name is cut. Elsewhere nothing is left out.

use super::daemon::{Daemon, query};
use super::figures::Figures;
use crate::base::path::for_terminal;
use crate::base::units::{count, duration, rate, size, sum};
use crate::base::width::{columns, shorten_middle};
use crate::cli::commands::torrents::show::in_portions;
use crate::cli::exit::{Exit, Failure};
use crate::cli::say;
use crate::cli::show::live;
use rustix::termios;
use std::io;
use std::time::Duration;

/// A column of the table. The name, which is the last one, has no width.
struct Column {
    title: &'static str,
    width: usize,
    /// It is shown from this number of columns of the terminal on.
    least: usize,
    cell: fn(&Figures) -> String,
}

/// The columns in front of the name. Rates have ten at most (`100 KiB/s`), times twelve (`23 h 59 min`).
const COLUMNS: &[Column] = &[
    Column { title: "id", width: 5, least: 0, cell: |torrent| torrent.found.id.to_string() },
    Column { title: "state", width: 12, least: 0, cell: state },
    Column { title: "done", width: 7, least: 0, cell: |torrent| torrent.done.clone() },
    Column { title: "size", width: 8, least: 100, cell: |torrent| size(torrent.size) },
    Column { title: "down", width: 10, least: 72, cell: |torrent| flow(torrent.down_rate) },
    Column { title: "up", width: 10, least: 72, cell: |torrent| flow(torrent.up_rate) },
    Column { title: "peers", width: 5, least: 112, cell: |torrent| torrent.peers.to_string() },
    Column { title: "left", width: 12, least: 112, cell: time_left },
];
/// Columns of a terminal that does not report them.
const USUAL_COLUMNS: usize = 80;
/// Most torrents whose trouble with the daemon's machine is told below the list: it is often the same for all.
const MOST_TOLD: usize = 5;
/// Fewest columns of a name.
const LEAST_NAME: usize = 8;

/// Prints the list.
pub fn run(daemon: &mut Daemon, is_json: bool) -> Result<Exit, Failure> {
    let reply = daemon.call("torrent-get", query(Figures::FIELDS, None))?;
    let torrents = reply.torrents()?;
    if is_json {
        in_portions(&mut torrents.iter().map(|torrent| Figures::of(torrent).object().end()))?;
        return Ok(Exit::Success);
    }
    if torrents.is_empty() {
        say::write_out("no torrents\n")?;
        return Ok(Exit::Success);
    }
    let (room, cut) = (output_columns(), if live::is_utf8() { "…" } else { "..." });
    let torrents: Vec<Figures> = torrents.iter().map(Figures::of).collect();
    let rows = torrents.iter().map(|torrent| row(torrent, room, cut));
    in_portions(&mut std::iter::once(titles(room)).chain(rows).chain([total(&torrents)]).chain(troubles(&torrents)))?;
    Ok(Exit::Success)
}

/// Columns of standard output; `None` if it is not a terminal.
fn output_columns() -> Option<usize> {
    let columns = termios::tcgetwinsize(io::stdout()).ok()?.ws_col;
    Some(if columns > 0 { columns.into() } else { USUAL_COLUMNS })
}

/// The columns that fit.
fn shown(room: Option<usize>) -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(move |column| room.is_none_or(|room| room >= column.least))
}

fn cell(text: &str, width: usize, is_state: bool) -> String {
    // Words begin below each other, numbers end there.
    if is_state { format!("{text:<width$} ") } else { format!("{text:>width$} ") }
}

fn titles(room: Option<usize>) -> String {
    let cells = shown(room).map(|column| cell(column.title, column.width, column.title == "state"));
    cells.collect::<String>() + " name\n"
}

fn row(torrent: &Figures, room: Option<usize>, cut: &str) -> String {
    let cells = shown(room).map(|column| cell(&(column.cell)(torrent), column.width, column.title == "state"));
    let left = cells.collect::<String>() + " ";
    let name = torrent.found.shown();
    let most = room.map(|room| room.saturating_sub(columns(&left)).max(LEAST_NAME));
    let name = most.map_or_else(|| name.clone(), |most| shorten_middle(&name, most, cut));
    format!("{left}{name}\n")
}

/// `2 torrents, 1.20 GiB, 512 KiB/s down, 0 B/s up`
fn total(torrents: &[Figures]) -> String {
    let all = |figure: fn(&Figures) -> u64| sum(torrents.iter().map(figure));
    format!(
        "{}, {}, {} down, {} up\n",
        count(torrents.len(), "torrent"),
        size(all(|torrent| torrent.size)),
        rate(all(|torrent| torrent.down_rate)),
        rate(all(|torrent| torrent.up_rate)),
    )
}

/// What is wrong on the daemon's machine, a line for each torrent: `2 Aishah: Permission denied (/srv)`.
fn troubles(torrents: &[Figures]) -> impl Iterator<Item = String> {
    let troubled = torrents.iter().filter(|torrent| torrent.is_local && !torrent.problem.is_empty());
    let told = troubled.take(MOST_TOLD);
    told.map(|torrent| format!("{} {}: {}\n", torrent.found.id, torrent.found.shown(), torrent.problem))
}

/// The state, with a mark if something is wrong.
fn state(torrent: &Figures) -> String {
    format!("{}{}", torrent.state, if torrent.problem.is_empty() { "" } else { "*" })
}

fn flow(now: u64) -> String {
    if now > 0 { rate(now) } else { String::new() }
}

fn time_left(torrent: &Figures) -> String {
    torrent.eta.filter(|_| torrent.left > 0).map_or(String::new(), |eta| duration(Duration::from_secs(eta)))
}

/// The details begin with the same facts.
pub fn progress(torrent: &Figures) -> String {
    let left = time_left(torrent);
    let left = if left.is_empty() { left } else { format!(", {left} left") };
    for_terminal(&format!("{} of {}{left}", torrent.done, size(torrent.size)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json::read::read;

    fn torrent(name: &str) -> Figures {
        let text = format!(
            r#"{{"id":3,"name":"{name}","status":4,"metadataPercentComplete":1,"sizeWhenDone":141557760,
            "leftUntilDone":84226867,"rateDownload":4676648,"peersConnected":2,"eta":19,"error":2,
            "errorString":"gone"}}"#
        );
        Figures::of(&read(&text).unwrap())
    }

    #[test]
    fn the_list_fits_the_terminal() {
        let line = |room| (titles(room), row(&torrent("Aishah"), room, "…"));
        let (wide, row_of_all) = line(None);
        assert_eq!(wide, "   id state           done     size       down         up peers         left  name\n");
        assert_eq!(
            row_of_all,
            "    3 downloading*  40.5 %  135 MiB 4.46 MiB/s                2         19 s  Aishah\n"
        );
        assert_eq!(line(Some(80)).1, "    3 downloading*  40.5 % 4.46 MiB/s             Aishah\n");
        assert_eq!(line(Some(40)).1, "    3 downloading*  40.5 %  Aishah\n");
        for room in 36..200 {
            let row = row(&torrent(&"日本".repeat(99)), Some(room), "…");
            assert!(columns(row.trim_end()) <= room && columns(titles(Some(room)).trim_end()) <= room, "{row}");
        }
    }

    #[test]
    fn trouble_with_disks_is_told_below_the_list_for_a_few_torrents() {
        let of = |error: u8| {
            let text =
                format!(r#"{{"id":2,"name":"a","error":{error},"errorString":"Permission denied (/srv\u001b)"}}"#);
            Figures::of(&read(&text).unwrap())
        };
        let lines: Vec<String> = troubles(&[of(0), of(2), of(3)]).collect();
        assert_eq!(lines, ["2 a: Permission denied (/srv\\x1b)\n"]);
        let many: Vec<Figures> = (0..9).map(|_| of(3)).collect();
        assert_eq!(troubles(&many).count(), MOST_TOLD);
    }

    #[test]
    fn a_name_can_not_move_the_cursor() {
        let row = row(&torrent("a\\u001b[2J\\nb\\u202e"), None, "…");
        assert!(row.ends_with("a\\x1b[2J\\x0ab\\u{202e}\n"), "{row}");
    }

    #[test]
    fn the_sum_of_what_strangers_invent_does_not_overflow() {
        let huge = Figures::of(&read(r#"{"sizeWhenDone":9223372036854775807,"rateUpload":1e300}"#).unwrap());
        let sum = total(&[huge, torrent("a"), torrent("b")]);
        assert_eq!(sum, "3 torrents, 8.00 EiB, 8.92 MiB/s down, 8.00 EiB/s up\n");
    }
}
