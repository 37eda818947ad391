//! Names and addresses as they are stored: in one Unicode form at every entry, found in either
//! spelling, and the old rows mended.

use daemun::testing::worker;
use serde_json::{Value, json};

use crate::admin::user_import::uploads;
use crate::social::social_login::{logs_in_by_provider, registers_as};
use crate::support::provider::FakeProvider;
use crate::support::{ApiClient, App, GOOD, TestEnv, on_both};

/// 홍길동, as a Mac types it and as it is stored.
const DECOMPOSED: &str = "\u{1112}\u{1169}\u{11bc}\u{1100}\u{1175}\u{11af}\u{1103}\u{1169}\u{11bc}";
const COMPOSED: &str = "홍길동";

fn new_account(email: &str, name: &str) -> Value {
    json!({ "email": email, "password1": GOOD, "password2": GOOD, "name": name })
}

/// The addresses that a search of the JSON API finds.
async fn found(program: &mut ApiClient<'_>, search: &str) -> Vec<String> {
    let query: String = url::form_urlencoded::byte_serialize(search.as_bytes()).collect();
    let reply = program.get(&format!("/api/users?search={query}")).await;
    let users = reply.json["results"].as_array().unwrap_or_else(|| panic!("{}", reply.json));
    users.iter().map(|it| it["email"].as_str().expect("an address").to_owned()).collect()
}

async fn name_of(app: &App, email: &str) -> String {
    app.query_text(&format!("SELECT MAX(name) FROM users WHERE email = '{email}'")).await
}

/// Runs the migration once more, as on a database from before it.
async fn migrates_again(app: &App) {
    app.execute("DELETE FROM seaql_migrations WHERE version LIKE 'm0022%'").await;
    app.ctx.db.migrate().await.expect("migrated");
}

#[on_both]
async fn a_name_is_stored_composed_from_every_entry_point(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let typed = format!("\u{200b} {DECOMPOSED}\u{feff}");

    let reply =
        app.api_client().post("/api/account/join", new_account("api@example.com", &typed)).await;
    assert_eq!(reply.status(), 201, "{}", reply.json);
    let mut ada = app.user("ada").await;
    ada.submits("/account/profile", &[("name", &typed)]).await;
    let fields = [("email", "new@example.com"), ("name", &typed), ("is_active", "on")];
    let answer = root.submits("/admin/users/new", &fields).await;
    assert_eq!(answer.status(), 303, "{}", answer.text());
    let list = format!("email,name\nlist@example.com,{typed}\n");
    let page = uploads(&mut root, list.as_bytes(), false).await;
    let plan = page.attribute("input[name=plan]", "value").expect("a plan");
    root.submits("/admin/users/import", &[("plan", &plan)]).await;
    worker::run_bulk_jobs(&app.ctx).await;
    let id = app.id_of("root").await;
    let mut program = ApiClient::new(root.clone());
    let reply = program.patch(&format!("/api/users/{id}"), json!({ "name": typed })).await;
    assert_eq!(reply.status(), 200, "{}", reply.json);
    let group = [("name", typed.as_str())];
    assert_eq!(root.submits("/admin/groups/new", &group).await.status(), 303);
    let user = app.id_of("ada").await;
    let suspended = [("reason", typed.as_str()), ("until", "")];
    let answer = root.submits(&format!("/admin/users/{user}/deactivate"), &suspended).await;
    assert_eq!(answer.status(), 303, "{}", answer.text());

    for email in ["api", "ada", "new", "list", "root"] {
        assert_eq!(name_of(&app, &format!("{email}@example.com")).await, COMPOSED, "{email}");
    }
    assert_eq!(app.query_text("SELECT MAX(name) FROM groups").await, COMPOSED);
    let reason = "SELECT MAX(inactive_reason) FROM users";
    assert_eq!(app.query_text(reason).await, COMPOSED);
    assert_eq!(root.submits("/admin/groups/new", &[("name", COMPOSED)]).await.status(), 422);
    for search in [DECOMPOSED, COMPOSED, "\u{feff}길동\u{200b}", "\u{1100}\u{1175}\u{11af}"] {
        assert_eq!(found(&mut program, search).await.len(), 5, "{search:?}");
    }
}

#[on_both]
async fn provider_data_is_stored_composed(env: TestEnv) {
    let app = env.app().await;
    let provider = FakeProvider::open().await;
    let url = provider.url.clone();
    let name = format!("{DECOMPOSED} ID\u{200b}");
    let fields = [("provider", "oidc"), ("slug", "id"), ("name", &name), ("issuer", &url)];
    registers_as(&mut app.superuser("root").await, &provider, &fields).await;
    let said = json!({ "name": DECOMPOSED, "email": "\u{feff}hong@ｅｘａｍｐｌｅ.com" });

    let page = logs_in_by_provider(&mut app.visitor(), &app, &provider, &said).await;

    assert_eq!(page.location(), Some("/?a=b"), "{}", page.text());
    assert_eq!(name_of(&app, "hong@example.com").await, COMPOSED);
    assert_eq!(app.query_text("SELECT label FROM social_identities").await, "hong@example.com");
    assert_eq!(app.query_text("SELECT name FROM social_providers").await, format!("{COMPOSED} ID"));
    app.discards_emails().await;
}

#[on_both]
async fn invisible_characters_in_addresses_are_refused(env: TestEnv) {
    let app = env.app().await;
    let body = new_account("zw@exam\u{200b}ple.com", "");

    let reply = app.api_client().post("/api/account/join", body).await;
    assert_eq!(reply.status(), 400, "{}", reply.json);
    let said = reply.json["email"][0].as_str().expect("a sentence");
    assert!(said.contains("invisible character (U+200B)"), "{said}");
    let page = app.visitor().signs_up("zw\u{2060}x@example.com", GOOD).await;
    assert_eq!(page.status(), 422);
    let errors = page.field("email").errors;
    assert!(errors.iter().any(|it| it.contains("invisible character (U+2060)")), "{errors:?}");
    let mut korean = app.visitor().with("Accept-Language", "ko");
    let page = korean.signs_up("zw@exam\u{ad}ple.com", GOOD).await;
    let errors = page.field("email").errors;
    assert!(errors.iter().any(|it| it.contains("보이지 않는 문자(U+00AD)")), "{errors:?}");
    let mut root = app.superuser("root").await;
    let page = uploads(&mut root, "email\nli\u{200d}st@example.com\n".as_bytes(), false).await;
    let rows = page.texts("tbody tr");
    assert!(rows[0].contains("invisible character (U+200D)"), "{rows:?}");

    let mut trimmed = app.visitor();
    let page = trimmed.signs_up("\u{feff} ends@example.com\u{200b}\u{a0}", GOOD).await;
    assert_eq!(page.location(), Some("/account/mypage"), "{}", page.text());
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM users WHERE email = 'ends@example.com'").await,
        1
    );
}

#[on_both]
async fn a_domain_is_stored_in_canonical_form(env: TestEnv) {
    let app = env.app().await;
    let mut root = ApiClient::new(app.superuser("root").await);
    for (typed, stored, canonical) in [
        ("full@ｅｘａｍｐｌｅ。ｃｏｍ", "full@example.com", "full@example.com"),
        ("Ada@한국.KR", "Ada@한국.kr", "ada@xn--3e0b707e.kr"),
        (
            "min@\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}.kr",
            "min@한국.kr",
            "min@xn--3e0b707e.kr",
        ),
        ("Puny@XN--3E0B707E.kr", "Puny@한국.kr", "puny@xn--3e0b707e.kr"),
        ("Plain@Example.COM", "Plain@Example.COM", "plain@example.com"),
    ] {
        let reply = app.api_client().post("/api/account/join", new_account(typed, "")).await;

        assert_eq!(reply.status(), 201, "{typed}: {}", reply.json);
        assert_eq!(reply.json["user"]["email"], stored);
        let row = format!("SELECT COUNT(*) FROM users WHERE email_canonical = '{canonical}'");
        assert_eq!(app.query_number(&row).await, 1, "{typed}");
        for search in [typed, stored, canonical] {
            assert_eq!(found(&mut root, search).await, [stored], "{search}");
        }
    }
    for search in ["@한국.kr", "@xn--3e0b707e.kr", "한국", "xn--3e0b707e", "@한"] {
        assert_eq!(found(&mut root, search).await.len(), 3, "{search}");
    }
}

#[on_both]
async fn old_rows_are_normalized_in_batches(env: TestEnv) {
    let app = env.app().await;
    let mut root = ApiClient::new(app.superuser("root").await);
    let users: Vec<String> = (0..2_500)
        .map(|n| format!("('p{n}@ｅｘａｍｐｌｅ.com', 'p{n}@example.com', '{DECOMPOSED}', 1, 1)"))
        .collect();
    let columns = "INSERT INTO users (email, email_canonical, name, created_at, updated_at) VALUES";
    app.execute(&format!("{columns} {}", users.join(", "))).await;
    app.execute(&format!(
        "{columns} ('zw@exam\u{200b}ple.com', 'zw@example.com', '', 1, 1), \
         ('raw@한국.kr', 'raw@한국.kr', '', 1, 1), \
         ('first@example.org', 'first@example.org', 'first', 1, 1), \
         ('first@ｅｘａｍｐｌｅ.org', 'first@ｅｘａｍｐｌｅ.org', '{DECOMPOSED}', 1, 1), \
         ('no address', 'no address', '', 1, 1)"
    ))
    .await;
    let columns = "INSERT INTO groups (name, created_at, updated_at) VALUES";
    let groups =
        format!("('{DECOMPOSED}', 1, 1), ('\u{1112}\u{1169}\u{11bc}', 1, 1), ('홍', 1, 1)");
    app.execute(&format!("{columns} {groups}")).await;

    migrates_again(&app).await;

    let mended = format!(
        "SELECT COUNT(*) FROM users WHERE name = '{COMPOSED}' AND email = email_canonical AND email LIKE 'p%@example.com'"
    );
    assert_eq!(app.query_number(&mended).await, 2_500);
    let text_of = |sql: &'static str| app.query_text(sql);
    assert_eq!(
        text_of("SELECT email FROM users WHERE email_canonical = 'zw@example.com'").await,
        "zw@example.com"
    );
    assert_eq!(
        text_of("SELECT email_canonical FROM users WHERE email = 'raw@한국.kr'").await,
        "raw@xn--3e0b707e.kr"
    );
    // Of two that become one the later keeps its address, and is still there to be seen.
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM users WHERE email_canonical = 'first@example.org'")
            .await,
        1
    );
    assert_eq!(
        text_of("SELECT name FROM users WHERE email_canonical = 'first@ｅｘａｍｐｌｅ.org'").await,
        COMPOSED
    );
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM groups WHERE name IN ('홍길동', '홍')").await,
        2
    );
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM groups").await,
        3,
        "the later of two stays as it is"
    );
    app.execute("DELETE FROM users WHERE email = 'no address'").await;
    assert_eq!(found(&mut root, "p17@example.com").await, ["p17@example.com"]);
    assert_eq!(found(&mut root, &format!("p18@ {DECOMPOSED}")).await, ["p18@example.com"]);
    let later = app
        .query_number("SELECT id FROM users WHERE email_canonical = 'first@ｅｘａｍｐｌｅ.org'")
        .await;
    let reply = root.get(&format!("/api/users/{later}")).await;
    assert_eq!(reply.status(), 200, "{}", reply.json);
    let rows = app.row_counts().await;
    migrates_again(&app).await;
    assert_eq!(app.row_counts().await, rows, "once more changes nothing");
}

#[on_both]
async fn an_account_with_an_unfixable_address_still_works(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.execute(
        "UPDATE users SET email = 'ada@exam\u{200b}ple.com' WHERE email = 'ada@example.com'",
    )
    .await;
    app.ctx.cache.invalidate_all();

    let page = ada.get("/account/mypage").await;
    assert_eq!(page.status(), 200, "{}", page.text());
    let back = app.visitor().logs_in("ada@example.com", GOOD).await;
    assert_eq!(back.location(), Some("/account/mypage"), "{}", back.text());
}
