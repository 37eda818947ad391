//! A user has forgotten the password, and follows the link in an e-mail.

use crate::support::{NEW, Site, TestEnv, eventually, with_and_without_scripts};

#[with_and_without_scripts]
async fn a_forgotten_password_is_replaced_by_the_emails_link(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.signs_up("ada@example.com").await;
    ada.sends("/account/logout", &[]).await;
    ada.opens("/account/login").await;
    ada.leaves_by("main a[href='/account/password/reset']").await;
    ada.sends("/account/password/reset", &[("email", "ada@example.com")]).await;
    let link = site.link_to("ada@example.com", "/account/password/reset/").await;

    ada.opens(&link).await;
    assert_eq!(ada.path().await, "/account/password/new", "the token is out of the address");
    let twice = [("new_password1", NEW), ("new_password2", NEW)];
    ada.sends("/account/password/new", &twice).await;

    ada.tries_to_log_in("ada@example.com", NEW).await;
    ada.arrives_at("/account/mypage").await;
    let eve = env.visitor(&site).await;
    eve.opens(&link).await;
    assert!(!eve.sees("[name=new_password1]").await, "a link works once");
}

#[with_and_without_scripts]
async fn an_address_is_verified_with_one_button(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.signs_up("ada@example.com").await;
    assert!(ada.sees(".banner").await);

    ada.opens(&site.link_to("ada@example.com", "/account/email/verify/").await).await;
    ada.sends("/account/link", &[]).await;

    ada.opens("/account/mypage").await;
    eventually("the reminder goes", async || !ada.sees(".banner").await).await;
}
