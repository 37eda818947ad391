//! Who a request is from, judged by the credentials that came with it.

use thiserror::Error;

use super::{Opened, Over, RenewError, find, look_up, notes, renew, renew_access, tokens};
use crate::cache::Living;
use crate::context::Ctx;
use crate::crypto::jwt::TokenError;
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
        /// The cookies whose session is known to be over. What is not ours, and what is ours and only not
        /// good at this moment, is not among them.
        over: DeadCookies,
    },
    /// A person with a living session.
    SignedIn {
        /// The session.
        living: Living,
        /// The new tokens, when the access token had run out and was renewed on the way.
        renewed: Option<Box<Opened>>,
    },
}

/// Cookies that will never work again, for their session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeadCookies {
    /// The access cookie.
    pub access: bool,
    /// The refresh cookie.
    pub refresh: bool,
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
        return Ok(match by_access(ctx, token).await {
            Ok(living) => Standing::SignedIn { living, renewed: None },
            Err(AccessError::Broken(error)) => return Err(error),
            Err(AccessError::Token(_) | AccessError::Over(_)) => {
                Standing::Stranger { over: DeadCookies::default() }
            }
        });
    }
    let mut over = DeadCookies::default();
    let mut has_run_out = false;
    if let Some(token) = presented.access {
        match by_access(ctx, token).await {
            Ok(living) => return Ok(Standing::SignedIn { living, renewed: None }),
            Err(AccessError::Over(_)) => over.access = true,
            Err(AccessError::Token(error)) => has_run_out = error == TokenError::Expired,
            Err(AccessError::Broken(error)) => return Err(error),
        }
    }
    if let Some(token) = presented.refresh {
        match by_refresh(ctx, token, caller, renewal).await? {
            Ok(standing) => return Ok(standing),
            Err(is_over) => over.refresh = is_over,
        }
    }
    // An access token that has run out says nothing of its session; its refresh token does.
    over.access |= has_run_out && over.refresh;
    Ok(Standing::Stranger { over })
}

/// The living session that an access token opens.
///
/// # Errors
/// [`AccessError`] says why it opens none.
pub async fn by_access(ctx: &Ctx, token: &str) -> Result<Living, AccessError> {
    let proof = tokens::prove_access(ctx, token).await?;
    let living = look_up(ctx, proof.session).await??;
    if living.person.id != proof.user {
        return Err(TokenError::Invalid.into());
    }
    if let Some(rotation) = &proof.rotation {
        notes::arrived(ctx, proof.session, rotation);
    }
    notes::used(ctx, proof.session, &living.last_seen_at);
    Ok(living)
}

/// Who a refresh token is from, or whether its session is known to be over.
async fn by_refresh(
    ctx: &Ctx,
    token: &str,
    caller: &Caller,
    renewal: Renewal,
) -> Result<Result<Standing, bool>, DbError> {
    let renewed = match renewal {
        Renewal::Both => renew(ctx, token, caller).await,
        Renewal::AccessOnly => renew_access(ctx, token, caller).await,
    };
    match renewed {
        Ok(opened) => {
            let living = find(ctx, opened.session).await?;
            let renewed = Some(Box::new(opened));
            Ok(living.map(|living| Standing::SignedIn { living, renewed }).ok_or(true))
        }
        Err(RenewError::Broken(error)) => Err(error),
        Err(RenewError::Over(_) | RenewError::Reused | RenewError::Token(TokenError::Expired)) => {
            Ok(Err(true))
        }
        Err(RenewError::Token(_)) => Ok(Err(false)),
    }
}
