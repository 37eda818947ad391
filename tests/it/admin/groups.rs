//! Groups of staff, and who may change them.

use std::time::Duration;

use daemun::testing::types::Permission;
use futures::join;

use crate::support::{App, GOOD, TestEnv, on_both};

async fn number_of_events(app: &App, action: &str) -> i64 {
    app.query_number(&format!("SELECT COUNT(*) FROM audit_events WHERE action = '{action}'")).await
}

/// The number of the group of this name, zero without one.
async fn group(app: &App, name: &str) -> i64 {
    app.query_number(&format!("SELECT COALESCE(MAX(id), 0) FROM groups WHERE name = '{name}'"))
        .await
}

async fn grants(app: &App, group: i64, permission: &str) -> bool {
    let sql = format!(
        "SELECT COUNT(*) FROM group_permissions \
         WHERE group_id = {group} AND permission = '{permission}'"
    );
    app.query_number(&sql).await == 1
}

#[on_both]
async fn groups_need_their_permission(env: TestEnv) {
    let app = env.app().await;
    let (mut ada, mut root) = (app.user("ada").await, app.superuser("root").await);
    let mut reader = app.staff("reader", &[Permission::UsersView]).await;
    let mut other = app.staff("other", &[Permission::AuditView, Permission::SettingsView]).await;
    let id = group(&app, "group of reader").await;
    let one = format!("/admin/groups/{id}");
    for path in ["/admin/groups", "/admin/groups/new", &one, &format!("{one}/delete")] {
        assert_eq!(app.visitor().get(path).await.status(), 303, "{path}");
        assert_eq!(ada.get(path).await.status(), 403, "{path}");
        assert_eq!(other.get(path).await.status(), 403, "{path}");
        assert_eq!(root.get(path).await.status(), 200, "{path}");
        let may = path == "/admin/groups" || path == one;
        assert_eq!(reader.get(path).await.status(), if may { 200 } else { 403 }, "{path}");
    }
    for path in ["/admin/groups/new", &one, &format!("{one}/delete")] {
        let fields = [("name", "x")];
        assert_eq!(reader.submits(path, &fields).await.status(), 403, "{path}");
        assert_eq!(ada.submits(path, &fields).await.status(), 403, "{path}");
    }
    assert_eq!(group(&app, "group of reader").await, id);
    assert_eq!(root.get("/admin/groups/999").await.status(), 404);
    assert_eq!(root.get("/admin/groups/x").await.status(), 404);
}

#[on_both]
async fn a_superuser_creates_updates_and_deletes_a_group(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;

    let fields =
        [("name", "Help desk"), ("permissions", "users.view"), ("permissions", "users.change")];
    let answer = root.submits("/admin/groups/new", &fields).await;
    assert_eq!(answer.location(), Some("/admin/groups"), "{}", answer.text());
    let id = group(&app, "Help desk").await;
    let list = root.get("/admin/groups").await;
    assert_eq!(list.texts(".flash"), ["The group has been saved."]);
    assert_eq!(list.texts("tbody th"), ["Help desk"]);
    assert!(list.texts("tbody td")[0].contains("View users, Change users and groups"));

    let one = format!("/admin/groups/{id}");
    let page = root.get(&one).await;
    assert_eq!(page.texts("input[type=checkbox]").len(), 8);
    assert_eq!(page.texts("input[checked]").len(), 2);
    let fields = [("name", "Desk"), ("permissions", "audit.view")];
    assert_eq!(root.submits(&one, &fields).await.status(), 303);
    assert!(grants(&app, id, "audit.view").await && !grants(&app, id, "users.view").await);
    let recorded = "SELECT COUNT(*) FROM audit_events WHERE action = 'group_changed' AND details \
                LIKE '%\"name\":[\"Help desk\",\"Desk\"]%' AND details LIKE \
                '%\"permissions\":[[\"users.view\",\"users.change\"],[\"audit.view\"]]%'";
    assert_eq!(app.query_number(recorded).await, 1);

    assert_eq!(root.submits(&one, &fields).await.status(), 303);
    assert_eq!(number_of_events(&app, "group_changed").await, 1, "nothing changed");

    let delete = format!("{one}/delete");
    assert!(root.get(&delete).await.texts(".lead")[0].contains("“Desk” will be deleted."));
    assert_eq!(root.submits(&delete, &[]).await.location(), Some("/admin/groups"));
    assert_eq!(group(&app, "Desk").await, 0);
    assert_eq!(number_of_events(&app, "group_deleted").await, 1);
    assert_eq!(root.submits(&delete, &[]).await.status(), 404);
    assert_eq!(root.submits(&one, &fields).await.status(), 404);
}

#[on_both]
async fn errors_in_a_group_are_shown(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    root.submits("/admin/groups/new", &[("name", "Desk")]).await;

    for (fields, about, sentence) in [
        (vec![("name", " ")], "name", "Enter a name."),
        (vec![("name", "Desk")], "name", "There is already a group with this name."),
        (vec![("name", "a"), ("name", "b")], "name", "The form held this field more than once."),
        (
            vec![("name", "x"), ("permissions", "users.view"), ("permissions", "is_superuser")],
            "permissions",
            "Unknown permission.",
        ),
    ] {
        let page = root.submits("/admin/groups/new", &fields).await;
        assert_eq!(page.status(), 422, "{fields:?}");
        let link = page.attribute(".summary a", "href").expect("a link");
        assert_eq!(link, format!("#{about}"));
        if about == "name" && fields.len() > 1 {
            continue;
        }
        assert_eq!(page.summary(), [sentence], "{fields:?}");
    }
    let page = root.submits(
        "/admin/groups/new",
        &[("name", ""), ("permissions", "users.view"), ("permissions", "users.add")],
    );
    assert_eq!(page.await.texts("input[checked]").len(), 2, "what was ticked comes back");
    assert_eq!(app.query_number("SELECT COUNT(*) FROM groups").await, 1);
}

#[on_both]
async fn only_own_permissions_can_be_granted_or_taken(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let fields = [("name", "Strong"), ("permissions", "users.delete")];
    root.submits("/admin/groups/new", &fields).await;
    let mut eve = app.staff("eve", &[Permission::UsersView, Permission::UsersChange]).await;
    let (own, strong) = (group(&app, "group of eve").await, group(&app, "Strong").await);

    let ladder = [
        ("name", "group of eve"),
        ("permissions", "users.view"),
        ("permissions", "users.change"),
        ("permissions", "audit.view"),
    ];
    let page = eve.submits(&format!("/admin/groups/{own}"), &ladder).await;
    assert_eq!(page.status(), 422);
    assert_eq!(page.summary(), ["You can only add or remove permissions that you have yourself."]);
    let page = eve.submits("/admin/groups/new", &[("name", "x"), ("permissions", "users.add")]);
    assert_eq!(page.await.status(), 422);

    for fields in [[("name", "Weak"), ("permissions", "users.view")], [("name", "Weak"); 2]] {
        let page = eve.submits(&format!("/admin/groups/{strong}"), &fields[..1]).await;
        assert_eq!(page.status(), 422, "not even its name");
    }
    let page = eve.get(&format!("/admin/groups/{strong}")).await;
    assert!(page.texts("main button.button").is_empty());
    assert_eq!(page.texts("input[disabled]").len(), 8);
    let delete = format!("/admin/groups/{strong}/delete");
    assert_eq!(eve.submits(&delete, &[]).await.status(), 403);

    assert!(grants(&app, strong, "users.delete").await && group(&app, "Strong").await > 0);
    assert!(!grants(&app, own, "audit.view").await);
    assert_eq!(number_of_events(&app, "group_changed").await, 0);
    assert_eq!(eve.get("/admin/audit").await.status(), 403);

    let page = eve.submits("/admin/groups/new", &[("name", "x"), ("permissions", "users.view")]);
    assert_eq!(page.await.status(), 303, "what one has, one may give");
}

#[on_both]
async fn permissions_apply_at_once(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let mut ada = app.staff("ada", &[Permission::UsersView]).await;
    let own = format!("/admin/groups/{}", group(&app, "group of ada").await);
    assert_eq!(ada.get("/admin/groups").await.status(), 200);

    root.submits(&own, &[("name", "group of ada")]).await;
    assert_eq!(ada.get("/admin/groups").await.status(), 403);
    root.submits(&own, &[("name", "group of ada"), ("permissions", "users.view")]).await;
    assert_eq!(ada.get("/admin/groups").await.status(), 200);
    root.submits(&format!("{own}/delete"), &[]).await;
    assert_eq!(ada.get("/admin/groups").await.status(), 403);
}

#[on_both]
async fn two_updates_of_one_group_are_serialized(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    root.submits("/admin/groups/new", &[("name", "Desk")]).await;
    let one = format!("/admin/groups/{}", group(&app, "Desk").await);
    let (mut left, mut right) = (root.clone(), root.clone());

    let (of_left, of_right) = ([("name", "Left")], [("name", "Right")]);
    let (left, right) = join!(left.submits(&one, &of_left), right.submits(&one, &of_right));

    assert_eq!((left.status(), right.status()), (303, 303));
    let recorded = |from: &str, to: &str| {
        format!(
            "SELECT COUNT(*) FROM audit_events WHERE action = 'group_changed' \
             AND details LIKE '%[\"{from}\",\"{to}\"]%'"
        )
    };
    let left_first = app.query_number(&recorded("Desk", "Left")).await
        + app.query_number(&recorded("Left", "Right")).await;
    let right_first = app.query_number(&recorded("Desk", "Right")).await
        + app.query_number(&recorded("Right", "Left")).await;
    assert!((left_first, right_first) == (2, 0) || (left_first, right_first) == (0, 2));
}

#[on_both]
async fn two_groups_never_share_a_name(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for name in ["One", "Two"] {
        root.submits("/admin/groups/new", &[("name", name)]).await;
    }
    let two = format!("/admin/groups/{}", group(&app, "Two").await);
    assert_eq!(root.submits(&two, &[("name", "One")]).await.status(), 422);

    let (mut left, mut right) = (root.clone(), root.clone());
    let fields = [("name", "Three")];
    let (left, right) = join!(
        left.submits("/admin/groups/new", &fields),
        right.submits("/admin/groups/new", &fields)
    );
    let mut statuses = [left.status(), right.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM groups").await, 3);
}

#[on_both]
async fn after_ten_minutes_the_password_is_required(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    root.submits("/admin/groups/new", &[("name", "Desk")]).await;
    let one = format!("/admin/groups/{}", group(&app, "Desk").await);
    env.clock.advance(Duration::from_mins(11));

    for path in ["/admin/groups/new", &one, &format!("{one}/delete")] {
        let answer = root.submits(path, &[("name", "Other")]).await;
        let way = format!("/account/sudo?next={}", path.replace('/', "%2F"));
        assert_eq!(answer.location(), Some(way.as_str()));
    }
    assert_eq!(root.get(&one).await.status(), 200, "looking needs none");
    assert_eq!(app.query_number("SELECT COUNT(*) FROM groups WHERE name = 'Desk'").await, 1);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM groups").await, 1);

    let fields = [("password", GOOD), ("next", one.as_str())];
    assert_eq!(root.submits("/account/sudo", &fields).await.location(), Some(one.as_str()));
    assert_eq!(root.submits(&one, &[("name", "Other")]).await.status(), 303);
}

#[on_both]
async fn a_name_with_markup_is_escaped(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let name = "<script>alert('1')</script>\" onfocus=\"x";
    root.submits("/admin/groups/new", &[("name", name)]).await;

    let list = root.get("/admin/groups").await;
    assert_eq!(list.texts("tbody th"), [name]);
    let one = list.attribute("tbody a", "href").expect("a link");
    for path in [one.clone(), format!("{one}/delete"), "/admin/audit".into()] {
        let page = root.get(&path).await;
        assert!(!page.text().contains("<script>a") && !page.text().contains("\" onf"), "{path}");
    }
    assert_eq!(root.get(&one).await.field("name").value, name);
}
