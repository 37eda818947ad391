//! A user signs up, comes back, reads, and deletes the account.

use crate::support::{GOOD, Site, TestEnv, eventually, with_and_without_scripts};

#[with_and_without_scripts]
async fn a_user_signs_up_and_my_page_greets_them(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;

    ada.opens("/").await;
    ada.leaves_by("main a[href='/account/join']").await;
    ada.signs_up("ada@example.com").await;

    assert_eq!(ada.h1().await, "Welcome, ada@example.com!");
    ada.opens("/").await;
    assert!(ada.text("main").await.contains("ada@example.com"));
}

#[with_and_without_scripts]
async fn scripts_run_only_where_they_may(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;

    ada.opens("/account/login").await;

    assert_eq!(ada.sees("button.reveal").await, env.has_scripts);
}

#[with_and_without_scripts]
async fn a_wrong_password_is_reported_and_the_address_stays(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.signs_up("ada@example.com").await;
    ada.sends("/account/logout", &[]).await;

    ada.tries_to_log_in("ada@example.com", "not this one").await;

    assert_eq!(ada.path().await, "/account/login");
    assert!(ada.sees(".summary[role=alert]").await);
    assert_eq!(ada.attribute("#email", "value").await.as_deref(), Some("ada@example.com"));
    assert_eq!(ada.attribute("#password", "value").await, None);
    assert_eq!(ada.is_at(".summary").await, env.has_scripts);
    ada.logs_in("ada@example.com").await;
}

#[with_and_without_scripts]
async fn a_user_arrives_where_they_were_going(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.signs_up("ada@example.com").await;
    ada.sends("/account/logout", &[]).await;

    ada.opens("/account/sessions").await;
    let fields = [("email", "ada@example.com"), ("password", GOOD)];
    ada.sends("/account/login", &fields).await;

    ada.arrives_at("/account/sessions").await;
}

#[with_and_without_scripts]
async fn a_language_is_chosen_with_a_button_and_kept(env: TestEnv) {
    let site = Site::opens();
    let ada = env.reader_of("ko", &site).await;
    ada.opens("/account/login").await;
    assert_eq!(ada.language().await, "ko");

    ada.leaves_by("footer button[value=en]").await;

    eventually("English", async || ada.language().await == "en").await;
    assert_eq!(ada.path().await, "/account/login");
    ada.signs_up("ada@example.com").await;
    assert_eq!(ada.h1().await, "Welcome, ada@example.com!");
    ada.leaves_by("footer button[value=ko]").await;
    eventually("Korean", async || ada.language().await == "ko").await;
    assert_eq!(ada.h1().await, "반갑습니다, ada@example.com님!");
}

#[with_and_without_scripts]
async fn an_expired_access_token_goes_unnoticed(env: TestEnv) {
    let site = Site::with(&[("ROCKET_ACCESS_TOKEN_LIFETIME", "1s")]);
    let ada = env.visitor(&site).await;
    ada.signs_up("ada@example.com").await;
    let first = ada.cookie("access").await;

    eventually("another access token", async || {
        ada.opens("/account/mypage").await;
        assert_eq!(ada.h1().await, "Welcome, ada@example.com!");
        ada.cookie("access").await != first
    })
    .await;
}

#[with_and_without_scripts]
async fn the_back_button_does_not_bring_my_page_back(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    // Straight after the log-in Chromium takes the cookies that were set for those that were
    // removed; a page that was opened later it forgets by itself.
    for is_straight_after in [true, false] {
        if is_straight_after {
            ada.signs_up("ada@example.com").await;
        } else {
            ada.logs_in("ada@example.com").await;
            ada.opens("/account/profile").await;
            ada.opens("/account/mypage").await;
        }

        ada.sends("/account/logout", &[]).await;
        ada.arrives_at("/").await;
        assert!(ada.sees(".flash").await);
        assert_eq!((ada.cookie("access").await, ada.cookie("refresh").await), (None, None));
        ada.goes_back().await;

        ada.arrives_at("/account/login").await;
        assert!(!ada.text("body").await.contains("ada@example.com"));
    }
}

#[with_and_without_scripts]
async fn password_managers_find_what_they_look_for(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    let hints = async |fields: &[(&str, &str)]| {
        for (field, hint) in fields {
            let selector = format!("main [name={field}]");
            assert_eq!(ada.attribute(&selector, "autocomplete").await.as_deref(), Some(*hint));
        }
    };

    ada.opens("/account/login").await;
    hints(&[("email", "username"), ("password", "current-password")]).await;
    assert_eq!(ada.attribute("[name=email]", "type").await.as_deref(), Some("email"));
    ada.opens("/account/join").await;
    let new = "new-password";
    hints(&[("email", "username"), ("password1", new), ("password2", new)]).await;
    ada.signs_up("ada@example.com").await;

    ada.opens("/account/password/change").await;
    let fields = [("old_password", "current-password"), ("new_password1", new)];
    hints(&[fields[0], fields[1], ("new_password2", new)]).await;
    let whose = ada.attribute("main form [autocomplete=username]", "value").await;
    assert_eq!(whose.as_deref(), Some("ada@example.com"));
}
