//! Importing a list of users.

use std::time::Duration;

use daemun::testing::types::Permission;
use daemun::testing::worker;
use futures::future::join_all;
use rocket::http::{ContentType, Method};

use crate::support::{App, Browser, Page, TestEnv, on_both};

const IMPORT: &str = "/admin/users/import";

/// Made by Django 5.2 with a thousand iterations; the password is "Correct-Horse-9".
const DJANGO: &str =
    "pbkdf2_sha256$1000$Q3mZ8vT1kLpRs0$IRc6t111qZYrgG4NgPBX1ec98SZu8ot0JDSBdNx0AJc=";

/// The same password with ten million iterations.
const MANY_ROUNDS: &str =
    "pbkdf2_sha256$10000000$Q3mZ8vT1kLpRs0$4f3XruJXrK9AvpChIkKekkC/GtDaYTlRXPoz3+qHs+I=";

/// Four million passes of argon2.
const MANY_PASSES: &str = "argon2$argon2id$v=19$m=8,t=4000000,p=1$UTNtWjh2VDFrTHBSczA$pdTVaPGjgr8qr9m9AWFsNpaDv4QIuQ77+xlzZ3eS96M";

const DJANGO_PASSWORD: &str = "Correct-Horse-9";

/// Sends a file as browsers do, with a box ticked or not.
pub(crate) async fn uploads(browser: &mut Browser<'_>, file: &[u8], invite: bool) -> Page {
    let token = browser.token().await;
    let mut body = Vec::new();
    let mut part = |head: &str, value: &[u8]| {
        body.extend(b"--edge\r\nContent-Disposition: form-data; ");
        body.extend(head.as_bytes());
        body.extend(b"\r\n\r\n");
        body.extend(value);
        body.extend(b"\r\n");
    };
    part("name=\"csrf\"", token.as_bytes());
    part("name=\"file\"; filename=\"people.csv\"\r\nContent-Type: text/csv", file);
    if invite {
        part("name=\"invite\"", b"true");
    }
    body.extend(b"--edge--\r\n");
    let kind = ContentType::new("multipart", "form-data").with_params(("boundary", "edge"));
    browser.send(Method::Post, IMPORT, Some((kind, body))).await
}

/// Presses the button of the page that shows what would come of it.
async fn starts(browser: &mut Browser<'_>, page: &Page) -> Page {
    let plan = page.attribute("input[name=plan]", "value").unwrap_or_default();
    browser.submits(IMPORT, &[("plan", &plan)]).await
}

/// Names that spreadsheets would compute, and others; and how each stands in a file.
const NAMES: [(&str, &str); 9] = [
    ("＝1+1", "'＝1+1"),
    ("＋1", "'＋1"),
    ("－1", "'－1"),
    ("＠SUM(A1)", "'＠SUM(A1)"),
    ("=1", "'=1"),
    ("'=1", "''=1"),
    ("''＝1", "'''＝1"),
    ("'already", "'already"),
    ("홍 길동", "홍 길동"),
];

async fn user_count(app: &App) -> i64 {
    app.query_number("SELECT COUNT(*) FROM users").await
}

#[on_both]
async fn an_export_can_be_imported_again(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for (number, (name, _)) in NAMES.iter().enumerate() {
        let mut user = app.user(&format!("p{number}")).await;
        user.submits("/account/profile", &[("name", *name)]).await;
    }
    let file = root.get("/admin/users.csv?is_superuser=false").await;
    let text = String::from_utf8(file.bytes().to_vec()).expect("UTF-8");
    assert!(text.starts_with("\u{feff}id,email,name,"), "{text}");
    for (_, cell) in NAMES {
        assert!(text.contains(&format!("@example.com,{cell},")), "{cell}: {text}");
    }
    app.execute("DELETE FROM users WHERE NOT is_superuser").await;

    let page = uploads(&mut root, file.bytes(), false).await;
    starts(&mut root, &page).await;
    worker::run_bulk_jobs(&app.ctx).await;

    for (number, (name, _)) in NAMES.iter().enumerate() {
        let whose = format!("SELECT MAX(name) FROM users WHERE email = 'p{number}@example.com'");
        assert_eq!(app.query_text(&whose).await, *name);
    }
}

#[on_both]
async fn a_file_is_previewed_before_it_is_imported(env: TestEnv) {
    let app = env.app().await;
    app.user("taken").await;
    let mut root = app.superuser("root").await;
    let list = "email,name,gender,date_of_birth,verified,is_staff\n\
        ada@example.com,Ada Lovelace,female,1990-12-10,true,true\n\
        nonsense,,,,,\n\
        Taken@Example.com,,,,,\n\
        eve@example.com,,,,,\n";

    let page = uploads(&mut root, list.as_bytes(), false).await;
    assert_eq!((page.status(), page.texts(".lead")), (200, vec!["Will be added: 2 users".into()]));
    let rows = page.texts("tbody tr");
    assert!(rows[0].starts_with("Line 3 email Enter a valid email"), "{rows:?}");
    assert_eq!(rows[1], "Line 4 email There is already an account with this email.");
    assert_eq!(page.texts(".facts dd")[1], "is_staff", "roles are not given by a list");
    assert_eq!(user_count(&app).await, 2, "only looked at");
    let answer = starts(&mut root, &page).await;
    worker::run_bulk_jobs(&app.ctx).await;

    let path = answer.location().expect("started").to_owned();
    assert_eq!(root.get(&path).await.texts(".lead"), ["Done"]);
    let ada = "SELECT COUNT(*) FROM users WHERE email = 'ada@example.com' AND name = 'Ada Lovelace' \
        AND gender = 'female' AND date_of_birth = '1990-12-10' AND NOT is_staff \
        AND email_verified_at IS NOT NULL AND password_hash IS NULL AND language = 'en'";
    assert_eq!((app.query_number(ada).await, user_count(&app).await), (1, 4));
    assert_eq!(app.audit_event_count("added_by_staff").await, 2);
}

#[on_both]
async fn users_from_django_keep_their_passwords(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let list = format!("email,password\nada@example.com,{DJANGO}\neve@example.com,!abc\n");

    let page = uploads(&mut root, list.as_bytes(), false).await;
    starts(&mut root, &page).await;
    worker::run_bulk_jobs(&app.ctx).await;

    let mut ada = app.visitor();
    assert_eq!(ada.logs_in("ada@example.com", "Wrong-Horse-9").await.status(), 422);
    assert_eq!(ada.logs_in("ada@example.com", DJANGO_PASSWORD).await.status(), 303);
    let hash =
        app.query_text("SELECT password_hash FROM users WHERE email = 'ada@example.com'").await;
    assert!(hash.starts_with("$argon2id$"), "it was made anew: {hash}");
    assert_eq!(app.visitor().logs_in("ada@example.com", DJANGO_PASSWORD).await.status(), 303);
    assert_eq!(
        app.query_text("SELECT password_hash FROM users WHERE email = 'eve@example.com'").await,
        ""
    );
    assert!(!app.query_text("SELECT payload FROM bulk_jobs").await.contains("pbkdf2"));
}

#[on_both]
async fn too_expensive_hashes_are_not_imported(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let list = format!(
        "email,password\nada@example.com,{DJANGO}\n\
        eve@example.com,{MANY_ROUNDS}\nbob@example.com,\"{MANY_PASSES}\"\n"
    );

    let page = uploads(&mut root, list.as_bytes(), false).await;

    assert_eq!(page.texts(".lead"), ["Will be added: 1 user"]);
    let rows = page.texts("tbody tr");
    let begins = |place: usize, line: &str| {
        rows[place].starts_with(&format!("{line} password Checking this hash would take"))
    };
    assert!(begins(0, "Line 3") && begins(1, "Line 4"), "{rows:?}");
}

#[on_both]
async fn too_expensive_hashes_are_not_computed(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.stores_hash("ada", Some(DJANGO)).await;
    assert_eq!(app.visitor().logs_in("ada@example.com", DJANGO_PASSWORD).await.status(), 303);

    app.stores_hash("ada", Some(MANY_ROUNDS)).await;
    let refused = app.visitor().logs_in("ada@example.com", DJANGO_PASSWORD).await;

    assert_eq!(refused.status(), 422, "the password is right and was not compared");
}

#[on_both]
async fn users_without_a_password_are_invited(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let list = format!(
        "email,password,is_active,language\nada@example.com,,,ko\n\
        eve@example.com,{DJANGO},,\nbob@example.com,,false,\n"
    );

    let page = uploads(&mut root, list.as_bytes(), true).await;
    starts(&mut root, &page).await;
    worker::run_bulk_jobs(&app.ctx).await;

    let email = app.last_email_to("ada@example.com").await;
    let link = email.link("/account/password/reset/");
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM outbox WHERE kind = 'invited'").await,
        1,
        "nobody else is"
    );
    assert_eq!(app.visitor().sets_new_password(&link, "Correct-Horse-9").await.status(), 303);
}

#[on_both]
async fn a_long_file_is_imported_in_batches_and_once(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let list: Vec<_> = (0..450).map(|n| format!("p{n}@example.com")).collect();
    let list = format!("email\n{}", list.join("\n"));
    let page = uploads(&mut root, list.as_bytes(), false).await;
    let plan = page.attribute("input[name=plan]", "value").expect("a plan");
    let token = root.token().await;

    let mut browsers = vec![root.clone(); 8];
    let answers = join_all(browsers.iter_mut().map(|root| {
        let fields = [("csrf", token.clone()), ("plan", plan.clone())];
        async move {
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            root.post(IMPORT, &fields).await.status()
        }
    }))
    .await;
    app.visitor().signs_up("p300@example.com", crate::support::GOOD).await;
    worker::run_bulk_jobs(&app.ctx).await;

    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    let row = "SELECT done * 1000 + skipped FROM bulk_jobs";
    assert_eq!(app.query_number(row).await, 449_001, "one has joined meanwhile");
    assert_eq!(user_count(&app).await, 451);
    assert_eq!(app.audit_event_count("added_by_staff").await, 449);
}

#[on_both]
async fn a_draft_belongs_to_its_author_for_an_hour(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let mut staff = app.staff("staff", &[Permission::UsersAdd]).await;
    let page = uploads(&mut root, b"email\nada@example.com\n", false).await;

    assert_eq!(starts(&mut staff, &page).await.status(), 422);
    env.clock.advance(Duration::from_hours(1));
    let late = starts(&mut root, &page).await;

    assert_eq!((late.status(), late.summary().len()), (422, 1));
    assert!(late.field("file").errors[0].starts_with("This list is no longer available"));
    assert_eq!(root.get("/admin/bulk").await.texts("tbody tr").len(), 0);
    env.clock.advance(Duration::from_secs(1));
    worker::sweep_all(&app.ctx).await;
    assert_eq!(app.query_number("SELECT COUNT(*) FROM bulk_jobs").await, 0);
}

#[on_both]
async fn vouching_for_addresses_needs_its_permission(env: TestEnv) {
    let app = env.app().await;
    let mut staff = app.staff("staff", &[Permission::UsersAdd]).await;

    let page = uploads(&mut staff, b"email,verified\nada@example.com,true\n", false).await;
    assert_eq!(page.texts(".facts dd")[1], "verified");
    starts(&mut staff, &page).await;
    worker::run_bulk_jobs(&app.ctx).await;

    let verified = "SELECT COUNT(*) FROM users WHERE email_verified_at IS NOT NULL";
    assert_eq!((app.query_number(verified).await, user_count(&app).await), (0, 2));
}

#[on_both]
async fn an_invalid_file_is_refused(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for (file, sentence) in [
        (&b""[..], "Choose a file"),
        (b"\xff\xfe", "The file isn't UTF-8 text"),
        (b"name\nAda\n", "The first line has no email column"),
        (b"email,Email\na@example.com,\n", "The first line has the same column twice"),
    ] {
        let page = uploads(&mut root, file, false).await;
        assert_eq!(page.status(), 422);
        let errors = page.field("file").errors;
        assert!(errors[0].starts_with(sentence), "{errors:?}");
    }
    let none = uploads(&mut root, b"email\nnonsense\n", false).await;
    assert_eq!((none.status(), none.attribute("input[name=plan]", "value")), (200, None));
    let large = vec![b'x'; 5 * 1024 * 1024];
    assert_eq!(uploads(&mut root, &large, false).await.status(), 413);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM bulk_jobs").await, 0);
    let mut member = app.user("member").await;
    assert_eq!(uploads(&mut member, b"email\na@example.com\n", false).await.status(), 403);
    let mut blind = app.staff("blind", &[Permission::UsersChange]).await;
    assert_eq!(uploads(&mut blind, b"email\na@example.com\n", false).await.status(), 403);
    assert_eq!(blind.get(IMPORT).await.status(), 403);
}

#[on_both]
async fn another_site_cannot_send_a_file(env: TestEnv) {
    let app = env.app().await;
    let root = app.superuser("root").await;
    let list = b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\
        email\nada@example.com\n\r\n--edge--\r\n";
    let kind = ContentType::new("multipart", "form-data").with_params(("boundary", "edge"));

    let no_token =
        root.clone().send(Method::Post, IMPORT, Some((kind.clone(), list.to_vec()))).await;
    let mut foreign = root.clone().with("Sec-Fetch-Site", "cross-site");
    let foreign = foreign.send(Method::Post, IMPORT, Some((kind.clone(), list.to_vec()))).await;
    let cut = root.clone().send(Method::Post, IMPORT, Some((kind, list[..60].to_vec()))).await;

    assert_eq!((no_token.status(), foreign.status()), (403, 403));
    assert_eq!(cut.status(), 400);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM bulk_jobs").await, 0);
}
