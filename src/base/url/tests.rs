use super::*;
use proptest::prelude::*;

#[test]
fn all_but_unreserved_characters_are_encoded() {
    assert_eq!(percent_encode(b"Az09-._~"), "Az09-._~");
    assert_eq!(percent_encode(b"\x00 +/%\xff"), "%00%20%2B%2F%25%FF");
    assert_eq!(percent_decode("%00%20+%2f%25%fF").unwrap(), b"\x00 +/%\xff");
    for bad in ["%", "%1", "a%g0", "%%20", "%é"] {
        assert_eq!(percent_decode(bad), None, "{bad}");
    }
}

#[test]
fn queries_are_joined_with_the_right_character() {
    for (base, joined) in [
        ("http://t.example/announce", "http://t.example/announce?a=1&b=2"),
        ("http://t.example/announce?passkey=x", "http://t.example/announce?passkey=x&a=1&b=2"),
        ("http://t.example/announce?", "http://t.example/announce?a=1&b=2"),
        ("http://t.example/announce?x&", "http://t.example/announce?x&a=1&b=2"),
        ("http://t.example/a%2Fb//c?k=%7e#frag?", "http://t.example/a%2Fb//c?k=%7e&a=1&b=2"),
        ("http://t.example", "http://t.example?a=1&b=2"),
    ] {
        assert_eq!(join_query(base, "a=1&b=2"), joined);
    }
    assert_eq!(join_query("http://t.example/x#y", ""), "http://t.example/x");
}

#[test]
fn scheme_and_host_are_found() {
    for (url, its_scheme, its_host) in [
        ("http://t.example/announce", Some("http"), Some("t.example")),
        ("HTTPS://u:p@t.example:443?x=http://other/", Some("HTTPS"), Some("t.example")),
        ("udp://[2001:db8::1]:6969", Some("udp"), Some("2001:db8::1")),
        ("http://a@b@c/", Some("http"), Some("c")),
        ("http:///announce", Some("http"), None),
        ("http://[::1/x", Some("http"), None),
        ("t.example/announce", None, None),
        ("/x?y=http://t.example/", None, None),
        ("", None, None),
        ("://", None, None),
        ("1a://x", None, None),
    ] {
        assert_eq!((scheme(url), host(url)), (its_scheme, its_host), "{url}");
    }
}

#[test]
fn secrets_are_hidden() {
    for (url, shown) in [
        ("http://t.example/0123456789abcdef0123456789abcdef/announce", "http://t.example/…/announce"),
        ("http://t.example:80/announce.php?passkey=abc&x=1", "http://t.example:80/announce.php?passkey=…&x=…"),
        ("http://t.example/announce.php?secret", "http://t.example/announce.php?…"),
        ("https://user:password@t.example/announce", "https://…@t.example/announce"),
        ("https://t.example/a/123e4567-e89b-12d3-a456-426614174000.php", "https://t.example/a/….php"),
        ("http://t.example/announce#0123456789abcdef0123456789abcdef", "http://t.example/announce"),
        ("http://t.example/announce?pass=a?b=c&d", "http://t.example/announce?pass=…&…"),
        ("udp://averylongtrackername.example:6969/announce", "udp://averylongtrackername.example:6969/announce"),
        ("0123456789abcdef0123", "…"),
        ("/announce?", "/announce?"),
    ] {
        assert_eq!(redact(url), shown);
    }
}

#[test]
fn secrets_in_the_words_of_servers_are_hidden() {
    for (url, text, shown) in [
        ("http://t.example/announce?passkey=hunter2&x=1", "no such passkey: hunter2 (1)", "no such passkey: … (1)"),
        ("http://t.example/0123456789abcdef/a", "0123456789abcdef is unknown in a", "… is unknown in a"),
        ("http://me:secret@t.example/a", "who is me:secret?", "who is me:…?"),
        ("http://t.example/a?b", "GET http://t.example/a?b: refused", "GET t.example: refused"),
    ] {
        assert_eq!(hide_secrets(text, url), shown);
    }
}

#[test]
fn invalid_characters_are_escaped() {
    for (url, mended) in [
        (" http://t.example/a b|c\r\n", "http://t.example/a%20b%7Cc"),
        ("http://t.example/ü?q={\"}", "http://t.example/%C3%BC?q=%7B%22%7D"),
        ("http://t.example/100%", "http://t.example/100%25"),
        ("http://t.example/%zz%2g%41", "http://t.example/%25zz%252g%41"),
        ("udp://[::1]:80/[x]", "udp://[::1]:80/%5Bx%5D"),
        ("http://t.example/a?b=c&d=~!$'()*+,;:@-._/?#f", "http://t.example/a?b=c&d=~!$'()*+,;:@-._/?#f"),
    ] {
        assert_eq!(sanitize(url), mended);
    }
}

proptest! {
    #[test]
    fn encoded_bytes_are_decoded_again(bytes: Vec<u8>) {
        let text = percent_encode(&bytes);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        prop_assert_eq!(percent_decode(&text), Some(bytes));
    }

    /// Sanitizing twice changes nothing more, and no text makes any of these functions panic.
    #[test]
    fn any_text_is_survived(url in "[ -~é…\u{0}]{0,40}", wild: String) {
        for text in [url, wild, "http://".to_string()] {
            let mended = sanitize(&text);
            prop_assert!(mended.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(sanitize(&mended), mended.clone());
            prop_assert!(join_query(&text, "k=v").ends_with("k=v") && !redact(&text).contains('#'));
            prop_assert!(host(&text).is_none() || scheme(&text).is_some());
            prop_assert!(percent_decode(&text).is_none_or(|bytes| bytes.len() <= text.len()));
        }
    }

    #[test]
    fn no_passkey_is_shown(key in "[0-9a-zA-Z]{16,40}", host in "[a-z]{1,9}[.]example") {
        for url in [
            format!("http://{host}/{key}/announce"),
            format!("http://{host}/announce/{key}"),
            format!("http://{host}/announce?passkey={key}"),
            format!("http://{host}/announce?{key}"),
            format!("http://{host}/announce?{key}=1"),
            format!("http://me:{key}@{host}/announce"),
            format!("http://{host}/announce#{key}"),
        ] {
            let shown = redact(&url);
            prop_assert!(!shown.contains(&key), "{}", shown);
            prop_assert!(shown.contains(&host), "{}", shown);
        }
    }

    #[test]
    fn a_joined_query_is_found_again(path in "[a-z/]{0,9}", had in "[a-z=&]{0,9}", value: Vec<u8>) {
        let url = join_query(&format!("http://t.example/{path}?{had}"), &format!("k={}", percent_encode(&value)));
        let (_, query) = url.split_once('?').unwrap();
        let last = query.rsplit('&').next().unwrap().strip_prefix("k=").unwrap();
        prop_assert_eq!(percent_decode(last), Some(value));
    }
}

#[test]
fn ports_and_paths_are_found() {
    for (url, expected_port, path) in [
        ("udp://tracker.example:6969/announce?passkey=1#x", Some(6969), "/announce?passkey=1"),
        ("udp://[fd00::1]:80", Some(80), ""),
        ("udp://[fd00::1]", None, ""),
        ("http://user:secret@host/a:b", None, "/a:b"),
        ("udp://host:70000/", None, "/"),
        ("udp://host", None, ""),
    ] {
        let found = port(url).filter(|_| !url.contains('@'));
        assert_eq!((found, path_and_query(url)), (expected_port, path), "{url}");
    }
}
