//! Actions on one account: suspension, deletion, ending sessions.

use std::time::Duration;

use daemun::testing::flows;
use daemun::testing::types::Permission;

use crate::admin::user_update::{count, path, why};
use crate::support::{GOOD, TestEnv, on_both};

#[on_both]
async fn a_suspension_ends_on_its_day(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.user("eve").await;
    let (id, eve) = (app.id_of("ada").await, app.id_of("eve").await);
    let mut root = app.superuser("root").await;
    for until in ["2026-02-28", "soon"] {
        let page = root.submits(&format!("{}/deactivate", path(id)), &[("until", until)]).await;
        assert_eq!(page.status(), 422, "{until}");
        assert_eq!(page.field("until").value, until);
    }
    for id in [id, eve] {
        let why = [("reason", "spam"), ("until", "2026-03-02")];
        assert_eq!(root.submits(&format!("{}/deactivate", path(id)), &why).await.status(), 303);
    }
    assert!(!ada.is_signed_in().await);
    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 422);
    assert!(why(&mut root, id).await.contains("suspended until 3 March 2026, 00:00 UTC"));

    env.clock.advance(Duration::from_hours(36));
    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);
    flows::system::cleanup::end_suspensions(&app.ctx).await.expect("swept");

    assert_eq!(count(&app, "users WHERE is_active").await, 3);
    assert_eq!(count(&app, "audit_events WHERE action = 'suspension_over'").await, 2);
}

#[on_both]
async fn a_deletion_by_staff_can_be_cancelled_for_a_day(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;
    assert_eq!(root.submits(&format!("{}/delete", path(id)), &[]).await.status(), 303);
    assert!(why(&mut root, id).await.contains("Staff deleted the account"));
    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 422);

    let page = root.get(&format!("{}/activate", path(id))).await;
    assert_eq!(page.h1(), "Restore the account");
    assert_eq!(root.submits(&format!("{}/activate", path(id)), &[]).await.status(), 303);

    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);
}

#[on_both]
async fn staff_can_end_all_sessions(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut staff = app.staff("staff", &[Permission::SessionsEnd]).await;

    let answer = staff.submits(&format!("{}/sessions/end", path(id)), &[]).await;

    assert_eq!(answer.location(), Some("/admin"), "the account's page is not theirs to see");
    assert!(!ada.is_signed_in().await);
    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);
}
