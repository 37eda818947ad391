//! The download of everything stored about the user.

use rocket::http::{ContentType, Header, Status};
use rocket::{Responder, Route, State, get, routes};

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

/// Downloads the file. Requires a recent reauthentication.
#[get("/account/export")]
async fn show(
    signed_in: SignedIn,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<ExportFile, Error> {
    // A thief of an unlocked phone would want the file.
    if !guards::has_reauthenticated(ctx, &signed_in).await? {
        return Err(Error::ReauthenticationRequired(page.path_and_query().to_owned()));
    }
    let everything = flows::account::data_export::export(ctx, signed_in.user().id).await?;
    let everything = everything.ok_or(Status::NotFound)?;
    let name = "attachment; filename=\"daemun-export.json\"";
    Ok(ExportFile {
        json: (ContentType::JSON, format!("{everything:#}\n")),
        disposition: Header::new("Content-Disposition", name),
    })
}
