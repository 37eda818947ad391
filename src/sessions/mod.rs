//! The sign-ins: one row each, opened in one place, renewed by rotating refresh tokens, ended at once.
//!
//! [`create`] is the only way in: whatever proved a person ends there, and there the account is
//! checked. Knows how tokens look and not how they travel.

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
pub use store::EndReason;
pub use tokens::IssuedToken;

use crate::accounts;
use crate::accounts::VerifiedHash;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::cache::ActiveSession;
use crate::config::EmailVerification;
use crate::context::Context;
use crate::crypto::jwt::TokenError;
use crate::db::{Db, DbError, Transaction};
use crate::groups;
use crate::links;
use crate::links::Purpose;
use crate::mail::{Kind, Letter};
use crate::outbox;
use crate::types::{Email, RequestInfo, SessionId, UserId};
use store::SessionRules;
use tokens::{Confirms, RefreshToken};

/// For this long after a rotation the replaced refresh token gives its successor whatever has been shown
/// meanwhile: two tabs may ask at once. Later it does so only while nothing that was issued with the
/// successor has been shown, for then the answer may have been lost; otherwise it is theft.
const ROTATION_WINDOW: time::Duration = time::Duration::seconds(10);

/// How a person proved who they are.
#[derive(Debug, Clone, Copy)]
pub enum AuthMethod<'a> {
    /// By the password that this hash was made of; the session opens only if the hash still stands.
    Password(&'a VerifiedHash),
    /// By having joined just now.
    NewAccount,
    /// By the link that makes the first superuser.
    SetupLink,
    /// By a provider of this name, who knows the person.
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

    /// What the trail says of it beyond that.
    fn details(self) -> Value {
        match self {
            Self::Social(provider) => json!({ "provider": provider }),
            _ => json!({}),
        }
    }
}

/// A session with the tokens that open it.
#[derive(Debug, Clone)]
pub struct IssuedTokens {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The short token that each request shows.
    pub access: IssuedToken,
    /// The long token that gets the next pair.
    pub refresh: IssuedToken,
    /// What the browser keeps to be known again; only a new session gives it.
    pub device: Option<String>,
}

/// A sign-in as its owner sees it.
#[derive(Debug, Clone)]
pub struct SessionSummary {
    /// The session.
    pub session: SessionId,
    /// When it was opened.
    pub created_at: OffsetDateTime,
    /// When its tokens were last renewed.
    pub last_seen_at: OffsetDateTime,
    /// What the browser called itself then.
    pub user_agent: String,
    /// The address then.
    pub ip: String,
    /// The stored name of how the person was proved.
    pub auth_method: String,
}

/// The living sign-ins of a person.
#[derive(Debug, Clone)]
pub struct SessionList {
    /// The first of them.
    pub sessions: Vec<SessionSummary>,
    /// How many there are beyond those.
    pub more: u64,
}

/// A sign-in with everything that is kept of it, tokens left out.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// The session's name.
    pub id: String,
    /// When it was opened.
    pub created_at: OffsetDateTime,
    /// When its tokens were last renewed.
    pub last_seen_at: OffsetDateTime,
    /// When it ends, or would have ended, at the latest.
    pub expires_at: OffsetDateTime,
    /// When it was ended.
    pub ended_at: Option<OffsetDateTime>,
    /// The stored name of why it was ended.
    pub ended_because: Option<String>,
    /// The stored name of how the person was proved.
    pub auth_method: String,
    /// What the browser called itself.
    pub user_agent: String,
    /// Its address.
    pub ip: String,
}

/// Why a session is worth nothing. To be told only to somebody with a token of it that is signed by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionInvalid {
    /// There is no such session any more; its account was deleted, or it ended long ago.
    #[error("the session is gone")]
    NotFound,
    /// The account may not be used.
    #[error("the account may not be used")]
    UserInactive,
    /// It was ended, or its time is over.
    #[error("the session is over")]
    Ended,
    /// The address must be proved first.
    #[error("the address is not proved")]
    EmailUnverified,
}

/// Why a refresh token gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Not a refresh token of ours, or expired.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its session is over, or the account may not be used.
    #[error(transparent)]
    Session(#[from] SessionInvalid),
    /// It had been replaced: somebody has a copy, and the session was ended.
    #[error("the token had been replaced")]
    Reused,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// How many sign-ins are listed: as many as one may have of either kind.
const MAX_LISTED: u64 = 100;

/// How many sessions of one account are alive at once, those in cookies and those of programs counted
/// apart (ASVS 5.0, 7.1.2). No user has a hundred devices; a program that logs in for each of its runs
/// has a hundred sessions soon, and then loses its own.
const MAX_ACTIVE: u64 = 100;

/// How many sessions beyond that one log-in ends at most: an account that has collected thousands of
/// them loses them bit by bit, and no log-in waits for all.
const MAX_ENDED_AT_ONCE: u64 = 200;

/// Opens a session for an account that is active at this moment, and whose password is still the one
/// that was proved; `None` means that it is not.
/// The tokens are good once the transaction is committed.
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
    for ended in store::end_excess(transaction, owner, bounds, rules, now).await? {
        // Before the commit, so this node too may see one of them for `session_cache` more, as others do.
        ctx.cache.invalidate(ended);
    }
    let event = AuditEvent::by_owner(user, AuditEventKind::LoggedIn, info).in_session(session);
    audit::record(transaction, event.with_details(method.details()), now).await?;
    let device = Some(devices::issue(ctx, email));
    let custom = claims::for_new_session(ctx, transaction, user).await?;
    Ok(Some(IssuedTokens { device, ..tokens::issue(ctx, &token, Confirms::Nothing, custom, now) }))
}

/// Exchanges a refresh token for the next pair.
///
/// One statement decides who rotates. The replaced token gives the same successor again: for ten seconds
/// always, and later while nothing issued with it has been shown. Otherwise there is a copy of the token,
/// and the session ends.
///
/// # Errors
/// [`RefreshError`] says why there is no next pair.
pub async fn refresh(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
) -> Result<IssuedTokens, RefreshError> {
    let now = ctx.clock.now();
    let presented = tokens::verify_refresh(ctx, token, now)?;
    if ctx.settings.rotate_refresh_tokens {
        let next = RefreshToken { id: ctx.random.token_id(), issued_at: now, ..presented.clone() };
        // A transaction that did not change the row may have waited for it and hold it. Whoever ends
        // sessions takes the account first, so it lets go before anything else is done.
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

/// Gives the next access token for a refresh token that stays as it is. For those who may not be able
/// to keep another one; a replaced token ends the session as in [`refresh`].
///
/// # Errors
/// [`RefreshError`] says why there is none.
pub async fn refresh_access(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
) -> Result<IssuedTokens, RefreshError> {
    let now = ctx.clock.now();
    let presented = tokens::verify_refresh(ctx, token, now)?;
    let accepted = accept(ctx, &presented, info).await?;
    // The refresh token does not go with it, so showing it says nothing of whether that has arrived.
    issue_next(ctx, &accepted.current, Confirms::Nothing, now).await
}

/// What a refresh token is good for that rotates nothing.
struct AcceptedToken {
    /// The token that counts now: the shown one, or its successor.
    current: RefreshToken,
    /// Whether it is the successor, and nothing that was issued with it has been shown.
    is_unconfirmed: bool,
    /// Whether that alone makes the shown one good.
    is_late: bool,
}

/// Accepts a refresh token without rotating it; one that is no longer good ends the session.
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

/// Finds the token for which a shown one is good: itself, or its successor. A successor that is shown
/// confirms the rotation.
async fn accepted_token(
    ctx: &Context,
    presented: &RefreshToken,
) -> Result<AcceptedToken, RefreshError> {
    let now = ctx.clock.now();
    let row = match store::find_token_state(&ctx.db, presented.session, rules(ctx), now).await? {
        Ok(row) => row,
        // A row that is over is swept before a long token has run out; its person may still be here.
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
    // Clocks of nodes differ, and a clock may have been set back: the distance counts, not the order.
    let is_window_open = (now - row.current.issued_at).abs() < ROTATION_WINDOW;
    let is_replaced = row.previous_id.as_deref() == Some(&presented.id);
    if !is_replaced || !(is_window_open || row.is_unconfirmed) {
        return Err(RefreshError::Reused);
    }
    let is_unconfirmed = row.is_unconfirmed;
    Ok(AcceptedToken { current: row.current, is_unconfirmed, is_late: !is_window_open })
}

/// Ends a session of which somebody has a copy, and tells its owner, once: of many tries with the
/// same token, the one that ends the session tells.
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
    let letter = Letter::new(Kind::TokenReused).with_not_me(not_me).about(info, now);
    outbox::put(&transaction, &ctx.keys, &owner.addressee(), &letter, now).await?;
    transaction.commit().await?;
    ctx.cache.invalidate(presented.session);
    tracing::warn!(
        user.id = presented.user.0, session.id = %presented.session, request.id = info.request_id,
        "session ended: a replaced refresh token was used again"
    );
    Ok(RefreshError::Reused)
}

/// The next pair of a session, with what is true of its owner now.
async fn issue_next(
    ctx: &Context,
    refresh: &RefreshToken,
    confirms: Confirms,
    now: OffsetDateTime,
) -> Result<IssuedTokens, RefreshError> {
    let custom = claims::for_refresh(ctx, refresh.session).await?;
    Ok(tokens::issue(ctx, refresh, confirms, custom, now))
}

/// The session and its owner, if it is alive and the owner's account is active.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(ctx: &Context, session: SessionId) -> Result<Option<ActiveSession>, DbError> {
    Ok(find_or_reason(ctx, session).await?.ok())
}

/// The same, or why it is over.
async fn find_or_reason(
    ctx: &Context,
    session: SessionId,
) -> Result<Result<ActiveSession, SessionInvalid>, DbError> {
    let now = ctx.clock.now();
    if let Some(active) = ctx.cache.find(session, now) {
        return Ok(Ok(active));
    }
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

/// The names of the groups that the owner of a session is in: asked for once and remembered as long as
/// the session is.
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

/// Whether a token of either kind would be taken now. Nothing is exchanged, and nobody is taken for a
/// thief.
///
/// # Errors
/// [`RefreshError`] says why it would not.
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

/// Whether an access token is one of ours and has not expired; whether its session lives is not asked.
#[must_use]
pub fn is_access_token(ctx: &Context, token: &str) -> bool {
    tokens::verify_access(ctx, token, ctx.clock.now()).is_ok()
}

/// The same of a refresh token.
#[must_use]
pub fn is_refresh_token(ctx: &Context, token: &str) -> bool {
    tokens::verify_refresh(ctx, token, ctx.clock.now()).is_ok()
}

/// The session that a refresh token names, and whose; whether they are still there is not asked.
///
/// # Errors
/// [`TokenError`] when it is not a refresh token of ours, or has expired.
pub fn session_id_in(ctx: &Context, token: &str) -> Result<(SessionId, UserId), TokenError> {
    let presented = tokens::verify_refresh(ctx, token, ctx.clock.now())?;
    Ok((presented.session, presented.user))
}

/// The living session of a refresh token, and whose. Nothing is exchanged; a token that had been
/// replaced ends the session, as in [`refresh`].
///
/// # Errors
/// [`RefreshError`] says why there is none.
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

/// Ends a session; `false` means that it was over already. The caller commits, then tells the cache
/// with [`invalidate_cached`].
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

/// The same if it is a session of this person.
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

/// Commits what opened a session; the one that the browser had before ends with it.
///
/// # Errors
/// [`DbError`] when the database cannot; then nothing has happened.
pub async fn commit_replacing_session(
    ctx: &Context,
    transaction: Transaction,
    before: Option<SessionId>,
) -> Result<(), DbError> {
    if let Some(before) = before {
        end(&transaction, before, EndReason::Replaced, ctx.clock.now()).await?;
    }
    transaction.commit().await?;
    before.inspect(|session| invalidate_cached(ctx, *session));
    Ok(())
}

/// The living sign-ins of a person: `this` first, then whichever was seen last.
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

/// Every sign-in of a person whose row is still there, living or over, newest first.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_all(db: &Db, user: UserId, at_most: u64) -> Result<Vec<SessionRecord>, DbError> {
    store::list_all(db, user, at_most).await
}

/// Ends a session of a person at the request of `acting`, which is another one or the same.
/// `false` means that the person has no such living session, or that `acting` is over itself.
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

/// Ends every living session of a person but `acting`; tells which, for [`invalidate_cached`] after the commit.
/// If `acting` is over itself, it ends none: of two that end each other, one is left.
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

/// Ends every session of a person but `except`; tells which, for [`invalidate_cached`] after the commit. The
/// account is locked.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn end_all(
    transaction: &Transaction,
    user: UserId,
    except: Option<SessionId>,
    why: EndReason,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, DbError> {
    store::end_all(transaction, user, except, why, now).await
}

/// Notes that the owner of a session has just proved to be it once more. The caller commits, then
/// tells the cache with [`invalidate_cached`].
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn record_reauthentication(
    transaction: &Transaction,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_authenticated_at(transaction, session, now).await
}

/// Where an address must be proved, sessions of accounts without a proved one are worth nothing.
fn rules(ctx: &Context) -> SessionRules {
    let needs_verified_email = ctx.settings.email_verification == EmailVerification::Mandatory;
    SessionRules { needs_verified_email, idle: idle_lifetime(ctx) }
}

/// After how long an unused session is over, if that is asked for.
fn idle_lifetime(ctx: &Context) -> Option<time::Duration> {
    let idle = time::Duration::try_from(ctx.settings.session_idle_lifetime).ok()?;
    (!idle.is_zero()).then_some(idle)
}

/// To be called after the end of a session has been committed.
pub fn invalidate_cached(ctx: &Context, session: SessionId) {
    ctx.cache.invalidate(session);
}

/// Whether a person has a living session.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn has_active(ctx: &Context, user: UserId) -> Result<bool, DbError> {
    store::has_active(&ctx.db, user, rules(ctx), ctx.clock.now()).await
}

/// How many sessions are alive, counted up to `at_most`.
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

/// Deletes up to `at_most` sessions that have been over for a while; tells how many.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_expired(transaction, now, at_most).await
}
