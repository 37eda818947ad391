//! The tokens of a session: which ones are valid, their rotation, and its confirmation.
//!
//! Each change is one conditional statement, so that of several requests at once one rotates. Does
//! not verify tokens.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _,
};
use time::OffsetDateTime;

use super::active::find_rows;
use crate::clock::{from_micros, to_micros};
use crate::db::entity::session;
use crate::db::entity::session::Column;
use crate::db::entity::user;
use crate::db::{Db, DbError, Transaction};
use crate::sessions::session::IfActive;
use crate::sessions::session_rules::SessionRules;
use crate::sessions::tokens::RefreshToken;
use crate::types::{RequestInfo, SessionId, UserId};

/// The tokens of an active session.
pub(in crate::sessions) struct TokenState {
    pub current: RefreshToken,
    pub previous_id: Option<String>,
    /// Whether no token of the last rotation has been used yet.
    pub is_unconfirmed: bool,
    /// In microseconds since 1970.
    pub last_seen_at: i64,
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
        // A row of an older version has nothing here, or another ID, and counts as confirmed: nodes
        // can be replaced one by one.
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

/// Rotates the refresh token, if it is still the current one.
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
        // Until a token of this rotation is used, its response may have been lost.
        .col_expr(Column::UnconfirmedJti, Expr::value(next.id.as_str()))
        .col_expr(Column::RotatedAt, Expr::value(to_micros(now)))
        .col_expr(Column::LastSeenAt, Expr::value(to_micros(now)))
        .col_expr(Column::Ip, Expr::value(info.ip()))
        .col_expr(Column::UserAgent, Expr::value(info.user_agent.as_str()))
        .filter(Column::Id.eq(presented.session.to_string()))
        .filter(Column::UserId.eq(presented.user.0))
        // Of several requests with one token, only the first still finds it here.
        .filter(Column::CurrentJti.eq(presented.id.as_str()))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .filter(Column::LastSeenAt.gt(rules.seen_after(now)))
        .filter(Expr::exists(active_owner.into_query()))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Accepts a replaced token, if no token of the rotation that replaced it has been used.
pub(in crate::sessions) async fn reuse_successor(
    transaction: &Transaction,
    presented: &RefreshToken,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = session::Entity::update_many()
        .col_expr(Column::LastSeenAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(presented.session.to_string()))
        .filter(Column::PreviousJti.eq(presented.id.as_str()))
        // Confirming the rotation changes the same row, so one of the two is first.
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
        // A later rotation has its own confirmation.
        .filter(Column::UnconfirmedJti.eq(rotation))
        .exec(db.writer())
        .await?;
    Ok(())
}
