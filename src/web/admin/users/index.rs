//! The list of people: searched, filtered, sorted, a page at a time.

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, State, get, routes};
use url::form_urlencoded;

use crate::accounts::search;
use crate::accounts::search::{
    Cursor, CursorPosition, MatchCount, SearchBounds, SearchPage, SearchTerms, SortOrder,
    UserFilter, UserSummary,
};
use crate::context::Context;
use crate::groups;
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::types::Permission;
use crate::web::admin::bulk::new;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

const LIST: &str = "/admin/users";
const CSV: &str = "/admin/users.csv";

/// People on a page, which weighs 30 kB at most.
const PAGE: u64 = 20;

/// Groups to choose from; a site has a handful.
const GROUPS: u64 = 200;

/// What the address asks for. All of it is text: what cannot be understood is said on the page.
#[derive(Default, FromForm)]
pub(crate) struct Asked {
    #[field(default = String::new())]
    q: String,
    #[field(default = String::new())]
    is_active: String,
    #[field(default = String::new())]
    is_staff: String,
    #[field(default = String::new())]
    is_superuser: String,
    #[field(default = String::new())]
    verified: String,
    #[field(default = String::new())]
    group: String,
    #[field(default = String::new())]
    joined_from: String,
    #[field(default = String::new())]
    joined_to: String,
    #[field(default = String::new())]
    sort: String,
    #[field(default = String::new())]
    after: String,
    #[field(default = String::new())]
    before: String,
}

/// What was understood of it.
pub(crate) struct Understood {
    /// Who is asked for; `None` when the search is too long to be one.
    pub filter: Option<UserFilter>,
    /// In which order.
    pub sort: SortOrder,
    place: CursorPosition,
    /// The keys of what was not understood.
    pub errors: Vec<&'static str>,
}

impl Asked {
    /// What was understood, and everything else left empty.
    pub(crate) fn understand(&mut self) -> Understood {
        let mut errors = Vec::new();
        let is_odd = &mut false;
        let mut filter = UserFilter::default();
        for (name, text) in self.conditions() {
            if filter.set_condition(name, text).is_err() {
                *is_odd = true;
                text.clear();
            }
        }
        let sort = parse_or_clear(&mut self.sort, is_odd, SortOrder::parse).unwrap_or_default();
        let cursor = |text: &str| Cursor::parse(text, sort);
        let after = parse_or_clear(&mut self.after, is_odd, cursor).map(CursorPosition::After);
        let before = parse_or_clear(&mut self.before, is_odd, cursor).map(CursorPosition::Before);
        if *is_odd {
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
        Understood { filter, sort, place: after.or(before).unwrap_or_default(), errors }
    }

    /// What [`Filter::read`] understands.
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

    /// The same people in some order, from some place on.
    fn link(&self, path: &str, sort: SortOrder, place: &[(&str, String)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.filters().iter().filter(|(_, value)| !value.is_empty()));
        if sort != SortOrder::default() {
            query.append_pair("sort", sort.as_str());
        }
        query.extend_pairs(place);
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// What a text means; one that means nothing is emptied, and remembered as odd.
fn parse_or_clear<T>(
    text: &mut String,
    is_odd: &mut bool,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let found = read(text);
    if found.is_none() && !text.is_empty() {
        *is_odd = true;
        text.clear();
    }
    found
}

#[derive(Template)]
#[template(path = "admin/users/index.html")]
struct UsersPage {
    page: PageContext,
    asked: Asked,
    groups: Vec<(String, String)>,
    columns: Vec<Column>,
    people: Vec<Shown>,
    count: String,
    errors: Vec<&'static str>,
    is_filtered: bool,
    is_window_exhausted: bool,
    may_add: bool,
    /// What the reader may do to many: form value, and key of its name.
    actions: Vec<(&'static str, &'static str)>,
    /// The query of this list, for what is done to everybody in it.
    filter: String,
    csv: String,
    first: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl UsersPage {
    /// The filters with two answers: name, label, what was chosen.
    fn flags(&self) -> [(&'static str, &'static str, &str); 4] {
        [
            ("is_active", "admin.users.active", &self.asked.is_active),
            ("is_staff", "admin.users.staff", &self.asked.is_staff),
            ("is_superuser", "admin.users.superuser", &self.asked.is_superuser),
            ("verified", "admin.users.verified", &self.asked.verified),
        ]
    }

    /// Whether anything but words is asked for.
    fn has_seldom_filters(&self) -> bool {
        self.asked.filters().iter().any(|(name, value)| *name != "q" && !value.is_empty())
    }
}

/// A column's heading; with a link when people can be sorted by it.
struct Column {
    label: &'static str,
    link: Option<String>,
    order: &'static str,
}

/// A question with two answers.
struct Flag {
    label: &'static str,
    is: bool,
    /// So few have it that a no is no news.
    is_rare: bool,
}

struct Shown {
    id: i64,
    email: String,
    name: String,
    flags: [Flag; 4],
    last_login: Option<Timestamp>,
    joined: Timestamp,
}

#[get("/admin/users?<asked..>")]
async fn index(
    by: ViewsUsers,
    asked: Asked,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    render(asked, None, &by.0, page, ctx).await
}

/// The list once more, with what is wrong with what was to be done to those in it.
pub(crate) async fn rerender(
    asked: Option<Asked>,
    wrong: &'static str,
    reader: &SignedIn,
    page: PageContext,
    ctx: &Context,
) -> Result<Page, Error> {
    render(asked.unwrap_or_default(), Some(wrong), reader, page, ctx).await
}

async fn render(
    mut asked: Asked,
    wrong: Option<&'static str>,
    reader: &SignedIn,
    page: PageContext,
    ctx: &Context,
) -> Result<Page, Error> {
    let Understood { filter, sort, place, mut errors } = asked.understand();
    if let Some(wrong) = wrong {
        errors.insert(0, wrong);
    }
    let found = match &filter {
        Some(filter) => {
            search::list_page(&ctx.db, filter, sort, &place, SearchBounds::default(), PAGE).await?
        }
        None => nobody(),
    };
    let groups = groups::names(&ctx.db, GROUPS).await?;
    let link = |place: &str, cursor: &Cursor| asked.link(LIST, sort, &[(place, cursor.encode())]);
    let page = UsersPage {
        groups: groups.into_iter().map(|(id, name)| (id.to_string(), name)).collect(),
        columns: columns(&asked, sort),
        count: told(found.count, &page),
        is_filtered: filter != Some(UserFilter::default()),
        is_window_exhausted: found.is_window_exhausted,
        may_add: reader.user().may(Permission::UsersAdd),
        actions: new::choices(reader),
        filter: asked.link("", SortOrder::default(), &[]).trim_start_matches('?').to_owned(),
        csv: asked.link(CSV, sort, &[]),
        first: (place != CursorPosition::Start).then(|| asked.link(LIST, sort, &[])),
        before: found.before.as_ref().map(|cursor| link("before", cursor)),
        after: found.after.as_ref().map(|cursor| link("after", cursor)),
        people: found.users.into_iter().map(|row| show(row, &page)).collect(),
        errors,
        asked,
        page,
    };
    Page::render(&page)
}

fn nobody() -> SearchPage {
    let (people, count) = (Vec::new(), MatchCount::Exactly(0));
    SearchPage { users: people, count, before: None, after: None, is_window_exhausted: false }
}

pub(crate) fn told(count: MatchCount, page: &PageContext) -> String {
    match count {
        MatchCount::Exactly(1) => page.t_with("admin.users.one", "count", 1),
        MatchCount::Exactly(count) => page.t_with("admin.users.many", "count", count),
        MatchCount::AtLeast(count) => page.t_with("admin.users.at_least", "count", count),
        MatchCount::Many => page.t_with("admin.users.more_than", "count", "10,000"),
    }
}

/// The first click sorts as people mostly want it: addresses from A, instants from the latest.
fn columns(asked: &Asked, sort: SortOrder) -> Vec<Column> {
    let sorted = |label, first: &'static str, second: &'static str| {
        let name = |is: &str| if is.starts_with('-') { "descending" } else { "ascending" };
        let (order, next) = match sort.as_str() {
            now if now == first => (name(first), second),
            now if now == second => (name(second), first),
            _ => ("none", first),
        };
        let link = SortOrder::parse(next).map(|next| asked.link(LIST, next, &[]));
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

fn show(row: UserSummary, page: &PageContext) -> Shown {
    Shown {
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
        name: row.name,
    }
}
