//! Queries on `audit_events`.

use sea_orm::sea_query::{BinOper, Cond, Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
    Statement,
};
use time::OffsetDateTime;

use super::{AuditCursor, AuditEvent, AuditEventKind, AuditSearch, ExportedEvent, RecordedEvent};
use crate::clock::{from_micros, to_micros};
use crate::db::entity::audit_event;
use crate::db::entity::audit_event::Column;
use crate::db::{Db, DbError, Transaction};
use crate::types::{RequestInfo, UserId};

/// Writes an event in the transaction of what it reports.
pub async fn record(
    transaction: &Transaction,
    event: AuditEvent<'_>,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let row = audit_event::ActiveModel {
        at: Set(to_micros(now)),
        action: Set(event.kind.as_str().to_owned()),
        actor_id: Set(event.actor.map(|id| id.0)),
        target_id: Set(event.target.map(|id| id.0)),
        session_id: Set(event.session.map(|id| id.to_string())),
        ip: Set(event.info.ip()),
        user_agent: Set(event.info.user_agent.clone()),
        request_id: Set(event.info.request_id.clone()),
        details: Set(event.details.to_string()),
        ..Default::default()
    };
    audit_event::Entity::insert(row).exec_without_returning(transaction.connection()).await?;
    Ok(())
}

/// Writes a row of the same size as the event of a known address, without any data of the request.
pub(super) async fn upsert_unknown_failure(
    transaction: &Transaction,
    slot: u8,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    // As long as the real values, so that the write takes as long; nothing of the client is stored.
    let filler = |text: &str| "-".repeat(text.len());
    let connection = transaction.connection();
    let sql = "INSERT INTO unknown_login_failures \
        (id, at, action, actor_id, target_id, session_id, ip, user_agent, request_id, details) \
        VALUES ($1, $2, $3, NULL, $1, NULL, $4, $5, $6, '{}') \
        ON CONFLICT (id) DO UPDATE SET at = excluded.at, ip = excluded.ip, \
        user_agent = excluded.user_agent, request_id = excluded.request_id";
    let values = [
        i64::from(slot).into(),
        to_micros(now).into(),
        AuditEventKind::LoginFailed.as_str().into(),
        filler(&info.ip()).into(),
        filler(&info.user_agent).into(),
        filler(&info.request_id).into(),
    ];
    let backend = connection.get_database_backend();
    connection.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}

/// Removes client addresses, user agents and details from every event in which the user is actor or
/// target. The events themselves stay.
pub async fn anonymize(transaction: &Transaction, user: UserId) -> Result<(), DbError> {
    let is_about = Cond::any().add(Column::TargetId.eq(user.0)).add(Column::ActorId.eq(user.0));
    audit_event::Entity::update_many()
        .col_expr(Column::Ip, Expr::value(""))
        .col_expr(Column::UserAgent, Expr::value(""))
        .col_expr(Column::RequestId, Expr::value(""))
        .col_expr(Column::Details, Expr::value("{}"))
        .filter(is_about)
        .exec(transaction.connection())
        .await?;
    Ok(())
}

/// Lists the events of an account, newest first: at most `limit`, older than the event `before`.
pub async fn list_of_user(
    db: &Db,
    target: UserId,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<RecordedEvent>, DbError> {
    let mut events = audit_event::Entity::find().filter(Column::TargetId.eq(target.0));
    if let Some(before) = before {
        events = events.filter(Column::Id.lt(before));
    }
    let rows = events.order_by_desc(Column::Id).limit(limit).all(db.reader()).await?;
    Ok(rows.into_iter().map(recorded).collect())
}

/// Lists the latest events of one kind of an account, newest first.
pub async fn list_latest(
    db: &Db,
    target: UserId,
    kind: AuditEventKind,
    limit: u64,
) -> Result<Vec<RecordedEvent>, DbError> {
    let rows = audit_event::Entity::find()
        .filter(Column::TargetId.eq(target.0))
        .filter(Column::Action.eq(kind.as_str()))
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db.reader())
        .await?;
    Ok(rows.into_iter().map(recorded).collect())
}

fn recorded(row: audit_event::Model) -> RecordedEvent {
    RecordedEvent {
        id: row.id,
        at: from_micros(row.at),
        kind: AuditEventKind::from_stored(&row.action),
        name: row.action,
        session: row.session_id,
        request_id: row.request_id,
        actor: row.actor_id.map(UserId),
        target: row.target_id.map(UserId),
        ip: row.ip,
        user_agent: row.user_agent,
        details: serde_json::from_str(&row.details).unwrap_or_default(),
    }
}

/// Lists the events that match, newest first: at most `limit`, before a cursor.
pub async fn search(
    db: &Db,
    search: &AuditSearch,
    before: Option<AuditCursor>,
    limit: u64,
) -> Result<Vec<RecordedEvent>, DbError> {
    let rows = find(db, search, before, limit).await?;
    Ok(rows.into_iter().map(recorded).collect())
}

/// Lists the events that match, for an export.
pub async fn export(
    db: &Db,
    search: &AuditSearch,
    before: Option<AuditCursor>,
    limit: u64,
) -> Result<Vec<ExportedEvent>, DbError> {
    let rows = find(db, search, before, limit).await?;
    let exported = rows.into_iter().map(|row| ExportedEvent {
        id: row.id,
        at: from_micros(row.at),
        name: row.action,
        actor: row.actor_id.map(UserId),
        target: row.target_id.map(UserId),
        ip: row.ip,
        user_agent: row.user_agent,
        // JSON already: parsing and writing a million of them again would change nothing.
        details: row.details,
    });
    Ok(exported.collect())
}

async fn find(
    db: &Db,
    search: &AuditSearch,
    before: Option<AuditCursor>,
    limit: u64,
) -> Result<Vec<audit_event::Model>, DbError> {
    let mut events = audit_event::Entity::find();
    // The index of one condition is used: the target's, else the actor's, else the kind's, else the
    // instant's. The others are written as `+ 0` or `|| ''`, so that no planner uses their index:
    // without statistics, SQLite would read every log-in of the site to find those of one user.
    let mut is_decided = false;
    if let Some(target) = search.target {
        events = events.filter(Column::TargetId.eq(target.0));
        is_decided = true;
    }
    if let Some(actor) = search.actor {
        let column = Expr::col(Column::ActorId);
        let column = if is_decided { column.add(0) } else { column };
        events = events.filter(column.eq(actor.0));
        is_decided = true;
    }
    if let Some(kind) = search.kind {
        let column = Expr::col(Column::Action);
        let column = if is_decided { column.binary(BinOper::Custom("||"), "") } else { column };
        events = events.filter(column.eq(kind.as_str()));
    }
    if let Some(from) = search.from {
        events = events.filter(Column::At.gte(to_micros(from)));
    }
    if let Some(to) = search.to {
        events = events.filter(Column::At.lt(to_micros(to)));
    }
    if let Some(AuditCursor(at, id)) = before {
        // Together: earlier, or at the same instant with a lower id. `At <= at` can use an index.
        let is_older = Cond::any().add(Column::At.lt(at)).add(Column::Id.lt(id));
        events = events.filter(Column::At.lte(at)).filter(is_older);
    }
    let rows = events.order_by_desc(Column::At).order_by_desc(Column::Id).limit(limit);
    Ok(rows.all(db.reader()).await?)
}

/// Microseconds per day.
const DAY: i64 = 86_400_000_000;

/// Counts two kinds of events by day (days since 1970, UTC). Reads only an index.
pub async fn count_by_day(
    db: &Db,
    kinds: [AuditEventKind; 2],
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<Vec<(Option<AuditEventKind>, i64, i64)>, DbError> {
    let names = kinds.map(AuditEventKind::as_str);
    let rows: Vec<(String, i64, i64)> = audit_event::Entity::find()
        .select_only()
        .column(Column::Action)
        .column_as(Expr::col(Column::At).div(Expr::cust(DAY.to_string())), "day")
        .column_as(Expr::cust("COUNT(*)"), "times")
        .filter(Column::Action.is_in(names))
        .filter(Column::At.gte(to_micros(from)))
        .filter(Column::At.lt(to_micros(to)))
        .group_by(Column::Action)
        .group_by(Expr::cust("2"))
        .into_tuple()
        .all(db.reader())
        .await?;
    let days =
        rows.into_iter().map(|(name, day, times)| (AuditEventKind::from_stored(&name), day, times));
    Ok(days.collect())
}

/// Counts the events of a kind since an instant, up to `at_most`.
pub async fn count_since(
    db: &Db,
    kind: AuditEventKind,
    from: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let found = audit_event::Entity::find()
        .select_only()
        .column(Column::At)
        .filter(Column::Action.eq(kind.as_str()))
        .filter(Column::At.gte(to_micros(from)))
        .limit(at_most);
    Ok(found.count(db.reader()).await?)
}

pub(super) async fn delete_before(
    transaction: &Transaction,
    kind: AuditEventKind,
    instant: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let past = audit_event::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::At.lt(to_micros(instant)))
        .filter(Column::Action.eq(kind.as_str()))
        .limit(at_most)
        .into_query();
    let done = audit_event::Entity::delete_many()
        .filter(Column::Id.in_subquery(past))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}
