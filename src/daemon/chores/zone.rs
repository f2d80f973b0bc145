//! How far local time is from UTC.
//!
//! Floor 4. Pure. A zone comes from a file of the time zone database (TZif, RFC 9636), or from a text such as
//! `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX, `TZ`), which small systems have instead, and which the files have at their end
//! for the time after their table. It is read by hand, because this is all that is needed of it.

use core::ops::Range;

/// Most entries of each kind in a file. (The largest files have some hundred.)
const MOST_ENTRIES: u32 = 1 << 16;

/// A zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Each moment at which local time changes (seconds since 1970), and by how many seconds it is ahead of UTC from
    /// then on.
    changes: Vec<(i64, i64)>,
    /// The same before the first of them.
    first: i64,
    /// The rule for the time after the last of them.
    rule: Option<Rule>,
}

/// A rule that holds each year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    /// Seconds ahead of UTC.
    standard: i64,
    /// The same in summer, and when it begins and ends.
    summer: Option<(i64, When, When)>,
}

/// A moment of each year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct When {
    day: Day,
    /// Seconds after midnight, local time.
    seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// `J60`: the first of March, in leap years too; from 1.
    NoLeap(i64),
    /// `59`: the day of the year, from 0.
    OfYear(i64),
    /// `M3.5.0`: in the month, the week (5: the last) and the day of the week (0: Sunday).
    OfWeek(i64, i64, i64),
}

impl Zone {
    /// Seconds by which local time is ahead of UTC at this moment (seconds since 1970).
    pub fn offset(&self, seconds: i64) -> i64 {
        let at = self.changes.partition_point(|(from, _)| *from <= seconds);
        match (at == self.changes.len(), &self.rule) {
            (true, Some(rule)) => rule.offset(seconds),
            _ => at.checked_sub(1).map_or(self.first, |at| self.changes[at].1),
        }
    }

    /// Reads a text as POSIX has it. `None`: it is none.
    pub fn of_text(text: &str) -> Option<Zone> {
        rule(text.trim()).map(|rule| Zone { rule: Some(rule), ..Zone::default() })
    }

    /// Reads a file of the time zone database. `None`: it is none, or of the first version, which has ended in 2037.
    pub fn of_file(bytes: &[u8]) -> Option<Zone> {
        let header = |bytes: &[u8]| {
            let is_ours = bytes.get(..5).is_some_and(|begin| begin.starts_with(b"TZif") && begin[4] >= b'2');
            let number = |at: usize| {
                let four = bytes.get(at..at + 4)?.try_into().ok()?;
                Some(u32::from_be_bytes(four)).filter(|count| *count <= MOST_ENTRIES).map(|count| count as usize)
            };
            let counts = (number(20)?, number(24)?, number(28)?, number(32)?, number(36)?, number(40)?);
            is_ours.then_some(counts)
        };
        type Counts = (usize, usize, usize, usize, usize, usize);
        let length = |(utc, standard, leaps, times, types, letters): Counts, wide: usize| {
            times * (wide + 1) + types * 6 + letters + leaps * (wide + 4) + standard + utc
        };
        // The first table has numbers of 4 bytes, the second one of 8.
        let second = bytes.get(44 + length(header(bytes)?, 4)..)?;
        let counts = header(second)?;
        let (data, rest) = second.get(44..)?.split_at_checked(length(counts, 8))?;
        let (_, _, _, times, types, _) = counts;
        let (moments, data) = data.split_at(times * 8);
        let (kinds, data) = data.split_at(times);
        let offset = |kind: usize| {
            let four: Option<[u8; 4]> = data.get(kind * 6..kind * 6 + 4).and_then(|four| four.try_into().ok());
            four.filter(|_| kind < types).map(|four| i64::from(i32::from_be_bytes(four)))
        };
        let moments = moments.as_chunks().0.iter().map(|eight| i64::from_be_bytes(*eight));
        let changes: Option<Vec<(i64, i64)>> =
            moments.zip(kinds).map(|(moment, kind)| Some((moment, offset(usize::from(*kind))?))).collect();
        let text = rest.strip_prefix(b"\n").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
        let rule = text.and_then(|text| rule(str::from_utf8(text).ok()?));
        Some(Zone { changes: changes?, first: offset(0)?, rule })
    }
}

impl Rule {
    fn offset(&self, seconds: i64) -> i64 {
        let Some((summer, begin, end)) = self.summer else { return self.standard };
        let year = year_of(seconds + self.standard);
        let summer_time = begin.in_year(year) - self.standard..end.in_year(year) - summer;
        // South of the equator, the year begins in summer.
        let Range { start, end } = summer_time;
        let is_summer = if start <= end { (start..end).contains(&seconds) } else { !(end..start).contains(&seconds) };
        if is_summer { summer } else { self.standard }
    }
}

impl When {
    /// Seconds since 1970 in local time.
    fn in_year(self, year: i64) -> i64 {
        let first = first_day(year);
        let is_leap = first_day(year + 1) - first == 366;
        let day = match self.day {
            Day::OfYear(day) => first + day,
            Day::NoLeap(day) => first + day - 1 + i64::from(is_leap && day >= 60),
            Day::OfWeek(month, week, weekday) => {
                let lengths = [31, 28 + i64::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
                // It is from 1 to 12.
                let month = (month - 1) as usize;
                let begin = first + lengths[..month].iter().sum::<i64>();
                // The first of January 1970 was a Thursday.
                let to_first = (weekday - (begin + 4)).rem_euclid(7);
                let day = to_first + (week - 1) * 7;
                begin + if day >= lengths[month] { day - 7 } else { day }
            }
        };
        day * 86_400 + self.seconds
    }
}

/// Days from the first of January 1970 to that of `year`.
fn first_day(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 477
}

fn year_of(seconds: i64) -> i64 {
    let days = seconds.div_euclid(86_400);
    // A year has at most 366 days, so this is too early by less than one in 1,400 years.
    let mut year = 1970 + days.div_euclid(366);
    while first_day(year + 1) <= days {
        year += 1;
    }
    year
}

fn rule(text: &str) -> Option<Rule> {
    let (_, rest) = name(text)?;
    let (west, rest) = time(rest)?;
    let standard = -west;
    if rest.is_empty() {
        return Some(Rule { standard, summer: None });
    }
    let (_, rest) = name(rest)?;
    let (summer, rest) = match time(rest) {
        Some((west, rest)) => (-west, rest),
        None => (standard + 3600, rest),
    };
    let (begin, end) = rest.strip_prefix(',')?.split_once(',')?;
    Some(Rule { standard, summer: Some((summer, when(begin)?, when(end)?)) })
}

/// The name of a zone, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>');
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    (end >= 3).then(|| text.split_at(end))
}

/// `-1`, `+5:30` or `2:00:00`, in seconds, and what follows it.
fn time(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-:".contains(c)).unwrap_or(text.len());
    let (time, rest) = text.split_at(end);
    let (sign, digits) = match time.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, time.strip_prefix('+').unwrap_or(time)),
    };
    let mut seconds = 0;
    for (part, unit) in digits.splitn(3, ':').zip([3600, 60, 1]) {
        seconds += part.parse::<i64>().ok().filter(|part| (0..=167).contains(part))? * unit;
    }
    Some((sign * seconds, rest))
}

fn when(text: &str) -> Option<When> {
    let (day, clock) = text.split_once('/').unwrap_or((text, "2"));
    let (seconds, rest) = time(clock)?;
    let number = |text: &str, most: i64| text.parse::<i64>().ok().filter(|number| (0..=most).contains(number));
    let day = if let Some(day) = day.strip_prefix('J') {
        Day::NoLeap(number(day, 365).filter(|day| *day > 0)?)
    } else if let Some(week) = day.strip_prefix('M') {
        let mut parts = week.split('.');
        let month = number(parts.next()?, 12).filter(|month| *month > 0)?;
        let week = number(parts.next()?, 5).filter(|week| *week > 0)?;
        Day::OfWeek(month, week, number(parts.next()?, 6)?)
    } else {
        Day::OfYear(number(day, 365)?)
    };
    rest.is_empty().then_some(When { day, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected offsets are GNU date's.
    #[test]
    fn summer_begins_and_ends_as_the_text_says() {
        let hours = |text: &str, seconds: i64| Zone::of_text(text).unwrap().offset(seconds) as f64 / 3600.0;
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        // 2024-03-31 01:00 and 2024-10-27 01:00 UTC.
        for (seconds, expected) in
            [(1_711_846_799, 1.0), (1_711_846_800, 2.0), (1_729_990_799, 2.0), (1_729_990_800, 1.0), (0, 1.0)]
        {
            assert_eq!(hours(berlin, seconds), expected, "{seconds}");
        }
        // In Sydney the year begins in summer; India has none; the zone of Nepal has a name in brackets.
        assert_eq!(hours("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_704_067_200), 11.0);
        assert_eq!(hours("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_720_000_000), 10.0);
        assert_eq!(hours("IST-5:30", 1_720_000_000), 5.5);
        assert_eq!(hours("<+0545>-5:45", 1_720_000_000), 5.75);
        assert_eq!(hours("EST5EDT,J60,J300", 1_709_276_400), -4.0, "2024-03-01 07:00 UTC");
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for wrong in ["", "C", "CET", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-999", "CET-1CEST,M3.5.0,M10.5.0/x"]
        {
            assert_eq!(Zone::of_text(wrong), None, "{wrong:?}");
        }
        for wrong in [&b""[..], b"TZif", b"TZif2", &[0xff; 200], b"TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff"]
        {
            assert_eq!(Zone::of_file(wrong), None);
        }
    }

    #[test]
    fn a_file_has_a_table_and_a_rule_for_the_time_after_it() {
        let header = |times: u8, types: u8, letters: u8| {
            let mut header = b"TZif2".to_vec();
            header.extend([0; 15]);
            [0, 0, 0, times, types, letters].iter().for_each(|count| header.extend([0, 0, 0, *count]));
            header
        };
        let mut file = header(0, 1, 1);
        file.extend([0; 7]);
        file.extend(header(1, 2, 4));
        file.extend(1000i64.to_be_bytes());
        file.push(1);
        file.extend([&600i32.to_be_bytes()[..], &[0, 0], &1200i32.to_be_bytes(), &[0, 0], b"CET\0"].concat());
        let with = |end: &[u8]| Zone::of_file(&[&file, end].concat()).unwrap();
        assert_eq!([with(b"").offset(999), with(b"").offset(1000)], [600, 1200]);
        assert_eq!([with(b"\nIST-5:30\n").offset(999), with(b"\nIST-5:30\n").offset(1000)], [600, 19_800]);
        for end in 0..file.len() {
            assert_eq!(Zone::of_file(&file[..end]), None);
        }
    }
}
