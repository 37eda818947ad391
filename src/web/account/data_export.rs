//! Everything that is held on a person, as a file for that person.

use rocket::http::{ContentType, Header, Status};
use rocket::response::Redirect;
use rocket::{Responder, Route, State, get, routes};

use super::reauthentication;
use crate::context::Ctx;
use crate::flows;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::web::error::Error;
use crate::web::page::Frame;

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Responder)]
struct Document {
    json: (ContentType, String),
    disposition: Header<'static>,
}

#[derive(Responder)]
enum Answer {
    File(Document),
    Sudo(Redirect),
    Gone(Status),
}

/// All of a person in one file is what a thief of an open phone wants, so it asks for the password
/// like everything that is dangerous.
#[get("/account/export")]
async fn show(signed_in: SignedIn, frame: Frame, ctx: &State<Ctx>) -> Result<Answer, Error> {
    if !guards::has_just_proved(ctx, &signed_in).await? {
        return Ok(Answer::Sudo(reauthentication::ask(&frame)));
    }
    let Some(everything) = flows::account::data_export::gather(ctx, signed_in.person().id).await?
    else {
        return Ok(Answer::Gone(Status::NotFound));
    };
    let name = "attachment; filename=\"daemun-export.json\"";
    Ok(Answer::File(Document {
        json: (ContentType::JSON, format!("{everything:#}\n")),
        disposition: Header::new("Content-Disposition", name),
    }))
}
