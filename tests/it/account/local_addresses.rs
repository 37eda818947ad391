//! Addresses that no mail leaves this machine or network for: refused at every entry, unless the
//! settings allow them. And what the JSON API takes for a name and a date.

use serde_json::json;

use crate::admin::user_import::uploads;
use crate::social::social_login::{logs_in_by_provider, with_issuer};
use crate::support::process::Sandbox;
use crate::support::{ApiClient, GOOD, TestEnv, on_both};

const LOCAL: [&str; 4] = ["ada@localhost", "ada@LOCALHOST", "ada@dev.localhost", "ada@intranet"];
const SENTENCE: &str = "We can't send email to this address";

#[on_both]
async fn local_addresses_are_refused_everywhere(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let mut eve = app.user("eve").await;
    let eves = app.id_of("eve").await;
    for email in LOCAL {
        let page = app.visitor().signs_up(email, GOOD).await;
        assert_eq!(page.status(), 422, "{email}");
        assert!(page.field("email").errors[0].contains(SENTENCE), "{email}: {}", page.text());
        let body = json!({ "email": email, "password1": GOOD, "password2": GOOD });
        let reply = app.api_client().post("/api/account/join", body).await;
        assert_eq!(reply.status(), 400, "{email}: {}", reply.json);
        assert!(reply.json["email"][0].as_str().is_some_and(|it| it.contains(SENTENCE)));
        let page = eve.requests_email_change(email, GOOD).await;
        assert!(page.field("email").errors[0].contains(SENTENCE), "{email}: {}", page.text());
        let page = root.submits("/admin/users/new", &[("email", email), ("is_active", "on")]).await;
        assert!(page.field("email").errors[0].contains(SENTENCE), "{email}: {}", page.text());
        let mut program = ApiClient::new(root.clone());
        let reply = program.post("/api/users", json!({ "email": email })).await;
        assert_eq!(reply.status(), 400, "{email}: {}", reply.json);
        let reply = program.patch(&format!("/api/users/{eves}"), json!({ "email": email })).await;
        assert_eq!(reply.status(), 400, "{email}: {}", reply.json);
        let page = uploads(&mut root, format!("email\n{email}\n").as_bytes(), false).await;
        assert!(page.texts("tbody tr")[0].contains(SENTENCE), "{email}: {}", page.text());
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 2);
    assert_eq!(app.visitor().logs_in("ada@localhost", GOOD).await.status(), 422, "no account");
}

#[on_both]
async fn a_local_address_is_reported_with_other_errors(env: TestEnv) {
    let app = env.app().await;
    let fields = [("email", LOCAL[0]), ("password1", "Seoul2024!"), ("password2", "x")];

    let page = app.visitor().submits("/account/join", &fields).await;
    let body = json!({ "email": LOCAL[0], "password1": "Seoul2024!", "password2": "x" });
    let reply = app.api_client().post("/api/account/join", body).await;

    assert!(page.field("email").errors[0].contains(SENTENCE), "{}", page.text());
    assert!(page.field("password1").is_wrong && page.field("password2").is_wrong);
    assert!(reply.json["email"][0].as_str().is_some_and(|it| it.contains(SENTENCE)));
    assert!(reply.json["password1"].is_array(), "{}", reply.json);
}

#[on_both]
async fn a_provider_with_a_local_address_makes_no_account(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let said = json!({ "sub": "eve", "email": "eve@intranet" });

    let page = logs_in_by_provider(&mut app.visitor(), &app, &provider, &said).await;

    assert_eq!(page.status(), 422, "{}", page.text());
    assert!(page.text().contains("only works in its own network"), "{}", page.text());
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users WHERE NOT is_superuser").await, 0);
    let app = env.app_with(&[("allow_local_email", "true")]).await;
    let page = logs_in_by_provider(&mut app.visitor(), &app, &provider, &said).await;
    assert_eq!(page.location(), Some("/?a=b"), "{}", page.text());
    app.discards_emails().await;
}

#[on_both]
async fn local_addresses_are_accepted_if_configured(env: TestEnv) {
    let app = env.app_with(&[("allow_local_email", "true")]).await;
    for email in ["ada@localhost", "eve@intranet"] {
        let page = app.visitor().signs_up(email, GOOD).await;
        assert_eq!(page.location(), Some("/account/mypage"), "{email}: {}", page.text());
        let page = app.visitor().logs_in(email, GOOD).await;
        assert_eq!(page.location(), Some("/account/mypage"), "{email}");
    }
    let app = env.app().await;
    let page = app.visitor().logs_in("ada@localhost", GOOD).await;
    assert_eq!(page.location(), Some("/account/mypage"), "who is here already stays");
}

#[on_both]
async fn the_api_takes_strings_for_names_and_days_for_dates(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.api_user("ada").await.with_bearer();
    let mut root = ApiClient::new(app.superuser("root").await);
    let id = app.id_of("ada").await;
    for (field, value, said) in [
        ("name", json!(0), "Not a valid string."),
        ("name", json!(7.5), "Not a valid string."),
        ("name", json!(true), "Not a valid string."),
        ("date_of_birth", json!(""), "Date has wrong format"),
        ("date_of_birth", json!(19_900_228), "Date has wrong format"),
    ] {
        let join = json!({ "email": "new@example.com", "password1": GOOD, "password2": GOOD, field: value });
        for reply in [
            ada.patch("/api/account/user", json!({ field: value })).await,
            ada.put("/api/account/user", json!({ field: value })).await,
            app.api_client().post("/api/account/join", join).await,
            root.patch(&format!("/api/users/{id}"), json!({ field: value })).await,
            root.post("/api/users", json!({ "email": "new@example.com", field: value })).await,
        ] {
            assert_eq!(reply.status(), 400, "{field} {value}: {}", reply.json);
            let sentence = reply.json[field][0].as_str().unwrap_or_default();
            assert!(sentence.starts_with(said), "{field} {value}: {}", reply.json);
        }
    }
    let reply = ada.patch("/api/account/user", json!({ "name": "0", "date_of_birth": null })).await;
    assert_eq!((reply.status(), reply.json["name"].as_str()), (200, Some("0")));
}

#[test]
fn a_superuser_may_have_a_local_address_on_test_sites() {
    let made = |machine: &Sandbox| {
        machine.runs_with(&["createsuperuser", "--email", "root@localhost"], GOOD)
    };
    let home = Sandbox::new().with("LANG", "C.UTF-8").with_cheap_hashing();
    assert_eq!(made(&home).code(), Some(0));

    let site = || {
        let site = Sandbox::new().with("LANG", "C.UTF-8").with_cheap_hashing();
        site.with("ROCKET_PUBLIC_URL", "https://gate.example")
    };
    let said = made(&site());
    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.error_line().contains(SENTENCE), "{said:#?}");
    assert_eq!(made(&site().with("ROCKET_ALLOW_LOCAL_EMAIL", "true")).code(), Some(0));
}
