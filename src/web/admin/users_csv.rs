//! The list of people for spreadsheets and programs.
//!
//! Plain UTF-8 (RFC 4180) without a byte order mark, which programs would take for a part of the
//! first heading; Excel opens it by "Data, From Text/CSV". The list is read and sent in pieces, so it
//! takes no more memory however long it is, and each piece shows people as they were when it was read.

use rocket::http::{ContentType, Header, Status};
use rocket::response::stream::ByteStream;
use rocket::{Responder, Route, State, get, routes};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::users::Asked;
use crate::accounts::search::{self, Batch, Bounds, Filter, Place, Plan, Row, Sort};
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::http::guards::ViewsUsers;
use crate::web::error::Error;

pub(super) fn routes() -> Vec<Route> {
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

/// What the last line says when the rest could not be read: it is one field, so that readers of
/// tables take offence and nobody takes the list for whole.
const BROKEN_OFF: &[u8] = b"incomplete\r\n";

#[derive(Responder)]
struct Export<T> {
    list: (ContentType, T),
    disposition: Header<'static>,
}

/// A filter that is not understood is refused here: a list of everybody is not what was asked for.
#[get("/admin/users.csv?<asked..>")]
async fn index(
    _by: ViewsUsers,
    mut asked: Asked,
    ctx: &State<Ctx>,
) -> Result<Result<Export<ByteStream![Vec<u8>]>, Status>, Error> {
    let understood = asked.understand();
    let Some(filter) = understood.filter.filter(|_| understood.complaints.is_empty()) else {
        return Ok(Err(Status::BadRequest));
    };
    let sort = understood.sort;
    let (_, plan) = search::count(&ctx.db, &filter, Bounds::default()).await?;
    let ctx = ctx.inner().clone();
    let list = ByteStream! {
        yield written(&[HEADINGS.map(str::to_owned)]);
        let mut place = Some(Place::First);
        while let Some(from) = place {
            match piece(&ctx, &filter, sort, &from, plan).await {
                Ok(Batch { people, end, .. }) => {
                    yield written(&people.into_iter().map(cells).collect::<Vec<_>>());
                    place = end.map(Place::After);
                }
                Err(error) => {
                    tracing::error!(%error, "a list of people broke off");
                    yield BROKEN_OFF.to_vec();
                    place = None;
                }
            }
        }
    };
    let kind = ContentType::new("text", "csv");
    let kind = kind.with_params([("charset", "utf-8"), ("header", "present")]);
    let disposition = Header::new("Content-Disposition", "attachment; filename=\"users.csv\"");
    Ok(Ok(Export { list: (kind, list), disposition }))
}

async fn piece(
    ctx: &Ctx,
    filter: &Filter,
    sort: Sort,
    place: &Place,
    plan: Plan,
) -> Result<Batch, DbError> {
    search::batch(&ctx.db, filter, sort, place, (plan, Bounds::default()), PIECE).await
}

fn cells(row: Row) -> [String; 9] {
    let instant = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    [
        row.id.to_string(),
        harmless(row.email),
        harmless(row.name),
        row.is_active.to_string(),
        row.is_staff.to_string(),
        row.is_superuser.to_string(),
        row.is_verified.to_string(),
        row.last_login_at.map(instant).unwrap_or_default(),
        instant(row.created_at),
    ]
}

/// Spreadsheets would take such a text for a formula and compute it; after an apostrophe they do not.
fn harmless(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

fn written(lines: &[[String; 9]]) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        writer.write_record(line).expect("memory takes what is written to it");
    }
    writer.into_inner().expect("memory takes what is written to it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_none() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(harmless(text.into()), format!("'{text}"));
        }
        assert_eq!(harmless("Ada = Eve".into()), "Ada = Eve");
        assert_eq!(harmless(String::new()), "");
    }
}
