//! The program's own listener: it answers as Rocket's does, and
//! slow clients keep no other client waiting.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::GOOD;
use crate::support::process::{
    Answer, Machine, PATIENCE, Remote, Server, ask, eventually, free_port,
};

/// How long a head or a form may take; the same as in the program.
const DEADLINE: Duration = Duration::from_secs(10);

/// More than that, on a machine that does other things at the same time.
const LATE: Duration = Duration::from_secs(25);

/// Much longer than any page takes, much shorter than any deadline of the server.
const SOON: Duration = Duration::from_secs(5);

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn site() -> Machine {
    Machine::new().in_a_hurry().with_a_name()
}

// Both ways answer alike.

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
fn raw(port: u16, request: &str) -> Vec<u8> {
    let own = format!("localhost:{port}");
    let bytes: Vec<u8> = request
        .replace("OWN", &own)
        .chars()
        .map(|char| u8::try_from(char).expect("Latin-1"))
        .collect();
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut told = Vec::new();
    // A server that refuses may not read to the end.
    let _ = connection.write_all(&bytes);
    let _ = connection.read_to_end(&mut told);
    told
}

/// The same without what differs from one answer to the next: instants, numbers of requests, tokens.
fn comparable(told: &[u8]) -> String {
    let text = String::from_utf8_lossy(told);
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
fn both_servers_answer_alike() {
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
fn a_method_that_we_do_not_know_is_no_bad_request() {
    let server = site().serves();
    let host = format!("Host: localhost:{}\r\nConnection: close\r\n", server.port);
    for (method, path) in [("BREW", "/account/login"), ("PROPFIND", "/"), ("get", "/")] {
        let request = format!("{method} {path} HTTP/1.1\r\n{host}\r\n");
        let answer = Answer::read(server.hears(request.as_bytes()).expect("listens"));
        let answer = answer.expect("an answer");

        assert_eq!(answer.status, 501, "{method}");
        assert!(answer.text.contains("<h1>"), "a page: {}", answer.text);
        assert!(answer.header("content-security-policy").is_some(), "with the headers of all");
    }
    let request = format!("BREW /api/token HTTP/1.1\r\n{host}\r\n");
    let answer = Answer::read(server.hears(request.as_bytes()).expect("listens")).expect("answers");
    assert_eq!(answer.status, 501);
    assert!(answer.text.contains(r#""code":"method_not_implemented""#), "{}", answer.text);
}

#[test]
fn what_is_no_request_for_us_and_a_body_that_breaks_are_bad_requests() {
    let server = site().serves();
    let host = format!("Host: localhost:{}\r\nConnection: close\r\n", server.port);
    for request in [
        format!("CONNECT example.com:443 HTTP/1.1\r\n{host}\r\n"),
        format!(
            "POST /account/login HTTP/1.1\r\n{host}Content-Type: application/x-www-form-urlencoded\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\nzz\r\n"
        ),
    ] {
        let answer = Answer::read(server.hears(request.as_bytes()).expect("it listens"));
        let answer = answer.expect("an answer");

        assert_eq!(answer.status, 400, "{request}: {}", answer.text);
        assert!(answer.header("content-security-policy").is_some(), "with the headers of all");
    }
    let request = "TRACE / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(server.answers(request.as_bytes()), Some(421), "refused whatever the method");
}

#[test]
fn a_cookie_that_is_no_text_does_not_take_ours_with_it() {
    let server = site().serves();
    let mut ada = server.visitor();
    assert_eq!(ada.joins("ada@example.com", GOOD).status, 303);
    let ours = ada.head("GET", "/account/mypage", 0);
    let (first, rest) = ours.split_once("Cookie: ").expect("it is signed in");
    let mut request = first.as_bytes().to_vec();
    request.extend(b"Cookie: theirs=\xff\xfe; ");
    // Another site on this host has a cookie of the same name, which the browser sends last.
    let (cookies, rest) = rest.split_once("\r\n").expect("a line");
    request.extend(format!("{cookies}; access=a.b.c\r\n{rest}").as_bytes());

    let answer = Answer::read(server.hears(&request).expect("it listens")).expect("an answer");

    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[test]
fn a_header_that_is_no_text_is_not_overlooked() {
    let machine = site().with("ROCKET_TRUSTED_PROXIES", "127.0.0.1");
    let server = machine.serves();
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
        let answer = Answer::read(server.hears(&request).expect("it listens"));
        assert_eq!(answer.expect("an answer").status, 303);
    };

    from("ada@example.com", b"X-Forwarded-For: \xff, 203.0.113.5\r\n");
    from("bob@example.com", b"X-Forwarded-For: \xff, 203.0.113.5\r\nForwarded: for=9.9.9.9\r\n");

    let sql = "SELECT ip FROM audit_events WHERE action = 'signup' ORDER BY id";
    assert_eq!(ask(&machine.database(), sql), ["203.0.113.5", "127.0.0.1"]);
}

#[test]
fn what_has_been_sent_is_done_also_when_its_sender_goes_away() {
    let machine = site();
    let server = machine.serves();
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

    let joined = || ask(&machine.database(), "SELECT email FROM users") == ["ada@example.com"];
    assert!(eventually(PATIENCE, joined));
}

// Large bodies.

/// A superuser's browser.
fn root(machine: &Machine, server: &Server) -> Remote {
    let made = machine.runs_with(&["createsuperuser", "--email", "root@example.com"], GOOD);
    assert_eq!(made.code(), Some(0), "{made:?}");
    let mut root = server.visitor();
    assert_eq!(root.logs_in("root@example.com", GOOD).status, 303);
    root
}

/// The request with a list of people, and its body.
fn upload(server: &Server, root: &mut Remote, lines: usize) -> (String, Vec<u8>) {
    use std::fmt::Write as _;

    let token = root.token();
    let mut body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n\
         --edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"people.csv\"\r\n\
         Content-Type: text/csv\r\n\r\nemail,name\r\n"
    );
    for number in 0..lines {
        let line = writeln!(body, "person{number}@example.com,A name of some length\r");
        line.expect("a text takes every line");
    }
    body += "\r\n--edge--\r\n";
    let head = root.head("POST", "/admin/users/import", body.len());
    let head =
        head.replace("application/x-www-form-urlencoded", "multipart/form-data; boundary=edge");
    assert!(head.contains(&format!("Host: localhost:{}", server.port)));
    (head, body.into_bytes())
}

#[test]
fn a_list_of_many_people_arrives_whole() {
    let machine = site();
    let server = machine.serves();
    let mut root = root(&machine, &server);
    let (head, body) = upload(&server, &mut root, 5000);
    assert!(body.len() > 200_000);
    let mut connection = server.hears(head.as_bytes()).expect("it listens");
    connection.write_all(&body).expect("it reads");

    let answer = Answer::read(connection).expect("an answer");

    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.replace(',', "").contains("5000 people"), "{}", answer.text);
}

#[test]
fn a_client_that_sends_too_much_is_told_so_while_sending() {
    let machine = site();
    let server = machine.serves();
    let mut root = root(&machine, &server);
    let (head, body) = upload(&server, &mut root, 150_000);
    assert!(body.len() > 5 << 20);

    for times in 0..5 {
        let mut connection = server.hears(head.as_bytes()).expect("it listens");
        // A browser looks for the answer only when everything is sent.
        connection.write_all(&body).unwrap_or_else(|error| panic!("{times}: {error}"));
        let answer = Answer::read(connection).expect("an answer");
        assert_eq!(answer.status, 413, "{}", answer.text);
        assert!(answer.text.contains("<h1>"), "{}", answer.text);
    }
}

#[test]
fn the_list_of_a_visitor_is_not_even_read() {
    let server = site().serves();
    let head = server.visitor().head("POST", "/admin/users/import", 4 << 20);
    let head = head.replace("application/x-www-form-urlencoded", "multipart/form-data; boundary=e");
    let connection = server.hears(head.as_bytes()).expect("it listens");
    let asked = Instant::now();

    let answer = Answer::read(connection).expect("an answer");

    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(asked.elapsed() < DEADLINE / 2, "{:?}", asked.elapsed());
}

// Slow clients.

/// Whether the other end has closed a connection; whatever it says before is read.
fn is_closed(connection: &mut TcpStream) -> bool {
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

#[test]
fn a_client_that_sends_no_head_is_not_waited_for() {
    let server = site().serves();
    let begun = Instant::now();
    let hears = |bytes: &[u8], count: usize| -> Vec<TcpStream> {
        (0..count).map(|_| server.hears(bytes).expect("it listens")).collect()
    };
    let mut slow = hears(b"", 50);
    slow.extend(hears(b"GET / HTTP/1.1\r\nHost: loc", 50));
    slow.extend(hears(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 50));
    let mut writers: Vec<_> = hears(b"GET / HTTP/1.1\r\n", 20);

    assert!(!slow.iter_mut().any(is_closed), "each has some time");
    let all_closed = eventually(LATE, || {
        for writer in &mut writers {
            let _ = writer.write_all(b"a");
        }
        slow.iter_mut().chain(&mut writers).all(is_closed)
    });

    let took = begun.elapsed();
    assert!(all_closed && (DEADLINE..LATE).contains(&took), "{took:?}");
}

#[test]
fn a_form_of_which_nothing_comes_is_answered() {
    let server = site().serves();
    let head = server.visitor().head("POST", "/account/login", 1000);
    let begun = Instant::now();
    let silent = server.hears(head.as_bytes()).expect("it listens");
    let half = server.hears(format!("{head}ema").as_bytes()).expect("it listens");

    for connection in [silent, half] {
        let answer = Answer::read(connection).expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
        assert!(answer.text.contains("<h1>"), "a page of the site: {}", answer.text);
    }
    let took = begun.elapsed();
    assert!(took < LATE, "{took:?}");
}

/// Asserts that pages come as quickly as on an idle server.
fn others_are_served(server: &Server, address: [u8; 4]) {
    let request = format!(
        "GET /account/login HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
        server.port
    );
    for _ in 0..10 {
        let asked = Instant::now();
        let connection = server.hears_from(address, request.as_bytes()).expect("it listens");
        let answer = Answer::read(connection).expect("an answer");
        assert_eq!(answer.status, 200);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
}

#[test]
fn a_thousand_half_open_connections_keep_no_client_out() {
    let server = site().serves();
    let head = server.visitor().head("POST", "/account/login", 1000);
    let before = server.open_files().unwrap_or_default();
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(server.hears(b"GET / HTTP/1.1\r\nHost: loc"));
        crowd.push(server.hears(format!("{head}email=ada").as_bytes()));
        crowd.push(server.hears(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }

    others_are_served(&server, [127, 0, 0, 1]);
    others_are_served(&server, [127, 0, 0, 2]);

    let now = server.open_files().unwrap_or_default();
    assert!(now < before + 300, "{before} files, then {now}: 256 of one network may stay");
    let mut first = crowd.swap_remove(0).expect("it was let in");
    assert!(eventually(SOON, || is_closed(&mut first)), "the first has had its time");
}

#[test]
fn connections_from_many_networks_keep_no_client_out_where_files_are_few() {
    let server = site().serves_with_files(160);
    let mut crowd = Vec::new();
    for number in 0..400_u16 {
        let [high, low] = number.to_be_bytes();
        crowd.push(server.hears_from([127, 1, high, low], b"GET / HTTP/1.1\r\nHost: loc"));
    }

    others_are_served(&server, [127, 0, 0, 1]);

    let mut ada = server.visitor();
    assert_eq!(ada.joins("ada@example.com", GOOD).status, 303, "the database has files left");
    assert!(ada.is_signed_in());
}

#[test]
fn a_proxy_has_as_many_connections_as_it_likes() {
    let server = site().with("ROCKET_TRUSTED_PROXIES", "127.0.0.1").serves();
    let idle = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut pool: Vec<_> = (0..400).map(|_| server.hears(idle).expect("it listens")).collect();

    others_are_served(&server, [127, 0, 0, 1]);
    others_are_served(&server, [127, 0, 0, 2]);

    assert!(!pool.iter_mut().any(is_closed));
}

// Other sockets.

/// Asks for a path over a Unix socket.
fn asks_over(socket: &Path, path: &str, headers: &str) -> io::Result<Answer> {
    let mut connection = UnixStream::connect(socket)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    connection.write_all(head.as_bytes())?;
    Answer::read(connection)
}

#[test]
fn the_program_listens_on_a_unix_socket_and_takes_the_place_of_one_that_died() {
    let machine = site();
    let socket = machine.path("daemun.sock");
    let machine = machine.with("ROCKET_UNIX_SOCKET", socket.display());
    machine.serves().dies();
    assert!(socket.exists(), "it had no time to remove the file");

    let server = machine.serves();

    assert_eq!(asks_over(&socket, "/health/live", "").expect("an answer").status, 200);
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert!(server.is_closed(), "no port is open");
    let second = machine.runs(&["serve"]);
    assert_eq!(second.code(), Some(1));
    assert!(second.complaint().contains("daemun.sock"), "{second:?}");
    assert_eq!(asks_over(&socket, "/health/live", "").expect("an answer").status, 200);
    assert_eq!(server.stops().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_proxy_on_a_unix_socket_is_believed_about_the_address() {
    let machine = site();
    let socket = machine.path("daemun.sock");
    let machine = machine.with("ROCKET_UNIX_SOCKET", socket.display());
    let server = machine.with("ROCKET_TRUSTED_PROXIES", "127.0.0.1").serves();
    let joins = |email: &str, forwarded: &str| {
        let page = asks_over(&socket, "/account/join", "").expect("a page");
        let visitor = page.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let token = page.token().expect("a form");
        let fields =
            [("csrf", token.as_str()), ("email", email), ("password1", GOOD), ("password2", GOOD)];
        let body = crate::support::browser::encode(&fields);
        let mut connection = UnixStream::connect(&socket).expect("it listens");
        let head = format!(
            "POST /account/join HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{forwarded}\
             Cookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n",
            visitor.unwrap_or_default(),
            body.len()
        );
        connection.write_all(&[head.as_bytes(), &body].concat()).expect("it listens");
        assert_eq!(Answer::read(connection).expect("an answer").status, 303);
    };

    joins("ada@example.com", "X-Forwarded-For: 192.0.2.7\r\n");
    joins("bob@example.com", "X-Forwarded-For: 192.0.2.8, 127.0.0.1\r\n");
    joins("eve@example.com", "");

    let seen =
        ask(&machine.database(), "SELECT ip FROM audit_events WHERE action = 'signup' ORDER BY id");
    assert_eq!(seen, ["192.0.2.7", "192.0.2.8", "127.0.0.1"]);
    assert_eq!(server.stops().code(), Some(0));
}

#[test]
fn the_program_takes_a_socket_that_is_open_already() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = tcp.local_addr().expect("an address").port();
    let server = site().serves_on(tcp);
    let request = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    assert!(raw(port, &request).starts_with(b"HTTP/1.1 200"));
    assert_eq!(server.stops().code(), Some(0));

    let machine = site();
    let socket = machine.path("daemun.sock");
    let server = machine.serves_on(UnixListener::bind(&socket).expect("a socket"));
    assert_eq!(asks_over(&socket, "/health/live", "").expect("an answer").status, 200);
    assert_eq!(server.stops().code(), Some(0));
    assert!(socket.exists(), "its file is systemd's");
}

// Stopping.

/// Asks for a page again and again on one connection; tells how many answers were whole when the
/// connection ended.
fn asks_on(port: u16) -> (usize, bool) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!("GET /account/login HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    let mut answers = 0;
    let mut told: Vec<u8> = Vec::new();
    let mut bytes = [0; 16 << 10];
    loop {
        if connection.write_all(request.as_bytes()).is_err() {
            return (answers, true);
        }
        loop {
            match connection.read(&mut bytes) {
                Ok(length @ 1..) => told.extend_from_slice(&bytes[..length]),
                // An answer that has begun must be whole.
                _ => return (answers, told.is_empty()),
            }
            if is_whole(&told) {
                answers += 1;
                told.clear();
                break;
            }
        }
    }
}

fn is_whole(told: &[u8]) -> bool {
    let text = String::from_utf8_lossy(told);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
    told.len() >= head.len() + 4 + length
}

#[test]
fn a_server_that_is_asked_to_stop_is_gone_with_its_last_answer() {
    let server = site().serves();
    let port = server.port;
    let crowd: Vec<_> = (0..8).map(|_| thread::spawn(move || asks_on(port))).collect();
    let idle = server.hears(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let nothing = server.hears(b"");
    others_are_served(&server, [127, 0, 0, 1]);

    let asked = Instant::now();
    let said = server.stops();

    let took = asked.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!((said.code(), said.complaints()), (Some(0), vec![]), "{said:#?}");
    for asker in crowd {
        let (answers, was_whole) = asker.join().expect("no panic");
        assert!(answers > 0 && was_whole, "{answers} answers, the last one whole: {was_whole}");
    }
    drop((idle, nothing));
}

#[test]
fn half_a_request_is_waited_for_five_seconds_when_the_server_stops() {
    let server = site().serves();
    let half_a_head = server.hears(b"GET /account/login HTTP/1.1\r\nHost: loc").expect("listens");
    let head = server.visitor().head("POST", "/account/login", 1000);
    let half_a_form = server.hears(format!("{head}email=").as_bytes()).expect("it listens");
    let mut finished = server.hears(b"GET /account/login HTTP/1.1\r\nHost: loc").expect("listens");
    others_are_served(&server, [127, 0, 0, 1]);

    let asked = Instant::now();
    server.is_asked_to_stop("TERM");
    assert!(eventually(PATIENCE, || server.is_closed()), "no new connection is accepted");
    finished.write_all(b"alhost\r\n\r\n").expect("it is waited for");
    let answer = Answer::read(finished).expect("a whole answer");
    let said = server.ends();

    let took = asked.elapsed();
    assert_eq!(answer.status, 200);
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&took), "{took:?}");
    assert_eq!((said.code(), said.complaints()), (Some(0), vec![]), "{said:#?}");
    drop((half_a_head, half_a_form));
}
