//! Logging in and out.

use std::pin::Pin;
use std::sync::{Arc, Barrier};

use daemun::flows::account::login::LogInError;
use daemun::sessions::ProveError;
use futures::FutureExt as _;
use sea_orm::DbBackend;

use crate::support::jam::Jam;
use crate::support::{App, GOOD, Page, World, on_both};

/// A page without what differs from request to request.
fn told(
    page: &Page,
    visitor: &crate::support::Browser<'_>,
    token: &str,
) -> (u16, String, Vec<String>) {
    let text = page.text().replace(token, "TOKEN");
    let headers = ["cache-control", "content-type", "set-cookie", "retry-after"];
    let headers = headers.iter().flat_map(|name| page.all(name)).map(str::to_owned).collect();
    assert!(visitor.cookie("access").is_none());
    (page.status(), text, headers)
}

async fn tries(app: &App, email: &str, password: &str) -> (u16, String, Vec<String>) {
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let fields = [("csrf", token.as_str()), ("email", email), ("password", password)];
    let page = visitor.post("/account/login", &fields).await;
    let (status, text, headers) = told(&page, &visitor, &token);
    (status, text.replace(email, "EMAIL"), headers)
}

/// Made by Django 5.2 with a thousand iterations; the password is "Correct-Horse-9".
const DJANGO: &str =
    "pbkdf2_sha256$1000$Q3mZ8vT1kLpRs0$IRc6t111qZYrgG4NgPBX1ec98SZu8ot0JDSBdNx0AJc=";

/// The output of a hash whose password is not known.
const OUTPUT: &str = "Ek2QO5qELLB40lx4TGA79E6mJXY3qcCl681dtttCRg4=";

/// What one wrong password costs: iterations of PBKDF2, blocks and hashes of argon2.
async fn work(app: &App, name: &str) -> [u64; 3] {
    let before = app.ctx.hasher.work_for_wrong_passwords();
    let email = format!("{name}@example.com");
    assert_eq!(app.visitor().logs_in(&email, "wrong guess").await.status(), 422);
    let after = app.ctx.hasher.work_for_wrong_passwords();
    std::array::from_fn(|place| after[place] - before[place])
}

/// Waits for what is written after an answer.
async fn until_it_is_at_least(app: &App, sql: &str, least: i64) {
    let reached = async {
        while app.number(sql).await < least {
            rocket::tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(30);
    rocket::tokio::time::timeout(patience, reached).await.expect(sql);
}

/// Memory times passes of one of our own hashes.
fn blocks(hash: &str) -> u64 {
    let cost: daemun::crypto::Cost =
        hash.split('$').nth(3).expect("a cost").parse().expect("argon2's");
    u64::from(cost.memory) * u64::from(cost.passes)
}

/// Every hashing thread is busy until the gate opens, so that a log-in waits before its hash.
struct HasherGate<'a> {
    app: &'a App,
    gate: Arc<Barrier>,
    held: Vec<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
}

impl<'a> HasherGate<'a> {
    async fn close(app: &'a App) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let gate = Arc::new(Barrier::new(cores + 1));
        let busy = |_| {
            let gate = gate.clone();
            let held = app.ctx.hasher.weigh(move || gate.wait().is_leader());
            Box::pin(held.map(|done| done.map(drop).expect("the queue has room"))) as Pin<Box<_>>
        };
        let mut held: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> =
            (0..cores).map(busy).collect();
        assert!(held.iter_mut().all(|job| job.as_mut().now_or_never().is_none()));
        while app.ctx.hasher.waiting() > 0 {
            rocket::tokio::task::yield_now().await;
        }
        Self { app, gate, held }
    }

    /// Lets somebody go on until they wait for a hashing thread.
    async fn is_waited_for<T>(&self, log_in: &mut Pin<Box<impl Future<Output = T>>>) {
        while self.app.ctx.hasher.waiting() == 0 {
            assert!(futures::poll!(log_in.as_mut()).is_pending(), "nobody answers without a hash");
            rocket::tokio::task::yield_now().await;
        }
    }

    async fn open(self) {
        let gate = self.gate;
        rocket::tokio::task::spawn_blocking(move || gate.wait()).await.expect("the gate opens");
        futures::future::join_all(self.held).await;
    }
}

#[on_both]
async fn the_right_password_lets_in_whatever_the_case_of_the_address(world: World) {
    let app = world.app().await;
    app.person("ada").await;

    for email in ["ada@example.com", "Ada@EXAMPLE.com", " ada@example.com"] {
        let mut ada = app.visitor();
        assert_eq!(ada.logs_in(email, GOOD).await.location(), Some("/account/mypage"));
        assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    }
}

#[on_both]
async fn unknown_wrong_and_suspended_look_the_same(world: World) {
    let app = world.app().await;
    for name in ["ada", "eve", "sam"] {
        app.person(name).await;
    }
    app.execute("UPDATE users SET is_active = FALSE WHERE email = 'eve@example.com'").await;
    app.execute("UPDATE users SET password_hash = NULL WHERE email = 'sam@example.com'").await;

    let unknown = tries(&app, "bob@example.com", GOOD).await;

    assert_eq!(unknown.0, 422);
    assert!(unknown.1.contains("The email or the password is wrong."));
    assert_eq!(tries(&app, "ada@example.com", "wrong").await, unknown);
    assert_eq!(tries(&app, "eve@example.com", "wrong").await, unknown, "suspended");
    assert_eq!(tries(&app, "sam@example.com", GOOD).await, unknown, "no password");
}

#[on_both]
async fn a_suspended_person_is_told_only_after_the_right_password(world: World) {
    let app = world.app().await;
    app.person("eve").await;
    let until = daemun::clock::to_micros(app.ctx.clock.now() + time::Duration::days(2));
    let of_the_site = "contact the operator of this site";

    for (set, sentence) in [
        ("", format!("This account is suspended. If you have questions, {of_the_site}.")),
        (
            &*format!(", inactive_until = {until}"),
            format!(
                "This account is suspended until 3 March 2026, 12:00 UTC. \
                 If you have questions, {of_the_site}."
            ),
        ),
        (
            &*format!(", inactive_until = NULL, deletes_at = {until}"),
            format!(
                "This account was deleted and will be gone for good on 3 March 2026, 12:00 UTC. \
                 To keep it, {of_the_site} before then."
            ),
        ),
    ] {
        app.execute(&format!("UPDATE users SET is_active = FALSE{set}")).await;
        let right = app.visitor().logs_in("eve@example.com", GOOD).await;
        let wrong = app.visitor().logs_in("eve@example.com", "wrong guess").await;

        assert_eq!((right.status(), right.summary()), (422, vec![sentence]));
        assert_eq!(wrong.summary(), ["The email or the password is wrong."]);
    }
    assert_eq!(app.living().await, 1, "nobody was let in");
}

#[on_both]
async fn a_suspended_person_who_asks_often_is_not_taken_for_a_guesser(world: World) {
    let app = world.app().await;
    app.person("eve").await;
    app.execute("UPDATE users SET is_active = FALSE").await;

    for _ in 0..14 {
        let page = app.visitor().logs_in("eve@example.com", GOOD).await;
        assert!(page.summary()[0].starts_with("This account is suspended."), "{}", page.text());
    }
    assert_eq!(app.events("login_failed").await, 0);
}

#[on_both]
async fn a_suspended_person_is_out_at_once(world: World) {
    let app = world.app_with(&[("session_cache", "0s")]).await;
    let mut ada = app.person("ada").await;

    app.execute("UPDATE users SET is_active = FALSE").await;

    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn a_new_session_replaces_the_one_before(world: World) {
    let app = world.app().await;
    app.person("eve").await;
    let mut ada = app.person("ada").await;
    let mut as_before = ada.clone();
    let token_before = ada.token().await;

    ada.logs_in("eve@example.com", GOOD).await;

    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, eve@example.com!");
    assert!(!as_before.is_signed_in().await, "fixation");
    assert_ne!(ada.token().await, token_before);
}

#[on_both]
async fn a_session_id_from_before_the_log_in_is_worth_nothing(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let mut planted = app.visitor();
    planted.token().await;
    let attacker = planted.clone();

    planted.logs_in("ada@example.com", GOOD).await;

    assert!(planted.is_signed_in().await);
    assert!(!attacker.clone().is_signed_in().await);
    assert!(planted.cookie("visitor").is_none(), "the stranger's token is gone");
}

#[on_both]
async fn logging_out_ends_the_session_everywhere(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let mut stolen = ada.clone();

    let answer = ada.logs_out().await;

    assert_eq!(answer.location(), Some("/"));
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\", \"storage\""));
    assert!(ada.cookie("access").is_none() && ada.cookie("refresh").is_none());
    assert!(!stolen.is_signed_in().await, "neither by access nor by refresh token");
    assert_eq!(
        app.number("SELECT COUNT(*) FROM sessions WHERE ended_because = 'logged_out'").await,
        1
    );
}

#[on_both]
async fn the_page_after_a_log_out_has_the_browser_forget(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    ada.logs_out().await;

    let page = ada.get("/").await;
    let forget = page.attribute("main ~ img[hidden]", "src").expect("one thing more to fetch");
    let answer = ada.get(&forget).await;

    assert_eq!(page.texts(".notice"), ["You are logged out."]);
    assert_eq!((answer.status(), answer.text().as_str()), (204, ""));
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(ada.get("/").await.attribute("img", "src"), None, "once is enough");
}

#[on_both]
async fn logging_out_twice_is_no_error(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    ada.logs_out().await;

    assert_eq!(ada.logs_out().await.location(), Some("/"));
}

#[on_both]
async fn a_restart_signs_nobody_out(world: World) {
    let app = world.app().await;
    let ada = app.person("ada").await;

    let restarted = world.app().await;

    assert!(ada.on(&restarted).is_signed_in().await);
}

#[on_both]
async fn what_was_revoked_stays_revoked_over_a_restart(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let stolen = ada.clone();
    ada.logs_out().await;

    let restarted = world.app().await;

    assert!(!stolen.on(&restarted).is_signed_in().await);
}

#[on_both]
async fn the_way_is_kept_and_never_leads_off_the_site(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let home = "/account/mypage";
    for (next, place) in [
        ("/admin/users?q=a", "/admin/users?q=a"),
        ("//evil.example", home),
        ("/\\evil.example", home),
        ("https://evil.example", home),
        ("javascript:alert(1)", home),
        ("/notes/a|b?tags=x|y^z", "/notes/a%7Cb?tags=x%7Cy%5Ez"),
        ("/account/login?next=/x", home),
        ("", home),
    ] {
        let mut ada = app.visitor();
        let fields = [("email", "ada@example.com"), ("password", GOOD), ("next", next)];
        assert_eq!(ada.submits("/account/login", &fields).await.location(), Some(place), "{next}");
    }
}

#[on_both]
async fn a_way_that_leads_off_the_site_is_not_carried_along(world: World) {
    let app = world.app().await;

    let page = app.visitor().get("/account/login?next=//evil.example").await;

    assert_eq!(
        page.attribute("input[name=next]", "value").as_deref(),
        Some("/account/login?next=//evil.example")
    );
    assert!(page.texts("main").len() == 1 && !page.text().contains("value=\"//evil"));
}

#[on_both]
async fn somebody_who_is_signed_in_goes_on(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;

    assert_eq!(ada.get("/account/login?next=/admin").await.location(), Some("/admin"));
    assert_eq!(ada.get("/account/login?next=//evil").await.location(), Some("/account/mypage"));
}

#[on_both]
async fn the_address_comes_back_and_the_password_does_not(world: World) {
    let app = world.app().await;

    let page = app.visitor().logs_in("ada@example.com", "mistyped-secret").await;

    assert_eq!(page.field("email").value, "ada@example.com");
    assert_eq!(page.field("password").value, "");
    assert!(!page.text().contains("mistyped-secret"));
    assert_eq!(page.summary(), ["The email or the password is wrong."]);
}

#[on_both]
async fn what_is_missing_or_malformed_is_named(world: World) {
    let app = world.app().await;

    let page = app.visitor().logs_in("ada", "").await;

    assert_eq!(page.status(), 422);
    assert!(page.field("email").is_wrong && page.field("password").is_wrong);
}

#[on_both]
async fn composed_and_decomposed_letters_log_in_alike(world: World) {
    let app = world.app().await;
    app.visitor().joins("ada@example.com", "caf\u{e9} au lait, s'il vous plaît").await;

    let typed = "cafe\u{301} au lait, s'il vous plai\u{302}t";

    assert_eq!(app.visitor().logs_in("ada@example.com", typed).await.status(), 303);
}

#[on_both]
async fn spaces_around_a_password_belong_to_it(world: World) {
    let app = world.app().await;
    app.visitor().joins("ada@example.com", &format!(" {GOOD} ")).await;

    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 422);
    assert_eq!(app.visitor().logs_in("ada@example.com", &format!(" {GOOD} ")).await.status(), 303);
}

#[on_both]
async fn sixteen_log_ins_at_once_do_not_stand_in_each_others_way(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let mut racers = Vec::new();
    for _ in 0..16 {
        let ctx = app.ctx.clone();
        racers.push(rocket::tokio::spawn(async move {
            let email = daemun::types::Email::parse("ada@example.com").expect("an address");
            let password = daemun::types::Password::parse(GOOD).expect("typed");
            let credentials = daemun::flows::account::login::Credentials { email, password };
            let caller = crate::support::app::caller();
            daemun::flows::account::login::with_password(&ctx, credentials, None, &caller)
                .await
                .map(drop)
        }));
    }

    for racer in racers {
        let outcome = racer.await.expect("no panic");
        // More than ten at once are throttled, and nothing else may go wrong.
        let too_soon = matches!(outcome, Err(LogInError::NotProved(ProveError::TooSoon(_))));
        assert!(outcome.is_ok() || too_soon, "{outcome:?}");
    }
}

#[on_both]
async fn a_cheap_hash_is_made_again_at_the_next_log_in(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let dearer = world.app_with(&[("password_hash", "m=16,t=2,p=1")]).await;

    assert_eq!(dearer.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);

    let renewed = "SELECT COUNT(*) FROM users WHERE password_hash LIKE '%m=16,t=2,p=1%'";
    assert_eq!(app.number(renewed).await, 1);
    assert_eq!(dearer.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);
}

#[on_both]
async fn a_password_that_changes_while_it_is_compared_lets_nobody_in(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let gate = HasherGate::close(&app).await;
    let mut ada = app.visitor();
    let token = ada.token().await;
    let fields = [("csrf", token.as_str()), ("email", "ada@example.com"), ("password", GOOD)];
    let mut log_in = Box::pin(ada.post("/account/login", &fields));
    // The count and the account: then the old hash waits for a hashing thread.
    gate.is_waited_for(&mut log_in).await;

    app.execute("UPDATE users SET password_hash = 'changed'").await;
    gate.open().await;

    assert_eq!(log_in.await.status(), 422);
    assert_eq!(app.number("SELECT COUNT(*) FROM sessions").await, 1);
}

#[on_both]
async fn an_unknown_address_costs_the_same_work_as_a_known_one(world: World) {
    world.app().await.person("ada").await;
    let observer = world.app().await;
    let mut costs = Vec::new();
    for (email, written) in [
        ("ada@example.com", "SELECT COUNT(*) FROM audit_events WHERE action = 'login_failed'"),
        ("bob@example.com", "SELECT COUNT(*) FROM unknown_login_failures"),
    ] {
        // A node for each: a failure is noted after the answer, at any time.
        let app = world.app().await;
        let gate = HasherGate::close(&app).await;
        let mut visitor = app.visitor();
        let token = visitor.token().await;
        let fields = [("csrf", token.as_str()), ("email", email), ("password", "wrong")];
        let before = app.ctx.db.queries();
        let mut log_in = Box::pin(visitor.post("/account/login", &fields));
        gate.is_waited_for(&mut log_in).await;
        let before_the_hash = app.ctx.db.queries() - before;

        gate.open().await;

        assert_eq!(log_in.await.status(), 422);
        until_it_is_at_least(&observer, written, 1).await;
        costs.push((before_the_hash, app.ctx.db.queries() - before));
    }

    assert_eq!(costs[0], costs[1]);
}

#[on_both]
async fn failures_at_unknown_addresses_take_no_room(world: World) {
    let app = world.app().await;
    for number in 0..90 {
        let from = format!("198.51.100.{number}:1");
        let mut eve = app.visitor().from(&from).with("User-Agent", "a program");
        eve.logs_in(&format!("nobody{number}@example.com"), "wrong guess").await;
    }
    world.clock.advance(std::time::Duration::from_secs(1));
    let last = daemun::clock::to_micros(app.ctx.clock.now());
    app.visitor().logs_in("nobody@example.com", "wrong guess").await;
    let newest = "SELECT COALESCE(MAX(at), 0) FROM unknown_login_failures";
    until_it_is_at_least(&app, newest, last).await;

    assert!(app.number("SELECT COUNT(*) FROM unknown_login_failures").await <= 64);
    assert_eq!(app.number("SELECT COUNT(*) FROM audit_events").await, 0);
    let of_callers = "SELECT COUNT(*) FROM unknown_login_failures \
        WHERE ip LIKE '%198%' OR user_agent LIKE '%program%'";
    assert_eq!(app.number(of_callers).await, 0, "nothing is kept of them");
}

#[on_both]
async fn what_is_written_for_an_unknown_address_has_the_same_indexes(world: World) {
    let app = world.app().await;
    let count = |table: &str| match app.ctx.db.reader().get_database_backend() {
        DbBackend::Sqlite => {
            format!("SELECT COUNT(*) FROM pragma_index_list('{table}') WHERE origin = 'c'")
        }
        _ => format!("SELECT COUNT(*) FROM pg_indexes WHERE tablename = '{table}'"),
    };

    let (known, unknown) = (count("audit_events"), count("unknown_login_failures"));

    assert!(app.number(&known).await > 3);
    assert_eq!(app.number(&known).await, app.number(&unknown).await);
}

#[on_both]
async fn a_wrong_password_costs_the_same_hashing_whatever_the_account_has(world: World) {
    let app = world.app().await;
    for name in ["own", "none", "django", "old_django", "argon2", "damaged"] {
        app.person(name).await;
    }
    let own = app.word("SELECT password_hash FROM users WHERE email = 'own@example.com'").await;
    for (name, hash) in [
        ("django", format!("'pbkdf2_sha256$2000$salt${OUTPUT}'")),
        ("old_django", format!("'pbkdf2_sha256$700$salt${OUTPUT}'")),
        ("argon2", "'$argon2id$v=19$m=64,t=3,p=2$UTNtWjh2VDFrTHBSczA$pdTVaPGjgr8qr9m9AWFsNpaDv4QIuQ77+xlzZ3eS96M'".into()),
        ("damaged", "'pbkdf2_sha256$many$salt$x'".into()),
        ("none", "NULL".into()),
    ] {
        let whose = format!("email = '{name}@example.com'");
        app.execute(&format!("UPDATE users SET password_hash = {hash} WHERE {whose}")).await;
    }

    let unknown = work(&app, "nobody").await;

    assert_eq!(unknown, [2_000, 64 * 3 + blocks(&own), 2]);
    for name in ["own", "none", "django", "old_django", "argon2", "damaged"] {
        assert_eq!(work(&app, name).await, unknown, "{name}");
    }
    app.execute("DELETE FROM users WHERE email LIKE '%django%' OR email LIKE 'argon2%'").await;
    for name in ["nobody", "own", "none", "damaged"] {
        assert_eq!(work(&app, name).await, [0, blocks(&own), 1], "the last one is gone: {name}");
    }
}

#[on_both]
async fn the_last_imported_hash_that_is_made_anew_makes_wrong_passwords_cheap_again(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    app.execute(&format!("UPDATE users SET password_hash = '{DJANGO}'")).await;
    assert_eq!(work(&app, "nobody").await[0], 1_000);

    assert_eq!(app.visitor().logs_in("ada@example.com", "Correct-Horse-9").await.status(), 303);

    assert_eq!(work(&app, "nobody").await[0], 0);
}

#[on_both]
async fn a_hash_that_is_too_costly_makes_no_wrong_password_costly(world: World) {
    let app = world.app().await;
    for (name, iterations) in [("ada", 1_000), ("eve", 10_000_000), ("bob", 999_999_999)] {
        app.person(name).await;
        let hash = format!("pbkdf2_sha256${iterations}$salt${OUTPUT}");
        let set = format!("UPDATE users SET password_hash = '{hash}'");
        app.execute(&format!("{set} WHERE email = '{name}@example.com'")).await;
    }

    for name in ["nobody", "ada", "eve", "bob"] {
        assert_eq!(work(&app, name).await[0], 1_000, "{name}");
    }
}

#[on_both]
async fn password_managers_know_what_to_fill(world: World) {
    let app = world.app().await;

    let page = app.visitor().get("/account/login").await;

    assert_eq!(page.field("email").autocomplete, "username");
    assert_eq!(page.field("password").autocomplete, "current-password");
}

#[on_both]
async fn a_full_queue_answers_503_and_when_to_come_back(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let jam = Jam::on(&app).await;

    let page = app.visitor().logs_in("ada@example.com", GOOD).await;

    assert_eq!(page.status(), 503);
    assert_eq!(page.header("retry-after"), Some("5"));
    assert_eq!(page.h1(), "We are very busy right now");
    jam.ends().await;
}
