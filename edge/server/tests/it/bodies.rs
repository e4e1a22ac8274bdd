//! Heads and bodies that do not arrive, or that nobody may send.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::caller::page;
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, Litfass, PATIENCE, wait_for};

/// More than any address takes.
const HUGE: usize = 64 << 20;

fn begun(server: &Litfass, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Everything that is still said before the connection ends.
fn last_words(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Whether the other side has ended the connection.
fn is_over(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(read) => read == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn a_head_that_comes_a_byte_at_a_time_is_cut_off() {
    let home = Home::new();
    home.configure("[server]\nheader_timeout = \"200ms\"\n");
    let server = home.serve();
    let mut stream = begun(&server, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    wait_for("the connection to be cut", || {
        // Never the end of the head.
        let gone = stream.write_all(b"a").is_err();
        (gone || is_over(&mut stream)).then_some(())
    });
    assert_eq!(server.caller().get("/healthz").status, 200, "others are served");
}

#[test]
fn a_connection_on_which_nothing_is_asked_is_not_kept_for_ever() {
    let home = Home::new();
    home.configure("[server]\nheader_timeout = \"100ms\"\n");
    let server = home.serve();
    assert_eq!(last_words(begun(&server, "")), "");
    let kept = last_words(begun(&server, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert!(kept.starts_with("HTTP/1.1 200"), "{kept}");
}

#[test]
fn a_body_that_stops_halfway_is_answered_and_its_connection_ended() {
    let home = Home::new();
    home.configure("[server]\nbody_timeout = \"100ms\"\n");
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let body = page(HOME, 1, "u").to_string();
    let head = format!("POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = last_words(begun(&server, &format!("{head}{}", &body[..body.len() / 2])));
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("/problems/too-slow"), "{answer}");
    let edit = "POST /v1/line_items/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";
    let answer = last_words(begun(&server, edit));
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn what_somebody_may_not_send_is_refused_before_it_is_read() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let reporting = home.key(&["--role", "reporting"]);
    let server = home.serve();
    let sent = |method: &str, path: &str, key: &str| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Length: {HUGE}\r\n\r\n"
        );
        last_words(begun(&server, &head))
    };
    for (method, path) in [
        ("POST", "/v1/decisions"),
        ("POST", "/rank_ads"),
        ("POST", "/v1/events"),
        ("POST", "/v1/keys"),
        ("POST", "/v1/accounts/11/deposits"),
        ("POST", "/v1/line_items/bulk"),
        ("POST", "/v1/placements/bulk"),
        ("PATCH", "/v1/campaigns/101"),
        ("POST", "/v1/campaigns/101/pause"),
    ] {
        let answer = sent(method, path, &reporting);
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("/problems/forbidden"), "{path}: {answer}");
        assert!(sent(method, path, "lf_nobody").starts_with("HTTP/1.1 401"), "{path}");
    }
}
