//! Unix sockets, inherited sockets, and how the listener stops.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::ops::listener::{others_are_served, raw, site};
use crate::support::GOOD;
use crate::support::process::{HttpResponse, PATIENCE, ask};

/// Asks for a path over a Unix socket.
fn asks_over(socket: &Path, path: &str, headers: &str) -> io::Result<HttpResponse> {
    let mut connection = UnixStream::connect(socket)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    connection.write_all(head.as_bytes())?;
    HttpResponse::read(connection)
}

#[test]
fn the_server_replaces_a_stale_unix_socket() {
    let sandbox = site();
    let socket = sandbox.path("daemun.sock");
    let sandbox = sandbox.with("ROCKET_UNIX_SOCKET", socket.display());
    sandbox.serves().dies();
    assert!(socket.exists(), "it had no time to remove the file");

    let server = sandbox.serves();

    assert_eq!(asks_over(&socket, "/health/live", "").expect("an answer").status, 200);
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert!(server.is_closed(), "no port is open");
    let second = sandbox.runs(&["serve"]);
    assert_eq!(second.code(), Some(1));
    assert!(second.error_line().contains("daemun.sock"), "{second:?}");
    assert_eq!(asks_over(&socket, "/health/live", "").expect("an answer").status, 200);
    assert_eq!(server.stops().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_proxy_on_a_unix_socket_is_trusted_for_addresses() {
    let sandbox = site();
    let socket = sandbox.path("daemun.sock");
    let sandbox = sandbox.with("ROCKET_UNIX_SOCKET", socket.display());
    let server = sandbox.with("ROCKET_TRUSTED_PROXIES", "127.0.0.1").serves();
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
        assert_eq!(HttpResponse::read(connection).expect("an answer").status, 303);
    };

    joins("ada@example.com", "X-Forwarded-For: 192.0.2.7\r\n");
    joins("bob@example.com", "X-Forwarded-For: 192.0.2.8, 127.0.0.1\r\n");
    joins("eve@example.com", "");

    let seen =
        ask(&sandbox.database(), "SELECT ip FROM audit_events WHERE action = 'signup' ORDER BY id");
    assert_eq!(seen, ["192.0.2.7", "192.0.2.8", "127.0.0.1"]);
    assert_eq!(server.stops().code(), Some(0));
}

#[test]
fn the_server_accepts_an_inherited_socket() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = tcp.local_addr().expect("an address").port();
    let server = site().serves_on(tcp);
    let request = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    assert!(raw(port, &request).starts_with(b"HTTP/1.1 200"));
    assert_eq!(server.stops().code(), Some(0));

    let sandbox = site();
    let socket = sandbox.path("daemun.sock");
    let server = sandbox.serves_on(UnixListener::bind(&socket).expect("a socket"));
    assert_eq!(asks_over(&socket, "/health/live", "").expect("an answer").status, 200);
    assert_eq!(server.stops().code(), Some(0));
    assert!(socket.exists(), "its file is systemd's");
}

/// Asks for a page again and again on one connection; tells how many answers were whole when the
/// connection ended.
fn asks_on(port: u16) -> (usize, bool) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!("GET /account/login HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    let mut answers = 0;
    let mut received: Vec<u8> = Vec::new();
    let mut bytes = [0; 16 << 10];
    loop {
        if connection.write_all(request.as_bytes()).is_err() {
            return (answers, true);
        }
        loop {
            match connection.read(&mut bytes) {
                Ok(length @ 1..) => received.extend_from_slice(&bytes[..length]),
                // An answer that has begun must be whole.
                _ => return (answers, received.is_empty()),
            }
            if is_whole(&received) {
                answers += 1;
                received.clear();
                break;
            }
        }
    }
}

fn is_whole(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
    received.len() >= head.len() + 4 + length
}

#[test]
fn a_server_stops_after_its_last_response() {
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
    assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
    for asker in crowd {
        let (answers, was_whole) = asker.join().expect("no panic");
        assert!(answers > 0 && was_whole, "{answers} answers, the last one whole: {was_whole}");
    }
    drop((idle, nothing));
}
