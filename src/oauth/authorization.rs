//! The way to a provider and back (RFC 6749, 4.1), with state and PKCE always (RFC 7636, S256).

use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardRevocableToken, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::endpoint::Endpoint;
use super::{Application, Kind, Oauth, OauthError};
use crate::types::Secret;

/// What one dance is known by: made up when a browser sets out, shown when it comes back.
#[derive(Debug, Clone)]
pub struct Dance {
    /// Where the provider sends the browser back to.
    pub redirect_uri: String,
    /// What the browser brings back unchanged; `None` when none of ours set out.
    pub state: Option<Secret>,
    /// What an ID token must hold.
    pub nonce: Option<Secret>,
    /// What proves that whoever redeems the code has asked for it.
    pub verifier: Option<Secret>,
    /// Whether the provider is asked to have the person proved anew.
    pub is_again: bool,
}

/// What a browser brings back from a provider, or a phone hands in.
#[derive(Debug, Clone)]
pub struct Returned {
    /// What tokens are given for.
    pub code: Secret,
    /// Who says to have sent the browser back (RFC 9207).
    pub issuer: Option<String>,
}

impl Dance {
    pub(crate) fn nonce(&self) -> Option<&str> {
        self.nonce.as_ref().map(Secret::expose)
    }
}

/// What a token endpoint gives. Naver writes its numbers as texts, so only what is needed is read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tokens {
    access_token: AccessToken,
    #[serde(default)]
    id_token: Option<AccessToken>,
    #[serde(skip, default = "bearer")]
    kind: BasicTokenType,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl Tokens {
    pub(crate) fn access_token(&self) -> Secret {
        Secret::new(self.access_token.secret().clone())
    }

    pub(crate) fn id_token(&self) -> Option<Secret> {
        self.id_token.as_ref().map(|token| Secret::new(token.secret().clone()))
    }
}

impl TokenResponse for Tokens {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.kind
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

type Us = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// Where the two ends of a dance are.
struct Ends {
    authorization: Endpoint,
    token: Endpoint,
    takes_secret_in_body: bool,
}

/// What staff typed comes before what the issuer says.
async fn ends(
    oauth: &Oauth,
    application: &Application,
    now: OffsetDateTime,
) -> Result<Ends, OauthError> {
    if let (Some(authorization), Some(token)) =
        (application.authorization_endpoint(), application.token_endpoint())
    {
        let takes_secret_in_body = application.kind != Kind::Oidc;
        return Ok(Ends { authorization, token, takes_secret_in_body });
    }
    let issuer = application.issuer.as_deref().unwrap_or_default();
    let issuer = oauth.issuers.find(&oauth.outside, issuer, now).await?;
    Ok(Ends {
        authorization: application.authorization_endpoint().unwrap_or(issuer.authorization),
        token: application.token_endpoint().unwrap_or(issuer.token),
        takes_secret_in_body: issuer.takes_secret_in_body,
    })
}

/// Where a browser is sent to.
pub(crate) async fn way_in(
    oauth: &Oauth,
    application: &Application,
    dance: &Dance,
    now: OffsetDateTime,
) -> Result<String, OauthError> {
    let ends = ends(oauth, application, now).await?;
    let state = dance.state.as_ref().map(|state| state.expose().to_owned()).unwrap_or_default();
    let client = us(application)
        .set_auth_uri(AuthUrl::from_url(ends.authorization.url().clone()))
        .set_redirect_uri(redirect_url(dance)?);
    let scopes = application.kind.adapter().scopes.iter();
    let mut request = client
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(scopes.map(|scope| Scope::new((*scope).to_owned())));
    if let Some(verifier) = &dance.verifier {
        let verifier = PkceCodeVerifier::new(verifier.expose().to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        request = request.set_pkce_challenge(challenge);
    }
    if let (Some(nonce), Kind::Oidc) = (dance.nonce(), application.kind) {
        request = request.add_extra_param("nonce", nonce.to_owned());
    }
    if dance.is_again {
        for (name, value) in application.kind.adapter().again {
            request = request.add_extra_param(*name, *value);
        }
    }
    let (url, _) = request.url();
    Ok(url.into())
}

/// Whether a browser was sent back by the issuer that it was sent to (RFC 9207, 2.4). Who says nothing
/// is taken, unless the issuer promises to say so. A phone was with the provider's own program.
pub(crate) async fn check_sender(
    oauth: &Oauth,
    application: &Application,
    (dance, returned): (&Dance, &Returned),
    now: OffsetDateTime,
) -> Result<(), OauthError> {
    let Some(ours) = application.token_issuer().filter(|_| dance.state.is_some()) else {
        return Ok(());
    };
    let is_right = match &returned.issuer {
        Some(named) => *named == ours,
        None if application.kind == Kind::Oidc => {
            !oauth.issuers.find(&oauth.outside, &ours, now).await?.names_itself
        }
        None => true,
    };
    if is_right { Ok(()) } else { Err(OauthError::refused("sent by another issuer")) }
}

/// Redeems a code.
pub(crate) async fn exchange(
    oauth: &Oauth,
    application: &Application,
    dance: &Dance,
    code: Secret,
    now: OffsetDateTime,
) -> Result<Tokens, OauthError> {
    let ends = ends(oauth, application, now).await?;
    let how = if ends.takes_secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
    let client = us(application)
        .set_auth_type(how)
        .set_token_uri(TokenUrl::from_url(ends.token.url().clone()))
        .set_redirect_uri(redirect_url(dance)?);
    let mut request = client.exchange_code(AuthorizationCode::new(code.expose().to_owned()));
    if let Some(verifier) = &dance.verifier {
        request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
    }
    // Naver wants the state once more.
    if let (Some(state), Kind::Naver) = (&dance.state, application.kind) {
        request = request.add_extra_param("state", state.expose().to_owned());
    }
    request.request_async(&oauth.outside).await.map_err(|error| match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(said) => refusal(said.error()),
        // What could not be read may hold a token, and is not repeated. GitHub refuses with a 200.
        RequestTokenError::Parse(_, body) => refusal_in(&body),
        RequestTokenError::Other(_) => OauthError::Nonsense("no tokens"),
    })
}

fn refusal_in(body: &[u8]) -> OauthError {
    match serde_json::from_slice::<BasicErrorResponse>(body) {
        Ok(said) => refusal(said.error()),
        Err(_) => OauthError::Nonsense("no tokens"),
    }
}

/// The word for a refusal goes to the log. One of the provider's own might be anything, so it has to
/// look like those of RFC 6749, 5.2.
fn refusal(error: &BasicErrorResponseType) -> OauthError {
    const LONGEST: usize = 40;
    let word = error.to_string();
    let is_word = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word && word.len() <= LONGEST {
        return OauthError::Refused(word);
    }
    OauthError::refused("for reasons of its own")
}

fn us(application: &Application) -> Us {
    let client = Us::new(ClientId::new(application.client_id.clone()));
    match &application.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
        None => client,
    }
}

fn redirect_url(dance: &Dance) -> Result<RedirectUrl, OauthError> {
    RedirectUrl::new(dance.redirect_uri.clone()).map_err(|_| OauthError::Nonsense("no way back"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_for_a_refusal_is_repeated_only_if_it_is_one() {
        let said =
            |word: &str| refusal(&BasicErrorResponseType::Extension(word.into())).to_string();

        assert_eq!(said("bad_verification_code"), "the provider refuses: bad_verification_code");
        for odd in ["a code: 4/0AX4", "two\nlines", &"x".repeat(41)] {
            assert_eq!(said(odd), "the provider refuses: for reasons of its own");
        }
    }
}
