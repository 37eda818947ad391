//! The authorization request (RFC 6749, 4.1.1): the URL to which the browser is redirected, always with
//! state and PKCE (RFC 7636, S256).

use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AccessToken, AuthUrl, Client, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, Scope, StandardRevocableToken, TokenResponse,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::endpoints::Endpoints;
use super::{ClientRegistration, OAuthError, ProviderClient, ProviderKind};
use crate::types::Secret;

/// What identifies one authorization request: created before the redirect, checked at the callback.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// The URL to which the provider sends the browser back.
    pub redirect_uri: String,
    /// The value that the browser brings back unchanged; `None` when a phone obtained the code.
    pub state: Option<Secret>,
    /// The value that an ID token must contain.
    pub nonce: Option<Secret>,
    /// The secret of PKCE, which only the program that requested the code has.
    pub pkce_verifier: Option<Secret>,
    /// Whether the provider must ask for the password although the user is logged in there.
    pub is_reauthentication: bool,
}

impl AuthorizationRequest {
    pub(super) fn nonce(&self) -> Option<&str> {
        self.nonce.as_ref().map(Secret::expose)
    }

    pub(super) fn redirect_url(&self) -> Result<RedirectUrl, OAuthError> {
        let url = RedirectUrl::new(self.redirect_uri.clone());
        url.map_err(|_| OAuthError::InvalidResponse("no way back"))
    }
}

pub(super) async fn authorization_url(
    providers: &ProviderClient,
    registration: &ClientRegistration,
    request: &AuthorizationRequest,
    now: OffsetDateTime,
) -> Result<String, OAuthError> {
    let endpoints = Endpoints::find(providers, registration, now).await?;
    let state = request.state.as_ref().map(|state| state.expose().to_owned()).unwrap_or_default();
    let client = oauth_client(registration)
        .set_auth_uri(AuthUrl::from_url(endpoints.authorization.url().clone()))
        .set_redirect_uri(request.redirect_url()?);
    let scopes = registration.kind.adapter().scopes.iter();
    let mut url = client
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(scopes.map(|scope| Scope::new((*scope).to_owned())));
    if let Some(verifier) = &request.pkce_verifier {
        let verifier = PkceCodeVerifier::new(verifier.expose().to_owned());
        url = url.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    }
    // The other kinds are asked for a user by their access token, so there is no ID token to bind.
    if let (Some(nonce), ProviderKind::Oidc) = (request.nonce(), registration.kind) {
        url = url.add_extra_param("nonce", nonce.to_owned());
    }
    if request.is_reauthentication {
        for (name, value) in registration.kind.adapter().reauthentication_params {
            url = url.add_extra_param(*name, *value);
        }
    }
    let (url, _) = url.url();
    Ok(url.into())
}

/// The `oauth2` crate's client, with our own reading of token responses.
type OAuthClient = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

pub(super) fn oauth_client(registration: &ClientRegistration) -> OAuthClient {
    let client = OAuthClient::new(ClientId::new(registration.client_id.clone()));
    match &registration.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
        None => client,
    }
}

/// A response of the token endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tokens {
    // No other field is read: Naver writes numbers as text, which the crate's own type refuses.
    access_token: AccessToken,
    #[serde(default)]
    id_token: Option<AccessToken>,
    #[serde(skip, default = "bearer")]
    token_type: BasicTokenType,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl Tokens {
    pub(super) fn access_token(&self) -> Secret {
        Secret::new(self.access_token.secret().clone())
    }

    pub(super) fn id_token(&self) -> Option<Secret> {
        self.id_token.as_ref().map(|token| Secret::new(token.secret().clone()))
    }
}

impl TokenResponse for Tokens {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}
