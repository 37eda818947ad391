//! Why an account cannot log in, as staff read it.

use crate::admin::user_update::{count, path, why};
use crate::support::{GOOD, TestEnv, on_both};

#[on_both]
async fn staff_see_why_a_user_cannot_log_in(env: TestEnv) {
    let app = env.app_with(&[("email_verification", "mandatory")]).await;
    let mut root = app.superuser("root").await;
    app.visitor().signs_up("ada@example.com", GOOD).await;
    let id = app.id_of("ada").await;

    assert!(why(&mut root, id).await.contains("must be verified first"));
    assert_eq!(root.submits(&format!("{}/verify", path(id)), &[]).await.status(), 303);
    assert_eq!(why(&mut root, id).await, "Yes.");
    app.visitor().logs_in("ada@example.com", "wrong").await;
    while count(&app, "audit_events WHERE action = 'login_failed'").await == 0 {
        rocket::tokio::task::yield_now().await;
    }
    assert!(why(&mut root, id).await.contains("failed log-ins recently"));
    for _ in 0..12 {
        app.visitor().logs_in("ada@example.com", "wrong").await;
    }
    assert!(why(&mut root, id).await.contains("too many wrong passwords"));
    root.submits(&format!("{}/password", path(id)), &[("action", "unusable")]).await;
    assert!(why(&mut root, id).await.contains("There is no password"));
    root.submits(&format!("{}/deactivate", path(id)), &[]).await;
    assert!(why(&mut root, id).await.contains("is suspended."));
}
