//! The life of a server process: how it starts, what it survives, and how it stops.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Write as _};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::process::{
    Disk, HttpResponse, PATIENCE, RemoteBrowser, Sandbox, Server, ask, eventually, postgres,
};
use crate::support::{self, GOOD};

/// A site whose passwords are hashed at next to no cost.
pub(crate) fn site() -> Sandbox {
    Sandbox::new().with_cheap_hashing().with_a_name()
}

/// A moment within so many milliseconds.
fn a_moment(at_most: u64) -> Duration {
    Duration::from_millis(RandomState::new().hash_one(0) % at_most)
}

/// Each engine with its name and a fresh machine; PostgreSQL only where there is one.
fn on_each_engine(story: impl Fn(Sandbox, String)) {
    let sandbox = site();
    let database = sandbox.database();
    story(sandbox, database);
    if let Some(database) = postgres() {
        story(site().with("ROCKET_DATABASE_URL", &database), database);
    }
}

/// Nothing is half done: each user who signed up is in the audit log and signed in, and no one else is.
fn is_whole(database: &str) {
    for (sql, what) in [
        (
            "SELECT email FROM users WHERE id NOT IN \
             (SELECT target_id FROM audit_events WHERE action = 'signup')",
            "joined without a trace",
        ),
        (
            "SELECT CAST(target_id AS TEXT) FROM audit_events WHERE action = 'signup' \
             AND target_id NOT IN (SELECT id FROM users)",
            "left a trace and did not join",
        ),
        (
            "SELECT email FROM users WHERE id NOT IN (SELECT user_id FROM sessions)",
            "joined and was not signed in",
        ),
        (
            "SELECT CAST(target_id AS TEXT) FROM audit_events WHERE action = 'signup' \
             GROUP BY target_id HAVING COUNT(*) > 1",
            "joined twice",
        ),
        ("SELECT email FROM users WHERE password_hash IS NULL", "has no password"),
    ] {
        let found = ask(database, sql);
        assert!(found.is_empty(), "{what}: {found:?}");
    }
    if database.starts_with("sqlite") {
        assert_eq!(ask(database, "PRAGMA integrity_check"), ["ok"]);
    }
}

/// Signs up one user after the other, each from a client address of their own below `place`, until the server
/// is gone; returns those that the server acknowledged, and sends a signal for each. From one address it would be
/// refused as a crowd.
fn joins_until_it_dies(
    server: &RemoteBrowser,
    name: &str,
    place: &str,
    sender: &mpsc::Sender<()>,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut stranger = server.clone();
    let Ok(page) = stranger.tries("GET", "/", &[]) else { return acknowledged };
    let token = page.token().expect("every page has a form");
    for number in 0.. {
        let email = format!("{name}.{number}@example.com");
        let fields =
            [("csrf", token.as_str()), ("email", &email), ("password1", GOOD), ("password2", GOOD)];
        let address = format!("{place}.{}.{}", number / 250, number % 250);
        let mut stranger = stranger.clone().with("X-Forwarded-For", &address);
        match stranger.tries("POST", "/account/join", &fields) {
            Ok(answer) if answer.status == 303 => {
                acknowledged.push(email);
                // A client that waits may have received enough.
                let _ = sender.send(());
            }
            Ok(answer) => panic!("{}: {}", answer.status, answer.text),
            Err(_) => break,
        }
    }
    acknowledged
}

fn no_acknowledged_user_is_lost(sandbox: &Sandbox, database: &str, rounds: u32) {
    let sandbox = sandbox.with("ROCKET_TRUSTED_PROXIES", "127.0.0.1");
    let mut acknowledged: Vec<String> = Vec::new();
    let mut moments = Vec::new();
    for round in 0..rounds {
        let server = sandbox.serves();
        let moment = a_moment(400);
        moments.push(moment);
        let (sender, joined) = mpsc::channel();
        let crowd: Vec<_> = (0..3)
            .map(|client| {
                let (stranger, name) = (server.visitor(), format!("r{round}c{client}"));
                let (place, sender) = (format!("10.{}", round * 3 + client), sender.clone());
                thread::spawn(move || joins_until_it_dies(&stranger, &name, &place, &sender))
            })
            .collect();
        joined.recv_timeout(PATIENCE).expect("somebody joins");
        // The moment is what this story is about.
        thread::sleep(moment);
        server.dies();
        let mut joined = crowd.into_iter().flat_map(|it| it.join().expect("no panic"));
        let sample = joined.next();
        acknowledged.extend(sample.clone().into_iter().chain(joined));

        if let Some(email) = sample {
            let server = sandbox.serves();
            let mut browser = server.visitor().with("X-Forwarded-For", &format!("11.0.0.{round}"));
            assert_eq!(browser.logs_in(&email, GOOD).status, 303, "{email} after {moments:?}");
            assert!(browser.is_signed_in());
        }
    }

    let present = ask(database, "SELECT email FROM users");
    let lost: Vec<_> = acknowledged.iter().filter(|email| !present.contains(email)).collect();
    assert!(lost.is_empty(), "lost after {moments:?}: {lost:?}");
    assert!(acknowledged.len() >= rounds as usize, "they joined at all: {acknowledged:?}");
    is_whole(database);
}

#[test]
fn no_acknowledged_sign_up_is_lost_on_sqlite() {
    for _ in 0..support::rounds() {
        let sandbox = site();
        no_acknowledged_user_is_lost(&sandbox, &sandbox.database(), 12);
    }
}

#[test]
fn no_acknowledged_sign_up_is_lost_on_postgres() {
    for _ in 0..support::rounds() {
        let Some(database) = postgres() else { return };
        let sandbox = site().with("ROCKET_DATABASE_URL", &database);
        no_acknowledged_user_is_lost(&sandbox, &database, 4);
    }
}

#[test]
fn a_server_killed_while_starting_starts_again() {
    let mut moments = Vec::new();
    for _ in 0..20 {
        let sandbox = site();
        for _ in 0..2 {
            let starting = sandbox.starts_serving();
            let moment = a_moment(70);
            moments.push(moment);
            // The moment is what this story is about.
            thread::sleep(moment);
            starting.running.dies();
        }

        let said = sandbox.runs(&["migrate"]);

        assert_eq!(said.code(), Some(0), "killed after {moments:?}: {said:#?}");
        assert_eq!(ask(&sandbox.database(), "PRAGMA integrity_check"), ["ok"]);
        assert_eq!(ask(&sandbox.database(), "SELECT id FROM signing_keys").len(), 1);
    }
}

#[test]
fn a_killed_server_restarts_with_its_sessions() {
    on_each_engine(|sandbox, _| {
        let server = sandbox.serves();
        let mut ada = server.visitor();
        assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
        server.dies();

        let started = Instant::now();
        let server = sandbox.serves();

        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        assert!(ada.on(&server).is_signed_in());
    });
}

/// What a server says when it begins to read a body that asks whether it will (RFC 9110, 10.1.1).
const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A form that the server is reading, and whose first half is on its way.
pub(crate) fn half_sent(
    server: &Server,
    path: &str,
    fields: &[(&str, &str)],
) -> (std::net::TcpStream, Vec<u8>) {
    let mut browser = server.visitor();
    let token = browser.token();
    let body = crate::support::browser::encode(&[&[("csrf", token.as_str())], fields].concat());
    let head = browser.head("POST", path, body.len());
    let head = head.replacen("\r\n", "\r\nExpect: 100-continue\r\n", 1);
    let mut connection = server.hears(head.as_bytes()).expect("it listens");
    let mut said = vec![0; GO_ON.len()];
    connection.read_exact(&mut said).expect("it begins to read");
    assert_eq!(said, GO_ON, "{}", String::from_utf8_lossy(&said));
    let (now, later) = body.split_at(body.len() / 2);
    connection.write_all(now).expect("it reads");
    (connection, later.to_vec())
}

#[test]
fn a_stopping_server_answers_requests_under_way() {
    on_each_engine(|sandbox, database| {
        for signal in ["TERM", "INT"] {
            let server = sandbox.serves();
            let email = format!("{signal}@example.com").to_lowercase();
            let fields = [("email", email.as_str()), ("password1", GOOD), ("password2", GOOD)];
            let (mut connection, rest) = half_sent(&server, "/account/join", &fields);
            server.send_signal(signal);
            assert!(eventually(PATIENCE, || server.is_closed()), "nobody new is let in");
            connection.write_all(&rest).expect("it still listens");
            let answer = HttpResponse::read(connection).expect("a whole answer");

            assert_eq!(answer.status, 303, "{}", answer.text);
            let said = server.ends();
            assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
            let joined = format!("SELECT email FROM users WHERE email = '{email}'");
            assert_eq!(ask(&database, &joined), [email]);
        }
        is_whole(&database);
    });
}

#[test]
fn a_stopping_server_loses_no_request_under_load() {
    on_each_engine(|sandbox, database| {
        let server = sandbox.with("ROCKET_TRUSTED_PROXIES", "127.0.0.1").serves();
        let (sender, joined) = mpsc::channel();
        let crowd: Vec<_> = (0..4)
            .map(|client| {
                let (stranger, name) = (server.visitor(), format!("c{client}"));
                let (place, sender) = (format!("10.{client}"), sender.clone());
                thread::spawn(move || joins_until_it_dies(&stranger, &name, &place, &sender))
            })
            .collect();
        for _ in 0..10 {
            joined.recv_timeout(PATIENCE).expect("somebody joins");
        }

        let said = server.stops();

        assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
        let acknowledged = crowd.into_iter().flat_map(|it| it.join().expect("no panic"));
        let present = ask(&database, "SELECT email FROM users");
        let lost: Vec<_> = acknowledged.filter(|email| !present.contains(email)).collect();
        assert!(lost.is_empty(), "{lost:?}");
        is_whole(&database);
    });
}

#[test]
fn a_restart_keeps_the_sessions() {
    on_each_engine(|sandbox, _| {
        let server = sandbox.serves();
        let mut ada = server.visitor();
        assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
        let mut bob = server.visitor();
        assert_eq!(bob.signs_up("bob@example.com", GOOD).status, 303);
        assert_eq!(bob.clone().submits("/account/logout", &[]).status, 303);
        assert_eq!(server.stops().code(), Some(0));

        let server = sandbox.serves();

        assert!(ada.on(&server).is_signed_in());
        assert!(!bob.on(&server).is_signed_in(), "who had logged out stays out");
    });
}

#[test]
fn no_client_can_prevent_stopping() {
    let server = site().serves();
    let nothing = server.hears(b"").expect("it listens");
    let half_a_head = server.hears(b"GET / HTTP/1.1\r\nHost: loc").expect("it listens");
    let head = server.visitor().head("POST", "/account/login", 1000);
    let no_body = server.hears(head.as_bytes()).expect("it listens");
    let half_a_body = server.hears(format!("{head}email=ada%40example.com").as_bytes());
    let idle = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let idle = server.hears(idle).expect("it listens");
    assert_eq!(server.visitor().get("/").status, 200);

    let asked = Instant::now();
    let said = server.stops();

    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
    drop((nothing, half_a_head, no_body, half_a_body, idle));
}

#[test]
fn a_cleanly_closed_database_is_one_file() {
    let sandbox = site();
    let server = sandbox.serves();
    assert_eq!(server.visitor().signs_up("ada@example.com", GOOD).status, 303);
    assert!(sandbox.path("data/daemun.db-wal").exists());

    assert_eq!(server.stops().code(), Some(0));

    assert!(!sandbox.path("data/daemun.db-wal").exists(), "a copy of the file is a copy of it all");
}

#[test]
fn nodes_starting_on_an_empty_database_serve_the_same_users() {
    for _ in 0..3 {
        let Some(database) = postgres() else { return };
        let node = || {
            site()
                .with("ROCKET_DATABASE_URL", &database)
                .with("ROCKET_SECRET_KEY", "0123456789abcdef".repeat(4))
                .starts_serving()
        };
        let starting = [node(), node(), node()];

        let nodes =
            starting.map(|it| it.wait_until_ready().unwrap_or_else(|said| panic!("{said:#?}")));

        for node in &nodes {
            assert_eq!(node.visitor().get("/health/ready").status, 200);
        }
        let mut ada = nodes[0].visitor();
        assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
        assert!(ada.on(&nodes[1]).is_signed_in());
        assert_eq!(nodes[2].visitor().logs_in("ada@example.com", GOOD).status, 303);
        assert_eq!(ask(&database, "SELECT id FROM signing_keys").len(), 1);
    }
}

#[test]
fn two_servers_on_one_file_serve_the_same_users() {
    let sandbox = site();
    let starting = [sandbox.starts_serving(), sandbox.starts_serving()];

    let servers =
        starting.map(|it| it.wait_until_ready().unwrap_or_else(|said| panic!("{said:#?}")));

    let joined = Mutex::new(0);
    thread::scope(|scope| {
        for (number, server) in servers.iter().enumerate() {
            let joined = &joined;
            scope.spawn(move || {
                for count in 0..10 {
                    let email = format!("s{number}n{count}@example.com");
                    assert_eq!(server.visitor().signs_up(&email, GOOD).status, 303);
                    *joined.lock().expect("no panic") += 1;
                }
            });
        }
    });
    assert_eq!(joined.into_inner().expect("no panic"), 20);
    assert_eq!(servers[0].visitor().logs_in("s1n9@example.com", GOOD).status, 303);
    is_whole(&sandbox.database());
}

#[test]
fn many_sign_ups_at_the_same_moment_succeed() {
    on_each_engine(|sandbox, database| {
        let nodes = [sandbox.serves(), sandbox.serves()];
        let refused = Mutex::new(Vec::new());

        thread::scope(|scope| {
            for client in 0..8 {
                let (node, refused) = (&nodes[client % 2], &refused);
                scope.spawn(move || {
                    for number in 0..10 {
                        let email = format!("c{client}n{number}@example.com");
                        let status = node.visitor().signs_up(&email, GOOD).status;
                        if status != 303 {
                            refused.lock().expect("no panic").push((email, status));
                        }
                    }
                });
            }
        });

        let refused = refused.into_inner().expect("no panic");
        assert!(refused.is_empty(), "80 from one place are a class, not a robot: {refused:?}");
        is_whole(&database);
    });
}

#[test]
fn a_full_disk_stops_only_writing() {
    let Some(disk) = Disk::of("2m") else { return };
    let file = disk.path().join("daemun.db");
    let database = format!("sqlite://{}", file.display());
    let sandbox = site().with("ROCKET_DATABASE_URL", &database);
    let mut server = sandbox.serves();
    let mut ada = server.visitor();
    assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
    disk.fill();

    // What is left inside the files of the database may do for a few.
    let mut admitted = Vec::new();
    let refused = (0..200).find_map(|number| {
        let email = format!("eve{number}@example.com");
        let answer = server.visitor().signs_up(&email, GOOD);
        if answer.status == 303 {
            admitted.push(email);
            return None;
        }
        Some(answer)
    });

    let refused = refused.expect("the disk is full");
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.header("retry-after").is_some(), "when to come back");
    assert!(refused.text.contains("<h1>"), "a page: {}", refused.text);
    assert_eq!(server.visitor().logs_in("ada@example.com", GOOD).status, 503);
    assert!(ada.is_signed_in(), "reading works");
    assert_eq!(server.visitor().get("/account/login").status, 200);
    assert!(server.lives());
    let kept = ask(&database, "SELECT email FROM users WHERE email LIKE 'eve%' ORDER BY id");
    assert_eq!(kept, admitted, "who was refused has not joined");

    disk.make_room();

    assert_eq!(server.visitor().signs_up("bob@example.com", GOOD).status, 303, "without a restart");
    assert_eq!(server.visitor().logs_in("ada@example.com", GOOD).status, 303);
    is_whole(&database);
    let said = server.stops();
    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(said.errors.contains("the database is not available"), "the log says so: {said:#?}");
    assert_eq!(ask(&database, "PRAGMA integrity_check"), ["ok"]);
}
