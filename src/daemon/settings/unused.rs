//! Settings of transmission that mean nothing here. A configuration may have them, so that an old one can be kept.
//!
//! Floor 4. Pure. The names are those of `settings.json` of transmission-daemon 2.x to 4.1.

use super::table::snake;

/// The settings, by name.
const UNUSED: [&str; 32] = [
    "announce_ip",
    "announce_ip_enabled",
    "cache_size_mb",
    "cache_size_mib",
    "lazy_bitfield_enabled",
    "message_level",
    "open_file_limit",
    "peer_congestion_algorithm",
    "peer_id_ttl_hours",
    "peer_port_random_high",
    "peer_port_random_low",
    "peer_socket_diffserv",
    "peer_socket_tos",
    "pidfile",
    "preallocation",
    "preferred_transport",
    "preferred_transports",
    "prefetch_enabled",
    "proxy_url",
    "reqq",
    "rpc_enabled",
    "rpc_socket_mode",
    "scrape_paused_torrents_enabled",
    "sleep_per_seconds_during_verify",
    "start_paused",
    "tcp_enabled",
    "torrent_added_verify_mode",
    "torrent_complete_verify_enabled",
    "trash_can_enabled",
    "upload_slots_per_torrent",
    "utp_enabled",
    "watch_dir_force_generic",
];

/// Whether transmission has a setting with this name, in any spelling, and we have no use for it.
pub fn is_unused(name: &str) -> bool {
    UNUSED.contains(&&*snake(name))
}

/// What a person is told of settings with these names; `None`: there are none.
pub fn notice(names: &[&str]) -> Option<String> {
    let hint = |name: &str| match &*snake(name) {
        "announce_ip" => " (see --ip)",
        "message_level" => " (see --verbose)",
        "proxy_url" => " (see --proxy)",
        _ => "",
    };
    let names: Vec<String> = names.iter().map(|name| format!("{name}{}", hint(name))).collect();
    (!names.is_empty()).then(|| format!("settings that have no effect here: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::settings::table::find;

    #[test]
    fn the_book_names_them_and_none_has_an_effect() {
        for name in UNUSED {
            let in_book = format!("`{}`", name.replace('_', "-"));
            assert!(include_str!("../../book/daemon.md").contains(&in_book), "{name}");
            assert!(find(name).is_none(), "{name}");
        }
        assert!(UNUSED.windows(2).all(|two| two[0] < two[1]), "they are in order");
        assert!(is_unused("cache-size-mb") && !is_unused("download-dir"));
    }

    #[test]
    fn the_notice_names_what_does_the_same() {
        assert_eq!(notice(&[]), None);
        let told = notice(&["reqq", "proxy_url"]).unwrap();
        assert_eq!(told, "settings that have no effect here: reqq, proxy_url (see --proxy)");
    }
}
