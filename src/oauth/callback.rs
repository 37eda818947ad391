//! The callback (RFC 6749, 4.1.2 and 4.1.3): checks the issuer that sent the browser back, and exchanges
//! the code for tokens.

use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType};
use oauth2::{AuthType, AuthorizationCode, PkceCodeVerifier, RequestTokenError, TokenUrl};
use time::OffsetDateTime;

use super::authorization::{AuthorizationRequest, Tokens, oauth_client};
use super::endpoints::Endpoints;
use super::{ClientRegistration, OAuthError, ProviderClient, ProviderKind};
use crate::types::Secret;

/// The parameters that a browser brings from a provider, or that a phone sends.
#[derive(Debug, Clone)]
pub struct CallbackParams {
    /// The authorization code.
    pub code: Secret,
    /// The issuer that claims to have sent the browser back (RFC 9207).
    pub issuer: Option<String>,
}

/// Checks that the browser was sent back by the issuer to which it was sent (RFC 9207, 2.4).
pub(super) async fn check_issuer(
    providers: &ProviderClient,
    registration: &ClientRegistration,
    request: &AuthorizationRequest,
    params: &CallbackParams,
    now: OffsetDateTime,
) -> Result<(), OAuthError> {
    // Without a state, a phone got the code from the provider's own program; no browser was redirected.
    let Some(expected) = registration.token_issuer().filter(|_| request.state.is_some()) else {
        return Ok(());
    };
    let is_expected = match &params.issuer {
        Some(issuer) => *issuer == expected,
        // An issuer that promises to name itself must do so, or leaving it out would evade the check.
        None if registration.kind == ProviderKind::Oidc => {
            let metadata = providers.issuers.find(&providers.http, &expected, now).await?;
            !metadata.sends_issuer_in_callback
        }
        None => true,
    };
    if is_expected { Ok(()) } else { Err(OAuthError::refused("sent by another issuer")) }
}

/// Exchanges an authorization code for tokens.
pub(super) async fn exchange_code(
    providers: &ProviderClient,
    registration: &ClientRegistration,
    request: &AuthorizationRequest,
    code: Secret,
    now: OffsetDateTime,
) -> Result<Tokens, OAuthError> {
    let endpoints = Endpoints::find(providers, registration, now).await?;
    let auth_type =
        if endpoints.takes_secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
    let client = oauth_client(registration)
        .set_auth_type(auth_type)
        .set_token_uri(TokenUrl::from_url(endpoints.token.url().clone()))
        .set_redirect_uri(request.redirect_url()?);
    let mut exchange = client.exchange_code(AuthorizationCode::new(code.expose().to_owned()));
    if let Some(verifier) = &request.pkce_verifier {
        exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
    }
    // Naver requires the state once more.
    if let (Some(state), ProviderKind::Naver) = (&request.state, registration.kind) {
        exchange = exchange.add_extra_param("state", state.expose().to_owned());
    }
    exchange.request_async(&providers.http).await.map_err(|error| match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(response) => refusal(response.error()),
        // The body may contain a token, so it is not logged. GitHub refuses with status 200.
        RequestTokenError::Parse(_, body) => refusal_in(&body),
        RequestTokenError::Other(_) => OAuthError::InvalidResponse("no tokens"),
    })
}

fn refusal_in(body: &[u8]) -> OAuthError {
    match serde_json::from_slice::<BasicErrorResponse>(body) {
        Ok(response) => refusal(response.error()),
        Err(_) => OAuthError::InvalidResponse("no tokens"),
    }
}

/// Returns the refusal with the provider's error code, for the log.
fn refusal(error: &BasicErrorResponseType) -> OAuthError {
    const MAX_CODE: usize = 40;
    let code = error.to_string();
    // A provider's own code could be any text; only one that looks like those of RFC 6749, 5.2 is logged.
    let is_plain = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_plain && code.len() <= MAX_CODE {
        return OAuthError::Refused(code);
    }
    OAuthError::refused("for reasons of its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_code_of_a_refusal_is_repeated_only_if_it_looks_like_one() {
        let said =
            |word: &str| refusal(&BasicErrorResponseType::Extension(word.into())).to_string();

        assert_eq!(said("bad_verification_code"), "the provider refuses: bad_verification_code");
        for odd in ["a code: 4/0AX4", "two\nlines", &"x".repeat(41)] {
            assert_eq!(said(odd), "the provider refuses: for reasons of its own");
        }
    }
}
