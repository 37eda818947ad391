//! An administrator at the desk.

use crate::support::{GOOD, Site, TestEnv, with_and_without_scripts};

#[with_and_without_scripts]
async fn an_administrator_finds_deactivates_and_restores_a_user(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.signs_up("ada@example.com").await;
    let root = env.visitor(&site).await;
    root.logs_in("root@example.com").await;

    root.leaves_by("header a[href='/admin']").await;
    root.leaves_by(".tabs a[href='/admin/users']").await;
    root.sends("/admin/users", &[("q", "ada")]).await;
    root.leaves_by("tbody th a").await;
    assert_eq!(root.h1().await, "ada@example.com");
    let user = root.path().await;
    root.leaves_by(&format!("main a[href='{user}/deactivate']")).await;
    root.sends(&format!("{user}/deactivate"), &[("reason", "stolen phone")]).await;

    root.arrives_at(&user).await;
    assert!(root.text("main").await.contains("stolen phone"));
    ada.opens("/account/mypage").await;
    ada.arrives_at("/account/login").await;
    ada.tries_to_log_in("ada@example.com", GOOD).await;
    assert!(ada.sees(".summary").await);

    root.leaves_by(&format!("main a[href='{user}/activate']")).await;
    root.sends(&format!("{user}/activate"), &[]).await;

    root.arrives_at(&user).await;
    ada.logs_in("ada@example.com").await;
}
