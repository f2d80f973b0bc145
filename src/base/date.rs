//! Dates for people, in UTC: the standard library knows no time zones.

/// Days of a year that begins in March before each of its months. (So a leap day is the last day of its year.)
const DAYS_BEFORE: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Days of 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;
/// Days from the first of March of the year 0 to the first day of 1970.
const BEFORE_1970: i64 = 719_468;
/// The last second of the year 9999: a later date is nonsense.
const LATEST: i64 = 253_402_300_799;

/// `2004-10-21 09:05:00 UTC` for seconds since 1970; the number itself if it is no sensible date.
pub fn date(seconds: i64) -> String {
    match calendar(seconds) {
        Some((year, month, day)) => format!("{year:04}-{month:02}-{day:02} {} UTC", clock(seconds)),
        None => format!("{seconds} (no date)"),
    }
}

/// `21/Oct/2004:09:05:00 +0000`, as web servers write it into their logs.
pub fn log_date(seconds: i64) -> String {
    // A clock that is so wrong says nothing: then it is 1970.
    let (year, month, day) = calendar(seconds).unwrap_or((1970, 1, 1));
    format!("{day:02}/{}/{year}:{} +0000", MONTHS[month - 1], clock(seconds))
}

/// Year, month (from 1) and day (from 1).
fn calendar(seconds: i64) -> Option<(i64, usize, i64)> {
    if !(0..=LATEST).contains(&seconds) {
        return None;
    }
    let days = seconds / 86_400 + BEFORE_1970;
    let (era, day) = (days / ERA, days % ERA);
    // Takes out the leap days: one in 4 years, except in 100 years, except in 400 years.
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = DAYS_BEFORE.iter().rposition(|before| *before <= day).unwrap_or(0);
    // January and February belong to the next year.
    let year = era * 400 + year + i64::from(month >= 10);
    Some((year, (month + 2) % 12 + 1, day - DAYS_BEFORE[month] + 1))
}

fn clock(seconds: i64) -> String {
    let second = seconds.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected dates are GNU date's.
    #[test]
    fn seconds_become_dates() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_098_349_500, "2004-10-21 09:05:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (LATEST, "9999-12-31 23:59:59 UTC"),
            (LATEST + 1, "253402300800 (no date)"),
            (i64::MIN, "-9223372036854775808 (no date)"),
        ] {
            assert_eq!(date(seconds), shown);
        }
    }

    #[test]
    fn dates_of_logs_name_the_month() {
        assert_eq!(log_date(0), "01/Jan/1970:00:00:00 +0000");
        assert_eq!(log_date(951_782_399), "28/Feb/2000:23:59:59 +0000");
        assert_eq!(log_date(951_782_400), "29/Feb/2000:00:00:00 +0000");
        assert_eq!(log_date(1_000_000_000), "09/Sep/2001:01:46:40 +0000");
        assert_eq!(log_date(4_102_444_799), "31/Dec/2099:23:59:59 +0000");
        assert!(log_date(i64::MIN).starts_with("01/Jan/1970"));
    }
}
