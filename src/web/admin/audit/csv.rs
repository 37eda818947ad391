//! The audit log as CSV: the whole log, or the events that match a search.

use std::collections::BTreeSet;

use rocket::http::Status;
use rocket::response::stream::ByteStream;
use rocket::{Route, State, get, routes};
use time::format_description::well_known::Rfc3339;

use super::index::{AuditQuery, parse_query};
use crate::accounts;
use crate::audit;
use crate::audit::{AuditCursor, AuditSearch, ExportedEvent};
use crate::context::Context;
use crate::db::DbError;
use crate::http::guards::ReadsAudit;
use crate::types::UserId;
use crate::web::csv;
use crate::web::csv::Table;
use crate::web::error::Error;

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

/// Events per batch: some hundred kilobytes.
const BATCH_SIZE: u64 = 1_000;

const HEADINGS: [&str; 10] = [
    "id",
    "at",
    "action",
    "actor_id",
    "actor",
    "target_id",
    "target",
    "ip",
    "user_agent",
    "details",
];

#[get("/admin/audit.csv?<query..>")]
async fn index(
    query: AuditQuery,
    _reader: ReadsAudit,
    ctx: &State<Context>,
) -> Result<Table<ByteStream![Vec<u8>]>, Error> {
    let (search, errors) = parse_query(ctx, &query).await?;
    if !errors.is_empty() {
        return Err(Status::UnprocessableEntity.into());
    }
    let ctx = ctx.inner().clone();
    let rows = ByteStream! {
        yield csv::headings(HEADINGS);
        let (mut before, mut is_more) = (None, true);
        while is_more {
            match read_batch(&ctx, &search, before).await {
                Ok((rows, end)) => {
                    yield csv::rows(rows);
                    (before, is_more) = (end, end.is_some());
                }
                Err(error) => {
                    tracing::error!(%error, "the export of the audit log broke off");
                    yield csv::BROKEN_OFF.to_vec();
                    is_more = false;
                }
            }
        }
    };
    Ok(Table::named("audit.csv", rows))
}

/// Reads some rows, and the cursor of the next batch if there may be more.
async fn read_batch(
    ctx: &Context,
    search: &AuditSearch,
    before: Option<AuditCursor>,
) -> Result<(Vec<[String; 10]>, Option<AuditCursor>), DbError> {
    let events = audit::export(&ctx.db, search, before, BATCH_SIZE).await?;
    let users = events.iter().flat_map(|event| [event.actor, event.target]).flatten();
    let users: Vec<_> = users.collect::<BTreeSet<_>>().into_iter().collect();
    let emails = accounts::list_emails(&ctx.db, &users).await?;
    let email = |id: Option<UserId>| id.and_then(|id| emails.get(&id).cloned()).unwrap_or_default();
    let id = |id: Option<UserId>| id.map(|id| id.to_string()).unwrap_or_default();
    let is_full = events.len() as u64 == BATCH_SIZE;
    let end = events.last().map(ExportedEvent::cursor).filter(|_| is_full);
    let rows = events.into_iter().map(|event| {
        [
            event.id.to_string(),
            event.at.format(&Rfc3339).unwrap_or_default(),
            event.name,
            id(event.actor),
            email(event.actor),
            id(event.target),
            email(event.target),
            event.ip,
            event.user_agent,
            event.details,
        ]
    });
    Ok((rows.collect(), end))
}
