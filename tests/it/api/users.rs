//! `/api/users`: who may see, create and change which account.

use daemun::testing::types::Permission;
use futures::future::{join, join_all};
use rocket::http::Method;
use serde_json::{Value, json};

use crate::support::app::email;
use crate::support::{ApiClient, ApiReply, App, GOOD, TestEnv, on_both};

pub(crate) const USERS: &str = "/api/users";

fn path_of(id: i64) -> String {
    format!("{USERS}/{id}")
}

/// Addresses in a list, in its order.
pub(crate) fn emails(reply: &ApiReply) -> Vec<String> {
    let users = reply.json["results"].as_array().unwrap_or_else(|| panic!("{}", reply.json));
    let email = |user: &Value| user["email"].as_str().expect("an address").to_owned();
    users.iter().map(email).collect()
}

pub(crate) async fn superuser<'a>(app: &'a App, name: &str) -> ApiClient<'a> {
    ApiClient::new(app.superuser(name).await)
}

pub(crate) async fn staff<'a>(
    app: &'a App,
    name: &str,
    permissions: &[Permission],
) -> ApiClient<'a> {
    ApiClient::new(app.staff(name, permissions).await)
}

/// What staff with these permissions are answered about another user.
fn expected(method: Method, granted: &[Permission]) -> u16 {
    let may = |permission| granted.contains(&permission);
    let hidden = if may(Permission::UsersView) { 403 } else { 404 };
    match method {
        Method::Get => {
            if may(Permission::UsersView) {
                200
            } else {
                404
            }
        }
        Method::Post => {
            if may(Permission::UsersAdd) {
                201
            } else {
                403
            }
        }
        Method::Delete => {
            if may(Permission::UsersDelete) {
                204
            } else {
                hidden
            }
        }
        _ => {
            if may(Permission::UsersChange) {
                200
            } else {
                hidden
            }
        }
    }
}

/// What each route answers staff with these permissions about the user `target`.
async fn knocks(app: &App, program: &mut ApiClient<'_>, granted: &[Permission], target: &str) {
    let id = app.id_of(target).await;
    let count_of_users = app.query_number("SELECT COUNT(*) FROM users").await;
    let list = program.get(&format!("{USERS}?page_size=100")).await;
    let seen = if granted.contains(&Permission::UsersView) { count_of_users } else { 1 };
    assert_eq!(emails(&list).len(), usize::try_from(seen).expect("few"), "{granted:?}");
    for method in [Method::Get, Method::Patch, Method::Put, Method::Delete, Method::Post] {
        let before = app.query_number("SELECT COUNT(*) FROM audit_events").await;
        let new = format!("made.for.{target}@example.com");
        let reply = match method {
            Method::Get => program.get(&path_of(id)).await,
            Method::Patch => program.patch(&path_of(id), json!({ "name": "Patched" })).await,
            Method::Put => {
                let body = json!({ "email": email(target), "name": "Put" });
                program.put(&path_of(id), body).await
            }
            Method::Delete => program.delete(&path_of(id)).await,
            _ => program.post(USERS, json!({ "email": new })).await,
        };
        let wanted = expected(method, granted);
        assert_eq!(reply.status(), wanted, "{method} with {granted:?}: {}", reply.json);
        if wanted >= 400 {
            let code = if wanted == 403 { "permission_denied" } else { "not_found" };
            assert_eq!(reply.code(), code, "{method} with {granted:?}");
            let after = app.query_number("SELECT COUNT(*) FROM audit_events").await;
            assert_eq!(after, before, "{method} with {granted:?}");
        }
    }
}

#[on_both]
async fn each_role_may_do_what_it_is_granted(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    for (method, path) in [
        (Method::Get, USERS.to_owned()),
        (Method::Post, USERS.to_owned()),
        (Method::Get, path_of(id)),
        (Method::Patch, path_of(id)),
        (Method::Put, path_of(id)),
        (Method::Delete, path_of(id)),
    ] {
        let reply = app.api_client().send(method, &path, None).await;
        assert_eq!((reply.status(), reply.code()), (401, "not_authenticated"), "{method}");
    }
    let mut member = app.api_user("member").await.with_bearer();
    knocks(&app, &mut member, &[], "ada").await;
    let mut without_rights = staff(&app, "nobody", &[]).await;
    knocks(&app, &mut without_rights, &[], "ada").await;
    let alone = Permission::ALL.map(|permission| vec![permission]);
    let pairs = Permission::ALL.map(|permission| vec![Permission::UsersView, permission]);
    for (number, granted) in alone.into_iter().chain(pairs).enumerate() {
        let mut staff = staff(&app, &format!("staff{number}"), &granted).await;
        let victim = format!("victim{number}");
        app.user(&victim).await;
        knocks(&app, &mut staff, &granted, &victim).await;
    }
    let mut root = superuser(&app, "root").await;
    knocks(&app, &mut root, &Permission::ALL, "ada").await;
}

#[on_both]
async fn a_user_may_change_only_their_own_profile(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.api_user("ada").await.with_bearer();
    let id = app.id_of("ada").await;
    let mine = path_of(id);
    let body = json!({
        "name": "Ada", "gender": "female", "date_of_birth": "1990-02-28", "id": 7, "url": "x",
        "email": "other@example.com", "is_active": false, "is_staff": true, "groups": [1],
        "is_superuser": true, "email_verified": true, "password": GOOD, "version": 9,
    });

    let patched = ada.patch(&mine, body).await;

    let mut wanted = json!({
        "url": format!("http://localhost:8000/api/users/{id}/"), "id": id,
        "email": "ada@example.com", "name": "Ada", "gender": "female",
        "date_of_birth": "1990-02-28", "is_active": true, "is_staff": false,
        "is_superuser": false, "email_verified": false,
        "last_login_at": "2026-03-01T12:00:00Z", "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
    });
    assert_eq!((patched.status(), &patched.json), (200, &wanted));
    env.clock.advance(std::time::Duration::from_secs(1));
    let put = ada.put(&mine, json!({ "gender": "", "date_of_birth": null })).await;
    wanted["gender"] = json!("");
    wanted["date_of_birth"] = Value::Null;
    wanted["updated_at"] = json!("2026-03-01T12:00:01Z");
    assert_eq!((put.status(), put.json), (200, wanted));
    let removed = ada.delete(&mine).await;
    assert_eq!((removed.status(), removed.code()), (403, "permission_denied"));
    assert_eq!(app.audit_event_count("profile_changed").await, 2);
}

#[on_both]
async fn user_ids_are_not_revealed(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.api_user("ada").await.with_bearer();
    app.user("grace").await;
    let theirs = app.id_of("grace").await.to_string();
    for method in [Method::Get, Method::Patch, Method::Put, Method::Delete] {
        let body = Some((rocket::http::ContentType::JSON, b"{}".to_vec()));
        let other = ada.send(method, &format!("{USERS}/{theirs}"), body.clone()).await;
        for id in ["999999", "0", "-1", "+1", "01", "x", "99999999999999999999", "%00"] {
            let none = ada.send(method, &format!("{USERS}/{id}"), body.clone()).await;
            let (answer, same) = ((none.status(), &none.json), (other.status(), &other.json));
            assert_eq!(answer, same, "{method} {id}");
            assert_eq!(none.status(), 404, "{method} {id}");
        }
    }
    let mut root = superuser(&app, "root").await;
    for id in ["999999", "0", "x", "01"] {
        let path = format!("{USERS}/{id}");
        assert_eq!(root.get(&path).await.status(), 404, "{id}");
        assert_eq!(root.patch(&path, json!({ "name": "x" })).await.status(), 404, "{id}");
        assert_eq!(root.delete(&path).await.status(), 404, "{id}");
    }
}

#[on_both]
async fn staff_create_accounts_with_password_or_invitation(env: TestEnv) {
    let app = env.app().await;
    let mut root = superuser(&app, "root").await;
    let group = app.group("editors", &[Permission::UsersView]).await.0;

    let made = root
        .post(
            USERS,
            json!({
                "email": "ada@example.com", "name": "Ada", "gender": "female", "password": GOOD,
                "date_of_birth": "1990-02-28", "is_staff": true, "groups": [group],
            }),
        )
        .await;
    let invited = root.post(USERS, json!({ "email": "grace@example.com" })).await;

    assert_eq!(made.status(), 201, "{}", made.json);
    assert_eq!(made.page.header("location"), Some(made.text("url")));
    assert_eq!(made.json["id"], json!(app.id_of("ada").await));
    assert_eq!((made.text("gender"), &made.json["is_staff"]), ("female", &json!(true)));
    let mut ada = app.api_client();
    assert_eq!(ada.requests_tokens("ada@example.com", GOOD).await.status(), 200);
    assert_eq!(emails(&ada.with_bearer().get(USERS).await).len(), 3, "what the group grants");
    assert_eq!((invited.status(), &invited.json["last_login_at"]), (201, &Value::Null));
    let link = app.last_email_to("grace@example.com").await.link("/account/password/reset/");
    assert!(!invited.page.text().contains(link.rsplit('/').next().expect("a token")));
}

#[on_both]
async fn errors_in_a_new_account_are_named(env: TestEnv) {
    let app = env.app().await;
    let mut root = superuser(&app, "root").await;
    for (body, answer) in [
        (json!({}), json!({ "email": ["This field is required."] })),
        (
            json!({ "email": "ROOT@example.com" }),
            json!({ "email": ["user with this email address already exists."] }),
        ),
        (
            json!({ "email": "a@example.com", "password": "password1" }),
            json!({ "password": ["This password is too common."] }),
        ),
        (
            json!({ "email": "a@example.com", "password": "" }),
            json!({ "password": ["This field may not be blank."] }),
        ),
        (
            json!({ "email": "a@example.com", "groups": [999_999] }),
            json!({ "groups": ["This group does not exist."] }),
        ),
        (
            json!({ "email": "a@example.com", "groups": "1", "is_staff": "yes", "is_active": null,
            "gender": "x", "is_superuser": 1 }),
            json!({
                "groups": ["Expected a list of items."],
                "is_staff": ["Must be a valid boolean."],
                "is_active": ["This field may not be null."],
                "is_superuser": ["Must be a valid boolean."],
                "gender": ["\"x\" is not a valid choice."],
            }),
        ),
        (
            json!({ "email": "a@example.com", "groups": [1.5] }),
            json!({ "groups": ["A valid integer is required."] }),
        ),
    ] {
        let reply = root.post(USERS, body.clone()).await;
        assert_eq!((reply.status(), reply.json), (400, answer), "{body}");
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 1);
}

#[on_both]
async fn a_partial_update_keeps_other_fields(env: TestEnv) {
    let app = env.app().await;
    let mut root = superuser(&app, "root").await;
    app.user("ada").await;
    let theirs = path_of(app.id_of("ada").await);
    let group = app.group("editors", &[Permission::UsersView]).await.0;

    let promoted = root.patch(&theirs, json!({ "is_staff": true, "groups": [group] })).await;
    let moved = root
        .patch(
            &theirs,
            json!({ "email": "new@example.com", "name": "Ada",
        "email_verified": true }),
        )
        .await;
    let put = root.put(&theirs, json!({ "email": "new@example.com", "gender": "female" })).await;
    let without = root.put(&theirs, json!({ "name": "x" })).await;
    let taken = root.patch(&theirs, json!({ "email": "root@example.com" })).await;
    let closed = root.patch(&theirs, json!({ "is_active": false })).await;

    assert_eq!((promoted.status(), &promoted.json["is_staff"]), (200, &json!(true)));
    let is_verified = &moved.json["email_verified"];
    assert_eq!((moved.text("email"), is_verified), ("new@example.com", &json!(false)));
    let link = app.last_email_to("new@example.com").await.link("/account/email/verify/");
    assert!(!link.is_empty(), "a new address proves itself");
    assert_eq!((put.text("name"), put.text("gender")), ("Ada", "female"));
    assert_eq!(put.json["is_staff"], json!(true), "what is left out stays");
    assert_eq!(without.json, json!({ "email": ["This field is required."] }));
    let exists = json!({ "email": ["user with this email address already exists."] });
    assert_eq!((taken.status(), taken.json), (400, exists));
    assert_eq!(closed.json["is_active"], json!(false));
    assert_eq!(app.query_number("SELECT COUNT(*) FROM group_members").await, 1);
}

#[on_both]
async fn privileges_cannot_be_escalated(env: TestEnv) {
    let app = env.app().await;
    let mut root = superuser(&app, "root").await;
    let all: Vec<Permission> = Permission::ALL.into();
    let most = [Permission::UsersView, Permission::UsersAdd, Permission::UsersChange];
    let group = app.group("all", &all).await.0;
    let mut grace = staff(&app, "grace", &most).await;
    app.user("ada").await;
    let (above, own) = (app.id_of("root").await, app.id_of("grace").await);
    let below = path_of(app.id_of("ada").await);
    for (path, body) in [
        (path_of(above), json!({ "name": "x" })),
        (path_of(own), json!({ "is_superuser": true })),
        (below.clone(), json!({ "is_superuser": true })),
        (below, json!({ "is_staff": true, "groups": [group] })),
    ] {
        let reply = grace.patch(&path, body.clone()).await;
        assert_eq!((reply.status(), reply.code()), (403, "permission_denied"), "{path} {body}");
    }
    let body = json!({ "email": "new@example.com", "is_superuser": true });
    assert_eq!(grace.post(USERS, body).await.status(), 403);
    let oneself = json!({ "non_field_errors":
        ["You can't do this to your own account. Ask another administrator."] });
    let demoted = root.patch(&path_of(above), json!({ "is_superuser": false })).await;
    assert_eq!((demoted.status(), demoted.json), (400, oneself.clone()));
    let removed = root.delete(&path_of(above)).await;
    assert_eq!((removed.status(), removed.json), (400, oneself));
    assert_eq!(
        app.audit_event_count("changed_by_staff").await
            + app.audit_event_count("added_by_staff").await,
        0
    );
}

#[on_both]
async fn dangerous_changes_need_a_recent_login(env: TestEnv) {
    let app = env.app().await;
    app.superuser("root").await;
    app.user("ada").await;
    let theirs = path_of(app.id_of("ada").await);
    let mut root = app.api_client();
    root.requests_tokens("root@example.com", GOOD).await;
    env.clock.advance(std::time::Duration::from_secs(601));
    root.refreshes_tokens().await;
    let mut late = root.clone().with_bearer();
    let before = app.query_number("SELECT COUNT(*) FROM audit_events").await;

    let new = json!({ "email": "new@example.com", "is_staff": true });
    let refused = [
        late.patch(&theirs, json!({ "is_staff": true })).await,
        late.patch(&theirs, json!({ "email": "new@example.com" })).await,
        late.delete(&theirs).await,
        late.post(USERS, new.clone()).await,
    ];
    let harmless = late.patch(&theirs, json!({ "name": "Ada" })).await;

    for reply in refused {
        assert_eq!((reply.status(), reply.code()), (403, "reauthentication_required"));
    }
    assert_eq!(harmless.status(), 200);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM audit_events").await, before + 1);
    root.requests_tokens("root@example.com", GOOD).await;
    let mut again = root.with_bearer();
    assert_eq!(again.post(USERS, new).await.status(), 201);
    assert_eq!(again.delete(&theirs).await.status(), 204);
    assert_eq!(again.delete(&theirs).await.status(), 204, "it is on its way out already");
    assert_eq!(app.audit_event_count("deletion_by_staff").await, 1);
    assert_eq!(again.get(&theirs).await.json["is_active"], json!(false), "for a day");
}

#[on_both]
async fn two_updates_of_different_fields_both_succeed(env: TestEnv) {
    let app = env.app().await;
    let mut root = superuser(&app, "root").await;
    let mut grace = superuser(&app, "grace").await;
    for number in 0..8 {
        let name = format!("ada{number}");
        app.user(&name).await;
        let theirs = path_of(app.id_of(&name).await);

        let (one, other) = join(
            Box::pin(root.patch(&theirs, json!({ "name": "Ada" }))),
            Box::pin(grace.patch(&theirs, json!({ "gender": "female" }))),
        )
        .await;

        assert_eq!((one.status(), other.status()), (200, 200));
        let after = root.get(&theirs).await;
        assert_eq!((after.text("name"), after.text("gender")), ("Ada", "female"));
    }
}

#[on_both]
async fn of_eight_creations_at_once_one_wins(env: TestEnv) {
    let app = env.app().await;
    let root = superuser(&app, "root").await;

    let racers = (0..8).map(|_| {
        let mut root = root.clone();
        async move { root.post(USERS, json!({ "email": "ada@example.com" })).await.status() }
    });
    let mut statuses = join_all(racers).await;

    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400, 400, 400, 400, 400]);
    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
}
