//! OpenID Connect Discovery: the metadata of issuers and their keys, cached for an hour.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::endpoints::Endpoint;
use super::{HttpClient, OAuthError};
use crate::crypto::IdTokenKeys;

/// How long metadata is cached. Providers announce new keys long before they sign with them.
const MAX_AGE: Duration = Duration::hours(1);

/// How often a token with an unknown key causes the keys to be fetched again: anyone can make up a token.
const MIN_REFRESH_INTERVAL: Duration = Duration::minutes(1);

/// How long an issuer that did not answer is not asked again.
const RETRY_AFTER: Duration = Duration::seconds(5);

/// The time-out for the metadata and the keys together. Shorter than that of a whole log-in, so that the
/// failure is cached before the log-in gives up.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(4);

/// How many issuers are cached: more than a site has. Only staff add new ones.
const MAX_ISSUERS: usize = 32;

/// What an issuer's metadata says (OpenID Connect Discovery 1.0, 3).
#[derive(Debug, Clone)]
pub(super) struct IssuerMetadata {
    pub authorization_endpoint: Endpoint,
    pub token_endpoint: Endpoint,
    /// Whether the token endpoint accepts the client secret in the body only.
    pub takes_secret_in_body: bool,
    /// Whether the issuer promises to name itself when it sends a browser back (RFC 9207, 3).
    pub sends_issuer_in_callback: bool,
    pub keys: IdTokenKeys,
    fetched_at: OffsetDateTime,
}

/// The last metadata of an issuer, and the failure of the last attempt to fetch it.
#[derive(Debug, Default)]
struct CachedIssuer {
    metadata: Option<IssuerMetadata>,
    failure: Option<(OffsetDateTime, OAuthError)>,
}

type SharedIssuer = Arc<tokio::sync::Mutex<CachedIssuer>>;

/// The issuers that were asked recently.
#[derive(Debug, Default)]
pub(super) struct IssuerCache(Mutex<BTreeMap<String, SharedIssuer>>);

impl IssuerCache {
    /// Returns metadata that is at most an hour old.
    pub(super) async fn find(
        &self,
        http: &HttpClient,
        issuer: &str,
        now: OffsetDateTime,
    ) -> Result<IssuerMetadata, OAuthError> {
        self.find_not_older_than(MAX_AGE, http, issuer, now).await
    }

    /// Returns metadata that is at most a minute old.
    pub(super) async fn find_fresh(
        &self,
        http: &HttpClient,
        issuer: &str,
        now: OffsetDateTime,
    ) -> Result<IssuerMetadata, OAuthError> {
        self.find_not_older_than(MIN_REFRESH_INTERVAL, http, issuer, now).await
    }

    /// Asks the issuer, whatever is cached.
    pub(super) async fn refresh(
        &self,
        http: &HttpClient,
        issuer: &str,
        now: OffsetDateTime,
    ) -> Result<(), OAuthError> {
        let cached = self.entry(issuer);
        fetch_into(&mut *cached.lock().await, http, issuer, now).await.map(drop)
    }

    async fn find_not_older_than(
        &self,
        age: Duration,
        http: &HttpClient,
        issuer: &str,
        now: OffsetDateTime,
    ) -> Result<IssuerMetadata, OAuthError> {
        let cached = self.entry(issuer);
        // Held while fetching: of several requests at once, one asks and the others wait for its result.
        let mut cached = cached.lock().await;
        if let Some(metadata) = cached.metadata.as_ref().filter(|it| now - it.fetched_at < age) {
            return Ok(metadata.clone());
        }
        if let Some((at, error)) = &cached.failure
            && now - *at < RETRY_AFTER
        {
            return Err(error.clone());
        }
        fetch_into(&mut cached, http, issuer, now).await
    }

    fn entry(&self, issuer: &str) -> SharedIssuer {
        let mut issuers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Names that staff tried out are forgotten with all others, which are fetched again.
        if issuers.len() >= MAX_ISSUERS && !issuers.contains_key(issuer) {
            issuers.clear();
        }
        issuers.entry(issuer.to_owned()).or_default().clone()
    }
}

async fn fetch_into(
    cached: &mut CachedIssuer,
    http: &HttpClient,
    issuer: &str,
    now: OffsetDateTime,
) -> Result<IssuerMetadata, OAuthError> {
    let fetched = tokio::time::timeout(TIMEOUT, fetch(http, issuer, now)).await;
    let fetched = fetched.unwrap_or_else(|_| Err(OAuthError::timeout()));
    match &fetched {
        Ok(metadata) => {
            *cached = CachedIssuer { metadata: Some(metadata.clone()), failure: None };
        }
        // The metadata from before stays, for requests that accept its age.
        Err(error) => cached.failure = Some((now, error.clone())),
    }
    fetched
}

async fn fetch(
    http: &HttpClient,
    issuer: &str,
    now: OffsetDateTime,
) -> Result<IssuerMetadata, OAuthError> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url = Endpoint::parse(&url).map_err(|_| OAuthError::InvalidResponse("no address"))?;
    let document = http.get(&url, None).await?;
    // Compared byte by byte (Discovery, 4.3): otherwise one issuer could speak for another.
    if document["issuer"] != issuer {
        return Err(OAuthError::InvalidResponse("a document of another issuer"));
    }
    let endpoint = |name: &str| {
        let text = document[name].as_str();
        let endpoint = text.and_then(|it| Endpoint::parse_in_metadata(&url, it).ok());
        endpoint.ok_or(OAuthError::InvalidResponse("a document without its addresses"))
    };
    let methods = document["token_endpoint_auth_methods_supported"].as_array();
    let supports =
        |method: &str| methods.is_none_or(|methods| methods.iter().any(|it| it == method));
    let keys = http.get(&endpoint("jwks_uri")?, None).await?;
    Ok(IssuerMetadata {
        authorization_endpoint: endpoint("authorization_endpoint")?,
        token_endpoint: endpoint("token_endpoint")?,
        // Basic is what an issuer supports that names no methods (Discovery, 3).
        takes_secret_in_body: !supports("client_secret_basic"),
        sends_issuer_in_callback: document["authorization_response_iss_parameter_supported"]
            == true,
        keys: read_keys(&keys)?,
        fetched_at: now,
    })
}

fn read_keys(keys: &Value) -> Result<IdTokenKeys, OAuthError> {
    IdTokenKeys::read(keys).ok_or(OAuthError::InvalidResponse("no keys"))
}
