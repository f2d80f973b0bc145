use super::*;

#[test]
fn a_password_goes_only_to_the_server_it_is_for() {
    let kept = |url: &str, next: &str| with_user_of(url, next.into());
    assert_eq!(kept("http://u:p@a.example/x", "http://a.example/y"), "http://u:p@a.example/y");
    assert_eq!(kept("http://u:p@a.example/x", "http://A.example:80/y"), "http://u:p@A.example:80/y");
    for other in ["http://b.example/y", "https://a.example/y", "http://a.example:81/y", "http://v:q@a.example/y"] {
        assert_eq!(kept("http://u:p@a.example/x", other), other);
    }
    assert_eq!(kept("http://a.example/x", "http://a.example/y"), "http://a.example/y");
    assert_eq!(Target::new("http://u:p@a.example/secret?key=1").shown(), "http://a.example/…");
}

#[test]
fn a_client_that_was_shut_down_asks_nothing() {
    let client = Client::new(|_| false);
    client.shut_down();
    assert!(client.get(&Target::new("http://127.0.0.1:1/"), "bytes=0-1").is_err());
}
