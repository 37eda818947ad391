//! The program's own listener answers as Rocket's does.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::GOOD;
use crate::support::process::{
    HttpResponse, PATIENCE, Sandbox, Server, ask, eventually, free_port,
};

/// Much longer than any page takes, much shorter than any deadline of the server.
pub(crate) const SOON: Duration = Duration::from_secs(5);

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(crate) fn site() -> Sandbox {
    Sandbox::new().with_cheap_hashing().with_a_name()
}

/// A request with its name. `OWN` stands for the server's own host.
type Asked = (&'static str, String);

const HOST: &str = "Host: OWN\r\nConnection: close\r\n";

/// Requests that every HTTP server meets, odd ones and plain ones.
fn heads() -> Vec<Asked> {
    let host = HOST;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{host}\r\n");
    let with = |header: &str| format!("GET /account/join HTTP/1.1\r\n{host}{header}\r\n\r\n");
    vec![
        ("a page", get("/account/login")),
        ("a page in Korean", with("Accept-Language: ko")),
        ("a compressed page", with("Accept-Encoding: gzip")),
        ("a redirect", get("/account/mypage")),
        ("a page with a query", get("/account/login?next=%2Faccount%2Fmypage&a=b%20c+d")),
        ("a page that does not exist", get("/nowhere")),
        ("an API path that does not exist", get("/api/nowhere")),
        ("a path with two slashes", get("//account//login")),
        ("a path with odd characters", get("/a{b}|\"'<c>`^")),
        ("a path with a byte that is no text", get("/%ff%00")),
        ("a query with odd characters", get("/account/login?next={}|\"")),
        ("an empty query", get("/account/login?")),
        ("health", get("/health/live")),
        ("the head of a page", format!("HEAD /account/login HTTP/1.1\r\n{host}\r\n")),
        ("the head of nothing", format!("HEAD /nowhere HTTP/1.1\r\n{host}\r\n")),
        ("the head of JSON", format!("HEAD /api/user HTTP/1.1\r\n{host}\r\n")),
        ("options", format!("OPTIONS /account/login HTTP/1.1\r\n{host}\r\n")),
        ("options of everything", format!("OPTIONS * HTTP/1.1\r\n{host}\r\n")),
        ("a method that the path does not have", format!("DELETE / HTTP/1.1\r\n{host}\r\n")),
        ("the same of the API", format!("DELETE /api/token HTTP/1.1\r\n{host}\r\n")),
        ("TRACE", format!("TRACE / HTTP/1.1\r\n{host}\r\n")),
        ("an absolute address", format!("GET http://evil.example/ HTTP/1.1\r\n{host}\r\n")),
        (
            "another host",
            "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".into(),
        ),
        ("an odd host", "GET / HTTP/1.1\r\nHost: a b@c\r\nConnection: close\r\n\r\n".into()),
        ("no host", "GET /account/login HTTP/1.1\r\nConnection: close\r\n\r\n".into()),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}Host: evil.example\r\n\r\n")),
        ("HTTP/1.0", "GET /account/login HTTP/1.0\r\n\r\n".into()),
        ("HTTP/1.0 and a missing page", "GET /nowhere HTTP/1.0\r\nHost: OWN\r\n\r\n".into()),
        ("HTTP/3.7", format!("GET / HTTP/3.7\r\n{host}\r\n")),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".into()),
        ("no HTTP", "hello there\r\n\r\n".into()),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".repeat(40)),
        ("a NUL in a header", with("X: a\0b")),
        ("a space before the colon", with("X : a")),
        ("a folded header", with("X: a\r\n b")),
        ("many headers", with("X-Header: a\r\n".repeat(99).trim_end())),
        ("too many headers", with("X-Header: a\r\n".repeat(300).trim_end())),
        ("an address that is too long", get(&format!("/{}", "a".repeat(70_000)))),
        ("cookies", with("Cookie: language=ko; a=b%3Bc; =; d; e=\"f\"\r\nCookie: visitor=x")),
        ("a language in a cookie", with("Cookie: language=ko")),
        ("a header that is not UTF-8", with("X-Name: \u{e9}")),
    ]
}

/// The same with bodies, alone and one after the other.
fn bodies() -> Vec<Asked> {
    let host = HOST;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let json = "Content-Type: application/json\r\n";
    let post = |path: &str, kind: &str, body: &str| {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\n{host}{kind}Content-Length: {length}\r\n\r\n{body}")
    };
    vec![
        ("a form without a token", post("/account/login", form, "email=a&password=b")),
        ("an empty form", post("/account/login", form, "")),
        ("a form of no kind", post("/account/login", "", "email=a")),
        ("a form of the wrong kind", post("/account/login", json, "{}")),
        ("a method override", post("/account/login", form, "_method=delete&a=b")),
        ("a form that is too large", post("/account/login", form, &"a".repeat(17 << 10))),
        ("JSON", post("/api/token", json, r#"{"email":"a@example.com","password":"b"}"#)),
        ("JSON that is none", post("/api/token", json, "{")),
        ("JSON that is too large", post("/api/token", json, &" ".repeat(17 << 10))),
        ("an empty body for JSON", post("/api/token", json, "")),
        ("a body where none is read", post("/nowhere", form, "a=b")),
        ("a body with GET", format!("GET / HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\na=b")),
        (
            "a form in chunks",
            format!(
                "POST /account/login HTTP/1.1\r\n{host}{form}Transfer-Encoding: chunked\r\n\r\n\
                 3\r\na=b\r\n9;x=y\r\n&c=d&e=fg\r\n0\r\nX: y\r\n\r\n"
            ),
        ),
        (
            "a length and chunks",
            format!(
                "POST /account/login HTTP/1.1\r\n{host}{form}Content-Length: 4\r\n\
                 Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "a coding that is not chunked",
            format!("POST /account/login HTTP/1.1\r\n{host}{form}Transfer-Encoding: gzip\r\n\r\nx"),
        ),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\n{host}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
        ),
        ("a negative length", format!("POST / HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n")),
        (
            "a form that asks first",
            format!(
                "POST /account/login HTTP/1.1\r\n{host}{form}Expect: 100-continue\r\n\
                 Content-Length: 7\r\n\r\nemail=a"
            ),
        ),
        (
            "a refused form that asks first",
            format!(
                "POST /account/login HTTP/1.1\r\n{host}{form}Origin: https://evil.example\r\n\
                 Expect: 100-continue\r\nContent-Length: 7\r\n\r\nemail=a"
            ),
        ),
        (
            "two requests at once",
            format!("GET /health/live HTTP/1.1\r\nHost: OWN\r\n\r\nHEAD / HTTP/1.1\r\n{host}\r\n"),
        ),
        (
            "a form and a request at once",
            format!(
                "POST /account/login HTTP/1.1\r\nHost: OWN\r\n{form}Content-Length: 3\r\n\r\na=b\
                 GET /health/live HTTP/1.1\r\n{host}\r\n"
            ),
        ),
        (
            "HTTP/1.0 that stays",
            "GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\
             GET /health/live HTTP/1.0\r\n\r\n"
                .into(),
        ),
        (
            "a form that another site sends",
            format!(
                "POST /account/login HTTP/1.1\r\n{host}{form}Sec-Fetch-Site: cross-site\r\n\r\n"
            ),
        ),
        (
            "an upgrade",
            "GET /health/live HTTP/1.1\r\nHost: OWN\r\nConnection: close, upgrade\r\n\
             Upgrade: websocket\r\n\r\n"
                .into(),
        ),
    ]
}

/// Everything that comes back on a connection.
pub(crate) fn raw(port: u16, request: &str) -> Vec<u8> {
    let own = format!("localhost:{port}");
    let bytes: Vec<u8> = request
        .replace("OWN", &own)
        .chars()
        .map(|char| u8::try_from(char).expect("Latin-1"))
        .collect();
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut received = Vec::new();
    // A server that refuses may not read to the end.
    let _ = connection.write_all(&bytes);
    let _ = connection.read_to_end(&mut received);
    received
}

/// The same without what differs from one answer to the next: instants, numbers of requests, tokens.
fn comparable(received: &[u8]) -> String {
    let text = String::from_utf8_lossy(received);
    let mut random = BTreeSet::new();
    let mut lines: Vec<String> = Vec::new();
    for line in text.split("\r\n") {
        let lower = line.to_ascii_lowercase();
        if let Some(id) = lower.strip_prefix("x-request-id: ") {
            random.insert(id.to_owned());
        }
        if lower.starts_with("set-cookie: ")
            && let Some((_, value)) = line.split(';').next().unwrap_or_default().split_once('=')
        {
            random.insert(value.to_owned());
        }
        let is_dated = lower.starts_with("date: ");
        lines.push(if is_dated { "date: today".into() } else { line.to_owned() });
    }
    // The order of headers means nothing.
    let mut heads: Vec<String> = Vec::new();
    let mut head: Vec<String> = Vec::new();
    for line in lines {
        if line.is_empty() {
            head.sort_by_key(|line| (!line.starts_with("HTTP/"), line.clone()));
            heads.append(&mut head);
        }
        head.push(line);
    }
    heads.append(&mut head);
    let mut text = heads.join("\n");
    for part in text.clone().split("name=\"csrf\" value=\"").skip(1) {
        random.insert(part.split('"').next().unwrap_or_default().to_owned());
    }
    for value in random.iter().filter(|value| value.len() > 3) {
        text = text.replace(value, "RANDOM");
    }
    text
}

/// Rocket's own server with the same application, in this process.
fn rockets_own(folder: &std::path::Path) -> u16 {
    let port = free_port();
    let figment = rocket::figment::Figment::from(rocket::Config::default())
        .merge(("database_url", format!("sqlite://{}", folder.join("own.db").display())))
        .merge(("data_dir", folder))
        .merge(("secret_key", SECRET))
        .merge(("password_hash", "m=8,t=1,p=1"))
        .merge(("public_url", "http://localhost:8000"))
        .merge(("log_level", "off"))
        .merge(("shutdown.ctrlc", false))
        .merge(("port", port));
    thread::spawn(move || {
        rocket::execute(async {
            daemun::rocket(figment).launch().await.map(drop).map_err(Box::new)
        })
    });
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(eventually(PATIENCE, listens), "Rocket serves");
    port
}

#[test]
fn our_listener_answers_as_rockets() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = rockets_own(folder.path());
    let server = site().with("ROCKET_SECRET_KEY", SECRET).serves();

    let mut different = Vec::new();
    for (what, request) in heads().into_iter().chain(bodies()) {
        let (rockets, ours) = (raw(own, &request), raw(server.port, &request));
        let (rockets, ours) = (comparable(&rockets), comparable(&ours));
        if rockets != ours {
            different.push(format!("{what}\n--- Rocket's\n{rockets}\n--- ours\n{ours}\n"));
        }
    }

    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

#[test]
fn an_unknown_method_is_not_a_bad_request() {
    let server = site().serves();
    let host = format!("Host: localhost:{}\r\nConnection: close\r\n", server.port);
    for (method, path) in [("BREW", "/account/login"), ("PROPFIND", "/"), ("get", "/")] {
        let request = format!("{method} {path} HTTP/1.1\r\n{host}\r\n");
        let answer = HttpResponse::read(server.hears(request.as_bytes()).expect("listens"));
        let answer = answer.expect("an answer");

        assert_eq!(answer.status, 501, "{method}");
        assert!(answer.text.contains("<h1>"), "a page: {}", answer.text);
        assert!(answer.header("content-security-policy").is_some(), "with the headers of all");
    }
    let request = format!("BREW /api/token HTTP/1.1\r\n{host}\r\n");
    let answer =
        HttpResponse::read(server.hears(request.as_bytes()).expect("listens")).expect("answers");
    assert_eq!(answer.status, 501);
    assert!(answer.text.contains(r#""code":"method_not_implemented""#), "{}", answer.text);
}

#[test]
fn malformed_requests_and_bodies_are_bad_requests() {
    let server = site().serves();
    let host = format!("Host: localhost:{}\r\nConnection: close\r\n", server.port);
    for request in [
        format!("CONNECT example.com:443 HTTP/1.1\r\n{host}\r\n"),
        format!(
            "POST /account/login HTTP/1.1\r\n{host}Content-Type: application/x-www-form-urlencoded\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\nzz\r\n"
        ),
    ] {
        let answer = HttpResponse::read(server.hears(request.as_bytes()).expect("it listens"));
        let answer = answer.expect("an answer");

        assert_eq!(answer.status, 400, "{request}: {}", answer.text);
        assert!(answer.header("content-security-policy").is_some(), "with the headers of all");
    }
    let request = "TRACE / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(server.answers(request.as_bytes()), Some(421), "refused whatever the method");
}

#[test]
fn a_cookie_that_is_not_utf8_does_not_hide_ours() {
    let server = site().serves();
    let mut ada = server.visitor();
    assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
    let ours = ada.head("GET", "/account/mypage", 0);
    let (first, rest) = ours.split_once("Cookie: ").expect("it is signed in");
    let mut request = first.as_bytes().to_vec();
    request.extend(b"Cookie: theirs=\xff\xfe; ");
    // Another site on this host has a cookie of the same name, which the browser sends last.
    let (cookies, rest) = rest.split_once("\r\n").expect("a line");
    request.extend(format!("{cookies}; access=a.b.c\r\n{rest}").as_bytes());

    let answer =
        HttpResponse::read(server.hears(&request).expect("it listens")).expect("an answer");

    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[test]
fn a_header_that_is_not_utf8_is_not_ignored() {
    let sandbox = site().with("ROCKET_TRUSTED_PROXIES", "127.0.0.1");
    let server = sandbox.serves();
    // A proxy that adds the client's address to what the client sent.
    let from = |email: &str, headers: &[u8]| {
        let mut stranger = server.visitor();
        let token = stranger.token();
        let fields =
            [("csrf", token.as_str()), ("email", email), ("password1", GOOD), ("password2", GOOD)];
        let body = crate::support::browser::encode(&fields);
        let head = stranger.head("POST", "/account/join", body.len());
        let (first, rest) = head.split_once("\r\n").expect("a line");
        let request = [first.as_bytes(), b"\r\n", headers, rest.as_bytes(), &body].concat();
        let answer = HttpResponse::read(server.hears(&request).expect("it listens"));
        assert_eq!(answer.expect("an answer").status, 303);
    };

    from("ada@example.com", b"X-Forwarded-For: \xff, 203.0.113.5\r\n");
    from("bob@example.com", b"X-Forwarded-For: \xff, 203.0.113.5\r\nForwarded: for=9.9.9.9\r\n");

    let sql = "SELECT ip FROM audit_events WHERE action = 'signup' ORDER BY id";
    assert_eq!(ask(&sandbox.database(), sql), ["203.0.113.5", "127.0.0.1"]);
}

#[test]
fn a_request_is_finished_after_its_client_left() {
    let sandbox = site();
    let server = sandbox.serves();
    let mut stranger = server.visitor();
    let token = stranger.token();
    let fields = [
        ("csrf", token.as_str()),
        ("email", "ada@example.com"),
        ("password1", GOOD),
        ("password2", GOOD),
    ];
    let body = crate::support::browser::encode(&fields);
    let head = stranger.head("POST", "/account/join", body.len());
    let head = head.replacen("\r\n", "\r\nExpect: 100-continue\r\n", 1);
    let mut connection = server.hears(head.as_bytes()).expect("it listens");
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).expect("it begins to read");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(&body).expect("it reads");

    drop(connection);

    let joined = || ask(&sandbox.database(), "SELECT email FROM users") == ["ada@example.com"];
    assert!(eventually(PATIENCE, joined));
}

/// Whether the other end has closed a connection; whatever it says before is read.
pub(crate) fn is_closed(connection: &mut TcpStream) -> bool {
    connection.set_nonblocking(true).expect("a socket");
    let mut bytes = [0; 4096];
    loop {
        match connection.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// Asserts that pages come as quickly as on an idle server.
pub(crate) fn others_are_served(server: &Server, address: [u8; 4]) {
    let request = format!(
        "GET /account/login HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
        server.port
    );
    for _ in 0..10 {
        let asked = Instant::now();
        let connection =
            server.connect_and_send_from(address, request.as_bytes()).expect("it listens");
        let answer = HttpResponse::read(connection).expect("an answer");
        assert_eq!(answer.status, 200);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
}
