//! Who a request is from, judged by the credentials that came with it.

use super::{Opened, RenewError, find, renew, tokens};
use crate::cache::Living;
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
    if let Some(token) = presented.bearer {
        let living = by_access(ctx, token).await?;
        let stranger = Standing::Stranger { has_dead_cookies: false };
        return Ok(living.map_or(stranger, |living| Standing::SignedIn { living, renewed: None }));
    }
    if let Some(token) = presented.access
        && let Some(living) = by_access(ctx, token).await?
    {
        return Ok(Standing::SignedIn { living, renewed: None });
    }
    if let Some(token) = presented.refresh
        && let Some(standing) = by_refresh(ctx, token, caller).await?
    {
        return Ok(standing);
    }
    let has_dead_cookies = presented.access.is_some() || presented.refresh.is_some();
    Ok(Standing::Stranger { has_dead_cookies })
}

async fn by_access(ctx: &Ctx, token: &str) -> Result<Option<Living>, DbError> {
    match tokens::verify_access(ctx, token, ctx.clock.now()) {
        Ok(session) => find(ctx, session).await,
        Err(_) => Ok(None),
    }
}

async fn by_refresh(ctx: &Ctx, token: &str, caller: &Caller) -> Result<Option<Standing>, DbError> {
    match renew(ctx, token, caller).await {
        Ok(opened) => {
            let living = find(ctx, opened.session).await?;
            let renewed = Some(Box::new(opened));
            Ok(living.map(|living| Standing::SignedIn { living, renewed }))
        }
        Err(RenewError::Broken(error)) => Err(error),
        Err(RenewError::Token(_) | RenewError::Over | RenewError::Reused) => Ok(None),
    }
}
