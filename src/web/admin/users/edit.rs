//! One account as staff see it: what it says, why its person cannot log in, and everything around it.

use std::collections::BTreeMap;

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::{Route, State, get, post, routes};
use validator::{Validate, ValidateArgs as _, ValidationError};

use super::actions;
use super::actions::{Act, Outcome};
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
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::rules::Today;
use crate::web::forms::{Form, FormError, FormErrors, FormView, Submitted};
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![show, update]
}

/// Events, and e-mails, on the page; the trail has a page of its own.
const LATEST: u64 = 20;

/// Groups on the page; a site has a handful.
const MOST_GROUPS: u64 = 200;

#[derive(Clone, FromForm, Validate)]
#[validate(context = Today)]
struct PersonForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "tick"))]
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
    #[validate(custom(function = "tick"))]
    is_active: String,
    #[field(default = String::new())]
    #[validate(custom(function = "tick"))]
    is_staff: String,
    #[field(default = String::new())]
    #[validate(custom(function = "tick"))]
    is_superuser: String,
    #[field(default = Vec::new())]
    groups: Vec<String>,
    /// The version of the account that the form was made of.
    #[field(default = String::new())]
    version: String,
    /// What the account said then, so that a later change can be told from a change in the form.
    #[field(default = String::new())]
    seen: String,
}

impl Form for PersonForm {
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

impl PersonForm {
    /// The form as it stands for an account.
    fn of(account: &Account, groups: &[(GroupId, String)]) -> Self {
        let user = &account.user;
        let born = user.date_of_birth.map(|date| date.to_string());
        let mut form = Self {
            email: user.email.as_typed().to_owned(),
            email_verified: String::new(),
            name: user.name.as_str().to_owned(),
            gender: user.gender.map_or("", Gender::as_str).to_owned(),
            date_of_birth: born.unwrap_or_default(),
            is_active: ticked(account.is_active),
            is_staff: ticked(user.is_staff),
            is_superuser: ticked(user.is_superuser),
            groups: groups.iter().map(|(id, _)| id.to_string()).collect(),
            version: account.version.to_string(),
            seen: String::new(),
        };
        form.seen = serde_json::to_string(&form.fields()).unwrap_or_default();
        form
    }

    /// Its fields as one text each, to be compared.
    fn fields(&self) -> BTreeMap<String, String> {
        let mut groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        groups.sort_unstable();
        groups.dedup();
        let is = |tick: &str| ticked(is_ticked(tick));
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

    /// Takes over one field of the account as it stands.
    fn take(&mut self, field: &str, from: &Self) {
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

    /// The words of a form whose rules hold.
    fn words(&self, today: Today, groups: Vec<GroupId>, has_reauthenticated: bool) -> UserUpdate {
        let holds = "the rules hold, and they are these parsers";
        let edited = AccountUpdate {
            email: Email::parse(&self.email).expect(holds),
            name: Name::parse(&self.name).expect(holds),
            gender: Gender::parse(&self.gender).expect(holds),
            date_of_birth: BirthDate::parse(&self.date_of_birth, today.0).expect(holds),
            is_active: is_ticked(&self.is_active),
            is_staff: is_ticked(&self.is_staff),
            is_superuser: is_ticked(&self.is_superuser),
        };
        // A version that cannot be read is not the account's.
        let version = self.version.parse().unwrap_or(-1);
        let is_verified = is_ticked(&self.email_verified);
        UserUpdate { version, edited, groups, is_verified, has_reauthenticated }
    }
}

/// The rule of a box: ticked or not.
pub(crate) fn tick(typed: &str) -> Result<(), ValidationError> {
    match typed {
        "" | "true" | "on" | "false" => Ok(()),
        _ => Err(ValidationError::new("gender.unknown")),
    }
}

pub(crate) fn is_ticked(typed: &str) -> bool {
    matches!(typed, "true" | "on")
}

fn ticked(is: bool) -> String {
    if is { "true".to_owned() } else { String::new() }
}

/// The numbers of ticked groups, each once; `None` when one of them is none.
pub(crate) fn group_ids(typed: &[String]) -> Option<Vec<GroupId>> {
    let ids: Option<Vec<_>> = typed.iter().map(|id| actions::number(id).map(GroupId)).collect();
    let mut ids = ids?;
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

/// A group as a box.
pub(crate) struct GroupBox {
    pub id: GroupId,
    pub name: String,
    /// Whether the reader may put somebody into it.
    pub may_grant: bool,
}

/// Every group, with what the reader may do with it.
pub(crate) async fn boxes(ctx: &Context, own: Permissions) -> Result<Vec<GroupBox>, Error> {
    let groups = groups::list(&ctx.db, MOST_GROUPS).await?;
    let show = |group: Group| GroupBox {
        id: group.id,
        may_grant: group.permissions.are_within(own),
        name: group.name,
    };
    Ok(groups.into_iter().map(show).collect())
}

/// Where the token of a link for a new password leads.
pub(crate) fn reset_url(ctx: &Context, token: &Secret) -> String {
    let site = ctx.settings.public_url.as_str().trim_end_matches('/');
    format!("{site}/account/password/reset/{}", token.expose())
}

#[derive(Template)]
#[template(path = "admin/users/edit.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of the template")]
struct PersonPage {
    page: PageContext,
    form: FormView,
    version: String,
    seen: String,
    id: UserId,
    email: String,
    name: String,
    may_change: bool,
    may_make_superusers: bool,
    groups: Vec<GroupBox>,
    held: Vec<String>,
    diagnosis: String,
    reason: String,
    has_password: bool,
    /// The providers that are connected.
    social: Vec<String>,
    verified: Option<Timestamp>,
    joined: Timestamp,
    last_login: Option<Timestamp>,
    sessions: Vec<SessionRow>,
    more_sessions: u64,
    failures: Vec<EventRow>,
    emails: Vec<EmailRow>,
    events: Vec<EventRow>,
    may_read_audit: bool,
    acts: Vec<Act>,
    handed: Option<String>,
}

struct SessionRow {
    device: String,
    address: String,
    since: Timestamp,
    seen: Timestamp,
}

struct EventRow {
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
) -> Outcome {
    let account = actions::find(id, ctx).await?;
    let held = groups::list_of_user(&ctx.db, account.user.id).await?;
    let handed = cookies::take_flashed_invitation(jar, ctx, account.user.id);
    let handed = handed.map(|token| reset_url(ctx, &token));
    let current = UserWithGroups { account, groups: held };
    let form = PersonForm::of(&current.account, &current.groups);
    let none = FormErrors::default();
    let page = render(&current, &form, &none, handed, (&staff.0, page, ctx)).await?;
    Ok(Response::Page(page))
}

#[post("/admin/users/<id>", data = "<sent>")]
async fn update(
    id: &str,
    sent: Submitted<PersonForm>,
    staff: ChangesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Outcome {
    let account = actions::reach(id, &staff.0, ctx).await?;
    let (staff, mut form, whom) = (staff.0, &sent.form, account.user.id);
    let now = ctx.clock.now();
    let today = Today(now.date());
    let mut errors = sent.errors(form.validate_with_args(&today));
    let ids = group_ids(&form.groups);
    if ids.is_none() {
        errors.add("groups", "admin.user.groups_unknown");
    }
    let held = groups::list_of_user(&ctx.db, whom).await?;
    let mut current = UserWithGroups { account, groups: held };
    let (true, Some(ids)) = (errors.is_empty(), ids) else {
        return rerender(&current, form, &errors.into(), (&staff, page, ctx)).await;
    };
    let edit = form.words(today, ids, staff.has_reauthenticated(now));
    let merged;
    let rejection =
        match flows::admin::user_update::replace(ctx, actions::actor(&staff, info), whom, &edit)
            .await
        {
            Ok(_) => {
                Flash::UserSaved.set(jar, ctx);
                return Ok(Response::Redirect(actions::back_to(whom, &staff)));
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

/// What the page says about an account that was not saved.
fn reject(error: UpdateUserError) -> Result<Rejection, Error> {
    match error {
        UpdateUserError::Admin(error) => actions::rejection(error),
        UpdateUserError::EmailTaken => Ok(Rejection::on_field("email", "email.taken")),
        UpdateUserError::LocalEmail => Ok(Rejection::on_field("email", "email.local")),
        UpdateUserError::GroupNotFound => {
            Ok(Rejection::on_field("groups", "admin.user.groups_unknown"))
        }
        // Both have been answered before; here they only say that nothing was saved.
        UpdateUserError::Stale(_) | UpdateUserError::ReauthenticationRequired => {
            Ok(Rejection::on_form("admin.user.stale"))
        }
    }
}

/// A form whose account was saved by somebody else meanwhile: what the reader has not touched is as it
/// stands now, and each field that has changed says to what.
fn merge(
    sent: &PersonForm,
    current: &UserWithGroups,
    page: &PageContext,
) -> (PersonForm, FormErrors) {
    let stands = PersonForm::of(&current.account, &current.groups);
    let (now, typed) = (stands.fields(), sent.fields());
    let seen: Option<BTreeMap<String, String>> = serde_json::from_str(&sent.seen).ok();
    let seen = seen.unwrap_or_else(|| typed.clone());
    let mut merged = sent.clone();
    let mut errors = FormErrors::on_form(FormError::new("admin.user.stale"));
    for field in PersonForm::FIELDS {
        let (Some(value), before) = (now.get(*field), seen.get(*field)) else { continue };
        if before == Some(value) {
            continue;
        }
        if typed.get(*field) == before {
            merged.take(field, &stands);
        }
        let words = in_words(field, value, current, page);
        errors.add_sentence(field, FormError::with("admin.user.changed_meanwhile", "value", words));
    }
    merged.version = stands.version;
    merged.seen = stands.seen;
    (merged, errors)
}

/// The value of a field as the reader would say it.
fn in_words(field: &str, value: &str, current: &UserWithGroups, page: &PageContext) -> String {
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
    form: &PersonForm,
    rejection: &Rejection,
    (staff, page, ctx): (&SignedIn, PageContext, &Context),
) -> Outcome {
    let page = render(current, form, &rejection.errors, None, (staff, page, ctx)).await?;
    Ok(Response::Page(rejection.apply_to(page)))
}

async fn render(
    current: &UserWithGroups,
    form: &PersonForm,
    errors: &FormErrors,
    handed: Option<String>,
    (staff, page, ctx): (&SignedIn, PageContext, &Context),
) -> Result<Page, Error> {
    let (account, reader) = (&current.account, staff.user());
    let (user, id) = (&account.user, account.user.id);
    let (diagnosis, failures) = flows::admin::login_diagnosis::diagnose(ctx, account).await?;
    let signins = sessions::list_active(ctx, id, staff.session()).await?;
    let sessions = signins.sessions.iter().map(|row| SessionRow {
        device: device::label(&row.user_agent, page.language()),
        address: row.ip.clone(),
        since: Timestamp::new(&page, row.created_at),
        seen: Timestamp::new(&page, row.last_seen_at),
    });
    let sent_emails = outbox::list_for_user(&ctx.db, id, LATEST).await?;
    let events = audit::list_of_user(&ctx.db, id, None, LATEST).await?;
    let emails = audit_log::emails(ctx, &events).await?;
    let show = |event: &RecordedEvent| event_row(event, id, &emails, &page);
    Page::render(&PersonPage {
        form: FormView::filled(&page, form, errors),
        version: form.version.clone(),
        seen: form.seen.clone(),
        id,
        email: user.email.as_typed().to_owned(),
        name: user.name.as_str().to_owned(),
        may_change: reader.may(Permission::UsersChange) && !actions::is_above(account, staff),
        may_make_superusers: reader.is_superuser,
        groups: boxes(ctx, reader.permissions()).await?,
        held: current.groups.iter().map(|(_, name)| name.clone()).collect(),
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
        acts: acts_on(account, staff, crate::admin::outranks(&ctx.db, user, reader).await?),
        handed,
        page,
    })
}

/// Why the person cannot log in, in one sentence.
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
) -> EventRow {
    let actor = event.actor.filter(|actor| *actor != user);
    let count = event.details.get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
    EventRow {
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

/// What the reader may do to the account; less where its person may do more than the reader.
fn acts_on(account: &Account, staff: &SignedIn, outranks: bool) -> Vec<Act> {
    let reader = staff.user();
    if actions::is_above(account, staff) {
        return Vec::new();
    }
    let is_oneself = account.user.id == reader.id;
    let is_being_deleted = !account.is_active && account.deletes_at.is_some();
    let mut acts = Vec::new();
    if reader.may(Permission::UsersChange) {
        match (account.is_active, is_being_deleted) {
            (_, true) => acts.push(Act::BringBack),
            (false, false) => acts.push(Act::Activate),
            (true, false) if !is_oneself => acts.push(Act::Deactivate),
            (true, false) => {}
        }
        if account.user.email_verified_at.is_none() {
            acts.push(Act::Verify);
        }
        acts.push(Act::Password);
    }
    if reader.may(Permission::SessionsEnd) {
        acts.push(Act::EndSessions);
    }
    if reader.may(Permission::UsersDelete) && !is_oneself && !is_being_deleted {
        acts.push(Act::Delete);
    }
    if outranks && !is_oneself {
        acts.retain(|act| !matches!(act, Act::Deactivate | Act::Delete | Act::Password));
    }
    acts
}
