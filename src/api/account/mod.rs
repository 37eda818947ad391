//! One's own account, for the scripts of a site: what `dj-rest-auth` does, with the cookies that
//! the pages use.

mod email_verification;
mod login;
mod logout;
mod mypage;
mod password_change;
mod password_reset;
mod second_path;
mod signup;
mod social_accounts;
mod social_login;
mod token_refresh;
mod user;

use rocket::http::{CookieJar, Status};
use rocket::serde::json::Json;
use rocket::{Request, Route, response};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Error;
use super::error_detail::ErrorDetail;
use super::openapi::Endpoint;
use crate::context::Context;
use crate::http::{cookies, locale};
use crate::i18n::Sentence;
use crate::sessions;
use crate::sessions::IssuedTokens;
use user::AccountUser;

pub(crate) fn routes() -> Vec<Route> {
    [
        signup::routes(),
        login::routes(),
        logout::routes(),
        user::routes(),
        mypage::routes(),
        password_change::routes(),
        password_reset::routes(),
        token_refresh::routes(),
        social_login::routes(),
        social_accounts::routes(),
        email_verification::routes(),
    ]
    .concat()
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [
        signup::endpoints,
        login::endpoints,
        logout::endpoints,
        user::endpoints,
        mypage::endpoints,
        password_change::endpoints,
        password_reset::endpoints,
        token_refresh::endpoints,
        social_login::endpoints,
        social_accounts::endpoints,
        email_verification::endpoints,
    ]
    .iter()
    .flat_map(|endpoints| endpoints())
    .collect()
}

/// A response with a sentence, in the reader's language.
struct DetailResponse(Status, Sentence);

impl DetailResponse {
    fn ok(key: &'static str) -> Self {
        Self(Status::Ok, Sentence::new(key))
    }
}

#[derive(Serialize, ToSchema)]
struct Detail {
    detail: String,
}

impl<'r> response::Responder<'r, 'static> for DetailResponse {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Self(status, sentence) = self;
        let detail = sentence.in_language(locale::language(request));
        (status, Json(Detail { detail })).respond_to(request)
    }
}

/// Returns the refresh token, if responses that set its cookie show it too.
fn refresh_in_body(tokens: &IssuedTokens, ctx: &Context) -> Option<String> {
    ctx.settings.refresh_cookie_in_body.then(|| tokens.refresh.token.expose().to_owned())
}

/// The response to a log-in.
#[derive(Serialize, ToSchema)]
#[schema(as = Welcome)]
struct LoginResponse {
    access: String,
    // Empty for clients that expect the key, unless a setting says otherwise: the refresh token is in a
    // cookie that scripts cannot read.
    #[schema(example = "")]
    refresh: String,
    user: AccountUser,
}

impl LoginResponse {
    /// Signs the browser in.
    async fn of(
        tokens: &IssuedTokens,
        jar: &CookieJar<'_>,
        ctx: &Context,
    ) -> Result<Json<Self>, Error> {
        // The account may have been deactivated in this very moment.
        let Some(session) = sessions::find(ctx, tokens.session).await? else {
            return Err(ErrorDetail::unauthorized("user_inactive", "api.user_inactive").into());
        };
        cookies::sign_in(jar, ctx, tokens);
        let access = tokens.access.token.expose().to_owned();
        let refresh = refresh_in_body(tokens, ctx).unwrap_or_default();
        Ok(Json(Self { access, refresh, user: AccountUser::of(&session.user) }))
    }
}
