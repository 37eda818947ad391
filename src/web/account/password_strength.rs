//! The strength of a password while it is typed, for the script of a form.
//!
//! The same rules as at the form itself: without script the form reports the same weaknesses.

use rocket::form::FromForm;
use rocket::http::{CookieJar, Header, Status};
use rocket::response::Responder;
use rocket::serde::json::Json;
use rocket::{Route, State, post, routes};
use serde::Serialize;

use crate::accounts::UserAttributes;
use crate::context::Context;
use crate::flows;
use crate::flows::account::password_strength::{PasswordOwner, StrengthError};
use crate::http::guards::Visitor;
use crate::http::{cookies, retry};
use crate::i18n::Language;
use crate::throttle::ThrottleError;
use crate::types::{BirthDate, Email, Name, Password, RequestInfo};
use crate::web::error::Error;
use crate::web::forms::rules::Today;
use crate::web::forms::{FormError, Submitted};

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

#[derive(FromForm)]
struct PasswordStrengthForm {
    #[field(default = String::new())]
    password: String,
    /// `self`, `link`, or the user whom the other fields describe.
    #[field(default = String::new())]
    owner: String,
    #[field(default = String::new())]
    email: String,
    #[field(default = String::new())]
    name: String,
    #[field(default = String::new())]
    date_of_birth: String,
}

impl PasswordStrengthForm {
    /// Returns what is known about the user, ignoring fields that do not parse.
    fn user_attributes(&self, today: Today) -> UserAttributes {
        UserAttributes {
            email: Email::parse(&self.email).ok(),
            name: Name::parse(&self.name).unwrap_or_default(),
            date_of_birth: BirthDate::parse(&self.date_of_birth, today.0).ok().flatten(),
        }
    }
}

/// Whether the password is strong enough, and the sentences about it.
#[derive(Serialize)]
struct Strength {
    is_good: bool,
    sentences: Vec<String>,
}

#[derive(Responder)]
enum StrengthResponse {
    ProviderUser(Json<Strength>),
    #[response(status = 429)]
    TooSoon((), Header<'static>),
}

/// Checks a password. It comes in the body, not in the URL, which proxies log; the form token comes
/// with it.
#[post("/account/password/strength", data = "<sent>")]
async fn create(
    sent: Submitted<PasswordStrengthForm>,
    visitor: Visitor,
    language: Language,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<StrengthResponse, Error> {
    let form = &sent.form;
    let Ok(password) = Password::parse(&form.password) else {
        return Err(Status::UnprocessableEntity.into());
    };
    let carried = cookies::link_token(jar, ctx);
    let owner = match (form.owner.as_str(), &visitor.0) {
        ("self", Some(user)) => PasswordOwner::SignedIn(user.user()),
        ("link", _) => PasswordOwner::ResetLink(&carried),
        _ => PasswordOwner::Described(form.user_attributes(Today(ctx.clock.now().date()))),
    };
    let found = match flows::account::password_strength::check(ctx, &password, owner, info).await {
        Ok(found) => found,
        Err(StrengthError::NotNow(ThrottleError::TooSoon(wait))) => {
            return Ok(StrengthResponse::TooSoon((), retry::retry_after(wait)));
        }
        Err(StrengthError::NotNow(ThrottleError::Broken(error)) | StrengthError::Broken(error)) => {
            return Err(error.into());
        }
        Err(StrengthError::Busy(full)) => return Err(full.into()),
    };
    let is_good = found.is_empty();
    let errors = if is_good {
        vec![FormError::new("strength.good")]
    } else {
        found.into_iter().map(FormError::from).collect()
    };
    let sentences = errors.iter().map(|error| error.in_language(language)).collect();
    Ok(StrengthResponse::ProviderUser(Json(Strength { is_good, sentences })))
}
