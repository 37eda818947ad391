//! A database that vanishes without a word, or that may not be written any more.

use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::GOOD;
use crate::support::postgres::Cluster;
use crate::support::postgres_proxy::PostgresProxy;
use crate::support::process::{
    PATIENCE, RemoteBrowser, Sandbox, Server, ask, block_on, eventually, postgres,
};
use crate::support::requirement::{self, Requirement};

/// How long a request may wait for a database that does not answer.
const AT_MOST: Duration = Duration::from_secs(10);

fn site(database: &str) -> Sandbox {
    Sandbox::new()
        .with_cheap_hashing()
        .with_a_name()
        .with("ROCKET_DATABASE_URL", database)
        .with("ROCKET_SESSION_CACHE", "0s")
        .with("ROCKET_TRUSTED_PROXIES", "127.0.0.1")
}

fn stranger(server: &Server, client: u32, number: u32) -> RemoteBrowser {
    let address = format!("10.{client}.{}.{}", number >> 8, number & 255);
    server.visitor().with("X-Forwarded-For", &address)
}

/// How long a request took, and its status.
fn timed(asked: impl FnOnce() -> u16) -> (Duration, u16) {
    let started = Instant::now();
    let status = asked();
    (started.elapsed(), status)
}

/// Signs up; each of the requests for it is timed.
fn joins(browser: &mut RemoteBrowser, email: &str) -> Vec<(Duration, u16)> {
    let mut token = None;
    let page = timed(|| {
        let page = browser.get("/");
        token = page.token();
        page.status
    });
    let Some(token) = token else { return vec![page] };
    let fields =
        [("csrf", token.as_str()), ("email", email), ("password1", GOOD), ("password2", GOOD)];
    vec![page, timed(|| browser.post("/account/join", &fields).status)]
}

/// A request while the database says nothing is answered in time, and all is well when it speaks
/// again.
fn no_request_waits(database: &str, vanishes: impl Fn(), returns: impl Fn()) {
    let server = site(database).serves();
    let mut ada = stranger(&server, 9, 1);
    assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);

    // A crowd that is in the middle of everything when it happens.
    let (cut, waited) = (Mutex::new(false), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for client in 0..4 {
            let (server, cut, waited) = (&server, &cut, &waited);
            scope.spawn(move || {
                for number in 0.. {
                    let mut browser = stranger(server, client, number);
                    let was_cut = *cut.lock().expect("no panic");
                    let email = format!("c{client}n{number}@example.com");
                    let took = joins(&mut browser, &email);
                    waited.lock().expect("no panic").extend(took);
                    if was_cut {
                        break;
                    }
                }
            });
        }
        let is_busy = || waited.lock().expect("no panic").len() > 20;
        assert!(eventually(PATIENCE, is_busy), "they join");
        vanishes();
        *cut.lock().expect("no panic") = true;
    });
    let mut waited = waited.into_inner().expect("no panic");

    // Those who come later do not wait longer.
    thread::scope(|scope| {
        let asked = [
            scope.spawn(|| timed(|| ada.clone().get("/account/mypage").status)),
            scope.spawn(|| timed(|| server.visitor().get("/health/ready").status)),
            scope.spawn(|| timed(|| server.visitor().get("/account/login").status)),
        ];
        let joins = scope.spawn(|| joins(&mut stranger(&server, 8, 1), "eve@example.com"));
        let took: Vec<_> = asked.into_iter().map(|it| it.join().expect("no panic")).collect();
        assert_eq!(took[1].1, 503, "not ready");
        waited.extend(took);
        let took = joins.join().expect("no panic");
        assert!(took.iter().any(|(_, status)| *status == 503), "nobody joins: {took:?}");
        waited.extend(took);
    });
    let longest = waited.iter().max().expect("they asked");
    assert!(longest.0 < AT_MOST, "{longest:?} of {waited:?}");

    returns();

    let is_well = || server.visitor().get("/health/ready").status == 200;
    assert!(eventually(Duration::from_secs(20), is_well), "without a restart");
    assert_eq!(stranger(&server, 7, 1).logs_in("ada@example.com", GOOD).status, 303);
    assert!(ada.is_signed_in());
}

#[test]
fn requests_fail_fast_when_the_database_vanishes() {
    let Some(proxy) = PostgresProxy::to_postgres() else { return };
    no_request_waits(&proxy.url(), || proxy.cut(), || proxy.restore());
}

/// A cluster of its own, since a stopped one would stop all tests.
struct Stoppable(Cluster);

impl Stoppable {
    /// Sends a signal to all of its processes, by their numbers.
    fn signal(&self, name: &str) {
        let file = self.0.folder().join("data/postmaster.pid");
        let file = std::fs::read_to_string(file).expect("it runs");
        let first = file.lines().next().expect("a number").trim().to_owned();
        let children = format!("/proc/{first}/task/{first}/children");
        let children = std::fs::read_to_string(children).expect("Linux says so");
        // The first one makes the others: it goes first.
        let all = std::iter::once(first.as_str()).chain(children.split_whitespace());
        for process in all {
            let script = "kill -\"$1\" \"$2\"";
            // One that has ended meanwhile needs no signal.
            let _ = Command::new("sh").args(["-c", script, "sh", name, process]).status();
        }
    }
}

impl Drop for Stoppable {
    fn drop(&mut self) {
        self.signal("CONT");
    }
}

#[test]
fn requests_fail_fast_when_postgres_is_stopped() {
    let Some(binaries) =
        requirement::postgres_binaries().filter(|_| Requirement::Postgres.is_met())
    else {
        return;
    };
    let settings = "-c fsync=off -c shared_buffers=16MB -c max_wal_size=64MB -c min_wal_size=32MB";
    let cluster = Stoppable(Cluster::start(&binaries, "C", settings));
    block_on(cluster.0.execute("CREATE DATABASE daemun"));
    let database = cluster.0.url("daemun");
    no_request_waits(&database, || cluster.signal("STOP"), || cluster.signal("CONT"));
}

#[test]
fn a_read_only_database_is_reported() {
    let Some(database) = postgres() else { return };
    let name = database.split("localhost/").nth(1).and_then(|rest| rest.split('?').next());
    let name = name.expect("it has a name");
    let set = |value: &str| {
        let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
        block_on(Cluster::get().expect("it is there").execute(&sql));
    };
    let sandbox = site(&database);
    let server = sandbox.serves();
    let mut ada = stranger(&server, 1, 1);
    assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
    let is_ready = || server.visitor().get("/health/ready").status;
    assert_eq!(is_ready(), 200);

    // As a primary that has become a standby: its connections are gone, and nothing can be written.
    set("on");
    let others = "SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    ask(&database, others);

    assert!(eventually(Duration::from_secs(10), || is_ready() == 503), "nothing can be written");
    assert!(ada.is_signed_in(), "reading goes on");
    assert_eq!(stranger(&server, 1, 2).signs_up("bob@example.com", GOOD).status, 503);
    let said =
        sandbox.starts_serving().wait_until_ready().err().expect("another node does not start");
    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.error_line().contains("read-only"), "{said:#?}");

    set("off");
    ask(&database, others);
    assert!(eventually(Duration::from_secs(10), || is_ready() == 200), "without a restart");
}
