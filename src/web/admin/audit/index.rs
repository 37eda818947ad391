//! The trail: who did what to whom, when and from where, and what it was before.

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
use super::changes::{Change, Fact};
use crate::accounts;
use crate::audit;
use crate::audit::{AuditCursor, AuditEventKind, AuditSearch, RecordedEvent};
use crate::context::Context;
use crate::db::DbError;
use crate::http::guards::ReadsAudit;
use crate::types::{Email, UserId};
use crate::web::account::activity::label;
use crate::web::device;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

/// Events on a page, which weighs 30 kB at most.
const ON_A_PAGE: usize = 20;

/// What is looked for, as it was typed.
#[derive(FromForm)]
pub(crate) struct Typed {
    #[field(default = String::new())]
    actor: String,
    #[field(default = String::new())]
    target: String,
    #[field(default = String::new())]
    action: String,
    #[field(default = String::new())]
    from: String,
    #[field(default = String::new())]
    to: String,
}

impl Typed {
    fn pairs(&self) -> [(&'static str, &str); 5] {
        [
            ("actor", &self.actor),
            ("target", &self.target),
            ("action", &self.action),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    /// The same search as a query.
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs().iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }
}

#[derive(Template)]
#[template(path = "admin/audit/index.html")]
struct AuditPage {
    page: PageContext,
    typed: Typed,
    /// What cannot be looked for: field and key of the sentence.
    wrong: Vec<(&'static str, &'static str)>,
    actions: Vec<(&'static str, String)>,
    events: Vec<Shown>,
    query: String,
    is_newest: bool,
    older: Option<AuditCursor>,
}

impl AuditPage {
    /// What is wrong with a field, as forms have it.
    fn errors(&self, field: &str) -> Vec<Cow<'static, str>> {
        let wrong = self.wrong.iter().filter(|(name, _)| *name == field);
        wrong.map(|(_, key)| self.page.t(key)).collect()
    }

    /// The way to a page of the same search.
    fn way(&self, path: &str, place: Option<&AuditCursor>) -> String {
        let before = place.map(|place| format!("before={place}"));
        let parts: Vec<_> = [Some(self.query.clone()).filter(|query| !query.is_empty()), before]
            .into_iter()
            .flatten()
            .collect();
        if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
    }
}

/// An event in words.
pub(crate) struct Shown {
    pub what: String,
    pub at: Timestamp,
    /// Who did it; `None` for strangers and for the terminal.
    pub actor: Option<Whom>,
    pub target: Option<Whom>,
    pub place: String,
    pub address: String,
    pub changes: Vec<Change>,
    pub facts: Vec<Fact>,
}

impl Shown {
    /// Leaves the details to the trail.
    pub(crate) fn be_brief(&mut self) {
        self.changes.clear();
        self.facts.clear();
    }
}

/// An account, which may be gone.
pub(crate) struct Whom {
    pub id: UserId,
    pub email: Option<String>,
}

#[get("/admin/audit?<before>&<typed..>")]
async fn index(
    before: Option<&str>,
    typed: Typed,
    _reader: ReadsAudit,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let before = before.and_then(AuditCursor::parse);
    let (search, wrong) = understand(ctx, &typed).await?;
    let mut events = if wrong.is_empty() {
        audit::search(&ctx.db, &search, before, ON_A_PAGE as u64 + 1).await?
    } else {
        Vec::new()
    };
    let has_older = events.len() > ON_A_PAGE;
    events.truncate(ON_A_PAGE);
    let older = events.last().map(RecordedEvent::cursor).filter(|_| has_older);
    let actions = AuditEventKind::ALL.into_iter();
    let actions =
        actions.map(|action| (action.as_str(), page.t_with(label(Some(action)), "count", "…")));
    let status = if wrong.is_empty() { Status::Ok } else { Status::UnprocessableEntity };
    let page = AuditPage {
        actions: actions.collect(),
        events: in_words(ctx, &page, &events).await?,
        query: typed.query(),
        is_newest: before.is_none(),
        page,
        typed,
        wrong,
        older,
    };
    Ok(Page::render(&page)?.with_status(status))
}

/// What is looked for, and what of it cannot be.
pub(crate) async fn understand(
    ctx: &Context,
    typed: &Typed,
) -> Result<(AuditSearch, Vec<(&'static str, &'static str)>), DbError> {
    let mut wrong = Vec::new();
    let mut people = [None, None];
    for (place, (field, text)) in [("actor", &typed.actor), ("target", &typed.target)]
        .into_iter()
        .enumerate()
        .filter(|(_, (_, text))| !text.trim().is_empty())
    {
        people[place] = user(ctx, text.trim()).await?;
        if people[place].is_none() {
            wrong.push((field, "admin.audit.no_account"));
        }
    }
    let action = AuditEventKind::from_stored(&typed.action);
    if action.is_none() && !typed.action.is_empty() {
        wrong.push(("action", "admin.audit.unknown_event"));
    }
    let mut days = [None, None];
    for (place, (field, text)) in [("from", &typed.from), ("to", &typed.to)]
        .into_iter()
        .enumerate()
        .filter(|(_, (_, text))| !text.is_empty())
    {
        days[place] = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        if days[place].is_none() {
            wrong.push((field, "admin.audit.malformed_date"));
        }
    }
    let [actor, target] = people;
    let [from, to] = days.map(|day| day.map(|day| day.midnight().assume_utc()));
    // The last day is looked at until it is over.
    let to = to.map(|to| to.checked_add(Duration::DAY).unwrap_or(to));
    Ok((AuditSearch { actor, target, kind: action, from, to }, wrong))
}

/// An account by its number, which works when it is gone too, or by its address.
async fn user(ctx: &Context, text: &str) -> Result<Option<UserId>, DbError> {
    if let Ok(id) = text.parse() {
        return Ok(Some(UserId(id)));
    }
    match Email::parse(text) {
        Ok(email) => {
            Ok(accounts::find_by_email(&ctx.db, &email).await?.map(|account| account.user.id))
        }
        Err(_) => Ok(None),
    }
}

/// The addresses of those who did something or suffered it.
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

/// Events as people read them; the addresses of those who are in them cost one statement.
pub(crate) async fn in_words(
    ctx: &Context,
    page: &PageContext,
    events: &[RecordedEvent],
) -> Result<Vec<Shown>, DbError> {
    let emails = emails(ctx, events).await?;
    let whom = |id: Option<UserId>| id.map(|id| Whom { id, email: emails.get(&id).cloned() });
    let shown = events.iter().map(|event| {
        let count = event.details.get("count").and_then(Value::as_u64).unwrap_or_default();
        Shown {
            what: page.t_with(label(event.kind), "count", count),
            at: Timestamp::new(page, event.at),
            actor: whom(event.actor),
            target: whom(event.target).filter(|_| event.target != event.actor),
            place: match event.ip.as_str() {
                "" => String::new(),
                _ => device::label(&event.user_agent, page.language()),
            },
            address: event.ip.clone(),
            changes: changes::changes(page, &event.details),
            facts: changes::facts(page, &event.details),
        }
    });
    Ok(shown.collect())
}
