//! A new password without the old one, by a link in a letter.

use rocket::{Route, State, post, routes};

use super::password_change::{new_password, not_taken};
use super::{Detail, Said};
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::fields::{Complaints, Fields};
use crate::api::openapi::{Described, HttpMethod, Kind, Section, needs, open};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::password_reset::ResetError;
use crate::i18n::{Sentence, of_mail};
use crate::types::{Caller, Language, Secret};

pub(crate) fn routes() -> Vec<Route> {
    routes![create, update]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = |path, about| open(HttpMethod::Post, path, Section::Account, about);
    vec![
        route("/api/account/password/reset", "openapi.account.password_reset.request")
            .takes([needs("email", Kind::Email)])
            .gives::<Detail>(200)
            .refuses(&[429]),
        route("/api/account/password/reset/confirm", "openapi.account.password_reset.confirm")
            .takes([
                needs("token", Kind::Text),
                needs("new_password1", Kind::Password),
                needs("new_password2", Kind::Password),
            ])
            .gives::<Detail>(200)
            .refuses(&[503]),
    ]
}

/// The same answer for every address.
#[post("/api/account/password/reset", data = "<body>")]
async fn create(
    body: Body,
    language: Language,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Said, Error> {
    let mut fields = Fields::of(&body);
    let Some(email) = fields.email("email") else { return Err(fields.complaints().into()) };
    flows::account::password_reset::ask(ctx, email, language, caller).await?;
    Ok(Said::ok(of_mail("api.password_reset.sent", ctx.settings.delivers_mail())))
}

/// The token is the last part of the link in the letter. It names its account, so the `uid` that
/// clients of Django send is not looked at.
#[post("/api/account/password/reset/confirm", data = "<body>")]
async fn update(body: Body, caller: &Caller, ctx: &State<Ctx>) -> Result<Said, Error> {
    let mut fields = Fields::of(&body);
    let token = fields.text("token");
    let password = new_password(&mut fields);
    let (Some(token), Some(password)) = (token, password) else {
        return Err(fields.complaints().into());
    };
    match flows::account::password_reset::by_link(ctx, &Secret::new(token), password, caller).await
    {
        Ok(()) => Ok(Said::ok("api.password_reset.done")),
        Err(ResetError::Dead) => {
            Err(Complaints::about("token", Sentence::new("api.password_reset.invalid_token"))
                .into())
        }
        Err(ResetError::NotTaken(error)) => Err(not_taken(error)),
        Err(ResetError::Broken(error)) => Err(error.into()),
    }
}
