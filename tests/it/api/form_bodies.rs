//! Bodies that are forms, as Django REST framework takes them beside JSON.

use rocket::http::{ContentType, Method};
use serde_json::{Value, json};

use crate::support::browser::encode;
use crate::support::{ApiClient, ApiReply, GOOD, TestEnv, on_both};

const ADA: &str = "ada@example.com";

fn kind_with_boundary() -> ContentType {
    ContentType::new("multipart", "form-data").with_params(("boundary", "x"))
}

fn multipart(fields: &[(&str, &str)]) -> Vec<u8> {
    let part = |(name, value): &(&str, &str)| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    (fields.iter().map(part).collect::<String>() + "--x--\r\n").into_bytes()
}

/// The same fields as each kind of form.
fn both_kinds(fields: &[(&str, &str)]) -> [(ContentType, Vec<u8>); 2] {
    [(ContentType::Form, encode(fields)), (kind_with_boundary(), multipart(fields))]
}

async fn sends(
    client: &ApiClient<'_>,
    (method, path): (Method, &str),
    form: (ContentType, Vec<u8>),
) -> ApiReply {
    client.clone().send(method, path, Some(form)).await
}

#[on_both]
async fn a_form_is_read_like_json(env: TestEnv) {
    let app = env.app().await;
    let login = [("username", ADA), ("password", GOOD)];
    let join =
        [("email", ADA), ("password1", GOOD), ("password2", GOOD), ("name", "에이다 & Co. + 1")];
    let [form, parts] = both_kinds(&join);
    let joined = sends(&app.api_client(), (Method::Post, "/api/account/registration"), parts).await;
    assert_eq!((joined.status(), &joined.json["user"]["name"]), (201, &json!(join[3].1)));
    let again = sends(&app.api_client(), (Method::Post, "/api/account/join"), form).await;
    assert_eq!((again.status(), again.json["email"].is_array()), (400, true), "{}", again.json);
    for form in both_kinds(&login) {
        let logged_in =
            sends(&app.api_client(), (Method::Post, "/api/account/login"), form.clone()).await;
        assert_eq!(logged_in.status(), 200);
        assert_eq!(logged_in.cookies(), "access device refresh -visitor");
        let tokens = sends(&app.api_client(), (Method::Post, "/api/token"), form).await;
        assert_eq!(tokens.status(), 200, "{}", tokens.json);
        for form in both_kinds(&[("refresh", tokens.text("refresh"))]) {
            let next = sends(&app.api_client(), (Method::Post, "/api/token/refresh"), form).await;
            assert_eq!(next.status(), 200, "{}", next.json);
        }
    }
    for form in both_kinds(&[("email", ""), ("unknown", "1"), ("unknown", "2")]) {
        let wrong = sends(&app.api_client(), (Method::Post, "/api/token"), form).await;
        let expected = json!({
            "email": ["This field may not be blank."], "password": ["This field is required."],
        });
        assert_eq!((wrong.status(), wrong.json), (400, expected));
    }
}

/// The fields of a form, and the field of the answer that shows what was read.
type Step<'a> = (&'a [(&'a str, &'a str)], &'a str, Value);

#[on_both]
async fn dates_flags_and_lists_are_read_from_text(env: TestEnv) {
    let app = env.app().await;
    let group = app.group("Editors", &[]).await.0.to_string();
    let other = app.group("Authors", &[]).await.0.to_string();
    app.superuser("root").await;
    let mut root = app.api_client();
    root.requests_tokens("root@example.com", GOOD).await;
    let root = root.with_bearer();
    app.user("ada").await;
    let path = format!("/api/users/{}", app.id_of("ada").await);
    let steps: [Step<'_>; 9] = [
        (&[("date_of_birth", "1990-02-28")], "date_of_birth", json!("1990-02-28")),
        (&[("date_of_birth", "")], "date_of_birth", Value::Null),
        (&[("is_staff", "true")], "is_staff", json!(true)),
        (&[("is_staff", "False")], "is_staff", json!(false)),
        (&[("is_staff", "on")], "is_staff", json!(true)),
        (&[("groups", &group)], "groups", json!([group.parse::<i64>().expect("a number")])),
        (&[("groups", "")], "groups", json!([])),
        (&[("groups", &group), ("groups", &other)], "is_active", json!(true)),
        (&[("gender", "")], "gender", json!("")),
    ];
    for (fields, name, expected) in steps {
        for form in both_kinds(fields) {
            let reply = sends(&root, (Method::Patch, &path), form).await;
            assert_eq!(reply.status(), 200, "{fields:?}: {}", reply.json);
            assert!(reply.json.get(name).is_none_or(|it| *it == expected), "{}", reply.json);
        }
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM group_members").await, 2);
    for form in both_kinds(&[
        ("is_staff", "maybe"),
        ("groups", "x"),
        ("date_of_birth", "28.02.1990"),
        ("name", "a"),
        ("name", "b"),
        ("email", "a\0b@example.com"),
    ]) {
        let reply = sends(&root, (Method::Patch, &path), form).await;
        let expected = json!({
            "email": ["Null characters are not allowed."],
            "name": ["Not a valid string."],
            "date_of_birth": [
                "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."
            ],
            "is_staff": ["Must be a valid boolean."],
            "groups": ["A valid integer is required."],
        });
        assert_eq!((reply.status(), reply.json), (400, expected));
    }
}

#[on_both]
async fn a_form_needs_a_bearer_token_or_no_cookie(env: TestEnv) {
    let app = env.app().await;
    let mut ada = ApiClient::new(app.user("ada").await);
    ada.requests_tokens(ADA, GOOD).await;
    let user = (Method::Patch, "/api/account/user");
    let token = (Method::Post, "/api/token");
    let before = app.row_counts().await;
    for form in both_kinds(&[("name", "Eve"), ("email", ADA), ("password", GOOD)]) {
        for place in [user, token, (Method::Post, "/api/account/logout")] {
            let reply = sends(&ada, place, form.clone()).await;
            assert_eq!((reply.status(), reply.code()), (403, "csrf_failed"), "{place:?}");
        }
        let of_others = app.api_client().with_cookie("theme", "dark");
        let reply = sends(&of_others, token, form.clone()).await;
        assert_eq!((reply.status(), reply.code()), (403, "csrf_failed"), "any cookie");
        let rubbish = ada.clone().with("Authorization", "Bearer x");
        let reply = sends(&rubbish, token, form.clone()).await;
        assert_eq!((reply.status(), reply.code()), (403, "csrf_failed"), "no token of ours");
    }
    assert_eq!(app.row_counts().await, before);
    for form in both_kinds(&[("name", "Ada")]) {
        let reply = sends(&ada.clone().with_bearer(), user, form.clone()).await;
        assert_eq!((reply.status(), reply.text("name")), (200, "Ada"));
        let without_cookies = ApiClient { browser: app.visitor(), ..ada.clone() }.with_bearer();
        assert_eq!(sends(&without_cookies, user, form).await.status(), 200);
    }
    env.clock.advance(std::time::Duration::from_mins(6));
    let [form, _] = both_kinds(&[("email", ADA), ("password", GOOD)]);
    let reply = sends(&ada.with_bearer(), token, form).await;
    assert_eq!((reply.status(), reply.code()), (401, "token_not_valid"), "it can be refreshed");
}

#[on_both]
async fn a_malformed_form_is_a_client_error(env: TestEnv) {
    let app = env.app().await;
    let before = app.row_counts().await;
    let file = "--x\r\nContent-Disposition: form-data; name=\"email\"; filename=\"a.txt\"\r\n\r\na\
                \r\n--x--\r\n";
    let empty = "--x\r\nContent-Disposition: form-data; name=\"email\"; filename=\"\"\r\n\r\n\r\n\
                 --x--\r\n";
    let names: Vec<_> = (0..65).map(|number| number.to_string()).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let [many, many_parts] = both_kinds(&many);
    let [large, large_parts] = both_kinds(&[("email", &"a".repeat(16 * 1024))]);
    let not_utf8 =
        b"--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n\xff\r\n--x--\r\n";
    for (form, status, code) in [
        ((kind_with_boundary(), file.into()), 415, "unsupported_media_type"),
        ((kind_with_boundary(), empty.into()), 415, "unsupported_media_type"),
        (many, 413, "request_too_large"),
        (many_parts, 413, "request_too_large"),
        (large, 413, "request_too_large"),
        (large_parts, 413, "request_too_large"),
        ((ContentType::Form, b"email=%ff".to_vec()), 400, "parse_error"),
        ((ContentType::Form, b"email=\xff".to_vec()), 400, "parse_error"),
        ((kind_with_boundary(), not_utf8.to_vec()), 400, "parse_error"),
        ((kind_with_boundary(), b"no parts".to_vec()), 400, "parse_error"),
        ((kind_with_boundary(), b"--x\r\nA: b".to_vec()), 400, "parse_error"),
        ((ContentType::FormData, b"no boundary".to_vec()), 400, "parse_error"),
    ] {
        let shown = String::from_utf8_lossy(&form.1[..form.1.len().min(60)]).into_owned();
        for path in ["/api/token", "/api/account/join", "/api/account/logout"] {
            let reply = sends(&app.api_client(), (Method::Post, path), form.clone()).await;
            assert_eq!((reply.status(), reply.code()), (status, code), "{path} {shown}");
        }
    }
    assert_eq!(app.row_counts().await, before);
    for kind in [ContentType::Form, ContentType::FormData] {
        let reply = sends(&app.api_client(), (Method::Post, "/api/token"), (kind, vec![])).await;
        assert_eq!((reply.status(), reply.json["email"].is_array()), (400, true), "empty");
    }
}
