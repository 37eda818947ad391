//! Who may open which admin page, and who may send its forms: every route for every role.

use daemun::testing::types::Permission;
use rocket::http::Method;

use crate::support::{App, Browser, TestEnv, on_both};

macro_rules! look {
    ($action:literal) => {
        concat!("/admin/users/actions?id=ID&action=", $action)
    };
}

/// The routes, and what each needs. `ID` is an account's number.
const ROUTES: [(Method, &str, &[Permission]); 36] = [
    (Method::Get, "/admin", &[]),
    (Method::Get, "/admin/users", &[Permission::UsersView]),
    (Method::Get, "/admin/users.csv", &[Permission::UsersView]),
    (Method::Get, "/admin/users/ID", &[Permission::UsersView]),
    (Method::Post, "/admin/users/ID", &[Permission::UsersChange]),
    (Method::Get, "/admin/users/new", &[Permission::UsersAdd]),
    (Method::Post, "/admin/users/new", &[Permission::UsersAdd]),
    (Method::Get, "/admin/users/import", &[Permission::UsersAdd]),
    (Method::Post, "/admin/users/import", &[Permission::UsersAdd]),
    (Method::Get, "/admin/users/ID/password", &[Permission::UsersChange]),
    (Method::Post, "/admin/users/ID/password", &[Permission::UsersChange]),
    (Method::Get, "/admin/users/ID/activate", &[Permission::UsersChange]),
    (Method::Post, "/admin/users/ID/activate", &[Permission::UsersChange]),
    (Method::Get, "/admin/users/ID/deactivate", &[Permission::UsersChange]),
    (Method::Post, "/admin/users/ID/deactivate", &[Permission::UsersChange]),
    (Method::Get, "/admin/users/ID/verify", &[Permission::UsersChange]),
    (Method::Post, "/admin/users/ID/verify", &[Permission::UsersChange]),
    (Method::Get, "/admin/users/ID/sessions/end", &[Permission::SessionsEnd]),
    (Method::Post, "/admin/users/ID/sessions/end", &[Permission::SessionsEnd]),
    (Method::Get, "/admin/users/ID/delete", &[Permission::UsersDelete]),
    (Method::Post, "/admin/users/ID/delete", &[Permission::UsersDelete]),
    (Method::Get, "/admin/bulk", &[Permission::UsersView]),
    (Method::Get, look!("activate"), &[Permission::UsersView, Permission::UsersChange]),
    (Method::Get, look!("deactivate"), &[Permission::UsersView, Permission::UsersChange]),
    (Method::Get, look!("verify"), &[Permission::UsersView, Permission::UsersChange]),
    (Method::Get, look!("end_sessions"), &[Permission::UsersView, Permission::SessionsEnd]),
    (Method::Get, look!("delete"), &[Permission::UsersView, Permission::UsersDelete]),
    (Method::Get, "/admin/groups", &[Permission::UsersView]),
    (Method::Get, "/admin/groups/new", &[Permission::UsersChange]),
    (Method::Post, "/admin/groups/new", &[Permission::UsersChange]),
    (Method::Get, "/admin/audit", &[Permission::AuditView]),
    (Method::Get, "/admin/audit.csv", &[Permission::AuditView]),
    (Method::Get, "/admin/mail", &[Permission::AuditView]),
    (Method::Post, "/admin/mail/999999/retry", &[Permission::UsersChange]),
    (Method::Get, "/admin/settings", &[Permission::SettingsView]),
    (Method::Post, "/admin/bulk/999999/undo", &[Permission::UsersView]),
];

async fn knock(browser: &mut Browser<'_>, method: Method, path: &str) -> u16 {
    match method {
        Method::Get => browser.get(path).await.status(),
        _ => browser.submits(path, &[]).await.status(),
    }
}

/// What each route answers staff with these permissions, on the account `id`.
async fn knocks(
    app: &App,
    (browser, is_staff): (&mut Browser<'_>, bool),
    granted: &[Permission],
    id: i64,
) {
    for (method, path, needed) in ROUTES {
        let path = path.replace("ID", &id.to_string());
        let before = app.query_number("SELECT COUNT(*) FROM audit_events").await;

        let status = knock(browser, method, &path).await;

        let what = format!("{method} {path} with {granted:?}");
        let is_there = !path.contains("/999999/");
        if is_staff && needed.iter().all(|permission| granted.contains(permission)) {
            let fine: &[u16] = if is_there { &[200, 303, 422] } else { &[303, 404] };
            assert!(fine.contains(&status), "{status} {what}");
        } else {
            assert_eq!(status, 403, "{what}");
            assert_eq!(
                app.query_number("SELECT COUNT(*) FROM audit_events").await,
                before,
                "{what}"
            );
        }
    }
}

#[on_both]
async fn each_role_may_do_what_it_is_granted(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    for (method, path, _) in ROUTES {
        let path = path.replace("ID", &id.to_string());
        let mut stranger = app.visitor();
        let page = match method {
            Method::Get => stranger.get(&path).await,
            _ => stranger.submits(&path, &[]).await,
        };
        let location = page.location().unwrap_or_default();
        assert!(location.starts_with("/account/login"), "{method} {path}: {}", page.status());
    }
    let mut member = app.user("member").await;
    knocks(&app, (&mut member, false), &[], id).await;
    let mut without_rights = app.staff("nobody", &[]).await;
    knocks(&app, (&mut without_rights, true), &[], id).await;
    let alone = Permission::ALL.map(|permission| vec![permission]);
    let pairs = Permission::ALL.map(|permission| vec![Permission::UsersView, permission]);
    for (number, granted) in alone.into_iter().chain(pairs).enumerate() {
        let name = format!("staff{number}");
        let mut staff = app.staff(&name, &granted).await;
        app.user(&format!("victim{number}")).await;
        let victim = app.id_of(&format!("victim{number}")).await;
        knocks(&app, (&mut staff, true), &granted, victim).await;
    }
    let mut root = app.superuser("root").await;
    knocks(&app, (&mut root, true), &Permission::ALL, id).await;
}

#[on_both]
async fn an_unknown_account_is_not_found(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for id in ["999999", "0", "-1", "+1", "01", "x", "1x", "99999999999999999999", "%00"] {
        for (method, path, _) in ROUTES {
            if !path.contains("/ID") {
                continue;
            }
            let path = path.replace("ID", id);
            assert_eq!(knock(&mut root, method, &path).await, 404, "{method} {path}");
        }
    }
}

#[on_both]
async fn staff_never_change_a_superuser(env: TestEnv) {
    let app = env.app().await;
    app.superuser("root").await;
    let root = app.id_of("root").await;
    let all: Vec<Permission> = Permission::ALL.into();
    let mut staff = app.staff("staff", &all).await;
    let before = app.query_number("SELECT version FROM users WHERE is_superuser").await;
    for (method, path, _) in ROUTES {
        let path = path.replace("ID", &root.to_string());
        let is_page = method == Method::Get && path.ends_with(&format!("/{root}"));
        if !path.contains(&format!("/users/{root}")) || is_page {
            continue;
        }
        assert_eq!(knock(&mut staff, method, &path).await, 403, "{method} {path}");
    }
    for action in ["link", "unusable"] {
        let path = format!("/admin/users/{root}/password");
        assert_eq!(staff.submits(&path, &[("action", action)]).await.status(), 403, "{action}");
    }
    let page = staff.get(&format!("/admin/users/{root}")).await;
    let forms = page.texts(".panel form").len();
    assert_eq!((page.status(), forms), (200, 0), "only to be looked at");
    assert_eq!(app.query_number("SELECT version FROM users WHERE is_superuser").await, before);
}
