//! Creating an account, by invitation or with a password.

use std::time::Duration;

use daemun::testing::types::Permission;

use crate::admin::user_update::path;
use crate::support::mailbox::ReceivedEmail;
use crate::support::{GOOD, TestEnv, on_both};

const DAY: Duration = Duration::from_hours(24);

#[on_both]
async fn an_invited_user_sets_a_password_and_logs_in(env: TestEnv) {
    let app = env.app_with(&[("email_verification", "mandatory")]).await;
    let mut root = app.superuser("root").await;
    let fields = [("email", "ada@example.com"), ("name", "Ada"), ("is_active", "true")];

    let answer = root.submits("/admin/users/new", &fields).await;

    let page_of_ada = path(app.id_of("ada").await);
    assert_eq!(answer.location(), Some(page_of_ada.as_str()), "{}", answer.text());
    let email = app.last_email_to("ada@example.com").await;
    let link = email.link("/account/password/reset/");
    let shown = root.get(&page_of_ada).await.texts(".copyable").join("");
    assert!(shown.ends_with(&link), "the same link can be copied: {shown}");
    assert!(root.get(&page_of_ada).await.texts(".copyable").is_empty(), "and is shown once");
    env.clock.advance(2 * DAY);
    let mut ada = app.visitor();
    ada.get(&link).await;
    let chosen = [("new_password1", GOOD), ("new_password2", GOOD)];
    assert_eq!(ada.submits("/account/password/new", &chosen).await.status(), 303);
    assert_eq!(ada.logs_in("ada@example.com", GOOD).await.status(), 303);
}

#[on_both]
async fn a_new_account_may_have_a_password_and_roles(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let group = app.group("viewers", &[Permission::UsersView]).await.to_string();
    let mut fields = vec![
        ("email", "ada@example.com"),
        ("password1", "1234"),
        ("password2", "1234"),
        ("is_active", "true"),
        ("is_staff", "true"),
        ("groups", group.as_str()),
    ];
    let weak = root.submits("/admin/users/new", &fields).await;
    assert_eq!(weak.status(), 422);
    assert!(weak.field("password1").is_wrong && weak.field("password1").value.is_empty());
    fields[1].1 = GOOD;
    assert_eq!(root.submits("/admin/users/new", &fields).await.status(), 422, "they differ");
    fields[2].1 = GOOD;

    assert_eq!(root.submits("/admin/users/new", &fields).await.status(), 303);

    let mut ada = app.visitor();
    assert_eq!(ada.logs_in("ada@example.com", GOOD).await.status(), 303);
    assert_eq!(ada.get("/admin/users/1").await.status(), 200);
    assert_eq!(root.submits("/admin/users/new", &fields).await.field("email").errors.len(), 1);
}

#[on_both]
async fn without_a_mail_server_the_link_is_shown_once(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;

    let page = root.submits(&format!("{}/password", path(id)), &[("action", "link")]).await;

    assert_eq!(page.status(), 200);
    let url = page.texts(".copyable").join("");
    let link = &url[url.find("/account").expect("a path")..];
    let emails = app.emails_to("ada@example.com").await;
    let is_sent = |email: &ReceivedEmail| email.find_link("/account/password/reset/").is_some();
    assert!(!emails.iter().any(is_sent));
    let mut ada = app.visitor();
    ada.get(link).await;
    let new = "another battery horse staple";
    let chosen = [("new_password1", new), ("new_password2", new)];
    assert_eq!(ada.submits("/account/password/new", &chosen).await.status(), 303);
    assert_eq!(ada.logs_in("ada@example.com", new).await.status(), 303);
}
