//! The download of everything stored about the user.

use rocket::http::{ContentType, Header, Status};
use rocket::response::Redirect;
use rocket::{Responder, Route, State, get, routes};

use super::reauthentication;
use crate::context::Context;
use crate::flows;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::web::error::Error;
use crate::web::page::PageContext;

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Responder)]
struct ExportFile {
    json: (ContentType, String),
    disposition: Header<'static>,
}

#[derive(Responder)]
enum ExportResponse {
    File(ExportFile),
    Redirect(Redirect),
    NotFound(Status),
}

/// Downloads the file. A thief of an unlocked phone would want it, so a recent reauthentication is
/// required.
#[get("/account/export")]
async fn show(
    signed_in: SignedIn,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<ExportResponse, Error> {
    if !guards::has_reauthenticated(ctx, &signed_in).await? {
        return Ok(ExportResponse::Redirect(reauthentication::redirect(&page)));
    }
    let Some(everything) = flows::account::data_export::export(ctx, signed_in.user().id).await?
    else {
        return Ok(ExportResponse::NotFound(Status::NotFound));
    };
    let name = "attachment; filename=\"daemun-export.json\"";
    Ok(ExportResponse::File(ExportFile {
        json: (ContentType::JSON, format!("{everything:#}\n")),
        disposition: Header::new("Content-Disposition", name),
    }))
}
