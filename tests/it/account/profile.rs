//! What users say about themselves.

use std::time::Duration;

use crate::support::{App, TestEnv, on_both};

const PROFILE: &str = "/account/profile";
const MALFORMED: &str = "Enter the date as year-month-day, such as 1990-02-28.";

/// What the audit log records about changes of profiles.
async fn latest_details(app: &App) -> String {
    app.query_text("SELECT details FROM audit_events WHERE action = 'profile_changed'").await
}

#[on_both]
async fn changes_are_shown_at_once(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.get("/account/mypage").await;
    let fields =
        [("name", " Ada Lovelace "), ("gender", "female"), ("date_of_birth", "1985-12-10")];

    let answer = ada.submits(PROFILE, &fields).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    let page = ada.get("/account/mypage").await;
    assert_eq!(page.texts(".flash"), ["Your profile has been saved."]);
    let facts = page.texts("dd");
    assert_eq!(facts[1..4], ["Ada Lovelace", "Female", "1985-12-10"]);
    let page = ada.get(PROFILE).await;
    assert_eq!(page.field("name").value, "Ada Lovelace");
    assert_eq!(page.field("gender").value, "female");
    assert_eq!(page.field("date_of_birth").value, "1985-12-10");
    assert_eq!(page.header("cache-control"), Some("no-store, no-transform"));
}

#[on_both]
async fn an_emptied_field_is_cleared(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let fields = [("name", "Ada"), ("gender", "female"), ("date_of_birth", "1985-12-10")];
    ada.submits(PROFILE, &fields).await;

    ada.submits(PROFILE, &[("name", ""), ("gender", ""), ("date_of_birth", "")]).await;

    let left = "SELECT COUNT(*) FROM users \
        WHERE name <> '' OR gender IS NOT NULL OR date_of_birth IS NOT NULL";
    assert_eq!(app.query_number(left).await, 0);
}

#[on_both]
async fn another_node_shows_changes_within_seconds(env: TestEnv) {
    let app = env.app().await;
    let node = env.app().await;
    let mut ada = app.user("ada").await;
    let mut there = ada.clone().on(&node);
    there.get("/account/mypage").await;

    ada.submits(PROFILE, &[("name", "Ada")]).await;
    env.clock.advance(Duration::from_secs(2));

    assert!(there.get("/account/mypage").await.texts("dd").contains(&"Ada".into()));
}

#[on_both]
async fn only_plausible_dates_of_birth_are_accepted(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for (date, sentence) in [
        ("2026-03-02", "Date of birth must be in the past."),
        ("9999-12-31", "Date of birth must be in the past."),
        ("1895-12-31", "Check the year."),
        ("0001-01-01", "Check the year."),
        ("2023-02-29", MALFORMED),
        ("1990-13-01", MALFORMED),
        ("1990-00-10", MALFORMED),
        ("1990-1-1", MALFORMED),
        ("28.02.1990", MALFORMED),
        ("+1990-01-1", MALFORMED),
        ("-990-01-01", MALFORMED),
        ("1990-01-01T00:00", MALFORMED),
        (" 1990-01-01", MALFORMED),
        ("１９９０-01-01", MALFORMED),
    ] {
        let page = ada.submits(PROFILE, &[("name", "Ada"), ("date_of_birth", date)]).await;

        assert_eq!(page.status(), 422, "{date}");
        let field = page.field("date_of_birth");
        assert!(field.is_wrong, "{date}");
        assert_eq!(field.errors, [sentence], "{date}");
        assert_eq!(page.field("name").value, "Ada", "what was typed comes back");
        assert_eq!(page.summary(), [sentence]);
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users WHERE name <> ''").await, 0);
    for date in ["2026-03-01", "1896-01-01", "2024-02-29"] {
        let answer = ada.submits(PROFILE, &[("date_of_birth", date)]).await;
        assert_eq!(answer.status(), 303, "{date}");
    }
}

#[on_both]
async fn a_name_has_150_visible_characters_at_most(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let (longest, too_long) = ("가".repeat(150), "가".repeat(151));
    for (name, sentence) in [
        (too_long.as_str(), "A name can have at most 150 characters."),
        ("a\nb", "A name can't contain line breaks or control characters."),
        ("a\u{1b}[31mb", "A name can't contain line breaks or control characters."),
        ("a\u{85}b", "A name can't contain line breaks or control characters."),
    ] {
        let page = ada.submits(PROFILE, &[("name", name)]).await;
        assert_eq!(page.status(), 422, "{name:?}");
        assert_eq!(page.field("name").errors, [sentence]);
    }

    assert_eq!(ada.submits(PROFILE, &[("name", &longest)]).await.status(), 303);

    assert!(ada.get("/account/mypage").await.texts("dd").contains(&longest));
}

#[on_both]
async fn invalid_utf8_is_refused(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;
    for (rest, field) in [
        ("name=a%00b", "name"),
        ("name=a%FFb", "name"),
        ("name=a&name=b", "name"),
        ("gender=robot", "gender"),
        ("date_of_birth=1990-01-01%00", "date_of_birth"),
    ] {
        let body = format!("csrf={token}&{rest}").into_bytes();
        let form = Some((rocket::http::ContentType::Form, body));
        let page = ada.send(rocket::http::Method::Post, PROFILE, form).await;
        assert_eq!(page.status(), 422, "{rest}");
        assert!(page.field(field).is_wrong, "{rest}");
    }
    assert_eq!(app.audit_event_count("profile_changed").await, 0);
}

#[on_both]
async fn the_language_applies_to_pages_and_emails(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    assert_eq!(ada.get(PROFILE).await.field("language").value, "en");

    ada.submits(PROFILE, &[("language", "ko")]).await;

    assert_eq!(ada.get("/account/mypage").await.language(), "ko");
    assert_eq!(ada.get(PROFILE).await.field("language").value, "ko");
    ada.submits("/account/email/verify", &[]).await;
    let email = app.last_email_to("ada@example.com").await;
    assert!(email.subject.contains("이메일 주소를 확인해 주세요"), "{}", email.subject);
}

#[on_both]
async fn a_missing_language_is_kept_and_an_unknown_one_refused(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor().with("Accept-Language", "ko");
    ada.signs_up("ada@example.com", crate::support::GOOD).await;

    assert_eq!(ada.submits(PROFILE, &[("name", "에이다")]).await.status(), 303);
    assert_eq!(app.query_text("SELECT language FROM users").await, "ko");

    for unknown in ["fr", "KO", "en-US", "<script>", "1"] {
        let page = ada.submits(PROFILE, &[("language", unknown)]).await;
        assert_eq!(page.status(), 422, "{unknown}");
        assert_eq!(page.field("language").errors, ["목록에 있는 언어를 골라 주세요."]);
    }
    assert_eq!(app.query_text("SELECT language FROM users").await, "ko");
    assert_eq!(app.query_text("SELECT name FROM users").await, "에이다");
}

#[on_both]
async fn fields_outside_the_form_change_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("eve").await;
    app.user("ada").await;
    let fields = [
        ("name", "Eve"),
        ("is_staff", "true"),
        ("is_superuser", "1"),
        ("is_active", "false"),
        ("id", "2"),
        ("user_id", "2"),
        ("email", "root@example.com"),
        ("email_canonical", "root@example.com"),
        ("email_verified_at", "1"),
        ("password_hash", "x"),
        ("deletes_at", "1"),
        ("user[is_staff]", "true"),
        ("profile.is_staff", "true"),
    ];

    assert_eq!(eve.submits(PROFILE, &fields).await.status(), 303);

    let same = "SELECT COUNT(*) FROM users WHERE id = 1 AND name = 'Eve' \
        AND email = 'eve@example.com' AND email_canonical = 'eve@example.com' \
        AND email_verified_at IS NULL AND deletes_at IS NULL AND password_hash <> 'x' \
        AND is_active AND NOT is_staff AND NOT is_superuser";
    assert_eq!(app.query_number(same).await, 1);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users WHERE name = ''").await, 1, "ada's");
}

#[on_both]
async fn the_audit_log_names_changed_fields_without_values(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let fields = [("name", "Ada"), ("date_of_birth", "1985-12-10"), ("language", "en")];

    ada.submits(PROFILE, &fields).await;
    ada.submits(PROFILE, &fields).await;

    assert_eq!(latest_details(&app).await, r#"{"fields":["name","date_of_birth"]}"#);
    assert_eq!(
        app.audit_event_count("profile_changed").await,
        1,
        "the second time nothing changed"
    );
    let page = ada.get("/account/activity").await;
    assert!(page.texts("main").join(" ").contains("The profile was changed"));
}

#[on_both]
async fn a_name_with_markup_is_escaped(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("eve").await;
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onfocus='alert(1)' autofocus='",
        "</title><svg/onload=alert(1)>",
        "{{ 7 * 7 }} %{email}",
    ] {
        eve.submits(PROFILE, &[("name", name)]).await;

        let page = eve.get("/account/mypage").await;
        assert!(page.texts("dd").contains(&name.to_owned()), "{:?}", page.texts("dd"));
        assert!(page.texts("main script, main img, main svg[onload]").is_empty());
        let page = eve.get(PROFILE).await;
        assert_eq!(page.field("name").value, name);
        assert_eq!(page.attribute("[name=name]", "onfocus"), None);
        assert!(page.texts("main script, main img, main svg[onload]").is_empty());
        let wrong = eve.submits(PROFILE, &[("name", name), ("gender", "x")]).await;
        assert_eq!((wrong.status(), wrong.field("name").value.as_str()), (422, name));
    }
}

#[on_both]
async fn a_visitor_is_sent_to_login(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();

    let answer = visitor.get(PROFILE).await;

    assert_eq!(answer.location(), Some("/account/login?next=%2Faccount%2Fprofile"));
    let posted = visitor.submits(PROFILE, &[("name", "Eve")]).await;
    assert!(posted.location().expect("away").starts_with("/account/login"));
}
