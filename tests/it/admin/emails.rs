//! E-mails, as staff see them.

use daemun::testing::types::Permission;

use crate::support::{App, TestEnv, on_both};

const BOX: &str = "/admin/mail";

/// An e-mail that failed and waits, one that is finished, and one that was given up.
async fn three_emails(app: &App) {
    app.discards_emails().await;
    for (id, due, sent, failed, reason) in [
        (101, "9000000000000000", "NULL", "NULL", "<script>alert(1)</script>"),
        (102, "NULL", "1", "NULL", ""),
        (103, "NULL", "NULL", "1", "550 no such user"),
    ] {
        app.execute(&format!(
            "INSERT INTO outbox (id, recipient, language, kind, sealed, created_at, due_at, \
             expires_at, attempts, sent_at, failed_at, last_error) VALUES ({id}, 'a{id}@example.com', \
             'en', 'reset_password', '', 1, {due}, 9000000000000000, 1, {sent}, {failed}, '{reason}')"
        ))
        .await;
    }
}

#[on_both]
async fn emails_need_the_audit_permission(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut other = app.staff("other", &[Permission::UsersView, Permission::SettingsView]).await;
    let mut reader = app.staff("reader", &[Permission::AuditView]).await;
    three_emails(&app).await;
    assert_eq!(app.visitor().get(BOX).await.status(), 303);
    assert_eq!(ada.get(BOX).await.status(), 403);
    assert_eq!(other.get(BOX).await.status(), 403);
    let page = reader.get(BOX).await;
    assert_eq!(page.status(), 200);
    assert!(page.texts("td form").is_empty(), "may look only");
    for browser in [&mut ada, &mut other, &mut reader] {
        assert_eq!(browser.submits("/admin/mail/101/retry", &[]).await.status(), 403);
    }
}

#[on_both]
async fn emails_are_listed_by_state(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    three_emails(&app).await;
    for (query, found) in [
        ("", vec!["a103@example.com", "a102@example.com", "a101@example.com"]),
        ("?state=waiting", vec!["a101@example.com"]),
        ("?state=sent", vec!["a102@example.com"]),
        ("?state=failed", vec!["a103@example.com"]),
        ("?before=103", vec!["a102@example.com", "a101@example.com"]),
        (
            "?state=nonsense&before=x",
            vec!["a103@example.com", "a102@example.com", "a101@example.com"],
        ),
    ] {
        let page = root.get(&format!("{BOX}{query}")).await;
        assert_eq!(page.texts("tbody th"), found, "{query}");
    }
    let page = root.get(BOX).await;
    assert!(page.texts("tbody td").contains(&"550 no such user".to_owned()));
    assert!(page.texts("tbody td").contains(&"Password reset".to_owned()));
    assert!(!page.text().contains("<script>a"));
    assert!(root.get("/admin").await.text().contains("550 no such user"));
}

#[on_both]
async fn only_a_waiting_email_can_be_retried(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    three_emails(&app).await;
    let due = "SELECT COUNT(*) FROM outbox WHERE due_at < 9000000000000000";
    for email in ["102", "103", "999", "x"] {
        root.submits(&format!("/admin/mail/{email}/retry"), &[]).await;
        let said = root.get(BOX).await.texts(".flash");
        assert!(said[0].starts_with("This email can't be sent again"), "{email}: {said:?}");
    }
    let noted = "SELECT COUNT(*) FROM audit_events WHERE action = 'letter_retried'";
    assert_eq!((app.query_number(due).await, app.query_number(noted).await), (0, 0));

    let action = root.get(BOX).await.attribute("td form", "action").expect("a button");
    assert_eq!(root.submits(&action, &[]).await.location(), Some(BOX));

    assert_eq!(root.get(BOX).await.texts(".flash"), ["The email will be sent again now."]);
    assert_eq!((app.query_number(due).await, app.query_number(noted).await), (1, 1));
}
