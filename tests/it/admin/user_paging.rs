//! Walking through the list of users page by page, in every order.

use std::collections::BTreeSet;

use daemun::testing::accounts::search::SortOrder;

use crate::admin::users::{LIST, crowd, emails};
use crate::support::{Browser, Page, StoredUser, TestEnv, on_both};

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

#[on_both]
async fn every_order_can_be_paged_in_both_directions(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    crowd(&app).await;

    for (name, _) in SortOrder::ALL {
        for query in ["", "&q=person", "&q=p1", "&is_staff=false", "&q=pe"] {
            let first = root.get(&format!("{LIST}?sort={name}{query}")).await;
            let pages = walk(&mut root, &first, "next").await;

            let all = pages.concat();
            let unique: BTreeSet<_> = all.iter().collect();
            assert_eq!(all.len(), unique.len(), "nobody twice: {name}{query}");
            let expected = if query.is_empty() { 121 } else { 120 };
            if query != "&q=p1" {
                assert_eq!(all.len(), expected, "nobody lost: {name}{query}");
                assert_eq!(pages.len(), expected.div_ceil(20), "{name}{query}");
                assert_eq!(first.texts("#tally"), [format!("{expected} users")]);
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
async fn users_who_never_logged_in_sort_as_oldest(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
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
async fn new_and_deleted_users_do_not_shift_the_page(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    crowd(&app).await;
    let first = root.get(LIST).await;

    let next = first.attribute(".pager [rel=next]", "href").expect("a second page");
    let before = emails(&root.get(&next).await);
    let new = StoredUser { created_at: 99_999_999, ..StoredUser::new("new@example.com", "") };
    app.inserts_users([new]).await;
    app.deletes_user("p119").await;
    let last_on_first = emails(&first).pop().expect("a user");
    app.deletes_user(last_on_first.trim_end_matches("@example.com")).await;

    let second = root.get(&next).await;
    assert_eq!(emails(&second), before);
    let previous = second.attribute(".pager [rel=prev]", "href").expect("the way back");
    let first = emails(&root.get(&previous).await);
    assert!(first.contains(&"new@example.com".to_owned()));
    assert!(!first.contains(&last_on_first));
    let back = second.attribute(".pager a", "href");
    assert_eq!(back.as_deref(), Some(LIST), "the first page");
}
