//! When the link of a password reset works, and what else ends with it.

use daemun::testing::flows;
use daemun::testing::links;
use daemun::testing::links::Purpose;
use daemun::testing::types::{Password, UserId};
use futures::future::join_all;
use rocket::http::{Cookie, Method};

use crate::account::password_reset::{
    ASK, FORM, HOUR, LINK, MINUTE, SENT, address, can_log_in, emails, link,
};
use crate::support::app::request_info;
use crate::support::{App, Browser, GOOD, NEW, TestEnv, on_both};

const SAFE_LINKS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
    Gecko) Chrome/120.0.0.0 Safari/537.36 (Microsoft Safe Links)";

/// Whether a link opens nothing, whichever way it is tried.
async fn is_dead(app: &App, link: &str) -> bool {
    let (shown, sent) = (
        app.visitor().get(link).await,
        app.visitor().sets_new_password(link, "a fine dead link").await,
    );
    assert_eq!(shown.status(), sent.status(), "{link}");
    shown.status() == 404
}

/// Browsers that have opened a form and are about to send it.
async fn ready(app: &App, count: usize) -> Vec<(Browser<'_>, String)> {
    let mut ready = Vec::new();
    for _ in 0..count {
        let mut browser = app.visitor();
        let token = browser.token().await;
        ready.push((browser, token));
    }
    ready
}

/// Sends a new password for each of these links at once; tells which passwords were taken.
async fn race(app: &App, links: &[String]) -> Vec<String> {
    let racers = ready(app, links.len()).await.into_iter().zip(links).enumerate();
    let racers = racers.map(|(number, ((mut browser, token), link))| async move {
        let password = format!("{NEW} {number}");
        let fields =
            [("csrf", &*token), ("new_password1", &password), ("new_password2", &password)];
        let answer = browser.post(link, &fields).await;
        (answer.status(), password)
    });
    let done = join_all(racers).await;
    assert!(done.iter().all(|(status, _)| [303, 404].contains(status)), "{done:?}");
    done.into_iter().filter(|(status, _)| *status == 303).map(|(_, password)| password).collect()
}

#[on_both]
async fn opening_the_link_does_not_use_it(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;
    let before = app.row_counts().await;
    for _ in 0..20 {
        for method in [Method::Get, Method::Head] {
            let mut scanner = app.visitor().with("User-Agent", SAFE_LINKS);
            assert_eq!(scanner.send(method, &link, None).await.location(), Some(FORM));
            assert_eq!(scanner.send(method, FORM, None).await.status(), 200);
        }
        assert_eq!(app.visitor().post(&link, &[]).await.status(), 403, "no form of ours");
    }

    assert_eq!(app.row_counts().await, before);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM one_time_links WHERE used_at > 0").await, 0);
    assert_eq!(
        app.visitor().sets_new_password(&link, NEW).await.location(),
        Some("/account/login")
    );
}

#[on_both]
async fn the_token_leaves_the_url_before_a_page_is_shown(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;
    let token = link.strip_prefix(LINK).expect("a token");
    let mut ada = app.visitor();

    let arrival = ada.get(&link).await;
    let drawn = [ada.get(FORM).await, ada.sets_new_password(FORM, "weak").await];

    assert_eq!(arrival.location(), Some(FORM));
    assert!(!arrival.text().contains(token));
    assert_eq!(arrival.header("cache-control"), Some("no-store"));
    let cookie = arrival.all("set-cookie").into_iter().find(|it| it.starts_with("link="));
    let cookie = Cookie::parse(cookie.expect("a cookie").to_owned()).expect("a cookie");
    assert_eq!((cookie.http_only(), cookie.path()), (Some(true), Some("/")));
    assert_eq!(cookie.max_age(), Some(rocket::time::Duration::minutes(30)));
    for page in drawn {
        assert!(!page.text().contains(token), "{}", page.text());
        let outside = "[src^='http'], [href^='http'], [src^='//'], [href^='//'], img, iframe";
        assert!(page.texts(outside).is_empty());
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        assert_eq!(page.header("cache-control"), Some("no-store, no-transform"));
    }
}

#[on_both]
async fn every_invalid_link_gets_the_same_page(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let used = link(&app, "ada@example.com").await;
    app.visitor().sets_new_password(&used, NEW).await;
    let old = link(&app, "ada@example.com").await;
    env.clock.advance(HOUR);
    let never = format!("{LINK}{}", "x".repeat(43));

    let mut pages = Vec::new();
    let mut visitor = app.visitor();
    visitor.token().await;
    for link in [&used, &old, &never] {
        let page = visitor.get(link).await;
        let headers = format!("{:?}", page.headers());
        pages.push((page.status(), headers, page.text().replace(link.as_str(), "")));
    }

    assert_eq!(pages[0].0, 404);
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
    for link in [&used, &old, &never] {
        assert!(is_dead(&app, link).await);
        assert_eq!(app.visitor().sets_new_password(link, "weak").await.status(), 404);
        assert_eq!(app.visitor().submits(link, &[]).await.status(), 404);
        assert_eq!(app.visitor().submits(link, &[("new_password1", "x")]).await.status(), 404);
    }
    assert_eq!(app.visitor().get(FORM).await.status(), 404, "without any link");
}

#[on_both]
async fn the_link_works_for_an_hour(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;
    let mut ada = app.visitor();
    ada.get(&link).await;
    env.clock.advance(59 * MINUTE);
    assert_eq!(app.visitor().get(&link).await.location(), Some(FORM));

    env.clock.advance(MINUTE);

    assert!(is_dead(&app, &link).await);
    assert_eq!(
        ada.sets_new_password(FORM, NEW).await.status(),
        404,
        "also when it was opened in time"
    );
}

#[on_both]
async fn a_newer_link_replaces_the_older(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let older = link(&app, "ada@example.com").await;
    env.clock.advance(MINUTE);
    let newer = link(&app, "ada@example.com").await;

    assert!(is_dead(&app, &older).await);
    assert_eq!(app.visitor().sets_new_password(&newer, NEW).await.status(), 303);
}

#[on_both]
async fn of_two_requests_at_once_the_last_link_works(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for _ in 0..2 {
        app.visitor().requests_password_reset("ada@example.com").await;
    }

    let link = app.last_email_to("ada@example.com").await.link(LINK);

    assert_eq!(emails(&app, "ada@example.com").await, 2);
    assert_eq!(app.visitor().sets_new_password(&link, NEW).await.status(), 303);
}

#[on_both]
async fn a_password_change_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app, "ada@example.com").await;

    assert_eq!(ada.changes_password(GOOD, NEW).await.location(), Some("/account/mypage"));

    assert!(is_dead(&app, &link).await);
    assert!(can_log_in(&app, "ada@example.com", NEW).await);
}

#[on_both]
async fn a_password_from_the_terminal_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;

    let new = Password::parse(NEW).expect("typed");
    let set = flows::account::password_change::set_by_operator(
        &app.ctx,
        &address("ada@example.com"),
        new,
        &request_info(),
    )
    .await;

    set.expect("set");
    assert!(is_dead(&app, &link).await);
}

#[on_both]
async fn a_change_of_address_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app, "ada@example.com").await;

    ada.requests_email_change("new@example.com", GOOD).await;
    let confirm = app.last_email_to("new@example.com").await.link("/account/email/change/");
    ada.confirms(&confirm).await;

    assert!(is_dead(&app, &link).await);
}

#[on_both]
async fn a_suspension_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;

    app.deactivates("ada").await;

    assert!(is_dead(&app, &link).await);
}

#[on_both]
async fn of_sixteen_uses_of_one_link_one_wins(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;

    let won = race(&app, &vec![link; 16]).await;

    assert_eq!(won.len(), 1);
    assert!(can_log_in(&app, "ada@example.com", &won[0]).await, "the winner's password");
    assert_eq!(
        (app.audit_event_count("password_reset").await, app.audit_event_count("logged_in").await),
        (1, 0)
    );
}

#[on_both]
async fn of_two_links_to_one_account_one_wins(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for _ in 0..3 {
        let transaction = app.ctx.db.begin().await.expect("a transaction");
        let mut pair = Vec::new();
        for _ in 0..2 {
            let reset = Purpose::ResetPassword;
            let token = links::create(&app.ctx, &transaction, reset, UserId(1), None);
            pair.push(format!("{LINK}{}", token.await.expect("created").expose()));
        }
        transaction.commit().await.expect("committed");

        let won = race(&app, &pair.iter().cycle().take(8).cloned().collect::<Vec<_>>()).await;

        assert_eq!(won.len(), 1);
        assert!(can_log_in(&app, "ada@example.com", &won[0]).await);
    }
}

#[on_both]
async fn a_weak_password_does_not_use_the_link(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;
    let mut ada = app.visitor();
    ada.get(&link).await;

    let weak = ada.submits(FORM, &[("new_password1", "1234"), ("new_password2", "12")]).await;
    let own = ada.sets_new_password(FORM, "ada@example.com").await;
    let empty = ada.submits(FORM, &[]).await;

    assert_eq!(weak.status(), 422);
    assert!(weak.field("new_password1").errors.len() >= 3, "all that is wrong at once");
    assert_eq!(weak.field("new_password2").errors, ["The two passwords are not the same."]);
    let field = weak.field("new_password1");
    assert!(field.is_wrong && field.value.is_empty());
    assert!(!weak.text().contains("1234"));
    assert!(own.summary().contains(&"This password is too similar to your email.".into()));
    assert_eq!((empty.status(), empty.summary()), (422, vec!["Enter the password.".into()]));
    assert_eq!(ada.sets_new_password(FORM, NEW).await.location(), Some("/account/login"));
}

#[on_both]
async fn a_token_works_only_for_its_purpose(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let paths = [
        (Purpose::Setup, "/admin/setup/"),
        (Purpose::VerifyEmail, "/account/email/verify/"),
        (Purpose::ResetPassword, LINK),
        (Purpose::ChangeEmail, "/account/email/change/"),
        (Purpose::UndoEmailChange, "/account/email/undo/"),
        (Purpose::NotMe, "/account/not-me/"),
    ];
    assert_eq!(paths.map(|(purpose, _)| purpose), Purpose::ALL);
    let carried = [
        ("/admin/setup", &[Purpose::Setup][..]),
        (FORM, &[Purpose::ResetPassword][..]),
        ("/account/link", &Purpose::ALL[3..]),
    ];
    let fields = [
        ("email", "eve@example.com"),
        ("password1", NEW),
        ("password2", NEW),
        ("new_password1", NEW),
        ("new_password2", NEW),
    ];
    let before = "SELECT COUNT(*) FROM one_time_links WHERE used_at IS NOT NULL";

    for purpose in Purpose::ALL {
        let token = if purpose == Purpose::Setup {
            flows::admin::setup::create_link(&app.ctx).await.expect("answers").expect("invited")
        } else {
            let transaction = app.ctx.db.begin().await.expect("a transaction");
            let email = address("ada@example.com");
            let token =
                links::create(&app.ctx, &transaction, purpose, UserId(1), Some(&email)).await;
            transaction.commit().await.expect("committed");
            token.expect("created")
        };
        for (_, path) in paths.iter().filter(|(other, _)| *other != purpose) {
            let path = format!("{path}{}", token.expose());
            assert_eq!(app.visitor().get(&path).await.status(), 404, "{purpose:?} at {path}");
            let sent = app.visitor().submits(&path, &fields).await;
            assert_eq!(sent.status(), 404, "{purpose:?} at {path}");
        }
        for (path, purposes) in carried {
            let is_right = purposes.contains(&purpose)
                || (path == "/account/link" && purpose == Purpose::VerifyEmail);
            if is_right {
                continue;
            }
            let mut visitor = app.visitor();
            visitor.cookies.insert("link".into(), token.expose().to_owned());
            assert_eq!(visitor.get(path).await.status(), 404, "{purpose:?} at {path}");
            let sent = visitor.submits(path, &fields).await;
            assert_eq!(sent.status(), 404, "{purpose:?} at {path}");
        }
    }

    assert_eq!(app.query_number(before).await, 0);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 1);
    assert!(can_log_in(&app, "ada@example.com", GOOD).await);
}

#[on_both]
async fn a_malformed_token_is_an_invalid_link(env: TestEnv) {
    let app = env.app().await;
    for rubbish in ["x", "%00", "%ff", "..%2f..%2fetc", "'%20OR%20'1'='1", &"x".repeat(5000)] {
        for start in [LINK, "/account/email/verify/", "/account/email/undo/", "/account/not-me/"] {
            let link = format!("{start}{rubbish}");
            assert_eq!(app.visitor().get(&link).await.status(), 404, "{link}");
            assert_eq!(app.visitor().sets_new_password(&link, NEW).await.status(), 404, "{link}");
        }
        let mut visitor = app.visitor();
        visitor.cookies.insert("link".into(), rubbish.into());
        assert_eq!(visitor.get(FORM).await.status(), 404);
        assert_eq!(visitor.get("/account/link").await.status(), 404);
    }
}

#[on_both]
async fn links_ignore_the_host_of_the_request(env: TestEnv) {
    let app = env.app_with(&[("public_url", "https://gate.example")]).await;
    app.visitor().signs_up("ada@example.com", GOOD).await;
    app.sends_due_emails().await;
    let before = app.row_counts().await;

    let mut evil = app.visitor();
    let token = evil.token().await;
    let mut evil = evil.with("Host", "evil.example");
    let fields = [("csrf", &*token), ("email", "ada@example.com")];
    assert_eq!(evil.post(ASK, &fields).await.status(), 421);
    assert_eq!(app.row_counts().await, before);

    let mut sly = app.visitor();
    for name in ["X-Forwarded-Host", "X-Host", "X-Original-URL", "Forwarded"] {
        sly = sly.with(name, "evil.example");
    }
    assert_eq!(sly.requests_password_reset("ada@example.com").await.location(), Some(SENT));
    let email = app.last_email_to("ada@example.com").await;
    assert!(email.text.contains(&format!("https://gate.example{LINK}")), "{}", email.text);
    assert!(!email.text.contains("evil") && !email.html.contains("evil"));
    assert_eq!(sly.get(&email.link(LINK)).await.location(), Some(FORM));
    assert!(sly.cookie("__Host-link").is_some());
}

#[on_both]
async fn what_a_mail_program_glues_to_the_link_is_ignored(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;
    for glued in [".", "%3E", "),", "%22", "%E3%80%82", "..."] {
        let arrival = app.visitor().get(&format!("{link}{glued}")).await;
        assert_eq!(arrival.location(), Some(FORM), "{glued}");
    }
    for other in ["x", "-", "a.b"] {
        assert_eq!(app.visitor().get(&format!("{link}{other}")).await.status(), 404, "{other}");
    }

    let sent = app.visitor().sets_new_password(&format!("{link}."), NEW).await;

    assert_eq!(sent.location(), Some("/account/login"));
    assert!(can_log_in(&app, "ada@example.com", NEW).await);
}

#[on_both]
async fn the_form_names_the_account_for_password_managers(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app, "ada@example.com").await;
    let mut ada = app.visitor();
    ada.get(&link).await;
    for page in [ada.get(FORM).await, ada.sets_new_password(FORM, "weak").await] {
        let field = "form input[autocomplete=username][hidden]";
        assert_eq!(page.attribute(field, "value").as_deref(), Some("ada@example.com"));
    }
}
