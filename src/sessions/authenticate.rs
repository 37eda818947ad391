//! Authenticates a request by the credentials that came with it: a Bearer token, or the access and
//! refresh cookies.
//!
//! Reads and sets no cookie; the HTTP kit does.

use thiserror::Error;

use super::{
    IssuedTokens, RefreshError, SessionInvalid, find, find_or_reason, refresh, refresh_access,
    tokens, usage,
};
use crate::cache::ActiveSession;
use crate::context::Context;
use crate::crypto::jwt::TokenError;
use crate::db::DbError;
use crate::types::RequestInfo;

/// The credentials of a request, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestCredentials<'a> {
    /// The token of `Authorization: Bearer`. If there is one, the cookies are ignored.
    pub bearer: Option<&'a str>,
    /// The access cookie.
    pub access: Option<&'a str>,
    /// The refresh cookie.
    pub refresh: Option<&'a str>,
}

/// What the credentials of a request prove.
#[derive(Debug, Clone)]
pub enum AuthState {
    /// No user.
    Anonymous {
        /// The cookies whose session has certainly ended, without those of other programs.
        dead_cookies: DeadCookies,
    },
    /// A user with an active session.
    SignedIn {
        /// The session.
        session: ActiveSession,
        /// The new tokens, if the access token had expired and was refreshed for this request.
        renewed: Option<Box<IssuedTokens>>,
    },
}

/// Cookies that will never work again, because their session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeadCookies {
    pub access: bool,
    pub refresh: bool,
}

/// Why an access token was refused.
#[derive(Debug, Error)]
pub enum AccessError {
    /// It is not one of our access tokens, or it has expired.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its session has ended, or the account is inactive.
    #[error(transparent)]
    Session(#[from] SessionInvalid),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Authenticates a request. An expired access cookie is refreshed silently with the refresh cookie.
pub async fn authenticate_request(
    ctx: &Context,
    credentials: RequestCredentials<'_>,
    info: &RequestInfo,
) -> Result<AuthState, DbError> {
    authenticate(ctx, credentials, info, Renewal::Both).await
}

/// Authenticates a request on behalf of a proxy (forward auth); only the access token may be
/// refreshed.
pub async fn authenticate_forwarded(
    ctx: &Context,
    credentials: RequestCredentials<'_>,
    info: &RequestInfo,
) -> Result<AuthState, DbError> {
    // Not every proxy passes our cookies on, and a browser that never received its next refresh
    // token would later look like a thief.
    authenticate(ctx, credentials, info, Renewal::AccessOnly).await
}

/// Which tokens are issued when the access token has expired.
#[derive(Debug, Clone, Copy)]
enum Renewal {
    Both,
    AccessOnly,
}

async fn authenticate(
    ctx: &Context,
    credentials: RequestCredentials<'_>,
    info: &RequestInfo,
    renewal: Renewal,
) -> Result<AuthState, DbError> {
    if let Some(token) = credentials.bearer {
        return Ok(match find_by_access_token(ctx, token).await {
            Ok(session) => AuthState::SignedIn { session, renewed: None },
            Err(AccessError::Database(error)) => return Err(error),
            Err(AccessError::Token(_) | AccessError::Session(_)) => {
                AuthState::Anonymous { dead_cookies: DeadCookies::default() }
            }
        });
    }
    let mut dead_cookies = DeadCookies::default();
    let mut has_run_out = false;
    if let Some(token) = credentials.access {
        match find_by_access_token(ctx, token).await {
            Ok(session) => return Ok(AuthState::SignedIn { session, renewed: None }),
            Err(AccessError::Session(_)) => dead_cookies.access = true,
            Err(AccessError::Token(error)) => has_run_out = error == TokenError::Expired,
            Err(AccessError::Database(error)) => return Err(error),
        }
    }
    if let Some(token) = credentials.refresh {
        match by_refresh_token(ctx, token, info, renewal).await? {
            signed_in @ AuthState::SignedIn { .. } => return Ok(signed_in),
            AuthState::Anonymous { dead_cookies: found } => dead_cookies.refresh = found.refresh,
        }
    }
    // An expired access token alone does not say whether its session has ended; the refresh token
    // does.
    dead_cookies.access |= has_run_out && dead_cookies.refresh;
    Ok(AuthState::Anonymous { dead_cookies })
}

/// Returns the active session of an access token.
pub async fn find_by_access_token(
    ctx: &Context,
    token: &str,
) -> Result<ActiveSession, AccessError> {
    let verified = tokens::verify_access_with_latest_keys(ctx, token).await?;
    let session = find_or_reason(ctx, verified.session).await??;
    // Token and row must agree: no session may be combined with another user's number.
    if session.user.id != verified.user {
        return Err(TokenError::Invalid.into());
    }
    if let Some(rotation) = &verified.rotation {
        usage::confirm_rotation(ctx, verified.session, rotation);
    }
    usage::record_use(ctx, verified.session, &session.last_seen_at);
    Ok(session)
}

/// Refreshes the tokens and returns the user; otherwise the refresh cookie is a dead one if the
/// session has certainly ended.
async fn by_refresh_token(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
    renewal: Renewal,
) -> Result<AuthState, DbError> {
    let renewed = match renewal {
        Renewal::Both => refresh(ctx, token, info).await,
        Renewal::AccessOnly => refresh_access(ctx, token, info).await,
    };
    let anonymous = |refresh| {
        let dead_cookies = DeadCookies { access: false, refresh };
        AuthState::Anonymous { dead_cookies }
    };
    match renewed {
        Ok(tokens) => {
            let session = find(ctx, tokens.session).await?;
            let renewed = Some(Box::new(tokens));
            Ok(session.map_or(anonymous(true), |session| AuthState::SignedIn { session, renewed }))
        }
        Err(RefreshError::Database(error)) => Err(error),
        Err(
            RefreshError::Session(_)
            | RefreshError::Reused
            | RefreshError::Token(TokenError::Expired),
        ) => Ok(anonymous(true)),
        Err(RefreshError::Token(_)) => Ok(anonymous(false)),
    }
}
