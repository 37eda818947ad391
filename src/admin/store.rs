//! Queries on `bulk_jobs` and `bulk_snapshots`.

use sea_orm::sea_query::{Cond, Expr, ExprTrait as _, LockBehavior, LockType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};
use time::OffsetDateTime;

use super::Actor;
use super::bulk_job::{BatchProgress, BulkJob, BulkJobKind, BulkJobState, Claim};
use crate::accounts::{Account, AccountSnapshot};
use crate::clock::{from_micros, to_micros};
use crate::db::entity::bulk_job;
use crate::db::entity::bulk_job::Column;
use crate::db::entity::bulk_job::Entity;
use crate::db::entity::bulk_snapshot;
use crate::db::{Db, DbError, Transaction};
use crate::types::{BulkJobId, RequestInfo, UserId};

pub(super) async fn insert(
    transaction: &Transaction,
    actor: Actor<'_>,
    kind: BulkJobKind,
    payload: String,
    total: Option<u64>,
    state: BulkJobState,
    now: OffsetDateTime,
) -> Result<BulkJobId, DbError> {
    let row = bulk_job::ActiveModel {
        kind: Set(kind.as_str().to_owned()),
        actor_id: Set(actor.user.id.0),
        ip: Set(actor.info.ip()),
        user_agent: Set(actor.info.user_agent.clone()),
        request_id: Set(actor.info.request_id.clone()),
        payload: Set(payload),
        state: Set(state.as_str().to_owned()),
        total: Set(total.map(signed)),
        created_at: Set(to_micros(now)),
        ..Default::default()
    };
    let done = Entity::insert(row).exec(transaction.connection()).await?;
    Ok(BulkJobId(done.last_insert_id))
}

/// Returns the job with this id.
pub async fn find(db: &Db, id: BulkJobId) -> Result<Option<BulkJob>, DbError> {
    Ok(Entity::find_by_id(id.0).one(db.reader()).await?.map(job))
}

/// Lists the latest jobs, newest first, without drafts.
pub async fn list_latest(db: &Db, at_most: u64) -> Result<Vec<BulkJob>, DbError> {
    let rows = Entity::find()
        .filter(Column::State.ne(BulkJobState::Draft.as_str()))
        .order_by(Column::Id, Order::Desc)
        .limit(at_most);
    Ok(rows.all(db.reader()).await?.into_iter().map(job).collect())
}

/// Returns whether any job is running.
pub async fn is_any_running(db: &Db) -> Result<bool, DbError> {
    // The worker asks every second, so this must stay one cheap query.
    let row: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::State.eq(BulkJobState::Running.as_str()))
        .into_tuple()
        .one(db.reader())
        .await?;
    Ok(row.is_some())
}

/// Locks the oldest running job that may be claimed.
pub(super) async fn lock_next(
    transaction: &Transaction,
    claim: Claim<'_>,
) -> Result<Option<(BulkJob, String)>, DbError> {
    let mut query = Entity::find().filter(Column::State.eq(BulkJobState::Running.as_str()));
    query = match claim {
        Claim::Id(id) => query.filter(Column::Id.eq(id.0)),
        Claim::NextExcept([]) => query,
        Claim::NextExcept(others) => {
            query.filter(Column::Id.is_not_in(others.iter().map(|other| other.0)))
        }
    };
    let row = query
        .order_by(Column::Id, Order::Asc)
        // Jobs that another node works on are skipped rather than waited for.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(transaction.connection())
        .await?;
    Ok(row.map(|row| {
        let payload = row.payload.clone();
        (job(row), payload)
    }))
}

/// Adds a batch to a locked job.
pub async fn update_progress(
    transaction: &Transaction,
    id: BulkJobId,
    progress: BatchProgress,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let mut update = Entity::update_many()
        .col_expr(Column::Cursor, Expr::value(progress.cursor))
        .col_expr(Column::Done, Expr::col(Column::Done).add(signed(progress.done)))
        .col_expr(Column::Skipped, Expr::col(Column::Skipped).add(signed(progress.skipped)))
        .filter(Column::Id.eq(id.0));
    if progress.state != BulkJobState::Running {
        // The specification may contain password hashes, and is not needed any more.
        update = update
            .col_expr(Column::State, Expr::value(progress.state.as_str()))
            .col_expr(Column::FinishedAt, Expr::value(to_micros(now)))
            .col_expr(Column::Payload, Expr::value(""));
    }
    update.exec(transaction.connection()).await?;
    Ok(())
}

pub(super) async fn update_started(
    transaction: &Transaction,
    id: BulkJobId,
    by: UserId,
    since: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(BulkJobState::Running.as_str()))
        .filter(Column::Id.eq(id.0))
        .filter(Column::ActorId.eq(by.0))
        .filter(Column::State.eq(BulkJobState::Draft.as_str()))
        .filter(Column::CreatedAt.gt(to_micros(since)))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Stops a running job. Returns `false` when it has ended.
pub async fn stop(
    transaction: &Transaction,
    id: BulkJobId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(BulkJobState::Stopped.as_str()))
        .col_expr(Column::FinishedAt, Expr::value(to_micros(now)))
        .col_expr(Column::Payload, Expr::value(""))
        .filter(Column::Id.eq(id.0))
        .filter(Column::State.eq(BulkJobState::Running.as_str()))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn update_undone(
    transaction: &Transaction,
    id: BulkJobId,
    by: BulkJobId,
    since: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = Entity::update_many()
        .col_expr(Column::UndoneBy, Expr::value(by.0))
        .filter(Column::Id.eq(id.0))
        .filter(Column::State.is_in([BulkJobState::Done.as_str(), BulkJobState::Stopped.as_str()]))
        .filter(Column::UndoneBy.is_null())
        .filter(Column::CreatedAt.gt(to_micros(since)))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Saves what an account was before the job changed it.
pub async fn save_snapshot(
    transaction: &Transaction,
    id: BulkJobId,
    before: &Account,
) -> Result<(), DbError> {
    let row = bulk_snapshot::ActiveModel {
        job_id: Set(id.0),
        user_id: Set(before.user.id.0),
        // The version that the action gave to the account: undoing finds out whether it was saved since.
        version: Set(before.version + 1),
        is_active: Set(before.is_active),
        inactive_reason: Set(before.inactive_reason.clone()),
        inactive_until: Set(before.inactive_until.map(to_micros)),
        deletes_at: Set(before.deletes_at.map(to_micros)),
    };
    bulk_snapshot::Entity::insert(row).exec_without_returning(transaction.connection()).await?;
    Ok(())
}

/// Lists the snapshots of accounts after `cursor`, in the order of their ids.
pub async fn list_snapshots(
    transaction: &Transaction,
    id: BulkJobId,
    cursor: i64,
    at_most: u64,
) -> Result<Vec<(UserId, AccountSnapshot)>, DbError> {
    let rows = bulk_snapshot::Entity::find()
        .filter(bulk_snapshot::Column::JobId.eq(id.0))
        .filter(bulk_snapshot::Column::UserId.gt(cursor))
        .order_by(bulk_snapshot::Column::UserId, Order::Asc)
        .limit(at_most)
        .all(transaction.connection())
        .await?;
    let snapshots = rows.into_iter().map(|row| {
        let before = AccountSnapshot {
            version: row.version,
            is_active: row.is_active,
            reason: row.inactive_reason,
            until: row.inactive_until.map(from_micros),
            deletes_at: row.deletes_at.map(from_micros),
        };
        (UserId(row.user_id), before)
    });
    Ok(snapshots.collect())
}

pub(super) async fn delete_over(
    transaction: &Transaction,
    finished: OffsetDateTime,
    planned: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let is_forgotten = Cond::all()
        .add(Column::State.eq(BulkJobState::Draft.as_str()))
        .add(Column::CreatedAt.lt(to_micros(planned)));
    let is_over = Column::FinishedAt.lt(to_micros(finished));
    let over = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Cond::any().add(is_over).add(is_forgotten))
        .limit(at_most)
        .into_query();
    let done = Entity::delete_many()
        .filter(Column::Id.in_subquery(over))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}

fn job(row: bulk_job::Model) -> BulkJob {
    BulkJob {
        id: BulkJobId(row.id),
        kind: BulkJobKind::from_stored(&row.kind),
        actor: UserId(row.actor_id),
        info: RequestInfo::new(row.ip.parse().ok(), &row.user_agent, row.request_id, None),
        // A job in a state that only another version knows does not run here.
        state: BulkJobState::from_stored(&row.state).unwrap_or(BulkJobState::Stopped),
        cursor: row.cursor,
        total: row.total.map(i64::unsigned_abs),
        done: row.done.unsigned_abs(),
        skipped: row.skipped.unsigned_abs(),
        created_at: from_micros(row.created_at),
        finished_at: row.finished_at.map(from_micros),
        undone_by: row.undone_by.map(BulkJobId),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
