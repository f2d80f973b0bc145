use super::*;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

#[test]
fn a_file_has_the_url_that_other_programs_ask_for() {
    let single = |base| file_url(base, None, b"a b.iso");
    assert_eq!(single("http://m/x.iso"), "http://m/x.iso");
    assert_eq!(single("http://m/dir/"), "http://m/dir/a%20b.iso");
    assert_eq!(single("http://m/a b|c.iso"), "http://m/a%20b%7Cc.iso");
    assert_eq!(single("http://m/get?file=a&key=1"), "http://m/get?file=a&key=1");
    assert_eq!(single("http://m/dir/?key=1#top"), "http://m/dir/a%20b.iso?key=1");
    let several = |base| file_url(base, Some("na me"), "d/é+?#%.txt".as_bytes());
    assert_eq!(several("http://m"), "http://m/na%20me/d/%C3%A9%2B%3F%23%25.txt");
    assert_eq!(several("http://m/pub"), several("http://m/pub/"));
    assert_eq!(several("http://m/pub?k=1"), "http://m/pub/na%20me/d/%C3%A9%2B%3F%23%25.txt?k=1");
}

#[test]
fn no_name_splits_a_request_line() {
    let url = file_url("http://m/\r\nX: y/", Some("a\r\nb"), b"c\nd\r\xff \t");
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    assert_eq!(url, "http://m/%0D%0AX:%20y/a%0D%0Ab/c%0Ad%0D%FF%20%09");
}

#[test]
fn only_servers_that_speak_http_are_asked() {
    assert!(is_usable("http://m/x") && is_usable("HTTPS://m"));
    assert!(!["ftp://m/x", "file:///etc/passwd", "http://", "http://m:port/", "x", ""].into_iter().any(is_usable));
}

fn files() -> Files {
    let mut files = Files::of_folder("name", 0, 0);
    for (inside, length, padding) in [("a", 10, false), ("", 6, true), ("b", 0, false), ("c", 16, false)] {
        files.push(inside.as_bytes(), length, padding);
    }
    files
}

#[test]
fn a_run_is_asked_for_file_by_file_and_padding_never() {
    let part = |file, begin, length, size| Part { file, asked: Asked { begin, length, size } };
    let of = |begin, length| parts(&files(), begin, length).collect::<Vec<_>>();
    assert_eq!(of(4, 20), [part(Some(0), 4, 6, 10), part(None, 0, 6, 6), part(Some(3), 0, 8, 16)]);
    assert_eq!(of(17, 3), [part(Some(3), 1, 3, 16)]);
    assert_eq!(&*places(&files()), [0..10, 16..32]);
}

const ASKED: Asked = Asked { begin: 100, length: 50, size: 1000 };

fn part(range: &str) -> Heads<'_> {
    Heads { status: 206, range: Some(range), length: Some(50), ..Heads::default() }
}

#[test]
fn only_what_was_asked_for_counts() {
    assert_eq!(ASKED.check(&part("bytes 100-149/1000")), Ok(ASKED));
    assert_eq!(ASKED.check(&part("Bytes  100-149 / *")), Ok(ASKED));
    assert_eq!(ASKED.check(&part("bytes 100-149/2000")), Err(Fault::NotThere(206)), "another file");
    for other in ["bytes 0-49/1000", "bytes 100-150/1000", "bytes 100-149", "bytes */1000", "100-149/1000", "", "bytes"]
    {
        assert!(matches!(ASKED.check(&part(other)), Err(Fault::Wrong(_))), "{other}");
    }
    assert!(matches!(ASKED.check(&Heads { range: None, ..part("") }), Err(Fault::Wrong(_))));
    let good = part("bytes 100-149/1000");
    for wrong in
        [Heads { length: Some(51), ..good }, Heads { length: None, ..good }, Heads { encoding: Some("gzip"), ..good }]
    {
        assert!(matches!(ASKED.check(&wrong), Err(Fault::Wrong(_))), "{wrong:?}");
    }
    let of_large = Asked { size: MOST_BYTES + 1, ..ASKED };
    assert_eq!(of_large.check(&Heads { status: 200, length: Some(100 << 30), ..good }), Err(Fault::Whole));
    assert_eq!(ASKED.check(&Heads { length: None, chunked: true, ..good }), Ok(ASKED));
    assert_eq!(ASKED.check(&Heads { encoding: Some("identity"), ..good }), Ok(ASKED));
    for status in [404, 410, 416] {
        assert_eq!(ASKED.check(&Heads { status, ..good }), Err(Fault::NotThere(status)));
    }
    assert_eq!(ASKED.check(&Heads { status: 503, ..good }), Err(Fault::Status(503)));
}

#[test]
fn a_small_file_may_come_whole() {
    let whole = Asked { begin: 0, length: 1000, size: 1000 };
    let heads = Heads { status: 200, length: Some(1000), ..Heads::default() };
    assert_eq!((whole.check(&heads), whole.range().as_str()), (Ok(whole), "bytes=0-999"));
    assert_eq!(ASKED.check(&heads), Ok(whole), "although a part was asked for");
    assert_eq!(whole.check(&Heads { length: Some(999), ..heads }), Err(Fault::NotThere(200)), "another file");
    assert!(matches!(whole.check(&Heads { length: None, ..heads }), Err(Fault::Wrong(_))));
}

#[test]
fn a_server_delays_us_by_an_hour_at_most() {
    assert_eq!((retry_after("120"), retry_after(" 7 "), retry_after("1000000000")), (Some(120), Some(7), Some(3600)));
    assert_eq!(retry_after(&"9".repeat(100)), Some(3600));
    assert_eq!(["", "-5", "1.5", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"].map(retry_after), [None; 5]);
}

proptest! {
    #[test]
    fn parts_cover_the_run_without_gaps(begin in 0u64..32, length in 1u64..32) {
        let (files, length) = (files(), length.min(32 - begin));
        let mut at = begin;
        for part in parts(&files, begin, length) {
            prop_assert!(part.asked.length > 0 && part.asked.begin + part.asked.length <= part.asked.size);
            at += part.asked.length;
        }
        prop_assert_eq!(at, begin + length);
    }

    #[test]
    fn no_head_makes_it_panic(range in ".{0,40}", status in 0u16..1000, length in proptest::option::of(0u64..100)) {
        let heads = Heads { status, range: Some(&range), encoding: Some(&range), length, chunked: false };
        let _ = (ASKED.check(&heads), retry_after(&range));
    }
}
