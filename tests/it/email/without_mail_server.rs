//! A real site without a mail server: its e-mails are only files, and it says so wherever
//! it would say that one was sent.

use serde_json::json;

use crate::support::{GOOD, TestEnv, on_both};

const SITE: (&str, &str) = ("public_url", "https://gate.example");
const CANNOT: &str = "send email yet";
const NO_SERVER: &str = "send email: there is no mail server";

#[on_both]
async fn pages_do_not_claim_that_an_email_was_sent(env: TestEnv) {
    let app = env.app_with(&[SITE, ("email_verification", "mandatory")]).await;
    let mut ada = app.visitor();

    let asked = ada.requests_password_reset("nobody@example.com").await;
    let reset = ada.get(asked.location().expect("leads on")).await;
    let form = ada.get("/account/password/reset").await;
    let joined = ada.signs_up("ada@example.com", GOOD).await;
    let joined = ada.get(joined.location().expect("leads on")).await;

    for page in [&reset, &form, &joined] {
        assert!(page.text().contains(CANNOT), "{}", page.text());
        assert!(!page.text().contains("ve sent"), "{}", page.text());
    }
    assert_eq!(
        (reset.h1(), joined.h1()),
        ("No email will arrive".into(), "No email will arrive".into())
    );
    let mut korean = app.visitor().with("Accept-Language", "ko");
    let page = korean.get("/account/join/sent").await;
    assert!(page.text().contains("메일을 보낼 수 없"), "{}", page.text());
    let mut program = app.api_client();
    let reply =
        program.post("/api/account/password/reset", json!({ "email": "x@example.com" })).await;
    assert!(reply.text("detail").contains(CANNOT), "{}", reply.json);
    let body = json!({ "email": "eve@example.com", "password1": GOOD, "password2": GOOD });
    let reply = program.post("/api/account/join", body).await;
    assert!(reply.status() == 201 && reply.text("detail").contains(CANNOT), "{}", reply.json);
    app.discards_emails().await;
}

#[on_both]
async fn users_see_it_on_their_pages(env: TestEnv) {
    let app = env.app_with(&[SITE]).await;
    let mut ada = app.user("ada").await;

    let page = ada.get("/account/mypage").await;
    assert!(page.text().contains(CANNOT), "the reminder: {}", page.text());
    let form = ada.get("/account/email/change").await;
    assert!(form.text().contains(CANNOT), "{}", form.text());
    let asked = ada.requests_email_change("new@example.com", GOOD).await;
    let page = ada.get(asked.location().expect("leads on")).await;
    assert!(page.texts(".flash")[0].contains(CANNOT), "{:?}", page.texts(".flash"));
    app.discards_emails().await;
}

#[on_both]
async fn staff_see_it_on_the_dashboard_and_the_email_page(env: TestEnv) {
    let app = env.app_with(&[SITE]).await;
    let mut reader = app.staff("reader", &[daemun::testing::types::Permission::AuditView]).await;

    for path in ["/admin", "/admin/mail"] {
        let banner = reader.get(path).await.texts(".banner").join(" ");
        assert!(banner.contains(NO_SERVER), "{path}: {banner}");
    }
    app.discards_emails().await;
}

#[on_both]
async fn with_a_mail_server_nothing_changes(env: TestEnv) {
    for settings in [&[][..], &[SITE, ("mail_url", "smtp://127.0.0.1:1")]] {
        let app = env.app_with(settings).await;
        let mut visitor = app.visitor();

        let page = visitor.get("/account/join/sent").await;
        assert!(page.text().contains("ve sent you an email"), "{}", page.text());
        let mut root = app.superuser(&format!("root{}", settings.len())).await;
        for path in ["/admin", "/admin/mail"] {
            assert!(!root.get(path).await.text().contains(NO_SERVER), "{path}");
        }
        app.discards_emails().await;
    }
}
