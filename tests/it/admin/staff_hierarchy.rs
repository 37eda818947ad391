//! What staff may do to a colleague: not suspend, delete or strip one who may do more.

use daemun::testing::types::Permission;
use daemun::testing::worker;
use serde_json::json;

use crate::admin::bulk_jobs::{looks, orders};
use crate::support::{ApiClient, App, TestEnv, on_both};

const HELPER: [Permission; 3] =
    [Permission::UsersView, Permission::UsersChange, Permission::UsersDelete];
const CHIEF: [Permission; 2] = [Permission::UsersView, Permission::AuditView];

/// Whether the account is as it was: active, on the staff, and in this many groups.
async fn is_whole(app: &App, id: i64, groups: i64) -> bool {
    let whole = format!(
        "SELECT COUNT(*) FROM users WHERE id = {id} AND is_active AND is_staff \
        AND password_hash IS NOT NULL AND deletes_at IS NULL"
    );
    let held = format!("SELECT COUNT(*) FROM group_members WHERE user_id = {id}");
    app.query_number(&whole).await == 1 && app.query_number(&held).await == groups
}

#[on_both]
async fn staff_with_more_permissions_cannot_be_changed(env: TestEnv) {
    let app = env.app().await;
    app.staff("chief", &CHIEF).await;
    let chief = app.id_of("chief").await;
    let mut helper = app.staff("helper", &HELPER).await;

    for (path, fields) in [
        ("deactivate", &[("reason", ""), ("until", "")][..]),
        ("delete", &[]),
        ("password", &[("action", "unusable")]),
        ("password", &[("action", "link")]),
    ] {
        let answer = helper.submits(&format!("/admin/users/{chief}/{path}"), fields).await;
        assert_eq!(answer.status(), 403, "{path}: {}", answer.text());
        assert!(is_whole(&app, chief, 1).await, "{path}");
    }
    let page = helper.get(&format!("/admin/users/{chief}")).await;
    for act in ["deactivate", "delete", "password"] {
        let link = page.attribute(&format!("a[href$='{chief}/{act}']"), "href");
        assert_eq!(link, None, "no way leads to what is refused");
    }
    let mut program = ApiClient::new(helper.clone());
    let path = format!("/api/users/{chief}");
    for change in
        [json!({ "is_active": false }), json!({ "is_staff": false }), json!({ "groups": [] })]
    {
        let reply = program.patch(&path, change.clone()).await;
        assert_eq!(reply.status(), 403, "{change}: {}", reply.json);
    }
    assert_eq!(program.delete(&path).await.status(), 403);
    assert!(is_whole(&app, chief, 1).await);
    let reply = program.patch(&path, json!({ "name": "Chief" })).await;
    assert_eq!(reply.status(), 200, "what takes nothing away may be written: {}", reply.json);
}

#[on_both]
async fn staff_with_no_more_permissions_can_be_suspended(env: TestEnv) {
    let app = env.app().await;
    app.staff("junior", &[Permission::UsersView]).await;
    // Without the staff flag groups grant nothing.
    app.staff("former", &CHIEF).await;
    app.sets_roles("former", false, false).await;
    let mut helper = app.staff("helper", &HELPER).await;

    for name in ["junior", "former"] {
        let id = app.id_of(name).await;
        let fields = [("reason", ""), ("until", "")];
        let answer = helper.submits(&format!("/admin/users/{id}/deactivate"), &fields).await;
        assert_eq!(answer.status(), 303, "{name}: {}", answer.text());
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users WHERE NOT is_active").await, 2);
    let root = app.superuser("root").await;
    app.staff("chief", &CHIEF).await;
    let chief = app.id_of("chief").await;
    let reply = ApiClient::new(root)
        .patch(&format!("/api/users/{chief}"), json!({ "is_active": false }))
        .await;
    assert_eq!(reply.status(), 200, "superusers may all: {}", reply.json);
}

#[on_both]
async fn bulk_jobs_skip_staff_with_more_permissions(env: TestEnv) {
    let app = env.app().await;
    app.staff("chief", &CHIEF).await;
    app.user("ada").await;
    let (chief, ada) = (app.id_of("chief").await, app.id_of("ada").await);
    let mut helper = app.staff("helper", &HELPER).await;
    let ids = [chief.to_string(), ada.to_string()];

    for action in ["deactivate", "delete"] {
        let page = looks(&mut helper, action, &[("id", &ids[0]), ("id", &ids[1])]).await;
        assert_eq!(page.texts(".sample li"), ["ada@example.com"], "{action}");
        orders(&mut helper, &page, &[]).await;
        worker::run_bulk_jobs(&app.ctx).await;
        assert!(is_whole(&app, chief, 1).await, "{action}");
        assert!(!is_whole(&app, ada, 0).await);
    }
    let page =
        looks(&mut helper, "deactivate", &[("all", "true"), ("filter", "is_staff=true")]).await;
    orders(&mut helper, &page, &[]).await;
    worker::run_bulk_jobs(&app.ctx).await;
    assert!(is_whole(&app, chief, 1).await, "all matching users");
}

#[on_both]
async fn a_group_cannot_strip_staff_with_more_permissions(env: TestEnv) {
    let app = env.app().await;
    app.staff("chief", &CHIEF).await;
    let chiefs = app.group("chiefs", &CHIEF).await;
    let desk = app.group("desk", &[Permission::UsersView, Permission::UsersChange]).await;
    app.sets_groups("chief", &[chiefs, desk]).await;
    let desk_only = [desk];
    let desk = desk.0;
    let mut root = app.superuser("root").await;
    let mut helper = app.staff("helper", &HELPER).await;
    let path = format!("/admin/groups/{desk}");
    let grants = format!("SELECT COUNT(*) FROM group_permissions WHERE group_id = {desk}");
    let less = [("name", "desk"), ("permissions", "users.view")];
    let renamed =
        [("name", "front desk"), ("permissions", "users.view"), ("permissions", "users.change")];

    let answer = helper.submits(&path, &less).await;
    assert_eq!((answer.status(), app.query_number(&grants).await), (422, 2), "{}", answer.text());
    assert!(answer.text().contains("has more permissions than you"), "{}", answer.text());
    assert_eq!(helper.submits(&format!("{path}/delete"), &[]).await.status(), 403);
    assert_eq!(helper.submits(&path, &renamed).await.status(), 303, "nothing is taken");
    assert_eq!(
        (root.submits(&path, &less).await.status(), app.query_number(&grants).await),
        (303, 1)
    );
    app.sets_groups("chief", &desk_only).await;
    app.ctx.cache.invalidate_all();
    assert_eq!(helper.submits(&format!("{path}/delete"), &[]).await.status(), 303);
}
