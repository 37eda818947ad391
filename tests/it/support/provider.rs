//! An OAuth provider on this machine that answers as the public documents of Kakao, Naver, Facebook, Google,
//! GitHub and OpenID Connect say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What was asked: a path, its query, and the body.
#[derive(Debug, Clone)]
pub(crate) struct RecordedRequest {
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) head: String,
}

#[derive(Default)]
struct CannedResponses {
    answers: BTreeMap<String, (u16, String)>,
    asked: Vec<RecordedRequest>,
}

/// The provider, as long as the test lasts.
pub(crate) struct FakeProvider {
    pub(crate) url: String,
    said: Arc<Mutex<CannedResponses>>,
    key: KeyPair,
}

impl FakeProvider {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let said = Arc::new(Mutex::new(CannedResponses::default()));
        let shared = said.clone();
        rocket::tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                rocket::tokio::spawn(answer(stream, shared.clone()));
            }
        });
        let key = KeyPair::generate().expect("a key");
        let provider = Self { url, said, key };
        provider.is_an_issuer();
        provider
    }

    /// From now on a path is answered so; a status of 0 means never.
    pub(crate) fn says(&self, path: &str, status: u16, body: impl ToString) {
        let mut said = self.said.lock().expect("not poisoned");
        said.answers.insert(path.to_owned(), (status, body.to_string()));
    }

    /// What was asked of a path, the last first.
    pub(crate) fn asked(&self, path: &str) -> Vec<RecordedRequest> {
        let said = self.said.lock().expect("not poisoned");
        said.asked.iter().rev().filter(|asked| asked.path == path).cloned().collect()
    }

    /// What an issuer says of itself.
    pub(crate) fn document(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks"),
        })
    }

    fn is_an_issuer(&self) {
        self.says("/.well-known/openid-configuration", 200, self.document());
        let point = self.key.der_bytes();
        let [x, y] = [&point[1..33], &point[33..65]].map(|part| URL_SAFE_NO_PAD.encode(part));
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "x": x, "y": y});
        self.says("/jwks", 200, json!({ "keys": [key] }));
    }

    /// An ID token that this provider signs.
    pub(crate) fn signs(&self, claims: &Value) -> String {
        self.signs_as("1", claims)
    }

    /// The same under another name of the key.
    pub(crate) fn signs_as(&self, kid: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(kid.into());
        let key = EncodingKey::from_ec_der(&self.key.serialize_der());
        jsonwebtoken::encode(&header, claims, &key).expect("signed")
    }

    /// Returns a token with the algorithm `none`.
    pub(crate) fn unsigned(claims: &Value) -> String {
        let header = json!({ "alg": "none", "typ": "JWT", "kid": "1" });
        let [header, claims] =
            [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        format!("{header}.{claims}.")
    }

    /// Returns a token that is signed with the public key, as if it were a shared secret.
    pub(crate) fn signs_with_its_public_key(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("1".into());
        let key = EncodingKey::from_secret(self.key.der_bytes());
        jsonwebtoken::encode(&header, claims, &key).expect("signed")
    }

    /// Returns the claims of a user, for the client `us`.
    pub(crate) fn claims(&self, subject: &str, now: OffsetDateTime) -> Value {
        let now = now.unix_timestamp();
        json!({
            "iss": self.url, "aud": "us", "sub": subject, "iat": now, "exp": now + 300,
            "email": format!("{subject}@example.com"), "email_verified": true,
        })
    }

    /// From now on a code is redeemed for this token.
    pub(crate) fn redeems(&self, id_token: Option<String>) {
        let tokens = json!({
            "access_token": "their-access-token", "token_type": "bearer",
            "expires_in": "3600", "id_token": id_token,
        });
        self.says("/token", 200, tokens);
    }
}

async fn answer(mut stream: TcpStream, said: Arc<Mutex<CannedResponses>>) {
    let mut read = Vec::new();
    let (head, body) = loop {
        let mut chunk = [0; 4096];
        let Ok(count) = stream.read(&mut chunk).await else { return };
        if count == 0 {
            return;
        }
        read.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            line.to_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
        });
        if body.len() >= length.unwrap_or_default() {
            break (head.to_owned(), body.to_owned());
        }
    };
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = |text: &str| url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    let asked = RecordedRequest {
        path: path.to_owned(),
        query: pairs(query),
        form: pairs(&body),
        head: head.clone(),
    };
    let found = {
        let mut said = said.lock().expect("not poisoned");
        said.asked.push(asked);
        said.answers.get(path).cloned()
    };
    let (status, body) = found.unwrap_or((404, "{}".into()));
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let length = body.len();
    let more = if status == 302 { "Location: http://169.254.169.254/\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         {more}Connection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}
