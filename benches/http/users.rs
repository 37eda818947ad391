//! The users: 100,000 accounts, those that log in, and what their browsers send.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait as _, Database};

use crate::argon;
use crate::client::{Connection, Response, runtime};
use crate::load::Workload;

/// How many accounts there are.
pub(crate) const USERS: u32 = 100_000;

/// Everybody's password; being strong does not matter here.
pub(crate) const PASSWORD: &str = "open-sesame";

/// Sixteen times this is among the dearest passwords that a search found: dates in all places.
const DEAREST: &str = "19991231";

/// Creates the accounts in a database that has its tables and that no server uses. The first one is a
/// superuser, as on a site that has been set up.
pub(crate) fn insert_users(database_url: &str) {
    let (last, hash) = (USERS - 1, argon::stored(PASSWORD));
    let sql = format!(
        "INSERT INTO users \
         (email, email_canonical, password_hash, is_staff, is_superuser, created_at, updated_at) \
         WITH RECURSIVE numbers (number) AS \
         (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < {last}) \
         SELECT 'person' || number || '@example.com', 'person' || number || '@example.com', \
         '{hash}', number = 0, number = 0, 0, 0 FROM numbers"
    );
    let work = async {
        let database = Database::connect(database_url).await?;
        database.execute_unprepared(&sql).await?;
        database.close().await
    };
    runtime().block_on(work).expect("accounts can be made in the tables of the server");
}

/// Which user logs in next, and from where: attempts are counted by account and by address, and none here
/// may be asked to wait.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A visitor's browser on the log-in page, shared by all users that log in.
pub(crate) struct LoginPage {
    server: SocketAddr,
    visitor: String,
    csrf: String,
}

/// Logging in, another user each time.
#[derive(Clone)]
pub(crate) struct LogIn(Arc<LoginPage>);

/// Asking how strong the password is that costs the server most.
#[derive(Clone)]
pub(crate) struct StrengthCheck(Arc<LoginPage>);

/// The same page each time.
#[derive(Clone)]
pub(crate) struct Visit(Vec<u8>);

/// My page with a refresh cookie alone, so that each visit renews the session.
pub(crate) struct TokenRefresh {
    server: SocketAddr,
    refresh: String,
}

/// The cookies of a signed-in user.
struct SignedIn {
    access: String,
    refresh: String,
}

impl LoginPage {
    /// Opens the log-in page.
    pub(crate) fn of(server: SocketAddr) -> Arc<Self> {
        runtime().block_on(async {
            let mut connection = Connection::open(server).await.expect("the server listens");
            let request = get(server, "/account/login", None);
            let page = connection.ask(&request).await.expect("the server answers");
            let visitor = page.cookie("visitor").expect("a visitor gets a cookie").to_owned();
            let csrf = page.hidden("csrf").expect("the form carries a token").to_owned();
            Arc::new(Self { server, visitor, csrf })
        })
    }

    /// Returns so many log-ins for the same time.
    pub(crate) fn crowd(self: &Arc<Self>, size: usize) -> Vec<LogIn> {
        vec![LogIn(self.clone()); size]
    }

    /// Strangers who want a password weighed again and again.
    pub(crate) fn strength_checks(self: &Arc<Self>, size: usize) -> Vec<StrengthCheck> {
        vec![StrengthCheck(self.clone()); size]
    }

    /// Returns visits to My page, each by another signed-in user.
    pub(crate) fn my_pages(self: &Arc<Self>, users: usize) -> Vec<Visit> {
        self.sign_in(users)
            .iter()
            .map(|user| {
                let cookie = format!("access={}", user.access);
                Visit(get(self.server, "/account/mypage", Some(&cookie)))
            })
            .collect()
    }

    /// Renewals, each of another session.
    pub(crate) fn token_refreshes(self: &Arc<Self>, sessions: usize) -> Vec<TokenRefresh> {
        let users = self.sign_in(sessions).into_iter();
        users.map(|user| TokenRefresh { server: self.server, refresh: user.refresh }).collect()
    }

    fn sign_in(self: &Arc<Self>, users: usize) -> Vec<SignedIn> {
        runtime().block_on(async {
            let mut connection = Connection::open(self.server).await.expect("the server listens");
            let mut signed_in = Vec::with_capacity(users);
            for _ in 0..users {
                let request = self.post();
                let answer = connection.ask(&request).await.expect("the server answers");
                let cookie = |name| answer.cookie(name).expect("a session has both").to_owned();
                signed_in.push(SignedIn { access: cookie("access"), refresh: cookie("refresh") });
            }
            signed_in
        })
    }

    fn post(&self) -> Vec<u8> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let email = format!("email=person{}%40example.com", number % USERS);
        self.form(number, "/account/login", &format!("{email}&password={PASSWORD}"))
    }

    /// A form from an address of its own.
    fn form(&self, number: u32, path: &str, fields: &str) -> Vec<u8> {
        let place = Ipv4Addr::from_bits(0x0a00_0000 | number);
        let (csrf, visitor, server) = (&self.csrf, &self.visitor, self.server.port());
        let body = format!("csrf={csrf}&{fields}");
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:{server}\r\n\
             Origin: http://localhost:{server}\r\nUser-Agent: bench\r\nX-Forwarded-For: {place}\r\n\
             Cookie: visitor={visitor}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

impl Visit {
    /// A page that needs no session.
    pub(crate) fn to(server: SocketAddr, path: &str) -> Self {
        Self(get(server, path, None))
    }
}

impl Workload for Visit {
    const EXPECTS: u16 = 200;

    fn request(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0)
    }
}

impl Workload for LogIn {
    const EXPECTS: u16 = 303;

    fn request(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.post())
    }
}

impl Workload for StrengthCheck {
    const EXPECTS: u16 = 200;

    fn request(&self) -> Cow<'_, [u8]> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let fields = format!("owner=form&password={}", DEAREST.repeat(16));
        Cow::Owned(self.0.form(number, "/account/password/strength", &fields))
    }
}

impl Workload for TokenRefresh {
    const EXPECTS: u16 = 200;

    fn request(&self) -> Cow<'_, [u8]> {
        let cookie = format!("refresh={}", self.refresh);
        Cow::Owned(get(self.server, "/account/mypage", Some(&cookie)))
    }

    fn learn(&mut self, answer: &Response<'_>) -> bool {
        let next = answer.cookie("refresh").map(str::to_owned);
        let is_new = next.as_ref().is_some_and(|next| *next != self.refresh);
        self.refresh = next.unwrap_or_default();
        is_new
    }
}

fn get(server: SocketAddr, path: &str, cookie: Option<&str>) -> Vec<u8> {
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    let port = server.port();
    format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: bench\r\n{cookie}\r\n")
        .into_bytes()
}
