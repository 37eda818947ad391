//! Searching the list of users by words, and what a search may cost.

use std::collections::BTreeSet;

use daemun::testing::accounts::search;
use daemun::testing::accounts::search::{
    Cursor, CursorPosition, MatchCount, SearchBounds, SearchTerms, SortOrder, UserFilter,
};

use crate::admin::users::{CSV, LIST, crowd, emails, encoded, insert, records};
use crate::support::{Browser, TestEnv, on_both};

/// Who is found by a search, in the order of addresses.
async fn found(root: &mut Browser<'_>, q: &str) -> Vec<String> {
    let page = root.get(&format!("{LIST}?sort=email&q={}", encoded(q))).await;
    assert_eq!(page.status(), 200, "{q}");
    assert_eq!(page.attribute("#q", "value").as_deref(), Some(q), "it stays in its field");
    emails(&page)
}

#[on_both]
async fn every_word_is_in_the_address_or_the_name(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
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
async fn case_is_ignored_as_far_as_the_engine_can(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
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
async fn special_characters_are_no_operators(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
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
async fn an_empty_or_odd_search_finds_no_one(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;

    let page = root.get(&format!("{LIST}?q={}", "x".repeat(10_000))).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("The search is too long."));
    assert!(emails(&page).is_empty() && page.texts("#tally") == ["0 users"]);
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
async fn searching_in_windows_finds_the_same(env: TestEnv) {
    let app = env.app().await;
    app.superuser("root").await;
    crowd(&app).await;
    let db = &app.ctx.db;
    let small = SearchBounds { candidates: 3, window: 10 };
    let words = SearchTerms::parse("p1 person").expect("short");
    let filters = [
        UserFilter { terms: words, ..UserFilter::default() },
        UserFilter { is_superuser: Some(true), ..UserFilter::default() },
        UserFilter { is_staff: Some(false), ..UserFilter::default() },
        UserFilter { terms: SearchTerms::parse("nobody").expect("short"), ..UserFilter::default() },
    ];

    for filter in &filters {
        for (name, sort) in SortOrder::ALL {
            let whole = search::list_page(
                db,
                filter,
                sort,
                &CursorPosition::Start,
                SearchBounds::default(),
                500,
            )
            .await;
            let expected = whole.expect("answers").users;
            let mut met = Vec::new();
            let mut place = Some(CursorPosition::Start);
            while let Some(from) = place {
                let page = search::list_page(db, filter, sort, &from, small, 4).await;
                let page = page.expect("answers");
                let shown_count = page.count;
                let is_right = match shown_count {
                    MatchCount::Exactly(count) => count == expected.len() as u64,
                    MatchCount::AtLeast(count) => count <= expected.len() as u64,
                    MatchCount::Many => false,
                };
                assert!(is_right, "{shown_count:?}");
                met.extend(page.users);
                place = page.after.map(CursorPosition::After);
            }
            assert_eq!(met, expected, "{name} {filter:?}");
            let Some((last, rest)) = expected.split_last() else { continue };
            let mut back = Vec::new();
            let mut place = Some(CursorPosition::Before(Cursor::of(last, sort)));
            while let Some(from) = place {
                let page = search::list_page(db, filter, sort, &from, small, 4).await;
                let page = page.expect("answers");
                back.splice(0..0, page.users);
                place = page.before.map(CursorPosition::Before);
            }
            assert_eq!(back, rest, "back: {name} {filter:?}");
        }
    }
}

#[on_both]
async fn results_do_not_depend_on_density(env: TestEnv) {
    let app = env.app().await;
    app.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) \
         INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
         SELECT 'u' || i || '@example.com', 'u' || i || '@example.com', \
         CASE WHEN i <= 1500 THEN 'Far' WHEN i % 2 = 0 THEN 'Near' ELSE 'Nobody' END, i, 0 FROM n",
    )
    .await;
    let newest = SortOrder::parse("-created_at").expect("an order");
    let (far, near) = ((1..=1_500).rev(), (1_501..=4_000).rev().filter(|it| it % 2 == 0));
    let expected: [(&str, Vec<i64>); 2] = [("far", far.collect()), ("near", near.collect())];

    for (word, expected) in expected {
        let words = SearchTerms::parse(word).expect("short");
        let filter = UserFilter { terms: words, ..UserFilter::default() };
        let (mut met, mut place) = (Vec::new(), Some(CursorPosition::Start));
        while let Some(from) = place {
            let page = search::list_page(
                &app.ctx.db,
                &filter,
                newest,
                &from,
                SearchBounds::default(),
                200,
            )
            .await;
            let page = page.expect("answers");
            assert_eq!(page.count, MatchCount::Exactly(expected.len() as u64), "{word}");
            assert!(!page.is_window_exhausted, "all of them can be sorted: {word}");
            met.extend(page.users.iter().map(|row| row.created_at.unix_timestamp_nanos()));
            place = page.after.map(CursorPosition::After);
        }
        let expected: Vec<_> = expected.iter().map(|it| i128::from(*it) * 1_000).collect();
        assert_eq!(met, expected, "{word}");
    }
}

#[on_both]
async fn a_full_address_finds_exactly_one(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let addresses = [
        "person12345@example.com",
        "aperson12345@example.com",
        "person12345@example.com.au",
        "person12345@example.org",
        "person12346@example.com",
        "per_on12345@example.com",
    ];
    let rows: Vec<_> = addresses.iter().map(|address| (*address, "")).collect();
    insert(&app, &rows).await;

    let all = [addresses[1], addresses[0], addresses[2]];
    assert_eq!(found(&mut root, "person12345@example.com").await, all);
    assert_eq!(found(&mut root, "PERSON12345@Example.com").await, all);
    assert_eq!(found(&mut root, "on12345@example.org").await, [addresses[3]]);
    assert_eq!(found(&mut root, "per_on12345@example.com").await, [addresses[5]]);
    assert_eq!(found(&mut root, "person12345@example.net").await.len(), 0);
}

#[on_both]
async fn more_than_ten_thousand_are_not_counted(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.user("root").await;
    app.sets_roles("root", true, true).await;
    for (count, shown_count) in [(9_999, "10,000 users"), (1, "More than 10,000 users")] {
        let start = app.query_number("SELECT COUNT(*) FROM users").await;
        app.execute(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
             SELECT 'u' || (i + {start}) || '@example.com', 'u' || (i + {start}) || '@example.com', \
             '', i, 0 FROM n"
        )).await;
        for query in ["", "q=example", "verified=false&sort=email"] {
            let page = root.get(&format!("{LIST}?{query}")).await;
            assert_eq!(page.texts("#tally"), [shown_count], "{query}");
            assert_eq!(emails(&page).len(), 20);
        }
    }
    let csv = root.get(&format!("{CSV}?q=example&sort=email")).await;
    let lines = records(&csv);
    let unique: BTreeSet<_> = lines.iter().map(|line| &line[0]).collect();
    assert_eq!((lines.len(), unique.len()), (10_002, 10_002), "all of them, each once");
}

#[on_both]
async fn changes_and_deletions_are_found_at_once(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    insert(&app, &[("ada@example.com", "Ada Lovelace")]).await;

    app.renames("ada", "Ada Byron").await;
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
