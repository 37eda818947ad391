//! Importing users from a list: a preview with the faults line by line, then a bulk job.

use std::borrow::Cow;

use askama::Template;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, get, post, routes};

use super::target::actor;
use crate::admin;
use crate::admin::AdminError;
use crate::admin::import::{ImportList, ImportOptions};
use crate::context::Context;
use crate::flows;
use crate::http::guards::{AddsUsers, SignedIn};
use crate::i18n::Language;
use crate::paths;
use crate::types::{BulkJobId, Permission, ProfileField, number};
use crate::web::error::Error;
use crate::web::forms::profile;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{FormView, Hidden, Submitted, form};
use crate::web::labels::with_commas;
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;
use crate::web::upload::Uploaded;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, preview, start]
}

/// Faults on the page; mending these shows the next.
const MAX_FAULTS: usize = 50;

form! {
    /// The form that starts a previewed import.
    struct StartForm {
        plan: Hidden,
    }
}

#[derive(Template)]
#[template(path = "admin/users/import.html")]
struct ImportPage<'a> {
    page: &'a PageContext,
    form: FormView,
    may_verify: bool,
}

impl ImportPage<'_> {
    /// Returns the columns of the profile: each in two parts, between which a line may break, and
    /// the key of what it holds.
    fn profile_columns() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        ProfileField::ALL.iter().map(|field| {
            let name = field.as_str();
            let (start, end) = name.split_at(name.rfind('_').map_or(name.len(), |end| end + 1));
            let hint = match field {
                ProfileField::Name => "admin.import.name",
                ProfileField::Gender => "admin.import.gender",
                ProfileField::DateOfBirth => "admin.import.date_of_birth",
            };
            (start, end, hint)
        })
    }
}

#[derive(Template)]
#[template(path = "admin/users/import_preview.html")]
struct ImportPreviewPage<'a> {
    page: &'a PageContext,
    /// The number of accounts to create, as a phrase.
    good: String,
    plan: Option<BulkJobId>,
    wrong: String,
    faults: Vec<FaultRow>,
    has_more: bool,
    used: String,
    unused: String,
    invites: bool,
}

struct FaultRow {
    line: u64,
    column: &'static str,
    what: String,
}

#[get("/admin/users/import")]
fn new(staff: AddsUsers, request: RequestContext<'_>) -> Result<Page, Error> {
    render(&staff.0, FormView::empty(""), &request.page)
}

/// Previews a file. The users without faults are kept, sealed, for an hour.
#[post("/admin/users/import", format = "multipart/form-data", data = "<sent>")]
async fn preview(
    sent: Uploaded,
    staff: AddsUsers,
    request: RequestContext<'_>,
) -> Result<Page, Error> {
    let RequestContext { page, context: ctx, info, .. } = &request;
    let options = ImportOptions {
        today: ctx.clock.now().date(),
        language: page.language(),
        may_verify: staff.0.user().may(Permission::UsersChange),
        may_be_local: ctx.settings.allow_local_email,
        headings: korean_headings(),
    };
    let mut list = match admin::import::parse(&sent.file, &options) {
        Ok(list) => list,
        Err(key) => return rerender(key, &staff.0, page),
    };
    exclude_costly_hashes(ctx, &mut list).await?;
    exclude_existing(ctx, &mut list).await?;
    let count = list.users.len();
    let plan = if count == 0 {
        None
    } else {
        let users = std::mem::take(&mut list.users).into_iter().map(|(_, _, user)| user);
        let planned = flows::admin::user_import::draft(
            ctx,
            actor(&staff.0, info),
            users.collect(),
            sent.invite,
        )
        .await;
        match planned {
            Ok(id) => Some(id),
            Err(AdminError::Database(error)) => return Err(error.into()),
            // The permission was taken away since the guard checked it.
            Err(_) => return Err(Status::Forbidden.into()),
        }
    };
    show(list, count, plan, sent.invite, page)
}

/// Starts a previewed import.
#[post("/admin/users/import", format = "application/x-www-form-urlencoded", data = "<form>")]
async fn start(
    form: Submitted<StartForm>,
    staff: AddsUsers,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let plan = number(&form.plan).map(BulkJobId);
    if let Some(plan) = plan
        && flows::admin::user_import::enqueue(request.context, actor(&staff.0, request.info), plan)
            .await?
    {
        return Ok(Response::Redirect(Redirect::to(paths::admin_bulk_job(plan))));
    }
    rerender("admin.import.draft_gone", &staff.0, &request.page).map(Response::Page)
}

/// Returns the headings of a Korean file with their columns: the labels of the fields.
fn korean_headings() -> Vec<(Cow<'static, str>, &'static str)> {
    let of_profile = ProfileField::ALL.iter().map(|it| (profile::label(*it), it.as_str()));
    let labels = of_profile.chain([("field.email", "email")]);
    labels.map(|(label, column)| (Language::Korean.say(label), column)).collect()
}

/// Excludes users whose hashes would delay others at each of their log-ins.
async fn exclude_costly_hashes(ctx: &Context, list: &mut ImportList) -> Result<(), Error> {
    let users = list.users.iter().map(|(.., user)| user);
    let too_costly = flows::admin::user_import::find_costly_hashes(ctx, users).await?;
    list.exclude(&too_costly, "password", "admin.import.hash_too_costly");
    Ok(())
}

/// Excludes addresses that already have an account.
async fn exclude_existing(ctx: &Context, list: &mut ImportList) -> Result<(), Error> {
    let emails: Vec<_> = list.users.iter().map(|(_, email, _)| email.clone()).collect();
    let taken = flows::admin::user_import::find_existing(ctx, &emails).await?;
    list.exclude(&taken, "email", "email.taken");
    Ok(())
}

fn show(
    list: ImportList,
    count: usize,
    plan: Option<BulkJobId>,
    invites: bool,
    page: &PageContext,
) -> Result<Page, Error> {
    let has_more = list.faults.len() > MAX_FAULTS;
    let faults = list.faults.into_iter().take(MAX_FAULTS).map(|fault| FaultRow {
        line: fault.line,
        column: fault.column,
        what: page.t_with(fault.key, "sign", fault.symbol),
    });
    let key = if count == 1 { "admin.users.one" } else { "admin.users.many" };
    Page::render(&ImportPreviewPage {
        good: page.t_with(key, "count", with_commas(count as u64)),
        plan,
        wrong: with_commas(list.wrong as u64),
        faults: faults.collect(),
        has_more,
        used: list.used.join(", "),
        unused: list.unused.join(", "),
        invites,
        page,
    })
}

fn rerender(key: &'static str, reader: &SignedIn, page: &PageContext) -> Result<Page, Error> {
    let rejection = Rejection::on_field("file", key);
    let form = FormView::empty("").with_errors::<StartForm>(&rejection.errors, page.language());
    Ok(rejection.apply_to(render(reader, form, page)?))
}

fn render(reader: &SignedIn, form: FormView, page: &PageContext) -> Result<Page, Error> {
    let may_verify = reader.user().may(Permission::UsersChange);
    Page::render(&ImportPage { page, form, may_verify })
}
