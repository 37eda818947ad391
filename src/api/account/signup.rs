//! Signs up.

use rocket::http::{CookieJar, Status};
use rocket::response::status;
use rocket::serde::json::Json;
use rocket::{Responder, Route, State, post, routes};

use super::second_path::with_second_path;
use super::{DetailResponse, LoginResponse};
use crate::accounts::{NewPasswordError, UserAttributes, Weakness};
use crate::api::body::Body;
use crate::api::credentials::session_in_cookies;
use crate::api::error::Error;
use crate::api::error_detail::ErrorDetail;
use crate::api::field_errors::{FieldErrors, NON_FIELD_ERRORS, local_email_error};
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, public, required};
use crate::api::profile_fields;
use crate::api::profile_fields::ProfilePatch;
use crate::config::SignupMode;
use crate::context::Context;
use crate::flows;
use crate::flows::account::signup::{SignupError, SignupOutcome, SignupRequest};
use crate::http::cookies::TokenCookies;
use crate::i18n::{Sentence, of_mail};
use crate::paths;
use crate::types::{Email, Language, Password, Profile, RequestInfo};

pub(crate) fn routes() -> Vec<Route> {
    with_second_path(routes![create], &[(paths::API_SIGNUP, paths::API_REGISTRATION)])
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut fields = vec![
        required("email", FieldType::Email),
        required("password1", FieldType::Password),
        required("password2", FieldType::Password),
    ];
    fields.extend(profile_fields::field_specs());
    [
        (paths::API_SIGNUP, "openapi.account.signup"),
        (paths::API_REGISTRATION, "openapi.account.registration.signup"),
    ]
    .map(|(path, about)| {
        let route = public(HttpMethod::Post, path, Section::Account, about).body(fields.clone());
        route.returns::<LoginResponse>(201).errors(&[403, 429, 503])
    })
    .into()
}

#[derive(Responder)]
enum SignupResponse {
    LoggedIn(status::Custom<Json<LoginResponse>>),
    EmailSent(DetailResponse),
}

/// The sign-up fields that could be read.
struct SignupBody {
    email: Option<Email>,
    password1: Option<Password>,
    password2: Option<Password>,
    profile: Profile,
}

impl SignupBody {
    fn read(body: &Body, ctx: &Context) -> (Self, FieldErrors) {
        let today = ctx.clock.now().date();
        let mut fields = FieldReader::of(body);
        let form = Self {
            email: fields.email(fields.address_field()),
            password1: fields.new_password("password1"),
            password2: fields.new_password("password2"),
            profile: ProfilePatch::read(&mut fields, today).into_new(),
        };
        let mut errors = fields.into_errors();
        // This depends on the settings, which the field does not know; it is reported together with
        // all other errors.
        if form.email.as_ref().is_some_and(|email| !ctx.settings.accepts_email(email)) {
            errors.add("email", Sentence::new("email.local"));
        }
        (form, errors)
    }

    /// Returns the application, if nothing is wrong.
    fn request(&self, errors: &FieldErrors, language: Language) -> Option<SignupRequest> {
        if !errors.is_empty() || self.passwords_differ() {
            return None;
        }
        Some(SignupRequest {
            email: self.email.clone()?,
            password: self.password1.clone()?,
            profile: self.profile.clone(),
            language,
        })
    }

    /// Returns whether both passwords were sent and differ.
    fn passwords_differ(&self) -> bool {
        let both = self.password1.as_ref().zip(self.password2.as_ref());
        both.is_some_and(|(one, other)| one.expose() != other.expose())
    }

    fn user_attributes(&self) -> UserAttributes {
        UserAttributes { email: self.email.clone(), profile: self.profile.clone() }
    }
}

#[post("/api/account/join", data = "<body>")]
async fn create(
    body: Body,
    language: Language,
    info: &RequestInfo,
    ctx: &State<Context>,
    cookies: TokenCookies<'_>,
    jar: &CookieJar<'_>,
) -> Result<SignupResponse, Error> {
    if ctx.settings.signup == SignupMode::Closed {
        return Err(signup_closed());
    }
    let (form, errors) = SignupBody::read(&body, ctx);
    let Some(request) = form.request(&errors, language) else {
        return Err(all_errors(&form, errors, info, ctx).await);
    };
    let before = session_in_cookies(&cookies, ctx).await?;
    match flows::account::signup::sign_up(ctx, request, before, info).await {
        Ok(SignupOutcome::SignedIn(tokens)) => {
            let response = LoginResponse::of(&tokens, jar, ctx).await?;
            Ok(SignupResponse::LoggedIn(status::Custom(Status::Created, response)))
        }
        Ok(SignupOutcome::EmailSent) => {
            let sent = of_mail("api.signup.verification_sent", ctx.settings.delivers_mail());
            let sent = Sentence::new(sent);
            Ok(SignupResponse::EmailSent(DetailResponse(Status::Created, sent)))
        }
        Err(error) => Err(signup_error(error)),
    }
}

/// Adds what is wrong with the password, so that all errors are reported at once.
async fn all_errors(
    form: &SignupBody,
    mut errors: FieldErrors,
    info: &RequestInfo,
    ctx: &Context,
) -> Error {
    if let Some(password) = &form.password1 {
        match flows::account::signup::check_password_strength(
            ctx,
            password,
            form.user_attributes(),
            info,
        )
        .await
        {
            Ok(found) => errors.add_weaknesses(&found, field_of),
            Err(error) => return signup_error(error),
        }
    }
    // With an unacceptable password the user has to type another one twice anyway.
    if form.passwords_differ() && !errors.has_error_on("password1") {
        errors.add(NON_FIELD_ERRORS, Sentence::new("api.signup.passwords_differ"));
    }
    errors.into()
}

fn signup_error(error: SignupError) -> Error {
    match error {
        SignupError::Closed => signup_closed(),
        // One response for all of them: by JSON, a suspension is not revealed.
        SignupError::EmailTaken | SignupError::Inactive(_) | SignupError::DeletionPending(_) => {
            FieldErrors::on("email", Sentence::new("api.signup.taken")).into()
        }
        SignupError::LocalEmail => local_email_error().into(),
        SignupError::NotTaken(NewPasswordError::Weak(found)) => {
            let mut errors = FieldErrors::default();
            errors.add_weaknesses(&found, field_of);
            errors.into()
        }
        SignupError::NotTaken(NewPasswordError::Busy(full)) => full.into(),
        SignupError::NotNow(error) => error.into(),
        SignupError::Database(error) => error.into(),
    }
}

/// Returns the field of a weakness.
fn field_of(weakness: Weakness) -> &'static str {
    if matches!(weakness, Weakness::TooSimilar(_)) { NON_FIELD_ERRORS } else { "password1" }
}

fn signup_closed() -> Error {
    ErrorDetail::new(Status::Forbidden, "signup_closed", Sentence::new("api.signup.closed")).into()
}
