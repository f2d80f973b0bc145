//! What the kernel says about a process, under `/proc/PID`.

use std::fs;

/// The field `name` of `/proc/PID/status`: a number, in KiB if it is an amount of memory.
pub fn status(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number {name} in {text}"))
}

/// How many file descriptors it has open.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("the process runs").count()
}

/// The processor time it has used so far, in ticks of 10 ms.
pub fn ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name before the `)` may hold spaces. User time is field 14 of proc(5), system time is field 15.
    let (_, fields) = text.rsplit_once(") ").expect("the name is in parentheses");
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

/// Bytes that came on a connection over IPv4 and that the program at its end `port` has not read.
pub fn unread(port: u16, from: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/tcp").unwrap() + &fs::read_to_string("/proc/net/tcp6").unwrap();
    let ends = [format!(":{port:04X}"), format!(":{from:04X}")];
    let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.len() > 4 && row[1].ends_with(&ends[0]) && row[2].ends_with(&ends[1]));
    let queues = row.expect("the connection is there")[4].to_string();
    u64::from_str_radix(queues.split_once(':').unwrap().1, 16).unwrap()
}
