//! Queries on `signing_keys`.

use sea_orm::{ActiveValue::Set, EntityTrait as _, QueryOrder as _, TryInsertResult};
use time::OffsetDateTime;

use crate::clock::to_micros;
use crate::crypto::Algorithm;
use crate::db::entity::signing_key::{self, Column};
use crate::db::{Db, DbError, Transaction};

pub(super) struct NewKey {
    pub id: String,
    pub algorithm: Algorithm,
    pub generation: i64,
    pub sealed: String,
}

pub(super) struct StoredKey {
    pub algorithm: String,
    pub sealed: String,
}

pub(super) async fn list(db: &Db) -> Result<Vec<StoredKey>, DbError> {
    let rows =
        signing_key::Entity::find().order_by_desc(Column::Generation).all(db.reader()).await?;
    Ok(rows
        .into_iter()
        .map(|row| StoredKey { algorithm: row.algorithm, sealed: row.sealed })
        .collect())
}

/// `false` means that another node made this generation first.
pub(super) async fn insert(
    transaction: &Transaction,
    key: NewKey,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let row = signing_key::ActiveModel {
        id: Set(key.id),
        algorithm: Set(key.algorithm.name().to_owned()),
        generation: Set(key.generation),
        sealed: Set(key.sealed),
        created_at: Set(to_micros(now)),
    };
    let inserted = signing_key::Entity::insert(row)
        .on_conflict_do_nothing_on([Column::Algorithm, Column::Generation])
        .exec_without_returning(transaction.connection())
        .await?;
    Ok(matches!(inserted, TryInsertResult::Inserted(1)))
}
