//! Queries on `users`.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Alias, Cond, Expr, ExprTrait as _, LockType, SelectStatement};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DbBackend,
    DbErr, EntityTrait as _, ModelTrait as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, Statement, TryInsertResult, UpdateMany, Value,
};
use time::OffsetDateTime;

use super::{Account, AccountUpdate, NewAccount, VerifiedHash};
use crate::clock::{from_micros, to_micros};
use crate::crypto::PasswordHash;
use crate::db::entity::user;
use crate::db::entity::user::Column;
use crate::db::{Db, DbError, Executor, Invalidate, Transaction};
use crate::types::{Email, Language, Permissions, Profile, ProfileField, User, UserId};

/// Returns the addresses of these accounts, of those that exist.
pub async fn list_emails(db: &Db, ids: &[UserId]) -> Result<BTreeMap<UserId, String>, DbError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    // The list is one value, so that the statement is the same however long it is: preparing one with a
    // place for each of a thousand IDs takes longer than running it.
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

/// Returns the canonical forms of those of these addresses that have an account.
pub async fn list_taken(db: &Db, emails: &[&Email]) -> Result<Vec<String>, DbError> {
    let taken = user::Entity::find()
        .select_only()
        .column(Column::EmailCanonical)
        .filter(Column::EmailCanonical.is_in(emails.iter().map(|email| email.canonical())))
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(taken)
}

/// Counts the accounts: all of them, the inactive ones, those whose address is not verified, and those
/// created since an instant. Each is counted up to `at_most`, in an index.
pub async fn count(db: &Db, since: OffsetDateTime, at_most: u64) -> Result<[u64; 4], DbError> {
    let of = |condition: &str| {
        format!("(SELECT COUNT(*) FROM (SELECT id FROM users {condition} LIMIT {at_most}) AS few)")
    };
    // The conditions are spelled as in the partial indexes, or the planner would not use those.
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
        for (index, count) in counts.iter_mut().enumerate() {
            let number: i64 = row.try_get_by_index(index)?;
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

/// Returns those of these accounts that exist.
pub async fn list_by_ids(db: &Db, ids: &[UserId]) -> Result<Vec<Account>, DbError> {
    let ids = ids.iter().map(|id| id.0);
    let rows = user::Entity::find().filter(Column::Id.is_in(ids)).order_by(Column::Id, Order::Asc);
    rows.all(db.reader()).await?.into_iter().map(account_from_row).collect()
}

/// Returns the account with this ID.
pub async fn find_by_id(executor: &impl Executor, id: UserId) -> Result<Option<Account>, DbError> {
    let row = user::Entity::find_by_id(id.0).one(executor.connection()).await?;
    row.map(account_from_row).transpose()
}

/// Returns the account as it is now, and locks its row until the transaction ends. Changes to an account and
/// to what depends on it (links, sessions) begin here, and so they are serialized.
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

/// Returns whether the address was free. Of two accounts that want one address at once, the unique index
/// refuses the second, which is answered as if the address had been taken before.
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

/// Returns the condition that an account is no superuser, or not the last one that stays active.
pub(super) fn is_not_last_superuser(id: UserId) -> Cond {
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

/// Returns the highest ID of an account, or 0 when there is none.
pub async fn find_last(db: &Db) -> Result<UserId, DbError> {
    let last: Option<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .order_by(Column::Id, Order::Desc)
        .into_tuple()
        .one(db.reader())
        .await?;
    Ok(UserId(last.unwrap_or(0)))
}

/// Writes a locked account. Returns `false` when it is no longer at `version`, or when it is the last active
/// superuser and would not stay one. One statement decides.
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
        update = update.filter(is_not_last_superuser(id));
    }
    let done = update.exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

/// Begins a statement that saves an account, which counts its version.
pub(super) fn begin_update(id: UserId, now: OffsetDateTime) -> UpdateMany<user::Entity> {
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

/// Parses a row. A value that another program has damaged is a database error and not a reason to panic.
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
