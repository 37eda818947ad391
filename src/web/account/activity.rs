//! What happened to one's own account, newest first.

use askama::Template;
use rocket::{Route, State, get, routes};

use crate::audit;
use crate::audit::{Action, Recorded};
use crate::context::Ctx;
use crate::http::guards::SignedIn;
use crate::types::UserId;
use crate::web::device;
use crate::web::error::Error;
use crate::web::page::{Frame, Moment, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

/// Events on a page.
const ON_A_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "account/activity.html")]
struct ActivityPage {
    frame: Frame,
    events: Vec<Shown>,
    is_newest: bool,
    older: Option<i64>,
}

struct Shown {
    what: String,
    at: Moment,
    /// On which device, or at the server's own terminal.
    place: String,
    /// Empty at the terminal.
    address: String,
    /// Somebody who runs the site did it, and not the reader.
    is_by_staff: bool,
    /// Perhaps a stranger was at work, and the reader had better look twice.
    is_suspicious: bool,
}

/// A `before` that is not the number of an event shows the newest page.
#[get("/account/activity?<before>")]
async fn index(
    before: Option<i64>,
    signed_in: SignedIn,
    frame: Frame,
    ctx: &State<Ctx>,
) -> Result<Page, Error> {
    let before = before.filter(|before| *before > 0);
    let reader = signed_in.person().id;
    // One more than is shown tells whether there are older ones.
    let mut events = audit::list_of(&ctx.db, reader, before, ON_A_PAGE as u64 + 1).await?;
    let has_older = events.len() > ON_A_PAGE;
    events.truncate(ON_A_PAGE);
    let older = events.last().map(|event| event.id).filter(|_| has_older);
    let events = events.iter().map(|event| show(event, reader, &frame)).collect();
    Page::draw(&ActivityPage { events, is_newest: before.is_none(), older, frame })
}

fn show(event: &Recorded, reader: UserId, frame: &Frame) -> Shown {
    let count = event.details.get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let place = match event.ip.as_str() {
        "" => frame.t("activity.terminal").into_owned(),
        _ => device::words(&event.user_agent, frame.language()),
    };
    let is_suspicious = matches!(event.action, Some(Action::LogInFailed | Action::TokenReused));
    Shown {
        what: match event.details.get("provider").and_then(serde_json::Value::as_str) {
            Some(name) if event.action == Some(Action::LoggedIn) => {
                frame.tell("activity.login_social", "provider", name)
            }
            _ => frame.tell(sentence(event.action), "count", count),
        },
        at: Moment::of(frame, event.at),
        place,
        address: event.ip.clone(),
        is_by_staff: event.actor.is_some_and(|actor| actor != reader),
        is_suspicious,
    }
}

/// Every action has its sentence: a new one does not compile without. Placeholders may use `count`.
pub(in crate::web) fn sentence(action: Option<Action>) -> &'static str {
    let Some(action) = action else { return "activity.other" };
    match action {
        Action::SignedUp => "activity.signup",
        Action::LoggedIn => "activity.login",
        Action::LogInFailed => "activity.login_failed",
        Action::LoggedOut => "activity.logout",
        Action::TokenReused => "activity.token_reused",
        Action::SuperuserMade => "activity.superuser_made",
        Action::PasswordSet => "activity.password_set",
        Action::EmailVerified => "activity.email_verified",
        Action::PasswordChanged => "activity.password_changed",
        Action::ResetAsked => "activity.reset_asked",
        Action::PasswordReset => "activity.password_reset",
        Action::EmailChangeAsked => "activity.email_change_asked",
        Action::EmailChanged => "activity.email_changed",
        Action::EmailChangeUndone => "activity.email_change_undone",
        Action::NotMe => "activity.not_me",
        Action::ProfileChanged => "activity.profile_changed",
        Action::ProvedAgain => "activity.proved_again",
        Action::DeletionScheduled => "activity.deletion_scheduled",
        Action::DeletionCancelled => "activity.deletion_cancelled",
        Action::Deleted => "activity.deleted",
        Action::Activated => "activity.activated",
        Action::Deactivated => "activity.deactivated",
        Action::DeletionByStaff => "activity.deletion_by_staff",
        Action::UndoneByStaff => "activity.undone_by_staff",
        Action::VerifiedByStaff => "activity.verified_by_staff",
        Action::SessionsEndedByStaff => "activity.sessions_ended_by_staff",
        Action::ResetLinkMade => "activity.reset_link_made",
        Action::PasswordLocked => "activity.password_locked",
        Action::AddedByStaff => "activity.added_by_staff",
        Action::ChangedByStaff => "activity.changed_by_staff",
        Action::SuspensionOver => "activity.suspension_over",
        Action::GroupMade => "activity.group_made",
        Action::GroupChanged => "activity.group_changed",
        Action::GroupDeleted => "activity.group_deleted",
        Action::LetterRetried => "activity.letter_retried",
        Action::SessionEnded => "activity.session_ended",
        Action::OtherSessionsEnded => "activity.other_sessions_ended",
        Action::KeyRotated => "activity.key_rotated",
        Action::SocialConnected => "activity.social_connected",
        Action::SocialDisconnected => "activity.social_disconnected",
        Action::ProviderAdded => "activity.provider_added",
        Action::ProviderChanged => "activity.provider_changed",
        Action::ProviderDeleted => "activity.provider_deleted",
    }
}
