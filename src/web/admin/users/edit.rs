//! One account: its profile and roles, why its user cannot log in, and its sessions, e-mails and
//! events.

use std::collections::BTreeMap;

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::{Route, State, get, post, routes};
use validator::{Validate, ValidateArgs as _, ValidationError};

use super::actions;
use super::actions::{HandlerResult, UserAction};
use crate::accounts::{Account, AccountUpdate};
use crate::audit;
use crate::audit::RecordedEvent;
use crate::context::Context;
use crate::flows;
use crate::flows::admin::login_diagnosis::LoginDiagnosis;
use crate::flows::admin::user_update::{UpdateUserError, UserUpdate, UserWithGroups};
use crate::groups;
use crate::groups::Group;
use crate::http::cookies;
use crate::http::guards::{ChangesUsers, SignedIn, ViewsUsers};
use crate::mail::EmailKind;
use crate::outbox;
use crate::outbox::{DeliveryStatus, OutboxEntry};
use crate::paths;
use crate::sessions;
use crate::types::{
    BirthDate, Email, Gender, GroupId, Name, Permission, Permissions, RequestInfo, Secret, UserId,
};
use crate::web::account::{Response, activity, reauthentication};
use crate::web::admin::audit::index as audit_log;
use crate::web::admin::emails;
use crate::web::device;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::raw::{RawForm, RawSubmitted};
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::rules::Today;
use crate::web::forms::{FormError, FormErrors, FormView};
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![show, update]
}

/// Events and e-mails on the page; the audit log has a page of its own.
const LATEST: u64 = 20;

/// Groups on the page; a site has a handful.
const MAX_GROUPS: u64 = 200;

#[derive(Clone, FromForm, Validate)]
#[validate(context = Today)]
struct UserForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "checkbox"))]
    email_verified: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::name"))]
    name: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::gender"))]
    gender: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::date_of_birth", use_context))]
    date_of_birth: String,
    #[field(default = String::new())]
    #[validate(custom(function = "checkbox"))]
    is_active: String,
    #[field(default = String::new())]
    #[validate(custom(function = "checkbox"))]
    is_staff: String,
    #[field(default = String::new())]
    #[validate(custom(function = "checkbox"))]
    is_superuser: String,
    #[field(default = Vec::new())]
    groups: Vec<String>,
    /// The version of the account from which the form was made.
    #[field(default = String::new())]
    version: String,
    /// The fields of the account at that time, so that a later change of the account can be told
    /// from a change in the form.
    #[field(default = String::new())]
    seen: String,
}

impl RawForm for UserForm {
    const FIELDS: &'static [&'static str] = &[
        "email",
        "email_verified",
        "name",
        "gender",
        "date_of_birth",
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
    ];

    const REPEATED: &'static [&'static str] = &["groups"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        let mut kept = vec![
            ("email", self.email.as_str()),
            ("email_verified", self.email_verified.as_str()),
            ("name", self.name.as_str()),
            ("gender", self.gender.as_str()),
            ("date_of_birth", self.date_of_birth.as_str()),
            ("is_active", self.is_active.as_str()),
            ("is_staff", self.is_staff.as_str()),
            ("is_superuser", self.is_superuser.as_str()),
        ];
        kept.extend(self.groups.iter().map(|id| ("groups", id.as_str())));
        kept
    }
}

impl UserForm {
    /// Fills the form from an account.
    fn of(account: &Account, groups: &[(GroupId, String)]) -> Self {
        let user = &account.user;
        let born = user.date_of_birth.map(|date| date.to_string());
        let mut form = Self {
            email: user.email.as_typed().to_owned(),
            email_verified: String::new(),
            name: user.name.as_str().to_owned(),
            gender: user.gender.map_or("", Gender::as_str).to_owned(),
            date_of_birth: born.unwrap_or_default(),
            is_active: checkbox_value(account.is_active),
            is_staff: checkbox_value(user.is_staff),
            is_superuser: checkbox_value(user.is_superuser),
            groups: groups.iter().map(|(id, _)| id.to_string()).collect(),
            version: account.version.to_string(),
            seen: String::new(),
        };
        form.seen = serde_json::to_string(&form.fields()).unwrap_or_default();
        form
    }

    /// Returns the fields as text, to compare them.
    fn fields(&self) -> BTreeMap<String, String> {
        let mut groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        groups.sort_unstable();
        groups.dedup();
        let is = |checkbox: &str| checkbox_value(is_checked(checkbox));
        let fields = [
            ("email", self.email.clone()),
            ("name", self.name.clone()),
            ("gender", self.gender.clone()),
            ("date_of_birth", self.date_of_birth.clone()),
            ("is_active", is(&self.is_active)),
            ("is_staff", is(&self.is_staff)),
            ("is_superuser", is(&self.is_superuser)),
            ("groups", groups.join(",")),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Copies one field from another form.
    fn copy_field(&mut self, field: &str, from: &Self) {
        match field {
            "email" => self.email.clone_from(&from.email),
            "name" => self.name.clone_from(&from.name),
            "gender" => self.gender.clone_from(&from.gender),
            "date_of_birth" => self.date_of_birth.clone_from(&from.date_of_birth),
            "is_active" => self.is_active.clone_from(&from.is_active),
            "is_staff" => self.is_staff.clone_from(&from.is_staff),
            "is_superuser" => self.is_superuser.clone_from(&from.is_superuser),
            _ => self.groups.clone_from(&from.groups),
        }
    }

    /// Returns the values of a form that passed its rules.
    fn parsed(&self, today: Today, groups: Vec<GroupId>, has_reauthenticated: bool) -> UserUpdate {
        let holds = "the rules hold, and they are these parsers";
        let edited = AccountUpdate {
            email: Email::parse(&self.email).expect(holds),
            name: Name::parse(&self.name).expect(holds),
            gender: Gender::parse(&self.gender).expect(holds),
            date_of_birth: BirthDate::parse(&self.date_of_birth, today.0).expect(holds),
            is_active: is_checked(&self.is_active),
            is_staff: is_checked(&self.is_staff),
            is_superuser: is_checked(&self.is_superuser),
        };
        // An unreadable version equals no account's.
        let version = self.version.parse().unwrap_or(-1);
        let is_verified = is_checked(&self.email_verified);
        UserUpdate { version, edited, groups, is_verified, has_reauthenticated }
    }
}

/// Accepts the values of a checkbox.
pub(crate) fn checkbox(typed: &str) -> Result<(), ValidationError> {
    match typed {
        "" | "true" | "on" | "false" => Ok(()),
        _ => Err(ValidationError::new("gender.unknown")),
    }
}

pub(crate) fn is_checked(typed: &str) -> bool {
    matches!(typed, "true" | "on")
}

fn checkbox_value(is: bool) -> String {
    if is { "true".to_owned() } else { String::new() }
}

/// Returns the ids of the ticked groups without duplicates; `None` when one of them is not an id.
pub(crate) fn group_ids(typed: &[String]) -> Option<Vec<GroupId>> {
    let ids: Option<Vec<_>> = typed.iter().map(|id| actions::number(id).map(GroupId)).collect();
    let mut ids = ids?;
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

/// A group as a checkbox.
pub(crate) struct GroupCheckbox {
    pub id: GroupId,
    pub name: String,
    /// Whether the reader may add users to it.
    pub may_grant: bool,
}

/// Returns every group, and whether the reader may grant it.
pub(crate) async fn group_checkboxes(
    ctx: &Context,
    own: Permissions,
) -> Result<Vec<GroupCheckbox>, Error> {
    let groups = groups::list(&ctx.db, MAX_GROUPS).await?;
    let show = |group: Group| GroupCheckbox {
        id: group.id,
        may_grant: group.permissions.are_within(own),
        name: group.name,
    };
    Ok(groups.into_iter().map(show).collect())
}

/// Returns the URL at which a token sets a new password.
pub(crate) fn reset_url(ctx: &Context, token: &Secret) -> String {
    let site = ctx.settings.public_url.as_str().trim_end_matches('/');
    format!("{site}{}", paths::password_reset_link(token.expose()))
}

#[derive(Template)]
#[template(path = "admin/users/edit.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of the template")]
struct UserPage {
    page: PageContext,
    form: FormView,
    version: String,
    seen: String,
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
    actions: Vec<UserAction>,
    invitation_url: Option<String>,
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
    /// Its number where the account is gone.
    email: String,
}

struct EmailRow {
    what: String,
    to: String,
    at: Timestamp,
    status: &'static str,
    reason: String,
}

#[get("/admin/users/<id>")]
async fn show(
    id: &str,
    staff: ViewsUsers,
    page: PageContext,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    let account = actions::find(id, ctx).await?;
    let group_names = groups::list_of_user(&ctx.db, account.user.id).await?;
    let invitation_url = cookies::take_flashed_invitation(jar, ctx, account.user.id);
    let invitation_url = invitation_url.map(|token| reset_url(ctx, &token));
    let current = UserWithGroups { account, groups: group_names };
    let form = UserForm::of(&current.account, &current.groups);
    let none = FormErrors::default();
    let page = render(&current, &form, &none, invitation_url, (&staff.0, page, ctx)).await?;
    Ok(Response::Page(page))
}

#[post("/admin/users/<id>", data = "<sent>")]
async fn update(
    id: &str,
    sent: RawSubmitted<UserForm>,
    staff: ChangesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    let account = actions::find_changeable(id, &staff.0, ctx).await?;
    let (staff, mut form, target) = (staff.0, &sent.form, account.user.id);
    let now = ctx.clock.now();
    let today = Today(now.date());
    let mut errors = sent.errors(form.validate_with_args(&today));
    let ids = group_ids(&form.groups);
    if ids.is_none() {
        errors.add("groups", "admin.user.groups_unknown");
    }
    let group_names = groups::list_of_user(&ctx.db, target).await?;
    let mut current = UserWithGroups { account, groups: group_names };
    let (true, Some(ids)) = (errors.is_empty(), ids) else {
        return rerender(&current, form, &errors.into(), (&staff, page, ctx)).await;
    };
    let edit = form.parsed(today, ids, staff.has_reauthenticated(now));
    let merged;
    let rejection =
        match flows::admin::user_update::replace(ctx, actions::actor(&staff, info), target, &edit)
            .await
        {
            Ok(_) => {
                Flash::UserSaved.set(jar, ctx);
                return Ok(Response::Redirect(actions::redirect_to_user(target, &staff)));
            }
            Err(UpdateUserError::ReauthenticationRequired) => {
                return Ok(Response::Redirect(reauthentication::redirect(&page)));
            }
            Err(UpdateUserError::Stale(now)) => {
                let errors;
                (merged, errors) = merge(form, &now, &page);
                (form, current) = (&merged, *now);
                errors.into()
            }
            Err(error) => reject(error)?,
        };
    rerender(&current, form, &rejection, (&staff, page, ctx)).await
}

/// Returns the message for an account that was not saved.
fn reject(error: UpdateUserError) -> Result<Rejection, Error> {
    match error {
        UpdateUserError::Admin(error) => actions::rejection(error),
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

/// Merges a form with an account that was saved meanwhile: fields that the reader did not touch get
/// their current value, and each field that changed says to what.
fn merge(sent: &UserForm, current: &UserWithGroups, page: &PageContext) -> (UserForm, FormErrors) {
    let current_form = UserForm::of(&current.account, &current.groups);
    let (now, typed) = (current_form.fields(), sent.fields());
    let seen: Option<BTreeMap<String, String>> = serde_json::from_str(&sent.seen).ok();
    let seen = seen.unwrap_or_else(|| typed.clone());
    let mut merged = sent.clone();
    let mut errors = FormErrors::on_form(FormError::new("admin.user.stale"));
    for field in UserForm::FIELDS {
        let (Some(value), before) = (now.get(*field), seen.get(*field)) else { continue };
        if before == Some(value) {
            continue;
        }
        if typed.get(*field) == before {
            merged.copy_field(field, &current_form);
        }
        let words = display_value(field, value, current, page);
        errors.push(Some(field), FormError::with("admin.user.changed_meanwhile", "value", words));
    }
    merged.version = current_form.version;
    merged.seen = current_form.seen;
    (merged, errors)
}

/// Returns a field's value in the reader's language.
fn display_value(field: &str, value: &str, current: &UserWithGroups, page: &PageContext) -> String {
    let key = match (field, value) {
        ("is_active" | "is_staff" | "is_superuser", "") => "admin.user.no",
        ("is_active" | "is_staff" | "is_superuser", _) => "admin.user.yes",
        ("gender", "male") => "gender.male",
        ("gender", "female") => "gender.female",
        (_, "") => "admin.user.nothing",
        ("groups", _) => {
            let names: Vec<_> = current.groups.iter().map(|(_, name)| name.as_str()).collect();
            return names.join(", ");
        }
        _ => return value.to_owned(),
    };
    page.t(key).into_owned()
}

async fn rerender(
    current: &UserWithGroups,
    form: &UserForm,
    rejection: &Rejection,
    (staff, page, ctx): (&SignedIn, PageContext, &Context),
) -> HandlerResult {
    let page = render(current, form, &rejection.errors, None, (staff, page, ctx)).await?;
    Ok(Response::Page(rejection.apply_to(page)))
}

async fn render(
    current: &UserWithGroups,
    form: &UserForm,
    errors: &FormErrors,
    invitation_url: Option<String>,
    (staff, page, ctx): (&SignedIn, PageContext, &Context),
) -> Result<Page, Error> {
    let (account, reader) = (&current.account, staff.user());
    let (user, id) = (&account.user, account.user.id);
    let (diagnosis, failures) = flows::admin::login_diagnosis::diagnose(ctx, account).await?;
    let signins = sessions::list_active(ctx, id, staff.session()).await?;
    let sessions = signins.sessions.iter().map(|row| UserSessionRow {
        device: device::label(&row.user_agent, page.language()),
        address: row.ip.clone(),
        since: Timestamp::new(&page, row.created_at),
        seen: Timestamp::new(&page, row.last_seen_at),
    });
    let sent_emails = outbox::list_for_user(&ctx.db, id, LATEST).await?;
    let events = audit::list_of_user(&ctx.db, id, None, LATEST).await?;
    let emails = audit_log::emails(ctx, &events).await?;
    let show = |event: &RecordedEvent| event_row(event, id, &emails, &page);
    Page::render(&UserPage {
        form: FormView::filled(&page, form, errors),
        version: form.version.clone(),
        seen: form.seen.clone(),
        id,
        email: user.email.as_typed().to_owned(),
        name: user.name.as_str().to_owned(),
        may_change: reader.may(Permission::UsersChange) && !actions::is_protected(account, staff),
        may_make_superusers: reader.is_superuser,
        groups: group_checkboxes(ctx, reader.permissions()).await?,
        group_names: current.groups.iter().map(|(_, name)| name.clone()).collect(),
        diagnosis: sentence(&diagnosis, &page),
        reason: account.inactive_reason.clone(),
        has_password: account.password_hash.is_some(),
        social: crate::social::list_login_methods(ctx, id).await?,
        verified: user.email_verified_at.map(|at| Timestamp::new(&page, at)),
        joined: Timestamp::new(&page, user.created_at),
        last_login: account.last_login_at.map(|at| Timestamp::new(&page, at)),
        sessions: sessions.collect(),
        more_sessions: signins.more,
        failures: failures.iter().map(show).collect(),
        emails: sent_emails.iter().map(|email| email_row(email, &page)).collect(),
        events: events.iter().map(show).collect(),
        may_read_audit: reader.may(Permission::AuditView),
        actions: available_actions(
            account,
            staff,
            crate::admin::outranks(&ctx.db, user, reader).await?,
        ),
        invitation_url,
        page,
    })
}

/// Returns the diagnosis in one sentence.
fn sentence(diagnosis: &LoginDiagnosis, page: &PageContext) -> String {
    match diagnosis {
        LoginDiagnosis::Deleted(at) => {
            page.t_with("admin.login_diagnosis.deleted", "at", page.date_time(*at))
        }
        LoginDiagnosis::Suspended(Some(at)) => {
            page.t_with("admin.login_diagnosis.suspended_until", "at", page.date_time(*at))
        }
        LoginDiagnosis::Suspended(None) => page.t("admin.login_diagnosis.suspended").into_owned(),
        LoginDiagnosis::Unverified => page.t("admin.login_diagnosis.unverified").into_owned(),
        LoginDiagnosis::SocialLoginOnly(ways) => {
            page.t_with("admin.login_diagnosis.social_only", "providers", ways.join(", "))
        }
        LoginDiagnosis::NoPassword => page.t("admin.login_diagnosis.no_password").into_owned(),
        LoginDiagnosis::RateLimited(wait) => {
            page.t_with("admin.login_diagnosis.throttled", "wait", page.wait(*wait))
        }
        LoginDiagnosis::LockedOut => page.t("admin.login_diagnosis.password_locked").into_owned(),
        LoginDiagnosis::WrongPassword(count, at) => {
            let values = [("count", &*count.to_string()), ("at", &*page.date_time(*at))];
            page.language().tell("admin.login_diagnosis.wrong_password", &values)
        }
        LoginDiagnosis::DeletionPending(at) => {
            page.t_with("admin.login_diagnosis.deletion_pending", "at", page.date_time(*at))
        }
        LoginDiagnosis::NoProblem => page.t("admin.login_diagnosis.fine").into_owned(),
    }
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
        what: page.t_with(activity::label(event.kind), "count", count),
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

/// Returns what the reader may do to the account; less when its user has permissions that the
/// reader lacks.
fn available_actions(account: &Account, staff: &SignedIn, outranks: bool) -> Vec<UserAction> {
    let reader = staff.user();
    if actions::is_protected(account, staff) {
        return Vec::new();
    }
    let is_oneself = account.user.id == reader.id;
    let is_being_deleted = !account.is_active && account.deletes_at.is_some();
    let mut actions = Vec::new();
    if reader.may(Permission::UsersChange) {
        match (account.is_active, is_being_deleted) {
            (_, true) => actions.push(UserAction::Restore),
            (false, false) => actions.push(UserAction::Activate),
            (true, false) if !is_oneself => actions.push(UserAction::Deactivate),
            (true, false) => {}
        }
        if account.user.email_verified_at.is_none() {
            actions.push(UserAction::Verify);
        }
        actions.push(UserAction::Password);
    }
    if reader.may(Permission::SessionsEnd) {
        actions.push(UserAction::EndSessions);
    }
    if reader.may(Permission::UsersDelete) && !is_oneself && !is_being_deleted {
        actions.push(UserAction::Delete);
    }
    if outranks && !is_oneself {
        actions.retain(|action| {
            !matches!(action, UserAction::Deactivate | UserAction::Delete | UserAction::Password)
        });
    }
    actions
}
