//! Queries on `signing_keys`.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Func, OnConflict, Query};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    Value,
};
use time::{Duration, OffsetDateTime};

use super::{FIRST, NewKey};
use crate::clock::{from_micros, to_micros};
use crate::db::entity::signing_key;
use crate::db::entity::signing_key::Column;
use crate::db::{Db, DbError, Transaction};

/// A key as it is stored.
pub(super) struct StoredKey {
    pub id: String,
    pub algorithm: String,
    pub generation: i64,
    pub sealed: String,
    pub signs_from: OffsetDateTime,
    /// The longest lifetime of the tokens that it signed.
    pub token_lifetime: Duration,
}

/// Lists all keys, the youngest first.
pub(super) async fn list(db: &Db) -> Result<Vec<StoredKey>, DbError> {
    let rows =
        signing_key::Entity::find().order_by_desc(Column::Generation).all(db.reader()).await?;
    let stored = rows.into_iter().map(|row| StoredKey {
        id: row.id,
        algorithm: row.algorithm,
        generation: row.generation,
        sealed: row.sealed,
        signs_from: from_micros(row.signs_from),
        token_lifetime: Duration::seconds(row.token_lifetime),
    });
    Ok(stored.collect())
}

/// Stores a key; returns `false` if another node has stored one of this generation before. After the
/// commit, [`load`](super::load) makes it known to this node.
pub async fn add(
    transaction: &Transaction,
    key: &NewKey,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let row: [(Column, Value); 7] = [
        (Column::Id, key.id.clone().into()),
        (Column::Algorithm, key.algorithm.name().into()),
        (Column::Generation, key.generation.into()),
        (Column::Sealed, key.sealed.clone().into()),
        (Column::CreatedAt, to_micros(now).into()),
        (Column::SignsFrom, to_micros(key.signs_from).into()),
        (Column::TokenLifetime, key.token_lifetime.whole_seconds().into()),
    ];
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    // One statement decides which node creates a generation: the one that finds the generation before it
    // and none in its own place.
    let mut select = Query::select();
    select.exprs(values.into_iter().map(Expr::value));
    if key.generation == FIRST {
        let any = Query::select().column(Column::Id).from(signing_key::Entity).take();
        select.and_where(Expr::exists(any).not());
    } else {
        select
            .from(signing_key::Entity)
            .and_where(Column::Generation.eq(key.generation - 1))
            // So that the command that discards all keys cannot delete the generation before meanwhile.
            .lock_exclusive();
    }
    let insert = Query::insert()
        .into_table(signing_key::Entity)
        .columns(columns)
        .select_from(select)
        .expect("as many values as columns")
        .on_conflict(OnConflict::column(Column::Generation).do_nothing().to_owned())
        .to_owned();
    let done = transaction.connection().execute(&insert).await?;
    Ok(done.rows_affected() == 1)
}

/// Raises the lifetime of tokens that is stored with these keys.
pub(super) async fn raise_token_lifetime(
    transaction: &Transaction,
    ids: &[String],
    lifetime: Duration,
) -> Result<(), DbError> {
    signing_key::Entity::update_many()
        .col_expr(Column::TokenLifetime, Expr::value(lifetime.whole_seconds()))
        .filter(Column::Id.is_in(ids))
        .filter(Column::TokenLifetime.lt(lifetime.whole_seconds()))
        .exec(transaction.connection())
        .await?;
    Ok(())
}

pub(super) async fn delete_before(
    transaction: &Transaction,
    generation: i64,
) -> Result<u64, DbError> {
    let done = signing_key::Entity::delete_many()
        .filter(Column::Generation.lt(generation))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}

/// Deletes keys that were replaced so long ago that everything they signed has expired.
pub(super) async fn delete_expired(
    transaction: &Transaction,
    slack: Duration,
    now: OffsetDateTime,
) -> Result<u64, DbError> {
    let younger = Alias::new("younger");
    let of_younger = |column: Column| Expr::col((younger.clone(), column));
    let of_key = |column: Column| Expr::col((signing_key::Entity, column));
    let signs_until = Query::select()
        .expr(Func::min(of_younger(Column::SignsFrom)))
        .from_as(signing_key::Entity, younger.clone())
        .and_where(of_younger(Column::Generation).gt(of_key(Column::Generation)))
        .take();
    let lifetime = of_key(Column::TokenLifetime).mul(MICROS_OF_A_SECOND);
    let done = signing_key::Entity::delete_many()
        .filter(Expr::expr(signs_until).add(lifetime).lte(to_micros(now - slack)))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}

const MICROS_OF_A_SECOND: i64 = 1_000_000;
