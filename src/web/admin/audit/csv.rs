//! The trail for spreadsheets and programs: all of it, or what is looked for.

use std::collections::BTreeSet;

use rocket::http::Status;
use rocket::response::stream::ByteStream;
use rocket::{Route, State, get, routes};
use time::format_description::well_known::Rfc3339;

use super::index::{Typed, understand};
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

/// Events in a piece: some hundred kilobytes.
const PIECE: u64 = 1_000;

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

#[get("/admin/audit.csv?<typed..>")]
async fn index(
    typed: Typed,
    _reader: ReadsAudit,
    ctx: &State<Context>,
) -> Result<Table<ByteStream![Vec<u8>]>, Error> {
    let (search, wrong) = understand(ctx, &typed).await?;
    if !wrong.is_empty() {
        return Err(Status::UnprocessableEntity.into());
    }
    let ctx = ctx.inner().clone();
    let rows = ByteStream! {
        yield csv::headings(HEADINGS);
        let (mut before, mut is_more) = (None, true);
        while is_more {
            match piece(&ctx, &search, before).await {
                Ok((rows, end)) => {
                    yield csv::rows(rows);
                    (before, is_more) = (end, end.is_some());
                }
                Err(error) => {
                    tracing::error!(%error, "the trail could not be read to its end");
                    yield csv::BROKEN_OFF.to_vec();
                    is_more = false;
                }
            }
        }
    };
    Ok(Table::named("audit.csv", rows))
}

/// Some rows, and where they end if there may be more.
async fn piece(
    ctx: &Context,
    search: &AuditSearch,
    before: Option<AuditCursor>,
) -> Result<(Vec<[String; 10]>, Option<AuditCursor>), DbError> {
    let events = audit::export(&ctx.db, search, before, PIECE).await?;
    let people = events.iter().flat_map(|event| [event.actor, event.target]).flatten();
    let people: Vec<_> = people.collect::<BTreeSet<_>>().into_iter().collect();
    let emails = accounts::list_emails(&ctx.db, &people).await?;
    let email = |id: Option<UserId>| id.and_then(|id| emails.get(&id).cloned()).unwrap_or_default();
    let number = |id: Option<UserId>| id.map(|id| id.to_string()).unwrap_or_default();
    let is_full = events.len() as u64 == PIECE;
    let end = events.last().map(ExportedEvent::cursor).filter(|_| is_full);
    let rows = events.into_iter().map(|event| {
        [
            event.id.to_string(),
            event.at.format(&Rfc3339).unwrap_or_default(),
            event.name,
            number(event.actor),
            email(event.actor),
            number(event.target),
            email(event.target),
            event.ip,
            event.user_agent,
            event.details,
        ]
    });
    Ok((rows.collect(), end))
}
