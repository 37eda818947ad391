//! A browser: cookies, an address, a language, and what its user does with it.

use std::collections::BTreeMap;

use rocket::http::{ContentType, Cookie, Header, Method};
use rocket::local::asynchronous::LocalResponse;

use super::{App, Page};

/// A browser on an application.
#[derive(Clone)]
pub(crate) struct Browser<'a> {
    app: &'a App,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) address: String,
}

impl<'a> Browser<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        Self {
            app,
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            address: "192.0.2.1:4000".into(),
        }
    }

    pub(crate) fn app(&self) -> &'a App {
        self.app
    }

    /// The same browser on another node.
    pub(crate) fn on(mut self, app: &'a App) -> Self {
        self.app = app;
        self
    }

    /// The same browser with another header on every request.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same browser in another place.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.address = address.into();
        self
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Method::Get, path, None).await
    }

    /// Sends a form as it stands, with whatever token is among the fields.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::Post, path, Some((ContentType::Form, encode(fields)))).await
    }

    /// Opens a page and sends the form on it.
    pub(crate) async fn submits(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.token().await;
        let fields = [&[("csrf", token.as_str())], fields].concat();
        self.post(path, &fields).await
    }

    /// The form token of this browser's pages.
    pub(crate) async fn token(&mut self) -> String {
        let page = self.get("/").await;
        page.token().expect("every page has a form")
    }

    /// Sends an object to the JSON door.
    pub(crate) async fn sends_json(mut self, path: &str, body: &str) -> Page {
        self.send(Method::Post, path, Some((ContentType::JSON, body.into()))).await
    }

    pub(crate) async fn signs_up(&mut self, email: &str, password: &str) -> Page {
        let fields = [("email", email), ("password1", password), ("password2", password)];
        self.submits("/account/join", &fields).await
    }

    pub(crate) async fn logs_in(&mut self, email: &str, password: &str) -> Page {
        self.submits("/account/login", &[("email", email), ("password", password)]).await
    }

    /// Opens the link of an e-mail and presses the button behind it.
    pub(crate) async fn follows_link(&mut self, link: &str) -> Page {
        let arrival = self.get(link).await;
        assert_eq!(arrival.location(), Some("/account/link"), "{}", arrival.text());
        self.submits("/account/link", &[]).await
    }

    pub(crate) async fn logs_out(&mut self) -> Page {
        self.submits("/account/logout", &[]).await
    }

    pub(crate) async fn requests_password_reset(&mut self, email: &str) -> Page {
        self.submits("/account/password/reset", &[("email", email)]).await
    }

    /// Sends the form of a reset link.
    pub(crate) async fn sets_new_password(&mut self, link: &str, password: &str) -> Page {
        let fields = [("new_password1", password), ("new_password2", password)];
        self.submits(link, &fields).await
    }

    pub(crate) async fn changes_password(&mut self, old: &str, new: &str) -> Page {
        let fields = [("old_password", old), ("new_password1", new), ("new_password2", new)];
        self.submits("/account/password/change", &fields).await
    }

    pub(crate) async fn requests_email_change(&mut self, email: &str, password: &str) -> Page {
        self.submits("/account/email/change", &[("email", email), ("password", password)]).await
    }

    /// Presses the one button behind a link.
    pub(crate) async fn confirms(&mut self, link: &str) -> Page {
        self.submits(link, &[]).await
    }

    pub(crate) async fn is_signed_in(&mut self) -> bool {
        self.get("/account/mypage").await.status() == 200
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(ContentType, Vec<u8>)>,
    ) -> Page {
        let mut request = self.app.client.req(method, path.to_owned());
        request = request.remote(self.address.parse().expect("an address and a port"));
        for (name, value) in &self.cookies {
            request = request.cookie(Cookie::new(name.clone(), value.clone()));
        }
        for (name, value) in &self.headers {
            request.add_header(Header::new(name.clone(), value.clone()));
        }
        if let Some((kind, body)) = body {
            request = request.header(kind).body(body);
        }
        let response = request.dispatch().await;
        self.keep_cookies(&response);
        Page::read(response).await
    }

    /// As browsers do it: a cookie that is over is removed, and one with the `__Host-` prefix is
    /// believed only if it is Secure, has the whole path and no domain (RFC 6265bis, 5.7).
    fn keep_cookies(&mut self, response: &LocalResponse<'_>) {
        for header in response.headers().get("Set-Cookie") {
            let cookie = Cookie::parse(header.to_owned()).expect("a cookie");
            let is_host = cookie.name().starts_with("__Host-");
            let keeps_promise = cookie.secure() == Some(true)
                && cookie.path() == Some("/")
                && cookie.domain().is_none();
            if is_host && !keeps_promise {
                continue;
            }
            let is_over = cookie.max_age().is_some_and(|age| age <= rocket::time::Duration::ZERO);
            if is_over {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }
}

/// A form body.
pub(crate) fn encode(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    body.finish().into_bytes()
}
