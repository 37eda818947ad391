//! The list of users as CSV. Each batch shows the users as they were when it was read.

use rocket::http::Status;
use rocket::response::stream::ByteStream;
use rocket::{Route, State, get, routes};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::user_query::UserQuery;
use crate::accounts::search;
use crate::accounts::search::{
    CursorPosition, SearchBatch, SearchBounds, SearchPlan, SortOrder, UserFilter, UserSummary,
};
use crate::context::Context;
use crate::db::DbError;
use crate::http::guards::ViewsUsers;
use crate::web::csv;
use crate::web::csv::Table;
use crate::web::error::Error;

pub(crate) fn routes() -> Vec<Route> {
    routes![index]
}

/// Users per batch: some hundred kilobytes.
const BATCH_SIZE: u64 = 1_000;

const HEADINGS: [&str; 9] = [
    "id",
    "email",
    "name",
    "is_active",
    "is_staff",
    "is_superuser",
    "verified",
    "last_login_at",
    "created_at",
];

#[get("/admin/users.csv?<query..>")]
async fn index(
    _by: ViewsUsers,
    mut query: UserQuery,
    ctx: &State<Context>,
) -> Result<Table<ByteStream![Vec<u8>]>, Error> {
    let parsed = query.parse();
    // Without a part of its filter the list would have more users than were asked for.
    let Some(filter) = parsed.filter.filter(|_| parsed.errors.is_empty()) else {
        return Err(Status::BadRequest.into());
    };
    let sort = parsed.sort;
    let (_, plan) = search::count(&ctx.db, &filter, SearchBounds::default()).await?;
    let ctx = ctx.inner().clone();
    let rows = ByteStream! {
        yield csv::headings(HEADINGS);
        let mut place = Some(CursorPosition::Start);
        while let Some(from) = place {
            match read_batch(&ctx, &filter, sort, &from, plan).await {
                Ok(SearchBatch { users, end, .. }) => {
                    yield csv::rows(users.into_iter().map(cells));
                    place = end.map(CursorPosition::After);
                }
                Err(error) => {
                    tracing::error!(%error, "the export of users broke off");
                    yield csv::BROKEN_OFF.to_vec();
                    place = None;
                }
            }
        }
    };
    Ok(Table::named("users.csv", rows))
}

async fn read_batch(
    ctx: &Context,
    filter: &UserFilter,
    sort: SortOrder,
    place: &CursorPosition,
    plan: SearchPlan,
) -> Result<SearchBatch, DbError> {
    search::list_batch(&ctx.db, filter, sort, place, plan, SearchBounds::default(), BATCH_SIZE)
        .await
}

fn cells(row: UserSummary) -> [String; 9] {
    let instant = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    [
        row.id.to_string(),
        row.email,
        row.profile.name.as_str().to_owned(),
        row.is_active.to_string(),
        row.is_staff.to_string(),
        row.is_superuser.to_string(),
        row.is_verified.to_string(),
        row.last_login_at.map(instant).unwrap_or_default(),
        instant(row.created_at),
    ]
}
