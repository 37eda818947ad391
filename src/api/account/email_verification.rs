//! Verifies an e-mail address.

use rocket::{Route, State, post, routes};

use super::second_path::with_second_path;
use super::{Detail, DetailResponse};
use crate::api::body::Body;
use crate::api::credentials::MaybeAuthenticated;
use crate::api::error::Error;
use crate::api::error_detail::ErrorDetail;
use crate::api::field_errors::FieldErrors;
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, optional, public, required};
use crate::context::Context;
use crate::flows;
use crate::flows::account::email_verification::{LinkReader, VerifyError};
use crate::i18n::Sentence;
use crate::links::LinkError;
use crate::paths;
use crate::types::{Language, RequestInfo, Secret};

pub(crate) fn routes() -> Vec<Route> {
    let names = [
        (paths::API_VERIFY_EMAIL, paths::API_REGISTRATION_VERIFY_EMAIL),
        (paths::API_RESEND_EMAIL, paths::API_REGISTRATION_RESEND_EMAIL),
    ];
    with_second_path(routes![create, again], &names)
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let verify = |path, about| {
        public(HttpMethod::Post, path, Section::Account, about)
            .body([required("key", FieldType::Text), optional("password", FieldType::Password)])
            .returns::<Detail>(200)
            .errors(&[404, 429, 503])
    };
    let resend = |path, about| {
        public(HttpMethod::Post, path, Section::Account, about)
            .body([required("email", FieldType::Email)])
            .returns::<Detail>(200)
            .errors(&[429])
    };
    vec![
        verify(paths::API_VERIFY_EMAIL, "openapi.account.email_verification.confirm"),
        resend(paths::API_RESEND_EMAIL, "openapi.account.email_verification.resend"),
        verify(paths::API_REGISTRATION_VERIFY_EMAIL, "openapi.account.registration.verify_email"),
        resend(paths::API_REGISTRATION_RESEND_EMAIL, "openapi.account.registration.resend_email"),
    ]
}

/// Verifies the address. The key is the last part of the link in the e-mail. The account's sessions
/// stay active if the client is logged in to it, or sends its password.
#[post("/api/account/join/verify-email", data = "<body>")]
async fn create(
    body: Body,
    who: MaybeAuthenticated,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<DetailResponse, Error> {
    let mut fields = FieldReader::of(&body);
    let key = fields.text("key");
    let password = fields.optional_password("password");
    let errors = fields.into_errors();
    let Some(key) = key.filter(|_| errors.is_empty()) else { return Err(errors.into()) };
    let session = who.0.as_ref().map(|reader| (reader.session(), reader.user().id));
    match flows::account::email_verification::verify(
        ctx,
        &Secret::new(key),
        LinkReader { session, password },
        info,
    )
    .await
    {
        Ok(_) => Ok(DetailResponse::ok("api.ok")),
        Err(VerifyError::Link(LinkError::Invalid)) => Err(ErrorDetail::not_found().into()),
        Err(VerifyError::Link(LinkError::Database(error))) => Err(error.into()),
        Err(VerifyError::NotProved(error)) => Err(Error::from_auth(error, || {
            FieldErrors::on("password", Sentence::new("api.email_verification.wrong_password"))
                .into()
        })),
    }
}

/// Sends the e-mail again; the response is the same for every address.
#[post("/api/account/join/resend-email", data = "<body>")]
async fn again(
    body: Body,
    language: Language,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<DetailResponse, Error> {
    let mut fields = FieldReader::of(&body);
    let Some(email) = fields.email(fields.address_field()) else {
        return Err(fields.into_errors().into());
    };
    flows::account::email_verification::request(ctx, email, language, info).await?;
    Ok(DetailResponse::ok("api.ok"))
}
