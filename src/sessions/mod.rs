//! Sessions: one row per log-in, created in one place, refreshed by rotating tokens, revoked at
//! once.
//!
//! [`create`] is the only way to a session: every method of authentication ends there, and there
//! the account is checked. Knows what tokens contain, not how they travel (cookies and headers
//! belong to the HTTP kit).

mod authenticate;
mod claims;
mod devices;
mod password;
mod store;
mod tokens;
mod usage;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use serde_json::{Value, json};
use time::OffsetDateTime;

pub use authenticate::{
    AccessError, AuthState, DeadCookies, RequestCredentials, authenticate_forwarded,
    authenticate_request, find_by_access_token,
};
pub use password::{
    AuthError, Inactive, VerifiedPassword, reauthenticate, reset_failures, retry_after,
    verify_password, why_inactive,
};
pub use store::{EndReason, end_all, list_all, record_reauthentication, sweep};
pub use tokens::IssuedToken;

use crate::accounts;
use crate::accounts::VerifiedHash;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::cache::ActiveSession;
use crate::config::EmailVerification;
use crate::context::Context;
use crate::crypto::jwt::TokenError;
use crate::db::{DbError, Transaction};
use crate::groups;
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::types::{Email, RequestInfo, SessionId, UserId};
use store::SessionRules;
use tokens::{Confirms, RefreshToken};

/// For this long after a rotation the replaced refresh token returns the same successor again,
/// whatever else has happened: two tabs may refresh at once. Later it does so only while no token
/// of that rotation has been used, because then the response may have been lost; otherwise the
/// token was stolen.
const ROTATION_WINDOW: time::Duration = time::Duration::seconds(10);

/// How a user was authenticated.
#[derive(Debug, Clone, Copy)]
pub enum AuthMethod<'a> {
    /// By the password that matches this hash; the session is created only if the hash is still the
    /// stored one.
    Password(&'a VerifiedHash),
    /// By signing up just now.
    NewAccount,
    /// By the one-time setup link for the first superuser.
    SetupLink,
    /// By the social log-in provider with this slug.
    Social(&'a str),
}

impl<'a> AuthMethod<'a> {
    fn hash(self) -> Option<&'a VerifiedHash> {
        match self {
            Self::Password(hash) => Some(hash),
            Self::NewAccount | Self::SetupLink | Self::Social(_) => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Password(_) | Self::NewAccount => "password",
            Self::SetupLink => "setup_link",
            Self::Social(_) => "social",
        }
    }

    /// Returns what the audit log records besides the name.
    fn details(self) -> Value {
        match self {
            Self::Social(provider) => json!({ "provider": provider }),
            _ => json!({}),
        }
    }
}

/// The tokens of a session.
#[derive(Debug, Clone)]
pub struct IssuedTokens {
    /// The session.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// The short-lived token that authenticates each request.
    pub access: IssuedToken,
    /// The long-lived token that is exchanged for the next pair.
    pub refresh: IssuedToken,
    /// The device token, for new sessions only.
    pub device: Option<String>,
}

/// An active session, as shown to its owner.
#[derive(Debug, Clone)]
pub struct SessionSummary {
    /// The session.
    pub session: SessionId,
    /// When the user logged in.
    pub created_at: OffsetDateTime,
    /// When its tokens were last refreshed.
    pub last_seen_at: OffsetDateTime,
    /// The `User-Agent` at that time.
    pub user_agent: String,
    /// The client address at that time.
    pub ip: String,
    /// The stored name of the [`AuthMethod`].
    pub auth_method: String,
}

/// The active sessions of a user.
#[derive(Debug, Clone)]
pub struct SessionList {
    /// The first of them.
    pub sessions: Vec<SessionSummary>,
    /// How many more there are.
    pub more: u64,
}

/// Everything that is stored about a session, without its tokens.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// The id.
    pub id: String,
    /// When the user logged in.
    pub created_at: OffsetDateTime,
    /// When its tokens were last refreshed.
    pub last_seen_at: OffsetDateTime,
    /// When it expires at the latest.
    pub expires_at: OffsetDateTime,
    /// When it was ended, if it was.
    pub ended_at: Option<OffsetDateTime>,
    /// The stored name of the [`EndReason`].
    pub ended_because: Option<String>,
    /// The stored name of the [`AuthMethod`].
    pub auth_method: String,
    /// The last `User-Agent`.
    pub user_agent: String,
    /// The last client address.
    pub ip: String,
}

/// Why a session is not active. Told only to clients that present a token of this session that we
/// signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionInvalid {
    /// It does not exist: its account was deleted, or the session was cleaned up long after its
    /// end.
    #[error("the session does not exist")]
    NotFound,
    /// The account is inactive.
    #[error("the account is inactive")]
    UserInactive,
    /// It was ended, or has expired.
    #[error("the session has ended")]
    Ended,
    /// The e-mail address must be verified first.
    #[error("the e-mail address is not verified")]
    EmailUnverified,
}

/// Why a refresh token was refused.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// It is not one of our refresh tokens, or it has expired.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its session is not active.
    #[error(transparent)]
    Session(#[from] SessionInvalid),
    /// It had been replaced before: it was copied, and the session was revoked.
    #[error("the token was replaced before")]
    Reused,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// How many sessions are listed: the bound of each transport.
const MAX_LISTED: u64 = 100;

/// How many active sessions an account may have, counted separately for cookies and for API tokens
/// (ASVS 5.0, 7.1.2). No user has a hundred devices; a program that logs in for each run reaches
/// the bound soon, and then loses its own oldest sessions.
const MAX_ACTIVE: u64 = 100;

/// How many sessions beyond the bound one log-in ends at most: an account that has collected
/// thousands of them loses them gradually, and no log-in waits for all.
const MAX_ENDED_AT_ONCE: u64 = 200;

/// Creates a session, if the account is active and its password is still the verified one;
/// otherwise returns `None`. The tokens are valid once the transaction is committed.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn create(
    ctx: &Context,
    transaction: &Transaction,
    (user, email): (UserId, &Email),
    method: AuthMethod<'_>,
    info: &RequestInfo,
) -> Result<Option<IssuedTokens>, DbError> {
    let now = ctx.clock.now();
    let rules = rules(ctx);
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
    let (owner, bounds) = ((user, session, info.transport), (MAX_ACTIVE, MAX_ENDED_AT_ONCE));
    store::end_excess(transaction, owner, bounds, rules, now).await?;
    let event = AuditEvent::by_owner(user, AuditEventKind::LoggedIn, info).in_session(session);
    audit::record(transaction, event.with_details(method.details()), now).await?;
    let device = Some(devices::issue(ctx, email));
    let custom = claims::for_new_session(ctx, transaction, user).await?;
    Ok(Some(IssuedTokens { device, ..tokens::issue(ctx, &token, Confirms::Nothing, custom, now) }))
}

/// Exchanges a refresh token for the next pair (rotation).
///
/// One conditional statement decides which request rotates. The replaced token returns the same
/// successor again: always for ten seconds, and later while no token of that rotation has been
/// used. Otherwise the token was copied, and the session is revoked.
///
/// # Errors
/// [`RefreshError`] says why the token was refused.
pub async fn refresh(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
) -> Result<IssuedTokens, RefreshError> {
    let now = ctx.clock.now();
    let presented = tokens::verify_refresh(ctx, token, now)?;
    if ctx.settings.rotate_refresh_tokens {
        let next = RefreshToken { id: ctx.random.token_id(), issued_at: now, ..presented.clone() };
        // The failed update may have waited for the row and hold its lock. Ending sessions locks
        // the account first, so this lock is released before anything else is read, to avoid a
        // deadlock.
        let transaction = ctx.db.begin().await?;
        if store::rotate(&transaction, &presented, &next, rules(ctx), info).await? {
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
///
/// # Errors
/// [`RefreshError`] says why the token was refused.
pub async fn refresh_access(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
) -> Result<IssuedTokens, RefreshError> {
    let now = ctx.clock.now();
    let presented = tokens::verify_refresh(ctx, token, now)?;
    let accepted = accept(ctx, &presented, info).await?;
    // The refresh token was not sent along, so using this access token does not confirm its
    // arrival.
    issue_next(ctx, &accepted.current, Confirms::Nothing, now).await
}

/// The refresh token that counts for a request that rotates nothing.
struct AcceptedToken {
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
async fn accepted_token(
    ctx: &Context,
    presented: &RefreshToken,
) -> Result<AcceptedToken, RefreshError> {
    let now = ctx.clock.now();
    let row = match store::find_token_state(&ctx.db, presented.session, rules(ctx), now).await? {
        Ok(row) => row,
        // The row is cleaned up before a long-lived token expires; the account may still exist.
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
    // Clocks of nodes differ, and a clock may have been set back: the distance counts, not the
    // order.
    let is_window_open = (now - row.current.issued_at).abs() < ROTATION_WINDOW;
    let is_replaced = row.previous_id.as_deref() == Some(&presented.id);
    if !is_replaced || !(is_window_open || row.is_unconfirmed) {
        return Err(RefreshError::Reused);
    }
    let is_unconfirmed = row.is_unconfirmed;
    Ok(AcceptedToken { current: row.current, is_unconfirmed, is_late: !is_window_open })
}

/// Revokes a session whose refresh token was copied, and e-mails its owner once: of many requests
/// with the same token, only the one that ends the session sends the e-mail.
async fn revoke_reused(
    ctx: &Context,
    presented: &RefreshToken,
    info: &RequestInfo,
) -> Result<RefreshError, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let owner = accounts::lock(&transaction, presented.user).await?;
    let key = (presented.session, Some(presented.user));
    let has_ended = store::end(&transaction, key, EndReason::TokenReused, now).await?;
    let Some(owner) = owner.filter(|_| has_ended) else { return Ok(SessionInvalid::Ended.into()) };
    let event = AuditEvent::on_user(presented.user, AuditEventKind::TokenReused, info)
        .in_session(presented.session);
    audit::record(&transaction, event, now).await?;
    let key = (presented.user, Some(&owner.user.email));
    let not_me = links::create(&transaction, ctx.random, Purpose::NotMe, key, now).await?;
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

/// Returns a session with its user, if it is active.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(ctx: &Context, session: SessionId) -> Result<Option<ActiveSession>, DbError> {
    Ok(find_or_reason(ctx, session).await?.ok())
}

/// Returns a session as the database has it now, past the cache.
///
/// # Errors
/// [`DbError`] when the database cannot.
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
) -> Result<Result<ActiveSession, SessionInvalid>, DbError> {
    let now = ctx.clock.now();
    match ctx.cache.find(session, now) {
        Some(active) => Ok(Ok(active)),
        None => read(ctx, session).await,
    }
}

/// Reads a session from the database into the cache.
async fn read(
    ctx: &Context,
    session: SessionId,
) -> Result<Result<ActiveSession, SessionInvalid>, DbError> {
    let now = ctx.clock.now();
    let asked = ctx.cache.epoch();
    let mut active = store::find_active(&ctx.db, session, rules(ctx), now).await?;
    if let Ok(ActiveSession { user, .. }) = &mut active
        && user.is_staff
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
///
/// # Errors
/// [`DbError`] when the database cannot.
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
///
/// # Errors
/// [`RefreshError`] says why it would be refused.
pub async fn check_token(ctx: &Context, token: &str) -> Result<(), RefreshError> {
    match find_by_access_token(ctx, token).await {
        Ok(_) => Ok(()),
        Err(AccessError::Token(TokenError::WrongType)) => {
            let presented = tokens::verify_refresh(ctx, token, ctx.clock.now())?;
            accepted_token(ctx, &presented).await.map(drop)
        }
        Err(AccessError::Token(error)) => Err(error.into()),
        Err(AccessError::Session(invalid)) => Err(invalid.into()),
        Err(AccessError::Broken(error)) => Err(error.into()),
    }
}

/// Returns whether an access token is one of ours and has not expired; does not look at its
/// session.
#[must_use]
pub fn is_access_token(ctx: &Context, token: &str) -> bool {
    tokens::verify_access(ctx, token, ctx.clock.now()).is_ok()
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
///
/// # Errors
/// [`RefreshError`] says why the token was refused.
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

/// Ends a session; returns `false` if it had ended already.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn end(
    transaction: &Transaction,
    session: SessionId,
    why: EndReason,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::end(transaction, (session, None), why, now).await
}

/// Ends a session if it belongs to this user.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn end_owned(
    transaction: &Transaction,
    (session, user): (SessionId, UserId),
    why: EndReason,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::end(transaction, (session, Some(user)), why, now).await
}

/// Commits a transaction that created a session, and ends the session that the browser had before.
///
/// # Errors
/// [`DbError`] when the database cannot; then nothing has changed.
pub async fn commit_replacing_session(
    ctx: &Context,
    transaction: Transaction,
    before: Option<SessionId>,
) -> Result<(), DbError> {
    if let Some(before) = before {
        end(&transaction, before, EndReason::Replaced, ctx.clock.now()).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Lists the active sessions of a user: `this` first, then by last use.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_active(
    ctx: &Context,
    user: UserId,
    this: SessionId,
) -> Result<SessionList, DbError> {
    store::list_active(&ctx.db, user, this, MAX_LISTED, rules(ctx), ctx.clock.now()).await
}

/// Ends a session of a user, at the request of the session `acting`, which may be the same. Returns
/// `false` if the user has no such active session, or if `acting` has itself ended.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn end_from(
    transaction: &Transaction,
    (user, acting): (UserId, SessionId),
    session: SessionId,
    why: EndReason,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::end_from(transaction, user, acting, session, why, now).await
}

/// Ends every active session of a user but `acting`; returns their ids. If `acting` has itself ended, none is ended: of two that end each other, one
/// remains.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn end_others(
    transaction: &Transaction,
    (user, acting): (UserId, SessionId),
    why: EndReason,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, DbError> {
    store::end_others(transaction, user, acting, why, now).await
}

/// Returns the rules that the settings set for active sessions.
fn rules(ctx: &Context) -> SessionRules {
    let needs_verified_email = ctx.settings.email_verification == EmailVerification::Mandatory;
    SessionRules { needs_verified_email, idle: idle_lifetime(ctx) }
}

/// Returns after how long an unused session ends; `None` if the setting is off.
fn idle_lifetime(ctx: &Context) -> Option<time::Duration> {
    let idle = time::Duration::try_from(ctx.settings.session_idle_lifetime).ok()?;
    (!idle.is_zero()).then_some(idle)
}

/// Returns whether a user has an active session.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn has_active(ctx: &Context, user: UserId) -> Result<bool, DbError> {
    store::has_active(&ctx.db, user, rules(ctx), ctx.clock.now()).await
}

/// Counts the active sessions, up to `at_most`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn count_active(
    ctx: &Context,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::count_active(&ctx.db, rules(ctx), now, at_most).await
}
