//! The settings, as staff see them.

use daemun::testing::types::Permission;

use crate::support::{TestEnv, on_both};

const SETTINGS: &str = "/admin/settings";

#[on_both]
async fn the_settings_need_their_permission(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut other = app.staff("other", &[Permission::UsersView, Permission::AuditView]).await;
    let mut reader = app.staff("reader", &[Permission::SettingsView]).await;
    assert_eq!(app.visitor().get(SETTINGS).await.status(), 303);
    assert_eq!(ada.get(SETTINGS).await.status(), 403);
    assert_eq!(other.get(SETTINGS).await.status(), 403);
    assert_eq!(reader.get(SETTINGS).await.status(), 200);
}

#[on_both]
async fn secrets_are_never_shown(env: TestEnv) {
    let app = env
        .app_with(&[("mail_url", "smtp://daemun:hush-hush@127.0.0.1:1"), ("audience", "<b>x")])
        .await;
    let mut root = app.superuser("root").await;

    let page = root.get(SETTINGS).await;

    let text = page.text();
    assert!(!text.contains("hush-hush") && !text.contains("0123456789abcdef"));
    assert!(text.contains("smtp://daemun:***@127.0.0.1:1"), "{text}");
    assert!(!text.contains("<b>x"));
    let names = page.texts("tbody th");
    for name in ["secret_key", "public_url", "log_level", "port", "custom_claims"] {
        assert!(names.contains(&name.to_owned()), "{name}");
    }
    let values = page.texts("td");
    for default in ["5m", "14d", "90d", "0s", "ES256"] {
        assert!(values.contains(&default.to_owned()), "{default} as it may be given: {values:?}");
    }
}

#[on_both]
async fn findings_are_shown_here_and_on_the_dashboard(env: TestEnv) {
    let settings = [("trusted_proxies", "0.0.0.0/0")];
    let app = env.app_with(&settings).await;
    let mut root = app.superuser("root").await;

    let found = root.get(SETTINGS).await.texts(".findings .bad");
    let warned = root.get("/admin").await.texts(".banner li");

    assert!(found.len() >= 2, "{found:?}");
    assert!(warned.iter().all(|warning| found.contains(warning)), "{warned:?}");
    assert!(!warned.is_empty());
}
