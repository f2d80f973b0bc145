use super::table::{TABLE, find, snake};
use super::*;

#[test]
fn all_spellings_name_the_same_setting() {
    for name in ["seed_ratio_limit", "seedRatioLimit", "seed-ratio-limit", "ratio-limit"] {
        assert_eq!(find(name).map(|row| row.name), Some("seed_ratio_limit"), "{name}");
    }
    assert_eq!(snake("isUTP"), "is_utp");
    assert_eq!(snake("primary-mime-type"), "primary_mime_type");
    assert_eq!(find("seed_ratio_limited").map(table::Row::old_name).as_deref(), Some("seedRatioLimited"));
    assert_eq!(find("dhtEnabled").map(table::Row::old_name).as_deref(), Some("dht-enabled"));
    assert!(find("nothing").is_none());
}

#[test]
fn the_table_is_in_order_and_names_each_setting_once() {
    assert!(TABLE.windows(2).all(|two| two[0].name < two[1].name));
    // Each row leads to a place of its own: what is set through one row changes nothing that another row shows.
    for row in &TABLE {
        let (mut changed, mut before) = (Settings::default(), Settings::default());
        match row.place(&mut changed) {
            table::Place::Flag(place) => *place = !*place,
            table::Place::Number(place, _) => *place += 1,
            table::Place::Real(place) => *place += 1.0,
            table::Place::Text(place) => place.push('x'),
            table::Place::Octal(place) => *place += 1,
            table::Place::Encryption(place) => *place = Encryption::Required,
        }
        assert_ne!(changed, before, "{}", row.name);
        assert!(format!("{changed:?}") != format!("{before:?}"));
        let own = format!("{}: ", row.name);
        let differs = |(one, other): &(&str, &str)| one != other && !one.trim_start().starts_with(&own);
        let (one, other) = (format!("{changed:#?}"), format!("{before:#?}"));
        assert_eq!(one.lines().zip(other.lines()).find(differs), None, "{}", row.name);
        let _ = row.place(&mut before);
    }
}

/// The first cells of the table of settings in the book.
#[test]
fn the_book_names_every_setting_and_no_other() {
    let (_, table) = include_str!("../../book/daemon.md").split_once("### All settings").unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let mut named: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let in_files = |row: &table::Row| match row.name {
        "seed_ratio_limit" => "ratio-limit".into(),
        "seed_ratio_limited" => "ratio-limit-enabled".into(),
        _ => row.file_name(),
    };
    let mut all: Vec<String> = TABLE.iter().map(in_files).collect();
    named.sort_unstable();
    all.sort_unstable();
    assert_eq!(named, all);
}

#[test]
fn a_value_is_taken_as_text_or_as_json_and_checked() {
    let mut settings = Settings::default();
    let mut set = |name: &str, given: Given| settings.set(name, &given, Source::File).map(|known| assert!(known));
    set("speed-limit-down", Given::Text("250")).unwrap();
    set("speed-limit-down-enabled", Given::Text("yes")).unwrap();
    set("ratio-limit", Given::Number(1.5)).unwrap();
    set("encryption", Given::Number(2.0)).unwrap();
    set("umask", Given::Number(18.0)).unwrap();
    let wrong = set("alt-speed-time-day", Given::Number(128.0)).unwrap_err();
    assert_eq!(wrong, "alt-speed-time-day: 128 is not a number from 0 to 127");
    assert_eq!(set("peer-port", Given::Text("-1")).unwrap_err(), "peer-port: \"-1\" is not a number from 0 to 65535");
    assert!(set("ratio-limit", Given::Text("NaN")).is_err());
    assert!(set("ratio-limit", Given::Number(f64::INFINITY)).is_err());
    assert!(set("umask", Given::Text("999")).is_err());
    assert!(set("dht-enabled", Given::Other).is_err());
    assert_eq!((settings.speed_limit_down, settings.seed_ratio_limit, settings.umask), (250, 1.5, 0o022));
    assert_eq!((settings.encryption, settings.limits()), (Encryption::Required, [Some(250_000), None]));
    settings.alt_speed_enabled = true;
    assert_eq!(settings.limits(), [Some(50_000), Some(50_000)]);
}

#[test]
fn rpc_cannot_name_a_program_or_a_password() {
    let mut settings = Settings { script_torrent_done_filename: "/etc/mine".into(), ..Settings::default() };
    let before = settings.clone();
    let evil = settings.set("script-torrent-done-filename", &Given::Text("/tmp/evil"), Source::Rpc);
    assert_eq!(evil.unwrap_err(), "script-torrent-done-filename can only be changed in the configuration file");
    assert_eq!(settings.set("script-torrent-done-filename", &Given::Text("/etc/mine"), Source::Rpc), Ok(true));
    for hidden in ["rpc-password", "rpc-whitelist", "download-roots", "watch-dir", "umask"] {
        assert_eq!(settings.set(hidden, &Given::Text("7"), Source::Rpc), Ok(false), "{hidden}");
    }
    assert_eq!(settings, before);
}

#[test]
fn content_goes_only_below_the_roots() {
    let mut settings = Settings { download_dir: "/srv/media".into(), ..Settings::default() };
    settings.fix_roots();
    settings.set("download-dir", &Given::Text("/etc"), Source::Rpc).unwrap();
    settings.fix_roots();
    assert_eq!(settings.allowed_dir("/srv/media/tv//"), Ok("/srv/media/tv".into()));
    for wrong in ["/etc", "/srv/media/../../etc", "/srv/media2", "srv/media", "", "/srv/media/\0"] {
        assert!(settings.allowed_dir(wrong).is_err(), "{wrong:?}");
    }
}
