//! The audit log: what happened, to which account, who did it and from where, and what it was
//! before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use askama::Template;
use rocket::form::FromForm;
use rocket::http::Status;
use rocket::{Route, State, get, routes};
use serde_json::Value;
use time::macros::format_description;
use time::{Date, Duration};
use url::form_urlencoded;

use super::changes;
use super::changes::{EventDetail, FieldChange};
use crate::accounts;
use crate::audit;
use crate::audit::{AuditCursor, AuditEventKind, AuditSearch, RecordedEvent};
use crate::context::Context;
use crate::db::DbError;
use crate::http::guards::ReadsAudit;
use crate::http::query_text::QueryText;
use crate::types::{Email, UserId};
use crate::web::device;
use crate::web::error::Error;
use crate::web::labels::audit_event_label;
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

/// Events per page, which then weighs 30 kB at most.
const PAGE_SIZE: usize = 20;

/// The search as text, as the URL has it.
#[derive(FromForm)]
pub(crate) struct AuditQuery {
    actor: QueryText,
    target: QueryText,
    action: QueryText,
    from: QueryText,
    to: QueryText,
}

impl AuditQuery {
    fn pairs(&self) -> [(&'static str, &str); 5] {
        [
            ("actor", &self.actor),
            ("target", &self.target),
            ("action", &self.action),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    /// Encodes the search again.
    fn encode(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs().iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }
}

#[derive(Template)]
#[template(path = "admin/audit/index.html")]
struct AuditPage {
    page: PageContext,
    query: AuditQuery,
    /// What cannot be searched for: the field and the key of the message.
    errors: Vec<(&'static str, &'static str)>,
    kinds: Vec<(&'static str, String)>,
    events: Vec<EventRow>,
    is_newest: bool,
    older: Option<AuditCursor>,
}

impl AuditPage {
    /// Returns the messages at a field, in the form in which the template's macros expect them.
    fn errors(&self, field: &str) -> Vec<Cow<'static, str>> {
        let errors = self.errors.iter().filter(|(name, _)| *name == field);
        errors.map(|(_, key)| self.page.t(key)).collect()
    }

    /// Returns the URL of a page of the same search.
    fn url(&self, path: &str, cursor: Option<&AuditCursor>) -> String {
        let before = cursor.map(|cursor| format!("before={cursor}"));
        let parts: Vec<_> = [Some(self.query.encode()).filter(|query| !query.is_empty()), before]
            .into_iter()
            .flatten()
            .collect();
        if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
    }
}

/// An event in the reader's language.
pub(crate) struct EventRow {
    pub what: String,
    pub at: Timestamp,
    /// The user who did it; `None` for visitors and for the terminal.
    pub actor: Option<EventUser>,
    pub target: Option<EventUser>,
    pub device: String,
    pub address: String,
    pub changes: Vec<FieldChange>,
    pub details: Vec<EventDetail>,
}

impl EventRow {
    /// Leaves the details to the page of the audit log.
    pub(crate) fn hide_details(&mut self) {
        self.changes.clear();
        self.details.clear();
    }
}

/// A user, whose account may be deleted.
pub(crate) struct EventUser {
    pub id: UserId,
    pub email: Option<String>,
}

#[get("/admin/audit?<before>&<query..>")]
async fn index(
    before: Option<&str>,
    query: AuditQuery,
    _reader: ReadsAudit,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let before = before.and_then(AuditCursor::parse);
    let (search, errors) = parse_query(ctx, &query).await?;
    // One more than is shown, to know whether there are more.
    let mut events = if errors.is_empty() {
        audit::search(&ctx.db, &search, before, PAGE_SIZE as u64 + 1).await?
    } else {
        Vec::new()
    };
    let has_older = events.len() > PAGE_SIZE;
    events.truncate(PAGE_SIZE);
    let older = events.last().map(RecordedEvent::cursor).filter(|_| has_older);
    let kinds = AuditEventKind::ALL.into_iter();
    let kinds =
        kinds.map(|kind| (kind.as_str(), page.t_with(audit_event_label(Some(kind)), "count", "…")));
    let status = if errors.is_empty() { Status::Ok } else { Status::UnprocessableEntity };
    let page = AuditPage {
        kinds: kinds.collect(),
        events: event_rows(ctx, &page, &events).await?,
        is_newest: before.is_none(),
        page,
        query,
        errors,
        older,
    };
    Ok(Page::render(&page)?.with_status(status))
}

/// Parses the search. Returns with it what cannot be searched for.
pub(crate) async fn parse_query(
    ctx: &Context,
    query: &AuditQuery,
) -> Result<(AuditSearch, Vec<(&'static str, &'static str)>), DbError> {
    let mut errors = Vec::new();
    let mut users = [None, None];
    for (index, (field, text)) in [("actor", &query.actor), ("target", &query.target)]
        .into_iter()
        .enumerate()
        .filter(|(_, (_, text))| !text.trim().is_empty())
    {
        users[index] = user(ctx, text.trim()).await?;
        if users[index].is_none() {
            errors.push((field, "admin.audit.no_account"));
        }
    }
    let kind = AuditEventKind::from_stored(&query.action);
    if kind.is_none() && !query.action.is_empty() {
        errors.push(("action", "admin.audit.unknown_event"));
    }
    let mut days = [None, None];
    for (index, (field, text)) in [("from", &query.from), ("to", &query.to)]
        .into_iter()
        .enumerate()
        .filter(|(_, (_, text))| !text.is_empty())
    {
        days[index] = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        if days[index].is_none() {
            errors.push((field, "admin.audit.malformed_date"));
        }
    }
    let [actor, target] = users;
    let [from, to] = days.map(|day| day.map(|day| day.midnight().assume_utc()));
    // The last day counts until it ends.
    let to = to.map(|to| to.checked_add(Duration::DAY).unwrap_or(to));
    Ok((AuditSearch { actor, target, kind, from, to }, errors))
}

/// Returns the ID of an account: typed as a number, or found by its address.
async fn user(ctx: &Context, text: &str) -> Result<Option<UserId>, DbError> {
    if let Ok(id) = text.parse() {
        // Not looked up, so that events of deleted accounts are found too.
        return Ok(Some(UserId(id)));
    }
    match Email::parse(text) {
        Ok(email) => {
            Ok(accounts::find_by_email(&ctx.db, &email).await?.map(|account| account.user.id))
        }
        Err(_) => Ok(None),
    }
}

/// Returns the addresses of the actors and targets.
pub(crate) async fn emails(
    ctx: &Context,
    events: &[RecordedEvent],
) -> Result<BTreeMap<UserId, String>, DbError> {
    let mut ids: Vec<_> =
        events.iter().flat_map(|event| [event.actor, event.target]).flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    accounts::list_emails(&ctx.db, &ids).await
}

/// Builds the rows of events.
pub(crate) async fn event_rows(
    ctx: &Context,
    page: &PageContext,
    events: &[RecordedEvent],
) -> Result<Vec<EventRow>, DbError> {
    // One statement for all rows.
    let emails = emails(ctx, events).await?;
    let event_user =
        |id: Option<UserId>| id.map(|id| EventUser { id, email: emails.get(&id).cloned() });
    let rows = events.iter().map(|event| {
        let count = event.details.get("count").and_then(Value::as_u64).unwrap_or_default();
        EventRow {
            what: page.t_with(audit_event_label(event.kind), "count", count),
            at: Timestamp::new(page, event.at),
            actor: event_user(event.actor),
            target: event_user(event.target).filter(|_| event.target != event.actor),
            device: match event.ip.as_str() {
                "" => String::new(),
                _ => device::label(&event.user_agent, page.language()),
            },
            address: event.ip.clone(),
            changes: changes::changes(page, &event.details),
            details: changes::details(page, &event.details),
        }
    });
    Ok(rows.collect())
}
