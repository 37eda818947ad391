//! Queries on `sessions`.

mod ending;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, FromQueryResult, Order,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use time::OffsetDateTime;

pub(super) use self::ending::end_excess;
pub use self::ending::{end, end_all, end_from, end_others};
use super::session::{
    AuthMethod, IfActive, SessionInvalid, SessionList, SessionRecord, SessionSummary,
};
use super::tokens::RefreshToken;
use crate::accounts::store::user_from_row;
use crate::cache::ActiveSession;
use crate::clock::{from_micros, to_micros};
use crate::db::entity::session;
use crate::db::entity::session::Column;
use crate::db::entity::user;
use crate::db::{Db, DbError, Invalidate, Transaction};
use crate::types::{RequestInfo, SessionId, UserId};

/// An ended session keeps its row for this long, so that its owner can still see it.
const KEEP_EXPIRED: time::Duration = time::Duration::days(30);

/// What a session needs to count as active, besides not having been ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::sessions) struct SessionRules {
    /// Whether the user's e-mail address must be verified.
    pub needs_verified_email: bool,
    /// After how long without use it ends.
    pub idle: Option<time::Duration>,
}

impl SessionRules {
    /// Returns the instant after which it must have been used, in microseconds.
    pub(super) fn seen_after(self, now: OffsetDateTime) -> i64 {
        self.idle.map_or(i64::MIN, |idle| to_micros(now - idle))
    }
}

/// The tokens of an active session.
pub(in crate::sessions) struct TokenState {
    pub current: RefreshToken,
    pub previous_id: Option<String>,
    /// Whether no token of the last rotation has been used yet.
    pub is_unconfirmed: bool,
    /// In microseconds since 1970.
    pub last_seen_at: i64,
}

pub(in crate::sessions) async fn insert(
    transaction: &Transaction,
    token: &RefreshToken,
    method: AuthMethod<'_>,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let now = to_micros(token.issued_at);
    let row = session::ActiveModel {
        id: Set(token.session.to_string()),
        user_id: Set(token.user.0),
        created_at: Set(now),
        last_seen_at: Set(now),
        expires_at: Set(to_micros(token.expires_at)),
        user_agent: Set(info.user_agent.clone()),
        ip: Set(info.ip()),
        auth_method: Set(method.as_str().to_owned()),
        authenticated_at: Set(now),
        current_jti: Set(token.id.clone()),
        previous_jti: Set(None),
        rotated_at: Set(now),
        ended_at: Set(None),
        ended_because: Set(None),
        unconfirmed_jti: Set(None),
        transport: Set(info.transport.as_str().to_owned()),
    };
    session::Entity::insert(row).exec_without_returning(transaction.connection()).await?;
    Ok(())
}

/// Rotates the refresh token, if it is still the current one: the one statement that decides which
/// of several requests rotates.
pub(in crate::sessions) async fn rotate(
    transaction: &Transaction,
    presented: &RefreshToken,
    next: &RefreshToken,
    rules: SessionRules,
    info: &RequestInfo,
) -> Result<bool, DbError> {
    let now = next.issued_at;
    // Looked up by key: a list of all active users would be built for each rotation.
    let owner = Expr::col((user::Entity, user::Column::Id));
    let mut active_owner = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(owner.equals((session::Entity, Column::UserId)))
        .filter(user::Column::IsActive.eq(true));
    if rules.needs_verified_email {
        active_owner = active_owner.filter(user::Column::EmailVerifiedAt.is_not_null());
    }
    let done = session::Entity::update_many()
        .col_expr(Column::CurrentJti, Expr::value(next.id.as_str()))
        .col_expr(Column::PreviousJti, Expr::value(presented.id.as_str()))
        .col_expr(Column::UnconfirmedJti, Expr::value(next.id.as_str()))
        .col_expr(Column::RotatedAt, Expr::value(to_micros(now)))
        .col_expr(Column::LastSeenAt, Expr::value(to_micros(now)))
        .col_expr(Column::Ip, Expr::value(info.ip()))
        .col_expr(Column::UserAgent, Expr::value(info.user_agent.as_str()))
        .filter(Column::Id.eq(presented.session.to_string()))
        .filter(Column::UserId.eq(presented.user.0))
        .filter(Column::CurrentJti.eq(presented.id.as_str()))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .filter(Column::LastSeenAt.gt(rules.seen_after(now)))
        .filter(Expr::exists(active_owner.into_query()))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Accepts a replaced token, if no token of the rotation that replaced it has been used. Confirming
/// the rotation changes the same row, so one of the two is first.
pub(in crate::sessions) async fn reuse_successor(
    transaction: &Transaction,
    presented: &RefreshToken,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = session::Entity::update_many()
        .col_expr(Column::LastSeenAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(presented.session.to_string()))
        .filter(Column::PreviousJti.eq(presented.id.as_str()))
        .filter(Expr::col(Column::UnconfirmedJti).equals(Column::CurrentJti))
        .filter(Column::EndedAt.is_null())
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Records that a token of this rotation has been used.
pub(in crate::sessions) async fn confirm(
    db: &Db,
    session: SessionId,
    rotation: &str,
) -> Result<(), DbError> {
    session::Entity::update_many()
        .col_expr(Column::UnconfirmedJti, Expr::value(None::<String>))
        .filter(Column::Id.eq(session.to_string()))
        .filter(Column::UnconfirmedJti.eq(rotation))
        .exec(db.writer())
        .await?;
    Ok(())
}

/// Records the use of a session, unless a later use is recorded already.
pub(in crate::sessions) async fn touch(
    db: &Db,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    session::Entity::update_many()
        .col_expr(Column::LastSeenAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(session.to_string()))
        .filter(Column::EndedAt.is_null())
        .filter(Column::LastSeenAt.lt(to_micros(now)))
        .exec(db.writer())
        .await?;
    Ok(())
}

/// Returns the tokens of an active session, or why it is not active.
pub(in crate::sessions) async fn find_token_state(
    db: &Db,
    session: SessionId,
    rules: SessionRules,
    now: OffsetDateTime,
) -> Result<IfActive<TokenState>, DbError> {
    let found = find_rows(db, session, rules, now).await?;
    Ok(found.map(|(row, _)| TokenState {
        is_unconfirmed: row.unconfirmed_jti.as_ref() == Some(&row.current_jti),
        last_seen_at: row.last_seen_at,
        current: RefreshToken {
            session,
            user: UserId(row.user_id),
            id: row.current_jti,
            issued_at: from_micros(row.rotated_at),
            expires_at: from_micros(row.expires_at),
        },
        previous_id: row.previous_jti,
    }))
}

/// Returns an active session with its user, or why it is not active.
pub(in crate::sessions) async fn find_active(
    db: &Db,
    session: SessionId,
    rules: SessionRules,
    now: OffsetDateTime,
) -> Result<IfActive<ActiveSession>, DbError> {
    match find_rows(db, session, rules, now).await? {
        Ok((row, owner)) => Ok(Ok(ActiveSession {
            session,
            user: Arc::new(user_from_row(&owner)?),
            expires_at: ends_at(&row, rules),
            last_seen_at: Arc::new(AtomicI64::new(row.last_seen_at)),
            authenticated_at: from_micros(row.authenticated_at),
            groups: Arc::default(),
        })),
        Err(invalid) => Ok(Err(invalid)),
    }
}

/// Returns when a session ends if it is not used any more.
fn ends_at(row: &session::Model, rules: SessionRules) -> OffsetDateTime {
    let expires_at = from_micros(row.expires_at);
    rules.idle.map_or(expires_at, |idle| Ord::min(expires_at, from_micros(row.last_seen_at) + idle))
}

async fn find_rows(
    db: &Db,
    session: SessionId,
    rules: SessionRules,
    now: OffsetDateTime,
) -> Result<IfActive<(session::Model, user::Model)>, DbError> {
    let query = session::Entity::find_by_id(session.to_string()).find_also_related(user::Entity);
    let Some((row, Some(owner))) = query.one(db.reader()).await? else {
        return Ok(Err(SessionInvalid::NotFound));
    };
    Ok(if !owner.is_active {
        Err(SessionInvalid::UserInactive)
    } else if row.ended_at.is_some() || ends_at(&row, rules) <= now {
        Err(SessionInvalid::Ended)
    } else if rules.needs_verified_email && owner.email_verified_at.is_none() {
        Err(SessionInvalid::EmailUnverified)
    } else {
        Ok((row, owner))
    })
}

#[derive(FromQueryResult)]
struct Listed {
    id: String,
    created_at: i64,
    last_seen_at: i64,
    user_agent: String,
    ip: String,
    auth_method: String,
    active: i64,
}

/// `this` first, then by last use. The total comes with each row, which saves a second statement.
pub(in crate::sessions) async fn list_active(
    db: &Db,
    user: UserId,
    this: SessionId,
    at_most: u64,
    rules: SessionRules,
    now: OffsetDateTime,
) -> Result<SessionList, DbError> {
    let is_this = Expr::col((session::Entity, Column::Id)).eq(this.to_string());
    let rows = session::Entity::find()
        .select_only()
        .columns([Column::Id, Column::CreatedAt, Column::LastSeenAt])
        .columns([Column::UserAgent, Column::Ip, Column::AuthMethod])
        .expr_as(Expr::cust("COUNT(*) OVER ()"), "active")
        .filter(Column::UserId.eq(user.0))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .filter(Column::LastSeenAt.gt(rules.seen_after(now)))
        .order_by(is_this, Order::Desc)
        .order_by_desc(Column::LastSeenAt)
        .order_by_desc(Column::Id)
        .limit(at_most)
        .into_model::<Listed>()
        .all(db.reader())
        .await?;
    let active = rows.first().map_or(0, |row| row.active);
    let more = u64::try_from(active).unwrap_or_default().saturating_sub(rows.len() as u64);
    let sessions = rows.into_iter().filter_map(|row| {
        Some(SessionSummary {
            session: row.id.parse().ok()?,
            created_at: from_micros(row.created_at),
            last_seen_at: from_micros(row.last_seen_at),
            user_agent: row.user_agent,
            ip: row.ip,
            auth_method: row.auth_method,
        })
    });
    Ok(SessionList { sessions: sessions.collect(), more })
}

/// Lists every stored session of a user, active or ended, newest first.
pub async fn list_all(db: &Db, user: UserId, at_most: u64) -> Result<Vec<SessionRecord>, DbError> {
    let rows = session::Entity::find()
        .filter(Column::UserId.eq(user.0))
        .order_by_desc(Column::CreatedAt)
        .limit(at_most)
        .all(db.reader())
        .await?;
    let kept = rows.into_iter().map(|row| SessionRecord {
        id: row.id,
        created_at: from_micros(row.created_at),
        last_seen_at: from_micros(row.last_seen_at),
        expires_at: from_micros(row.expires_at),
        ended_at: row.ended_at.map(from_micros),
        ended_because: row.ended_because,
        auth_method: row.auth_method,
        user_agent: row.user_agent,
        ip: row.ip,
    });
    Ok(kept.collect())
}

/// Records that the user has just reauthenticated in this session.
pub async fn record_reauthentication(
    transaction: &Transaction,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::Session(session));
    session::Entity::update_many()
        .col_expr(Column::AuthenticatedAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(session.to_string()))
        .filter(Column::EndedAt.is_null())
        .exec(transaction.connection())
        .await?;
    Ok(())
}

pub(in crate::sessions) async fn has_active(
    db: &Db,
    user: UserId,
    rules: SessionRules,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let active = session::Entity::find()
        .select_only()
        .column(Column::ExpiresAt)
        .filter(Column::UserId.eq(user.0))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .filter(Column::LastSeenAt.gt(rules.seen_after(now)))
        .limit(1)
        .into_tuple::<i64>();
    Ok(active.one(db.reader()).await?.is_some())
}

pub(in crate::sessions) async fn count_active(
    db: &Db,
    rules: SessionRules,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let active = session::Entity::find()
        .select_only()
        .column(Column::ExpiresAt)
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .filter(Column::LastSeenAt.gt(rules.seen_after(now)))
        .filter(Column::EndedAt.is_null())
        .limit(at_most);
    Ok(active.count(db.reader()).await?)
}

/// Deletes up to `at_most` sessions that ended a while ago; returns how many.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let expired = session::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::ExpiresAt.lt(to_micros(now - KEEP_EXPIRED)))
        .limit(at_most);
    let done = session::Entity::delete_many()
        .filter(Column::Id.in_subquery(expired.into_query()))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}
