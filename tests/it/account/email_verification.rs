//! Verifying the address of an account by a link.

use std::time::Duration;

use futures::future::join_all;
use rocket::http::Method;

use crate::support::{App, Browser, GOOD, World, on_both};

pub(crate) const VERIFY: &str = "/account/email/verify/";

pub(crate) const AGAIN: &str = "/account/email/verify";

pub(crate) const NOT_ME: &str = "/account/not-me/";

pub(crate) const ADA: &str = "ada@example.com";

const MINUTE: Duration = Duration::from_mins(1);

const DAY: Duration = Duration::from_hours(24);

/// A day but for its last second.
const NEARLY_A_DAY: Duration = Duration::from_secs(86_399);

/// The link of the last letter to ada.
pub(crate) async fn link(app: &App) -> String {
    app.letter_to(ADA).await.link(VERIFY)
}

pub(crate) async fn is_proved(app: &App) -> bool {
    app.number("SELECT COUNT(*) FROM users WHERE email_verified_at IS NOT NULL").await == 1
}

/// Another browser of ada's, or of whoever knows her password.
pub(crate) async fn another(app: &App) -> Browser<'_> {
    let mut browser = app.visitor();
    assert_eq!(browser.logs_in(ADA, GOOD).await.status(), 303);
    browser
}

#[on_both]
async fn whoever_joins_gets_a_letter_and_proves_the_address_with_one_button(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
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
    assert_eq!(app.events("email_verified").await, 1);
}

#[on_both]
async fn a_site_that_does_not_ask_writes_no_letter_and_shows_no_banner(world: World) {
    let app = world.app_with(&[("email_verification", "none")]).await;
    let mut ada = app.person("ada").await;

    let page = ada.get("/account/mypage").await;
    let answer = ada.submits(AGAIN, &[]).await;

    assert!(page.texts(".banner").is_empty());
    assert_eq!(answer.location(), Some("/account/mypage"));
    assert!(ada.get("/account/mypage").await.texts(".flash").is_empty(), "nothing was done");
    assert!(app.letters().await.is_empty());
    assert_eq!(app.number("SELECT COUNT(*) FROM one_time_links").await, 0);
}

#[on_both]
async fn the_banner_speaks_the_readers_language(world: World) {
    let app = world.app().await;
    let ada = app.person("ada").await;
    for (language, sentence, button) in [
        ("en", "Your email is not verified yet. Open the link that we sent you.", "Send again"),
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
async fn the_link_is_sent_again_but_not_twice_within_a_minute(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;

    let answer = ada.submits(AGAIN, &[]).await;
    let notice = ada.get("/account/mypage").await.texts(".flash");
    world.clock.advance(Duration::from_secs(59));
    let too_soon = ada.submits(AGAIN, &[]).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    assert_eq!(notice, ["We have sent you an email. Open the link in it."]);
    assert_eq!((too_soon.status(), too_soon.header("retry-after")), (429, Some("1")));
    assert_eq!(too_soon.h1(), "One moment, please");
    let sentence = "We have just sent several emails. Try again in 1 second.";
    assert_eq!(too_soon.texts(".lead"), [sentence]);
    assert_eq!(app.letters_to(ADA).await.len(), 2);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.submits(AGAIN, &[]).await.status(), 303);
}

#[on_both]
async fn the_language_buttons_on_the_refusal_lead_to_a_page(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    ada.submits(AGAIN, &[]).await;

    let page = ada.submits(AGAIN, &[]).await;

    let next = page.attribute(".languages input[name=next]", "value").expect("carried");
    assert_ne!(ada.get(&next).await.status(), 405, "{next}");
}

#[on_both]
async fn the_link_is_sent_five_times_a_day_and_older_ones_still_work(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let first = link(&app).await;

    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(ada.submits(AGAIN, &[]).await.status());
        world.clock.advance(MINUTE);
    }

    assert_eq!(statuses, [303, 303, 303, 303, 303, 429, 429, 429]);
    assert_eq!(app.letters_to(ADA).await.len(), 6, "the first one and five more");
    world.clock.advance(Duration::from_mins(24 * 60 - 10));
    assert_eq!(ada.submits(AGAIN, &[]).await.status(), 429, "still the same day");
    world.clock.advance(10 * MINUTE);
    assert_eq!(ada.submits(AGAIN, &[]).await.status(), 303);
    assert_eq!(ada.follows(&first).await.location(), Some("/account/mypage"));
}

#[on_both]
async fn parallel_clicks_on_send_again_send_one_letter(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let token = ada.token().await;

    let answers = join_all((0..8).map(|_| {
        let (mut tab, token) = (ada.clone(), token.clone());
        async move { tab.post(AGAIN, &[("csrf", &token)]).await.status() }
    }))
    .await;

    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    assert_eq!(app.letters_to(ADA).await.len(), 2);
}

#[on_both]
async fn whoever_has_proved_the_address_is_told_so_and_gets_no_letter(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    ada.follows(&link(&app).await).await;
    ada.get("/account/mypage").await;

    let answer = ada.submits(AGAIN, &[]).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    let notice = ada.get("/account/mypage").await.texts(".flash");
    assert_eq!(notice, ["Your email is verified."]);
    assert_eq!(app.letters_to(ADA).await.len(), 1);
}

#[on_both]
async fn a_verification_link_works_for_three_days(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let link = link(&app).await;
    world.clock.advance(2 * DAY + NEARLY_A_DAY);
    assert_eq!(app.visitor().get(&link).await.status(), 303);

    world.clock.advance(Duration::from_secs(1));

    assert_eq!(app.visitor().get(&link).await.status(), 404);
    assert_eq!(ada.submits(&link, &[]).await.status(), 404);
    assert!(!is_proved(&app).await);
}

#[on_both]
async fn a_link_that_was_used_is_dead_and_so_are_its_older_siblings(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let first = link(&app).await;
    ada.submits(AGAIN, &[]).await;
    let second = link(&app).await;
    assert_eq!(ada.follows(&second).await.status(), 303);
    let mut phone = another(&app).await;

    for dead in [&first, &second] {
        let page = app.visitor().get(dead).await;
        assert_eq!(page.status(), 404);
        assert_eq!(page.h1(), "Your email is already verified");
        assert_eq!(app.visitor().submits(dead, &[]).await.status(), 404);
    }

    assert!(phone.is_signed_in().await, "what is proved is not proved again");
    assert_eq!(app.events("email_verified").await, 1);
}

#[on_both]
async fn a_link_dies_when_the_address_changes(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let link = link(&app).await;
    let fields = [("email", "ada@new.example"), ("password", GOOD)];
    assert_eq!(ada.submits("/account/email/change", &fields).await.status(), 303);
    let letter = app.letter_to("ada@new.example").await;
    assert_eq!(ada.follows(&letter.link("/account/email/change/")).await.status(), 303);

    assert_eq!(app.visitor().get(&link).await.status(), 404);
    assert_eq!(app.visitor().submits(&link, &[]).await.status(), 404);
}

#[on_both]
async fn a_link_of_a_suspended_account_does_nothing(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let link = link(&app).await;
    app.execute("UPDATE users SET is_active = FALSE").await;

    assert_eq!(app.visitor().submits(&link, &[]).await.status(), 404);

    assert!(!is_proved(&app).await);
    let used = "SELECT COUNT(*) FROM one_time_links WHERE used_at IS NOT NULL";
    assert_eq!(app.number(used).await, 0);
}

#[on_both]
async fn a_link_does_nothing_at_another_door(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let letter = app.letter_to(ADA).await;
    let (verify, not_me) = (letter.link(VERIFY), letter.link(NOT_ME));
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
    assert!(!is_proved(&app).await);
}

#[on_both]
async fn a_mail_scanner_uses_nothing_up(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let letter = app.letter_to(ADA).await;
    for link in [letter.link(VERIFY), letter.link(NOT_ME)] {
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
    assert_eq!(app.number(used).await, 0);
    assert!(!is_proved(&app).await && ada.is_signed_in().await);
    assert_eq!(ada.follows(&letter.link(VERIFY)).await.status(), 303);
}

#[on_both]
async fn of_sixteen_who_press_the_button_at_once_one_succeeds(world: World) {
    let app = world.app().await;
    app.person("ada").await;
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
    assert_eq!(app.events("email_verified").await, 1);
}

#[on_both]
async fn every_letter_says_what_to_do_for_whoever_did_not_join(world: World) {
    let app = world.app().await;
    let mut eve = app.person("ada").await;
    eve.submits(AGAIN, &[]).await;

    for letter in app.letters_to(ADA).await {
        assert!(letter.text.contains("If you did not join, do not press the button."));
        assert!(letter.find_link(NOT_ME).is_some(), "{}", letter.text);
    }
}

#[on_both]
async fn the_token_is_in_no_address_and_on_no_page(world: World) {
    let app = world.app().await;
    let mut ada = app.visitor();
    app.person("ada").await;
    let link = link(&app).await;
    let token = link.rsplit('/').next().expect("a token");

    let arrival = ada.get(&link).await;
    let page = ada.get("/account/link").await;

    assert!(!arrival.text().contains(token) && !page.text().contains(token));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), arrival.header("referrer-policy"));
    assert_eq!(ada.cookie("link"), Some(token));
    let answer = ada.submits("/account/link", &[]).await;
    assert!(!answer.text().contains(token) && ada.cookie("link").is_none());
}

#[on_both]
async fn a_stranger_is_shown_the_way_in_and_no_form_without_its_token_counts(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let link = link(&app).await;
    ada.get(&link).await;

    assert_eq!(app.visitor().submits(AGAIN, &[]).await.location(), Some("/account/login"));
    for path in [AGAIN, "/account/link", &link] {
        assert_eq!(ada.post(path, &[]).await.status(), 403, "{path}");
    }

    assert_eq!(app.letters_to(ADA).await.len(), 1);
    assert!(!is_proved(&app).await);
}
