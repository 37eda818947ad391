//! One request and its answer as a row: how a request is made, and everything that must come back.
//!
//! Texts of a row may hold `<email>` (a user who has just signed up), `<new>` (an address without
//! has), and `<access>` or `<refresh>`: that user's tokens, after a colon with a fault, such as
//! `<access:expired>`; `<id>` is the number of their account and `<other>` that of another user. In an
//! answer `<jwt>`, `<number>`, `<address>` and `<datetime>` stand for any of them.

use daemun::testing::crypto::jwt;
use daemun::testing::crypto::jwt::Claims;
use daemun::testing::sessions::IssuedTokens;
use rocket::http::{ContentType, Method};
use serde_json::{Value, json};

use super::app::email;
use super::{ApiClient, ApiReply, App, TestEnv};

/// A row.
pub(crate) struct Exchange {
    name: &'static str,
    method: Method,
    path: &'static str,
    before: Option<&'static str>,
    headers: Vec<(&'static str, &'static str)>,
    cookies: Vec<(&'static str, &'static str)>,
    body: Option<(ContentType, Vec<u8>)>,
    status: u16,
    answer: &'static str,
    sets: &'static str,
}

pub(crate) fn get(path: &'static str, name: &'static str) -> Exchange {
    request(Method::Get, path, name)
}

pub(crate) fn post(path: &'static str, name: &'static str) -> Exchange {
    request(Method::Post, path, name)
}

pub(crate) fn request(method: Method, path: &'static str, name: &'static str) -> Exchange {
    let (headers, cookies) = (Vec::new(), Vec::new());
    let (status, answer, sets) = (200, "", "");
    Exchange {
        name,
        method,
        path,
        before: None,
        headers,
        cookies,
        body: None,
        status,
        answer,
        sets,
    }
}

impl Exchange {
    /// What has happened to the user before.
    pub(crate) fn after(self, what: &'static str) -> Self {
        Self { before: Some(what), ..self }
    }

    pub(crate) fn header(mut self, value: &'static str) -> Self {
        self.headers.push(("Authorization", value));
        self
    }

    pub(crate) fn cookie(mut self, name: &'static str, value: &'static str) -> Self {
        self.cookies.push((name, value));
        self
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.body(ContentType::JSON, body.as_bytes())
    }

    pub(crate) fn body(self, kind: ContentType, body: &[u8]) -> Self {
        Self { body: Some((kind, body.to_vec())), ..self }
    }

    pub(crate) fn returns(self, status: u16, answer: &'static str) -> Self {
        Self { status, answer, ..self }
    }

    /// The cookies of the answer, in the order of the alphabet; removed ones have a minus.
    pub(crate) fn sets(self, cookies: &'static str) -> Self {
        Self { sets: cookies, ..self }
    }

    /// Asks, on behalf of the user with this number, and compares everything.
    pub(crate) async fn check(&self, env: &TestEnv, app: &App, number: usize) {
        let name = format!("wire{number}");
        let tokens = app.session_of(&name).await;
        let (id, other) = (app.id_of(&name).await, app.id_of("wire0").await);
        self.prepare(env, app, &name, &tokens).await;
        let row = format!("{} {}: {}", self.method, self.path, self.name);
        let numbered = |text: &str| {
            text.replace("<id>", &id.to_string()).replace("<other>", &other.to_string())
        };
        let fill = |text: &str| fill(&numbered(text), app, &name, &tokens);

        let mut program =
            ApiClient::new(app.visitor().from(&format!("192.0.2.{}:1", number % 250)));
        for (name, value) in &self.headers {
            program = program.with(name, &fill(value));
        }
        for (name, value) in &self.cookies {
            program = program.with_cookie(name, &fill(value));
        }
        let body = self.body.clone().map(|(kind, bytes)| match String::from_utf8(bytes) {
            Ok(text) => (kind, fill(&text).into_bytes()),
            Err(bytes) => (kind, bytes.into_bytes()),
        });
        let reply = program.send(self.method, &fill(self.path), body).await;

        assert_eq!(reply.status(), self.status, "{row}: {}", reply.json);
        let answer: Value = match self.answer {
            "" => Value::Null,
            answer => serde_json::from_str(&fill(answer)).expect("an answer is JSON"),
        };
        assert!(fits(&answer, &reply.json), "{row}\n wanted {answer}\n but got {}", reply.json);
        assert_eq!(reply.cookies(), self.sets, "{row}");
        carries_its_headers(&reply, &row);
    }

    async fn prepare(&self, env: &TestEnv, app: &App, name: &str, tokens: &IssuedTokens) {
        let mut program = app.api_client();
        let refresh = tokens.refresh.token.expose();
        match self.before {
            None => {}
            Some("promoted") => app.sets_roles(name, true, true).await,
            Some("suspended") => app.deactivates(name).await,
            Some("deleted") => app.deletes_user(name).await,
            Some("renewed") => {
                let body = json!({ "refresh": refresh });
                let reply = program.post("/api/token/refresh", body).await;
                assert_eq!(reply.status(), 200);
                program.access = reply.text("access").into();
                program.uses_access_token().await;
                env.clock.advance(std::time::Duration::from_secs(10));
            }
            Some("logged out") => {
                let body = json!({ "refresh": refresh });
                assert_eq!(program.post("/api/token/blacklist", body).await.status(), 200);
            }
            Some(other) => panic!("nobody knows how to be {other}"),
        }
        app.ctx.cache.invalidate_all();
    }
}

/// What every answer of the JSON door carries.
fn carries_its_headers(reply: &ApiReply, row: &str) {
    let header = |name| reply.page.header(name);
    assert_eq!(header("cache-control"), Some("no-store"), "{row}");
    assert_eq!(header("x-content-type-options"), Some("nosniff"), "{row}");
    let challenge = (reply.status() == 401).then_some("Bearer realm=\"api\"");
    assert_eq!(header("www-authenticate"), challenge, "{row}");
    assert_eq!(header("allow").is_some(), reply.status() == 405, "{row}");
}

fn fits(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::String(wanted), got) if wanted == "<number>" => got.is_i64(),
        (Value::String(wanted), Value::String(got)) if wanted == "<jwt>" => {
            got.split('.').count() == 3 && got.len() > 100
        }
        (Value::String(wanted), Value::String(got)) if wanted == "<address>" => {
            got.starts_with("http://localhost:8000/")
        }
        (Value::String(wanted), Value::String(got)) if wanted == "<datetime>" => {
            let format = &time::format_description::well_known::Rfc3339;
            time::OffsetDateTime::parse(got, format).is_ok()
        }
        (Value::Object(wanted), Value::Object(got)) => {
            let has = |(name, value): (&String, &Value)| {
                got.get(name).is_some_and(|got| fits(value, got))
            };
            wanted.len() == got.len() && wanted.iter().all(has)
        }
        (Value::Array(wanted), Value::Array(got)) => {
            wanted.len() == got.len() && wanted.iter().zip(got).all(|(one, two)| fits(one, two))
        }
        (wanted, got) => wanted == got,
    }
}

fn fill(text: &str, app: &App, name: &str, tokens: &IssuedTokens) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        filled.push_str(before);
        let (word, after) = after.split_once('>').expect("every < has its >");
        let meant = match word.split_once(':').unwrap_or((word, "")) {
            ("email", _) => email(name),
            ("new", _) => email(&format!("new.{name}")),
            ("access", fault) => forged(app, tokens, true, fault),
            ("refresh", fault) => forged(app, tokens, false, fault),
            _ => ["<", word, ">"].concat(),
        };
        filled.push_str(&meant);
        rest = after;
    }
    filled + rest
}

/// A token of a user with a fault, signed as our own are unless the signature is the fault.
pub(crate) fn forged(app: &App, tokens: &IssuedTokens, is_access: bool, fault: &str) -> String {
    let issued = if is_access { &tokens.access } else { &tokens.refresh };
    let good = issued.token.expose();
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts")
    };
    let mut claims: Claims = serde_json::from_slice(&decoded(body)).expect("claims");
    let now = app.ctx.clock.now().unix_timestamp();
    let sign = |claims: &Claims| {
        let ring = app.ctx.keyring();
        if is_access {
            jwt::sign(claims, ring.current(app.ctx.clock.now()).expect("a key"))
        } else {
            jwt::sign_with_secret(claims, app.ctx.keys.refresh_token())
        }
    };
    match fault {
        "" => return good.to_owned(),
        "rubbish" => return "rubbish".into(),
        "three parts" => return "a.b.c".into(),
        "other key" => return jwt::sign_with_secret(&claims, b"another key than ours is"),
        "tampered" => return format!("{header}.{body}.{}", signature.to_lowercase()),
        "none" => {
            let header = encoded(br#"{"alg":"none","typ":"JWT"}"#);
            return format!("{header}.{body}.");
        }
        "no signature" => return format!("{header}.{body}."),
        "expired" => claims.insert("exp".into(), json!(now)),
        // Beyond the minute by which clocks may differ.
        "iat" => claims.insert("iat".into(), json!(now + 61)),
        "nbf" => claims.insert("nbf".into(), json!(now + 61)),
        "no type" => claims.remove("token_type"),
        "no jti" => claims.remove("jti"),
        "no exp" => claims.remove("exp"),
        "no user" => claims.remove("user_id"),
        "word" => claims.insert("user_id".into(), json!("word")),
        "nobody" => {
            claims.insert("sid".into(), json!("0".repeat(32)));
            claims.insert("sub".into(), json!("999999"));
            claims.insert("user_id".into(), json!("999999"))
        }
        "exp as text" => claims.insert("exp".into(), json!((now + 60).to_string())),
        "exp with a fraction" => claims.insert("exp".into(), json!(9e15)),
        "exp of old" => claims.insert("exp".into(), json!(-1)),
        "exp null" => claims.insert("exp".into(), Value::Null),
        other => panic!("nobody knows the fault {other}"),
    };
    sign(&claims)
}

fn decoded(part: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

fn encoded(part: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(part)
}
