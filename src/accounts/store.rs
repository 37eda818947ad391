//! Queries on `users`.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, TryInsertResult,
};
use time::OffsetDateTime;

use super::{Account, NewAccount, ProvedHash};
use crate::clock::{from_micros, to_micros};
use crate::crypto::PasswordHash;
use crate::db::entity::user::{self, Column};
use crate::db::{Db, DbError, Transaction};
use crate::types::{BirthDate, Email, Gender, Name, Person, UserId};

pub(super) async fn insert(
    transaction: &Transaction,
    account: NewAccount,
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    let row = user::ActiveModel {
        email: Set(account.email.as_typed().to_owned()),
        email_canonical: Set(account.email.canonical().to_owned()),
        password_hash: Set(Some(account.password_hash.as_str().to_owned())),
        name: Set(account.name.as_str().to_owned()),
        gender: Set(account.gender.map(|gender| gender.as_str().to_owned())),
        date_of_birth: Set(account.date_of_birth.map(|date| date.to_string())),
        is_staff: Set(account.is_superuser),
        is_superuser: Set(account.is_superuser),
        created_at: Set(to_micros(now)),
        updated_at: Set(to_micros(now)),
        is_active: Set(true),
        ..Default::default()
    };
    let inserted = user::Entity::insert(row)
        .on_conflict_do_nothing_on([Column::EmailCanonical])
        .exec(transaction.connection())
        .await?;
    Ok(match inserted {
        TryInsertResult::Inserted(done) => Some(UserId(done.last_insert_id)),
        TryInsertResult::Conflicted | TryInsertResult::Empty => None,
    })
}

pub(super) async fn find_by_email(db: &Db, email: &Email) -> Result<Option<Account>, DbError> {
    let row = user::Entity::find()
        .filter(Column::EmailCanonical.eq(email.canonical()))
        .one(db.reader())
        .await?;
    row.map(account).transpose()
}

pub(super) async fn has_superuser<C: ConnectionTrait>(connection: &C) -> Result<bool, DbError> {
    let row: Option<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::IsSuperuser.eq(true))
        .filter(Column::IsActive.eq(true))
        .into_tuple()
        .one(connection)
        .await?;
    Ok(row.is_some())
}

pub(super) async fn update_last_login(
    transaction: &Transaction,
    id: UserId,
    proved: Option<&ProvedHash>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let mut update = user::Entity::update_many()
        .col_expr(Column::LastLoginAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(id.0))
        .filter(Column::IsActive.eq(true));
    if let Some(proved) = proved {
        update = update
            .col_expr(Column::PasswordHash, Expr::value(proved.fresh.as_str()))
            .filter(Column::PasswordHash.eq(proved.stored.as_str()));
    }
    let done = update.exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn update_password(
    transaction: &Transaction,
    id: UserId,
    hash: &PasswordHash,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = user::Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(hash.as_str()))
        .col_expr(Column::UpdatedAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(id.0))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

fn account(row: user::Model) -> Result<Account, DbError> {
    let password_hash = row.password_hash.clone().map(PasswordHash::from_stored);
    let is_active = row.is_active;
    Ok(Account { person: person(&row)?, password_hash, is_active })
}

/// The words of a row. What was a word when it was written is one when it is read; a row that
/// another program has spoilt is an error of the database and not a reason to panic.
pub(crate) fn person(row: &user::Model) -> Result<Person, DbError> {
    let spoilt = |column: &str| sea_orm::DbErr::Type(format!("users.{column} of {}", row.id));
    Ok(Person {
        id: UserId(row.id),
        email: Email::parse(&row.email).map_err(|_| spoilt("email"))?,
        name: Name::parse(&row.name).map_err(|_| spoilt("name"))?,
        gender: match &row.gender {
            Some(gender) => Gender::parse(gender).map_err(|_| spoilt("gender"))?,
            None => None,
        },
        date_of_birth: match &row.date_of_birth {
            Some(date) => Some(BirthDate::from_iso(date).ok_or_else(|| spoilt("date_of_birth"))?),
            None => None,
        },
        is_staff: row.is_staff,
        is_superuser: row.is_superuser,
        email_verified_at: row.email_verified_at.map(from_micros),
        created_at: from_micros(row.created_at),
    })
}
