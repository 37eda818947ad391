//! Who a request is from, judged by the credentials that came with it.

use thiserror::Error;

use super::{Opened, Over, RenewError, find, look_up, renew, renew_access, tokens};
use crate::cache::Living;
use crate::crypto::jwt::TokenError;
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::types::Caller;

/// The credentials of a request, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presented<'a> {
    /// The token of `Authorization: Bearer`. If there is one, the cookies are not looked at.
    pub bearer: Option<&'a str>,
    /// The access cookie.
    pub access: Option<&'a str>,
    /// The refresh cookie.
    pub refresh: Option<&'a str>,
}

/// What the credentials are worth.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Nobody we know.
    Stranger {
        /// There were cookies, and they will never work again.
        has_dead_cookies: bool,
    },
    /// A person with a living session.
    SignedIn {
        /// The session.
        living: Living,
        /// The new tokens, when the access token had run out and was renewed on the way.
        renewed: Option<Box<Opened>>,
    },
}

/// Why an access token opens nothing.
#[derive(Debug, Error)]
pub enum AccessError {
    /// Not an access token of ours, or expired.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its session is over, or the account may not be used.
    #[error(transparent)]
    Over(#[from] Over),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Finds out who a request is from. An access cookie that has run out is renewed silently with the
/// refresh cookie.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn standing(
    ctx: &Ctx,
    presented: Presented<'_>,
    caller: &Caller,
) -> Result<Standing, DbError> {
    judge(ctx, presented, caller, Renewal::Both).await
}

/// The same for a request that a proxy asks about. Not every proxy passes cookies on, and a browser that
/// never got its next refresh token would soon look like a thief: so that one stays, and only the access
/// token is new.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn standing_at_proxy(
    ctx: &Ctx,
    presented: Presented<'_>,
    caller: &Caller,
) -> Result<Standing, DbError> {
    judge(ctx, presented, caller, Renewal::AccessOnly).await
}

/// Which tokens are new when the access token has run out.
#[derive(Debug, Clone, Copy)]
enum Renewal {
    Both,
    AccessOnly,
}

async fn judge(
    ctx: &Ctx,
    presented: Presented<'_>,
    caller: &Caller,
    renewal: Renewal,
) -> Result<Standing, DbError> {
    if let Some(token) = presented.bearer {
        let living = by_any_access(ctx, token).await?;
        let stranger = Standing::Stranger { has_dead_cookies: false };
        return Ok(living.map_or(stranger, |living| Standing::SignedIn { living, renewed: None }));
    }
    if let Some(token) = presented.access
        && let Some(living) = by_any_access(ctx, token).await?
    {
        return Ok(Standing::SignedIn { living, renewed: None });
    }
    if let Some(token) = presented.refresh
        && let Some(standing) = by_refresh(ctx, token, caller, renewal).await?
    {
        return Ok(standing);
    }
    let has_dead_cookies = presented.access.is_some() || presented.refresh.is_some();
    Ok(Standing::Stranger { has_dead_cookies })
}

/// The living session that an access token opens.
///
/// # Errors
/// [`AccessError`] says why it opens none.
pub async fn by_access(ctx: &Ctx, token: &str) -> Result<Living, AccessError> {
    let session = tokens::prove_access(ctx, token).await?;
    Ok(look_up(ctx, session).await??)
}

/// The same for whoever does not ask why not.
async fn by_any_access(ctx: &Ctx, token: &str) -> Result<Option<Living>, DbError> {
    match by_access(ctx, token).await {
        Ok(living) => Ok(Some(living)),
        Err(AccessError::Token(_) | AccessError::Over(_)) => Ok(None),
        Err(AccessError::Broken(error)) => Err(error),
    }
}

async fn by_refresh(
    ctx: &Ctx,
    token: &str,
    caller: &Caller,
    renewal: Renewal,
) -> Result<Option<Standing>, DbError> {
    let renewed = match renewal {
        Renewal::Both => renew(ctx, token, caller).await,
        Renewal::AccessOnly => renew_access(ctx, token, caller).await,
    };
    match renewed {
        Ok(opened) => {
            let living = find(ctx, opened.session).await?;
            let renewed = Some(Box::new(opened));
            Ok(living.map(|living| Standing::SignedIn { living, renewed }))
        }
        Err(RenewError::Broken(error)) => Err(error),
        Err(RenewError::Token(_) | RenewError::Over(_) | RenewError::Reused) => Ok(None),
    }
}
