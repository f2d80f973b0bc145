//! URLs as they are in torrents, in messages of servers and in redirects.

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
fn nothing_is_shown_beyond_the_host() {
    for (url, shown) in [
        ("http://t.example/0123456789abcdef0123456789abcdef/announce", "http://t.example/…"),
        ("http://t.example:80/a/x1?passkey=abc&x=1", "http://t.example:80/…"),
        ("http://t.example?secret", "http://t.example/…"),
        ("https://user:password@t.example/", "https://t.example"),
        ("http://t.example:secret/a", "http://t.example/…"),
        ("http://t.example#0123456789abcdef0123456789abcdef", "http://t.example/…"),
        ("udp://[2001:db8::1]:6969/announce", "udp://[2001:db8::1]:6969/…"),
        ("udp://averylongtrackername.example:6969", "udp://averylongtrackername.example:6969"),
        ("0123456789abcdef0123", "…"),
        ("magnet:?xt=urn:btih:0", "…"),
        ("http:///secret", "…"),
    ] {
        assert_eq!(redact(url), shown);
    }
}

#[test]
fn secrets_in_the_words_of_servers_are_hidden() {
    for (url, text, shown) in [
        ("http://t.example/announce?passkey=hunter2&x=1", "no such passkey: hunter2 (1)", "no such passkey: … (1)"),
        ("http://t.example/0123456789abcdef/a", "0123456789abcdef is unknown in a", "… is unknown in a"),
        ("http://t.example/ab12/announce", "no announce of ab12", "no announce of …"),
        ("http://me:sec%72et@t.example/a", "who is me:secret?", "who is me:…?"),
        ("http://t.example/a?b", "GET http://t.example/a?b: refused", "GET http://t.example/…: refused"),
        (
            "http://t.example/",
            "see é'https://o.example/k3y' <udp://x.example:1/(k)>",
            "see é'https://o.example/… <udp://x.example:1/…>",
        ),
        ("http://t.example/", "a://b", "a://b"),
        ("http://t.example/", "://x is no URL", "… is no URL"),
    ] {
        assert_eq!(hide_secrets(text, url), shown);
    }
}

/// The examples of RFC 3986, section 5.4, and what servers send besides.
#[test]
fn redirects_are_joined() {
    for (location, joined) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y#s", "http://a/b/c/g?y#s"),
        ("#s", "http://a/b/c/d;p?q"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../../../g", "http://a/g"),
        (" https://x.example/y ", "https://x.example/y"),
        ("magnet:?xt=urn:btih:0", "magnet:?xt=urn:btih:0"),
        ("g?u=http://x/", "http://a/b/c/g?u=http://x/"),
    ] {
        assert_eq!(join("http://a/b/c/d;p?q", location), joined, "{location}");
    }
    assert_eq!(join("http://a", "g"), "http://a/g");
    assert_eq!(join("http://u:p@a?q", "/g"), "http://u:p@a/g");
}

#[test]
fn user_and_password_are_taken_out_and_decoded() {
    for (url, rest, user) in [
        ("http://u:p@t.example:1/a@b", "http://t.example:1/a@b", Some("u:p")),
        ("http://u%40x:p%3a%zz@t.example/", "http://t.example/", Some("u%40x:p%3a%zz")),
        ("http://u%40x:p%3a@t.example/", "http://t.example/", Some("u@x:p:")),
        ("http://u@t.example/", "http://t.example/", Some("u:")),
        ("http://a@b@c/", "http://c/", Some("a@b:")),
        ("http://t.example/a@b", "http://t.example/a@b", None),
    ] {
        assert_eq!(take_user(url), (rest.into(), user.map(|user| user.as_bytes().to_vec())));
    }
}

#[test]
fn invalid_characters_are_escaped() {
    for (url, mended) in [
        (" http://t.example/a b|c\r\n", "http://t.example/a%20b%7Cc"),
        ("http://t.example/ü?q={\"}", "http://t.example/%C3%BC?q=%7B%22%7D"),
        ("http://t.example/100%", "http://t.example/100%25"),
        ("http://BÜCHER.example:80/ü", "http://xn--bcher-kva.example:80/%C3%BC"),
        ("http://bücher:bücher@bücher.example", "http://b%C3%BCcher:b%C3%BCcher@xn--bcher-kva.example"),
        ("http://b%c3%bccher.example/", "http://xn--bcher-kva.example/"),
        ("http://a%2Fb.example/", "http://a%2Fb.example/"),
        ("udp://[fe80::1%25eth0]:80", "udp://[fe80::1%25eth0]:80"),
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
            prop_assert!(join_query(&text, "k=v").ends_with("k=v"));
            prop_assert!(scheme(&text).is_none() || redact(&text).len() <= text.len() + HIDDEN.len() + 1);
            let _ = (hide_secrets(&text, &text), join(&text, &text), take_user(&text));
            prop_assert!(host(&text).is_none() || scheme(&text).is_some());
            prop_assert!(percent_decode(&text).is_none_or(|bytes| bytes.len() <= text.len()));
        }
    }

    #[test]
    fn no_passkey_is_shown(key in "[0-9a-zA-Z]{4,40}", host in "[a-z]{1,9}[.]example") {
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
            let rest = shown.replacen(&host, "", 1);
            prop_assert!(shown.contains(&host) && !rest.contains(&key) || "http://…".contains(&key), "{}", shown);
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

#[test]
fn a_port_is_a_number_up_to_65535() {
    for wrong in ["http://h:99999/a", "http://host:x/a", "udp://[::1]:x", "http://u:p@h:65536", "http://1::2/"] {
        assert!(has_wrong_port(wrong), "{wrong}");
    }
    for fine in ["http://h/a:x", "http://h:/a", "http://h:65535?a", "udp://[fe80::1]:80", "udp://[::1]", "u:p@h"] {
        assert!(!has_wrong_port(fine), "{fine}");
    }
}
