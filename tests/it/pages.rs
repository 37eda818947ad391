//! Every page, in every language, is whole.

use std::collections::BTreeSet;

use crate::support::{GOOD, Page, World};

fn is_whole(page: &Page, language: &str, what: &str) {
    assert_eq!(page.language(), language, "{what}");
    assert!(!page.h1().is_empty(), "{what}");
    let html = page.text();
    assert!(!html.contains("%{"), "a placeholder is left on {what}");
    let text = page.texts("body").join(" ");
    for word in text.split_whitespace() {
        let word = word.trim_end_matches('.');
        let is_key = word.contains('.')
            && word.bytes().all(|b| b.is_ascii_lowercase() || b"._".contains(&b));
        assert!(!is_key, "a key instead of a sentence on {what}: {word}");
    }
    assert!(!html.contains("style=\"") && !html.contains("<style"), "{what}");
    assert!(!html.contains(" onclick") && page.texts("script:not([src])").is_empty(), "{what}");

    let attributes = |selector: &str, name: &str| -> Vec<String> {
        let selector = scraper::Selector::parse(selector).expect("a selector");
        let html = page.html();
        html.select(&selector).filter_map(|it| it.value().attr(name).map(str::to_owned)).collect()
    };
    let ids = attributes("[id]", "id");
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "ids are unique on {what}");
    for label in attributes("label", "for") {
        assert!(ids.contains(&label), "a label of nothing on {what}: {label}");
    }
    for described in attributes("[aria-describedby]", "aria-describedby") {
        for id in described.split_whitespace() {
            assert!(ids.iter().any(|it| it == id), "described by nothing on {what}: {id}");
        }
    }
    for input in attributes("input:not([type=hidden]), select", "id") {
        let label = format!("label[for={input}]");
        assert!(!page.texts(&label).is_empty(), "a field without a label on {what}: {input}");
    }
    let forms = page.texts("form[method=post]").len();
    assert_eq!(attributes("form[method=post] input[name=csrf]", "value").len(), forms, "{what}");
    for link in attributes("a", "href").iter().filter(|link| link.starts_with('#')) {
        assert!(ids.iter().any(|id| id == &link[1..]), "a link to nothing on {what}: {link}");
    }
}

on_both! {
    async fn every_page_is_whole_in_every_language(world: World) {
        let app = world.app().await;
        let token =
            daemun::flows::superuser::invite(&app.ctx).await.expect("answers").expect("invited");
        let setup = format!("/admin/setup/{}", token.expose());
        let ada = app.person("ada").await;
        app.visitor().logs_in("ada@example.com", GOOD).await;
        for language in ["ko", "en"] {
            let visitor = app.visitor().with("Accept-Language", language);
            for path in [
                "/",
                "/account/join",
                "/account/login",
                "/account/login?next=/x",
                "/nowhere",
                "/account/logout",
            ] {
                is_whole(&visitor.clone().get(path).await, language, path);
            }
            let ada = ada.clone().with("Accept-Language", language);
            for path in [
                "/",
                "/account/mypage",
                "/nowhere",
                "/account/sessions",
                "/account/activity",
                "/account/activity?before=1",
            ] {
                is_whole(&ada.clone().get(path).await, language, path);
            }
            let mut chosen = visitor.clone();
            chosen.get(&setup).await;
            is_whole(&chosen.get("/admin/setup").await, language, "setup");
            for path in ["/account/join", "/account/login", &setup] {
                is_whole(
                    &visitor.clone().submits(path, &[("email", "x"), ("password1", "1")]).await,
                    language,
                    path,
                );
            }
            is_whole(
                &visitor.clone().logs_in("a@example.com", "x").await,
                language,
                "a wrong log-in",
            );
            is_whole(&visitor.clone().post("/account/login", &[]).await, language, "403");
            is_whole(
                &visitor.clone().joins("a@example.com", &"x".repeat(99_999)).await,
                language,
                "413",
            );
            is_whole(&visitor.clone().with("Host", "evil.example").get("/").await, language, "421");
        }
    }

    async fn every_admin_page_is_whole_in_every_language(world: World) {
        let app = world.app().await;
        let mut root = app.superuser("root").await;
        let fields = [("name", "Desk"), ("permissions", "users.view")];
        root.submits("/admin/groups/new", &fields).await;
        let one = root.get("/admin/groups").await.attribute("tbody a", "href").expect("a link");
        app.visitor().submits("/account/password/reset", &[("email", "root@example.com")]).await;
        for language in ["ko", "en"] {
            let root = root.clone().with("Accept-Language", language);
            for path in [
                "/admin",
                "/admin/groups",
                "/admin/groups/new",
                &one,
                &format!("{one}/delete"),
                "/admin/audit",
                "/admin/audit?actor=nobody&action=x&from=x",
                "/admin/mail",
                "/admin/mail?state=failed",
                "/admin/settings",
            ] {
                is_whole(&root.clone().get(path).await, language, path);
            }
            let page = root.clone().submits(&one, &[("permissions", "x")]).await;
            is_whole(&page, language, "a wrong group");
        }
    }

    async fn a_closed_site_is_whole_in_every_language(world: World) {
        let app = world.app_with(&[("signup", "closed")]).await;
        for language in ["ko", "en"] {
            let mut visitor = app.visitor().with("Accept-Language", language);
            is_whole(&visitor.get("/account/join").await, language, "closed");
        }
    }

    async fn a_broken_site_is_whole_in_every_language(world: World) {
        let app = world.app().await;
        app.execute("DROP TABLE audit_events").await;
        for language in ["ko", "en"] {
            let mut visitor = app.visitor().with("Accept-Language", language);
            let page = visitor.joins("ada@example.com", GOOD).await;
            assert_eq!(page.status(), 500);
            is_whole(&page, language, "500");
        }
    }
}
