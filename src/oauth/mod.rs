//! The client side of OAuth 2 and OpenID Connect: asks Kakao, Naver, Google, Facebook, GitHub and any
//! OpenID provider who a user is.
//!
//! Knows each provider's protocol, and nothing of our own accounts: `social` links a [`ProviderUser`] to
//! an account. What differs between providers is in a file each, and only `http_client` sends requests.

mod authorization;
mod callback;
mod discovery;
mod endpoints;
mod error;
mod http_client;
mod id_token;
mod provider_kind;
mod provider_user;
mod providers;
mod public_address;
mod registration;
mod registration_input;

use std::time::Duration;

use time::OffsetDateTime;

pub use authorization::AuthorizationRequest;
pub use callback::CallbackParams;
use discovery::IssuerCache;
pub use endpoints::{Endpoint, EndpointError};
pub use error::OAuthError;
pub use http_client::HttpClient;
pub use provider_kind::ProviderKind;
pub use provider_user::ProviderUser;
pub use registration::ClientRegistration;
pub use registration_input::{RegistrationError, RegistrationInput};

use crate::types::Secret;

/// The time-out for everything that a log-in asks a provider, because a user waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks providers who a user is, and caches the metadata of their issuers.
#[derive(Debug)]
pub struct ProviderClient {
    http: HttpClient,
    issuers: IssuerCache,
}

impl ProviderClient {
    /// Prepares the HTTP client.
    ///
    /// # Errors
    /// [`OAuthError`] when the machine offers no TLS.
    pub fn open() -> Result<Self, OAuthError> {
        Ok(Self { http: HttpClient::open()?, issuers: IssuerCache::default() })
    }

    /// Returns the URL at the provider to which the browser is redirected.
    ///
    /// # Errors
    /// [`OAuthError`] when the issuer's metadata cannot be read.
    pub async fn authorization_url(
        &self,
        registration: &ClientRegistration,
        request: &AuthorizationRequest,
        now: OffsetDateTime,
    ) -> Result<String, OAuthError> {
        in_time(authorization::authorization_url(self, registration, request, now)).await
    }

    /// Checks that the issuer of a registration answers and names itself as it was typed. Does nothing
    /// for a provider whose issuer is built in.
    ///
    /// # Errors
    /// [`OAuthError`] when the issuer does not answer, or names itself differently.
    pub async fn check_issuer(
        &self,
        registration: &ClientRegistration,
        now: OffsetDateTime,
    ) -> Result<(), OAuthError> {
        let Some(issuer) = &registration.issuer else { return Ok(()) };
        in_time(self.issuers.refresh(&self.http, issuer, now)).await
    }

    /// Redeems the code of a callback and returns the provider's user that it was issued for.
    pub async fn user_by_code(
        &self,
        registration: &ClientRegistration,
        request: &AuthorizationRequest,
        params: CallbackParams,
        now: OffsetDateTime,
    ) -> Result<ProviderUser, OAuthError> {
        in_time(async {
            callback::check_issuer(self, registration, request, &params, now).await?;
            let tokens =
                callback::exchange_code(self, registration, request, params.code, now).await?;
            if registration.kind == ProviderKind::Oidc {
                let missing = OAuthError::InvalidResponse("no ID token");
                let token = tokens.id_token().ok_or(missing)?;
                return id_token::verify(self, registration, &token, request.nonce(), now).await;
            }
            self.fetch_user(registration, &tokens.access_token()).await
        })
        .await
    }

    /// Returns the user of an access token that another program obtained.
    pub async fn user_by_access_token(
        &self,
        registration: &ClientRegistration,
        token: &Secret,
    ) -> Result<ProviderUser, OAuthError> {
        in_time(async {
            // Otherwise any other application could log in here with the tokens of its own users.
            if !self.was_issued_to_us(registration, token).await? {
                return Err(OAuthError::refused("the token is not known to be for us"));
            }
            self.fetch_user(registration, token).await
        })
        .await
    }

    /// Returns the user of an ID token that another program obtained, if it was issued to us.
    pub async fn user_by_id_token(
        &self,
        registration: &ClientRegistration,
        token: &Secret,
        now: OffsetDateTime,
    ) -> Result<ProviderUser, OAuthError> {
        in_time(id_token::verify(self, registration, token, None, now)).await
    }

    async fn was_issued_to_us(
        &self,
        registration: &ClientRegistration,
        token: &Secret,
    ) -> Result<bool, OAuthError> {
        let http = &self.http;
        match registration.kind {
            ProviderKind::Kakao => {
                providers::kakao::was_issued_to_us(http, registration, token).await
            }
            ProviderKind::Google => {
                providers::google::was_issued_to_us(http, registration, token).await
            }
            ProviderKind::Facebook => {
                providers::facebook::was_issued_to_us(http, registration, token).await
            }
            ProviderKind::GitHub => {
                providers::github::was_issued_to_us(http, registration, token).await
            }
            // Naver does not say to which application a token belongs, and OpenID providers sign ID tokens.
            ProviderKind::Naver | ProviderKind::Oidc => Ok(false),
        }
    }

    /// Asks the userinfo endpoint for the user of an access token that was issued to us.
    async fn fetch_user(
        &self,
        registration: &ClientRegistration,
        token: &Secret,
    ) -> Result<ProviderUser, OAuthError> {
        let adapter = registration.kind.adapter();
        let endpoint = registration.userinfo_endpoint().with_query(adapter.userinfo_query);
        let response = self.http.get(&endpoint, Some(token)).await?;
        let mut profile =
            (adapter.read_profile)(&response).ok_or(OAuthError::InvalidResponse("no person"))?;
        // GitHub's userinfo does not say whether the address is verified.
        if registration.kind == ProviderKind::GitHub {
            profile =
                providers::github::with_email(&self.http, registration, token, profile).await?;
        }
        profile.into_user(registration)
    }
}

async fn in_time<T>(
    question: impl Future<Output = Result<T, OAuthError>>,
) -> Result<T, OAuthError> {
    let answer = tokio::time::timeout(TIMEOUT, question).await;
    answer.unwrap_or_else(|_| Err(OAuthError::timeout()))
}
