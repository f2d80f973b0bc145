//! Sizes, rates and durations for people. Sizes are in KiB, MiB, GiB (IEC 80000-13) with three digits, rates in the
//! same units per second.

use std::time::Duration;

/// The units, each 1024 times the one before.
const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
/// A longer time left is not an estimate but a guess, and is not shown.
const MOST_LEFT: Duration = Duration::from_secs(100 * 24 * 3600);

/// `1.20 GiB`.
pub fn size(bytes: u64) -> String {
    let (number, unit) = parts(bytes);
    format!("{number} {unit}")
}

/// `5.21 MiB/s`.
pub fn rate(bytes_per_second: u64) -> String {
    size(bytes_per_second) + "/s"
}

/// `412 of 659 MiB`, or `800 KiB of 1.20 GiB`.
pub fn of(part: u64, whole: u64) -> String {
    let ((number, unit), (_, whole_unit)) = (parts(part), parts(whole));
    let shown = match number {
        _ if part == 0 => "0".into(),
        number if unit == whole_unit => number,
        _ => size(part),
    };
    format!("{shown} of {}", size(whole))
}

/// `62.4 %`, rounded down, so that only a whole has 100.0 %.
pub fn percent(part: u64, whole: u64) -> String {
    let thousandths = per_mille(part, whole);
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// The share in thousandths, rounded down; 1000 if the whole is 0.
pub fn per_mille(part: u64, whole: u64) -> u64 {
    match whole {
        0 => 1000,
        // At most 1000.
        _ => (u128::from(part.min(whole)) * 1000 / u128::from(whole)) as u64,
    }
}

/// `2.5 s`, `48 s`, `2 min 40 s`, `3 h 12 min`, `5 d 3 h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0 if time.subsec_millis() > 0 && time.subsec_millis() < 100 => format!("{} ms", time.subsec_millis()),
        0..10 if time.subsec_millis() >= 100 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// The whole seconds until `left` bytes have come at `rate` bytes per second; `None` if that cannot be told.
pub fn time_left(left: u64, rate: u64) -> Option<Duration> {
    (rate > 0).then(|| Duration::from_secs(left.div_ceil(rate))).filter(|&time| time <= MOST_LEFT)
}

/// Bytes per second over a time.
pub fn average(bytes: u64, time: Duration) -> u64 {
    let milliseconds = time.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / milliseconds).unwrap_or(u64::MAX)
}

/// The sum of numbers that strangers may have invented, without overflow.
pub fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// A count and its noun: `1 peer`, `2 peers`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `12.345`: seconds with three decimals. (This file uses whole numbers only, because the code that formats
/// floating-point numbers would be a fiftieth of the smallest build.)
pub fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// `sent` divided by `whole`, with two decimals: `1.50`.
pub fn ratio(sent: u64, whole: u64) -> String {
    let hundredths = u128::from(sent) * 100 / u128::from(whole.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn parts(bytes: u64) -> (String, &'static str) {
    let mut unit = 0;
    let mut unit_bytes: u128 = 1;
    let hundredths = loop {
        let hundredths = (u128::from(bytes) * 100 + unit_bytes / 2) / unit_bytes;
        // Not 1024, because four digits would take one column more.
        if hundredths < 99_950 || unit + 1 == UNITS.len() {
            break hundredths as u64;
        }
        unit += 1;
        unit_bytes *= 1024;
    };
    let tenths = (hundredths + 5) / 10;
    let text = match hundredths {
        _ if unit == 0 => format!("{bytes}"),
        0..1000 => format!("{}.{:02}", hundredths / 100, hundredths % 100),
        1000..9995 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => format!("{}", (hundredths + 50) / 100),
    };
    (text, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let cases: [(u64, &str); 9] = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "0.98 KiB"),
            (1024, "1.00 KiB"),
            (16 << 10, "16.0 KiB"),
            (691_000_000, "659 MiB"),
            (1023 << 20, "1.00 GiB"),
            (5 << 40, "5.00 TiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(rate(5 << 20), "5.00 MiB/s");
    }

    #[test]
    fn parts_of_a_whole_share_its_unit() {
        assert_eq!(of(412 << 20, 659 << 20), "412 of 659 MiB");
        assert_eq!(of(800 << 10, 2 << 30), "800 KiB of 2.00 GiB");
        assert_eq!(of(0, 659 << 20), "0 of 659 MiB");
    }

    #[test]
    fn percents_are_rounded_down() {
        assert_eq!(percent(999_999, 1_000_000), "99.9 %");
        assert_eq!(percent(0, 0), "100.0 %");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0 %");
        assert_eq!(percent(624, 1000), "62.4 %");
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!(duration(Duration::from_millis(2560)), "2.5 s");
        let cases = [(9, "9 s"), (48, "48 s"), (160, "2 min 40 s"), (11_520, "3 h 12 min"), (443_000, "5 d 3 h")];
        for (seconds, shown) in cases {
            assert_eq!(duration(Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn no_rate_and_endless_waits_have_no_time_left() {
        assert_eq!(time_left(100, 0), None);
        assert_eq!(time_left(u64::MAX, 1), None);
        assert_eq!(time_left(101, 10), Some(Duration::from_secs(11)));
        assert_eq!(average(1000, Duration::ZERO), 1_000_000);
    }
}
