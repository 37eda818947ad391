//! The overview.

use std::time::Duration;

use daemun::testing::types::Permission;

use crate::support::{TestEnv, on_both};

#[on_both]
async fn each_section_needs_its_permission(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    assert_eq!(app.visitor().get("/admin").await.status(), 303);
    assert_eq!(ada.get("/admin").await.status(), 403);
    for (permission, figures, audit_log, warnings) in [
        (Permission::SocialChange, 0, 0, 0),
        (Permission::UsersView, 1, 0, 0),
        (Permission::AuditView, 0, 1, 0),
        (Permission::SettingsView, 0, 0, 1),
    ] {
        let name = format!("{permission:?}").to_lowercase();
        let mut staff = app.staff(&name, &[permission]).await;
        let page = staff.get("/admin").await;
        assert_eq!(page.texts(".stats").len(), figures, "{permission:?}");
        assert_eq!(page.texts("svg[role=img]").len(), figures, "{permission:?}");
        assert_eq!(page.texts(".audit").len(), audit_log, "{permission:?}");
        assert_eq!(page.texts(".banner").len(), warnings, "{permission:?}");
    }
}

#[on_both]
async fn the_counts_are_right(env: TestEnv) {
    let app = env.app().await;
    app.user("old").await;
    env.clock.advance(Duration::from_hours(24 * 3));
    app.user("ada").await;
    app.deactivates("old").await;
    app.verifies_email("ada").await;
    let mut root = app.user("root").await;
    app.sets_roles("root", true, true).await;

    let page = root.get("/admin").await;

    assert_eq!(page.texts(".stats dd"), ["3", "2", "1", "2", "3", "0"]);
    let days = page.texts(".chart tbody tr");
    assert_eq!(days.len(), 30);
    assert_eq!(days[29], "4 March 202622");
    assert_eq!(days[26], "1 March 202611");
    assert_eq!(page.texts("svg rect").len(), 60);
    assert!(!page.text().contains("style="));

    app.user("late").await;
    assert_eq!(root.get("/admin").await.texts(".stats dd")[0], "3", "remembered");
    env.clock.advance(Duration::from_secs(31));
    let page = root.get("/admin").await;
    assert_eq!(page.texts(".stats dd")[0], "4");
    assert_eq!(page.texts(".chart tbody tr")[29], "4 March 202633");
    assert_eq!(page.texts(".chart tbody tr")[26], "1 March 202611");
}

#[on_both]
async fn the_sections_cost_few_statements(env: TestEnv) {
    let app = env.app_with(&[("session_cache", "60s")]).await;
    let mut root = app.superuser("root").await;
    root.get("/account/mypage").await;
    for (path, most) in [
        ("/admin", 8),
        ("/admin", 3),
        ("/admin/audit", 2),
        ("/admin/audit?target=1&action=login", 2),
        ("/admin/mail", 1),
    ] {
        let before = app.ctx.db.queries();
        assert_eq!(root.get(path).await.status(), 200, "{path}");
        let cost = app.ctx.db.queries() - before;
        assert!(cost <= most, "{path}: {cost}");
    }
}
