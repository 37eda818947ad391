//! The list of users: searched, filtered, sorted, a page at a time.

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, State, get, routes};
use url::form_urlencoded;

use crate::accounts::search;
use crate::accounts::search::{
    Cursor, CursorPosition, MatchCount, SearchBounds, SearchPage, SearchTerms, SortOrder,
    UserFilter, UserSummary,
};
use crate::admin::AdminAction;
use crate::context::Context;
use crate::groups;
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::http::query_text::QueryText;
use crate::paths;
use crate::types::Permission;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

/// Users per page, which then weighs 30 kB at most.
const PAGE_SIZE: u64 = 20;

/// Groups to choose from; a site has a handful.
const MAX_GROUPS: u64 = 200;

/// The query as text, as the URL has it. The page says what cannot be read.
#[derive(Default, FromForm)]
pub(crate) struct UserQuery {
    q: QueryText,
    is_active: QueryText,
    is_staff: QueryText,
    is_superuser: QueryText,
    verified: QueryText,
    group: QueryText,
    joined_from: QueryText,
    joined_to: QueryText,
    sort: QueryText,
    after: QueryText,
    before: QueryText,
}

/// The parsed query.
pub(crate) struct ParsedUserQuery {
    /// The filter; `None` when the search is too long.
    pub filter: Option<UserFilter>,
    /// The order.
    pub sort: SortOrder,
    place: CursorPosition,
    /// The keys of what cannot be read.
    pub errors: Vec<&'static str>,
}

impl UserQuery {
    /// Parses the query, and clears the fields that it cannot read.
    pub(crate) fn parse(&mut self) -> ParsedUserQuery {
        let mut errors = Vec::new();
        let has_unreadable = &mut false;
        let mut filter = UserFilter::default();
        for (name, text) in self.conditions() {
            if filter.set_condition(name, text).is_err() {
                *has_unreadable = true;
                text.clear();
            }
        }
        let sort =
            parse_or_clear(&mut self.sort, has_unreadable, SortOrder::parse).unwrap_or_default();
        let cursor = |text: &str| Cursor::parse(text, sort);
        let after =
            parse_or_clear(&mut self.after, has_unreadable, cursor).map(CursorPosition::After);
        let before =
            parse_or_clear(&mut self.before, has_unreadable, cursor).map(CursorPosition::Before);
        if *has_unreadable {
            errors.push("admin.users.filters_ignored");
        }
        let filter = match SearchTerms::parse(&self.q) {
            Some(words) => {
                filter.terms = words;
                Some(filter)
            }
            None => {
                self.q.clear();
                errors.push("admin.users.search_too_long");
                None
            }
        };
        ParsedUserQuery { filter, sort, place: after.or(before).unwrap_or_default(), errors }
    }

    /// Returns the fields that `Filter::read` reads.
    fn conditions(&mut self) -> [(&'static str, &mut String); 7] {
        [
            ("is_active", &mut self.is_active),
            ("is_staff", &mut self.is_staff),
            ("is_superuser", &mut self.is_superuser),
            ("verified", &mut self.verified),
            ("group", &mut self.group),
            ("joined_from", &mut self.joined_from),
            ("joined_to", &mut self.joined_to),
        ]
    }

    fn filters(&self) -> [(&'static str, &str); 8] {
        [
            ("q", &self.q),
            ("is_active", &self.is_active),
            ("is_staff", &self.is_staff),
            ("is_superuser", &self.is_superuser),
            ("verified", &self.verified),
            ("group", &self.group),
            ("joined_from", &self.joined_from),
            ("joined_to", &self.joined_to),
        ]
    }

    /// Returns the URL of the same filter in some order, from some position on.
    fn link(&self, path: &str, sort: SortOrder, place: &[(&str, String)]) -> String {
        let mut serializer = form_urlencoded::Serializer::new(String::new());
        serializer.extend_pairs(self.filters().iter().filter(|(_, value)| !value.is_empty()));
        if sort != SortOrder::default() {
            serializer.append_pair("sort", sort.as_str());
        }
        serializer.extend_pairs(place);
        let query = serializer.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// Parses a text. An unreadable one is cleared and noted.
fn parse_or_clear<T>(
    text: &mut String,
    has_unreadable: &mut bool,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let found = read(text);
    if found.is_none() && !text.is_empty() {
        *has_unreadable = true;
        text.clear();
    }
    found
}

#[derive(Template)]
#[template(path = "admin/users/index.html")]
struct UsersPage {
    page: PageContext,
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

impl UsersPage {
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
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    render(query, None, &by.0, page, ctx).await
}

/// Renders the list again, with what is wrong with an action on its users.
pub(crate) async fn rerender(
    query: Option<UserQuery>,
    wrong: &'static str,
    reader: &SignedIn,
    page: PageContext,
    ctx: &Context,
) -> Result<Page, Error> {
    render(query.unwrap_or_default(), Some(wrong), reader, page, ctx).await
}

async fn render(
    mut query: UserQuery,
    wrong: Option<&'static str>,
    reader: &SignedIn,
    page: PageContext,
    ctx: &Context,
) -> Result<Page, Error> {
    let ParsedUserQuery { filter, sort, place, mut errors } = query.parse();
    if let Some(wrong) = wrong {
        errors.insert(0, wrong);
    }
    let found = match &filter {
        Some(filter) => {
            search::list_page(&ctx.db, filter, sort, &place, SearchBounds::default(), PAGE_SIZE)
                .await?
        }
        None => no_users(),
    };
    let groups = groups::names(&ctx.db, MAX_GROUPS).await?;
    let link = |place: &str, cursor: &Cursor| {
        query.link(paths::ADMIN_USERS, sort, &[(place, cursor.encode())])
    };
    let page = UsersPage {
        groups: groups.into_iter().map(|(id, name)| (id.to_string(), name)).collect(),
        columns: columns(&query, sort),
        count: count_label(found.count, &page),
        is_filtered: filter != Some(UserFilter::default()),
        is_window_exhausted: found.is_window_exhausted,
        may_add: reader.user().may(Permission::UsersAdd),
        actions: bulk_actions(reader),
        filter: query.link("", SortOrder::default(), &[]).trim_start_matches('?').to_owned(),
        csv: query.link(paths::ADMIN_USERS_CSV, sort, &[]),
        first: (place != CursorPosition::Start).then(|| query.link(paths::ADMIN_USERS, sort, &[])),
        before: found.before.as_ref().map(|cursor| link("before", cursor)),
        after: found.after.as_ref().map(|cursor| link("after", cursor)),
        users: found.users.into_iter().map(|row| user_row(row, &page)).collect(),
        errors,
        query,
        page,
    };
    Page::render(&page)
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
    let (people, count) = (Vec::new(), MatchCount::Exactly(0));
    SearchPage { users: people, count, before: None, after: None, is_window_exhausted: false }
}

pub(crate) fn count_label(count: MatchCount, page: &PageContext) -> String {
    match count {
        MatchCount::Exactly(1) => page.t_with("admin.users.one", "count", 1),
        MatchCount::Exactly(count) => page.t_with("admin.users.many", "count", count),
        MatchCount::AtLeast(count) => page.t_with("admin.users.at_least", "count", count),
        MatchCount::Many => page.t_with("admin.users.more_than", "count", "10,000"),
    }
}

/// Builds the headings. The first click sorts as most readers want it: addresses from A, instants
/// from the latest.
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
