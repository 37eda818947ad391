//! The list of users: searched, filtered, sorted, a page at a time.

use askama::Template;
use rocket::{Route, get, routes};

use super::user_query::{ParsedUserQuery, UserQuery};
use crate::accounts::search;
use crate::accounts::search::{
    Cursor, CursorPosition, MatchCount, SearchBounds, SearchPage, SortOrder, UserFilter,
    UserSummary,
};
use crate::admin::AdminAction;
use crate::groups;
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::paths;
use crate::types::Permission;
use crate::web::error::Error;
use crate::web::labels::with_commas;
use crate::web::page::{Page, PageContext, Timestamp};
use crate::web::request_context::RequestContext;

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

/// Users per page, which then weighs 30 kB at most.
const PAGE_SIZE: u64 = 20;

/// Groups to choose from; a site has a handful.
const MAX_GROUPS: u64 = 200;

#[derive(Template)]
#[template(path = "admin/users/index.html")]
struct UsersPage<'a> {
    page: &'a PageContext,
    query: UserQuery,
    groups: Vec<(String, String)>,
    columns: Vec<Column>,
    users: Vec<UserRow>,
    count: String,
    errors: Vec<&'static str>,
    is_filtered: bool,
    is_window_exhausted: bool,
    may_add: bool,
    /// Form values and label keys of the actions on many users.
    actions: Vec<(&'static str, &'static str)>,
    /// The query of this list, for an action on every user in it.
    filter: String,
    csv: String,
    first: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl UsersPage<'_> {
    /// Returns the yes/no filters: name, label and value.
    fn flags(&self) -> [(&'static str, &'static str, &str); 4] {
        [
            ("is_active", "admin.users.active", &self.query.is_active),
            ("is_staff", "admin.users.staff", &self.query.is_staff),
            ("is_superuser", "admin.users.superuser", &self.query.is_superuser),
            ("verified", "admin.users.verified", &self.query.verified),
        ]
    }

    /// Returns whether there is any filter besides the search.
    fn has_advanced_filters(&self) -> bool {
        self.query.filters().iter().any(|(name, value)| *name != "q" && !value.is_empty())
    }
}

/// A column heading; with a link when the list can be sorted by it.
struct Column {
    label: &'static str,
    link: Option<String>,
    order: &'static str,
}

/// A yes/no cell.
struct Flag {
    label: &'static str,
    is: bool,
    /// So few users have it that "no" is no news.
    is_rare: bool,
}

struct UserRow {
    id: i64,
    email: String,
    name: String,
    flags: [Flag; 4],
    last_login: Option<Timestamp>,
    joined: Timestamp,
}

#[get("/admin/users?<query..>")]
async fn index(
    by: ViewsUsers,
    query: UserQuery,
    request: RequestContext<'_>,
) -> Result<Page, Error> {
    render(query, None, &by.0, &request).await
}

/// Renders the list, with what is wrong with an action on its users.
pub(crate) async fn render(
    mut query: UserQuery,
    wrong: Option<&'static str>,
    reader: &SignedIn,
    RequestContext { page, context: ctx, .. }: &RequestContext<'_>,
) -> Result<Page, Error> {
    let ParsedUserQuery { filter, sort, position, mut errors } = query.parse();
    errors.splice(0..0, wrong);
    let found = match &filter {
        Some(filter) => {
            search::list_page(&ctx.db, filter, sort, &position, SearchBounds::default(), PAGE_SIZE)
                .await?
        }
        None => no_users(),
    };
    let groups = groups::names(&ctx.db, MAX_GROUPS).await?;
    let link = |name: &str, cursor: &Cursor| {
        query.link(paths::ADMIN_USERS, sort, &[(name, cursor.encode())])
    };
    Page::render(&UsersPage {
        groups: groups.into_iter().map(|(id, name)| (id.to_string(), name)).collect(),
        columns: columns(&query, sort),
        count: count_label(found.count, page),
        is_filtered: filter != Some(UserFilter::default()),
        is_window_exhausted: found.is_window_exhausted,
        may_add: reader.user().may(Permission::UsersAdd),
        actions: bulk_actions(reader),
        filter: query.link("", SortOrder::default(), &[]).trim_start_matches('?').to_owned(),
        csv: query.link(paths::ADMIN_USERS_CSV, sort, &[]),
        first: (position != CursorPosition::Start)
            .then(|| query.link(paths::ADMIN_USERS, sort, &[])),
        before: found.before.as_ref().map(|cursor| link("before", cursor)),
        after: found.after.as_ref().map(|cursor| link("after", cursor)),
        users: found.users.into_iter().map(|row| user_row(row, page)).collect(),
        errors,
        query,
        page,
    })
}

/// Returns the form values and label keys of the actions on many users that the reader may do.
fn bulk_actions(reader: &SignedIn) -> Vec<(&'static str, &'static str)> {
    let actions = AdminAction::ALL.into_iter();
    let actions = actions.filter(|action| reader.user().may(action.permission()));
    let choice = |action: AdminAction| {
        let [.., label] = action.spec().labels;
        (action.as_str(), label)
    };
    actions.map(choice).collect()
}

fn no_users() -> SearchPage {
    let (users, count) = (Vec::new(), MatchCount::Exactly(0));
    SearchPage { users, count, before: None, after: None, is_window_exhausted: false }
}

pub(crate) fn count_label(count: MatchCount, page: &PageContext) -> String {
    match count {
        MatchCount::Exactly(1) => page.t_with("admin.users.one", "count", 1),
        MatchCount::Exactly(count) => page.t_with("admin.users.many", "count", with_commas(count)),
        MatchCount::AtLeast(count) => {
            page.t_with("admin.users.at_least", "count", with_commas(count))
        }
        MatchCount::Many => page.t_with("admin.users.more_than", "count", "10,000"),
    }
}

/// Builds the headings.
fn columns(query: &UserQuery, sort: SortOrder) -> Vec<Column> {
    let sorted = |label, first: &'static str, second: &'static str| {
        let name = |is: &str| if is.starts_with('-') { "descending" } else { "ascending" };
        let (order, next) = match sort.as_str() {
            now if now == first => (name(first), second),
            now if now == second => (name(second), first),
            _ => ("none", first),
        };
        let link = SortOrder::parse(next).map(|next| query.link(paths::ADMIN_USERS, next, &[]));
        Column { label, link, order }
    };
    let plain = |label| Column { label, link: None, order: "" };
    // The first click sorts as most readers want it: addresses from A, instants from the latest.
    vec![
        sorted("admin.users.email", "email", "-email"),
        plain("admin.users.name"),
        plain("admin.users.active"),
        plain("admin.users.staff"),
        plain("admin.users.superuser"),
        plain("admin.users.verified"),
        sorted("admin.users.last_login", "-last_login_at", "last_login_at"),
        sorted("admin.users.joined", "-created_at", "created_at"),
    ]
}

fn user_row(row: UserSummary, page: &PageContext) -> UserRow {
    UserRow {
        id: row.id.0,
        flags: [
            Flag { label: "admin.users.active", is: row.is_active, is_rare: false },
            Flag { label: "admin.users.staff", is: row.is_staff, is_rare: true },
            Flag { label: "admin.users.superuser", is: row.is_superuser, is_rare: true },
            Flag { label: "admin.users.verified", is: row.is_verified, is_rare: false },
        ],
        last_login: row.last_login_at.map(|at| Timestamp::day(page, at)),
        joined: Timestamp::day(page, row.created_at),
        email: row.email,
        name: row.profile.name.as_str().to_owned(),
    }
}
