//! Dates as people read them.
//!
//! Floor 4. In UTC: std knows no time zones.

/// Days of the year before each month of one that begins with March; the leap day is its last.
const MONTHS: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];
/// Days of 400 years, after which the calendar begins anew.
const ERA: i64 = 146_097;
/// From the first of March of the year 0 to 1970.
const BEFORE_1970: i64 = 719_468;
/// The year 9999: what is said to be later is nonsense.
const LATEST: i64 = 253_402_300_799;

/// `2004-10-21 09:05:00 UTC` for seconds since 1970; of what is no date, the number.
pub fn date(seconds: i64) -> String {
    if !(0..=LATEST).contains(&seconds) {
        return format!("{seconds} (no date)");
    }
    let days = seconds / 86_400 + BEFORE_1970;
    let (era, day) = (days / ERA, days % ERA);
    // Leap days are left out of each 4th, but for the 100th, but for the 400th year.
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = MONTHS.iter().rposition(|begin| *begin <= day).unwrap_or(0);
    let (day, turned) = (day - MONTHS[month] + 1, month >= 10);
    let (month, year) = ((month + 2) % 12 + 1, era * 400 + year + i64::from(turned));
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By GNU date.
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
}
