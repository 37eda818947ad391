//! Queries on `audit_events`.

use sea_orm::{ActiveValue::Set, EntityTrait as _};
use time::OffsetDateTime;

use super::Event;
use crate::clock::to_micros;
use crate::db::entity::audit_event;
use crate::db::{DbError, Transaction};

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
