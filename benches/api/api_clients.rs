//! API clients: apps that hold tokens, and what they send.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;
use serde_json::json;

use crate::client::{Connection, Response, runtime};
use crate::load::Workload;
use crate::users::{PASSWORD, USERS};

/// Which user asks for tokens next, and from where: attempts are counted by account and by address, and none
/// here may be asked to wait.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Both tokens of a session.
#[derive(Clone, Deserialize)]
pub(crate) struct Tokens {
    access: String,
    refresh: String,
}

/// The same question each time.
#[derive(Clone)]
pub(crate) struct ApiRequest(Vec<u8>);

/// Asking for tokens with address and password, another user each time.
#[derive(Clone)]
pub(crate) struct TokenRequest(SocketAddr);

/// Exchanging a refresh token for the next one.
pub(crate) struct Refresh {
    server: SocketAddr,
    refresh: String,
}

impl Tokens {
    /// Requests the tokens of so many users.
    pub(crate) fn obtain(server: SocketAddr, users: usize) -> Vec<Self> {
        (0..users).map(|_| Self::ask(server, &TokenRequest(server).request())).collect()
    }

    /// Those of the superuser.
    pub(crate) fn of_root(server: SocketAddr) -> Self {
        Self::ask(server, &credentials(server, 0))
    }

    fn ask(server: SocketAddr, request: &[u8]) -> Self {
        runtime().block_on(async {
            let mut connection = Connection::open(server).await.expect("the server listens");
            let answer = connection.ask(request).await.expect("the server answers");
            Self::in_answer(&answer).expect("the right password gets tokens")
        })
    }

    fn in_answer(answer: &Response<'_>) -> Option<Self> {
        serde_json::from_str(answer.page()?).ok()
    }
}

impl ApiRequest {
    /// One that needs no credential.
    pub(crate) fn to_anybody(server: SocketAddr, path: &str) -> Self {
        Self(request(server, "GET", path, "", ""))
    }

    /// One that shows an access token.
    pub(crate) fn by(server: SocketAddr, tokens: &Tokens, path: &str) -> Self {
        let bearer = format!("Authorization: Bearer {}\r\n", tokens.access);
        Self(request(server, "GET", path, &bearer, ""))
    }

    /// Whether an access token is good.
    pub(crate) fn about(server: SocketAddr, tokens: &Tokens) -> Self {
        let body = json!({ "token": tokens.access }).to_string();
        Self(request(server, "POST", "/api/token/verify", JSON, &body))
    }
}

impl Refresh {
    pub(crate) fn of(server: SocketAddr, tokens: Tokens) -> Self {
        Self { server, refresh: tokens.refresh }
    }
}

impl TokenRequest {
    pub(crate) fn at(server: SocketAddr) -> Self {
        Self(server)
    }
}

impl Workload for ApiRequest {
    const EXPECTS: u16 = 200;

    fn request(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0)
    }
}

impl Workload for TokenRequest {
    const EXPECTS: u16 = 200;

    fn request(&self) -> Cow<'_, [u8]> {
        Cow::Owned(credentials(self.0, NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    fn learn(&mut self, answer: &Response<'_>) -> bool {
        Tokens::in_answer(answer).is_some()
    }
}

impl Workload for Refresh {
    const EXPECTS: u16 = 200;

    fn request(&self) -> Cow<'_, [u8]> {
        let body = json!({ "refresh": self.refresh }).to_string();
        Cow::Owned(request(self.server, "POST", "/api/token/refresh", JSON, &body))
    }

    fn learn(&mut self, answer: &Response<'_>) -> bool {
        let Some(next) = Tokens::in_answer(answer) else { return false };
        let is_new = next.refresh != self.refresh;
        self.refresh = next.refresh;
        is_new
    }
}

const JSON: &str = "Content-Type: application/json\r\n";

/// Returns the address and password of a user, from a network of its own.
fn credentials(server: SocketAddr, number: u32) -> Vec<u8> {
    let (user, place) = (number % USERS, Ipv4Addr::from_bits(0x0a00_0000 | number));
    let email = format!("person{user}@example.com");
    let body = json!({ "email": email, "password": PASSWORD }).to_string();
    request(server, "POST", "/api/token", &format!("X-Forwarded-For: {place}\r\n{JSON}"), &body)
}

fn request(server: SocketAddr, method: &str, path: &str, lines: &str, body: &str) -> Vec<u8> {
    let (port, length) = (server.port(), body.len());
    let length =
        if body.is_empty() { String::new() } else { format!("Content-Length: {length}\r\n") };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: bench\r\n\
         {lines}{length}\r\n{body}"
    )
    .into_bytes()
}
