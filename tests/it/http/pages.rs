//! Every page, in every language, is whole.

use std::collections::BTreeSet;

use daemun::testing::links;
use daemun::testing::links::Purpose;
use daemun::testing::types::{Email, UserId};

use crate::admin::user_import;
use crate::support::{GOOD, Page, TestEnv, on_both};

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

#[on_both]
async fn every_page_is_complete_in_every_language(env: TestEnv) {
    let app = env.app().await;
    let token = daemun::testing::flows::admin::setup::create_link(&app.ctx)
        .await
        .expect("answers")
        .expect("invited");
    let setup = format!("/admin/setup/{}", token.expose());
    let ada = app.user("ada").await;
    app.visitor().logs_in("ada@example.com", GOOD).await;
    for language in ["ko", "en"] {
        let visitor = app.visitor().with("Accept-Language", language);
        for path in [
            "/",
            "/account/join",
            "/account/login",
            "/account/login?next=/x",
            "/nowhere",
            "/api",
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
        is_whole(&visitor.clone().logs_in("a@example.com", "x").await, language, "a wrong log-in");
        is_whole(&visitor.clone().post("/account/login", &[]).await, language, "403");
        is_whole(
            &visitor.clone().signs_up("a@example.com", &"x".repeat(99_999)).await,
            language,
            "413",
        );
        is_whole(&visitor.clone().with("Host", "evil.example").get("/").await, language, "421");
    }
}

#[on_both]
async fn every_account_section_is_complete(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let email = app.last_email_to("ada@example.com").await;
    let links = ["/account/email/verify/", "/account/not-me/"].map(|start| email.link(start));
    for language in ["ko", "en"] {
        let ada = ada.clone().with("Accept-Language", language);
        for path in [
            "/account/profile",
            "/account/delete",
            "/account/sudo",
            "/account/sudo?next=/account/export",
            "/account/password/change",
            "/account/email/change",
            "/account/password/reset",
            "/account/join/sent",
            "/account/link",
            "/account/email/verify/rubbish",
        ] {
            is_whole(&ada.clone().get(path).await, language, path);
        }
        let visitor = app.visitor().with("Accept-Language", language);
        for path in ["/account/join/sent", "/account/password/reset", "/account/link"] {
            is_whole(&visitor.clone().get(path).await, language, path);
        }
        for link in &links {
            let mut reader = visitor.clone();
            assert_eq!(reader.get(link).await.status(), 303);
            let page = reader.get("/account/link").await;
            assert_eq!(page.status(), 200);
            is_whole(&page, language, link);
        }
    }
}

#[on_both]
async fn account_sections_with_errors_are_complete(env: TestEnv) {
    let app = env.app().await;
    app.creates_superuser("ada").await;
    let mut ada = app.visitor();
    ada.logs_in("ada@example.com", GOOD).await;
    let eve = app.user("eve").await;
    for language in ["ko", "en"] {
        let ada = ada.clone().with("Accept-Language", language);
        let long = "x".repeat(151);
        let name = ("name", long.as_str());
        let profile = [name, ("gender", "x"), ("date_of_birth", "x"), ("language", "x")];
        for (path, fields) in [
            ("/account/profile", &profile[..]),
            ("/account/profile", &[("name", "a\nb"), ("date_of_birth", "9999-01-01")]),
            ("/account/profile", &[("date_of_birth", "0001-01-01")]),
            ("/account/sudo", &[]),
            ("/account/sudo", &[("password", "x"), ("next", "/account/export")]),
            ("/account/delete", &[]),
            ("/account/delete", &[("password", "x")]),
            ("/account/delete", &[("password", GOOD)]),
            ("/account/email/change", &[]),
            ("/account/email/change", &[("email", "ada@example.com"), ("password", GOOD)]),
            ("/account/password/change", &[]),
            ("/account/password/change", &[("old_password", "x"), ("new_password1", "1")]),
        ] {
            let page = ada.clone().submits(path, fields).await;
            assert_eq!(page.status(), 422, "{path}");
            assert!(!page.summary().is_empty(), "{path}");
            is_whole(&page, language, path);
        }
        let mut eve = eve.clone().with("Accept-Language", language);
        eve.submits("/account/email/verify", &[]).await;
        let page = eve.submits("/account/email/verify", &[]).await;
        assert_eq!(page.status(), 429);
        is_whole(&page, language, "too many letters");
    }
}

#[on_both]
async fn the_rate_limit_page_of_login_is_complete(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for _ in 0..11 {
        ada.submits("/account/sudo", &[("password", "wrong guess")]).await;
    }
    for language in ["ko", "en"] {
        let ada = ada.clone().with("Accept-Language", language);
        for path in ["/account/sudo", "/account/delete"] {
            let page = ada.clone().submits(path, &[("password", "x")]).await;
            assert_eq!((page.status(), page.summary().len()), (429, 1), "{path}");
            assert!(page.header("retry-after").is_some());
            is_whole(&page, language, path);
        }
    }
}

#[on_both]
async fn password_and_address_pages_are_complete(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    for language in ["ko", "en"] {
        let visitor = app.visitor().with("Accept-Language", language);
        let ada = ada.clone().with("Accept-Language", language);
        for path in [
            "/account/password/reset",
            "/account/password/sent",
            "/account/password/reset/dead",
            "/account/password/new",
            "/account/email/verify/dead",
            "/account/email/change/dead",
            "/account/email/undo/dead",
            "/account/not-me/dead",
            "/account/link",
        ] {
            is_whole(&visitor.clone().get(path).await, language, path);
            is_whole(&ada.clone().get(path).await, language, path);
        }
        is_whole(&visitor.clone().requests_password_reset("x").await, language, "no address");
        for path in ["/account/password/change", "/account/email/change"] {
            is_whole(&ada.clone().get(path).await, language, path);
            is_whole(&ada.clone().submits(path, &[]).await, language, path);
        }
        is_whole(&ada.clone().changes_password("x", "1234").await, language, "weak");
        is_whole(
            &ada.clone().requests_email_change("ada@example.com", GOOD).await,
            language,
            "same",
        );
        is_whole(&ada.clone().requests_email_change("x@example.com", "x").await, language, "wrong");
    }
}

#[on_both]
async fn pages_behind_email_links_are_complete(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let email = Email::parse("ada@example.com").expect("an address");
    for (purpose, start) in [
        (Purpose::ResetPassword, "/account/password/reset/"),
        (Purpose::VerifyEmail, "/account/email/verify/"),
        (Purpose::ChangeEmail, "/account/email/change/"),
        (Purpose::UndoEmailChange, "/account/email/undo/"),
        (Purpose::NotMe, "/account/not-me/"),
    ] {
        let transaction = app.ctx.db.begin().await.expect("a transaction");
        let token = links::create(&app.ctx, &transaction, purpose, UserId(1), Some(&email)).await;
        transaction.commit().await.expect("committed");
        let link = format!("{start}{}", token.expect("created").expose());
        for language in ["ko", "en"] {
            let mut visitor = app.visitor().with("Accept-Language", language);
            let arrival = visitor.get(&link).await;
            let form = arrival.location().expect("goes on").to_owned();
            let page = visitor.get(&form).await;
            assert_eq!(page.status(), 200);
            is_whole(&page, language, start);
            if purpose == Purpose::ResetPassword {
                is_whole(&visitor.submits(&form, &[]).await, language, "empty");
                is_whole(&visitor.sets_new_password(&form, "1234").await, language, "weak");
            }
        }
    }
}

#[on_both]
async fn every_rate_limit_page_is_complete(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for number in 0..51 {
        app.visitor().requests_password_reset(&format!("p{number}@example.com")).await;
    }
    for _ in 0..11 {
        ada.changes_password("a guess", GOOD).await;
    }
    for language in ["ko", "en"] {
        let mut visitor = app.visitor().with("Accept-Language", language);
        let mut ada = ada.clone().with("Accept-Language", language);
        for page in [
            visitor.requests_password_reset("ada@example.com").await,
            ada.changes_password(GOOD, GOOD).await,
            ada.requests_email_change("new@example.com", GOOD).await,
        ] {
            assert_eq!(page.status(), 429);
            is_whole(&page, language, "429");
        }
    }
}

#[on_both]
async fn pages_in_mandatory_mode_are_complete(env: TestEnv) {
    let app = env.app_with(&[("email_verification", "mandatory")]).await;
    for language in ["ko", "en"] {
        let mut visitor = app.visitor().with("Accept-Language", language);
        let page = visitor.logs_in("ada@example.com", GOOD).await;
        assert_eq!(page.status(), 422);
        is_whole(&page, language, "a wrong log-in");
    }
}

#[on_both]
async fn every_account_page_is_complete(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    app.group("helpers", &daemun::testing::types::Permission::ALL).await;
    let root = app.superuser("root").await;
    for language in ["ko", "en"] {
        let mut root = root.clone().with("Accept-Language", language);
        for tail in
            ["", "/password", "/activate", "/deactivate", "/verify", "/sessions/end", "/delete"]
        {
            let path = format!("/admin/users/{id}{tail}");
            is_whole(&root.get(&path).await, language, &path);
        }
        is_whole(&root.get("/admin/users/new").await, language, "new");
        let wrong = [("email", "x"), ("groups", "x"), ("is_staff", "x"), ("password1", "1")];
        for path in [format!("/admin/users/{id}"), "/admin/users/new".into()] {
            let page = root.submits(&path, &wrong).await;
            assert_eq!(page.status(), 422);
            is_whole(&page, language, &path);
        }
        let wrong = [("until", "x"), ("reason", "\u{7}")];
        let page = root.submits(&format!("/admin/users/{id}/deactivate"), &wrong).await;
        is_whole(&page, language, "a wrong suspension");
        let path = format!("/admin/users/{id}/password");
        is_whole(&root.submits(&path, &[("action", "link")]).await, language, "a link");
        is_whole(&root.submits(&path, &[("action", "x")]).await, language, "a wrong action");
    }
}

#[on_both]
async fn the_list_of_users_is_complete(env: TestEnv) {
    let app = env.app().await;
    let root = app.superuser("root").await;
    app.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) \
         INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
         SELECT i || '@example.com', i || '@example.com', 'Person', i, 0 FROM n",
    )
    .await;
    env.clock.advance(std::time::Duration::from_secs(3));
    for language in ["ko", "en"] {
        let mut root = root.clone().with("Accept-Language", language);
        let list = "/admin/users";
        let page = root.get(list).await;
        is_whole(&page, language, list);
        let next = page.attribute(".pager [rel=next]", "href").expect("a second page");
        is_whole(&root.get(&next).await, language, &next);
        for query in ["q=nobody", "q=person&is_staff=false&sort=-email", "group=x", "sort=x"] {
            is_whole(&root.get(&format!("{list}?{query}")).await, language, query);
        }
        is_whole(&root.get("/admin/users.csv?group=x").await, language, "400");
        let bulk = "/admin/users/actions";
        is_whole(&root.submits(bulk, &[("action", "delete")]).await, language, "nobody ticked");
        let all = ("all", "true");
        for action in ["activate", "deactivate", "verify", "end_sessions", "delete"] {
            let page = root.submits(bulk, &[("action", action), all]).await;
            is_whole(&page, language, action);
        }
        let wrong = [("action", "deactivate"), all, ("count", "7"), ("until", "x")];
        is_whole(&root.submits(bulk, &wrong).await, language, "a wrong bulk job");
        let verify = [("action", "verify"), all, ("count", "121")];
        let answer = root.submits(bulk, &verify).await;
        let path = answer.location().expect("ordered").to_owned();
        is_whole(&root.get(&path).await, language, "being done");
        is_whole(&root.get("/admin/bulk").await, language, "the list of bulk jobs");
        let import = "/admin/users/import";
        is_whole(&root.get(import).await, language, import);
        is_whole(&root.submits(import, &[("plan", "x")]).await, language, "no plan");
        let list = b"email,x\nada@example.com,\nnonsense,,,\n";
        let page = user_import::uploads(&mut root, list, true).await;
        assert_eq!(page.status(), 200);
        is_whole(&page, language, "a list");
        app.execute("UPDATE bulk_jobs SET state = 'done', kind = 'delete'").await;
        is_whole(&root.get(&path).await, language, "done");
    }
}

#[on_both]
async fn every_admin_page_is_complete(env: TestEnv) {
    let app = env.app().await;
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

#[on_both]
async fn pages_of_a_closed_site_are_complete(env: TestEnv) {
    let app = env.app_with(&[("signup", "closed")]).await;
    for language in ["ko", "en"] {
        let mut visitor = app.visitor().with("Accept-Language", language);
        is_whole(&visitor.get("/account/join").await, language, "closed");
    }
}

#[on_both]
async fn pages_without_a_database_are_complete(env: TestEnv) {
    let app = env.app().await;
    app.execute("DROP TABLE audit_events").await;
    for language in ["ko", "en"] {
        let mut visitor = app.visitor().with("Accept-Language", language);
        let page = visitor.signs_up("ada@example.com", GOOD).await;
        assert_eq!(page.status(), 500);
        is_whole(&page, language, "500");
    }
}
