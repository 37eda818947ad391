//! The list of events of one's own account, newest first.
//!
//! Shows what the audit log has about the user; it does not name the administrators who did
//! something.

use askama::Template;
use rocket::{Route, State, get, routes};

use crate::audit;
use crate::audit::{Action, Recorded};
use crate::context::Ctx;
use crate::http::guards::SignedIn;
use crate::types::UserId;
use crate::web::device;
use crate::web::error::Error;
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
    ctx: &State<Ctx>,
) -> Result<Page, Error> {
    let before = before.filter(|before| *before > 0);
    let reader = signed_in.person().id;
    // One more than is shown tells whether there are older ones.
    let mut events = audit::list_of(&ctx.db, reader, before, ON_A_PAGE as u64 + 1).await?;
    let has_older = events.len() > ON_A_PAGE;
    events.truncate(ON_A_PAGE);
    let older = events.last().map(|event| event.id).filter(|_| has_older);
    let events = events.iter().map(|event| row(event, reader, &page)).collect();
    Page::render(&ActivityPage { events, is_newest: before.is_none(), older, page })
}

fn row(event: &Recorded, reader: UserId, page: &PageContext) -> ActivityRow {
    let count = event.details.get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let place = match event.ip.as_str() {
        "" => page.t("activity.terminal").into_owned(),
        _ => device::label(&event.user_agent, page.language()),
    };
    let is_suspicious = matches!(event.action, Some(Action::LogInFailed | Action::TokenReused));
    ActivityRow {
        what: match event.details.get("provider").and_then(serde_json::Value::as_str) {
            Some(name) if event.action == Some(Action::LoggedIn) => {
                page.t_with("audit_event.social_login", "provider", name)
            }
            _ => page.t_with(label(event.action), "count", count),
        },
        at: Timestamp::new(page, event.at),
        place,
        address: event.ip.clone(),
        is_by_staff: event.actor.is_some_and(|actor| actor != reader),
        is_suspicious,
    }
}

/// Returns the label of an action; a new action does not compile without one. Labels may use the
/// placeholder `count`.
pub(in crate::web) fn label(action: Option<Action>) -> &'static str {
    let Some(action) = action else { return "audit_event.other" };
    match action {
        Action::SignedUp => "audit_event.signup",
        Action::LoggedIn => "audit_event.login",
        Action::LogInFailed => "audit_event.login_failed",
        Action::LoggedOut => "audit_event.logout",
        Action::TokenReused => "audit_event.token_reused",
        Action::SuperuserMade => "audit_event.superuser_created",
        Action::PasswordSet => "audit_event.password_set",
        Action::EmailVerified => "audit_event.email_verified",
        Action::PasswordChanged => "audit_event.password_changed",
        Action::ResetAsked => "audit_event.password_reset_requested",
        Action::PasswordReset => "audit_event.password_reset",
        Action::EmailChangeAsked => "audit_event.email_change_requested",
        Action::EmailChanged => "audit_event.email_changed",
        Action::EmailChangeUndone => "audit_event.email_change_undone",
        Action::NotMe => "audit_event.compromise_reported",
        Action::ProfileChanged => "audit_event.profile_updated",
        Action::ProvedAgain => "audit_event.reauthenticated",
        Action::DeletionScheduled => "audit_event.deletion_scheduled",
        Action::DeletionCancelled => "audit_event.deletion_cancelled",
        Action::Deleted => "audit_event.deleted",
        Action::Activated => "audit_event.activated",
        Action::Deactivated => "audit_event.deactivated",
        Action::DeletionByStaff => "audit_event.deletion_scheduled_by_staff",
        Action::UndoneByStaff => "audit_event.bulk_job_undone",
        Action::VerifiedByStaff => "audit_event.email_verified_by_staff",
        Action::SessionsEndedByStaff => "audit_event.sessions_ended_by_staff",
        Action::ResetLinkMade => "audit_event.password_reset_link_created",
        Action::PasswordLocked => "audit_event.password_disabled",
        Action::AddedByStaff => "audit_event.user_created",
        Action::ChangedByStaff => "audit_event.user_updated",
        Action::SuspensionOver => "audit_event.suspension_ended",
        Action::GroupMade => "audit_event.group_created",
        Action::GroupChanged => "audit_event.group_updated",
        Action::GroupDeleted => "audit_event.group_deleted",
        Action::LetterRetried => "audit_event.email_retried",
        Action::SessionEnded => "audit_event.session_ended",
        Action::OtherSessionsEnded => "audit_event.other_sessions_ended",
        Action::KeyRotated => "audit_event.key_rotated",
        Action::SocialConnected => "audit_event.social_connected",
        Action::SocialDisconnected => "audit_event.social_disconnected",
        Action::ProviderAdded => "audit_event.social_provider_created",
        Action::ProviderChanged => "audit_event.social_provider_updated",
        Action::ProviderDeleted => "audit_event.social_provider_deleted",
    }
}
