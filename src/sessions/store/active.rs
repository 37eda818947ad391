//! Queries on active sessions: those that have neither ended nor expired and whose user may use
//! them.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, FromQueryResult, Order, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use time::OffsetDateTime;

use crate::accounts::store::user_from_row;
use crate::cache::ActiveSession;
use crate::clock::{from_micros, to_micros};
use crate::db::entity::session;
use crate::db::entity::session::Column;
use crate::db::entity::user;
use crate::db::{Db, DbError};
use crate::sessions::session::{IfActive, SessionInvalid, SessionList, SessionSummary};
use crate::sessions::session_rules::SessionRules;
use crate::types::{SessionId, UserId};

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

pub(super) async fn find_rows(
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

/// Returns when a session ends unless it is used again.
fn ends_at(row: &session::Model, rules: SessionRules) -> OffsetDateTime {
    let expires_at = from_micros(row.expires_at);
    rules.idle.map_or(expires_at, |idle| Ord::min(expires_at, from_micros(row.last_seen_at) + idle))
}

/// Lists the active sessions of a user: `this` first, then by last use.
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
        // The total comes with each row, which saves a second statement.
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
