//! The list of people that staff see: who may see it, what is found, in which order, and as CSV.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use daemun::accounts::search;
use daemun::accounts::search::{Bounds, Count, Cursor, Filter, Place, Sort, Words};
use daemun::groups;
use daemun::groups::GroupName;
use daemun::types::{GroupId, Permission, Permissions, UserId};

use crate::support::app::email;
use crate::support::{App, Browser, Page, World, on_both};

const LIST: &str = "/admin/users";
const CSV: &str = "/admin/users.csv";

/// Somebody on the staff, with these permissions by a group of their own.
async fn staff<'a>(
    world: &World,
    app: &'a App,
    name: &str,
    permissions: &[Permission],
) -> Browser<'a> {
    let browser = app.person(name).await;
    let address = email(name);
    app.execute(&format!("UPDATE users SET is_staff = true WHERE email = '{address}'")).await;
    let id = app.number(&format!("SELECT id FROM users WHERE email = '{address}'")).await;
    let group = group_of(app, name, permissions, &[id]).await;
    assert!(group.0 > 0);
    // Sessions are remembered for two seconds.
    world.clock.advance(Duration::from_secs(3));
    browser
}

async fn group_of(app: &App, name: &str, grants: &[Permission], members: &[i64]) -> GroupId {
    let transaction = app.ctx.db.begin().await.expect("begins");
    let permissions: Permissions = grants.iter().copied().collect();
    let name = GroupName::parse(name).expect("a name");
    let group = groups::open(&transaction, &name, permissions, app.ctx.clock.now()).await;
    let group = group.expect("answers").expect("the name is free");
    for member in members {
        let done = groups::set_groups(&transaction, UserId(*member), &[group]).await;
        done.expect("becomes a member");
    }
    transaction.commit().await.expect("commits");
    group
}

/// A superuser, who is nobody that a search below finds.
async fn root<'a>(world: &World, app: &'a App) -> Browser<'a> {
    let browser = app.person("root").await;
    app.execute("UPDATE users SET is_staff = true, is_superuser = true").await;
    world.clock.advance(Duration::from_secs(3));
    browser
}

/// People as a console would insert them: address and name.
async fn insert(app: &App, people: &[(&str, &str)]) {
    let mut sql = String::new();
    for (number, (email, name)) in people.iter().enumerate() {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let canonical = quoted(&email.to_lowercase());
        let (email, name) = (quoted(email), quoted(name));
        write!(
            sql,
            "INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
             VALUES ({email}, {canonical}, {name}, {number}, {number});"
        )
        .expect("a string");
    }
    app.execute(&sql).await;
}

fn encoded(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

fn emails(page: &Page) -> Vec<String> {
    page.texts("tbody th")
}

/// Who is found by a search, in the order of addresses.
async fn found(root: &mut Browser<'_>, q: &str) -> Vec<String> {
    let page = root.get(&format!("{LIST}?sort=email&q={}", encoded(q))).await;
    assert_eq!(page.status(), 200, "{q}");
    assert_eq!(page.attribute("#q", "value").as_deref(), Some(q), "it stays in its field");
    emails(&page)
}

async fn filtered(root: &mut Browser<'_>, query: &str) -> BTreeSet<String> {
    let page = root.get(&format!("{LIST}?{query}")).await;
    assert_eq!(page.status(), 200, "{query}");
    emails(&page).into_iter().map(|email| email.replace("@example.com", "")).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// A hundred and twenty people with ties in when they came and when they last logged in, and many
/// who never did.
async fn crowd(app: &App) {
    let mut sql = String::new();
    for number in 0..120 {
        let (joined, seen) = (number / 7, number % 5);
        let seen = if number % 3 == 0 { "NULL".to_owned() } else { (1000 + seen).to_string() };
        write!(
            sql,
            "INSERT INTO users (email, email_canonical, name, created_at, updated_at, last_login_at) \
             VALUES ('p{number}@example.com', 'p{number}@example.com', 'Person', {joined}, 0, {seen});"
        )
        .expect("a string");
    }
    app.execute(&sql).await;
}

/// Follows a link of the pager until there is none; the addresses of each page.
async fn walk(browser: &mut Browser<'_>, start: &Page, rel: &str) -> Vec<Vec<String>> {
    let mut pages = vec![emails(start)];
    let mut link = start.attribute(&format!(".pager [rel={rel}]"), "href");
    while let Some(path) = link {
        let page = browser.get(&path).await;
        assert_eq!(page.status(), 200, "{path}");
        assert!(pages.len() < 20, "it ends");
        pages.push(emails(&page));
        link = page.attribute(&format!(".pager [rel={rel}]"), "href");
    }
    pages
}

fn records(page: &Page) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(page.bytes());
    let records = reader.records().map(|record| record.expect("a whole record"));
    records.map(|record| record.iter().map(str::to_owned).collect()).collect()
}

#[on_both]
async fn only_staff_who_may_see_people_do(world: World) {
    let app = world.app().await;
    let mut member = app.person("member").await;
    let mut clerk = staff(&world, &app, "clerk", &[Permission::AuditView]).await;
    let mut viewer = staff(&world, &app, "viewer", &[Permission::UsersView]).await;

    for path in [LIST, CSV, "/admin/users?q=a&sort=email"] {
        let answer = app.visitor().get(path).await;
        let login = format!("/account/login?next={}", encoded(path));
        assert_eq!(answer.location(), Some(login.as_str()));
        assert_eq!(member.get(path).await.status(), 403, "{path}");
        assert_eq!(clerk.get(path).await.status(), 403, "{path}");
        assert_eq!(viewer.get(path).await.status(), 200, "{path}");
        assert_eq!(viewer.submits(path, &[]).await.status(), 405, "{path}");
    }
    let mut root = root(&world, &app).await;
    assert_eq!(root.get(LIST).await.status(), 200);
    assert_eq!(root.get(CSV).await.status(), 200);
}

#[on_both]
async fn the_list_says_what_staff_want_to_know(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    insert(&app, &[("Ada@example.com", "Ada Lovelace")]).await;

    let page = root.get(LIST).await;

    assert_eq!(page.h1(), "People");
    assert_eq!(emails(&page), ["root@example.com", "Ada@example.com"], "the newest first");
    assert_eq!(
        page.texts("tbody tr:last-child td"),
        ["Ada Lovelace", "Yes", "No", "No", "No", "Never", "1 January 1970",]
    );
    assert_eq!(page.texts("#tally"), ["2 people"]);
    let id = app.number("SELECT id FROM users WHERE name = 'Ada Lovelace'").await;
    let link = page.attribute("tbody tr:last-child a", "href");
    assert_eq!(link, Some(format!("{LIST}/{id}")));
    let labels = page.texts("thead th");
    assert_eq!(
        labels,
        ["Email", "Name", "Active", "Staff", "Superuser", "Verified", "Last log-in", "Joined",]
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
}

#[on_both]
async fn every_word_is_somewhere_in_the_address_or_the_name(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    insert(
        &app,
        &[
            ("ada@math.example", "Ada Lovelace"),
            ("grace@navy.example", "Grace HOPPER"),
            ("hong@example.kr", "홍길동"),
            ("hwang@example.kr", "황 보라"),
            ("ecole@example.fr", "École Émile"),
            ("x@example.org", "a"),
        ],
    )
    .await;

    for (q, expected) in [
        ("", 7),
        ("example", 7),
        ("nobody", 0),
        ("lovelace math", 1),
        ("lovelace navy", 0),
        ("LOVE", 1),
        ("ada@math.example", 1),
        ("hopper", 1),
        ("grace HOP nav", 1),
        ("홍", 1),
        ("길동", 1),
        ("홍길동", 1),
        ("홍길동 hong", 1),
        ("홍길동전", 0),
        ("보라 황", 1),
        ("kr", 2),
        ("kr 홍", 1),
        ("k r ho", 1),
        ("École", 1),
        ("Lovelace lovelace", 1),
    ] {
        assert_eq!(found(&mut root, q).await.len(), expected, "{q}");
    }
}

#[on_both]
async fn upper_and_lower_letters_are_one_as_far_as_the_engine_knows(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    insert(&app, &[("ecole@example.fr", "École ÉMILE"), ("ω@example.gr", "ΩMEGA")]).await;
    let is_sqlite = app.ctx.db.reader().get_database_backend() == sea_orm::DbBackend::Sqlite;

    for q in ["éCOLE", "é", "émile École", "ωmega", "Ωm"] {
        // The cluster's locale is C, which knows A to Z.
        let count = found(&mut root, q).await.len();
        assert!(!is_sqlite || count == 1, "{q}: {count}");
    }
    assert_eq!(found(&mut root, "ecole").await.len(), 1, "by the address");
    assert_eq!(found(&mut root, "emile").await.len(), 0, "é is not e");
}

#[on_both]
async fn no_sign_is_an_operator(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    insert(
        &app,
        &[
            ("a@example.com", "100% sure"),
            ("b@example.com", "snake_case"),
            ("c@example.com", r"back\slash"),
            ("d@example.com", "O'Brien \"Bob\""),
            ("e@example.com", "[x]*?^-]"),
            ("f@example.com", "OR AND NOT NEAR(a, b) email:x"),
        ],
    )
    .await;

    for (q, expected) in [
        ("%", "a"),
        ("100%", "a"),
        ("0%0", ""),
        ("_", "b"),
        ("snake_", "b"),
        ("sn_ke", ""),
        ("\\", "c"),
        ("back\\", "c"),
        ("\\%", ""),
        ("'", "d"),
        ("O'B", "d"),
        ("\"", "d"),
        ("\"Bob\"", "d"),
        ("\"\"", ""),
        ("*", "e"),
        ("sna*", ""),
        ("?", "e"),
        ("[x]", "e"),
        ("[x]*?^-]", "e"),
        ("[a-z]", ""),
        ("^", "e"),
        ("OR", "f"),
        ("NOT AND", "f"),
        ("NEAR(", "f"),
        ("NEAR(a,", "f"),
        ("email:x", "f"),
        ("{email}", ""),
        ("a OR b", "f"),
        ("'; DROP TABLE users; --", ""),
        ("$1", ""),
        ("?1", ""),
        (":email", ""),
        ("--", ""),
        ("(((", ""),
        ("^^^", ""),
        ("+++", ""),
        ("*:*", ""),
    ] {
        let mut names = found(&mut root, q).await;
        for email in &mut names {
            email.truncate(1);
        }
        let names = names.concat();
        assert_eq!(names, expected, "{q}");
    }
}

#[on_both]
async fn a_search_that_is_no_search_finds_nobody_and_breaks_nothing(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;

    let page = root.get(&format!("{LIST}?q={}", "x".repeat(10_000))).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("The search was too long."));
    assert!(emails(&page).is_empty() && page.texts("#tally") == ["0 people"]);
    let many = root.get(&format!("{LIST}?q={}", "%20a".repeat(120))).await;
    assert_eq!((many.status(), emails(&many).len()), (200, 1));

    for query in [
        "q=%00",
        "q=%FF%FE",
        "q=%F0%9F%9A%AA%F0%9F%9A%AA%F0%9F%9A%AA",
        "q=a&q=b",
        "q[]=x",
        "q",
        "q=%E2%80%8B",
        "%",
        "=",
        "&&&",
        "q.x=1",
        "sort[0]=1",
    ] {
        assert_eq!(root.get(&format!("{LIST}?{query}")).await.status(), 200, "{query}");
    }
}

#[on_both]
async fn what_is_not_understood_is_left_out_and_said(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;

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
        let left_out = "Some filters in the link were not understood and were left out.";
        assert_eq!(said, [left_out], "{query}");
        assert_eq!(root.get(&format!("{CSV}?{query}")).await.status(), 400, "{query}");
    }
    for query in ["is_active=&q=&group=&joined_from=&sort=", "unknown=1"] {
        assert!(root.get(&format!("{LIST}?{query}")).await.texts(".notice").is_empty());
    }
    assert_eq!(filtered(&mut root, "joined_to=9999-12-31").await, set(["root"]));
    assert_eq!(filtered(&mut root, "joined_from=-9999-01-01").await, set(["root"]));
}

#[on_both]
async fn every_filter_leaves_those_it_names(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    insert(&app, &[("off@example.com", ""), ("desk@example.com", ""), ("proved@example.com", "")])
        .await;
    app.execute(
        "UPDATE users SET is_active = false WHERE email LIKE 'off@%';
             UPDATE users SET is_staff = true WHERE email LIKE 'desk@%';
             UPDATE users SET email_verified_at = 5 WHERE email LIKE 'proved@%';",
    )
    .await;
    let desk = app.number("SELECT id FROM users WHERE email LIKE 'desk@%'").await;
    let group = group_of(&app, "Desk", &[], &[desk]).await;

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
        let told = match expected.len() {
            1 => "1 person".to_owned(),
            count => format!("{count} people"),
        };
        assert_eq!(page.texts("#tally"), [told], "{query}");
    }
    let page = root.get(&format!("{LIST}?group={group}&is_staff=true")).await;
    assert_eq!(page.field("group").value, group.to_string());
    assert_eq!(page.field("is_staff").value, "true");
    assert_eq!(page.attribute(".filters a", "href").as_deref(), Some(LIST));
}

#[on_both]
async fn seldom_filters_are_folded_away_until_one_is_set(world: World) {
    let app = world.app().await;
    let mut root = app.promoted("root").await;
    for (query, is_open) in [("", false), ("?q=root", false), ("?is_staff=true", true)] {
        let page = root.get(&format!("{LIST}{query}")).await;
        assert!(page.attribute(".filters details", "class").is_some(), "{query}");
        let is_shown = page.attribute(".filters details", "open").is_some();
        assert_eq!(is_shown, is_open, "{query}");
    }
}

#[on_both]
async fn days_are_whole_and_both_count(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    let day = 86_400_000_000_i64;
    insert(&app, &[("a@example.com", ""), ("b@example.com", ""), ("c@example.com", "")]).await;
    for (name, at) in [("a", 10 * day), ("b", 11 * day - 1), ("c", 11 * day)] {
        let sql = format!("UPDATE users SET created_at = {at} WHERE email LIKE '{name}@%'");
        app.execute(&sql).await;
    }

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
async fn every_order_is_walked_forward_and_backward_without_loss(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    crowd(&app).await;

    for (name, _) in Sort::ALL {
        for query in ["", "&q=person", "&q=p1", "&is_staff=false", "&q=pe"] {
            let first = root.get(&format!("{LIST}?sort={name}{query}")).await;
            let pages = walk(&mut root, &first, "next").await;

            let all = pages.concat();
            let unique: BTreeSet<_> = all.iter().collect();
            assert_eq!(all.len(), unique.len(), "nobody twice: {name}{query}");
            let told = if query.is_empty() { 121 } else { 120 };
            if query != "&q=p1" {
                assert_eq!(all.len(), told, "nobody lost: {name}{query}");
                assert_eq!(pages.len(), told.div_ceil(20), "{name}{query}");
                assert_eq!(first.texts("#tally"), [format!("{told} people")]);
            }
            let opposite = match name.strip_prefix('-') {
                Some(name) => name.to_owned(),
                None => format!("-{name}"),
            };
            let other = root.get(&format!("{LIST}?sort={opposite}{query}")).await;
            let mut reversed = walk(&mut root, &other, "next").await.concat();
            reversed.reverse();
            assert_eq!(all, reversed, "ties are turned round too: {name}{query}");
        }

        let first = root.get(&format!("{LIST}?sort={name}")).await;
        let mut last = first.clone();
        while let Some(path) = last.attribute(".pager [rel=next]", "href") {
            last = root.get(&path).await;
        }
        let there = walk(&mut root, &first, "next").await.concat();
        let mut back = walk(&mut root, &last, "prev").await;
        back.reverse();
        assert_eq!(back.concat(), there, "{name}");
    }
}

#[on_both]
async fn whoever_never_logged_in_stands_at_the_old_end(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    crowd(&app).await;

    let first = root.get(&format!("{LIST}?sort=last_login_at")).await;
    let newest = root.get(&format!("{LIST}?sort=-last_login_at")).await;

    assert_eq!(first.texts("tbody tr:first-child td:nth-child(7)"), ["Never"]);
    assert_eq!(emails(&newest)[0], "root@example.com");
    let selector = "thead th:nth-child(7)";
    assert_eq!(first.attribute(selector, "aria-sort").as_deref(), Some("ascending"));
    assert_eq!(newest.attribute(selector, "aria-sort").as_deref(), Some("descending"));
    assert_eq!(first.attribute("thead th", "aria-sort").as_deref(), Some("none"));
    let link = newest.attribute(&format!("{selector} a"), "href");
    assert_eq!(link.as_deref(), Some("/admin/users?sort=last_login_at"));
    assert_eq!(first.attribute("input[name=sort]", "value").as_deref(), Some("last_login_at"));
}

#[on_both]
async fn whoever_comes_or_goes_meanwhile_moves_nobody(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    crowd(&app).await;
    let first = root.get(LIST).await;

    let next = first.attribute(".pager [rel=next]", "href").expect("a second page");
    let before = emails(&root.get(&next).await);
    insert(&app, &[("new@example.com", "")]).await;
    app.execute(
        "UPDATE users SET created_at = 99999999 WHERE email = 'new@example.com';
             DELETE FROM users WHERE email = 'p119@example.com'",
    )
    .await;
    let last_on_first = emails(&first).pop().expect("somebody");
    app.execute(&format!("DELETE FROM users WHERE email = '{last_on_first}'")).await;

    let second = root.get(&next).await;
    assert_eq!(emails(&second), before);
    let previous = second.attribute(".pager [rel=prev]", "href").expect("the way back");
    let first = emails(&root.get(&previous).await);
    assert!(first.contains(&"new@example.com".to_owned()));
    assert!(!first.contains(&last_on_first));
    let back = second.attribute(".pager a", "href");
    assert_eq!(back.as_deref(), Some(LIST), "the first page");
}

#[on_both]
async fn a_walk_through_windows_finds_the_same(world: World) {
    let app = world.app().await;
    root(&world, &app).await;
    crowd(&app).await;
    let db = &app.ctx.db;
    let small = Bounds { candidates: 3, window: 10 };
    let words = Words::parse("p1 person").expect("short");
    let filters = [
        Filter { words, ..Filter::default() },
        Filter { is_superuser: Some(true), ..Filter::default() },
        Filter { is_staff: Some(false), ..Filter::default() },
        Filter { words: Words::parse("nobody").expect("short"), ..Filter::default() },
    ];

    for filter in &filters {
        for (name, sort) in Sort::ALL {
            let whole = search::page(db, filter, sort, &Place::First, Bounds::default(), 500).await;
            let expected = whole.expect("answers").people;
            let mut met = Vec::new();
            let mut place = Some(Place::First);
            while let Some(from) = place {
                let page = search::page(db, filter, sort, &from, small, 4).await;
                let page = page.expect("answers");
                let told = page.count;
                let is_right = match told {
                    Count::Exactly(count) => count == expected.len() as u64,
                    Count::AtLeast(count) => count <= expected.len() as u64,
                    Count::Many => false,
                };
                assert!(is_right, "{told:?}");
                met.extend(page.people);
                place = page.after.map(Place::After);
            }
            assert_eq!(met, expected, "{name} {filter:?}");
            let Some((last, rest)) = expected.split_last() else { continue };
            let mut back = Vec::new();
            let mut place = Some(Place::Before(Cursor::of(last, sort)));
            while let Some(from) = place {
                let page = search::page(db, filter, sort, &from, small, 4).await;
                let page = page.expect("answers");
                back.splice(0..0, page.people);
                place = page.before.map(Place::Before);
            }
            assert_eq!(back, rest, "back: {name} {filter:?}");
        }
    }
}

#[on_both]
async fn many_matches_are_the_same_whether_they_stand_near_or_far(world: World) {
    let app = world.app().await;
    app.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) \
         INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
         SELECT 'u' || i || '@example.com', 'u' || i || '@example.com', \
         CASE WHEN i <= 1500 THEN 'Far' WHEN i % 2 = 0 THEN 'Near' ELSE 'Nobody' END, i, 0 FROM n",
    )
    .await;
    let newest = Sort::parse("-created_at").expect("an order");
    let (far, near) = ((1..=1_500).rev(), (1_501..=4_000).rev().filter(|it| it % 2 == 0));
    let expected: [(&str, Vec<i64>); 2] = [("far", far.collect()), ("near", near.collect())];

    for (word, expected) in expected {
        let words = Words::parse(word).expect("short");
        let filter = Filter { words, ..Filter::default() };
        let (mut met, mut place) = (Vec::new(), Some(Place::First));
        while let Some(from) = place {
            let page =
                search::page(&app.ctx.db, &filter, newest, &from, Bounds::default(), 200).await;
            let page = page.expect("answers");
            assert_eq!(page.count, Count::Exactly(expected.len() as u64), "{word}");
            assert!(!page.is_cut, "all of them can be sorted: {word}");
            met.extend(page.people.iter().map(|row| row.created_at.unix_timestamp_nanos()));
            place = page.after.map(Place::After);
        }
        let expected: Vec<_> = expected.iter().map(|it| i128::from(*it) * 1_000).collect();
        assert_eq!(met, expected, "{word}");
    }
}

#[on_both]
async fn a_whole_address_is_told_from_those_like_it(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    let addresses = [
        "person12345@example.com",
        "aperson12345@example.com",
        "person12345@example.com.au",
        "person12345@example.org",
        "person12346@example.com",
        "per_on12345@example.com",
    ];
    let people: Vec<_> = addresses.iter().map(|address| (*address, "")).collect();
    insert(&app, &people).await;

    let all = [addresses[1], addresses[0], addresses[2]];
    assert_eq!(found(&mut root, "person12345@example.com").await, all);
    assert_eq!(found(&mut root, "PERSON12345@Example.com").await, all);
    assert_eq!(found(&mut root, "on12345@example.org").await, [addresses[3]]);
    assert_eq!(found(&mut root, "per_on12345@example.com").await, [addresses[5]]);
    assert_eq!(found(&mut root, "person12345@example.net").await.len(), 0);
}

#[on_both]
async fn more_than_ten_thousand_are_not_counted(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    for (count, told) in [(9_999, "10000 people"), (1, "More than 10,000 people")] {
        let start = app.number("SELECT COUNT(*) FROM users").await;
        app.execute(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
             SELECT 'u' || (i + {start}) || '@example.com', 'u' || (i + {start}) || '@example.com', \
             '', i, 0 FROM n"
        )).await;
        for query in ["", "q=example", "verified=false&sort=email"] {
            let page = root.get(&format!("{LIST}?{query}")).await;
            assert_eq!(page.texts("#tally"), [told], "{query}");
            assert_eq!(emails(&page).len(), 20);
        }
    }
    let csv = root.get(&format!("{CSV}?q=example&sort=email")).await;
    let lines = records(&csv);
    let unique: BTreeSet<_> = lines.iter().map(|line| &line[0]).collect();
    assert_eq!((lines.len(), unique.len()), (10_002, 10_002), "all of them, each once");
}

#[on_both]
async fn changes_and_departures_are_found_at_once(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    insert(&app, &[("ada@example.com", "Ada Lovelace")]).await;

    app.execute("UPDATE users SET name = 'Ada Byron' WHERE email = 'ada@example.com'").await;
    assert_eq!(found(&mut root, "lovelace").await.len(), 0);
    assert_eq!(found(&mut root, "byron").await.len(), 1);
    app.execute("UPDATE users SET last_login_at = 7 WHERE email = 'ada@example.com'").await;
    assert_eq!(found(&mut root, "byron").await.len(), 1);
    app.execute("UPDATE users SET email = 'eve@example.org' WHERE name = 'Ada Byron'").await;
    assert_eq!(found(&mut root, "ada@example").await.len(), 0);
    assert_eq!(found(&mut root, "eve@example").await.len(), 1);
    app.execute("DELETE FROM users WHERE name = 'Ada Byron'").await;
    assert_eq!(found(&mut root, "byron").await.len(), 0);
    assert_eq!(found(&mut root, "root@example").await.len(), 1);
}

#[on_both]
async fn a_name_is_never_obeyed(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    let rude = "<script>alert(1)</script>\"'><img src=x>";
    insert(&app, &[("x\"<b>@example.com", rude)]).await;
    group_of(&app, rude, &[], &[]).await;

    for path in [LIST.to_owned(), format!("{LIST}?q={}", encoded(rude))] {
        let page = root.get(&path).await;
        assert!(page.texts("main script, main img, main b").is_empty(), "{path}");
        assert!(page.texts("td").contains(&rude.to_owned()), "{path}");
    }
    let link = root.get(&format!("{LIST}?q={}", encoded("a\"&b=c#d"))).await;
    let csv = link.attribute(".tally a", "href");
    assert_eq!(csv.as_deref(), Some("/admin/users.csv?q=a%22%26b%3Dc%23d"));
}

#[on_both]
async fn the_list_is_also_there_for_spreadsheets(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    let nasty = [
        "=HYPERLINK(\"http://x\")",
        "+1",
        "-1",
        "@SUM(A1)",
        "Comma, Quote \" End",
        "홍길동",
        "semi;colon",
        "'already",
        "plain",
        "",
    ];
    let addresses: Vec<_> = (0..nasty.len()).map(|it| format!("n{it}@example.com")).collect();
    let people: Vec<_> = addresses.iter().map(String::as_str).zip(nasty.iter().copied()).collect();
    insert(&app, &people).await;
    app.execute("UPDATE users SET email = '=cmd@example.com' WHERE email = 'n8@example.com'").await;
    let events = "SELECT COUNT(*) FROM audit_events";
    let before = app.number(events).await;

    let page = root.get(&format!("{CSV}?sort=created_at&is_staff=false")).await;

    assert_eq!(page.status(), 200);
    let kind = page.header("content-type");
    assert_eq!(kind, Some("text/csv; charset=utf-8; header=present"));
    let disposition = page.header("content-disposition");
    assert_eq!(disposition, Some("attachment; filename=\"users.csv\""));
    let lines = records(&page);
    let headings =
        "id,email,name,is_active,is_staff,is_superuser,verified,last_login_at,created_at";
    assert_eq!(lines[0].join(","), headings);
    let names: Vec<_> = lines[1..].iter().map(|line| line[2].as_str()).collect();
    assert_eq!(
        names,
        [
            "'=HYPERLINK(\"http://x\")",
            "'+1",
            "'-1",
            "'@SUM(A1)",
            "Comma, Quote \" End",
            "홍길동",
            "semi;colon",
            "'already",
            "plain",
            "",
        ]
    );
    assert_eq!(lines[9][1], "'=cmd@example.com");
    let line = lines[1][3..].join(",");
    assert_eq!(line, "true,false,false,false,,1970-01-01T00:00:00Z");
    assert!(page.bytes().starts_with(&[0xef, 0xbb, 0xbf]), "Excel knows UTF-8 by it");
    assert_eq!(app.number(events).await, before, "looking writes nothing");
    assert_eq!(records(&root.get(&format!("{CSV}?q=nobody")).await).len(), 1);
    let long = format!("{CSV}?q={}", "x".repeat(300));
    assert_eq!(root.get(&long).await.status(), 400);
}

#[on_both]
async fn a_page_of_people_costs_three_statements(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await;
    crowd(&app).await;
    root.get(LIST).await;

    for query in ["", "?q=person", "?q=p1&is_staff=false&sort=email", "?verified=false"] {
        let before = app.ctx.db.queries();
        root.get(&format!("{LIST}{query}")).await;
        assert_eq!(app.ctx.db.queries() - before, 3, "count, people, groups: {query}");
    }
}

#[on_both]
async fn the_list_is_in_korean_too(world: World) {
    let app = world.app().await;
    let mut root = root(&world, &app).await.with("Accept-Language", "ko");
    crowd(&app).await;

    let page = root.get(&format!("{LIST}?q={}", encoded("없는사람"))).await;

    assert_eq!((page.h1().as_str(), page.language().as_str()), ("사용자", "ko"));
    assert_eq!(page.texts("#tally"), ["0명"]);
    assert_eq!(page.texts(".lead"), ["조건에 맞는 사용자가 없습니다."]);
}
