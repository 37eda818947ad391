//! The listener bounds bodies, waiting and connections, so that slow clients delay no other.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::ops::listener::{SOON, is_closed, others_are_served, site};
use crate::support::GOOD;
use crate::support::process::{HttpResponse, PATIENCE, RemoteBrowser, Sandbox, Server, eventually};

/// How long a head or a form may take; the same as in the program.
const DEADLINE: Duration = Duration::from_secs(10);

/// More than that, on a machine that does other things at the same time.
const LATE: Duration = Duration::from_secs(25);

/// A superuser's browser.
fn root(sandbox: &Sandbox, server: &Server) -> RemoteBrowser {
    let made = sandbox.runs_with(&["createsuperuser", "--email", "root@example.com"], GOOD);
    assert_eq!(made.code(), Some(0), "{made:?}");
    let mut root = server.visitor();
    assert_eq!(root.logs_in("root@example.com", GOOD).status, 303);
    root
}

/// The request with a list of users, and its body.
fn upload(server: &Server, root: &mut RemoteBrowser, lines: usize) -> (String, Vec<u8>) {
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
fn an_import_of_many_users_arrives_whole() {
    let sandbox = site();
    let server = sandbox.serves();
    let mut root = root(&sandbox, &server);
    let (head, body) = upload(&server, &mut root, 5000);
    assert!(body.len() > 200_000);
    let mut connection = server.hears(head.as_bytes()).expect("it listens");
    connection.write_all(&body).expect("it reads");

    let answer = HttpResponse::read(connection).expect("an answer");

    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.replace(',', "").contains("5000 users"), "{}", answer.text);
}

#[test]
fn an_oversized_request_is_refused_while_sending() {
    let sandbox = site();
    let server = sandbox.serves();
    let mut root = root(&sandbox, &server);
    let (head, body) = upload(&server, &mut root, 150_000);
    assert!(body.len() > 5 << 20);

    for times in 0..5 {
        let mut connection = server.hears(head.as_bytes()).expect("it listens");
        // A browser looks for the answer only when everything is sent.
        connection.write_all(&body).unwrap_or_else(|error| panic!("{times}: {error}"));
        let answer = HttpResponse::read(connection).expect("an answer");
        assert_eq!(answer.status, 413, "{}", answer.text);
        assert!(answer.text.contains("<h1>"), "{}", answer.text);
    }
}

#[test]
fn an_upload_of_a_visitor_is_not_read() {
    let server = site().serves();
    let head = server.visitor().head("POST", "/admin/users/import", 4 << 20);
    let head = head.replace("application/x-www-form-urlencoded", "multipart/form-data; boundary=e");
    let connection = server.hears(head.as_bytes()).expect("it listens");
    let asked = Instant::now();

    let answer = HttpResponse::read(connection).expect("an answer");

    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(asked.elapsed() < DEADLINE / 2, "{:?}", asked.elapsed());
}

#[test]
fn a_client_that_sends_no_head_is_dropped() {
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
fn a_form_without_a_body_is_answered() {
    let server = site().serves();
    let head = server.visitor().head("POST", "/account/login", 1000);
    let begun = Instant::now();
    let silent = server.hears(head.as_bytes()).expect("it listens");
    let half = server.hears(format!("{head}ema").as_bytes()).expect("it listens");

    for connection in [silent, half] {
        let answer = HttpResponse::read(connection).expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
        assert!(answer.text.contains("<h1>"), "a page of the site: {}", answer.text);
    }
    let took = begun.elapsed();
    assert!(took < LATE, "{took:?}");
}

#[test]
fn a_thousand_idle_connections_block_no_client() {
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
fn connections_from_many_networks_block_no_client() {
    let server = site().serves_with_files(160);
    let mut crowd = Vec::new();
    for number in 0..400_u16 {
        let [high, low] = number.to_be_bytes();
        crowd.push(
            server.connect_and_send_from([127, 1, high, low], b"GET / HTTP/1.1\r\nHost: loc"),
        );
    }

    others_are_served(&server, [127, 0, 0, 1]);

    let mut ada = server.visitor();
    assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303, "the database has files left");
    assert!(ada.is_signed_in());
}

#[test]
fn a_proxy_may_open_any_number_of_connections() {
    let server = site().with("ROCKET_TRUSTED_PROXIES", "127.0.0.1").serves();
    let idle = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut pool: Vec<_> = (0..400).map(|_| server.hears(idle).expect("it listens")).collect();

    others_are_served(&server, [127, 0, 0, 1]);
    others_are_served(&server, [127, 0, 0, 2]);

    assert!(!pool.iter_mut().any(is_closed));
}

#[test]
fn a_stopping_server_waits_five_seconds_for_a_request() {
    let server = site().serves();
    let half_a_head = server.hears(b"GET /account/login HTTP/1.1\r\nHost: loc").expect("listens");
    let head = server.visitor().head("POST", "/account/login", 1000);
    let half_a_form = server.hears(format!("{head}email=").as_bytes()).expect("it listens");
    let mut finished = server.hears(b"GET /account/login HTTP/1.1\r\nHost: loc").expect("listens");
    others_are_served(&server, [127, 0, 0, 1]);

    let asked = Instant::now();
    server.send_signal("TERM");
    assert!(eventually(PATIENCE, || server.is_closed()), "no new connection is accepted");
    finished.write_all(b"alhost\r\n\r\n").expect("it is waited for");
    let answer = HttpResponse::read(finished).expect("a whole answer");
    let said = server.ends();

    let took = asked.elapsed();
    assert_eq!(answer.status, 200);
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&took), "{took:?}");
    assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
    drop((half_a_head, half_a_form));
}
