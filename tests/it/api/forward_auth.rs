//! Proxies ask whether a request may pass to another app: what they get, and two real proxies.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rocket::http::Method;

use crate::support::process::{
    HttpResponse, PATIENCE, RemoteBrowser, RunningCommand, Sandbox, Server, eventually, free_port,
};
use crate::support::requirement::Requirement;
use crate::support::{App, GOOD, Page, TestEnv, on_both};

const ASK: &str = "/api/forward-auth";
const ASK_FOR_A_WAY: &str = "/api/forward-auth?redirect=1";

/// The three headers.
fn identity_headers(answer: &Page) -> [Option<&str>; 3] {
    ["x-auth-user", "x-auth-email", "x-auth-groups"].map(|name| answer.header(name))
}

async fn joins_group(app: &App, name: &str, group: &str) {
    let group = app.group(group, &[]).await;
    app.adds_to_group(name, group).await;
    app.ctx.cache.invalidate_all();
}

/// Where a stranger who was going somewhere is sent.
async fn way_of(app: &App, headers: &[(&str, &str)]) -> (u16, Option<String>) {
    let mut stranger = app.visitor();
    for (name, value) in headers {
        stranger = stranger.with(name, value);
    }
    let answer = stranger.get(ASK_FOR_A_WAY).await;
    (answer.status(), answer.location().map(str::to_owned))
}

#[on_both]
async fn a_valid_cookie_or_token_passes(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    joins_group(&app, "ada", "편집부").await;
    joins_group(&app, "ada", "Authors, all").await;
    let token = ada.cookie("access").expect("signed in").to_owned();
    let mut program = app.visitor().with("Authorization", &format!("bearer {token}"));

    for answer in [ada.get(ASK).await, program.get(ASK).await, ada.get(ASK_FOR_A_WAY).await] {
        let id = app.id_of("ada").await.to_string();
        let groups = "Authors%2C all,%ED%8E%B8%EC%A7%91%EB%B6%80";
        assert_eq!(answer.status(), 200);
        assert_eq!(identity_headers(&answer), [Some(&*id), Some("ada@example.com"), Some(groups)]);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[on_both]
async fn without_groups_the_header_is_empty(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    assert_eq!(ada.get(ASK).await.header("x-auth-groups"), Some(""), "there is nothing to inherit");
}

#[on_both]
async fn visitors_do_not_pass(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let (access, refresh) = (ada.cookies["access"].clone(), ada.cookies["refresh"].clone());
    let bearer = |token: &str| app.visitor().with("Authorization", &format!("Bearer {token}"));
    let mut strangers = vec![app.visitor(), bearer("rubbish"), bearer(&refresh), bearer("")];
    ada.logs_out().await;
    strangers.push(bearer(&access));
    let mut thief = app.visitor();
    thief.cookies = [("access", access), ("refresh", refresh)].map(|(n, v)| (n.into(), v)).into();
    strangers.push(thief);

    for stranger in &mut strangers {
        let answer = stranger.get(ASK).await;
        assert_eq!(answer.status(), 401);
        let challenge = answer.header("www-authenticate").expect("as RFC 9110 asks, 15.5.2");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert_eq!(identity_headers(&answer), [None; 3]);
    }
}

#[on_both]
async fn a_suspended_user_does_not_pass(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    assert_eq!(ada.get(ASK).await.status(), 200);
    app.deactivates("ada").await;
    env.clock.advance(Duration::from_secs(3));

    assert_eq!(ada.get(ASK).await.status(), 401);
}

#[on_both]
async fn a_repeated_check_costs_no_statement(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    joins_group(&app, "ada", "Authors").await;
    ada.get(ASK).await;
    let before = app.ctx.db.queries();

    for _ in 0..3 {
        assert_eq!(ada.get(ASK).await.header("x-auth-groups"), Some("Authors"));
    }
    app.visitor().get(ASK).await;

    assert_eq!(app.ctx.db.queries() - before, 0);
}

#[on_both]
async fn a_removed_group_is_gone_within_the_cache_limit(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    joins_group(&app, "ada", "Authors").await;
    assert_eq!(ada.get(ASK).await.header("x-auth-groups"), Some("Authors"));
    app.sets_groups("ada", &[]).await;

    env.clock.advance(Duration::from_secs(2));

    assert_eq!(ada.get(ASK).await.header("x-auth-groups"), Some(""));
}

#[on_both]
async fn an_expired_access_token_is_refreshed_alone(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut lost = ada.clone();
    env.clock.advance(Duration::from_mins(6));

    let answer = ada.get(ASK).await;

    assert_eq!(answer.status(), 200);
    assert_ne!(ada.cookies["access"], lost.cookies["access"]);
    assert_eq!(ada.cookies["refresh"], lost.cookies["refresh"]);
    for _ in 0..3 {
        env.clock.advance(Duration::from_mins(1));
        assert_eq!(lost.clone().get(ASK).await.status(), 200, "a proxy that drops the cookie");
    }
    assert!(ada.is_signed_in().await && lost.is_signed_in().await, "nobody is a thief");
    assert_eq!(app.audit_event_count("token_reused").await, 0);
}

#[on_both]
async fn a_replaced_token_ends_the_session_here_too(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut thief = ada.clone();
    env.clock.advance(Duration::from_mins(6));
    assert!(ada.is_signed_in().await && ada.is_signed_in().await, "and has the next one");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(Duration::from_secs(11));

    assert_eq!(thief.get(ASK).await.status(), 401);

    assert_eq!(app.audit_event_count("token_reused").await, 1);
    assert!(!ada.is_signed_in().await);
    app.emails().await;
}

#[on_both]
async fn browsers_are_sent_to_login_and_back(env: TestEnv) {
    let app = env.app().await;
    let log_in = "http://localhost:8000/account/login";
    let back = Some(format!("{log_in}?next=%2Fnotes%3Fa%3D1%26b%3D%252F"));
    let plain = Some(log_in.to_owned());

    for name in ["X-Original-URI", "X-Forwarded-Uri"] {
        assert_eq!(way_of(&app, &[(name, "/notes?a=1&b=%2F")]).await, (303, back.clone()));
        for evil in ["//evil.example", "https://evil.example/", "/\\evil.example", "/a/../b"] {
            assert_eq!(way_of(&app, &[(name, evil)]).await, (303, plain.clone()), "{evil}");
        }
    }
    let here = ("X-Original-URI", "/notes?a=1&b=%2F");
    for (more, expected) in [
        (("X-Forwarded-Method", "POST"), &plain),
        (("X-Original-Method", "DELETE"), &plain),
        (("X-Forwarded-Host", "evil.example"), &plain),
        (("X-Forwarded-Host", "localhost:8000"), &back),
        (("X-Forwarded-Method", "GET"), &back),
        (("Sec-Fetch-Mode", "navigate"), &back),
    ] {
        assert_eq!(way_of(&app, &[here, more]).await, (303, expected.clone()), "{more:?}");
    }
}

#[on_both]
async fn api_clients_and_scripts_get_no_login_page(env: TestEnv) {
    let app = env.app().await;
    for header in [
        ("Authorization", "Bearer rubbish"),
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Mode", "no-cors"),
    ] {
        assert_eq!(way_of(&app, &[header]).await, (401, None), "{header:?}");
    }
    assert_eq!(app.visitor().get("/api/forward-auth?redirect=0").await.status(), 401);
}

#[on_both]
async fn a_proxy_may_use_its_own_host_name(env: TestEnv) {
    let app = env.app_with(&[("public_url", "https://gate.example")]).await;
    let asks = |host: &str| app.visitor().with("Host", host);

    assert_eq!(asks("daemun:8000").get(ASK).await.status(), 401);
    let way = asks("evil.example").get(ASK_FOR_A_WAY).await;
    assert_eq!(way.location(), Some("https://gate.example/account/login"), "and is told no other");
    assert_eq!(asks("daemun:8000").get("/account/login").await.status(), 421);
    assert_eq!(asks("daemun:8000").get("/api/forward-auth/x").await.status(), 421);
    assert_eq!(asks("daemun:8000").send(Method::Post, ASK, None).await.status(), 421);
    assert_eq!(asks("a").with("Host", "b").get(ASK).await.status(), 400);
}

// Real proxies.

/// An app that answers with the request as it came.
struct Echo {
    port: u16,
}

impl Echo {
    fn opens() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                thread::spawn(move || echo(connection));
            }
        });
        Self { port }
    }
}

fn echo(mut connection: TcpStream) {
    let mut heard = Vec::new();
    let mut buffer = [0; 1024];
    while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
        match connection.read(&mut buffer) {
            Ok(read @ 1..) => heard.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let end = heard.windows(4).position(|end| end == b"\r\n\r\n").expect("seen");
    let request = String::from_utf8_lossy(&heard[..end]).to_lowercase();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{request}",
        request.len()
    );
    let _ = connection.write_all(answer.as_bytes());
    let _ = connection.shutdown(Shutdown::Write);
}

/// A proxy in front of Daemun and an app.
struct Behind {
    daemun: Server,
    /// Stops with the story.
    _proxy: RunningCommand,
    port: u16,
}

impl Behind {
    /// A client behind the proxy.
    fn visitor(&self) -> RemoteBrowser {
        self.daemun.visitor().at(self.port)
    }
}

/// An example from `examples/` with the ports of this story.
fn example(name: &str, daemun: u16, app: u16) -> String {
    let path = format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect(name);
    text.replace("127.0.0.1:8000", &format!("127.0.0.1:{daemun}"))
        .replace("127.0.0.1:9000", &format!("127.0.0.1:{app}"))
}

/// Starts Daemun, an app, and a proxy in front of both, whose configuration is made of their ports.
fn behind(program: &str, start: impl Fn(&Sandbox, [u16; 3]) -> Command) -> Behind {
    let port = free_port();
    let sandbox = Sandbox::new()
        .with_cheap_hashing()
        .with("ROCKET_PUBLIC_URL", format!("http://localhost:{port}"))
        .with("ROCKET_TRUSTED_PROXIES", "127.0.0.1")
        .with("ROCKET_ACCESS_TOKEN_LIFETIME", "1s");
    let daemun = sandbox.serves();
    let mut proxy = RunningCommand::new(start(&sandbox, [port, daemun.port, Echo::opens().port]));
    let opens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    let has_opened = eventually(PATIENCE, || opens() || proxy.is_over());
    assert!(has_opened && !proxy.is_over(), "{program}: {:#?}", proxy.dies());
    Behind { daemun, _proxy: proxy, port }
}

fn nginx() -> Behind {
    behind("nginx", |sandbox, [port, daemun, app]| {
        sandbox.write("locations.conf", example("forward-auth.nginx.conf", daemun, app));
        let folder = sandbox.path("");
        let folder = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
            .concat();
        sandbox.write(
            "nginx.conf",
            format!(
                "daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}\n\
                 http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; \
                 server_name localhost; include {folder}/locations.conf; }} }}\n"
            ),
        );
        let mut command = sandbox.command("nginx");
        command.arg("-c").arg(sandbox.path("nginx.conf")).arg("-p").arg(sandbox.path(""));
        command
    })
}

fn caddy() -> Behind {
    behind("caddy", |sandbox, [port, daemun, app]| {
        let site = example("forward-auth.Caddyfile", daemun, app);
        let site = site.replace("accounts.example.com", &format!("http://localhost:{port}"));
        sandbox.write("Caddyfile", format!("{{\n\tadmin off\n}}\n{site}"));
        let mut command = sandbox.command("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(sandbox.path("Caddyfile"));
        command
    })
}

/// Sends a form with the token of one of Daemun's own pages; the first page of the site is the app's.
fn submits(
    browser: &mut RemoteBrowser,
    page: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> HttpResponse {
    let token = browser.get(page).token().expect("every page has a form");
    browser.post(path, &[&[("csrf", token.as_str())], fields].concat())
}

/// The story that each proxy has to be right in.
fn an_app_is_behind_the_log_in(site: &Behind) {
    let forged = |visitor: RemoteBrowser| {
        visitor.with("X-Auth-User", "777").with("X-Auth-Groups", "root").with("X_Auth_User", "777")
    };
    let mut ada = forged(site.visitor());

    let turned_away = ada.get("/notes?a=1&b=2");
    let way = "/account/login?next=%2Fnotes%3Fa%3D1%26b%3D2";
    assert_eq!(turned_away.status, 303, "{}", turned_away.text);
    assert_eq!(
        turned_away.header("location"),
        Some(&*format!("http://localhost:{}{way}", site.port))
    );
    let script = ada.clone().with("Sec-Fetch-Mode", "cors").get("/notes");
    assert_eq!(script.status, 401, "{}", script.text);

    let fields = [("email", "ada@example.com"), ("password1", GOOD), ("password2", GOOD)];
    assert_eq!(submits(&mut ada, "/account/join", "/account/join", &fields).status, 303);
    for (method, fields) in [("GET", &[][..]), ("POST", &[("text", "hello")])] {
        let passed = ada.tries(method, "/notes?a=1", fields).expect("an answer");
        assert_eq!(passed.status, 200, "{method}: {}", passed.text);
        let heard = &passed.text;
        assert!(heard.starts_with(&format!("{} /notes?a=1 ", method.to_lowercase())), "{heard}");
        assert!(
            heard.contains("x-auth-user: 1\r\n") && heard.contains("x-auth-email: ada@example.com"),
            "{heard}"
        );
        assert!(!heard.contains("777") && !heard.contains("root"), "{heard}");
    }

    // The token is good for a second; then the browser gets another one through the proxy.
    let before = ada.cookies.clone();
    let mut asking = ada.clone();
    let is_renewed = || {
        let passed = asking.get("/notes");
        assert_eq!(passed.status, 200, "{}", passed.text);
        asking.cookies["access"] != before["access"]
    };
    assert!(eventually(PATIENCE, is_renewed), "{}", site.daemun.log());
    assert_eq!(asking.cookies["refresh"], before["refresh"]);

    assert_eq!(submits(&mut ada, "/account/mypage", "/account/logout", &[]).status, 303);
    assert_eq!(ada.get("/notes").status, 303, "and the app is closed again");
}

#[test]
fn nginx_lets_signed_in_users_pass() {
    if Requirement::Nginx.is_met() {
        an_app_is_behind_the_log_in(&nginx());
    }
}

#[test]
fn caddy_lets_signed_in_users_pass() {
    if Requirement::Caddy.is_met() {
        an_app_is_behind_the_log_in(&caddy());
    }
}
