//! One user in two browsers.

use crate::support::{Site, TestEnv, eventually, with_and_without_scripts};

#[with_and_without_scripts]
async fn one_browser_logs_out_the_other(env: TestEnv) {
    let site = Site::opens();
    let phone = env.visitor(&site).await;
    phone.signs_up("ada@example.com").await;
    let laptop = env.visitor(&site).await;
    laptop.logs_in("ada@example.com").await;
    laptop.opens("/account/sessions").await;
    assert!(laptop.sees(".rows > li + li").await, "two browsers are listed");

    laptop.sends("/account/sessions/end-others", &[]).await;

    eventually("one is left", async || !laptop.sees(".rows > li + li").await).await;
    assert!(laptop.sees(".rows > .this").await);
    phone.opens("/account/mypage").await;
    phone.arrives_at("/account/login").await;
}
