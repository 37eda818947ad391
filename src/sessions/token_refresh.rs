//! Exchanges refresh tokens for the next ones.
//!
//! Rotation is one conditional statement. A replaced token that comes again after its successor was
//! used was stolen: the session ends, and its owner gets an e-mail.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use time::OffsetDateTime;

use super::session::{EndReason, IssuedTokens, RefreshError, SessionInvalid};
use super::session_rules::SessionRules;
use super::tokens::{Confirms, RefreshToken};
use super::{claims, store, tokens, usage};
use crate::accounts;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::crypto::jwt::TokenError;
use crate::db::DbError;
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::types::{RequestInfo, SessionId, UserId};

/// For this long after a rotation the replaced refresh token returns the same successor again,
/// whatever else has happened: two tabs may refresh at once.
const ROTATION_WINDOW: time::Duration = time::Duration::seconds(10);

/// Exchanges a refresh token for the next pair (rotation).
///
/// The replaced token returns the same successor again: always for ten seconds, and later while no
/// token of that rotation has been used, because the response may have been lost. Otherwise the
/// token was copied, and the session is revoked (docs/decisions/0018).
pub async fn refresh(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
) -> Result<IssuedTokens, RefreshError> {
    let now = ctx.clock.now();
    let presented = tokens::verify_refresh(ctx, token, now)?;
    if ctx.settings.rotate_refresh_tokens {
        let next = RefreshToken { id: ctx.random.token_id(), issued_at: now, ..presented.clone() };
        // Dropped before anything else is read: a failed update may hold the lock of the row, and
        // ending sessions locks the account first, so the two orders could deadlock.
        let transaction = ctx.db.begin().await?;
        if store::rotate(&transaction, &presented, &next, SessionRules::of(ctx), info).await? {
            transaction.commit().await?;
            return issue_next(ctx, &next, Confirms::Rotation, now).await;
        }
    }
    let accepted = accept(ctx, &presented, info).await?;
    let confirmed = if accepted.is_unconfirmed { Confirms::Rotation } else { Confirms::Nothing };
    issue_next(ctx, &accepted.current, confirmed, now).await
}

/// Issues an access token and leaves the refresh token as it is, for clients that may not be able
/// to store a new one. A replaced token revokes the session as in [`refresh`].
pub async fn refresh_access(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
) -> Result<IssuedTokens, RefreshError> {
    let now = ctx.clock.now();
    let presented = tokens::verify_refresh(ctx, token, now)?;
    let accepted = accept(ctx, &presented, info).await?;
    // The refresh token is not sent along, so using this access token does not confirm its arrival.
    issue_next(ctx, &accepted.current, Confirms::Nothing, now).await
}

/// The refresh token that counts for a request that rotates nothing.
pub(super) struct AcceptedToken {
    /// The presented token, or its successor.
    current: RefreshToken,
    /// Whether it is the successor, and no token of its rotation has been used.
    is_unconfirmed: bool,
    /// Whether the presented token is accepted only because of that.
    is_late: bool,
}

/// Accepts a refresh token without rotating it; a replaced token revokes the session.
async fn accept(
    ctx: &Context,
    presented: &RefreshToken,
    info: &RequestInfo,
) -> Result<AcceptedToken, RefreshError> {
    match accepted_token(ctx, presented).await {
        // A confirmation may have come since the row was read; the statement decides which was
        // first.
        Ok(accepted) if accepted.is_late && !reuse_successor(ctx, presented).await? => {
            Err(revoke_reused(ctx, presented, info).await?)
        }
        Err(RefreshError::Reused) => Err(revoke_reused(ctx, presented, info).await?),
        other => other,
    }
}

async fn reuse_successor(ctx: &Context, presented: &RefreshToken) -> Result<bool, DbError> {
    let transaction = ctx.db.begin().await?;
    let may = store::reuse_successor(&transaction, presented, ctx.clock.now()).await?;
    transaction.commit().await?;
    Ok(may)
}

/// Returns the current refresh token for a presented one: itself, or its successor. Presenting the
/// successor confirms the rotation.
pub(super) async fn accepted_token(
    ctx: &Context,
    presented: &RefreshToken,
) -> Result<AcceptedToken, RefreshError> {
    let now = ctx.clock.now();
    let row = match store::find_token_state(&ctx.db, presented.session, SessionRules::of(ctx), now)
        .await?
    {
        Ok(row) => row,
        // The row may be cleaned up before a long-lived token expires. The account may still exist.
        Err(SessionInvalid::NotFound) => {
            let user = accounts::find_by_id(&ctx.db, presented.user).await?;
            return Err(user.map_or(SessionInvalid::NotFound, |_| SessionInvalid::Ended).into());
        }
        Err(invalid) => return Err(invalid.into()),
    };
    if row.current.user != presented.user {
        return Err(TokenError::Invalid.into());
    }
    if row.current.id == presented.id {
        if row.is_unconfirmed {
            usage::confirm_rotation(ctx, presented.session, &Arc::from(presented.id.as_str()));
        }
        usage::record_use(ctx, presented.session, &Arc::new(AtomicI64::new(row.last_seen_at)));
        return Ok(AcceptedToken { current: row.current, is_unconfirmed: false, is_late: false });
    }
    // The distance counts, not the order: clocks of nodes differ, and one may have been set back.
    let is_window_open = (now - row.current.issued_at).abs() < ROTATION_WINDOW;
    let is_replaced = row.previous_id.as_deref() == Some(&presented.id);
    if !is_replaced || !(is_window_open || row.is_unconfirmed) {
        return Err(RefreshError::Reused);
    }
    let is_unconfirmed = row.is_unconfirmed;
    Ok(AcceptedToken { current: row.current, is_unconfirmed, is_late: !is_window_open })
}

/// Revokes a session whose refresh token was copied, and e-mails its owner.
async fn revoke_reused(
    ctx: &Context,
    presented: &RefreshToken,
    info: &RequestInfo,
) -> Result<RefreshError, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // The account before its sessions, as everywhere, or two transactions could deadlock.
    let owner = accounts::lock(&transaction, presented.user).await?;
    let (session, user) = (presented.session, Some(presented.user));
    let has_ended = store::end(&transaction, session, user, EndReason::TokenReused, now).await?;
    // Of many requests with the copied token, only the one that ends the session sends the e-mail.
    let Some(owner) = owner.filter(|_| has_ended) else { return Ok(SessionInvalid::Ended.into()) };
    let event = AuditEvent::on_user(presented.user, AuditEventKind::TokenReused, info)
        .in_session(presented.session);
    audit::record(&transaction, event, now).await?;
    let not_me =
        links::create(ctx, &transaction, Purpose::NotMe, presented.user, Some(&owner.user.email))
            .await?;
    let content = EmailContent::new(EmailKind::TokenReused).with_not_me(not_me).about(info, now);
    outbox::enqueue(&transaction, &ctx.keys, &owner.recipient(), &content, now).await?;
    transaction.commit().await?;
    tracing::warn!(
        user.id = presented.user.0, session.id = %presented.session, request.id = info.request_id,
        "session ended: a replaced refresh token was used again"
    );
    Ok(RefreshError::Reused)
}

/// Issues the next pair of a session, with the current custom claims.
async fn issue_next(
    ctx: &Context,
    refresh: &RefreshToken,
    confirms: Confirms,
    now: OffsetDateTime,
) -> Result<IssuedTokens, RefreshError> {
    let custom = claims::for_refresh(ctx, refresh.session).await?;
    Ok(tokens::issue(ctx, refresh, confirms, custom, now))
}

/// Returns whether a refresh token is one of ours and has not expired; does not look at its
/// session.
#[must_use]
pub fn is_refresh_token(ctx: &Context, token: &str) -> bool {
    tokens::verify_refresh(ctx, token, ctx.clock.now()).is_ok()
}

/// Returns the session and the user that a refresh token names; does not check that they still
/// exist.
///
/// # Errors
/// [`TokenError`] when it is not one of our refresh tokens, or has expired.
pub fn session_id_in(ctx: &Context, token: &str) -> Result<(SessionId, UserId), TokenError> {
    let presented = tokens::verify_refresh(ctx, token, ctx.clock.now())?;
    Ok((presented.session, presented.user))
}

/// Returns the active session and the user of a refresh token. Nothing is rotated; a replaced token
/// revokes the session as in [`refresh`].
pub async fn find_by_refresh_token(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
) -> Result<(SessionId, UserId), RefreshError> {
    let presented = tokens::verify_refresh(ctx, token, ctx.clock.now())?;
    match accepted_token(ctx, &presented).await {
        Ok(AcceptedToken { current, .. }) => Ok((current.session, current.user)),
        Err(RefreshError::Reused) => Err(revoke_reused(ctx, &presented, info).await?),
        Err(error) => Err(error),
    }
}
