//! A real OpenID provider, made by others (`oidc-provider` of npm), through the whole log-in:
//! its document, its keys, its pages, and what it refuses.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use daemun::testing::clock::Clock;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, redirect};
use serde_json::json;

use crate::support::process::{PATIENCE, RunningCommand, eventually};
use crate::support::requirement::Requirement;
use crate::support::{App, Browser, Page, TestEnv, on_both};

const SECRET: &str = "a secret that both of them know";

/// The provider as a process, as long as the story lasts.
struct Issuer {
    url: String,
    _process: RunningCommand,
}

impl Issuer {
    /// `None` where Node.js or the package is not there, which is said.
    fn start() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
        if !Requirement::OpenIdProvider.is_met() {
            return None;
        }
        let client = |id: &str, slug: &str| {
            let callback = format!("http://localhost:8000/account/social/{slug}/callback");
            json!({ "client_id": id, "client_secret": SECRET, "redirect_uris": [callback] })
        };
        let clients = json!([client("us", "id"), client("us-too", "wrong")]);
        let mut command = Command::new("node");
        command.arg(folder.join("provider.js")).env("CLIENTS", clients.to_string());
        let process = RunningCommand::new(command);
        let is_there = eventually(PATIENCE, || process.output().starts_with("http://"));
        assert!(is_there, "it says where it is");
        let url = process.output().trim().to_owned();
        Some(Self { url, _process: process })
    }
}

/// A user's browser at the provider: goes wherever it is sent, and keeps cookies.
struct Wanderer {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Wanderer {
    fn new() -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).build();
        Self { client: client.expect("a client"), cookies: BTreeMap::new() }
    }

    /// Opens a page, or sends a form, and goes on until there is a page or a way back to us.
    async fn goes(&mut self, place: &str, form: &[(&str, &str)]) -> String {
        let mut place = place.to_owned();
        let mut form = form;
        loop {
            let answer = self.asks(&place, form).await;
            let Some(next) = answer.headers().get(LOCATION) else { return place };
            let next = next.to_str().expect("text").to_owned();
            let base = url::Url::parse(&place).expect("an address");
            place = base.join(&next).expect("an address").into();
            form = &[];
            if place.starts_with("http://localhost:8000/") {
                return place;
            }
        }
    }

    async fn asks(&mut self, place: &str, form: &[(&str, &str)]) -> Response {
        let request = if form.is_empty() {
            self.client.get(place)
        } else {
            let body =
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            let kind = "application/x-www-form-urlencoded";
            self.client.post(place).header("Content-Type", kind).body(body)
        };
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, it)| format!("{name}={it}")).collect();
        let answer = request.header(COOKIE, cookies.join("; ")).send().await.expect("an answer");
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("text").split(';').next().expect("a pair");
            let (name, value) = cookie.split_once('=').expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Logs in there and agrees; the way back to us.
    async fn agrees(&mut self, way: &str, name: &str) -> String {
        let page = self.goes(way, &[]).await;
        let login = [("prompt", "login"), ("login", name), ("password", "any")];
        let page = self.goes(&page, &login).await;
        self.goes(&page, &[("prompt", "consent")]).await
    }

    /// Turns back at the first page.
    async fn refuses(&mut self, way: &str) -> String {
        let page = self.goes(way, &[]).await;
        self.goes(&format!("{page}/abort"), &[]).await
    }
}

/// The site with the issuer called `id`, and with a registration whose secret is wrong.
async fn site(env: &TestEnv, issuer: &Issuer) -> App {
    // The issuer's clock is the machine's.
    let app = App::open(env.figment(&[]), Clock::of_the_machine()).await;
    let mut root = app.superuser("root").await;
    for (slug, client_id, secret) in [("id", "us", SECRET), ("wrong", "us-too", "another secret")] {
        let fields = [
            ("provider", "oidc"),
            ("slug", slug),
            ("issuer", issuer.url.as_str()),
            ("client_id", client_id),
            ("client_secret", secret),
            ("is_active", "true"),
        ];
        let answer = root.submits("/admin/social/new", &fields).await;
        assert_eq!(answer.location(), Some("/admin/social"), "{}", answer.text());
    }
    app
}

/// Presses the button; the way to the provider.
async fn sets_out(who: &mut Browser<'_>, slug: &str) -> String {
    let answer = who.submits(&format!("/account/social/{slug}"), &[("next", "/?a=b")]).await;
    answer.location().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

/// Comes back the way that the provider showed.
async fn returns(who: &mut Browser<'_>, way: &str) -> Page {
    who.get(way.strip_prefix("http://localhost:8000").expect("a way back")).await
}

fn part(way: &str, name: &str) -> String {
    let way = url::Url::parse(way).expect("an address");
    let found = way.query_pairs().find(|(it, _)| it == name);
    found.unwrap_or_else(|| panic!("no {name} in {way}")).1.into_owned()
}

#[on_both]
async fn a_real_provider_logs_users_in(env: TestEnv) {
    let Some(issuer) = Issuer::start() else { return };
    let app = site(&env, &issuer).await;
    let mut ada = app.visitor();

    let way = sets_out(&mut ada, "id").await;
    let back = Wanderer::new().agrees(&way, "ada").await;
    let answer = returns(&mut ada, &back).await;

    assert_eq!(answer.location(), Some("/?a=b"), "{back}: {}", answer.text());
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    assert_eq!(part(&back, "iss"), issuer.url);
    let verified = "SELECT COUNT(*) FROM users WHERE email_verified_at IS NOT NULL";
    assert_eq!(app.query_number(&format!("{verified} AND email = 'ada@example.com'")).await, 1);
    let subject = app.query_text("SELECT subject FROM social_identities").await;
    assert_eq!(subject, "ada");
}

#[on_both]
async fn a_real_provider_redeems_a_code_once(env: TestEnv) {
    let Some(issuer) = Issuer::start() else { return };
    let app = site(&env, &issuer).await;
    let (mut ada, mut wanderer) = (app.visitor(), Wanderer::new());
    let way = sets_out(&mut ada, "id").await;
    let back = wanderer.agrees(&way, "ada").await;
    assert_eq!(returns(&mut ada.clone(), &back).await.status(), 303);

    assert_eq!(returns(&mut ada, &back).await.status(), 422, "the same answer once more");
    let mut eve = app.visitor();
    let state = part(&sets_out(&mut eve, "id").await, "state");
    let theirs = back.replace(&part(&back, "state"), &state);
    assert_eq!(returns(&mut eve, &theirs).await.status(), 422, "a code of another browser");

    assert!(!ada.is_signed_in().await && !eve.is_signed_in().await);
    assert_eq!(app.audit_event_count("login").await, 2, "root and Ada");
}

#[on_both]
async fn a_denied_consent_is_explained(env: TestEnv) {
    let Some(issuer) = Issuer::start() else { return };
    let app = site(&env, &issuer).await;
    let mut ada = app.visitor();

    let way = sets_out(&mut ada, "id").await;
    let back = Wanderer::new().refuses(&way).await;
    let page = returns(&mut ada, &back).await;

    assert_eq!((page.status(), page.h1().as_str()), (422, "Log-in failed"));
    assert!(page.text().contains("agree to share your"), "{}", page.text());
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 0);
}

#[on_both]
async fn a_real_provider_refuses_a_wrong_secret(env: TestEnv) {
    let Some(issuer) = Issuer::start() else { return };
    let app = site(&env, &issuer).await;
    let mut ada = app.visitor();

    let way = sets_out(&mut ada, "wrong").await;
    let back = Wanderer::new().agrees(&way, "ada").await;
    let page = returns(&mut ada, &back).await;

    assert_eq!(page.status(), 422, "{}", page.text());
    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn a_real_provider_asks_again_for_reauthentication(env: TestEnv) {
    let Some(issuer) = Issuer::start() else { return };
    let app = site(&env, &issuer).await;
    let (mut ada, mut wanderer) = (app.visitor(), Wanderer::new());
    let way = sets_out(&mut ada, "id").await;
    let back = wanderer.agrees(&way, "ada").await;
    returns(&mut ada, &back).await;

    let fields = [("again", "true"), ("next", "/account/export")];
    let answer = ada.submits("/account/social/id", &fields).await;
    let page = wanderer.goes(answer.location().expect("a way"), &[]).await;

    assert!(page.starts_with(&issuer.url), "it asks although Ada is logged in there: {page}");
    let login = [("prompt", "login"), ("login", "ada"), ("password", "any")];
    let back = wanderer.goes(&page, &login).await;
    let answer = returns(&mut ada, &back).await;
    assert_eq!(answer.location(), Some("/account/export"), "{back} {}", answer.text());
    assert_eq!(app.audit_event_count("proved_again").await, 1);
}
