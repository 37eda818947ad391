//! One account: its profile and roles, why its user cannot log in, and its sessions, e-mails and
//! events.

use std::collections::BTreeMap;

use askama::Template;
use rocket::{Route, get, post, routes};

use super::action_links::ActionLink;
use super::group_checkboxes::GroupCheckbox;
use super::target::HandlerResult;
use super::user_form::{UserForm, merge};
use super::{action_links, group_checkboxes, login_diagnosis, password, target};
use crate::audit;
use crate::audit::RecordedEvent;
use crate::flows;
use crate::flows::admin::user_update::{UpdateUserError, UserWithGroups};
use crate::groups;
use crate::http::cookies;
use crate::http::guards::{ChangesUsers, SignedIn, ViewsUsers};
use crate::mail::EmailKind;
use crate::outbox;
use crate::outbox::{DeliveryStatus, OutboxEntry};
use crate::sessions;
use crate::types::{Permission, UserId};
use crate::web::admin::audit::index as audit_log;
use crate::web::admin::emails;
use crate::web::device;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{FormPage, FormView, Submitted};
use crate::web::labels::audit_event_label;
use crate::web::page::{Page, PageContext, Timestamp};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![show, update]
}

/// Events and e-mails on the page; the audit log has a page of its own.
const LATEST: u64 = 20;

#[derive(Template)]
#[template(path = "admin/users/edit.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of the template")]
struct UserPage<'a> {
    page: &'a PageContext,
    form: FormView,
    id: UserId,
    email: String,
    name: String,
    may_change: bool,
    may_make_superusers: bool,
    groups: Vec<GroupCheckbox>,
    group_names: Vec<String>,
    diagnosis: String,
    reason: String,
    has_password: bool,
    /// The connected providers.
    social: Vec<String>,
    verified: Option<Timestamp>,
    joined: Timestamp,
    last_login: Option<Timestamp>,
    sessions: Vec<UserSessionRow>,
    more_sessions: u64,
    failures: Vec<UserEventRow>,
    emails: Vec<EmailRow>,
    events: Vec<UserEventRow>,
    may_read_audit: bool,
    actions: Vec<ActionLink>,
    invitation_url: Option<&'a str>,
}

struct UserSessionRow {
    device: String,
    address: String,
    since: Timestamp,
    seen: Timestamp,
}

struct UserEventRow {
    what: String,
    at: Timestamp,
    address: String,
    device: String,
    /// The account that did it, unless it is the one of this page.
    actor: Option<EventActor>,
}

struct EventActor {
    id: UserId,
    /// Its number where the account no longer exists.
    email: String,
}

struct EmailRow {
    what: String,
    to: String,
    at: Timestamp,
    status: &'static str,
    reason: String,
}

/// What the page of a user needs beside its form.
struct UserSubject {
    current: UserWithGroups,
    staff: SignedIn,
    invitation_url: Option<String>,
}

#[get("/admin/users/<id>")]
async fn show(id: &str, staff: ViewsUsers, request: RequestContext<'_>) -> Result<Page, Error> {
    let (ctx, jar) = (request.context, request.cookies);
    let account = target::find(id, ctx).await?;
    let groups = groups::list_of_user(&ctx.db, account.user.id).await?;
    // Shown once, on the page after the account was created: only a hash of the token is stored.
    let invitation = cookies::take_flashed_invitation(jar, ctx, account.user.id);
    let invitation_url = invitation.map(|token| password::reset_url(ctx, &token));
    let form = FormView::with_values(UserForm::values_of(&account, &groups));
    let current = UserWithGroups { account, groups };
    let subject = UserSubject { current, staff: staff.0, invitation_url };
    UserForm::render(form, &subject, &request).await
}

#[post("/admin/users/<id>", data = "<form>")]
async fn update(
    id: &str,
    form: Submitted<UserForm>,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    let (ctx, staff) = (request.context, staff.0);
    let account = target::find_changeable(id, &staff, ctx).await?;
    let target = account.user.id;
    let groups = groups::list_of_user(&ctx.db, target).await?;
    let current = UserWithGroups { account, groups };
    let mut subject = UserSubject { current, staff, invitation_url: None };
    let edit = form.update(subject.staff.has_reauthenticated(ctx.clock.now()));
    let Some(edit) = edit.filter(|_| form.errors.is_empty()) else {
        return form.rerender_on(&subject, &request).await;
    };
    let actor = target::actor(&subject.staff, request.info);
    match flows::admin::user_update::replace(ctx, actor, target, &edit).await {
        Ok(_) => {
            request.flash(Flash::UserSaved);
            Ok(Response::Redirect(target::redirect_to_user(target, &subject.staff)))
        }
        Err(UpdateUserError::ReauthenticationRequired) => Err(request.reauthentication_required()),
        Err(UpdateUserError::Stale(now)) => {
            subject.current = *now;
            let (values, errors) = merge(&form, &subject.current, &request.page);
            let view = FormView::with_values(values)
                .with_errors::<UserForm>(&errors, request.page.language());
            let page = UserForm::render(view, &subject, &request).await?;
            Ok(Response::Page(Rejection::from(errors).apply_to(page)))
        }
        Err(error) => form.reject_on(&subject, rejection(error)?, &request).await,
    }
}

/// Returns the message for an account that was not saved.
fn rejection(error: UpdateUserError) -> Result<Rejection, Error> {
    match error {
        UpdateUserError::Admin(error) => target::rejection(error),
        UpdateUserError::EmailTaken => Ok(Rejection::on_field("email", "email.taken")),
        UpdateUserError::LocalEmail => Ok(Rejection::on_field("email", "email.local")),
        UpdateUserError::GroupNotFound => {
            Ok(Rejection::on_field("groups", "admin.user.groups_unknown"))
        }
        // The caller handles both; here they only say that nothing was saved.
        UpdateUserError::Stale(_) | UpdateUserError::ReauthenticationRequired => {
            Ok(Rejection::on_form("admin.user.stale"))
        }
    }
}

impl FormPage<UserSubject> for UserForm {
    async fn render(
        form: FormView,
        subject: &UserSubject,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        render(form, subject, request).await
    }
}

async fn render(
    form: FormView,
    UserSubject { current, staff, invitation_url }: &UserSubject,
    request: &RequestContext<'_>,
) -> Result<Page, Error> {
    let (ctx, page) = (request.context, &request.page);
    let (account, reader) = (&current.account, staff.user());
    let (user, id) = (&account.user, account.user.id);
    let (diagnosis, failures) = flows::admin::login_diagnosis::diagnose(ctx, account).await?;
    let signins = sessions::list_active(ctx, id, staff.session()).await?;
    let sessions = signins.sessions.iter().map(|row| UserSessionRow {
        device: device::label(&row.user_agent, page.language()),
        address: row.ip.clone(),
        since: Timestamp::new(page, row.created_at),
        seen: Timestamp::new(page, row.last_seen_at),
    });
    let sent_emails = outbox::list_for_user(&ctx.db, id, LATEST).await?;
    let events = audit::list_of_user(&ctx.db, id, None, LATEST).await?;
    let emails = audit_log::emails(ctx, &events).await?;
    let show = |event: &RecordedEvent| event_row(event, id, &emails, page);
    Page::render(&UserPage {
        form,
        id,
        email: user.email.as_typed().to_owned(),
        name: user.profile.name.as_str().to_owned(),
        may_change: reader.may(Permission::UsersChange) && !target::is_protected(account, staff),
        may_make_superusers: reader.is_superuser,
        groups: group_checkboxes::list(ctx, reader.permissions()).await?,
        group_names: current.groups.iter().map(|(_, name)| name.clone()).collect(),
        diagnosis: login_diagnosis::sentence(&diagnosis, page),
        reason: account.inactive_reason.clone(),
        has_password: account.password_hash.is_some(),
        social: crate::social::list_login_methods(ctx, id).await?,
        verified: user.email_verified_at.map(|at| Timestamp::new(page, at)),
        joined: Timestamp::new(page, user.created_at),
        last_login: account.last_login_at.map(|at| Timestamp::new(page, at)),
        sessions: sessions.collect(),
        more_sessions: signins.more,
        failures: failures.iter().map(show).collect(),
        emails: sent_emails.iter().map(|email| email_row(email, page)).collect(),
        events: events.iter().map(show).collect(),
        may_read_audit: reader.may(Permission::AuditView),
        actions: action_links::available(
            account,
            staff,
            crate::admin::outranks(&ctx.db, user, reader).await?,
        ),
        invitation_url: invitation_url.as_deref(),
        page,
    })
}

fn event_row(
    event: &RecordedEvent,
    user: UserId,
    emails: &BTreeMap<UserId, String>,
    page: &PageContext,
) -> UserEventRow {
    let actor = event.actor.filter(|actor| *actor != user);
    let count = event.details.get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
    UserEventRow {
        what: page.t_with(audit_event_label(event.kind), "count", count),
        at: Timestamp::new(page, event.at),
        address: event.ip.clone(),
        device: device::label(&event.user_agent, page.language()),
        actor: actor.map(|id| EventActor {
            id,
            email: emails.get(&id).cloned().unwrap_or_else(|| format!("#{id}")),
        }),
    }
}

fn email_row(email: &OutboxEntry, page: &PageContext) -> EmailRow {
    let what = page.t(emails::kind_key(EmailKind::from_stored(&email.kind))).into_owned();
    EmailRow {
        what,
        to: email.recipient.clone(),
        at: Timestamp::new(page, email.created_at),
        status: match email.status {
            DeliveryStatus::Waiting => "admin.user.email_waiting",
            DeliveryStatus::Sent => "admin.user.email_sent",
            DeliveryStatus::Failed => "admin.user.email_failed",
        },
        reason: email.reason.clone(),
    }
}
