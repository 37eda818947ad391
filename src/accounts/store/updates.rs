//! Statements that change an account.
//!
//! Each registers what the cache must forget after the commit. A rule that must hold, such as the
//! last superuser, is a condition of the statement.

use sea_orm::sea_query::{Alias, Cond, Expr, ExprTrait as _, SelectStatement};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _,
    UpdateMany,
};
use time::OffsetDateTime;

use super::row::column_of;
use crate::accounts::account::{AccountUpdate, VerifiedHash};
use crate::clock::to_micros;
use crate::crypto::PasswordHash;
use crate::db::entity::user;
use crate::db::entity::user::Column;
use crate::db::{DbError, Invalidate, Transaction};
use crate::types::{Email, Language, Profile, ProfileField, UserId};

/// Writes a profile and the language of e-mails.
pub async fn set_profile(
    transaction: &Transaction,
    id: UserId,
    profile: &Profile,
    language: Language,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::User(id));
    set_profile_columns(begin_update(id, now), profile)
        .col_expr(Column::Language, Expr::value(language.tag()))
        .exec(transaction.connection())
        .await?;
    Ok(())
}

/// Writes a locked account. Returns `false` when it is no longer at `version`, or when it is the
/// last active superuser and would not stay one.
pub async fn update(
    transaction: &Transaction,
    id: UserId,
    version: i64,
    update: &AccountUpdate,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let stays = update.is_superuser && update.is_active;
    let mut update = set_profile_columns(begin_update(id, now), &update.profile)
        .col_expr(Column::Email, Expr::value(update.email.as_typed()))
        .col_expr(Column::IsActive, Expr::value(update.is_active))
        .col_expr(Column::IsStaff, Expr::value(update.is_staff))
        .col_expr(Column::IsSuperuser, Expr::value(update.is_superuser))
        .filter(Column::Version.eq(version));
    if !stays {
        // A condition of the statement, so that nothing changes between the check and the write.
        update = update.filter(is_not_last_superuser(id));
    }
    let done = update.exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

pub(in crate::accounts) async fn update_last_login(
    transaction: &Transaction,
    id: UserId,
    verified: Option<&VerifiedHash>,
    must_be_verified: bool,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let mut update = user::Entity::update_many()
        .col_expr(Column::LastLoginAt, Expr::value(to_micros(now)))
        // A log-in cancels a pending deletion.
        .col_expr(Column::DeletesAt, Expr::value(None::<i64>))
        .filter(Column::Id.eq(id.0))
        .filter(Column::IsActive.eq(true));
    if must_be_verified {
        update = update.filter(Column::EmailVerifiedAt.is_not_null());
    }
    if let Some(verified) = verified {
        update = update
            // A hash of lower cost is renewed at log-in.
            .col_expr(Column::PasswordHash, Expr::value(verified.current.as_str()))
            // The password may have been changed since it was verified.
            .filter(Column::PasswordHash.eq(verified.stored.as_str()));
    }
    let done = update.exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

pub(in crate::accounts) async fn update_password(
    transaction: &Transaction,
    id: UserId,
    hash: Option<&PasswordHash>,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::User(id));
    user::Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(hash.map(PasswordHash::as_str)))
        .col_expr(Column::UpdatedAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(id.0))
        .exec(transaction.connection())
        .await?;
    Ok(())
}

pub(in crate::accounts) async fn update_verified(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::User(id));
    user::Entity::update_many()
        .col_expr(Column::EmailVerifiedAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(id.0))
        // A second verification does not move the instant of the first.
        .filter(Column::EmailVerifiedAt.is_null())
        .exec(transaction.connection())
        .await?;
    Ok(())
}

/// Writes a new address. Returns `false` when it was not free.
pub(in crate::accounts) async fn update_email(
    transaction: &Transaction,
    id: UserId,
    email: &Email,
    is_verified: bool,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let holder = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::EmailCanonical.eq(email.canonical()))
        .filter(Column::Id.ne(id.0))
        .into_query();
    let done = begin_update(id, now)
        .col_expr(Column::Email, Expr::value(email.as_typed()))
        .col_expr(Column::EmailCanonical, Expr::value(email.canonical()))
        .col_expr(Column::EmailVerifiedAt, Expr::value(is_verified.then(|| to_micros(now))))
        .filter(Expr::exists(holder).not())
        .exec(transaction.connection())
        .await
        .map_err(DbError::from);
    match done {
        Ok(done) => Ok(done.rows_affected == 1),
        // Of two accounts that want one address at once, the unique index refuses the second.
        Err(error) if error.is_duplicate() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns the condition that an account is no superuser, or not the last one that stays active.
pub(in crate::accounts) fn is_not_last_superuser(id: UserId) -> Cond {
    let other = Alias::new("other");
    let col = |column: Column| Expr::col((Alias::new("other"), column));
    let another = SelectStatement::new()
        .expr(Expr::value(1))
        .from_as(user::Entity, other)
        .and_where(col(Column::Id).ne(id.0))
        .and_where(col(Column::IsSuperuser).eq(true))
        .and_where(col(Column::IsActive).eq(true))
        // A superuser whose deletion is pending will not stay one.
        .and_where(col(Column::DeletesAt).is_null())
        .take();
    Cond::any().add(Column::IsSuperuser.eq(false)).add(Expr::exists(another))
}

/// Begins a statement that saves an account, which counts its version.
pub(in crate::accounts) fn begin_update(
    id: UserId,
    now: OffsetDateTime,
) -> UpdateMany<user::Entity> {
    user::Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(to_micros(now)))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(id.0))
}

fn set_profile_columns(
    update: UpdateMany<user::Entity>,
    profile: &Profile,
) -> UpdateMany<user::Entity> {
    let set = |update: UpdateMany<_>, field: &ProfileField| {
        update.col_expr(column_of(*field), Expr::value(profile.to_stored(*field)))
    };
    ProfileField::ALL.iter().fold(update, set)
}
