//! Logs in.

use rocket::http::CookieJar;
use rocket::serde::json::Json;
use rocket::{Route, State, post, routes};

use super::LoginResponse;
use crate::api::body::Body;
use crate::api::credentials::session_in_cookies;
use crate::api::error::Error;
use crate::api::field_errors::{FieldErrors, NON_FIELD_ERRORS};
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, public, required};
use crate::config::EmailVerification;
use crate::context::Context;
use crate::flows;
use crate::flows::account::login::{Credentials, LoginError};
use crate::http::cookies::TokenCookies;
use crate::i18n::Sentence;
use crate::paths;
use crate::types::RequestInfo;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route =
        public(HttpMethod::Post, paths::API_LOGIN, Section::Account, "openapi.account.login");
    let fields = [required("email", FieldType::Email), required("password", FieldType::Password)];
    vec![route.body(fields).returns::<LoginResponse>(200).errors(&[401, 429, 503])]
}

#[post("/api/account/login", data = "<body>")]
async fn create(
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
    cookies: TokenCookies<'_>,
    jar: &CookieJar<'_>,
) -> Result<Json<LoginResponse>, Error> {
    let credentials = credentials(&body)?;
    // The new log-in ends the session that the browser had.
    let before = session_in_cookies(&cookies, ctx).await?;
    match flows::account::login::with_password(ctx, credentials, before, info).await {
        Ok(flows::account::login::Login { tokens, .. }) => {
            LoginResponse::of(&tokens, jar, ctx).await
        }
        Err(LoginError::NotProved(error)) => {
            Err(Error::from_auth(error, || wrong_credentials(ctx)))
        }
        Err(LoginError::Unverified | LoginError::Inactive(_)) => Err(wrong_credentials(ctx)),
    }
}

/// Returns the one error for all failures.
fn wrong_credentials(ctx: &Context) -> Error {
    // Where verification is mandatory it must also help users whose e-mail is still unread; and a
    // user who signed up with a foreign address must not learn that it was free.
    non_field_error(match ctx.settings.email_verification {
        EmailVerification::Mandatory => "api.login.wrong_or_unverified",
        _ => "api.login.wrong",
    })
}

fn credentials(body: &Body) -> Result<Credentials, Error> {
    let mut fields = FieldReader::of(body);
    // dj-rest-auth reports a missing address as an error of the whole body.
    let address = fields.address_field();
    let (email, password) = (fields.optional_email(address), fields.password("password"));
    let errors = fields.into_errors();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    match (email, password) {
        (Some(email), Some(password)) => Ok(Credentials { email, password }),
        _ => Err(non_field_error("api.login.must_include")),
    }
}

fn non_field_error(key: &'static str) -> Error {
    FieldErrors::on(NON_FIELD_ERRORS, Sentence::new(key)).into()
}
