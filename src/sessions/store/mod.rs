//! Queries on `sessions`.
//!
//! Here are those that concern any session; active sessions, rotation and ending have files of
//! their own.

mod active;
mod ending;
mod rotation;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};
use time::OffsetDateTime;

pub(super) use self::active::{count_active, find_active, has_active, list_active};
pub use self::ending::{end, end_all, end_from, end_others};
pub(super) use self::ending::{end_excess, end_unless_of};
pub(super) use self::rotation::{confirm, find_token_state, reuse_successor, rotate};
use super::session::{AuthMethod, SessionRecord};
use super::tokens::RefreshToken;
use crate::clock::{from_micros, to_micros};
use crate::db::entity::session;
use crate::db::entity::session::Column;
use crate::db::{Db, DbError, Invalidate, Transaction};
use crate::types::{RequestInfo, SessionId, UserId};

/// An ended session keeps its row for this long, so that its owner can still see it.
const KEEP_EXPIRED: time::Duration = time::Duration::days(30);

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

/// Records the use of a session.
pub(in crate::sessions) async fn touch(
    db: &Db,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    session::Entity::update_many()
        .col_expr(Column::LastSeenAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(session.to_string()))
        .filter(Column::EndedAt.is_null())
        // Another node may have recorded a later use.
        .filter(Column::LastSeenAt.lt(to_micros(now)))
        .exec(db.writer())
        .await?;
    Ok(())
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
