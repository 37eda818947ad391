//! Lists users: searched, filtered and sorted as on the admin page, by cursor.

use rocket::form::FromForm;
use rocket::serde::json::Json;
use rocket::{Route, State, get, routes};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::{UserRow, users_url};
use crate::accounts::search;
use crate::accounts::search::{
    ConditionError, Cursor, CursorPosition, MAX_QUERY, SearchBounds, SearchTerms, SortOrder,
    UserFilter,
};
use crate::api::credentials::Authenticated;
use crate::api::error::Error;
use crate::api::field_errors::FieldErrors;
use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, authenticated, optional};
use crate::context::Context;
use crate::http::query_text::QueryText;
use crate::i18n::Sentence;
use crate::paths;
use crate::types::Permission;

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route =
        authenticated(HttpMethod::Get, paths::API_USERS, Section::Users, "openapi.users.index");
    let query = [
        optional("search", FieldType::Text),
        optional("is_active", FieldType::Flag),
        optional("is_staff", FieldType::Flag),
        optional("is_superuser", FieldType::Flag),
        optional("verified", FieldType::Flag),
        optional("group", FieldType::Number),
        optional("joined_from", FieldType::Day),
        optional("joined_to", FieldType::Day),
        optional("sort", FieldType::Text),
        optional("page_size", FieldType::Number),
        optional("cursor", FieldType::Text),
    ];
    vec![route.query(query).returns::<UserPage>(200).errors(&[400])]
}

/// The number of users on a page, unless the client asks for another.
const DEFAULT_PAGE_SIZE: u64 = 50;

/// The largest number of users on a page.
const MAX_PAGE_SIZE: u64 = 100;

/// The query of the URL.
#[derive(FromForm)]
struct ListQuery {
    // Every field is text, so that errors can name it.
    search: QueryText,
    is_active: QueryText,
    is_staff: QueryText,
    is_superuser: QueryText,
    verified: QueryText,
    group: QueryText,
    joined_from: QueryText,
    joined_to: QueryText,
    sort: QueryText,
    page_size: QueryText,
    cursor: QueryText,
}

/// The parsed query.
struct ParsedQuery {
    filter: UserFilter,
    sort: SortOrder,
    place: CursorPosition,
    at_most: u64,
}

impl ListQuery {
    fn parse(&self) -> Result<ParsedQuery, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut filter = UserFilter::default();
        for (name, typed) in self.conditions() {
            if let Err(error) = filter.set_condition(name, typed) {
                errors.add(name, condition_message(error, typed));
            }
        }
        match SearchTerms::parse(&self.search) {
            Some(words) => filter.terms = words,
            None => errors.add("search", Sentence::with("api.too_long", "max", MAX_QUERY)),
        }
        let sort = given(&self.sort, SortOrder::parse).unwrap_or_else(|typed| {
            errors.add("sort", Sentence::with("api.not_a_choice", "value", typed));
            None
        });
        let sort = sort.unwrap_or_default();
        let at_most = given(&self.page_size, size).unwrap_or_else(|_| {
            let range = Sentence::with("api.out_of_range", "min", 1).and("max", MAX_PAGE_SIZE);
            errors.add("page_size", range);
            None
        });
        let place = given(&self.cursor, |typed| parse_cursor(typed, sort)).unwrap_or_else(|_| {
            errors.add("cursor", Sentence::new("api.not_a_cursor"));
            None
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        let (place, at_most) = (place.unwrap_or_default(), at_most.unwrap_or(DEFAULT_PAGE_SIZE));
        Ok(ParsedQuery { filter, sort, place, at_most })
    }

    fn conditions(&self) -> [(&'static str, &str); 7] {
        [
            ("is_active", &self.is_active),
            ("is_staff", &self.is_staff),
            ("is_superuser", &self.is_superuser),
            ("verified", &self.verified),
            ("group", &self.group),
            ("joined_from", &self.joined_from),
            ("joined_to", &self.joined_to),
        ]
    }

    /// Returns the URL of the same list from another cursor on.
    fn link(&self, ctx: &Context, cursor: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let conditions = [("search", self.search.as_str())].into_iter().chain(self.conditions());
        let shape = [("sort", self.sort.as_str()), ("page_size", &self.page_size)];
        query.extend_pairs(conditions.chain(shape).filter(|(_, value)| !value.is_empty()));
        query.append_pair("cursor", cursor);
        format!("{}/?{}", users_url(ctx), query.finish())
    }
}

/// Parses a value if one was given; a value that cannot be parsed is returned as the error.
fn given<T>(typed: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, &str> {
    if typed.is_empty() { Ok(None) } else { read(typed).map(Some).ok_or(typed) }
}

fn size(typed: &str) -> Option<u64> {
    typed.parse().ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size))
}

fn condition_message(error: ConditionError, typed: &str) -> Sentence {
    match error {
        ConditionError::NotBool => Sentence::new("api.not_a_boolean"),
        ConditionError::NotNumber => Sentence::new("api.not_a_number"),
        ConditionError::NotDate => Sentence::new("api.not_a_date"),
        ConditionError::Unknown => Sentence::with("api.not_a_choice", "value", typed),
    }
}

/// Parses a cursor with its direction in front: `n` for the next page, `p` for the previous one.
fn parse_cursor(typed: &str, sort: SortOrder) -> Option<CursorPosition> {
    if let Some(cursor) = typed.strip_prefix('n') {
        return Cursor::parse(cursor, sort).map(CursorPosition::After);
    }
    Cursor::parse(typed.strip_prefix('p')?, sort).map(CursorPosition::Before)
}

/// A page of users, with links to the next and the previous page.
#[derive(Serialize, ToSchema)]
#[schema(as = Users)]
struct UserPage {
    #[schema(required)]
    next: Option<String>,
    #[schema(required)]
    previous: Option<String>,
    results: Vec<UserRow>,
}

/// Lists users.
#[get("/api/users?<list_query..>")]
async fn index(
    user: Authenticated,
    list_query: ListQuery,
    ctx: &State<Context>,
) -> Result<Json<UserPage>, Error> {
    let ParsedQuery { mut filter, sort, place, at_most } = list_query.parse()?;
    let user = user.0.user();
    // A filter and no error: every user may list what they may see, which is themselves.
    if !user.may(Permission::UsersView) {
        filter.only = Some(user.id);
    }
    let bounds = SearchBounds::default();
    let found = search::list_page(&ctx.db, &filter, sort, &place, bounds, at_most).await?;
    let link = |way: &str, cursor: &Cursor| list_query.link(ctx, &[way, &cursor.encode()].concat());
    Ok(Json(UserPage {
        next: found.after.as_ref().map(|cursor| link("n", cursor)),
        previous: found.before.as_ref().map(|cursor| link("p", cursor)),
        results: found.users.into_iter().map(|row| UserRow::of(row, ctx)).collect(),
    }))
}
