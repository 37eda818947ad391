//! Statements that end sessions.
//!
//! After the commit the ended sessions leave the cache.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, UpdateMany,
};
use time::OffsetDateTime;

use crate::clock::to_micros;
use crate::db::entity::session;
use crate::db::entity::session::Column;
use crate::db::entity::user;
use crate::db::{DbError, Invalidate, Transaction};
use crate::sessions::session::EndReason;
use crate::sessions::session_rules::SessionRules;
use crate::types::{SessionId, Transport, UserId};

/// How many active sessions an account may have, counted separately for cookies and for API tokens
/// (ASVS 5.0, 7.1.2). No user has a hundred devices; a program that logs in for each run reaches
/// the bound soon, and then loses its own oldest sessions.
const MAX_ACTIVE: u64 = 100;

/// How many sessions beyond the bound one log-in ends at most: an account that has collected
/// thousands of them loses them gradually, and no log-in waits for all.
const MAX_ENDED_AT_ONCE: u64 = 200;

/// Ends the sessions of a user beyond the bound, among those of the same transport.
pub(in crate::sessions) async fn end_excess(
    transaction: &Transaction,
    user: UserId,
    new: SessionId,
    transport: Transport,
    rules: SessionRules,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, DbError> {
    // Ranked within each user agent: a program that logs in again and again pushes out its own
    // least recently used sessions before those of other programs.
    let rank_in_user_agent =
        Expr::cust("ROW_NUMBER() OVER (PARTITION BY user_agent ORDER BY last_seen_at DESC, id)");
    let beyond = session::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::UserId.eq(user.0))
        .filter(Column::Transport.eq(transport.as_str()))
        .filter(Column::Id.ne(new.to_string()))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .filter(Column::LastSeenAt.gt(rules.seen_after(now)))
        .order_by(rank_in_user_agent, Order::Asc)
        .order_by_desc(Column::LastSeenAt)
        .order_by_desc(Column::Id)
        // The new session is not among the candidates.
        .offset(MAX_ACTIVE - 1)
        .limit(MAX_ENDED_AT_ONCE);
    let rows = update_ended(EndReason::TooMany, now)
        .filter(Column::Id.in_subquery(beyond.into_query()))
        .exec_with_returning(transaction.connection())
        .await?;
    Ok(ended(transaction, &rows))
}

/// Ends a session; with `user`, only if it belongs to this user.
pub async fn end(
    transaction: &Transaction,
    session: SessionId,
    user: Option<UserId>,
    why: EndReason,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::Session(session));
    let mut update = update_ended(why, now).filter(Column::Id.eq(session.to_string()));
    if let Some(user) = user {
        update = update.filter(Column::UserId.eq(user.0));
    }
    // `update_ended` leaves ended sessions alone, so of several requests one gets `true`.
    let done = update.exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

/// Ends a session unless it belongs to this user.
pub(in crate::sessions) async fn end_unless_of(
    transaction: &Transaction,
    session: SessionId,
    user: UserId,
    why: EndReason,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::Session(session));
    let update = update_ended(why, now).filter(Column::Id.eq(session.to_string()));
    update.filter(Column::UserId.ne(user.0)).exec(transaction.connection()).await?;
    Ok(())
}

/// Ends a session of a user, at the request of the session `acting`, which may be the same. Returns
/// `false` if the user has no such active session, or if `acting` has itself ended.
pub async fn end_from(
    transaction: &Transaction,
    user: UserId,
    acting: SessionId,
    session: SessionId,
    why: EndReason,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::Session(session));
    lock_owner(transaction, user).await?;
    let done = update_ended(why, now)
        .filter(Column::UserId.eq(user.0))
        .filter(Column::Id.eq(session.to_string()))
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .filter(Expr::exists(select_active(acting, now)))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Ends every active session of a user but `acting`; returns their ids. Ends none if `acting` has
/// itself ended.
pub async fn end_others(
    transaction: &Transaction,
    user: UserId,
    acting: SessionId,
    why: EndReason,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, DbError> {
    lock_owner(transaction, user).await?;
    let rows = update_ended(why, now)
        .filter(Column::UserId.eq(user.0))
        .filter(Column::Id.ne(acting.to_string()))
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        // Of two sessions that end each other, one remains.
        .filter(Expr::exists(select_active(acting, now)))
        .exec_with_returning(transaction.connection())
        .await?;
    Ok(ended(transaction, &rows))
}

/// Ends every session of a user but `except`; returns their ids. The caller holds the lock on the
/// account.
pub async fn end_all(
    transaction: &Transaction,
    user: UserId,
    except: Option<SessionId>,
    why: EndReason,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, DbError> {
    let mut update = update_ended(why, now).filter(Column::UserId.eq(user.0));
    if let Some(except) = except {
        update = update.filter(Column::Id.ne(except.to_string()));
    }
    let rows = update.exec_with_returning(transaction.connection()).await?;
    Ok(ended(transaction, &rows))
}

/// Locks the account, so that statements that end its sessions, and log-ins, run one after the
/// other.
async fn lock_owner(transaction: &Transaction, user: UserId) -> Result<(), DbError> {
    // Two updates of many rows could deadlock; and of two sessions that end each other, the second
    // must see that it has ended. SQLite has one writer anyway.
    user::Entity::find_by_id(user.0)
        .select_only()
        .column(user::Column::Id)
        .lock_exclusive()
        .into_tuple::<i64>()
        .one(transaction.connection())
        .await?;
    Ok(())
}

fn update_ended(why: EndReason, now: OffsetDateTime) -> UpdateMany<session::Entity> {
    session::Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(to_micros(now)))
        .col_expr(Column::EndedBecause, Expr::value(why.as_str()))
        .filter(Column::EndedAt.is_null())
}

/// Selects a row if this session is active.
fn select_active(session: SessionId, now: OffsetDateTime) -> SelectStatement {
    // The statement changes the same table, so the subquery needs a name of its own for it.
    let acting = Alias::new("asking");
    let column = |column: Column| Expr::col((acting.clone(), column));
    Query::select()
        .expr(Expr::val(1))
        .from_as(session::Entity, acting.clone())
        .and_where(column(Column::Id).eq(session.to_string()))
        .and_where(column(Column::EndedAt).is_null())
        .and_where(column(Column::ExpiresAt).gt(to_micros(now)))
        .take()
}

/// Returns the ids of sessions that a statement has ended; after the commit they leave the cache.
fn ended(transaction: &Transaction, rows: &[session::Model]) -> Vec<SessionId> {
    let ids: Vec<_> = rows.iter().filter_map(|row| row.id.parse().ok()).collect();
    for id in &ids {
        transaction.after_commit(Invalidate::Session(*id));
    }
    ids
}
