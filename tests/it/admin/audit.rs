//! The audit log of the whole site.

use daemun::testing::audit;
use daemun::testing::audit::{AuditEvent, AuditEventKind};
use daemun::testing::types::{Permission, RequestInfo, UserId};
use serde_json::{Value, json};

use crate::support::{App, GOOD, TestEnv, on_both};

const LIST: &str = "/admin/audit";

/// Writes an event about what one user did to another.
async fn notes(app: &App, action: AuditEventKind, agent: &str, details: Value) {
    let transaction = app.ctx.db.begin().await.expect("a transaction");
    let info = RequestInfo::new("203.0.113.7".parse().ok(), agent, String::new(), None);
    let event =
        AuditEvent::on_user(UserId(2), action, &info).by_staff(UserId(1)).with_details(details);
    audit::record(&transaction, event, app.ctx.clock.now()).await.expect("recorded");
    transaction.commit().await.expect("committed");
}

#[on_both]
async fn the_csv_is_safe_for_spreadsheets(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for agent in ["=cmd", "＝cmd"] {
        app.visitor().with("User-Agent", agent).logs_in("root@example.com", GOOD).await;
    }

    let file = root.get("/admin/audit.csv").await;

    let text = String::from_utf8(file.bytes().to_vec()).expect("UTF-8");
    assert!(text.starts_with("\u{feff}id,at,action,"), "{text}");
    assert!(text.contains(",'=cmd,"), "{text}");
    assert!(!text.contains(",＝") && !text.contains(",="), "{text}");
}

#[on_both]
async fn the_audit_log_needs_its_permission(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut other = app.staff("other", &[Permission::UsersView, Permission::UsersChange]).await;
    let mut reader = app.staff("reader", &[Permission::AuditView]).await;
    let mut root = app.superuser("root").await;
    for path in [LIST, "/admin/audit.csv"] {
        assert_eq!(app.visitor().get(path).await.status(), 303, "{path}");
        assert_eq!(ada.get(path).await.status(), 403, "{path}");
        assert_eq!(other.get(path).await.status(), 403, "{path}");
        assert_eq!(reader.get(path).await.status(), 200, "{path}");
        assert_eq!(root.get(path).await.status(), 200, "{path}");
    }
}

#[on_both]
async fn an_event_shows_values_before_and_after(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    app.user("eve").await;
    let details = json!({
        "changes": { "name": ["<b>old</b>", "new"], "is_active": [true, false] },
        "reason": "<script>alert(1)</script>",
    });
    notes(&app, AuditEventKind::Deactivated, "<img src=x onerror=1>", details).await;

    let page = root.get(LIST).await;

    let row = page.texts("tbody tr:first-child th, tbody tr:first-child td").join(" | ");
    for part in [
        "The account was suspended",
        "Name: <b>old</b> → new",
        "Active: Yes → No",
        "Reason: <script>alert(1)</script>",
        "root@example.com #1",
        "eve@example.com #2",
        "203.0.113.7",
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
    assert!(!page.text().contains("<script>a") && !page.text().contains("<img src=x"));

    app.deletes_user("eve").await;
    let page = root.get(LIST).await;
    let row = page.texts("tbody tr:first-child td").join(" | ");
    assert!(row.contains("#2") && !row.contains("eve@"), "{row}");
}

#[on_both]
async fn the_audit_log_is_searchable(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.user("root").await;
    app.sets_roles("root", true, true).await;
    app.user("eve").await;
    notes(&app, AuditEventKind::Deactivated, "", json!({})).await;
    env.clock.advance(std::time::Duration::from_hours(24));
    notes(&app, AuditEventKind::Activated, "", json!({})).await;

    for (query, found) in [
        ("", 6),
        ("?target=2", 4),
        ("?target=EVE%40example.com", 4),
        ("?target=eve%40example.com&actor=1", 2),
        ("?actor=root%40example.com", 4),
        ("?action=login", 2),
        ("?action=login&target=2&actor=2", 1),
        ("?from=2026-03-02", 1),
        ("?to=2026-03-01", 5),
        ("?from=2026-03-02&to=2026-03-02&action=activated&actor=1", 1),
        ("?from=2026-03-03", 0),
        ("?target=99", 0),
        ("?before=rubbish", 6),
        ("?before=-1.-1", 6),
    ] {
        let page = root.get(&format!("{LIST}{query}")).await;
        assert_eq!((page.status(), page.texts("tbody tr").len()), (200, found), "{query}");
        let file = root.get(&format!("/admin/audit.csv{query}")).await;
        assert_eq!(file.text().lines().count(), found + 1, "{query}");
    }
    for query in [
        "?actor=nobody%40example.com",
        "?target=%27%20OR%201%3D1",
        "?action=flown",
        "?from=yesterday",
        "?to=2026-02-30",
    ] {
        let page = root.get(&format!("{LIST}{query}")).await;
        assert_eq!((page.status(), page.texts("tbody tr").len()), (422, 0), "{query}");
        assert_eq!(page.texts(".errors").len(), 1, "{query}");
        assert_eq!(root.get(&format!("/admin/audit.csv{query}")).await.status(), 422);
    }
}

#[on_both]
async fn the_list_is_paged(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for number in 0..43 {
        notes(&app, AuditEventKind::Activated, "", json!({ "reason": number })).await;
    }

    let (mut next, mut seen) = (Some(format!("{LIST}?action=activated")), Vec::new());
    let mut pages = Vec::new();
    while let Some(path) = next {
        let page = root.get(&path).await;
        seen.extend(page.texts("tbody .change"));
        pages.push(page.texts("tbody tr").len());
        next = page.attribute(".pager a[rel=next]", "href");
    }

    assert_eq!(pages, [20, 20, 3]);
    let all = (0..43).rev().map(|number| format!("Reason: {number}"));
    assert_eq!(seen, all.collect::<Vec<_>>(), "each once, newest first");
}

#[on_both]
async fn the_csv_holds_no_formula(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for agent in ["=HYPERLINK(1)", "+1", "-1", "@SUM", "a,\"b\""] {
        notes(&app, AuditEventKind::Activated, agent, json!({})).await;
    }

    let file = root.get("/admin/audit.csv?action=activated").await;

    assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let text = file.text();
    for cell in [",'=HYPERLINK(1),", ",'+1,", ",'-1,", ",'@SUM,", ",\"a,\"\"b\"\"\","] {
        assert!(text.contains(cell), "{cell}: {text}");
    }
    assert_eq!(text.lines().count(), 6);
}
