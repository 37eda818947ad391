//! Queries on `audit_events`.

use sea_orm::sea_query::{Cond, Expr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};
use time::OffsetDateTime;

use super::{Action, Event, Recorded};
use crate::clock::{from_micros, to_micros};
use crate::db::entity::audit_event::{self, Column};
use crate::db::{Db, DbError, Transaction};
use crate::types::UserId;

pub(super) async fn insert(
    transaction: &Transaction,
    event: Event<'_>,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let row = audit_event::ActiveModel {
        at: Set(to_micros(now)),
        action: Set(event.action.as_str().to_owned()),
        actor_id: Set(event.actor.map(|id| id.0)),
        target_id: Set(event.target.map(|id| id.0)),
        session_id: Set(event.session.map(|id| id.to_string())),
        ip: Set(event.caller.ip()),
        user_agent: Set(event.caller.user_agent.clone()),
        request_id: Set(event.caller.request_id.clone()),
        details: Set(event.details.to_string()),
        ..Default::default()
    };
    audit_event::Entity::insert(row).exec_without_returning(transaction.connection()).await?;
    Ok(())
}

pub(super) async fn update_forgotten(
    transaction: &Transaction,
    person: UserId,
) -> Result<(), DbError> {
    let is_about = Cond::any().add(Column::TargetId.eq(person.0)).add(Column::ActorId.eq(person.0));
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

pub(super) async fn list_of(
    db: &Db,
    target: UserId,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<Recorded>, DbError> {
    let mut events = audit_event::Entity::find().filter(Column::TargetId.eq(target.0));
    if let Some(before) = before {
        events = events.filter(Column::Id.lt(before));
    }
    let rows = events.order_by_desc(Column::Id).limit(limit).all(db.reader()).await?;
    Ok(rows.into_iter().map(recorded).collect())
}

pub(super) async fn list_last(
    db: &Db,
    target: UserId,
    action: Action,
    limit: u64,
) -> Result<Vec<Recorded>, DbError> {
    let rows = audit_event::Entity::find()
        .filter(Column::TargetId.eq(target.0))
        .filter(Column::Action.eq(action.as_str()))
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db.reader())
        .await?;
    Ok(rows.into_iter().map(recorded).collect())
}

fn recorded(row: audit_event::Model) -> Recorded {
    Recorded {
        id: row.id,
        at: from_micros(row.at),
        action: Action::from_stored(&row.action),
        name: row.action,
        session: row.session_id,
        request_id: row.request_id,
        actor: row.actor_id.map(UserId),
        ip: row.ip,
        user_agent: row.user_agent,
        details: serde_json::from_str(&row.details).unwrap_or_default(),
    }
}

pub(super) async fn delete_before(
    transaction: &Transaction,
    action: Action,
    instant: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let past = audit_event::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::At.lt(to_micros(instant)))
        .filter(Column::Action.eq(action.as_str()))
        .limit(at_most)
        .into_query();
    let done = audit_event::Entity::delete_many()
        .filter(Column::Id.in_subquery(past))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}
