//! One's own account, for the scripts of a site: what `dj-rest-auth` does, with the cookies that the
//! pages use.

mod email_verification;
mod login;
mod logout;
mod mypage;
mod password_change;
mod password_reset;
mod refresh;
mod signup;
mod social_login;
mod user;

use rocket::http::{CookieJar, Status};
use rocket::serde::json::Json;
use rocket::{Request, Route, response};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Error, Refusal};
use super::openapi::Described;
use crate::context::Ctx;
use crate::http::{cookies, locale};
use crate::i18n::Sentence;
use crate::sessions;
use crate::sessions::Opened;
use user::Profile;

pub(crate) fn routes() -> Vec<Route> {
    [
        signup::routes(),
        login::routes(),
        logout::routes(),
        user::routes(),
        mypage::routes(),
        password_change::routes(),
        password_reset::routes(),
        refresh::routes(),
        social_login::routes(),
        email_verification::routes(),
    ]
    .concat()
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    [
        signup::described,
        login::described,
        logout::described,
        user::described,
        mypage::described,
        password_change::described,
        password_reset::described,
        refresh::described,
        social_login::described,
        email_verification::described,
    ]
    .iter()
    .flat_map(|described| described())
    .collect()
}

/// A sentence, in the reader's language.
struct Said(Status, Sentence);

impl Said {
    fn ok(key: &'static str) -> Self {
        Self(Status::Ok, Sentence::new(key))
    }
}

#[derive(Serialize, ToSchema)]
struct Detail {
    detail: String,
}

impl<'r> response::Responder<'r, 'static> for Said {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Self(status, sentence) = self;
        let detail = sentence.in_language(locale::language(request));
        (status, Json(Detail { detail })).respond_to(request)
    }
}

/// Somebody who has just signed in. The refresh token stands in a cookie that no script can read, and
/// so not here.
#[derive(Serialize, ToSchema)]
struct Welcome {
    access: String,
    refresh: &'static str,
    user: Profile,
}

impl Welcome {
    /// Signs the browser in. Staff may have forbidden the account in this very moment.
    async fn of(opened: &Opened, jar: &CookieJar<'_>, ctx: &Ctx) -> Result<Json<Self>, Error> {
        let Some(living) = sessions::find(ctx, opened.session).await? else {
            return Err(Refusal::unauthorized("user_inactive", "api.user_inactive").into());
        };
        cookies::sign_in(jar, ctx, opened);
        let access = opened.access.token.expose().to_owned();
        Ok(Json(Self { access, refresh: "", user: Profile::of(&living.person) }))
    }
}
