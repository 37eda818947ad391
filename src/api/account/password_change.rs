//! Changes one's password.

use rocket::{Route, State, post, routes};

use super::{Detail, DetailResponse};
use crate::accounts::NewPasswordError;
use crate::api::body::Body;
use crate::api::credentials::Authenticated;
use crate::api::error::Error;
use crate::api::field_errors::FieldErrors;
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, authenticated, required};
use crate::context::Context;
use crate::flows;
use crate::flows::account::password_change::PasswordChangeError;
use crate::i18n::Sentence;
use crate::paths;
use crate::sessions::AuthError;
use crate::types::{Password, RequestInfo};

/// The field at which Django reports a weak new password: the second one.
const SECOND_FIELD: &str = "new_password2";

pub(crate) fn routes() -> Vec<Route> {
    routes![update]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = authenticated(
        HttpMethod::Post,
        paths::API_PASSWORD_CHANGE,
        Section::Account,
        "openapi.account.password_change",
    );
    let fields = ["old_password", "new_password1", SECOND_FIELD];
    let fields = fields.map(|name| required(name, FieldType::Password));
    vec![route.says("api.password.saved").body(fields).returns::<Detail>(200).errors(&[429, 503])]
}

#[post("/api/account/password/change", data = "<body>")]
async fn update(
    user: Authenticated,
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<DetailResponse, Error> {
    let Authenticated(user) = user;
    let mut fields = FieldReader::of(&body);
    let old = fields.password("old_password");
    let new = new_password(&mut fields);
    let (Some(old), Some(new)) = (old, new) else { return Err(fields.into_errors().into()) };
    let email = &user.user().email;
    match flows::account::password_change::change(
        ctx,
        email,
        user.session(),
        old,
        new.clone(),
        info,
    )
    .await
    {
        Ok(()) => Ok(DetailResponse::ok("api.password.saved")),
        // Reports a wrong old password together with a weak new one.
        Err(PasswordChangeError::NotProved(AuthError::WrongCredentials)) => {
            let wrong = Sentence::new("api.password.wrong_old");
            let mut errors = FieldErrors::on("old_password", wrong);
            let found = flows::account::password_change::check_password_strength(ctx, email, &new)
                .await
                .map_err(change_error)?;
            errors.add_weaknesses(&found, |_| SECOND_FIELD);
            Err(errors.into())
        }
        Err(error) => Err(change_error(error)),
    }
}

/// Reads the new password, which is sent twice.
pub(crate) fn new_password(fields: &mut FieldReader<'_>) -> Option<Password> {
    let (one, other) = (fields.new_password("new_password1"), fields.new_password(SECOND_FIELD));
    let (one, other) = (one?, other?);
    if one.expose() != other.expose() {
        fields.add_error(SECOND_FIELD, Sentence::new("api.password.differs"));
        return None;
    }
    Some(one)
}

fn change_error(error: PasswordChangeError) -> Error {
    match error {
        PasswordChangeError::NotTaken(error) => new_password_error(error),
        PasswordChangeError::NotProved(error) => Error::from_auth(error, || {
            FieldErrors::on("old_password", Sentence::new("api.password.wrong_old")).into()
        }),
        PasswordChangeError::Database(error) => error.into(),
    }
}

/// Returns the error for a new password that was refused.
pub(crate) fn new_password_error(error: NewPasswordError) -> Error {
    match error {
        NewPasswordError::Weak(found) => {
            let mut errors = FieldErrors::default();
            errors.add_weaknesses(&found, |_| SECOND_FIELD);
            errors.into()
        }
        NewPasswordError::Busy(full) => full.into(),
    }
}
