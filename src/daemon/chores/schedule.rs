//! When the alternative limits hold: at certain times of certain days.
//!
//! Floor 4. Pure.

use crate::daemon::settings::Settings;

/// Minutes of a day.
const DAY: u64 = 24 * 60;

/// Whether the schedule wants the alternative limits at this minute of this day (0: Sunday), local time.
pub fn wants(settings: &Settings, day: u64, minute: u64) -> bool {
    let (begin, end) = (settings.alt_speed_time_begin % DAY, settings.alt_speed_time_end % DAY);
    let is_chosen = |day: u64| settings.alt_speed_time_day >> (day % 7) & 1 == 1;
    if begin <= end {
        return is_chosen(day) && (begin..end).contains(&minute);
    }
    // It crosses midnight, and belongs to the day on which it begins.
    (is_chosen(day) && minute >= begin) || (is_chosen(day + 6) && minute < end)
}

/// Day (0: Sunday) and minute of `seconds` since 1970, local time.
pub fn day_and_minute(seconds: i64) -> (u64, u64) {
    let minutes = seconds.div_euclid(60);
    let day = minutes.div_euclid(DAY as i64);
    // The first of January 1970 was a Thursday.
    ((day + 4).rem_euclid(7) as u64, minutes.rem_euclid(DAY as i64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_hold_at_the_chosen_times() {
        let settings = |begin, end, days| Settings {
            alt_speed_time_begin: begin,
            alt_speed_time_end: end,
            alt_speed_time_day: days,
            ..Settings::default()
        };
        let work = settings(540, 1020, 0b0111110);
        assert!(wants(&work, 1, 540) && wants(&work, 5, 1019));
        assert!(!wants(&work, 1, 539) && !wants(&work, 1, 1020) && !wants(&work, 0, 600) && !wants(&work, 6, 600));
        let night = settings(1320, 360, 0b1000000);
        assert!(wants(&night, 6, 1320) && wants(&night, 0, 0) && wants(&night, 0, 359));
        assert!(!wants(&night, 6, 359) && !wants(&night, 0, 360) && !wants(&night, 0, 1320));
        assert!(!wants(&settings(600, 600, 127), 3, 600));
    }

    #[test]
    fn seconds_become_a_day_of_the_week() {
        assert_eq!(day_and_minute(0), (4, 0));
        // 2004-10-21 09:05:00, a Thursday; and the minute before 1970.
        assert_eq!((day_and_minute(1_098_349_500), day_and_minute(-60)), ((4, 545), (3, 1439)));
    }
}
