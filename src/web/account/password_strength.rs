//! The strength of a password while it is typed, for the script of a form.
//!
//! The same rules as at the form itself: without script the form reports the same weaknesses.

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
use crate::types::{BirthDate, Email, Name, Password, Profile, RequestInfo};
use crate::web::error::Error;
use crate::web::forms::{Field, FormError, Hidden, Submitted, form};

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

form! {
    struct PasswordStrengthForm {
        password: Field<Password>,
        /// `self`, `link`, or the user that the other fields describe.
        owner: Hidden,
        email: Field<Email>,
        name: Field<Name>,
        date_of_birth: Field<Option<BirthDate>>,
    }
}

impl PasswordStrengthForm {
    /// Returns what is known about the user, ignoring fields that do not parse.
    fn user_attributes(&self) -> UserAttributes {
        UserAttributes {
            email: self.email.value(),
            profile: Profile {
                name: self.name.value().unwrap_or_default(),
                date_of_birth: self.date_of_birth.value().flatten(),
                ..Profile::default()
            },
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
    Checked(Json<Strength>),
    #[response(status = 429)]
    TooSoon((), Header<'static>),
}

/// Checks a password. It comes by POST, because proxies log URLs.
#[post("/account/password/strength", data = "<form>")]
async fn create(
    form: Submitted<PasswordStrengthForm>,
    visitor: Visitor,
    language: Language,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<StrengthResponse, Error> {
    let password = form.password.value().ok_or(Status::UnprocessableEntity)?;
    let carried = cookies::link_token(jar, ctx);
    let owner = match (&*form.owner, &visitor.0) {
        ("self", Some(user)) => PasswordOwner::SignedIn(user.user()),
        ("link", Some(_) | None) => PasswordOwner::ResetLink(&carried),
        (_, Some(_) | None) => PasswordOwner::Described(form.user_attributes()),
    };
    let found = match flows::account::password_strength::check(ctx, &password, owner, info).await {
        Ok(found) => found,
        Err(StrengthError::NotNow(ThrottleError::TooSoon(wait))) => {
            return Ok(StrengthResponse::TooSoon((), retry::retry_after(wait)));
        }
        Err(
            StrengthError::NotNow(ThrottleError::Database(error)) | StrengthError::Database(error),
        ) => {
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
    Ok(StrengthResponse::Checked(Json(Strength { is_good, sentences })))
}
