//! Joining.

use futures::future::join_all;
use rocket::http::ContentType;

use crate::support::browser::encode;
use crate::support::{GOOD, TestEnv, on_both};

#[on_both]
async fn a_new_user_is_signed_in_and_greeted(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor();

    let answer = ada.signs_up("Ada@Example.com", GOOD).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, Ada@Example.com!");
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM audit_events WHERE action = 'signup'").await,
        1
    );
}

#[on_both]
async fn gender_and_date_of_birth_are_stored(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor();

    ada.submits(
        "/account/join",
        &[
            ("email", "ada@example.com"),
            ("password1", GOOD),
            ("password2", GOOD),
            ("gender", "female"),
            ("date_of_birth", "1815-12-10"),
        ],
    )
    .await;

    assert!(!ada.is_signed_in().await, "nobody born in 1815 is alive");
    let answer = ada
        .submits(
            "/account/join",
            &[
                ("email", "ada@example.com"),
                ("password1", GOOD),
                ("password2", GOOD),
                ("gender", "female"),
                ("date_of_birth", "1985-12-10"),
            ],
        )
        .await;
    assert_eq!(answer.location(), Some("/account/mypage"));
    let facts = ada.get("/account/mypage").await.texts("dd");
    assert!(facts.contains(&"Female".into()) && facts.contains(&"1985-12-10".into()), "{facts:?}");
}

#[on_both]
async fn an_address_has_one_account_in_any_spelling(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;

    for email in ["ada@example.com", "ADA@example.com", "ada@EXAMPLE.COM", " ada@example.com "] {
        let page = app.visitor().signs_up(email, GOOD).await;
        assert_eq!(page.status(), 422);
        assert_eq!(page.field("email").errors, ["There is already an account with this email."]);
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 1);
}

#[on_both]
async fn of_sixteen_sign_ups_with_one_address_one_wins(env: TestEnv) {
    let app = env.app().await;
    let mut visitors = Vec::new();
    for _ in 0..16 {
        let mut visitor = app.visitor();
        let token = visitor.token().await;
        visitors.push((visitor, token));
    }

    let answers = join_all(visitors.iter_mut().map(|(visitor, token)| async move {
        let fields = [
            ("csrf", token.as_str()),
            ("email", "ada@example.com"),
            ("password1", GOOD),
            ("password2", GOOD),
        ];
        visitor.post("/account/join", &fields).await.status()
    }))
    .await;

    let won = answers.iter().filter(|status| **status == 303).count();
    let lost = answers.iter().filter(|status| **status == 422).count();
    assert_eq!((won, lost), (1, 15), "{answers:?}");
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 1);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM sessions").await, 1);
}

#[on_both]
async fn all_errors_are_shown_at_once_and_values_kept(env: TestEnv) {
    let app = env.app().await;

    let page = app
        .visitor()
        .submits(
            "/account/join",
            &[
                ("email", "ada"),
                ("password1", "123456"),
                ("password2", "1234567"),
                ("gender", "other"),
                ("date_of_birth", "28.02.1990"),
            ],
        )
        .await;

    assert_eq!(page.status(), 422);
    assert_eq!(page.field("email").value, "ada");
    assert_eq!(page.field("email").errors.len(), 1);
    assert_eq!(
        page.field("password1").errors,
        [
            "This password is too short. It must have at least 8 characters.",
            "This password is too common. Choose another one.",
            "A password can't be only digits.",
        ]
    );
    assert_eq!(page.field("password2").errors, ["The two passwords are not the same."]);
    assert!(page.field("gender").is_wrong && page.field("date_of_birth").is_wrong);
    assert_eq!(page.summary().len(), 7);
    assert_eq!(page.field("password1").value, "", "passwords never come back");
    assert!(!page.text().contains("1234567"));
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 0);
}

#[on_both]
async fn missing_fields_are_named(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().submits("/account/join", &[]).await;

    assert_eq!(page.status(), 422);
    assert_eq!(page.field("email").errors, ["Enter your email."]);
    assert_eq!(page.field("password1").errors, ["Enter the password."]);
    assert!(!page.field("gender").is_wrong && !page.field("date_of_birth").is_wrong);
}

#[on_both]
async fn invalid_utf8_is_reported_at_its_field(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let whole = format!(
        "csrf={token}&email=ada%40example.com&password1={0}&password2={0}",
        "long+enough+sentence"
    );
    for (body, field) in [
        (whole.replace("ada", "a%00da"), "email"),
        (whole.replace("ada", "a%FFda"), "email"),
        (whole.replace("password1=", "password1=%00"), "password1"),
        (format!("{whole}&email=eve%40example.com"), "email"),
        (format!("{whole}&gender=male&gender=female"), "gender"),
        (format!("{whole}&date_of_birth=1990-01-01%00"), "date_of_birth"),
    ] {
        let sent = Some((ContentType::Form, body.into_bytes()));
        let page = visitor.send(rocket::http::Method::Post, "/account/join", sent).await;
        assert_eq!(page.status(), 422, "{field}");
        assert!(page.field(field).is_wrong, "{field}: {:?}", page.summary());
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 0);
}

#[on_both]
async fn values_that_are_too_long_are_refused(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    let long = "가".repeat(129);

    let page = visitor.signs_up(&format!("{}@example.com", "a".repeat(300)), &long).await;

    assert_eq!(page.status(), 422);
    assert_eq!(page.field("email").errors, ["An email address can have at most 254 characters."]);
    assert_eq!(
        page.field("password1").errors,
        ["This password is too long. It can have at most 128 characters.",]
    );
}

#[on_both]
async fn a_body_of_a_megabyte_gets_a_page_of_the_site(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().signs_up("ada@example.com", &"x".repeat(1 << 20)).await;

    assert_eq!(page.status(), 413);
    assert_eq!(page.h1(), "That is too much at once");
}

#[on_both]
async fn a_password_must_not_resemble_the_address(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().signs_up("lovelace@example.com", "lovelace1").await;

    let errors = page.field("password1").errors;
    assert_eq!(errors, ["This password is too similar to your email."]);
}

#[on_both]
async fn the_minimum_password_length_is_a_setting(env: TestEnv) {
    let app = env.app_with(&[("password_min_length", "30")]).await;

    let page = app.visitor().signs_up("ada@example.com", GOOD).await;

    let errors = page.field("password1").errors;
    assert_eq!(errors, ["This password is too short. It must have at least 30 characters."]);
}

#[on_both]
async fn signing_up_makes_no_staff(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.visitor();

    let answer = eve
        .submits(
            "/account/join",
            &[
                ("email", "eve@example.com"),
                ("password1", GOOD),
                ("password2", GOOD),
                ("is_staff", "true"),
                ("is_superuser", "1"),
                ("id", "1"),
                ("user[is_staff]", "true"),
                ("email_verified_at", "1"),
                ("password_hash", "x"),
            ],
        )
        .await;

    assert_eq!(answer.status(), 303);
    let flags = "SELECT COUNT(*) FROM users WHERE is_staff OR is_superuser OR email_verified_at IS NOT NULL";
    assert_eq!(app.query_number(flags).await, 0);
}

#[on_both]
async fn a_closed_site_says_so_and_creates_no_account(env: TestEnv) {
    let app = env.app_with(&[("signup", "closed")]).await;
    let mut visitor = app.visitor();

    for page in ["/", "/account/login"] {
        let ways = visitor.get(page).await.attribute("a[href^='/account/join']", "href");
        assert_eq!(ways, None, "{page} leads nobody to a closed door");
    }
    assert_eq!(visitor.get("/account/join").await.h1(), "Sign-up is closed");
    let answer = visitor.signs_up("ada@example.com", GOOD).await;

    assert_eq!((answer.status(), answer.h1().as_str()), (403, "Sign-up is closed"));
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 0);
}

#[on_both]
async fn a_new_user_arrives_at_next(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor();
    let page = ada.get("/account/join?next=/admin/users%3Fq%3Da").await;
    let next = page.attribute("input[name=next]", "value").expect("carried along");

    let answer = ada
        .submits(
            "/account/join",
            &[
                ("email", "ada@example.com"),
                ("password1", GOOD),
                ("password2", GOOD),
                ("next", &next),
            ],
        )
        .await;

    assert_eq!(answer.location(), Some("/admin/users?q=a"));
}

#[on_both]
async fn a_refused_form_keeps_next(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().submits("/account/join", &[("next", "/admin/users")]).await;

    assert_eq!(page.attribute("input[name=next]", "value").as_deref(), Some("/admin/users"));
}

#[on_both]
async fn a_signed_in_user_is_sent_on(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    assert_eq!(ada.get("/account/join").await.location(), Some("/account/mypage"));
}

#[on_both]
async fn signing_up_again_replaces_the_session(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut as_before = ada.clone();

    let answer = ada.signs_up("eve@example.com", GOOD).await;

    assert_eq!(answer.status(), 303);
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, eve@example.com!");
    assert!(!as_before.is_signed_in().await);
}

#[on_both]
async fn a_json_body_is_refused(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    visitor.token().await;
    for kind in [ContentType::Plain, ContentType::JSON] {
        let sent = Some((kind, encode(&[("email", "ada@example.com")])));
        let page = visitor.send(rocket::http::Method::Post, "/account/join", sent).await;
        assert_eq!(page.status(), 415);
    }
}

#[on_both]
async fn the_form_is_labelled_for_password_managers(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().get("/account/join").await;

    let autocomplete = |name| page.field(name).autocomplete;
    assert_eq!(autocomplete("email"), "username");
    assert_eq!(autocomplete("password1"), "new-password");
    assert_eq!(autocomplete("password2"), "new-password");
    assert_eq!(autocomplete("gender"), "sex");
    assert_eq!(autocomplete("date_of_birth"), "bday");
}

#[on_both]
async fn the_page_is_in_korean_too(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor().with("Accept-Language", "ko-KR,ko;q=0.9");

    let page = visitor.signs_up("ada", "1234").await;

    assert_eq!(page.language(), "ko");
    assert_eq!(
        page.field("password1").errors,
        [
            "비밀번호가 너무 짧습니다. 8자 이상이어야 합니다.",
            "너무 흔히 쓰이는 비밀번호입니다. 다른 비밀번호를 정해 주세요.",
            "숫자로만 된 비밀번호는 쓸 수 없습니다.",
        ]
    );
}
