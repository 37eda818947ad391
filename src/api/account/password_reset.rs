//! Resets a password by a link in an e-mail.

use rocket::{Route, State, post, routes};

use super::password_change::{new_password, new_password_error};
use super::{Detail, DetailResponse};
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::field_errors::FieldErrors;
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, public, required};
use crate::context::Context;
use crate::flows;
use crate::flows::account::password_reset::PasswordResetError;
use crate::i18n::{Sentence, of_mail};
use crate::paths;
use crate::types::{Language, RequestInfo, Secret};

pub(crate) fn routes() -> Vec<Route> {
    routes![create, update]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = |path, about| public(HttpMethod::Post, path, Section::Account, about);
    vec![
        route(paths::API_PASSWORD_RESET, "openapi.account.password_reset.request")
            .says("api.password_reset.sent")
            .body([required("email", FieldType::Email)])
            .returns::<Detail>(200)
            .errors(&[429]),
        route(paths::API_PASSWORD_RESET_CONFIRM, "openapi.account.password_reset.confirm")
            .says("api.password_reset.done")
            .body([
                required("token", FieldType::Text),
                required("new_password1", FieldType::Password),
                required("new_password2", FieldType::Password),
            ])
            .returns::<Detail>(200)
            .errors(&[503]),
    ]
}

/// Sends the e-mail; the response is the same for every address.
#[post("/api/account/password/reset", data = "<body>")]
async fn create(
    body: Body,
    language: Language,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<DetailResponse, Error> {
    let mut fields = FieldReader::of(&body);
    let Some(email) = fields.email(fields.address_field()) else {
        return Err(fields.into_errors().into());
    };
    flows::account::password_reset::request(ctx, email, language, info).await?;
    Ok(DetailResponse::ok(of_mail("api.password_reset.sent", ctx.settings.delivers_mail())))
}

/// Sets the new password. The token is the last part of the link in the e-mail.
#[post("/api/account/password/reset/confirm", data = "<body>")]
async fn update(
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<DetailResponse, Error> {
    let mut fields = FieldReader::of(&body);
    // It identifies its account, so the `uid` that Django's clients send is ignored.
    let token = fields.text("token");
    let password = new_password(&mut fields);
    let (Some(token), Some(password)) = (token, password) else {
        return Err(fields.into_errors().into());
    };
    match flows::account::password_reset::reset(ctx, &Secret::new(token), password, info).await {
        Ok(()) => Ok(DetailResponse::ok("api.password_reset.done")),
        Err(PasswordResetError::Dead) => {
            Err(FieldErrors::on("token", Sentence::new("api.password_reset.invalid_token")).into())
        }
        Err(PasswordResetError::NotTaken(error)) => Err(new_password_error(error)),
        Err(PasswordResetError::Database(error)) => Err(error.into()),
    }
}
