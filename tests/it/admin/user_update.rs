//! Changing an account: its fields, its groups and its roles.

use std::time::Duration;

use daemun::testing::accounts;
use daemun::testing::accounts::AccountUpdate;
use daemun::testing::admin::Actor;
use daemun::testing::flows;
use daemun::testing::flows::admin::user_update::UserUpdate;
use daemun::testing::types::{Permission, Profile, User, UserId};
use futures::future::join;

use crate::support::app::request_info;
use crate::support::{App, Browser, GOOD, Page, TestEnv, on_both};

pub(crate) fn path(id: i64) -> String {
    format!("/admin/users/{id}")
}

/// The fields of the account's form as its page shows them, with some of them changed; an empty
/// value unticks a box.
async fn changed(
    browser: &mut Browser<'_>,
    id: i64,
    changes: &[(&str, &str)],
) -> Vec<(String, String)> {
    let page = browser.get(&path(id)).await;
    assert_eq!(page.status(), 200);
    with(&page, changes)
}

fn with(page: &Page, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for name in ["version", "seen"] {
        let value = page.attribute(&format!("input[name={name}]"), "value").expect(name);
        fields.push((name.to_owned(), value));
    }
    for name in ["email", "name", "gender", "date_of_birth"] {
        fields.push((name.to_owned(), page.field(name).value));
    }
    let html = page.html();
    let boxes = scraper::Selector::parse(".panel input[type=checkbox][checked]").expect("css");
    for tick in html.select(&boxes) {
        let name = tick.value().attr("name").expect("a name");
        fields.push((name.to_owned(), tick.value().attr("value").unwrap_or("on").to_owned()));
    }
    for (name, value) in changes {
        fields.retain(|(field, _)| field != name);
        if !value.is_empty() {
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    fields
}

async fn send(browser: &mut Browser<'_>, id: i64, fields: &[(String, String)]) -> Page {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.submits(&path(id), &fields).await
}

async fn saves(browser: &mut Browser<'_>, id: i64, changes: &[(&str, &str)]) -> Page {
    let fields = changed(browser, id, changes).await;
    send(browser, id, &fields).await
}

pub(crate) async fn why(browser: &mut Browser<'_>, id: i64) -> String {
    browser.get(&path(id)).await.texts(".reason").join(" ")
}

async fn user_of(app: &App, id: i64) -> User {
    let account = accounts::find_by_id(&app.ctx.db, UserId(id)).await.expect("answers");
    account.expect("there").user
}

pub(crate) async fn count(app: &App, what: &str) -> i64 {
    app.query_number(&format!("SELECT COUNT(*) FROM {what}")).await
}

#[on_both]
async fn staff_change_the_fields_of_an_account(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    let may = [Permission::UsersView, Permission::UsersChange];
    let mut staff = app.staff("staff", &may).await;

    let name = ("name", "Ada Lovelace");
    let changes = [name, ("gender", "female"), ("date_of_birth", "1990-12-10")];
    let answer = saves(&mut staff, id, &changes).await;

    assert_eq!(answer.location(), Some(path(id).as_str()), "{}", answer.text());
    let page = staff.get(&path(id)).await;
    assert_eq!(page.texts(".flash"), ["The account has been saved."]);
    assert_eq!(page.field("name").value, "Ada Lovelace");
    let event = "audit_events WHERE action = 'changed_by_staff' AND details LIKE \
        '%\"name\":[\"\",\"Ada Lovelace\"]%' AND details LIKE '%\"gender\":[null,\"female\"]%'";
    assert_eq!(count(&app, event).await, 1);
    assert_eq!(saves(&mut staff, id, &[]).await.status(), 303);
    assert_eq!(count(&app, "audit_events WHERE action = 'changed_by_staff'").await, 1);
}

#[on_both]
async fn invalid_input_is_shown_again(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.user("eve").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;

    let wrong = [("email", "nonsense"), ("name", "Ada"), ("date_of_birth", "2999-01-01")];
    let page = saves(&mut root, id, &wrong).await;
    let taken = saves(&mut root, id, &[("email", "eve@example.com")]).await;

    assert_eq!((page.status(), page.summary().len()), (422, 2));
    assert_eq!(page.field("name").value, "Ada");
    assert!(page.field("email").is_wrong && page.field("date_of_birth").is_wrong);
    assert_eq!(taken.field("email").errors, ["There is already an account with this email."]);
    assert_eq!(user_of(&app, id).await.email.as_typed(), "ada@example.com");
}

#[on_both]
async fn of_two_updates_the_later_sees_the_conflict(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;
    let stale = changed(&mut root, id, &[("gender", "female")]).await;
    assert_eq!(saves(&mut root, id, &[("name", "Countess")]).await.status(), 303);

    let page = send(&mut root, id, &stale).await;

    assert_eq!(page.status(), 422);
    assert!(page.summary()[0].starts_with("Someone else saved this account"));
    assert_eq!(page.field("name").errors, ["Someone else changed this to: Countess"]);
    let shown = [page.field("name").value, page.field("gender").value];
    assert_eq!(shown, ["Countess", "female"]);
    assert_eq!(user_of(&app, id).await.profile.gender, None, "nothing is overwritten");
    assert_eq!(send(&mut root, id, &with(&page, &[])).await.status(), 303);
    let user = user_of(&app, id).await;
    let profile = &user.profile;
    assert_eq!((profile.name.as_str(), profile.gender.is_some()), ("Countess", true));
}

#[on_both]
async fn a_new_address_is_reported_to_the_old_and_ends_sessions(env: TestEnv) {
    let app = env.app_with(&[("email_verification", "optional")]).await;
    let mut ada = app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;
    let send = [("action", "link"), ("send", "true")];
    root.submits(&format!("{}/password", path(id)), &send).await;
    let reset = app.last_email_to("ada@example.com").await.link("/account/password/reset/");

    let answer = saves(&mut root, id, &[("email", "lovelace@example.com")]).await;

    assert_eq!(answer.status(), 303, "{}", answer.text());
    assert!(!ada.is_signed_in().await);
    assert_eq!(app.visitor().get(&reset).await.status(), 404, "older links are dead");
    assert!(user_of(&app, id).await.email_verified_at.is_none());
    app.last_email_to("lovelace@example.com").await.link("/account/email/verify/");
    let undo = app.last_email_to("ada@example.com").await.link("/account/email/undo/");
    let mut owner = app.visitor();
    owner.get(&undo).await;
    assert_eq!(owner.submits("/account/link", &[]).await.status(), 303);
    assert_eq!(user_of(&app, id).await.email.as_typed(), "ada@example.com");
}

#[on_both]
async fn a_suspended_account_is_still_deleted_on_its_day(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;
    assert_eq!(ada.submits("/account/delete", &[("password", GOOD)]).await.status(), 303);
    let due =
        app.query_number("SELECT deletes_at FROM users WHERE email = 'ada@example.com'").await;

    let answer = root.submits(&format!("{}/deactivate", path(id)), &[]).await;

    assert_eq!(answer.status(), 303, "{}", answer.text());
    let after = "SELECT COALESCE(deletes_at, 0) FROM users WHERE email = 'ada@example.com'";
    assert_eq!(app.query_number(after).await, due);
}

#[on_both]
async fn staff_may_vouch_for_a_new_address(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;

    let new = [("email", "lovelace@example.com"), ("email_verified", "true")];
    assert_eq!(saves(&mut root, id, &new).await.status(), 303);

    assert!(user_of(&app, id).await.email_verified_at.is_some());
}

#[on_both]
async fn only_own_permissions_can_be_granted(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    let may = [Permission::UsersView, Permission::UsersChange, Permission::UsersAdd];
    let mut staff = app.staff("staff", &may).await;
    let strong = app.group("strong", &[Permission::UsersDelete]).await.to_string();
    let weak = app.group("weak", &[Permission::UsersView]).await.to_string();

    for (changes, status) in [
        (vec![("is_superuser", "true")], 403),
        (vec![("groups", strong.as_str())], 403),
        (vec![("groups", "999999")], 422),
        (vec![("groups", "-1")], 422),
        (vec![("groups", "x")], 422),
        (vec![("is_staff", "maybe")], 422),
    ] {
        assert_eq!(saves(&mut staff, id, &changes).await.status(), status, "{changes:?}");
    }
    let mut twice = changed(&mut staff, id, &[]).await;
    twice.extend([("groups".into(), weak.clone()), ("groups".into(), strong.clone())]);
    assert_eq!(send(&mut staff, id, &twice).await.status(), 403);
    let new = [("email", "new@example.com"), ("is_active", "true"), ("is_superuser", "true")];
    assert_eq!(staff.submits("/admin/users/new", &new).await.status(), 403);
    let mut nested = changed(&mut staff, id, &[]).await;
    nested.extend([("user[is_superuser]".into(), "true".into()), ("id".into(), "1".into())]);
    assert_eq!(send(&mut staff, id, &nested).await.status(), 303);
    assert_eq!(count(&app, "users WHERE is_superuser").await, 0);
    assert_eq!(count(&app, &format!("group_members WHERE user_id = {id}")).await, 0);

    let mut good = changed(&mut staff, id, &[("is_staff", "true")]).await;
    good.extend([("groups".into(), weak.clone()), ("groups".into(), weak.clone())]);
    let page = send(&mut staff, id, &good).await;
    assert_eq!(page.status(), 303, "what they have they may grant");
    assert_eq!(count(&app, &format!("group_members WHERE user_id = {id}")).await, 1);
}

#[on_both]
async fn making_staff_needs_all_permissions_of_the_groups(env: TestEnv) {
    let app = env.app().await;
    app.staff("ada", &[Permission::UsersDelete]).await;
    let id = app.id_of("ada").await;
    let may = [Permission::UsersView, Permission::UsersChange];
    let mut staff = app.staff("staff", &may).await;
    let link = staff.submits(&format!("{}/password", path(id)), &[("action", "link")]).await;
    assert_eq!(link.status(), 403, "a link would make them somebody who may more");
    assert_eq!(saves(&mut staff, id, &[("email", "mine@example.com")]).await.status(), 403);
    app.sets_roles("ada", false, false).await;

    assert_eq!(saves(&mut staff, id, &[("is_staff", "true")]).await.status(), 403);
}

#[on_both]
async fn own_rights_cannot_be_removed(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    app.superuser("other").await;
    let id = app.id_of("root").await;

    for field in ["is_active", "is_staff", "is_superuser"] {
        let page = saves(&mut root, id, &[(field, "")]).await;
        assert_eq!(page.status(), 422, "{field}");
        assert!(page.summary()[0].starts_with("You can't do this to your own account"), "{field}");
    }
    for act in ["deactivate", "delete"] {
        let page = root.submits(&format!("{}/{act}", path(id)), &[]).await;
        assert_eq!(page.status(), 422, "{act}");
    }
    assert_eq!(count(&app, "users WHERE is_superuser AND is_active").await, 2);
}

#[on_both]
async fn two_superusers_demoting_each_other_leave_one(env: TestEnv) {
    let app = env.app().await;
    app.superuser("ada").await;
    app.superuser("eve").await;
    let ids = [app.id_of("ada").await, app.id_of("eve").await];
    for round in 0..50 {
        for name in ["ada", "eve"] {
            app.sets_roles(name, true, true).await;
            app.activates(name).await;
        }
        let users = [user_of(&app, ids[0]).await, user_of(&app, ids[1]).await];
        let mut edits = Vec::new();
        for (user, id) in users.iter().zip(ids) {
            let sql = format!("SELECT version FROM users WHERE id = {id}");
            let version = app.query_number(&sql).await;
            let edited = AccountUpdate {
                email: user.email.clone(),
                profile: Profile { name: user.profile.name.clone(), ..Profile::default() },
                is_active: round % 2 == 0,
                is_staff: true,
                is_superuser: false,
            };
            let (groups, is_verified) = (Vec::new(), false);
            edits.push(UserUpdate {
                version,
                edited,
                groups,
                is_verified,
                has_reauthenticated: true,
            });
        }
        let from = request_info();
        let [ada, eve] = [&users[0], &users[1]].map(|user| Actor { user, info: &from });

        let (one, two) = join(
            flows::admin::user_update::replace(&app.ctx, ada, UserId(ids[1]), &edits[1]),
            flows::admin::user_update::replace(&app.ctx, eve, UserId(ids[0]), &edits[0]),
        )
        .await;

        let done = usize::from(one.is_ok()) + usize::from(two.is_ok());
        assert_eq!(done, 1, "round {round}: {one:?} {two:?}");
        assert_eq!(count(&app, "users WHERE is_superuser AND is_active").await, 1);
    }
}

#[on_both]
async fn roles_apply_at_once(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;
    assert_eq!(ada.get("/admin/users/1").await.status(), 403);

    let group = app.group("viewers", &[Permission::UsersView]).await.to_string();
    saves(&mut root, id, &[("is_staff", "true"), ("groups", &group)]).await;
    assert_eq!(ada.get("/admin/users/1").await.status(), 200, "without a new log-in");
    saves(&mut root, id, &[("groups", "")]).await;

    assert_eq!(ada.get("/admin/users/1").await.status(), 403);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn dangerous_changes_need_the_password(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;
    let roles = changed(&mut root, id, &[("is_staff", "true")]).await;
    let name = changed(&mut root, id, &[("name", "Ada")]).await;
    env.clock.advance(Duration::from_mins(11));

    for act in ["deactivate", "delete"] {
        let here = format!("{}/{act}", path(id));
        let sudo = format!("/account/sudo?next={}", here.replace('/', "%2F"));
        assert_eq!(root.get(&here).await.location(), Some(sudo.as_str()));
        assert_eq!(root.submits(&here, &[]).await.location(), Some(sudo.as_str()));
    }
    let unusable = [("action", "unusable")];
    let page = root.submits(&format!("{}/password", path(id)), &unusable).await;
    assert!(page.location().expect("gone").starts_with("/account/sudo?next="));
    let page = send(&mut root, id, &roles).await;
    assert!(page.location().expect("gone").starts_with("/account/sudo"));
    assert_eq!(count(&app, "audit_events WHERE actor_id <> target_id").await, 0);
    assert_eq!(send(&mut root, id, &name).await.location(), Some(path(id).as_str()));

    root.submits("/account/sudo", &[("password", GOOD)]).await;
    let answer = root.submits(&format!("{}/delete", path(id)), &[]).await;
    assert_eq!(answer.location(), Some(path(id).as_str()));
}

#[on_both]
async fn user_text_is_escaped(env: TestEnv) {
    let app = env.app().await;
    let nasty = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
    app.user("ada").await;
    let mut ada = app.visitor().with("User-Agent", nasty);
    ada.logs_in("ada@example.com", GOOD).await;
    ada.submits("/account/profile", &[("name", nasty)]).await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;
    root.submits(&format!("{}/deactivate", path(id)), &[("reason", nasty)]).await;

    let page = root.get(&path(id)).await;

    assert_eq!(page.field("name").value, nasty);
    assert!(!page.text().contains("<script>alert") && !page.text().contains("<img"));
}
