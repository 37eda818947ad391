//! Requests that arrive slowly, break off or make no sense.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::ops::process::{half_sent, site};
use crate::support::GOOD;
use crate::support::process::{HttpResponse, PATIENCE, Server, ask, eventually};

/// Much longer than any page takes, much shorter than any deadline of the server.
const SOON: Duration = Duration::from_secs(5);

/// Other clients are served without delay.
fn others_are_served(server: &Server) {
    for _ in 0..10 {
        let asked = Instant::now();
        assert_eq!(server.visitor().get("/account/join").status, 200);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
}

#[test]
fn an_unfinished_form_gets_a_timeout() {
    let server = site().serves();
    let head = server.visitor().head("POST", "/account/login", 1000);
    let begun = Instant::now();
    let slow: Vec<_> = (0..50)
        .map(|_| server.hears(format!("{head}email=ada%40example.com&").as_bytes()))
        .map(|connection| connection.expect("it listens"))
        .collect();

    others_are_served(&server);

    for connection in slow {
        let answer = HttpResponse::read(connection).expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    }
    let took = begun.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(30)).contains(&took), "{took:?}");
}

#[test]
fn a_form_sent_byte_by_byte_gets_a_timeout() {
    let server = site().serves();
    let head = server.visitor().head("POST", "/account/login", 1000);
    let begun = Instant::now();
    let mut connection =
        server.hears(format!("{head}email=ada%40example.com&").as_bytes()).expect("it listens");
    let mut writer = connection.try_clone().expect("a second handle");
    connection.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");

    let mut answer = [0; 12];
    let has_answered = eventually(PATIENCE, || {
        let _ = writer.write_all(b"x");
        std::io::Read::read_exact(&mut connection, &mut answer).is_ok()
    });

    assert!(has_answered, "for ever");
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn a_form_without_a_body_blocks_no_one() {
    let server = site().serves();
    let head = server.visitor().head("POST", "/account/login", 1000);
    let silent: Vec<_> = (0..200).map(|_| server.hears(head.as_bytes())).collect();
    assert!(silent.iter().all(Result::is_ok));

    others_are_served(&server);
    let mut ada = server.visitor();
    assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
}

#[test]
fn an_aborted_form_is_not_processed() {
    let sandbox = site();
    let mut server = sandbox.serves();
    let fields = [("email", "ada@example.com"), ("password1", GOOD), ("password2", GOOD)];
    for _ in 0..20 {
        let (connection, _) = half_sent(&server, "/account/join", &fields);
        crate::support::process::shut_down_writing(&connection);
        let answer = HttpResponse::read(connection).ok().map(|answer| answer.status);
        assert!(answer.is_none_or(|status| (400..500).contains(&status)), "{answer:?}");
    }

    assert!(server.lives());
    let said = server.stops();
    assert!(!said.errors.contains("ERROR"), "not the server's fault: {said:#?}");
    assert!(ask(&sandbox.database(), "SELECT email FROM users").is_empty());
}

#[test]
fn malformed_requests_are_refused() {
    let mut server = site().serves();
    let host = format!("Host: localhost:{}\r\nConnection: close\r\n", server.port);
    let many = "X-Header: a\r\n".repeat(300);
    for (request, what) in [
        (format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "a".repeat(1_000_000)), "a huge header"),
        (format!("GET / HTTP/1.1\r\n{host}{many}\r\n"), "300 headers"),
        (format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(70_000)), "a huge address"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".repeat(40), "TLS on a plain port"),
        ("hello there\r\n\r\n".into(), "garbage"),
        ("\r\n\r\n\r\n".repeat(100) + "x y z\r\n\r\n", "lines and garbage"),
        (format!("GET /\0 HTTP/1.1\r\n{host}\r\n"), "a NUL in the address"),
        (format!("GET / HTTP/1.1\r\n{host}X: a\0b\r\n\r\n"), "a NUL in a header"),
        (format!("GET / HTTP/1.1\r\n{host}X : a\r\n\r\n"), "a space before the colon"),
        (format!("GET / HTTP/3.7\r\n{host}\r\n"), "a version that does not exist"),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".into(),
            "HTTP/2 without being asked",
        ),
        (format!("BREW / HTTP/1.1\r\n{host}\r\n"), "a method that does not exist"),
        (format!("OPTIONS * HTTP/1.1\r\n{host}\r\n"), "a question about everything"),
        (
            "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
                .into(),
            "another site",
        ),
        (
            "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".into(),
            "another host",
        ),
        ("GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n".into(), "no host's name"),
        (
            format!("GET / HTTP/1.1\r\n{host}Host: evil.example\r\n\r\n"),
            "two hosts (RFC 9112, 3.2)",
        ),
        (
            format!(
                "POST /account/login HTTP/1.1\r\n{host}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"
            ),
            "two lengths",
        ),
        (
            format!("POST /account/login HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n"),
            "a negative length",
        ),
        (
            format!(
                "POST /account/login HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nzz\r\n"
            ),
            "a chunk of no length",
        ),
        (
            format!(
                "POST /account/login HTTP/1.1\r\n{host}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000000\r\n\r\n{}",
                "a".repeat(100_000)
            ),
            "a form of ten megabytes",
        ),
    ] {
        let status = server.answers(request.as_bytes());

        let is_refused =
            status.is_none_or(|status| (400..500).contains(&status) || matches!(status, 501 | 505));
        assert!(is_refused, "{what}: {status:?}");
        assert!(server.lives(), "{what}");
    }
    let said = server.stops();
    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(!said.errors.contains("ERROR") && !said.errors.contains("panicked"), "{said:#?}");
}

#[test]
fn responses_ignore_the_host_of_the_request() {
    let mut server = site().serves();
    let own = format!("localhost:{}", server.port);
    for request in [
        "GET http://evil.example/ HTTP/1.1\r\nHost: OWN\r\nConnection: close\r\n\r\n",
        "GET http://evil.example/account/mypage HTTP/1.1\r\nHost: OWN\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: OWN\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\nConnection: close\r\n\r\n",
        "GET /account/mypage HTTP/1.0\r\nX-Forwarded-Host: evil.example\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    ] {
        let connection = server.hears(request.replace("OWN", &own).as_bytes()).expect("listens");

        let answer = HttpResponse::read(connection).expect("an answer");

        assert!(answer.status < 500, "{request}: {}", answer.status);
        assert!(!answer.text.contains("evil.example"), "{request}: {}", answer.text);
        let location = answer.header("location").unwrap_or("/");
        assert!(location.starts_with('/') && !location.starts_with("//"), "{location}");
    }
    assert!(server.lives());
}
