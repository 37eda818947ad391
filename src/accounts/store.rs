//! Queries on `users`.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Alias, Cond, Expr, ExprTrait as _, LockType, SelectStatement};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbBackend, DbErr,
    EntityTrait as _, ModelTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, Statement, TryInsertResult, UpdateMany, Value,
};
use time::OffsetDateTime;

use super::{Account, AccountSnapshot, AccountUpdate, Deactivation, NewAccount, VerifiedHash};
use crate::clock::{from_micros, to_micros};
use crate::crypto::PasswordHash;
use crate::db::entity::user;
use crate::db::entity::user::Column;
use crate::db::{Db, DbError, Invalidate, Transaction};
use crate::types::{Email, Language, Permissions, Profile, ProfileField, User, UserId};

/// The list is one value, so that the statement is the same however long it is: to write and to prepare
/// one with a place for each of a thousand numbers takes longer than to run it.
pub(super) async fn list_emails(
    db: &Db,
    ids: &[UserId],
) -> Result<BTreeMap<UserId, String>, DbError> {
    let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let backend = db.reader().get_database_backend();
    let (is_listed, ids) = match backend {
        DbBackend::Postgres => ("= ANY(string_to_array($1, ',')::bigint[])", ids),
        _ => ("IN (SELECT value FROM json_each($1))", format!("[{ids}]")),
    };
    let sql = format!("SELECT id, email FROM users WHERE id {is_listed}");
    let statement = Statement::from_sql_and_values(backend, sql, [ids.into()]);
    let rows = db.reader().query_all_raw(statement).await?;
    let pairs = rows
        .iter()
        .map(|row| Ok::<_, DbErr>((UserId(row.try_get_by_index(0)?), row.try_get_by_index(1)?)));
    Ok(pairs.collect::<Result<_, _>>()?)
}

pub(super) async fn list_taken(db: &Db, emails: &[&Email]) -> Result<Vec<String>, DbError> {
    let taken = user::Entity::find()
        .select_only()
        .column(Column::EmailCanonical)
        .filter(Column::EmailCanonical.is_in(emails.iter().map(|email| email.canonical())))
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(taken)
}

/// Counted in one statement. The conditions stand as they stand in the partial indexes, or they would
/// not be found there.
pub(super) async fn count(
    db: &Db,
    since: OffsetDateTime,
    at_most: u64,
) -> Result<[u64; 4], DbError> {
    let of = |condition: &str| {
        format!("(SELECT COUNT(*) FROM (SELECT id FROM users {condition} LIMIT {at_most}) AS few)")
    };
    let since = format!("WHERE created_at >= {}", to_micros(since));
    let sql = format!(
        "SELECT {}, {}, {}, {}",
        of(""),
        of("WHERE NOT is_active"),
        of("WHERE email_verified_at IS NULL"),
        of(&since)
    );
    let connection = db.reader();
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let mut counts = [0; 4];
    if let Some(row) = connection.query_one_raw(statement).await? {
        for (place, count) in counts.iter_mut().enumerate() {
            let number: i64 = row.try_get_by_index(place)?;
            *count = number.unsigned_abs();
        }
    }
    Ok(counts)
}

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
        .on_conflict_do_nothing_on([Column::EmailCanonical])
        .exec(transaction.connection())
        .await?;
    Ok(match inserted {
        TryInsertResult::Inserted(done) => Some(UserId(done.last_insert_id)),
        TryInsertResult::Conflicted | TryInsertResult::Empty => None,
    })
}

pub(super) async fn find_by_email<C: ConnectionTrait>(
    connection: &C,
    email: &Email,
) -> Result<Option<Account>, DbError> {
    let row = user::Entity::find()
        .filter(Column::EmailCanonical.eq(email.canonical()))
        .one(connection)
        .await?;
    row.map(account_from_row).transpose()
}

pub(super) async fn list_by_ids(db: &Db, ids: &[UserId]) -> Result<Vec<Account>, DbError> {
    let ids = ids.iter().map(|id| id.0);
    let rows = user::Entity::find().filter(Column::Id.is_in(ids)).order_by(Column::Id, Order::Asc);
    rows.all(db.reader()).await?.into_iter().map(account_from_row).collect()
}

pub(super) async fn find_by_id<C: ConnectionTrait>(
    connection: &C,
    id: UserId,
) -> Result<Option<Account>, DbError> {
    let row = user::Entity::find_by_id(id.0).one(connection).await?;
    row.map(account_from_row).transpose()
}

/// On SQLite a transaction that writes has no rival anyway.
pub(super) async fn lock(
    transaction: &Transaction,
    id: UserId,
) -> Result<Option<Account>, DbError> {
    let row =
        user::Entity::find_by_id(id.0).lock(LockType::Update).one(transaction.connection()).await?;
    row.map(account_from_row).transpose()
}

/// In one order, so that two who do it take turns.
pub(super) async fn lock_superusers(transaction: &Transaction) -> Result<(), DbError> {
    let _: Vec<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::IsSuperuser.eq(true))
        .order_by(Column::Id, Order::Asc)
        .lock(LockType::Update)
        .into_tuple()
        .all(transaction.connection())
        .await?;
    Ok(())
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
    verified: Option<&VerifiedHash>,
    must_be_verified: bool,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let mut update = user::Entity::update_many()
        .col_expr(Column::LastLoginAt, Expr::value(to_micros(now)))
        .col_expr(Column::DeletesAt, Expr::value(None::<i64>))
        .filter(Column::Id.eq(id.0))
        .filter(Column::IsActive.eq(true));
    if must_be_verified {
        update = update.filter(Column::EmailVerifiedAt.is_not_null());
    }
    if let Some(verified) = verified {
        update = update
            .col_expr(Column::PasswordHash, Expr::value(verified.current.as_str()))
            .filter(Column::PasswordHash.eq(verified.stored.as_str()));
    }
    let done = update.exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn update_password(
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

pub(super) async fn update_verified(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::User(id));
    user::Entity::update_many()
        .col_expr(Column::EmailVerifiedAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(id.0))
        .filter(Column::EmailVerifiedAt.is_null())
        .exec(transaction.connection())
        .await?;
    Ok(())
}

/// Whether the address was free. The unique index decides between two who want it at once; to the
/// one who comes second it is as if it had been taken all along.
pub(super) async fn update_email(
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
        Err(error) if error.is_duplicate() => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) async fn update_profile(
    transaction: &Transaction,
    id: UserId,
    (profile, language): (&Profile, Language),
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::User(id));
    set_profile(begin_update(id, now), profile)
        .col_expr(Column::Language, Expr::value(language.tag()))
        .exec(transaction.connection())
        .await?;
    Ok(())
}

/// Whether the account is no superuser, or not the only one who stays.
fn is_not_last_superuser(id: UserId) -> Cond {
    let other = Alias::new("other");
    let col = |column: Column| Expr::col((Alias::new("other"), column));
    let another = SelectStatement::new()
        .expr(Expr::value(1))
        .from_as(user::Entity, other)
        .and_where(col(Column::Id).ne(id.0))
        .and_where(col(Column::IsSuperuser).eq(true))
        .and_where(col(Column::IsActive).eq(true))
        .and_where(col(Column::DeletesAt).is_null())
        .take();
    Cond::any().add(Column::IsSuperuser.eq(false)).add(Expr::exists(another))
}

pub(super) async fn update_deletes_at(
    transaction: &Transaction,
    id: UserId,
    at: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = user::Entity::update_many()
        .col_expr(Column::DeletesAt, Expr::value(to_micros(at)))
        .filter(Column::Id.eq(id.0))
        .filter(is_not_last_superuser(id))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn update_inactive(
    transaction: &Transaction,
    id: UserId,
    why: Deactivation<'_>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = begin_update(id, now)
        .col_expr(Column::IsActive, Expr::value(false))
        .col_expr(Column::InactiveReason, Expr::value(why.reason))
        .col_expr(Column::InactiveUntil, Expr::value(why.until.map(to_micros)))
        .col_expr(Column::DeletesAt, Expr::value(why.deletes_at.map(to_micros)))
        .filter(is_not_last_superuser(id))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn update_active(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::User(id));
    begin_update(id, now)
        .col_expr(Column::IsActive, Expr::value(true))
        .col_expr(Column::InactiveReason, Expr::value(""))
        .col_expr(Column::InactiveUntil, Expr::value(None::<i64>))
        .col_expr(Column::DeletesAt, Expr::value(None::<i64>))
        .exec(transaction.connection())
        .await?;
    Ok(())
}

pub(super) async fn update_restored(
    transaction: &Transaction,
    id: UserId,
    before: &AccountSnapshot,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = begin_update(id, now)
        .col_expr(Column::IsActive, Expr::value(before.is_active))
        .col_expr(Column::InactiveReason, Expr::value(before.reason.as_str()))
        .col_expr(Column::InactiveUntil, Expr::value(before.until.map(to_micros)))
        .col_expr(Column::DeletesAt, Expr::value(before.deletes_at.map(to_micros)))
        .filter(Column::Version.eq(before.version))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn find_last(db: &Db) -> Result<Option<UserId>, DbError> {
    let last: Option<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .order_by(Column::Id, Order::Desc)
        .into_tuple()
        .one(db.reader())
        .await?;
    Ok(last.map(UserId))
}

pub(super) async fn update_account(
    transaction: &Transaction,
    (id, version): (UserId, i64),
    update: &AccountUpdate,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let stays = update.is_superuser && update.is_active;
    let mut update = set_profile(begin_update(id, now), &update.profile)
        .col_expr(Column::Email, Expr::value(update.email.as_typed()))
        .col_expr(Column::IsActive, Expr::value(update.is_active))
        .col_expr(Column::IsStaff, Expr::value(update.is_staff))
        .col_expr(Column::IsSuperuser, Expr::value(update.is_superuser))
        .filter(Column::Version.eq(version));
    if !stays {
        update = update.filter(is_not_last_superuser(id));
    }
    let done = update.exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn update_suspension_over(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = begin_update(id, now)
        .col_expr(Column::IsActive, Expr::value(true))
        .col_expr(Column::InactiveReason, Expr::value(""))
        .col_expr(Column::InactiveUntil, Expr::value(None::<i64>))
        .filter(Column::IsActive.eq(false))
        .filter(Column::DeletesAt.is_null())
        .filter(Column::InactiveUntil.lte(to_micros(now)))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn list_suspended_until(
    db: &Db,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    let ids: Vec<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::InactiveUntil.lte(to_micros(now)))
        .filter(Column::IsActive.eq(false))
        .filter(Column::DeletesAt.is_null())
        .limit(at_most)
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

pub(super) async fn list_due(
    db: &Db,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    let ids: Vec<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::DeletesAt.lte(to_micros(now)))
        .limit(at_most)
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

pub(super) async fn list_unverified(
    db: &Db,
    before: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    let ids: Vec<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::EmailVerifiedAt.is_null())
        .filter(Column::CreatedAt.lt(to_micros(before)))
        .filter(Column::IsStaff.eq(false))
        .filter(Column::IsSuperuser.eq(false))
        .limit(at_most)
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

pub(super) async fn delete(transaction: &Transaction, id: UserId) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = user::Entity::delete_many()
        .filter(Column::Id.eq(id.0))
        .filter(is_not_last_superuser(id))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// What begins every statement that saves an account.
fn begin_update(id: UserId, now: OffsetDateTime) -> UpdateMany<user::Entity> {
    user::Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(to_micros(now)))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(id.0))
}

fn set_profile(update: UpdateMany<user::Entity>, profile: &Profile) -> UpdateMany<user::Entity> {
    let set = |update: UpdateMany<_>, field: &ProfileField| {
        update.col_expr(column_of(*field), Expr::value(profile.to_stored(*field)))
    };
    ProfileField::ALL.iter().fold(update, set)
}

fn column_of(field: ProfileField) -> Column {
    match field {
        ProfileField::Name => Column::Name,
        ProfileField::Gender => Column::Gender,
        ProfileField::DateOfBirth => Column::DateOfBirth,
    }
}

fn account_from_row(row: user::Model) -> Result<Account, DbError> {
    let password_hash = row.password_hash.clone().map(PasswordHash::from_stored);
    Ok(Account {
        user: user_from_row(&row)?,
        password_hash,
        is_active: row.is_active,
        deletes_at: row.deletes_at.map(from_micros),
        inactive_until: row.inactive_until.map(from_micros),
        version: row.version,
        last_login_at: row.last_login_at.map(from_micros),
        inactive_reason: row.inactive_reason,
    })
}

/// The words of a row. What was a word when it was written is one when it is read; a row that
/// another program has spoilt is an error of the database and not a reason to panic.
pub(crate) fn user_from_row(row: &user::Model) -> Result<User, DbError> {
    let malformed = |column: &str| sea_orm::DbErr::Type(format!("users.{column} of {}", row.id));
    let mut profile = Profile::default();
    for field in ProfileField::ALL {
        let Value::String(stored) = row.get(column_of(*field)) else {
            return Err(malformed(field.as_str()).into());
        };
        if !profile.set_stored(*field, stored.as_deref()) {
            return Err(malformed(field.as_str()).into());
        }
    }
    Ok(User {
        id: UserId(row.id),
        email: Email::from_stored(&row.email).map_err(|_| malformed("email"))?,
        profile,
        is_staff: row.is_staff,
        is_superuser: row.is_superuser,
        granted: Permissions::NONE,
        has_password: row.password_hash.is_some(),
        email_verified_at: row.email_verified_at.map(from_micros),
        language: Language::from_tag(&row.language).ok_or_else(|| malformed("language"))?,
        created_at: from_micros(row.created_at),
    })
}
