//! Verifying the address of an account by a link.

use std::time::Duration;

use futures::future::join_all;
use rocket::http::Method;

use crate::support::{App, Browser, GOOD, TestEnv, on_both};

pub(crate) const VERIFY: &str = "/account/email/verify/";

pub(crate) const AGAIN: &str = "/account/email/verify";

pub(crate) const NOT_ME: &str = "/account/not-me/";

pub(crate) const ADA: &str = "ada@example.com";

const MINUTE: Duration = Duration::from_mins(1);

const DAY: Duration = Duration::from_hours(24);

/// A day but for its last second.
const NEARLY_A_DAY: Duration = Duration::from_secs(86_399);

/// The link of the last e-mail to ada.
pub(crate) async fn link(app: &App) -> String {
    app.last_email_to(ADA).await.link(VERIFY)
}

pub(crate) async fn is_verified(app: &App) -> bool {
    app.query_number("SELECT COUNT(*) FROM users WHERE email_verified_at IS NOT NULL").await == 1
}

/// Another browser of ada's, or of a thief who knows the password.
pub(crate) async fn another(app: &App) -> Browser<'_> {
    let mut browser = app.visitor();
    assert_eq!(browser.logs_in(ADA, GOOD).await.status(), 303);
    browser
}

#[on_both]
async fn signing_up_sends_a_link_that_verifies_with_one_button(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    assert_eq!(ada.get("/account/mypage").await.texts(".banner").len(), 1);
    let link = link(&app).await;

    assert_eq!(ada.get(&link).await.location(), Some("/account/link"));
    let page = ada.get("/account/link").await;
    assert_eq!((page.status(), page.h1().as_str()), (200, "Verify your email"));
    let answer = ada.submits("/account/link", &[]).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    let page = ada.get("/account/mypage").await;
    assert_eq!(page.texts(".flash"), ["Your email is verified."]);
    assert!(page.texts(".banner").is_empty());
    assert!(ada.get("/account/mypage").await.texts(".flash").is_empty(), "said once");
    assert_eq!(app.audit_event_count("email_verified").await, 1);
}

#[on_both]
async fn without_verification_there_is_no_email_and_no_banner(env: TestEnv) {
    let app = env.app_with(&[("email_verification", "none")]).await;
    let mut ada = app.user("ada").await;

    let page = ada.get("/account/mypage").await;
    let answer = ada.submits(AGAIN, &[]).await;

    assert!(page.texts(".banner").is_empty());
    assert_eq!(answer.location(), Some("/account/mypage"));
    assert!(ada.get("/account/mypage").await.texts(".flash").is_empty(), "nothing was done");
    assert!(app.emails().await.is_empty());
    assert_eq!(app.query_number("SELECT COUNT(*) FROM one_time_links").await, 0);
}

#[on_both]
async fn the_banner_speaks_the_readers_language(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    for (language, sentence, button) in [
        ("en", "Your email isn't verified yet. Open the link we sent you.", "Send again"),
        (
            "ko",
            "아직 이메일을 확인하지 않으셨습니다. 보내 드린 메일의 링크를 열어 주세요.",
            "다시 보내기",
        ),
    ] {
        let page = ada.clone().with("Accept-Language", language).get("/account/mypage").await;
        assert_eq!(page.texts(".banner p"), [sentence]);
        assert_eq!(page.texts(".banner button"), [button]);
    }
}

#[on_both]
async fn the_link_is_resent_at_most_once_a_minute(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let answer = ada.submits(AGAIN, &[]).await;
    let notice = ada.get("/account/mypage").await.texts(".flash");
    env.clock.advance(Duration::from_secs(59));
    let too_soon = ada.submits(AGAIN, &[]).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    assert_eq!(notice, ["We've sent you an email. Open the link in it."]);
    assert_eq!((too_soon.status(), too_soon.header("retry-after")), (429, Some("1")));
    assert_eq!(too_soon.h1(), "One moment, please");
    let sentence = "We've emailed you very recently. Try again in 1 second.";
    assert_eq!(too_soon.texts(".lead"), [sentence]);
    assert_eq!(app.emails_to(ADA).await.len(), 2);
    env.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.submits(AGAIN, &[]).await.status(), 303);
}

#[on_both]
async fn the_refusal_page_can_change_its_language(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.submits(AGAIN, &[]).await;

    let page = ada.submits(AGAIN, &[]).await;

    let next = page.attribute(".languages input[name=next]", "value").expect("carried");
    assert_ne!(ada.get(&next).await.status(), 405, "{next}");
}

#[on_both]
async fn the_link_is_resent_five_times_a_day(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let first = link(&app).await;

    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(ada.submits(AGAIN, &[]).await.status());
        env.clock.advance(MINUTE);
    }

    assert_eq!(statuses, [303, 303, 303, 303, 303, 429, 429, 429]);
    assert_eq!(app.emails_to(ADA).await.len(), 6, "the first one and five more");
    env.clock.advance(Duration::from_mins(24 * 60 - 10));
    assert_eq!(ada.submits(AGAIN, &[]).await.status(), 429, "still the same day");
    env.clock.advance(10 * MINUTE);
    assert_eq!(ada.submits(AGAIN, &[]).await.status(), 303);
    assert_eq!(ada.follows_link(&first).await.location(), Some("/account/mypage"));
}

#[on_both]
async fn parallel_requests_send_one_email(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;

    let answers = join_all((0..8).map(|_| {
        let (mut tab, token) = (ada.clone(), token.clone());
        async move { tab.post(AGAIN, &[("csrf", &token)]).await.status() }
    }))
    .await;

    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    assert_eq!(app.emails_to(ADA).await.len(), 2);
}

#[on_both]
async fn a_verified_user_gets_a_message_and_no_email(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.follows_link(&link(&app).await).await;
    ada.get("/account/mypage").await;

    let answer = ada.submits(AGAIN, &[]).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    let notice = ada.get("/account/mypage").await.texts(".flash");
    assert_eq!(notice, ["Your email is verified."]);
    assert_eq!(app.emails_to(ADA).await.len(), 1);
}

#[on_both]
async fn the_link_works_for_three_days(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app).await;
    env.clock.advance(2 * DAY + NEARLY_A_DAY);
    assert_eq!(app.visitor().get(&link).await.status(), 303);

    env.clock.advance(Duration::from_secs(1));

    assert_eq!(app.visitor().get(&link).await.status(), 404);
    assert_eq!(ada.submits(&link, &[]).await.status(), 404);
    assert!(!is_verified(&app).await);
}

#[on_both]
async fn a_used_link_and_its_older_copies_are_invalid(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let first = link(&app).await;
    ada.submits(AGAIN, &[]).await;
    let second = link(&app).await;
    assert_eq!(ada.follows_link(&second).await.status(), 303);
    let mut phone = another(&app).await;

    for dead in [&first, &second] {
        let page = app.visitor().get(dead).await;
        assert_eq!(page.status(), 404);
        assert_eq!(page.h1(), "Your email is already verified");
        assert_eq!(app.visitor().submits(dead, &[]).await.status(), 404);
    }

    assert!(phone.is_signed_in().await, "what is proved is not proved again");
    assert_eq!(app.audit_event_count("email_verified").await, 1);
}

#[on_both]
async fn a_change_of_address_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app).await;
    let fields = [("email", "ada@new.example"), ("password", GOOD)];
    assert_eq!(ada.submits("/account/email/change", &fields).await.status(), 303);
    let email = app.last_email_to("ada@new.example").await;
    assert_eq!(ada.follows_link(&email.link("/account/email/change/")).await.status(), 303);

    assert_eq!(app.visitor().get(&link).await.status(), 404);
    assert_eq!(app.visitor().submits(&link, &[]).await.status(), 404);
}

#[on_both]
async fn the_link_of_a_suspended_account_does_nothing(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app).await;
    app.deactivates("ada").await;

    assert_eq!(app.visitor().submits(&link, &[]).await.status(), 404);

    assert!(!is_verified(&app).await);
    let used = "SELECT COUNT(*) FROM one_time_links WHERE used_at IS NOT NULL";
    assert_eq!(app.query_number(used).await, 0);
}

#[on_both]
async fn the_link_works_only_for_its_purpose(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let email = app.last_email_to(ADA).await;
    let (verify, not_me) = (email.link(VERIFY), email.link(NOT_ME));
    let verify = verify.rsplit('/').next().expect("a token");
    let not_me = not_me.rsplit('/').next().expect("a token");

    for path in [
        format!("{NOT_ME}{verify}"),
        format!("{VERIFY}{not_me}"),
        format!("/account/email/change/{verify}"),
        format!("/account/email/undo/{verify}"),
        format!("/account/password/reset/{verify}"),
        format!("{VERIFY}{verify}x"),
        format!("{VERIFY}rubbish"),
    ] {
        assert_eq!(app.visitor().get(&path).await.status(), 404, "{path}");
        let new = "another long sentence";
        let fields = [("new_password1", new), ("new_password2", new)];
        assert_eq!(app.visitor().submits(&path, &fields).await.status(), 404, "{path}");
    }
    assert!(!is_verified(&app).await);
}

#[on_both]
async fn opening_the_link_does_not_use_it(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let email = app.last_email_to(ADA).await;
    for link in [email.link(VERIFY), email.link(NOT_ME)] {
        for method in [Method::Get, Method::Head] {
            for _ in 0..20 {
                let mut scanner = app.visitor().with("User-Agent", "SafeLinks/1.0");
                scanner.send(method, &link, None).await;
                scanner.send(method, "/account/link", None).await;
                scanner.post(&link, &[]).await;
            }
        }
    }

    let used = "SELECT COUNT(*) FROM one_time_links WHERE used_at IS NOT NULL";
    assert_eq!(app.query_number(used).await, 0);
    assert!(!is_verified(&app).await && ada.is_signed_in().await);
    assert_eq!(ada.follows_link(&email.link(VERIFY)).await.status(), 303);
}

#[on_both]
async fn of_sixteen_confirmations_at_once_one_wins(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app).await;
    let mut ready = Vec::new();
    for _ in 0..16 {
        let mut visitor = app.visitor();
        let token = visitor.token().await;
        ready.push((visitor, token));
    }

    let answers = join_all(ready.iter_mut().map(|(visitor, token)| {
        let link = link.as_str();
        async move { visitor.post(link, &[("csrf", token)]).await.status() }
    }))
    .await;

    let count = |status| answers.iter().filter(|it| **it == status).count();
    assert_eq!((count(303), count(404)), (1, 15), "{answers:?}");
    assert_eq!(app.audit_event_count("email_verified").await, 1);
}

#[on_both]
async fn every_email_says_how_to_report_a_foreign_sign_up(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("ada").await;
    eve.submits(AGAIN, &[]).await;

    for email in app.emails_to(ADA).await {
        assert!(email.text.contains("If you didn't sign up, don't press the button."));
        assert!(email.find_link(NOT_ME).is_some(), "{}", email.text);
    }
}

#[on_both]
async fn the_token_is_in_no_url_and_on_no_page(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor();
    app.user("ada").await;
    let link = link(&app).await;
    let token = link.rsplit('/').next().expect("a token");

    let arrival = ada.get(&link).await;
    let page = ada.get("/account/link").await;

    assert!(!arrival.text().contains(token) && !page.text().contains(token));
    assert_eq!(page.header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(page.header("referrer-policy"), arrival.header("referrer-policy"));
    assert_eq!(ada.cookie("link"), Some(token));
    let answer = ada.submits("/account/link", &[]).await;
    assert!(!answer.text().contains(token) && ada.cookie("link").is_none());
}

#[on_both]
async fn a_visitor_is_sent_to_login_and_forms_need_a_token(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app).await;
    ada.get(&link).await;

    assert_eq!(app.visitor().submits(AGAIN, &[]).await.location(), Some("/account/login"));
    for path in [AGAIN, "/account/link", &link] {
        assert_eq!(ada.post(path, &[]).await.status(), 403, "{path}");
    }

    assert_eq!(app.emails_to(ADA).await.len(), 1);
    assert!(!is_verified(&app).await);
}

#[on_both]
async fn a_link_with_a_full_stop_behind_it_works(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app).await;

    let arrival = ada.get(&format!("{link}.")).await;

    assert_eq!(arrival.location(), Some("/account/link"));
    ada.submits("/account/link", &[]).await;
    assert!(is_verified(&app).await);
}
