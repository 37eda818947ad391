//! An action on many users: selected on the list, previewed here, and enqueued as a bulk job.

use askama::Template;
use rocket::form::Form as RocketForm;
use rocket::http::Status;
use rocket::{Route, get, post, routes};
use url::form_urlencoded;

use crate::accounts::search::MatchCount;
use crate::admin::{ActionRequest, AdminAction, AdminError};
use crate::flows;
use crate::flows::admin::bulk_jobs::{Preview, Selection};
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::paths;
use crate::types::{UserId, number};
use crate::web::admin::users::index;
use crate::web::admin::users::suspension_fields::SuspensionFields;
use crate::web::admin::users::target::actor;
use crate::web::admin::users::user_query::UserQuery;
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Choices, FormPage, FormView, Hidden, Queried, Submitted, form};
use crate::web::labels::with_commas;
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![show_preview, create]
}

/// How many users one form can name: more than a page of the list has.
const MAX_SELECTED: usize = 500;

/// The longest path to return to after reauthentication; instead of a longer one the list is
/// opened.
const MAX_RETURN_PATH: usize = 2_000;

form! {
    struct BulkForm {
        action: Hidden,
        id: Choices<String>,
        /// Selects every user who matches the filter instead of the ticked ones.
        all: Hidden,
        /// The query of the list.
        filter: Hidden,
        suspension: SuspensionFields,
        /// The count of the preview; the form is previewed first when it is empty.
        count: Hidden,
    }
}

impl BulkForm {
    fn wants_all(&self) -> bool {
        matches!(&*self.all, "true" | "on")
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
        if self.id.raw().is_empty() {
            return Err("admin.bulk.none_selected");
        }
        if self.id.raw().len() > MAX_SELECTED {
            return Err("admin.bulk.too_many");
        }
        let ids = self.id.raw().iter().map(|id| number(id).map(UserId));
        ids.collect::<Option<Vec<_>>>().map(Selection::Ids).ok_or("admin.bulk.unknown_user")
    }

    /// Returns the path of the preview, without what is typed on that page.
    fn return_path(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("action", &self.action);
        query.extend_pairs(self.id.raw().iter().map(|id| ("id", id)));
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
#[template(path = "admin/bulk_jobs/new.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of the template")]
struct BulkPreviewPage<'a> {
    page: &'a PageContext,
    form: FormView,
    subject: &'a BulkSubject,
    /// Keys of title and text.
    labels: [&'static str; 2],
    has_suspension: bool,
    is_dangerous: bool,
    count: String,
    count_token: String,
    is_empty: bool,
    sample: &'a [String],
    has_more: bool,
    skipped: Option<String>,
}

/// What the page needs beside its form.
struct BulkSubject {
    action: AdminAction,
    preview: Preview,
    wants_all: bool,
    ids: Vec<String>,
    filter: String,
}

impl BulkSubject {
    fn new(action: AdminAction, preview: Preview, form: &BulkForm) -> Self {
        Self {
            action,
            preview,
            wants_all: form.wants_all(),
            ids: form.id.raw().to_vec(),
            filter: form.filter.to_string(),
        }
    }
}

/// Previews again after reauthentication. Without an action it leads to the list of bulk jobs.
#[get("/admin/users/actions")]
async fn show_preview(
    form: Queried<BulkForm>,
    staff: ViewsUsers,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let Queried(form) = form;
    if form.action.is_empty() {
        return Ok(Response::redirect_to(paths::ADMIN_BULK_JOBS));
    }
    let action = action_of(&form, &staff.0)?;
    let Ok(selection) = form.selection() else {
        return Ok(Response::redirect_to(paths::ADMIN_USERS));
    };
    require_reauthentication(action, &form, &staff.0, &request)?;
    let actor = actor(&staff.0, request.info);
    let preview =
        flows::admin::bulk_jobs::preview(request.context, actor, action, &selection).await?;
    let subject = BulkSubject::new(action, preview, &form);
    BulkForm::render(FormView::empty(""), &subject, &request).await.map(Response::Page)
}

/// Previews the action, or enqueues it when the preview is submitted.
#[post("/admin/users/actions", data = "<form>")]
async fn create(
    form: Submitted<BulkForm>,
    staff: ViewsUsers,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let ctx = request.context;
    let action = action_of(&form, &staff.0)?;
    let selection = match form.selection() {
        Ok(selection) => selection,
        Err(key) => {
            let query = form.query().unwrap_or_default();
            let page = index::render(query, Some(key), &staff.0, &request).await?;
            return Ok(Response::Page(page.with_status(Status::UnprocessableEntity)));
        }
    };
    require_reauthentication(action, &form, &staff.0, &request)?;
    let actor = actor(&staff.0, request.info);
    let preview = flows::admin::bulk_jobs::preview(ctx, actor, action, &selection).await?;
    let count = count_token(preview.count);
    let subject = BulkSubject::new(action, preview, &form);
    if form.count.is_empty() {
        let page = BulkForm::render(FormView::empty(""), &subject, &request).await;
        return page.map(Response::Page);
    }
    if !form.errors.is_empty() {
        return form.rerender_on(&subject, &request).await;
    }
    // Other accounts match by now than the administrator saw.
    if *form.count != *count {
        let rejection = Rejection::on_form("admin.bulk.count_changed");
        return form.reject_on(&subject, rejection, &request).await;
    }
    let request = ActionRequest { action, suspension: form.suspension.value().unwrap_or_default() };
    match flows::admin::bulk_jobs::enqueue(ctx, actor, request, selection).await {
        Ok(id) => Ok(Response::redirect_to(paths::admin_bulk_job(id))),
        Err(AdminError::Database(error)) => Err(error.into()),
        // The permission was taken away since the guard checked it.
        Err(_) => Err(Status::Forbidden.into()),
    }
}

/// Fails with a redirect to reauthenticate for a dangerous action, which leads back to its preview.
fn require_reauthentication(
    action: AdminAction,
    form: &BulkForm,
    reader: &SignedIn,
    request: &RequestContext<'_>,
) -> Result<(), Error> {
    if action.is_dangerous() && !reader.has_reauthenticated(request.context.clock.now()) {
        return Err(Error::ReauthenticationRequired(form.return_path()));
    }
    Ok(())
}

/// Returns the action, if it exists and the reader may do it.
fn action_of(form: &BulkForm, reader: &SignedIn) -> Result<AdminAction, Error> {
    let action = AdminAction::from_stored(&form.action).ok_or(Status::UnprocessableEntity)?;
    let may = reader.user().may(action.permission());
    if may { Ok(action) } else { Err(Status::Forbidden.into()) }
}

/// Encodes a count for the form.
fn count_token(count: MatchCount) -> String {
    match count {
        MatchCount::Exactly(count) => count.to_string(),
        MatchCount::AtLeast(count) => format!("{count}+"),
        MatchCount::Many => "many".to_owned(),
    }
}

impl FormPage<BulkSubject> for BulkForm {
    async fn render(
        form: FormView,
        subject: &BulkSubject,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let (page, preview) = (&request.page, &subject.preview);
        let listed = preview.sample.len() as u64;
        Page::render(&BulkPreviewPage {
            labels: subject.action.spec().bulk_labels,
            has_suspension: subject.action == AdminAction::Deactivate,
            is_dangerous: subject.action.is_dangerous(),
            count: index::count_label(preview.count, page),
            count_token: count_token(preview.count),
            is_empty: preview.count == MatchCount::Exactly(0),
            has_more: preview.count != MatchCount::Exactly(listed),
            sample: &preview.sample,
            skipped: (preview.skipped > 0)
                .then(|| with_commas(preview.skipped))
                .map(|count| page.t_with("admin.bulk.will_be_left_out", "count", count)),
            subject,
            form,
            page,
        })
    }
}
