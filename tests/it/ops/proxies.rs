//! Behind proxies: which client a request counts for, and what is said of a proxy that cannot be understood.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use daemun::testing::flows;
use daemun::testing::flows::system::checks::Finding;

use crate::support::process::{PATIENCE, Sandbox, eventually};
use crate::support::{App, GOOD, TestEnv, on_both};

const PROXY: &str = "198.51.100.1:4711";

async fn behind_a_proxy(env: &TestEnv) -> App {
    env.app_with(&[("trusted_proxies", "198.51.100.0/24")]).await
}

/// The address of a log-in whose request came through the proxy with these headers.
async fn seen_as(app: &App, headers: &[(&str, &str)]) -> String {
    let mut ada = app.visitor().from(PROXY);
    for (name, value) in headers {
        ada = ada.with(name, value);
    }
    assert_eq!(ada.logs_in("ada@example.com", GOOD).await.status(), 303, "{headers:?}");
    app.query_text(
        "SELECT ip FROM sessions ORDER BY created_at DESC, ended_at IS NULL DESC LIMIT 1",
    )
    .await
}

fn findings(app: &App) -> Vec<Finding> {
    flows::system::checks::check_quickly(&app.ctx.settings, IpAddr::V4(Ipv4Addr::LOCALHOST))
}

#[on_both]
async fn clients_are_told_apart_in_every_header_format(env: TestEnv) {
    let app = behind_a_proxy(&env).await;
    app.user("ada").await;
    for (headers, address) in [
        (&[("X-Forwarded-For", "203.0.113.7:51234")][..], "203.0.113.7"),
        (&[("X-Forwarded-For", "[2001:db8::7]:443")], "2001:db8::7"),
        (&[("X-Forwarded-For", "[2001:db8::8]")], "2001:db8::8"),
        (&[("X-Forwarded-For", "\"203.0.113.9\"")], "203.0.113.9"),
        (&[("X-Forwarded-For", "203.0.113.10,")], "203.0.113.10"),
        (&[("X-Forwarded-For", "9.9.9.9, 203.0.113.11:1, 198.51.100.2:2")], "203.0.113.11"),
        (&[("Forwarded", "for=203.0.113.12;proto=https")], "203.0.113.12"),
        (&[("Forwarded", "for=9.9.9.9"), ("Forwarded", "for=\"[2001:db8::9]:80\"")], "2001:db8::9"),
        (
            &[("Forwarded", "for=203.0.113.13"), ("X-Forwarded-For", "203.0.113.13:9")],
            "203.0.113.13",
        ),
        (&[("Forwarded", "proto=https"), ("X-Forwarded-For", "203.0.113.14")], "203.0.113.14"),
    ] {
        env.clock.advance(Duration::from_secs(1));
        assert_eq!(seen_as(&app, headers).await, address, "{headers:?}");
    }
    assert!(!findings(&app).iter().any(|it| matches!(it, Finding::ProxyUnreadable(_))));
}

#[on_both]
async fn an_unused_forwarding_header_sets_no_address(env: TestEnv) {
    let app = behind_a_proxy(&env).await;
    app.user("ada").await;
    for headers in [
        &[("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=9.9.9.9")][..],
        &[("X-Forwarded-For", "9.9.9.9"), ("Forwarded", "for=203.0.113.7")],
        &[("X-Forwarded-For", "9.9.9.9"), ("Forwarded", "for=_hidden")],
    ] {
        env.clock.advance(Duration::from_secs(1));
        assert_eq!(seen_as(&app, headers).await, "198.51.100.1", "{headers:?}");
    }
    let mut stranger = app.visitor().from("192.0.2.50:1").with("Forwarded", "for=9.9.9.9");
    env.clock.advance(Duration::from_secs(1));
    assert_eq!(stranger.logs_in("ada@example.com", GOOD).await.status(), 303);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM sessions WHERE ip = '9.9.9.9'").await, 0);
}

#[on_both]
async fn check_finds_an_unreadable_header_of_a_proxy(env: TestEnv) {
    let app = behind_a_proxy(&env).await;
    app.user("ada").await;
    let is_found = |app: &App| {
        findings(app).contains(&Finding::ProxyUnreadable("198.51.100.1".parse().expect("one")))
    };
    let mut client = app.visitor().from(PROXY).with("X-Forwarded-For", "rubbish, 203.0.113.7");
    client.get("/").await;
    app.visitor().with("X-Forwarded-For", "unknown").get("/").await;
    assert!(!is_found(&app), "what clients send is no fault of the proxy");

    env.clock.advance(Duration::from_secs(1));
    assert_eq!(seen_as(&app, &[("X-Forwarded-For", "203.0.113.7, unknown")]).await, "198.51.100.1");
    assert!(eventually(PATIENCE, || is_found(&app)));

    assert!(!findings(&env.app().await).iter().any(|it| matches!(it, Finding::ProxyUnreadable(_))));
    behind_a_proxy(&env).await;
    assert!(!is_found(&app), "a server that starts knows nothing of its proxies yet");
}

#[on_both]
async fn a_trusted_proxy_sets_the_request_id(env: TestEnv) {
    let app = behind_a_proxy(&env).await;
    let given = "0193e6a4-7b1c-7def-8123-456789abcdef";
    let named = |address: &str, id: &str| {
        let (mut visitor, path) =
            (app.visitor().from(address).with("X-Request-Id", id), "/nowhere");
        async move { visitor.get(path).await }
    };

    let page = named(PROXY, given).await;
    assert_eq!(page.header("x-request-id"), Some(given));
    assert!(page.text().contains(given), "the error page names it too");

    for (address, id) in [
        ("192.0.2.1:1", given),
        (PROXY, "short"),
        (PROXY, "<script>alert(1)</script>"),
        (PROXY, &"x".repeat(65)),
    ] {
        let page = named(address, id).await;
        assert_eq!(page.header("x-request-id").map(str::len), Some(16), "{address} {id}");
        assert!(!page.text().contains(id), "{id}");
    }
    let mut twice =
        app.visitor().from(PROXY).with("X-Request-Id", given).with("X-Request-Id", given);
    assert_ne!(twice.get("/").await.header("x-request-id"), Some(given));
}

#[test]
fn an_unreadable_proxy_is_warned_about_once() {
    let sandbox = Sandbox::new().with_a_name().with("ROCKET_TRUSTED_PROXIES", "[\"127.0.0.1/32\"]");
    let server = sandbox.serves();
    let check = || sandbox.runs(&["check"]);
    assert_eq!(check().code(), Some(0));

    for _ in 0..3 {
        assert_eq!(server.visitor().with("X-Forwarded-For", "unknown").get("/").status, 200);
    }

    assert!(eventually(PATIENCE, || sandbox.path("data/unreadable_proxy").exists()));
    let said = check();
    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.error_line().contains("The trusted proxy 127.0.0.1 has sent"), "{said:#?}");
    assert_eq!(server.log().matches("cannot be read").count(), 1, "{}", server.log());
    assert_eq!(server.stops().code(), Some(0));

    let server = sandbox.serves();
    let client = "203.0.113.7:51234";
    assert_eq!(server.visitor().with("X-Forwarded-For", client).get("/").status, 200);
    assert_eq!(check().code(), Some(0));
    assert!(!server.log().contains("cannot be read"), "{}", server.log());
}
