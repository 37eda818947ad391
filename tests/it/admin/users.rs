//! The list of users: who may see it, what it shows, and its filters.

use std::collections::BTreeSet;

use daemun::testing::types::Permission;

use crate::support::{App, Browser, Page, StoredUser, TestEnv, on_both};

pub(crate) const LIST: &str = "/admin/users";

pub(crate) const CSV: &str = "/admin/users.csv";

/// Stores users as an older version would have: address and name.
pub(crate) async fn insert(app: &App, users: &[(&str, &str)]) {
    let users = users.iter().enumerate().map(|(number, (email, name))| StoredUser {
        created_at: i64::try_from(number).expect("few"),
        ..StoredUser::new(email, name)
    });
    app.inserts_users(users).await;
}

pub(crate) fn encoded(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

pub(crate) fn emails(page: &Page) -> Vec<String> {
    page.texts("tbody th")
}

async fn filtered(root: &mut Browser<'_>, query: &str) -> BTreeSet<String> {
    let page = root.get(&format!("{LIST}?{query}")).await;
    assert_eq!(page.status(), 200, "{query}");
    emails(&page).into_iter().map(|email| email.replace("@example.com", "")).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// A hundred and twenty users, of which several were created and logged in at the same instant, and many
/// never logged in.
pub(crate) async fn crowd(app: &App) {
    let users = (0..120).map(|number| StoredUser {
        created_at: number / 7,
        last_login_at: (number % 3 != 0).then_some(1000 + number % 5),
        ..StoredUser::new(&format!("p{number}@example.com"), "Person")
    });
    app.inserts_users(users).await;
}

pub(crate) fn records(page: &Page) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(page.bytes());
    let records = reader.records().map(|record| record.expect("a whole record"));
    records.map(|record| record.iter().map(str::to_owned).collect()).collect()
}

#[on_both]
async fn the_list_needs_its_permission(env: TestEnv) {
    let app = env.app().await;
    let mut member = app.user("member").await;
    let mut clerk = app.staff("clerk", &[Permission::AuditView]).await;
    let mut viewer = app.staff("viewer", &[Permission::UsersView]).await;

    for path in [LIST, CSV, "/admin/users?q=a&sort=email"] {
        let answer = app.visitor().get(path).await;
        let login = format!("/account/login?next={}", encoded(path));
        assert_eq!(answer.location(), Some(login.as_str()));
        assert_eq!(member.get(path).await.status(), 403, "{path}");
        assert_eq!(clerk.get(path).await.status(), 403, "{path}");
        assert_eq!(viewer.get(path).await.status(), 200, "{path}");
        assert_eq!(viewer.submits(path, &[]).await.status(), 405, "{path}");
    }
    let mut root = app.superuser("root").await;
    assert_eq!(root.get(LIST).await.status(), 200);
    assert_eq!(root.get(CSV).await.status(), 200);
}

#[on_both]
async fn the_list_shows_what_staff_need(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    insert(&app, &[("Ada@example.com", "Ada Lovelace")]).await;

    let page = root.get(LIST).await;

    assert_eq!(page.h1(), "Users");
    assert_eq!(emails(&page), ["root@example.com", "Ada@example.com"], "the newest first");
    assert_eq!(
        page.texts("tbody tr:last-child td"),
        ["Ada Lovelace", "Yes", "No", "No", "No", "Never", "1 January 1970",]
    );
    assert_eq!(page.texts("#tally"), ["2 users"]);
    let id = app.query_number("SELECT id FROM users WHERE name = 'Ada Lovelace'").await;
    let link = page.attribute("tbody tr:last-child a", "href");
    assert_eq!(link, Some(format!("{LIST}/{id}")));
    let labels = page.texts("thead th");
    assert_eq!(
        labels,
        ["Email", "Name", "Active", "Staff", "Superuser", "Verified", "Last log-in", "Joined",]
    );
    assert_eq!(page.header("cache-control"), Some("no-store, no-transform"));
}

#[on_both]
async fn unknown_filters_are_dropped_and_named(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;

    for query in [
        "is_active=maybe",
        "is_staff=1",
        "is_superuser=TRUE",
        "verified=%20true",
        "group=x",
        "group=99999999999999999999",
        "joined_from=yesterday",
        "joined_from=2026-02-30",
        "joined_to=1/1/2026",
        "sort=password_hash",
        "sort=email%3B--",
        "after=%21",
        "before=x",
        "after=dCAxIHg",
        "joined_to=%2B10000-01-01",
    ] {
        let page = root.get(&format!("{LIST}?{query}")).await;
        assert_eq!((page.status(), emails(&page).len()), (200, 1), "{query}");
        let said = page.texts(".banner");
        let left_out = "Some filters in the link were not understood and were ignored.";
        assert_eq!(said, [left_out], "{query}");
        assert_eq!(root.get(&format!("{CSV}?{query}")).await.status(), 400, "{query}");
    }
    for query in ["is_active=&q=&group=&joined_from=&sort=", "unknown=1"] {
        assert!(root.get(&format!("{LIST}?{query}")).await.texts(".flash").is_empty());
    }
    assert_eq!(filtered(&mut root, "joined_to=9999-12-31").await, set(["root"]));
    assert_eq!(filtered(&mut root, "joined_from=-9999-01-01").await, set(["root"]));
}

#[on_both]
async fn every_filter_shows_what_it_names(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.user("root").await;
    app.sets_roles("root", true, true).await;
    insert(&app, &[("off@example.com", ""), ("desk@example.com", ""), ("proved@example.com", "")])
        .await;
    app.deactivates("off").await;
    app.sets_roles("desk", true, false).await;
    app.verifies_email("proved").await;
    let group = app.group("Desk", &[]).await;
    app.sets_groups("desk", &[group]).await;

    for (query, expected) in [
        ("is_active=true".to_owned(), set(["root", "desk", "proved"])),
        ("is_active=false".into(), set(["off"])),
        ("is_staff=true".into(), set(["root", "desk"])),
        ("is_staff=false".into(), set(["off", "proved"])),
        ("is_superuser=true".into(), set(["root"])),
        ("is_superuser=false".into(), set(["off", "desk", "proved"])),
        ("verified=true".into(), set(["proved"])),
        ("verified=false".into(), set(["root", "off", "desk"])),
        (format!("group={group}"), set(["desk"])),
        ("group=4711".into(), set([])),
        ("is_staff=true&is_superuser=false".into(), set(["desk"])),
        (format!("group={group}&is_staff=true&verified=false&q=des"), set(["desk"])),
        (format!("group={group}&is_staff=false"), set([])),
        ("is_active=false&q=of".into(), set(["off"])),
        ("is_active=false&q=root".into(), set([])),
    ] {
        assert_eq!(filtered(&mut root, &query).await, expected, "{query}");
        let page = root.get(&format!("{LIST}?{query}")).await;
        let tally = match expected.len() {
            1 => "1 user".to_owned(),
            count => format!("{count} users"),
        };
        assert_eq!(page.texts("#tally"), [tally], "{query}");
    }
    let page = root.get(&format!("{LIST}?group={group}&is_staff=true")).await;
    assert_eq!(page.field("group").value, group.to_string());
    assert_eq!(page.field("is_staff").value, "true");
    assert_eq!(page.attribute(".totals a + a", "href").as_deref(), Some(LIST));
}

#[on_both]
async fn rare_filters_are_folded_until_one_is_set(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for (query, is_open) in [("", false), ("?q=root", false), ("?is_staff=true", true)] {
        let page = root.get(&format!("{LIST}{query}")).await;
        assert!(page.attribute(".filters details", "class").is_some(), "{query}");
        let is_shown = page.attribute(".filters details", "open").is_some();
        assert_eq!(is_shown, is_open, "{query}");
    }
}

#[on_both]
async fn date_filters_include_both_days(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let day = 86_400_000_000_i64;
    let users = [("a", 10 * day), ("b", 11 * day - 1), ("c", 11 * day)];
    app.inserts_users(users.map(|(name, created_at)| StoredUser {
        created_at,
        ..StoredUser::new(&format!("{name}@example.com"), "")
    }))
    .await;

    for (query, expected) in [
        ("joined_from=1970-01-11&joined_to=1970-01-11", set(["a", "b"])),
        ("joined_from=1970-01-12", set(["c", "root"])),
        ("joined_to=1970-01-10", set([])),
        ("joined_to=1970-01-12", set(["a", "b", "c"])),
        ("joined_from=1970-01-12&joined_to=1970-01-11", set([])),
    ] {
        assert_eq!(filtered(&mut root, query).await, expected, "{query}");
    }
}

#[on_both]
async fn a_name_with_markup_is_escaped(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let rude = "<script>alert(1)</script>\"'><img src=x>";
    insert(&app, &[("x\"<b>@example.com", rude)]).await;
    app.group(rude, &[]).await;

    for path in [LIST.to_owned(), format!("{LIST}?q={}", encoded(rude))] {
        let page = root.get(&path).await;
        assert!(page.texts("main script, main img, main b").is_empty(), "{path}");
        assert!(page.texts("td").contains(&rude.to_owned()), "{path}");
    }
    let link = root.get(&format!("{LIST}?q={}", encoded("a\"&b=c#d"))).await;
    let csv = link.attribute(".totals a", "href");
    assert_eq!(csv.as_deref(), Some("/admin/users.csv?q=a%22%26b%3Dc%23d"));
}

#[on_both]
async fn a_page_costs_three_statements(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    crowd(&app).await;
    root.get(LIST).await;

    for query in ["", "?q=person", "?q=p1&is_staff=false&sort=email", "?verified=false"] {
        let before = app.ctx.db.queries();
        root.get(&format!("{LIST}{query}")).await;
        assert_eq!(app.ctx.db.queries() - before, 3, "count, people, groups: {query}");
    }
}

#[on_both]
async fn the_list_is_in_korean_too(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await.with("Accept-Language", "ko");
    crowd(&app).await;

    let page = root.get(&format!("{LIST}?q={}", encoded("없는사람"))).await;

    assert_eq!((page.h1().as_str(), page.language().as_str()), ("사용자", "ko"));
    assert_eq!(page.texts("#tally"), ["0명"]);
    assert_eq!(page.texts(".lead"), ["조건에 맞는 사용자가 없습니다."]);
}
