//! The list of events of one's own account, newest first.
//!
//! Shows what the audit log has about the user; it does not name the administrators who did
//! something.

use askama::Template;
use rocket::{Route, State, get, routes};

use crate::audit;
use crate::audit::{AuditEventKind, RecordedEvent};
use crate::context::Context;
use crate::http::guards::SignedIn;
use crate::types::UserId;
use crate::web::device;
use crate::web::error::Error;
use crate::web::labels::audit_event_label;
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

/// Events per page.
const ON_A_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "account/activity.html")]
struct ActivityPage {
    page: PageContext,
    events: Vec<ActivityRow>,
    is_newest: bool,
    older: Option<i64>,
}

struct ActivityRow {
    what: String,
    at: Timestamp,
    /// The device, or the server's terminal.
    place: String,
    /// The network address; empty for the terminal.
    address: String,
    /// Done by an administrator, not by the user.
    is_by_staff: bool,
    /// Possibly an attack: the user should look twice.
    is_suspicious: bool,
}

/// Renders a page of events. A `before` that is not the id of an event shows the newest page.
#[get("/account/activity?<before>")]
async fn index(
    before: Option<i64>,
    signed_in: SignedIn,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let before = before.filter(|before| *before > 0);
    let reader = signed_in.user().id;
    // One more than is shown, to know whether there are older ones.
    let mut events = audit::list_of_user(&ctx.db, reader, before, ON_A_PAGE as u64 + 1).await?;
    let has_older = events.len() > ON_A_PAGE;
    events.truncate(ON_A_PAGE);
    let older = events.last().map(|event| event.id).filter(|_| has_older);
    let events = events.iter().map(|event| row(event, reader, &page)).collect();
    Page::render(&ActivityPage { events, is_newest: before.is_none(), older, page })
}

fn row(event: &RecordedEvent, reader: UserId, page: &PageContext) -> ActivityRow {
    let count = event.details.get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let place = match event.ip.as_str() {
        "" => page.t("activity.terminal").into_owned(),
        _ => device::label(&event.user_agent, page.language()),
    };
    let is_suspicious =
        matches!(event.kind, Some(AuditEventKind::LoginFailed | AuditEventKind::TokenReused));
    ActivityRow {
        what: match event.details.get("provider").and_then(serde_json::Value::as_str) {
            Some(name) if event.kind == Some(AuditEventKind::LoggedIn) => {
                page.t_with("audit_event.social_login", "provider", name)
            }
            _ => page.t_with(audit_event_label(event.kind), "count", count),
        },
        at: Timestamp::new(page, event.at),
        place,
        address: event.ip.clone(),
        is_by_staff: event.actor.is_some_and(|actor| actor != reader),
        is_suspicious,
    }
}
