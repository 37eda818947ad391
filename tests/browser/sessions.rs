//! One person in two browsers.

use crate::support::{Site, World, eventually, with_and_without_scripts};

#[with_and_without_scripts]
async fn one_browser_logs_out_the_other(world: World) {
    let site = Site::opens();
    let phone = world.visitor(&site).await;
    phone.joins("ada@example.com").await;
    let laptop = world.visitor(&site).await;
    laptop.logs_in("ada@example.com").await;
    laptop.opens("/account/sessions").await;
    assert!(laptop.sees(".rows > li + li").await, "two browsers are listed");

    laptop.sends("/account/sessions/end-others", &[]).await;

    eventually("one is left", async || !laptop.sees(".rows > li + li").await).await;
    assert!(laptop.sees(".rows > .this").await);
    phone.opens("/account/mypage").await;
    phone.arrives_at("/account/login").await;
}
