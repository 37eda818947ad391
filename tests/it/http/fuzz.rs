//! Requests that no program would send, to every route, as a visitor, a member and a superuser: no answer is
//! a 500. `DAEMUN_TEST_ROUNDS` sends more of them, `DAEMUN_TEST_SEED` sends the same ones again.

use std::hash::{BuildHasher as _, RandomState};

use rocket::http::{ContentType, Method};

use crate::support;
use crate::support::browser::encode;
use crate::support::requirement::environment;
use crate::support::{App, Browser, TestEnv, on_both};

/// Requests to each route in a round.
const REQUESTS: usize = 3;

/// After how many requests all users log in again: some requests log out, suspend or delete.
const SHIFT: usize = 40;

/// Names that some form, query or object knows.
const NAMES: &[&str] = &[
    "action",
    "after",
    "before",
    "client_id",
    "client_secret",
    "code",
    "csrf",
    "date_of_birth",
    "email",
    "file",
    "from",
    "gender",
    "groups",
    "id",
    "ids",
    "id_token",
    "is_active",
    "is_staff",
    "is_superuser",
    "issuer",
    "access_token",
    "key",
    "kind",
    "language",
    "limit",
    "cursor",
    "matching",
    "name",
    "new_password1",
    "new_password2",
    "next",
    "old_password",
    "password",
    "password1",
    "password2",
    "permissions",
    "provider",
    "q",
    "reason",
    "refresh",
    "search",
    "slug",
    "sort",
    "state",
    "size",
    "to",
    "token",
    "until",
    "username",
    "version",
    "verified",
];

/// Values that some program somewhere has stumbled over.
const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "1",
    "2",
    "-1",
    "01",
    "+1",
    "1e400",
    "9223372036854775807",
    "9223372036854775808",
    "NaN",
    "null",
    "true",
    "on",
    "[]",
    "{}",
    "\0",
    "a\0b",
    "\u{feff}",
    "\u{202e}abc",
    "\u{200b}",
    "\u{ffff}",
    "각",
    "각",
    "한국",
    "＝1+1",
    "=1+1",
    "' OR '1'='1",
    "\";--",
    "<script>alert(1)</script>",
    "%",
    "%00",
    "%ff",
    "%25",
    "..",
    "../..",
    "/\\evil.example",
    "//evil.example",
    "javascript:alert(1)",
    "2026-02-30",
    "0000-00-00",
    "9999-12-31",
    "1990-01-05",
    "male",
    "ada@example.com",
    "ada@한국.kr",
    "ada@",
    "@",
    "\"a b\"@example.com",
    "kakao",
    "users.view",
    "ko",
    "en",
    "suspend",
    "delete",
    "a\r\nSet-Cookie: a=b",
    "🦀",
    "a|b^c",
];

/// A small generator: the same seed gives the same requests on every machine.
struct Random(u64);

impl Random {
    /// Xorshift64 (Marsaglia 2003), whose state is never 0.
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits")
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() % end
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn value(&mut self) -> String {
        match self.below(12) {
            0 => "a".repeat(self.below(9000)),
            1 => format!("{}{}", self.one_of(VALUES), self.one_of(VALUES)),
            2 => self.below(100).to_string(),
            _ => self.one_of(VALUES).to_owned(),
        }
    }

    fn fields(&mut self) -> Vec<(String, String)> {
        let count = self.below(8);
        (0..count).map(|_| (self.one_of(NAMES).to_owned(), self.value())).collect()
    }

    /// A value of JSON as text, which need not be one.
    fn json(&mut self, depth: usize) -> String {
        match self.below(if depth > 3 { 5 } else { 8 }) {
            0 => "null".into(),
            1 => self.one_of(&["0", "-1", "1e400", "1.5", "true", "9223372036854775808"]).into(),
            2..=4 => serde_json::Value::from(self.value()).to_string(),
            5 => format!(
                "[{}]",
                (0..self.below(4)).map(|_| self.json(depth + 1)).collect::<Vec<_>>().join(",")
            ),
            _ => self.object(depth + 1),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        let count = self.below(7);
        let members =
            (0..count).map(|_| format!("\"{}\":{}", self.one_of(NAMES), self.json(depth)));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    fn path(&mut self, route: &str) -> String {
        let segments = route.split('/').map(|segment| {
            if segment.starts_with('<') {
                let value = self.value();
                percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC)
                    .to_string()
            } else {
                segment.to_owned()
            }
        });
        let path = segments.collect::<Vec<_>>().join("/");
        if self.below(2) == 0 {
            return path;
        }
        let query = self.fields();
        let query: Vec<_> =
            query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        format!("{path}?{}", String::from_utf8(encode(&query)).expect("ASCII"))
    }

    fn body(&mut self, csrf: &str) -> Option<(ContentType, Vec<u8>)> {
        let mut fields = self.fields();
        // Most have the right token: what is refused at the gate goes no deeper.
        if self.below(5) > 0 {
            fields.push(("csrf".into(), csrf.into()));
        }
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match self.below(8) {
            0 => None,
            1..=3 => Some((ContentType::Form, encode(&fields))),
            4 | 5 => {
                let mut object = self.object(0).into_bytes();
                // One in ten is cut off, also within an e-mail.
                if self.below(10) == 0 {
                    object.truncate(object.len() / 2);
                }
                Some((ContentType::JSON, object))
            }
            6 => Some((
                ContentType::new("multipart", "form-data").with_params(("boundary", "x")),
                multipart(&fields),
            )),
            _ => Some((ContentType::Plain, self.value().into_bytes())),
        }
    }
}

fn multipart(fields: &[(&str, &str)]) -> Vec<u8> {
    let part = |(name, value): &(&str, &str)| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.csv\"\r\n\r\n{value}\r\n"
        )
    };
    (fields.iter().map(part).collect::<String>() + "--x--\r\n").into_bytes()
}

fn seed() -> u64 {
    let given = environment("DAEMUN_TEST_SEED");
    given.map_or_else(
        || RandomState::new().hash_one(0),
        |seed| {
            seed.to_str().and_then(|seed| seed.parse().ok()).expect("DAEMUN_TEST_SEED is a number")
        },
    )
}

/// A visitor, a member and a superuser of their own.
async fn browsers(app: &App, shift: usize) -> [Browser<'_>; 3] {
    let member = app.user(&format!("member{shift}")).await;
    [app.visitor(), member, app.superuser(&format!("root{shift}")).await]
}

#[on_both]
async fn no_request_gets_a_500(env: TestEnv) {
    let seed = seed();
    let rounds = support::rounds();
    let mut random = Random(seed.max(1));
    let app = env.app().await;
    let routes: Vec<(Method, String)> = app
        .client
        .rocket()
        .routes()
        .map(|route| (route.method, route.uri.path().to_owned()))
        .collect();
    assert!(routes.len() > 100, "the routes were found");
    let mut sent = 0;
    let mut browsers = browsers(&app, sent).await;
    for _ in 0..rounds {
        for (method, route) in &routes {
            for _ in 0..REQUESTS {
                sent += 1;
                if sent % SHIFT == 0 {
                    browsers = self::browsers(&app, sent).await;
                }
                let browser = &mut browsers[random.below(3)];
                let csrf = browser.get("/").await.token().expect("every page has a form");
                let (path, body) = (random.path(route), random.body(&csrf));
                let said = format!("{method} {path} {body:?} (DAEMUN_TEST_SEED={seed})");

                let page = browser.send(*method, &path, body).await;

                assert!(page.status() < 500, "{} to {said}", page.status());
            }
        }
    }
    assert_eq!(app.visitor().get("/health/ready").await.status(), 200, "DAEMUN_TEST_SEED={seed}");
}
