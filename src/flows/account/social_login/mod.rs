//! Social log-in: the redirect to a provider, its callback, and which account the provider's user
//! is logged in to.
//!
//! A provider's user is identified by issuer and subject. An address links one to an account only
//! if the provider and we have both verified it; otherwise the owner logs in first and connects the
//! provider. An address that the provider has not verified counts as one that was typed at sign-up.

mod error;
mod login_or_signup;
mod rate_limit;

pub use self::error::SocialLoginError;
pub use self::login_or_signup::{SocialLogin, SocialLoginOutcome, login_or_signup};
use crate::context::Context;
use crate::oauth::{AuthorizationRequest, CallbackParams, OAuthError, ProviderUser};
use crate::paths;
use crate::social;
use crate::social::Provider;
use crate::types::{RequestInfo, Secret};

/// What a phone sends instead of a browser's callback.
#[derive(Debug, Clone)]
pub enum ProviderToken {
    /// An access token, about which the provider is asked.
    Access(Secret),
    /// An ID token, which the provider has signed.
    Id(Secret),
    /// A code, with its PKCE verifier if there is one.
    Code(Secret, Option<Secret>),
}

/// Begins a social log-in: returns the provider's URL, and the request that the browser must keep
/// until the callback. For a reauthentication, the provider asks for the password.
///
/// # Errors
/// [`SocialLoginError`] when there is no such provider, or it does not answer.
pub async fn begin(
    ctx: &Context,
    slug: &str,
    is_reauthentication: bool,
    info: &RequestInfo,
) -> Result<(String, AuthorizationRequest), SocialLoginError> {
    rate_limit::check(ctx, info).await?;
    let provider = social::find_active(ctx, slug).await?.ok_or(SocialLoginError::Unknown)?;
    let request = AuthorizationRequest {
        redirect_uri: redirect_uri(ctx, slug),
        // Binds the callback to this browser (RFC 6749, 10.12).
        state: Some(ctx.random.secret()),
        // Binds the ID token to this request (OpenID Connect Core, 3.1.2.1).
        nonce: Some(ctx.random.secret()),
        // A stolen code is worthless without it (RFC 7636).
        pkce_verifier: Some(ctx.random.secret()),
        is_reauthentication,
    };
    let way = ctx.oauth.authorization_url(&provider.registration, &request, ctx.clock.now()).await;
    let way = way.inspect_err(|error| log_failure(slug, error, info))?;
    Ok((way, request))
}

/// Returns the URL to which the provider redirects browsers back. It must be registered in the
/// provider's console.
#[must_use]
pub fn redirect_uri(ctx: &Context, slug: &str) -> String {
    format!("{}{}", ctx.settings.public_url.as_str(), paths::social_callback(slug))
}

/// Redeems the code of a callback and returns the provider's user.
pub async fn handle_callback(
    ctx: &Context,
    slug: &str,
    request: &AuthorizationRequest,
    params: CallbackParams,
    info: &RequestInfo,
) -> Result<(Provider, ProviderUser), SocialLoginError> {
    rate_limit::check(ctx, info).await?;
    let provider = social::find_active(ctx, slug).await?.ok_or(SocialLoginError::Unknown)?;
    let now = ctx.clock.now();
    let provider_user = ctx.oauth.user_by_code(&provider.registration, request, params, now).await;
    let provider_user = provider_user.inspect_err(|error| log_failure(slug, error, info))?;
    Ok((provider, provider_user))
}

/// Returns the user of a token that a phone sends.
pub async fn user_of_token(
    ctx: &Context,
    provider: &Provider,
    token: ProviderToken,
    info: &RequestInfo,
) -> Result<ProviderUser, SocialLoginError> {
    rate_limit::check(ctx, info).await?;
    let (slug, registration, now) = (provider.slug(), &provider.registration, ctx.clock.now());
    let provider_user = match token {
        ProviderToken::Access(token) => ctx.oauth.user_by_access_token(registration, &token).await,
        ProviderToken::Id(token) => ctx.oauth.user_by_id_token(registration, &token, now).await,
        ProviderToken::Code(code, pkce_verifier) => {
            let redirect_uri = redirect_uri(ctx, slug);
            // The app began the request, so only the app knows them.
            let (state, nonce) = (None, None);
            let request = AuthorizationRequest {
                redirect_uri,
                state,
                nonce,
                pkce_verifier,
                is_reauthentication: false,
            };
            let params = CallbackParams { code, issuer: None };
            ctx.oauth.user_by_code(registration, &request, params, now).await
        }
    };
    Ok(provider_user.inspect_err(|error| log_failure(slug, error, info))?)
}

fn log_failure(slug: &str, error: &OAuthError, info: &RequestInfo) {
    tracing::warn!(provider = slug, %error, request.id = info.request_id, "no social log-in");
}
