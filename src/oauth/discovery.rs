//! Issuers of ID tokens: what their document says, and their keys, remembered for an hour.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::endpoint::Endpoint;
use super::{OauthError, Outside};
use crate::crypto::ForeignKeys;

/// Providers announce new keys long before they sign with them.
const REMEMBERED: Duration = Duration::hours(1);

/// A token with an unknown key has the keys fetched again, at most this often: strangers can make up
/// tokens.
const NOT_SOONER: Duration = Duration::minutes(1);

/// An issuer that did not answer is left alone for so long, whoever asks for it.
const LEFT_ALONE: Duration = Duration::seconds(5);

/// For the document and the keys together. Shorter than a person waits, so that the failure is
/// remembered before the person has gone.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(4);

/// More issuers than a site has. Only staff bring new ones.
const AT_MOST: usize = 32;

/// What an issuer's document says (OpenID Connect Discovery 1.0, 3).
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub authorization: Endpoint,
    pub token: Endpoint,
    /// Whether the token endpoint takes the application's secret in the body only.
    pub takes_secret_in_body: bool,
    /// Whether it promises to say who it is when it sends a browser back (RFC 9207, 3).
    pub names_itself: bool,
    pub keys: ForeignKeys,
    fetched_at: OffsetDateTime,
}

/// What is remembered of an issuer: what it said last, and why it did not answer since.
#[derive(Debug, Default)]
struct Memory {
    issuer: Option<Issuer>,
    failure: Option<(OffsetDateTime, OauthError)>,
}

/// One at a time asks an issuer, and the others wait for what it hears.
type Shared = Arc<tokio::sync::Mutex<Memory>>;

/// The issuers that were asked lately.
#[derive(Debug, Default)]
pub(crate) struct Issuers(Mutex<BTreeMap<String, Shared>>);

impl Issuers {
    /// An issuer, as it was within the last hour.
    pub(crate) async fn find(
        &self,
        outside: &Outside,
        issuer: &str,
        now: OffsetDateTime,
    ) -> Result<Issuer, OauthError> {
        self.not_older_than(REMEMBERED, outside, issuer, now).await
    }

    /// The same, as it was within the last minute.
    pub(crate) async fn find_newer(
        &self,
        outside: &Outside,
        issuer: &str,
        now: OffsetDateTime,
    ) -> Result<Issuer, OauthError> {
        self.not_older_than(NOT_SOONER, outside, issuer, now).await
    }

    /// Asks an issuer in any case.
    pub(crate) async fn look_up(
        &self,
        outside: &Outside,
        issuer: &str,
        now: OffsetDateTime,
    ) -> Result<(), OauthError> {
        let memory = self.memory_of(issuer);
        ask(&mut *memory.lock().await, outside, issuer, now).await.map(drop)
    }

    async fn not_older_than(
        &self,
        age: Duration,
        outside: &Outside,
        issuer: &str,
        now: OffsetDateTime,
    ) -> Result<Issuer, OauthError> {
        let memory = self.memory_of(issuer);
        let mut memory = memory.lock().await;
        if let Some(known) = memory.issuer.as_ref().filter(|known| now - known.fetched_at < age) {
            return Ok(known.clone());
        }
        if let Some((at, error)) = &memory.failure
            && now - *at < LEFT_ALONE
        {
            return Err(error.clone());
        }
        ask(&mut memory, outside, issuer, now).await
    }

    fn memory_of(&self, issuer: &str) -> Shared {
        let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memories.len() >= AT_MOST && !memories.contains_key(issuer) {
            memories.clear();
        }
        memories.entry(issuer.to_owned()).or_default().clone()
    }
}

async fn ask(
    memory: &mut Memory,
    outside: &Outside,
    issuer: &str,
    now: OffsetDateTime,
) -> Result<Issuer, OauthError> {
    let fetched = tokio::time::timeout(PATIENCE, fetch(outside, issuer, now)).await;
    let fetched = fetched.unwrap_or_else(|_| Err(OauthError::too_slow()));
    match &fetched {
        Ok(issuer) => *memory = Memory { issuer: Some(issuer.clone()), failure: None },
        Err(error) => memory.failure = Some((now, error.clone())),
    }
    fetched
}

/// The document must say that it is of this very issuer, letter by letter (Discovery, 4.3): otherwise
/// one issuer could speak for another.
async fn fetch(outside: &Outside, issuer: &str, now: OffsetDateTime) -> Result<Issuer, OauthError> {
    let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = Endpoint::typed(&place).map_err(|_| OauthError::Nonsense("no address"))?;
    let said = outside.get(&document, None).await?;
    if said["issuer"] != issuer {
        return Err(OauthError::Nonsense("a document of another issuer"));
    }
    let named = |name: &str| {
        let endpoint =
            said[name].as_str().and_then(|it| Endpoint::session_id_in(&document, it).ok());
        endpoint.ok_or(OauthError::Nonsense("a document without its addresses"))
    };
    let methods = said["token_endpoint_auth_methods_supported"].as_array();
    let takes = |method: &str| methods.is_none_or(|methods| methods.iter().any(|it| it == method));
    let keys = outside.get(&named("jwks_uri")?, None).await?;
    Ok(Issuer {
        authorization: named("authorization_endpoint")?,
        token: named("token_endpoint")?,
        takes_secret_in_body: !takes("client_secret_basic"),
        names_itself: said["authorization_response_iss_parameter_supported"] == true,
        keys: read(&keys)?,
        fetched_at: now,
    })
}

fn read(keys: &Value) -> Result<ForeignKeys, OauthError> {
    ForeignKeys::read(keys).ok_or(OauthError::Nonsense("no keys"))
}
