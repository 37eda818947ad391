//! The list of people for spreadsheets and programs. Each piece of it shows people as they were when
//! it was read.

use rocket::http::Status;
use rocket::response::stream::ByteStream;
use rocket::{Route, State, get, routes};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::index::Asked;
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

/// People in a piece: some hundred kilobytes.
const PIECE: u64 = 1_000;

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

/// A filter that is not understood is refused here: a list of everybody is not what was asked for.
#[get("/admin/users.csv?<asked..>")]
async fn index(
    _by: ViewsUsers,
    mut asked: Asked,
    ctx: &State<Context>,
) -> Result<Table<ByteStream![Vec<u8>]>, Error> {
    let understood = asked.understand();
    let Some(filter) = understood.filter.filter(|_| understood.errors.is_empty()) else {
        return Err(Status::BadRequest.into());
    };
    let sort = understood.sort;
    let (_, plan) = search::count(&ctx.db, &filter, SearchBounds::default()).await?;
    let ctx = ctx.inner().clone();
    let rows = ByteStream! {
        yield csv::headings(HEADINGS);
        let mut place = Some(CursorPosition::Start);
        while let Some(from) = place {
            match piece(&ctx, &filter, sort, &from, plan).await {
                Ok(SearchBatch { users, end, .. }) => {
                    yield csv::rows(users.into_iter().map(cells));
                    place = end.map(CursorPosition::After);
                }
                Err(error) => {
                    tracing::error!(%error, "a list of people broke off");
                    yield csv::BROKEN_OFF.to_vec();
                    place = None;
                }
            }
        }
    };
    Ok(Table::named("users.csv", rows))
}

async fn piece(
    ctx: &Context,
    filter: &UserFilter,
    sort: SortOrder,
    place: &CursorPosition,
    plan: SearchPlan,
) -> Result<SearchBatch, DbError> {
    search::list_batch(&ctx.db, filter, sort, place, (plan, SearchBounds::default()), PIECE).await
}

fn cells(row: UserSummary) -> [String; 9] {
    let instant = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    [
        row.id.to_string(),
        row.email,
        row.name,
        row.is_active.to_string(),
        row.is_staff.to_string(),
        row.is_superuser.to_string(),
        row.is_verified.to_string(),
        row.last_login_at.map(instant).unwrap_or_default(),
        instant(row.created_at),
    ]
}
