//! A disk that fails for a moment. What was acknowledged is there, what was refused is not, and the
//! server goes on without a restart once the disk works again.

use std::time::Duration;

use crate::support;
use crate::support::disk_faults::{BROKEN, DiskFaults, FULL, SYNCS, WRITES};
use crate::support::process::{
    HttpResponse, PATIENCE, RemoteBrowser, Sandbox, Server, ask, eventually,
};
use crate::support::{GOOD, NEW};

/// How many faults each kind of call is tried with; `DAEMUN_TEST_ROUNDS` asks for so many times as many.
const ROUNDS: u32 = 16;

fn rounds() -> u32 {
    ROUNDS * support::rounds()
}

fn site() -> Option<(Sandbox, DiskFaults)> {
    let sandbox = Sandbox::new()
        .with_cheap_hashing()
        .with_a_name()
        .with("ROCKET_TRUSTED_PROXIES", "127.0.0.1");
    DiskFaults::on(&sandbox)
}

/// A stranger from an address of their own, so that none is throttled.
fn stranger(server: &Server, number: u32) -> RemoteBrowser {
    let address = format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255);
    server.visitor().with("X-Forwarded-For", &address)
}

fn count(database: &str, sql: &str) -> usize {
    ask(database, sql).len()
}

fn has_joined(database: &str, email: &str) -> bool {
    count(database, &format!("SELECT email FROM users WHERE email = '{email}'")) == 1
}

/// The sessions of an account that are alive.
fn sessions(database: &str, email: &str) -> usize {
    let sql = format!(
        "SELECT users.email FROM sessions JOIN users ON users.id = sessions.user_id \
         WHERE users.email = '{email}' AND ended_at IS NULL"
    );
    count(database, &sql)
}

fn changes_password(browser: &mut RemoteBrowser) -> HttpResponse {
    let fields = [("old_password", GOOD), ("new_password1", NEW), ("new_password2", NEW)];
    browser.submits("/account/password/change", &fields)
}

/// Signs up while the disk fails. Returns whether the answer was a success.
fn joins(browser: &mut RemoteBrowser, database: &str, email: &str, faults: &DiskFaults) -> bool {
    let answer = browser.signs_up(email, GOOD);
    faults.end();
    let was_told = answer.status == 303;
    assert!(was_told || answer.status == 503, "{email}: {} {}", answer.status, answer.text);
    assert_eq!(has_joined(database, email), was_told, "{email} was told {}", answer.status);
    was_told
}

#[test]
fn after_a_failed_commit_and_rollback_replies_are_true() {
    for kind in [SYNCS, WRITES] {
        let Some((sandbox, faults)) = site() else { return };
        let (server, database) = (sandbox.serves(), sandbox.database());
        let mut ada = stranger(&server, 1);
        assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
        let mut bob = stranger(&server, 2);
        assert_eq!(bob.signs_up("bob@example.com", GOOD).status, 303);

        // The first commit of a sign-up counts the attempt, the second is the sign-up. The worker
        // writes too, so a failure may be its own.
        let mut refused = 0;
        for after in 0..24 {
            let mut eve = stranger(&server, 100 + after);
            eve.token();
            faults.fail(kind, after, 1, FULL);
            let has_joined =
                joins(&mut eve, &database, &format!("eve{after}@example.com"), &faults);
            // An ordinary roll-back of another request; one address may be tried twenty times.
            let taken = ["ada@example.com", "bob@example.com"][after as usize % 2];
            let taken = stranger(&server, 200 + after).signs_up(taken, GOOD);
            assert_eq!(taken.status, 422, "the address is taken: {}", taken.text);
            refused += u32::from(!has_joined);
            if has_joined && refused > 1 {
                break;
            }
        }
        assert!(refused > 1, "nothing has failed");

        let mut carol = stranger(&server, 4);
        assert_eq!(carol.signs_up("carol@example.com", GOOD).status, 303);
        assert!(has_joined(&database, "carol@example.com"), "a sign-up that was answered");
        assert_eq!(bob.submits("/account/logout", &[]).status, 303);
        assert_eq!(sessions(&database, "bob@example.com"), 0, "a log-out that was answered");
        assert_eq!(changes_password(&mut ada).status, 303);
        assert_eq!(stranger(&server, 5).logs_in("ada@example.com", NEW).status, 303);
        assert_eq!(server.stops().code(), Some(0));
        assert!(has_joined(&database, "carol@example.com"), "also after a restart");
    }
}

/// One of everything that writes, while the disk fails at one moment of each.
fn lives_through(
    server: &Server,
    database: &str,
    faults: &DiskFaults,
    number: u32,
    fault: (i32, u32, u32, i32),
) {
    let (kinds, after, length, error) = fault;
    let fail = || faults.fail(kinds, after, length, error);
    let place = number * 16;
    let what = format!("after {after} calls of {kinds}, {length} with {error}");

    let email = format!("n{number}@example.com");
    let mut browser = stranger(server, place);
    browser.token();
    fail();
    if !joins(&mut browser, database, &email, faults) {
        assert_eq!(browser.signs_up(&email, GOOD).status, 303, "healed, {what}");
        assert!(has_joined(database, &email), "healed, {what}");
    }

    let mut other = stranger(server, place + 1);
    other.token();
    fail();
    let taken = other.signs_up(&email, GOOD).status;
    faults.end();
    assert!(matches!(taken, 422 | 503), "{taken}, {what}");

    let alive = sessions(database, &email);
    fail();
    let status = other.logs_in(&email, GOOD).status;
    faults.end();
    assert!(matches!(status, 303 | 503), "log-in: {status}, {what}");
    let expected = alive + usize::from(status == 303);
    assert_eq!(sessions(database, &email), expected, "log-in: {status}, {what}");
    if status == 503 {
        assert_eq!(other.logs_in(&email, GOOD).status, 303, "healed, {what}");
    }

    fail();
    let status = changes_password(&mut browser).status;
    faults.end();
    assert!(matches!(status, 303 | 503), "password: {status}, {what}");
    let (right, wrong) = if status == 303 { (NEW, GOOD) } else { (GOOD, NEW) };
    let mut third = stranger(server, place + 2);
    assert_eq!(third.logs_in(&email, wrong).status, 422, "password: {status}, {what}");
    assert_eq!(third.logs_in(&email, right).status, 303, "password: {status}, {what}");

    let alive = sessions(database, &email);
    third.token();
    fail();
    let status = third.submits("/account/logout", &[]).status;
    faults.end();
    assert!(matches!(status, 303 | 503), "log-out: {status}, {what}");
    let expected = alive - usize::from(status == 303);
    assert_eq!(sessions(database, &email), expected, "log-out: {status}, {what}");
}

/// Everything that writes, at every k-th call of a kind, failing once or until it is healed.
fn nothing_untrue_is_answered(kinds: i32, error: i32) {
    let Some((sandbox, faults)) = site() else { return };
    let (server, database) = (sandbox.serves(), sandbox.database());
    assert_eq!(stranger(&server, 0).signs_up("ada@example.com", GOOD).status, 303);

    for number in 1..=rounds() {
        // What each of these does is seldom more than thirty writes, and three commits. All are tried
        // in as many rounds, and some of them in fewer.
        let after = 3 * (number - 1) % if kinds == SYNCS { 4 } else { 31 };
        let length = if number % 3 == 0 { u32::MAX } else { 1 };
        lives_through(&server, &database, &faults, number, (kinds, after, length, error));
    }

    let before = ask(&database, "SELECT email FROM users ORDER BY id");
    assert_eq!(before.len(), rounds() as usize + 1);
    let said = server.stops();
    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(!said.errors.contains("panicked"), "{said:#?}");
    assert_eq!(ask(&database, "SELECT email FROM users ORDER BY id"), before, "after a restart");
    assert_eq!(ask(&database, "PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn replies_are_true_while_the_disk_is_full() {
    nothing_untrue_is_answered(WRITES, FULL);
}

#[test]
fn replies_are_true_while_the_disk_cannot_write() {
    nothing_untrue_is_answered(WRITES, BROKEN);
}

#[test]
fn replies_are_true_while_the_disk_cannot_sync() {
    nothing_untrue_is_answered(SYNCS, BROKEN);
}

#[test]
fn a_server_that_cannot_write_is_not_ready() {
    let Some((sandbox, faults)) = site() else { return };
    let server = sandbox.serves();
    let is_ready = || server.visitor().get("/health/ready").status;
    assert_eq!(is_ready(), 200);

    faults.fail(WRITES | SYNCS, 0, u32::MAX, FULL);
    assert!(eventually(PATIENCE, || is_ready() == 503), "nothing can be written");
    assert_eq!(server.visitor().get("/health/live").status, 200, "a restart would not help");
    faults.end();

    assert!(eventually(Duration::from_secs(10), || is_ready() == 200), "without a restart");
}
