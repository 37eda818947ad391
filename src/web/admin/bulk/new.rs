//! An action on many users: selected on the list, previewed here, and enqueued as a bulk job.

use askama::Template;
use rocket::form::{Form as RocketForm, FromForm};
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use url::form_urlencoded;

use super::show::BULK_JOBS;
use crate::accounts::search::MatchCount;
use crate::admin::{AdminAction, AdminError};
use crate::context::Context;
use crate::flows;
use crate::flows::admin::bulk_jobs::{Preview, Selection};
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::paths;
use crate::types::{Permission, RequestInfo, UserId, text};
use crate::web::account::{Response, reauthentication};
use crate::web::admin::users::actions::{actor, is_reason_malformed, number, parse_until};
use crate::web::admin::users::index;
use crate::web::admin::users::index::UserQuery;
use crate::web::error::Error;
use crate::web::forms::FormView;
use crate::web::forms::raw::{RawForm, RawSubmitted};
use crate::web::forms::rejection::Rejection;
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![show_preview, create]
}

/// How many users one form can name: more than a page of the list has.
const MAX_SELECTED: usize = 500;

/// The longest path to return to after reauthentication; instead of a longer one the list is
/// opened.
const MAX_RETURN_PATH: usize = 2_000;

/// An action on many users: form value, permission, keys of its label, title and text, and whether
/// it takes accounts away.
struct BulkAction {
    value: &'static str,
    permission: Permission,
    labels: [&'static str; 3],
    is_dangerous: bool,
}

const BULK_ACTIONS: [BulkAction; 5] = [
    BulkAction {
        value: "activate",
        permission: Permission::UsersChange,
        labels: [
            "admin.user_action.activate.submit",
            "admin.bulk.activate.title",
            "admin.bulk.activate.text",
        ],
        is_dangerous: false,
    },
    BulkAction {
        value: "deactivate",
        permission: Permission::UsersChange,
        labels: [
            "admin.user_action.deactivate.submit",
            "admin.bulk.deactivate.title",
            "admin.bulk.deactivate.text",
        ],
        is_dangerous: true,
    },
    BulkAction {
        value: "verify",
        permission: Permission::UsersChange,
        labels: [
            "admin.user_action.verify.submit",
            "admin.bulk.verify.title",
            "admin.bulk.verify.text",
        ],
        is_dangerous: false,
    },
    BulkAction {
        value: "end_sessions",
        permission: Permission::SessionsEnd,
        labels: [
            "admin.user_action.end_sessions.submit",
            "admin.bulk.end_sessions.title",
            "admin.bulk.end_sessions.text",
        ],
        is_dangerous: false,
    },
    BulkAction {
        value: "delete",
        permission: Permission::UsersDelete,
        labels: [
            "admin.user_action.delete.submit",
            "admin.bulk.delete.title",
            "admin.bulk.delete.text",
        ],
        is_dangerous: true,
    },
];

/// Returns the form values and label keys of the actions that the reader may do.
pub(crate) fn choices(reader: &SignedIn) -> Vec<(&'static str, &'static str)> {
    let may = BULK_ACTIONS.iter().filter(|kind| reader.user().may(kind.permission));
    may.map(|kind| (kind.value, kind.labels[0])).collect()
}

#[derive(FromForm)]
struct BulkForm {
    #[field(default = String::new())]
    action: String,
    #[field(default = Vec::new())]
    id: Vec<String>,
    /// Selects every user who matches the filter instead of the ticked ones.
    #[field(default = String::new())]
    all: String,
    /// The query of the list.
    #[field(default = String::new())]
    filter: String,
    #[field(default = String::new())]
    reason: String,
    #[field(default = String::new())]
    until: String,
    /// The count of the preview; the form is previewed first when it is empty.
    #[field(default = String::new())]
    count: String,
}

impl RawForm for BulkForm {
    const FIELDS: &'static [&'static str] = &["id", "reason", "until"];
    const REPEATED: &'static [&'static str] = &["id"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("reason", &self.reason), ("until", &self.until)]
    }
}

impl BulkForm {
    fn kind(&self) -> Option<&'static BulkAction> {
        BULK_ACTIONS.iter().find(|kind| kind.value == self.action)
    }

    fn wants_all(&self) -> bool {
        matches!(self.all.as_str(), "true" | "on")
    }

    /// Parses the query of the list.
    fn query(&self) -> Option<UserQuery> {
        RocketForm::<UserQuery>::parse(&self.filter).ok()
    }

    /// Returns the selected users, or the key of what is wrong.
    fn selection(&self) -> Result<Selection, &'static str> {
        if self.wants_all() {
            let parsed = self.query().map(|mut query| query.parse());
            let parsed = parsed.filter(|it| it.errors.is_empty());
            let filter = parsed.and_then(|it| it.filter).ok_or("admin.bulk.unreadable_filter")?;
            return Ok(Selection::Matching(filter));
        }
        if self.id.is_empty() {
            return Err("admin.bulk.none_selected");
        }
        if self.id.len() > MAX_SELECTED {
            return Err("admin.bulk.too_many");
        }
        let ids = self.id.iter().map(|id| number(id).map(UserId));
        ids.collect::<Option<Vec<_>>>().map(Selection::Ids).ok_or("admin.bulk.unknown_user")
    }

    /// Returns the path of the preview, without what is typed on that page.
    fn return_path(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("action", &self.action);
        query.extend_pairs(self.id.iter().map(|id| ("id", id)));
        if self.wants_all() {
            query.append_pair("all", "true").append_pair("filter", &self.filter);
        }
        let return_path = format!("{}?{}", paths::ADMIN_BULK_NEW, query.finish());
        if return_path.len() > MAX_RETURN_PATH {
            paths::ADMIN_USERS.to_owned()
        } else {
            return_path
        }
    }
}

#[derive(Template)]
#[template(path = "admin/bulk/new.html")]
struct BulkPreviewPage {
    page: PageContext,
    form: FormView,
    sent: BulkForm,
    kind: &'static BulkAction,
    count: String,
    count_token: String,
    is_empty: bool,
    sample: Vec<String>,
    has_more: bool,
    skipped: Option<String>,
}

/// Previews again after reauthentication. Without an action it leads to the list of bulk jobs.
#[get("/admin/users/actions?<sent..>")]
async fn show_preview(
    sent: BulkForm,
    staff: ViewsUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    if sent.action.is_empty() {
        return Ok(Response::Redirect(Redirect::to(BULK_JOBS)));
    }
    let kind = kind(&sent, &staff.0)?;
    let Ok(selection) = sent.selection() else {
        return Ok(Response::Redirect(Redirect::to(paths::ADMIN_USERS)));
    };
    if kind.is_dangerous && !staff.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect_for(&sent.return_path())));
    }
    let action = action(kind, &sent, None);
    let preview =
        flows::admin::bulk_jobs::preview(ctx, actor(&staff.0, info), &action, &selection).await?;
    render(kind, sent, FormView::empty(""), preview, page).map(Response::Page)
}

/// Previews the action, or enqueues it when the preview is submitted.
#[post("/admin/users/actions", data = "<sent>")]
async fn create(
    sent: RawSubmitted<BulkForm>,
    staff: ViewsUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    let mut errors = sent.errors(Ok(()));
    let form = sent.form;
    let kind = kind(&form, &staff.0)?;
    let selection = match form.selection() {
        Ok(selection) => selection,
        Err(key) => {
            let page = index::rerender(form.query(), key, &staff.0, page, ctx).await?;
            return Ok(Response::Page(page.with_status(Status::UnprocessableEntity)));
        }
    };
    if kind.is_dangerous && !staff.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect_for(&form.return_path())));
    }
    let until = parse_until(&form.until, ctx.clock.now().date());
    if is_reason_malformed(&form.reason) {
        errors.add("reason", "admin.user_action.reason_malformed");
    }
    if let Err(key) = until {
        errors.add("until", key);
    }
    let action = action(kind, &form, until.ok().flatten());
    let actor = actor(&staff.0, info);
    let preview = flows::admin::bulk_jobs::preview(ctx, actor, &action, &selection).await?;
    if form.count.is_empty() {
        return render(kind, form, FormView::empty(""), preview, page).map(Response::Page);
    }
    let rejection: Rejection = if !errors.is_empty() {
        errors.into()
    } else if form.count != count_token(preview.count) {
        Rejection::on_form("admin.bulk.count_changed")
    } else {
        match flows::admin::bulk_jobs::enqueue(ctx, actor, action, selection).await {
            Ok(id) => return Ok(Response::Redirect(Redirect::to(format!("{BULK_JOBS}/{id}")))),
            Err(AdminError::Broken(error)) => return Err(error.into()),
            Err(_) => return Err(Status::Forbidden.into()),
        }
    };
    let view = FormView::filled(&page, &form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(kind, form, view, preview, page)?)))
}

/// Returns the action, if it exists and the reader may do it.
fn kind(form: &BulkForm, reader: &SignedIn) -> Result<&'static BulkAction, Error> {
    let kind = form.kind().ok_or(Status::UnprocessableEntity)?;
    let may = reader.user().may(kind.permission);
    if may { Ok(kind) } else { Err(Status::Forbidden.into()) }
}

fn action(kind: &BulkAction, form: &BulkForm, until: Option<time::OffsetDateTime>) -> AdminAction {
    match kind.value {
        "activate" => AdminAction::Activate,
        "deactivate" => {
            AdminAction::Deactivate { reason: text::normalized(&form.reason).into_owned(), until }
        }
        "verify" => AdminAction::VerifyEmail,
        "end_sessions" => AdminAction::EndSessions,
        _ => AdminAction::Delete,
    }
}

/// Encodes a count for the form.
fn count_token(count: MatchCount) -> String {
    match count {
        MatchCount::Exactly(count) => count.to_string(),
        MatchCount::AtLeast(count) => format!("{count}+"),
        MatchCount::Many => "many".to_owned(),
    }
}

fn render(
    kind: &'static BulkAction,
    sent: BulkForm,
    form: FormView,
    preview: Preview,
    page: PageContext,
) -> Result<Page, Error> {
    let listed = preview.sample.len() as u64;
    Page::render(&BulkPreviewPage {
        kind,
        count: index::count_label(preview.count, &page),
        count_token: count_token(preview.count),
        is_empty: preview.count == MatchCount::Exactly(0),
        has_more: preview.count != MatchCount::Exactly(listed),
        sample: preview.sample,
        skipped: (preview.skipped > 0)
            .then(|| page.t_with("admin.bulk.will_be_left_out", "count", preview.skipped)),
        sent,
        form,
        page,
    })
}
