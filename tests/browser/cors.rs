//! Pages of other origins that call the JSON API, in a real browser: it alone decides what they may read
//! and which cookies it sends.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::support::{GOOD, Site, TestEnv, User, run_test};

/// Serves an empty page under every name of this machine, and returns its port.
fn other_site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut request = [0; 4096];
            // A browser that opens a connection in advance may close it without a request.
            if connection.read(&mut request).is_ok_and(|length| length > 0) {
                let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\
                     Connection: close\r\n\r\n<!doctype html>";
                connection.write_all(page.as_bytes()).ok();
            }
        }
    });
    port
}

/// Sends JSON from the open page; `credentials` is that of the Fetch standard. Returns the status, or
/// `blocked` if the browser lets the page read nothing.
async fn fetches(user: &User<'_>, url: &str, credentials: &str, body: Option<Value>) -> Value {
    let request = match body {
        Some(body) => json!({
            "method": "POST", "body": body.to_string(), "credentials": credentials,
            "headers": { "Content-Type": "application/json" },
        }),
        None => json!({ "credentials": credentials }),
    };
    let script = format!(
        "const done = arguments[arguments.length - 1];
         fetch('{url}', {request}).then(answer => done(answer.status), () => done('blocked'));"
    );
    user.runs_to_the_end(&script).await
}

fn credentials() -> Value {
    json!({ "email": "ada@example.com", "password": GOOD })
}

fn with_other_site(test: impl AsyncFnOnce(&Site, &User<'_>, u16)) {
    run_test(true, async |env: TestEnv| {
        let port = other_site();
        let allowed = format!("http://localhost:{port},http://127.0.0.1:{port}");
        let site = Site::with(&[("ROCKET_ALLOWED_ORIGINS", &allowed)]);
        env.visitor(&site).await.signs_up("ada@example.com").await;
        let user = env.visitor(&site).await;
        test(&site, &user, port).await;
    });
}

#[test]
fn a_page_on_another_port_logs_in_with_cookies() {
    with_other_site(async |site, user, port| {
        user.opens(&format!("http://localhost:{port}/")).await;
        let (login, me) = (site.url("/api/account/login"), site.url("/api/account/user"));

        assert_eq!(fetches(user, &me, "include", None).await, json!(401));
        assert_eq!(fetches(user, &login, "include", Some(credentials())).await, json!(200));

        assert_eq!(fetches(user, &me, "include", None).await, json!(200));
        assert_eq!(fetches(user, &me, "omit", None).await, json!(401));
    });
}

#[test]
fn a_page_of_another_site_uses_tokens_without_cookies() {
    with_other_site(async |site, user, port| {
        user.opens(&format!("http://127.0.0.1:{port}/")).await;
        let login = site.url("/api/account/login");

        assert_eq!(
            fetches(user, &site.url("/api/token"), "omit", Some(credentials())).await,
            json!(200)
        );
        assert_eq!(fetches(user, &login, "omit", Some(credentials())).await, json!(403));
        assert_eq!(fetches(user, &login, "include", Some(credentials())).await, json!("blocked"));
        assert_eq!(user.cookie("access").await, None);
    });
}

#[test]
fn a_page_that_is_not_listed_reads_only_public_documents() {
    with_other_site(async |site, user, _| {
        user.opens(&format!("http://localhost:{}/", other_site())).await;

        let token = site.url("/api/token");
        assert_eq!(fetches(user, &token, "omit", Some(credentials())).await, json!("blocked"));
        let keys = site.url("/.well-known/jwks.json");
        assert_eq!(fetches(user, &keys, "omit", None).await, json!(200));
    });
}
