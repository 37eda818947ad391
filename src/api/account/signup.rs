//! Joining.

use rocket::http::{CookieJar, Status};
use rocket::response::status;
use rocket::serde::json::Json;
use rocket::{Responder, Route, State, post, routes};

use super::{Said, Welcome};
use crate::accounts::{NewPasswordError, OwnData, Weakness};
use crate::api::body::Body;
use crate::api::credentials::session_of;
use crate::api::error::{Error, Refusal};
use crate::api::fields::{Complaints, Fields, NON_FIELD, local_email};
use crate::api::openapi::{Described, HttpMethod, Kind, Section, may, needs, open};
use crate::config::SignUp;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::signup::{Application, Joined, SignUpError};
use crate::http::cookies::TokenCookies;
use crate::i18n::{Sentence, of_mail};
use crate::types::{BirthDate, Caller, Email, Gender, Language, Name, Password};

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route =
        open(HttpMethod::Post, "/api/account/join", Section::Account, "openapi.account.signup");
    let fields = [
        needs("email", Kind::Email),
        needs("password1", Kind::Password),
        needs("password2", Kind::Password),
        may("name", Kind::Text),
        may("gender", Kind::Gender),
        may("date_of_birth", Kind::Day),
    ];
    vec![route.takes(fields).gives::<Welcome>(201).refuses(&[403, 429, 503])]
}

#[derive(Responder)]
enum Answer {
    Welcome(status::Custom<Json<Welcome>>),
    LetterSent(Said),
}

/// What somebody wants to join with, as far as it could be read.
struct JoinForm {
    email: Option<Email>,
    password1: Option<Password>,
    password2: Option<Password>,
    name: Name,
    gender: Option<Gender>,
    date_of_birth: Option<BirthDate>,
}

impl JoinForm {
    fn read(body: &Body, ctx: &Ctx) -> (Self, Complaints) {
        let today = ctx.clock.now().date();
        let mut fields = Fields::of(body);
        let form = Self {
            email: fields.email("email"),
            password1: fields.new_password("password1"),
            password2: fields.new_password("password2"),
            name: fields.name("name").or(Name::default()),
            gender: fields.gender("gender").or(None),
            date_of_birth: fields.date_of_birth("date_of_birth", today).or(None),
        };
        let mut complaints = fields.complaints();
        // The settings decide this, which the field itself does not know; it is said beside all else.
        if form.email.as_ref().is_some_and(|email| !ctx.settings.takes(email)) {
            complaints.add("email", Sentence::new("email.local"));
        }
        (form, complaints)
    }

    /// The words of a form with which nothing is wrong.
    fn words(&self, complaints: &Complaints, language: Language) -> Option<Application> {
        if !complaints.is_empty() || self.differs() {
            return None;
        }
        Some(Application {
            email: self.email.clone()?,
            password: self.password1.clone()?,
            name: self.name.clone(),
            gender: self.gender,
            date_of_birth: self.date_of_birth,
            language,
        })
    }

    /// Whether both passwords are there and are not the same.
    fn differs(&self) -> bool {
        let both = self.password1.as_ref().zip(self.password2.as_ref());
        both.is_some_and(|(one, other)| one.expose() != other.expose())
    }

    fn own_data(&self) -> OwnData {
        OwnData {
            email: self.email.clone(),
            name: self.name.clone(),
            date_of_birth: self.date_of_birth,
        }
    }
}

#[post("/api/account/join", data = "<body>")]
async fn create(
    body: Body,
    language: Language,
    caller: &Caller,
    ctx: &State<Ctx>,
    cookies: TokenCookies<'_>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    if ctx.settings.signup == SignUp::Closed {
        return Err(closed());
    }
    let (form, complaints) = JoinForm::read(&body, ctx);
    let Some(application) = form.words(&complaints, language) else {
        return Err(everything_wrong(&form, complaints, caller, ctx).await);
    };
    let before = session_of(&cookies, ctx).await?;
    match flows::account::signup::join(ctx, application, before, caller).await {
        Ok(Joined::SignedIn(opened)) => {
            let welcome = Welcome::of(&opened, jar, ctx).await?;
            Ok(Answer::Welcome(status::Custom(Status::Created, welcome)))
        }
        Ok(Joined::LetterSent) => {
            let sent = of_mail("api.signup.verification_sent", ctx.settings.delivers_mail());
            let sent = Sentence::new(sent);
            Ok(Answer::LetterSent(Said(Status::Created, sent)))
        }
        Err(error) => Err(refused(error)),
    }
}

/// The password is weighed too, so that everything is said at once. That two passwords differ is said
/// of a password that would do: whoever has to choose another one types it twice anyway.
async fn everything_wrong(
    form: &JoinForm,
    mut complaints: Complaints,
    caller: &Caller,
    ctx: &Ctx,
) -> Error {
    if let Some(password) = &form.password1 {
        match flows::account::signup::weigh(ctx, password, form.own_data(), caller).await {
            Ok(found) => complaints.add_weak(&found, place_of),
            Err(error) => return refused(error),
        }
    }
    if form.differs() && !complaints.is_about("password1") {
        complaints.add(NON_FIELD, Sentence::new("api.signup.passwords_differ"));
    }
    complaints.into()
}

fn refused(error: SignUpError) -> Error {
    match error {
        SignUpError::Closed => closed(),
        // One answer for all, as at the log-in.
        SignUpError::EmailTaken | SignUpError::Inactive(_) | SignUpError::Leaving(_) => {
            Complaints::about("email", Sentence::new("api.signup.taken")).into()
        }
        SignUpError::LocalEmail => local_email(),
        SignUpError::NotTaken(NewPasswordError::Weak(found)) => {
            let mut complaints = Complaints::default();
            complaints.add_weak(&found, place_of);
            complaints.into()
        }
        SignUpError::NotTaken(NewPasswordError::Busy(full)) => full.into(),
        SignUpError::NotNow(error) => error.into(),
        SignUpError::Broken(error) => error.into(),
    }
}

/// That a password is like something else is about both.
fn place_of(weakness: Weakness) -> &'static str {
    if matches!(weakness, Weakness::TooSimilar(_)) { NON_FIELD } else { "password1" }
}

fn closed() -> Error {
    Refusal::new(Status::Forbidden, "signup_closed", Sentence::new("api.signup.closed")).into()
}
