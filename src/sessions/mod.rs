//! Sessions: one row per log-in, created in one place, refreshed by rotating tokens, revoked at
//! once.
//!
//! [`create`] is the only way to a session: every method of authentication ends there, and there
//! the account is checked. Knows what tokens contain, not how they travel (cookies and headers
//! belong to the HTTP kit).

mod attempts;
mod authenticate;
mod claims;
mod devices;
mod password;
mod session;
mod session_rules;
mod store;
mod token_refresh;
mod tokens;
mod usage;

use std::sync::Arc;

use time::OffsetDateTime;

pub use attempts::{AuthError, reset_failures, retry_after};
pub use authenticate::{
    AccessError, AuthState, DeadCookies, RequestCredentials, authenticate_forwarded,
    authenticate_request, find_by_access_token,
};
pub use password::{Inactive, VerifiedPassword, reauthenticate, verify_password, why_inactive};
pub use session::{
    AuthMethod, EndReason, IssuedTokens, RefreshError, SessionInvalid, SessionList, SessionSummary,
};
pub use store::{end, end_all, end_from, end_others, list_all, record_reauthentication, sweep};
pub use token_refresh::{
    find_by_refresh_token, is_refresh_token, refresh, refresh_access, session_id_in,
};
pub use tokens::IssuedToken;

use crate::accounts;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::cache::ActiveSession;
use crate::context::Context;
use crate::crypto::jwt::TokenError;
use crate::db::{DbError, Transaction};
use crate::groups;
use crate::types::{Email, RequestInfo, SessionId, UserId};
use session::IfActive;
use session_rules::SessionRules;
use tokens::{Confirms, RefreshToken};

/// How many sessions are listed: the bound of each transport.
const MAX_LISTED: u64 = 100;

/// Creates a session, if the account is active and its password is still the verified one;
/// otherwise returns `None`. The tokens are valid once the transaction is committed.
pub async fn create(
    ctx: &Context,
    transaction: &Transaction,
    user: UserId,
    email: &Email,
    method: AuthMethod<'_>,
    info: &RequestInfo,
) -> Result<Option<IssuedTokens>, DbError> {
    let now = ctx.clock.now();
    let rules = SessionRules::of(ctx);
    // This locks the account, so it cannot be deactivated before the session is inserted.
    if !accounts::record_login(transaction, user, method.hash(), rules.needs_verified_email, now)
        .await?
    {
        return Ok(None);
    }
    let session = ctx.random.session_id();
    let token = RefreshToken {
        session,
        user,
        id: ctx.random.token_id(),
        issued_at: now,
        expires_at: now + ctx.settings.refresh_token_lifetime,
    };
    store::insert(transaction, &token, method, info).await?;
    store::end_excess(transaction, user, session, info.transport, rules, now).await?;
    let event = AuditEvent::by_owner(user, AuditEventKind::LoggedIn, info).in_session(session);
    audit::record(transaction, event.with_details(method.details()), now).await?;
    let device = Some(devices::issue(ctx, email));
    let custom = claims::for_new_session(ctx, transaction, user).await?;
    Ok(Some(IssuedTokens { device, ..tokens::issue(ctx, &token, Confirms::Nothing, custom, now) }))
}

/// Returns a session with its user, if it is active.
pub async fn find(ctx: &Context, session: SessionId) -> Result<Option<ActiveSession>, DbError> {
    Ok(find_or_reason(ctx, session).await?.ok())
}

/// Returns a session as the database has it now, past the cache.
pub async fn find_fresh(
    ctx: &Context,
    session: SessionId,
) -> Result<Option<ActiveSession>, DbError> {
    Ok(read(ctx, session).await?.ok())
}

/// Returns a session, or why it is not active.
async fn find_or_reason(
    ctx: &Context,
    session: SessionId,
) -> Result<IfActive<ActiveSession>, DbError> {
    let now = ctx.clock.now();
    match ctx.cache.find(session, now) {
        Some(active) => Ok(Ok(active)),
        None => read(ctx, session).await,
    }
}

/// Reads a session from the database into the cache.
async fn read(ctx: &Context, session: SessionId) -> Result<IfActive<ActiveSession>, DbError> {
    let now = ctx.clock.now();
    // Before the query: a session that is ended meanwhile is not put into the cache.
    let asked = ctx.cache.epoch();
    let mut active = store::find_active(&ctx.db, session, SessionRules::of(ctx), now).await?;
    if let Ok(ActiveSession { user, .. }) = &mut active
        && user.is_staff
        // A superuser has every permission, without groups.
        && !user.is_superuser
    {
        let granted = groups::granted_permissions(&ctx.db, user.id).await?;
        Arc::make_mut(user).granted = granted;
    }
    if let Ok(active) = &active {
        ctx.cache.remember(active, asked, now);
    }
    Ok(active)
}

/// Returns the names of the user's groups: read once, and cached as long as the session is.
pub async fn group_names<'l>(
    ctx: &Context,
    active: &'l ActiveSession,
) -> Result<&'l [String], DbError> {
    if let Some(names) = active.groups.get() {
        return Ok(names);
    }
    let groups = groups::list_of_user(&ctx.db, active.user.id).await?;
    Ok(active.groups.get_or_init(|| groups.into_iter().map(|(_, name)| name).collect()))
}

/// Checks whether a token of either kind would be accepted now. Nothing is rotated or revoked.
pub async fn check_token(ctx: &Context, token: &str) -> Result<(), RefreshError> {
    match find_by_access_token(ctx, token).await {
        Ok(_) => Ok(()),
        // A refresh token is a token of ours, of another type.
        Err(AccessError::Token(TokenError::WrongType)) => {
            let presented = tokens::verify_refresh(ctx, token, ctx.clock.now())?;
            token_refresh::accepted_token(ctx, &presented).await.map(drop)
        }
        Err(AccessError::Token(error)) => Err(error.into()),
        Err(AccessError::Session(invalid)) => Err(invalid.into()),
        Err(AccessError::Database(error)) => Err(error.into()),
    }
}

/// Returns whether an access token is one of ours and has not expired; does not look at its
/// session.
#[must_use]
pub fn is_access_token(ctx: &Context, token: &str) -> bool {
    tokens::verify_access(ctx, token, ctx.clock.now()).is_ok()
}

/// Commits a transaction that created a session, and ends the session that the browser had before, unless
/// the settings let one of the same user live on.
///
/// # Errors
/// [`DbError`] when the database cannot; then nothing has changed.
pub async fn commit_replacing_session(
    ctx: &Context,
    transaction: Transaction,
    user: UserId,
    before: Option<SessionId>,
) -> Result<(), DbError> {
    let (why, now) = (EndReason::Replaced, ctx.clock.now());
    match before {
        Some(before) if ctx.settings.end_previous_session => {
            end(&transaction, before, None, why, now).await?;
        }
        // After a change of users at one browser, the first user could not end it there.
        Some(before) => store::end_unless_of(&transaction, before, user, why, now).await?,
        None => {}
    }
    transaction.commit().await?;
    Ok(())
}

/// Lists the active sessions of a user: `this` first, then by last use.
pub async fn list_active(
    ctx: &Context,
    user: UserId,
    this: SessionId,
) -> Result<SessionList, DbError> {
    store::list_active(&ctx.db, user, this, MAX_LISTED, SessionRules::of(ctx), ctx.clock.now())
        .await
}

/// Returns whether a user has an active session.
pub async fn has_active(ctx: &Context, user: UserId) -> Result<bool, DbError> {
    store::has_active(&ctx.db, user, SessionRules::of(ctx), ctx.clock.now()).await
}

/// Counts the active sessions, up to `at_most`.
pub async fn count_active(
    ctx: &Context,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::count_active(&ctx.db, SessionRules::of(ctx), now, at_most).await
}
