//! A client of the JSON API: JSON in, a status, JSON and cookies out.

use rocket::http::{ContentType, Method};
use serde_json::{Value, json};

use super::{App, Browser, GOOD, Page};

/// A program on an application. It keeps cookies like a browser and tokens like an app.
#[derive(Clone)]
pub(crate) struct ApiClient<'a> {
    pub(crate) browser: Browser<'a>,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// An answer of the JSON door.
#[derive(Debug, Clone)]
pub(crate) struct ApiReply {
    pub(crate) page: Page,
    pub(crate) json: Value,
}

impl ApiReply {
    pub(crate) fn status(&self) -> u16 {
        self.page.status()
    }

    /// A member of the answer as text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.json))
    }

    pub(crate) fn code(&self) -> &str {
        self.text("code")
    }

    /// The names of the cookies that the answer sets, in the order of the alphabet, those that it
    /// removes with a minus.
    pub(crate) fn cookies(&self) -> String {
        let mut cookies = self.page.all("set-cookie");
        cookies.sort_unstable();
        let names = cookies.iter().map(|cookie| {
            let name = cookie.split('=').next().unwrap_or_default();
            let sign = if cookie.contains("Max-Age=0") { "-" } else { "" };
            [sign, name].concat()
        });
        names.collect::<Vec<_>>().join(" ")
    }
}

impl<'a> ApiClient<'a> {
    pub(crate) fn new(browser: Browser<'a>) -> Self {
        Self { browser, access: String::new(), refresh: String::new() }
    }

    /// The same program with another header on every request.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self { browser: self.browser.with(name, value), ..self }
    }

    /// The same program with another cookie.
    pub(crate) fn with_cookie(mut self, name: &str, value: &str) -> Self {
        self.browser.cookies.insert(name.into(), value.into());
        self
    }

    /// The same program, which shows its access token.
    pub(crate) fn with_bearer(self) -> Self {
        let header = format!("Bearer {}", self.access);
        self.with("Authorization", &header)
    }

    pub(crate) async fn get(&mut self, path: &str) -> ApiReply {
        self.send(Method::Get, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> ApiReply {
        let body = (ContentType::JSON, body.to_string().into_bytes());
        self.send(Method::Post, path, Some(body)).await
    }

    pub(crate) async fn patch(&mut self, path: &str, body: Value) -> ApiReply {
        let body = (ContentType::JSON, body.to_string().into_bytes());
        self.send(Method::Patch, path, Some(body)).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: Value) -> ApiReply {
        let body = (ContentType::JSON, body.to_string().into_bytes());
        self.send(Method::Put, path, Some(body)).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> ApiReply {
        self.send(Method::Delete, path, None).await
    }

    /// Asks for tokens, and keeps them.
    pub(crate) async fn requests_tokens(&mut self, email: &str, password: &str) -> ApiReply {
        let reply = self.post("/api/token", json!({ "email": email, "password": password })).await;
        self.keep(reply)
    }

    /// Shows its access token, and waits until that has been noted.
    pub(crate) async fn uses_access_token(&self) {
        let reply = self.clone().with_bearer().get("/api/account/user").await;
        assert_eq!(reply.status(), 200);
        let session = Self::session_of(&self.access);
        self.browser.app().wait_for_confirmed_rotations_where(&format!("id = '{session}'")).await;
    }

    fn session_of(token: &str) -> String {
        use base64::Engine as _;
        let body = token.split('.').nth(1).expect("three parts");
        let body =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).expect("base64url");
        let claims: Value = serde_json::from_slice(&body).expect("claims");
        claims["sid"].as_str().expect("a session").to_owned()
    }

    /// Asks for the next tokens, and keeps them.
    pub(crate) async fn refreshes_tokens(&mut self) -> ApiReply {
        let reply = self.post("/api/token/refresh", json!({ "refresh": self.refresh })).await;
        self.keep(reply)
    }

    fn keep(&mut self, reply: ApiReply) -> ApiReply {
        if reply.status() == 200 {
            reply.text("access").clone_into(&mut self.access);
            reply.text("refresh").clone_into(&mut self.refresh);
        }
        reply
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(ContentType, Vec<u8>)>,
    ) -> ApiReply {
        let page = self.browser.send(method, path, body).await;
        let is_json = page.header("content-type") == Some("application/json");
        let has_none = method == Method::Head || page.status() == 204;
        assert!(is_json || has_none, "{method} {path}: {}", page.text());
        let json = serde_json::from_slice(page.bytes()).unwrap_or_default();
        ApiReply { page, json }
    }
}

impl App {
    /// An API client without an account.
    pub(crate) fn api_client(&self) -> ApiClient<'_> {
        ApiClient::new(self.visitor())
    }

    /// An API client of a user who has just signed up as `name@example.com`, with tokens and without
    /// cookies.
    pub(crate) async fn api_user(&self, name: &str) -> ApiClient<'_> {
        self.user(name).await;
        let mut program = self.api_client();
        let reply = program.requests_tokens(&super::app::email(name), GOOD).await;
        assert_eq!(reply.status(), 200, "{}", reply.json);
        program
    }
}
