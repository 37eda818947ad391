//! One action for many people: chosen on the list, looked at here, and ordered.

use askama::Template;
use rocket::form::{Form as RocketForm, FromForm};
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use url::form_urlencoded;

use super::show::BULK;
use crate::accounts::search::MatchCount;
use crate::admin::{AdminAction, AdminError};
use crate::context::Context;
use crate::flows;
use crate::flows::admin::bulk_jobs::{Preview, Selection};
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::types::{Permission, RequestInfo, UserId, text};
use crate::web::account::{Response, reauthentication};
use crate::web::admin::users::actions::{actor, is_too_long_or_odd, number, until};
use crate::web::admin::users::index;
use crate::web::admin::users::index::Asked;
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![look, create]
}

/// Where it is looked at.
const LOOK: &str = "/admin/users/actions";

/// More than are on a page of the list, and as many as fit into a form.
const MOST_CHOSEN: usize = 500;

/// The longest way back from the password question; a longer one leads to the list.
const LONGEST_WAY: usize = 2_000;

/// What can be done to many: form value, permission, keys of its name, heading and text, and whether it
/// takes accounts away.
struct Kind {
    value: &'static str,
    permission: Permission,
    words: [&'static str; 3],
    is_dangerous: bool,
}

const KINDS: [Kind; 5] = [
    Kind {
        value: "activate",
        permission: Permission::UsersChange,
        words: [
            "admin.user_action.activate.submit",
            "admin.bulk.activate.title",
            "admin.bulk.activate.text",
        ],
        is_dangerous: false,
    },
    Kind {
        value: "deactivate",
        permission: Permission::UsersChange,
        words: [
            "admin.user_action.deactivate.submit",
            "admin.bulk.deactivate.title",
            "admin.bulk.deactivate.text",
        ],
        is_dangerous: true,
    },
    Kind {
        value: "verify",
        permission: Permission::UsersChange,
        words: [
            "admin.user_action.verify.submit",
            "admin.bulk.verify.title",
            "admin.bulk.verify.text",
        ],
        is_dangerous: false,
    },
    Kind {
        value: "end_sessions",
        permission: Permission::SessionsEnd,
        words: [
            "admin.user_action.end_sessions.submit",
            "admin.bulk.end_sessions.title",
            "admin.bulk.end_sessions.text",
        ],
        is_dangerous: false,
    },
    Kind {
        value: "delete",
        permission: Permission::UsersDelete,
        words: [
            "admin.user_action.delete.submit",
            "admin.bulk.delete.title",
            "admin.bulk.delete.text",
        ],
        is_dangerous: true,
    },
];

/// What the reader may do to many: form value, and key of its name.
pub(crate) fn choices(reader: &SignedIn) -> Vec<(&'static str, &'static str)> {
    let may = KINDS.iter().filter(|kind| reader.user().may(kind.permission));
    may.map(|kind| (kind.value, kind.words[0])).collect()
}

#[derive(FromForm)]
struct BulkForm {
    #[field(default = String::new())]
    action: String,
    #[field(default = Vec::new())]
    id: Vec<String>,
    /// Not those ticked, but everybody who matches the filter.
    #[field(default = String::new())]
    all: String,
    /// The query of the list.
    #[field(default = String::new())]
    filter: String,
    #[field(default = String::new())]
    reason: String,
    #[field(default = String::new())]
    until: String,
    /// How many it was when it was looked at; without it, it is looked at first.
    #[field(default = String::new())]
    count: String,
}

impl Form for BulkForm {
    const FIELDS: &'static [&'static str] = &["id", "reason", "until"];
    const REPEATED: &'static [&'static str] = &["id"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("reason", &self.reason), ("until", &self.until)]
    }
}

impl BulkForm {
    fn kind(&self) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.value == self.action)
    }

    fn wants_all(&self) -> bool {
        matches!(self.all.as_str(), "true" | "on")
    }

    /// What the list was asked for.
    fn asked(&self) -> Option<Asked> {
        RocketForm::<Asked>::parse(&self.filter).ok()
    }

    /// Whom it is for; or the key of what is wrong.
    fn wanted(&self) -> Result<Selection, &'static str> {
        if self.wants_all() {
            let understood = self.asked().map(|mut asked| asked.understand());
            let understood = understood.filter(|it| it.errors.is_empty());
            let filter =
                understood.and_then(|it| it.filter).ok_or("admin.bulk.unreadable_filter")?;
            return Ok(Selection::Matching(filter));
        }
        if self.id.is_empty() {
            return Err("admin.bulk.none_selected");
        }
        if self.id.len() > MOST_CHOSEN {
            return Err("admin.bulk.too_many");
        }
        let ids = self.id.iter().map(|id| number(id).map(UserId));
        ids.collect::<Option<Vec<_>>>().map(Selection::Ids).ok_or("admin.bulk.unknown_user")
    }

    /// The way back to looking at it, without what is typed on that page.
    fn way(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("action", &self.action);
        query.extend_pairs(self.id.iter().map(|id| ("id", id)));
        if self.wants_all() {
            query.append_pair("all", "true").append_pair("filter", &self.filter);
        }
        let way = format!("{LOOK}?{}", query.finish());
        if way.len() > LONGEST_WAY { "/admin/users".to_owned() } else { way }
    }
}

#[derive(Template)]
#[template(path = "admin/bulk/new.html")]
struct BulkPage {
    page: PageContext,
    form: FormView,
    sent: BulkForm,
    kind: &'static Kind,
    count: String,
    counted: String,
    is_nobody: bool,
    some: Vec<String>,
    has_more: bool,
    left_out: Option<String>,
}

/// Looking at it once more, on the way back from the password question; without a action, the list of
/// what was done before.
#[get("/admin/users/actions?<sent..>")]
async fn look(
    sent: BulkForm,
    staff: ViewsUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    if sent.action.is_empty() {
        return Ok(Response::Redirect(Redirect::to(BULK)));
    }
    let kind = kind(&sent, &staff.0)?;
    let Ok(wanted) = sent.wanted() else {
        return Ok(Response::Redirect(Redirect::to("/admin/users")));
    };
    if kind.is_dangerous && !staff.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect_for(&sent.way())));
    }
    let action = action(kind, &sent, None);
    let preview =
        flows::admin::bulk_jobs::preview(ctx, actor(&staff.0, info), &action, &wanted).await?;
    render(kind, sent, FormView::empty(""), preview, page).map(Response::Page)
}

/// Shows first what would come of it; orders it when the page that shows it is sent.
#[post("/admin/users/actions", data = "<sent>")]
async fn create(
    sent: Submitted<BulkForm>,
    staff: ViewsUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    let mut errors = sent.errors(Ok(()));
    let form = sent.form;
    let kind = kind(&form, &staff.0)?;
    let wanted = match form.wanted() {
        Ok(wanted) => wanted,
        Err(key) => {
            let page = index::rerender(form.asked(), key, &staff.0, page, ctx).await?;
            return Ok(Response::Page(page.with_status(Status::UnprocessableEntity)));
        }
    };
    if kind.is_dangerous && !staff.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect_for(&form.way())));
    }
    let until = until(&form.until, ctx.clock.now().date());
    if is_too_long_or_odd(&form.reason) {
        errors.add("reason", "admin.user_action.reason_malformed");
    }
    if let Err(key) = until {
        errors.add("until", key);
    }
    let action = action(kind, &form, until.ok().flatten());
    let actor = actor(&staff.0, info);
    let preview = flows::admin::bulk_jobs::preview(ctx, actor, &action, &wanted).await?;
    if form.count.is_empty() {
        return render(kind, form, FormView::empty(""), preview, page).map(Response::Page);
    }
    let rejection: Rejection = if !errors.is_empty() {
        errors.into()
    } else if form.count != counted(preview.count) {
        Rejection::on_form("admin.bulk.count_changed")
    } else {
        match flows::admin::bulk_jobs::enqueue(ctx, actor, action, wanted).await {
            Ok(id) => return Ok(Response::Redirect(Redirect::to(format!("{BULK}/{id}")))),
            Err(AdminError::Broken(error)) => return Err(error.into()),
            Err(_) => return Err(Status::Forbidden.into()),
        }
    };
    let view = FormView::filled(&page, &form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(kind, form, view, preview, page)?)))
}

/// The kind of action, if there is such a one and the reader may do it.
fn kind(form: &BulkForm, reader: &SignedIn) -> Result<&'static Kind, Error> {
    let kind = form.kind().ok_or(Status::UnprocessableEntity)?;
    let may = reader.user().may(kind.permission);
    if may { Ok(kind) } else { Err(Status::Forbidden.into()) }
}

fn action(kind: &Kind, form: &BulkForm, until: Option<time::OffsetDateTime>) -> AdminAction {
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

/// A count as the form carries it.
fn counted(count: MatchCount) -> String {
    match count {
        MatchCount::Exactly(count) => count.to_string(),
        MatchCount::AtLeast(count) => format!("{count}+"),
        MatchCount::Many => "many".to_owned(),
    }
}

fn render(
    kind: &'static Kind,
    sent: BulkForm,
    form: FormView,
    preview: Preview,
    page: PageContext,
) -> Result<Page, Error> {
    let shown = preview.some.len() as u64;
    Page::render(&BulkPage {
        kind,
        count: index::told(preview.count, &page),
        counted: counted(preview.count),
        is_nobody: preview.count == MatchCount::Exactly(0),
        has_more: preview.count != MatchCount::Exactly(shown),
        some: preview.some,
        left_out: (preview.skipped > 0)
            .then(|| page.t_with("admin.bulk.will_be_left_out", "count", preview.skipped)),
        sent,
        form,
        page,
    })
}
