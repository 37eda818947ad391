//! `/api/users` as a list: paging, search and filters.

use daemun::testing::accounts::search::UserFilter;
use daemun::testing::types::Permission;
use serde_json::{Value, json};

use crate::api::users::{USERS, emails, superuser};
use crate::support::app::email;
use crate::support::{ApiReply, TestEnv, on_both};

/// Where a link of a list leads on this site.
fn local(reply: &ApiReply, link: &str) -> Option<String> {
    let link = reply.json[link].as_str()?;
    Some(link.strip_prefix("http://localhost:8000").expect("an absolute address").to_owned())
}

#[on_both]
async fn the_list_is_paged_in_both_directions(env: TestEnv) {
    let app = env.app().await;
    let mut root = superuser(&app, "root").await;
    for name in ["a", "b", "c", "d"] {
        app.user(name).await;
    }
    let first = root.get("/api/users/?sort=email&page_size=2&is_active=true").await;

    let second = root.get(&local(&first, "next").expect("more")).await;
    let third = root.get(&local(&second, "next").expect("more")).await;
    let back = root.get(&local(&third, "previous").expect("before")).await;

    assert_eq!(emails(&first), ["a@example.com", "b@example.com"]);
    assert_eq!((first.json["previous"].is_null(), third.json["next"].is_null()), (true, true));
    assert_eq!(emails(&second), ["c@example.com", "d@example.com"]);
    assert_eq!(emails(&third), ["root@example.com"]);
    assert_eq!(emails(&back), emails(&second));
    let start = root.get(&local(&back, "previous").expect("before")).await;
    assert_eq!((emails(&start), start.json["previous"].is_null()), (emails(&first), true));
    let all = root.get(USERS).await;
    let names: Vec<_> = ["d", "c", "b", "a", "root"].map(email).into();
    assert_eq!((emails(&all), &all.json["next"]), (names, &Value::Null), "the newest first");
}

#[on_both]
async fn search_and_filters_match_the_admin_page(env: TestEnv) {
    let app = env.app().await;
    let mut root = superuser(&app, "root").await;
    app.staff("grace", &[Permission::UsersView]).await;
    app.user("ada").await;
    app.deactivates("ada").await;
    app.verifies_email("grace").await;
    let group = app.query_number("SELECT id FROM groups").await;
    for (query, found) in [
        ("search=GRA", vec!["grace"]),
        ("search=nobody", vec![]),
        ("is_active=false", vec!["ada"]),
        ("is_staff=true&sort=email", vec!["grace", "root"]),
        ("is_superuser=true", vec!["root"]),
        ("verified=true&is_superuser=false", vec!["grace"]),
        (&format!("group={group}"), vec!["grace"]),
        ("joined_from=2026-03-02", vec![]),
        ("joined_to=2026-03-01&search=ada&is_staff=", vec!["ada"]),
    ] {
        let reply = root.get(&format!("{USERS}?{query}")).await;
        let found: Vec<_> = found.into_iter().map(email).collect();
        assert_eq!(emails(&reply), found, "{query}");
    }
    let mut grace = app.api_user("member").await.with_bearer();
    let others = grace.get(&format!("{USERS}?search=root")).await;
    assert_eq!((others.status(), emails(&others).len()), (200, 0));
}

#[on_both]
async fn an_unknown_filter_is_named(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.api_user("ada").await.with_bearer();
    let long = format!("search={}", "x".repeat(257));
    let mut wrong: Vec<(String, &str)> = vec![
        (long, "search"),
        ("sort=password_hash".into(), "sort"),
        ("page_size=0".into(), "page_size"),
        ("page_size=101".into(), "page_size"),
        ("page_size=x".into(), "page_size"),
        ("cursor=x".into(), "cursor"),
        ("cursor=nbiAx".into(), "cursor"),
        ("group=99999999999999999999".into(), "group"),
    ];
    wrong.extend(UserFilter::CONDITIONS.map(|name| (format!("{name}=maybe"), name)));
    for (query, field) in wrong {
        let reply = ada.get(&format!("{USERS}?{query}")).await;
        let fields = reply.json.as_object().expect("fields");
        let names: Vec<_> = fields.keys().map(String::as_str).collect();
        assert_eq!((reply.status(), names), (400, vec![field]), "{query}");
    }
    let both = ada.get(&format!("{USERS}?is_active=1&joined_to=tomorrow")).await;
    assert_eq!(
        both.json,
        json!({
            "is_active": ["Must be a valid boolean."],
            "joined_to": ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."],
        })
    );
}

#[on_both]
async fn a_page_costs_two_statements(env: TestEnv) {
    let app = env.app().await;
    let mut root = superuser(&app, "root").await;
    for name in ["a", "b", "c"] {
        app.user(name).await;
    }
    root.get(USERS).await;
    for query in ["page_size=1", "page_size=100", "search=example", "is_staff=true"] {
        let before = app.ctx.db.queries();
        root.get(&format!("{USERS}?{query}")).await;
        assert_eq!(app.ctx.db.queries() - before, 2, "count and people: {query}");
    }
}
