//! Social log-in for mobile apps, which hold a token or a code of the provider.

use rocket::http::{CookieJar, Status};
use rocket::serde::json::Json;
use rocket::{Responder, Route, State, post, routes};

use super::{Detail, DetailResponse, LoginResponse};
use crate::api::body::Body;
use crate::api::credentials::session_in_cookies;
use crate::api::error::Error;
use crate::api::error_detail::ErrorDetail;
use crate::api::field_errors::{FieldErrors, NON_FIELD_ERRORS, local_email_error};
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, FieldSpec, FieldType, HttpMethod, Section, optional, public};
use crate::config::EmailVerification;
use crate::context::Context;
use crate::flows;
use crate::flows::account::social_login::{
    ProviderToken, SocialLogin, SocialLoginError, SocialLoginOutcome,
};
use crate::http::cookies::TokenCookies;
use crate::i18n::{Sentence, of_mail};
use crate::oauth::OAuthError;
use crate::paths;
use crate::social::find_active;
use crate::types::{Email, Language, RequestInfo, Secret};

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

/// Returns the fields of what a client got from a provider. One of the first three is required.
pub(super) fn token_fields() -> Vec<FieldSpec> {
    ["access_token", "id_token", "code", "code_verifier"]
        .map(|name| optional(name, FieldType::Text))
        .into()
}

/// Describes the endpoint.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let (path, about) = (paths::api_social_login("{slug}"), "openapi.account.social_login");
    let mut fields = token_fields();
    fields.push(optional("email", FieldType::Email));
    let route = public(HttpMethod::Post, path, Section::Account, about);
    let route = route.says("api.signup.verification_sent").body(fields);
    vec![route.returns::<LoginResponse>(200).returns::<Detail>(201).errors(&[401, 404, 429, 503])]
}

#[derive(Responder)]
enum SocialLoginResponse {
    LoggedIn(Json<LoginResponse>),
    EmailSent(DetailResponse),
}

/// Logs in or signs up. `email` may be sent along, if the provider returns none.
#[post("/api/account/social/<slug>", data = "<body>")]
async fn create(
    slug: &str,
    body: Body,
    language: Language,
    info: &RequestInfo,
    ctx: &State<Context>,
    cookies: TokenCookies<'_>,
    jar: &CookieJar<'_>,
) -> Result<SocialLoginResponse, Error> {
    let provider = find_active(ctx, slug).await?.ok_or_else(ErrorDetail::not_found)?;
    let (token, typed_email) = read(&body)?;
    let before = session_in_cookies(&cookies, ctx).await?;
    let provider_user =
        flows::account::social_login::user_of_token(ctx, &provider, token, info).await;
    let provider_user = provider_user.map_err(|error| social_error(error, ctx))?;
    let typed_email = typed_email.as_ref();
    let login = SocialLogin {
        provider: &provider,
        provider_user: &provider_user,
        typed_email,
        language,
        before,
    };
    match flows::account::social_login::login_or_signup(ctx, login, info).await {
        Ok(SocialLoginOutcome::SignedIn(tokens, _)) => {
            LoginResponse::of(&tokens, jar, ctx).await.map(SocialLoginResponse::LoggedIn)
        }
        Ok(SocialLoginOutcome::EmailSent) => {
            let sent = of_mail("api.signup.verification_sent", ctx.settings.delivers_mail());
            let sent = Sentence::new(sent);
            Ok(SocialLoginResponse::EmailSent(DetailResponse(Status::Created, sent)))
        }
        Err(error) => Err(social_error(error, ctx)),
    }
}

fn read(body: &Body) -> Result<(ProviderToken, Option<Email>), Error> {
    let mut fields = FieldReader::of(body);
    // Absent is fine, because most providers return one; blank is an error.
    let typed_email = body.get("email").is_some().then(|| fields.email("email")).flatten();
    Ok((read_token(fields)?, typed_email))
}

/// Reads what a client got from a provider, after all other fields.
pub(super) fn read_token(mut fields: FieldReader<'_>) -> Result<ProviderToken, Error> {
    let mut secret = |name| fields.optional_text(name).map(Secret::new);
    let (access, id) = (secret("access_token"), secret("id_token"));
    let (code, verifier) = (secret("code"), secret("code_verifier"));
    let errors = fields.into_errors();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    match (access, id, code) {
        (Some(token), _, _) => Ok(ProviderToken::Access(token)),
        (None, Some(token), _) => Ok(ProviderToken::Id(token)),
        (None, None, Some(code)) => Ok(ProviderToken::Code(code, verifier)),
        (None, None, None) => Err(non_field_error("api.social.nothing")),
    }
}

pub(super) fn social_error(error: SocialLoginError, ctx: &Context) -> Error {
    match error {
        SocialLoginError::Unknown => ErrorDetail::not_found().into(),
        SocialLoginError::Provider(OAuthError::Refused(_)) => non_field_error("api.social.wrong"),
        SocialLoginError::Provider(_) => {
            let detail = Sentence::new("api.social.unavailable");
            let status = Status::ServiceUnavailable;
            ErrorDetail::new(status, "provider_unavailable", detail).into()
        }
        // The same sentence as after a wrong password, so that nothing more is revealed.
        SocialLoginError::Refused => non_field_error(match ctx.settings.email_verification {
            EmailVerification::Mandatory => "api.login.wrong_or_unverified",
            _ => "api.login.wrong",
        }),
        SocialLoginError::Closed => {
            let detail = Sentence::new("api.signup.closed");
            ErrorDetail::new(Status::Forbidden, "signup_closed", detail).into()
        }
        SocialLoginError::EmailTaken => non_field_error("api.signup.taken"),
        SocialLoginError::LocalEmail => local_email_error().into(),
        SocialLoginError::NoEmail => {
            FieldErrors::on("email", Sentence::new("api.social.no_email")).into()
        }
        SocialLoginError::NotNow(error) => error.into(),
        SocialLoginError::Database(error) => error.into(),
    }
}

pub(super) fn non_field_error(key: &'static str) -> Error {
    FieldErrors::on(NON_FIELD_ERRORS, Sentence::new(key)).into()
}
