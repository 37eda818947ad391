//! Queries on `users`.
//!
//! Here an account is inserted, found and locked; lists and updates have files of their own.

mod lists;
mod row;
mod updates;

use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, TryInsertResult,
};
use time::OffsetDateTime;

use crate::accounts::account::{Account, NewAccount};
use crate::clock::to_micros;
use crate::db::entity::user;
use crate::db::entity::user::Column;
use crate::db::{DbError, Executor, Transaction};
use crate::types::{Email, ProfileField, UserId};

pub use self::lists::{count, find_last, list_by_ids, list_emails, list_taken};
pub(crate) use self::row::user_from_row;
use self::row::{account_from_row, column_of};
pub(super) use self::updates::{
    begin_update, is_not_last_superuser, update_email, update_last_login, update_password,
    update_verified,
};
pub use self::updates::{set_profile, update};

pub(super) async fn insert(
    transaction: &Transaction,
    account: NewAccount,
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    let mut row = user::ActiveModel {
        email: Set(account.email.as_typed().to_owned()),
        email_canonical: Set(account.email.canonical().to_owned()),
        password_hash: Set(account.password_hash.map(|hash| hash.as_str().to_owned())),
        is_staff: Set(account.is_staff),
        is_superuser: Set(account.is_superuser),
        email_verified_at: Set(account.is_verified.then(|| to_micros(now))),
        language: Set(account.language.tag().to_owned()),
        created_at: Set(to_micros(now)),
        updated_at: Set(to_micros(now)),
        is_active: Set(account.is_active),
        ..Default::default()
    };
    for field in ProfileField::ALL {
        row.set(column_of(*field), account.profile.to_stored(*field).into());
    }
    let inserted = user::Entity::insert(row)
        // Of two sign-ups with one address at once, the unique index lets one insert its row.
        .on_conflict_do_nothing_on([Column::EmailCanonical])
        .exec(transaction.connection())
        .await?;
    Ok(match inserted {
        TryInsertResult::Inserted(done) => Some(UserId(done.last_insert_id)),
        TryInsertResult::Conflicted | TryInsertResult::Empty => None,
    })
}

/// Returns the account with this address.
pub async fn find_by_email(
    executor: &impl Executor,
    email: &Email,
) -> Result<Option<Account>, DbError> {
    let row = user::Entity::find()
        .filter(Column::EmailCanonical.eq(email.canonical()))
        .one(executor.connection())
        .await?;
    row.map(account_from_row).transpose()
}

/// Returns the account with this ID.
pub async fn find_by_id(executor: &impl Executor, id: UserId) -> Result<Option<Account>, DbError> {
    let row = user::Entity::find_by_id(id.0).one(executor.connection()).await?;
    row.map(account_from_row).transpose()
}

/// Returns the account as it is now, and locks its row until the transaction ends. Changes to an
/// account and to what depends on it (links, sessions) begin here, and so they are serialized.
pub async fn lock(transaction: &Transaction, id: UserId) -> Result<Option<Account>, DbError> {
    // SQLite ignores the lock: a transaction that writes has no rival there.
    let row =
        user::Entity::find_by_id(id.0).lock(LockType::Update).one(transaction.connection()).await?;
    row.map(account_from_row).transpose()
}

/// Returns whether there is an active superuser.
pub async fn has_superuser(executor: &impl Executor) -> Result<bool, DbError> {
    let row: Option<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::IsSuperuser.eq(true))
        .filter(Column::IsActive.eq(true))
        .into_tuple()
        .one(executor.connection())
        .await?;
    Ok(row.is_some())
}
