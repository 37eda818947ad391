//! The main stories by keyboard alone: no hand touches a mouse after the address is typed.

use thirtyfour::Key;

use crate::support::{GOOD, Site, TestEnv, User, with_and_without_scripts};

/// Goes to fields by tab and types, then to the button and presses it.
async fn fills(user: &User<'_>, fields: &[(&str, &str)], action: &str) {
    for (field, text) in fields {
        user.tabs_to(&format!("main [name={field}]")).await;
        user.presses(*text).await;
    }
    user.tabs_to(&format!("main form[action='{action}'] button:not([type=button])")).await;
    user.presses(Key::Space).await;
}

#[with_and_without_scripts]
async fn a_user_signs_up_logs_out_and_in_by_keyboard(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.opens("/").await;
    ada.tabs_to("main a[href='/account/join']").await;
    ada.presses(Key::Enter).await;
    ada.arrives_at("/account/join").await;
    let fields = [("email", "ada@example.com"), ("password1", GOOD), ("password2", GOOD)];
    fills(&ada, &fields, "/account/join").await;
    ada.arrives_at("/account/mypage").await;

    fills(&ada, &[], "/account/logout").await;
    ada.arrives_at("/").await;

    ada.tabs_to("main a[href='/account/login']").await;
    ada.presses(Key::Enter).await;
    ada.arrives_at("/account/login").await;
    ada.tabs_to("main [name=email]").await;
    ada.presses("ada@example.com").await;
    ada.tabs_to("main [name=password]").await;
    ada.presses(GOOD).await;
    ada.presses(Key::Enter).await;
    ada.arrives_at("/account/mypage").await;
}

#[with_and_without_scripts]
async fn the_first_stop_leads_past_the_header(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.opens("/account/login").await;

    ada.presses(Key::Tab).await;
    assert!(ada.is_at(".skip").await);
    ada.presses(Key::Enter).await;
    ada.presses(Key::Tab).await;

    assert!(ada.is_at("main [name=email]").await);
}

#[with_and_without_scripts]
async fn an_administrator_finds_a_user_by_keyboard(env: TestEnv) {
    let site = Site::opens();
    let root = env.visitor(&site).await;
    root.logs_in("root@example.com").await;
    root.opens("/admin/users").await;

    root.tabs_to("main [name=q]").await;
    root.presses("root").await;
    root.presses(Key::Enter).await;
    root.tabs_to("tbody th a").await;
    root.presses(Key::Enter).await;

    root.arrives_at("/admin/users/1").await;
    assert_eq!(root.h1().await, "root@example.com");
}
