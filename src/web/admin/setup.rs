//! Making the first superuser with the link that is printed at start.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use crate::accounts::{NewPasswordError, OwnData};
use crate::ctx::Ctx;
use crate::flows::superuser::{self, SuperuserError};
use crate::types::{Caller, Email, Name, Password, Secret};
use crate::web::account::{Answer, MY_PAGE, rules};
use crate::web::cookies;
use crate::web::error::Error;
use crate::web::form::{Complaint, Complaints, Form, FormView, Submitted};
use crate::web::page::{Frame, Page};

pub(super) fn routes() -> Vec<Route> {
    routes![new, create]
}

#[derive(FromForm, Validate)]
struct SetupForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password1: String,
    #[field(default = String::new())]
    #[validate(must_match(other = "password1", code = "password.differs"))]
    password2: String,
}

impl Form for SetupForm {
    const FIELDS: &'static [&'static str] = &["email", "password1", "password2"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }
}

#[derive(Template)]
#[template(path = "admin/setup.html")]
struct SetupPage<'a> {
    frame: Frame,
    form: FormView,
    min_length: u8,
    token: &'a str,
}

/// Asking for the page uses nothing up: only the form does.
#[get("/admin/setup/<token>")]
async fn new(token: &str, frame: Frame, ctx: &State<Ctx>) -> Result<Result<Page, Status>, Error> {
    if !superuser::may_set_up(ctx, &Secret::new(token.to_owned())).await? {
        return Ok(Err(Status::NotFound));
    }
    draw(frame, FormView::empty(""), ctx, token).map(Ok)
}

#[post("/admin/setup/<token>", data = "<sent>")]
async fn create(
    token: &str,
    sent: Submitted<SetupForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Result<Answer, Status>, Error> {
    let again = |frame: Frame, complaints: &Complaints| {
        let form = FormView::again(&frame, &sent.form, complaints);
        let page = draw(frame, form, ctx, token)?.with_status(Status::UnprocessableEntity);
        Ok(Ok(Answer::Shown(page)))
    };
    let complaints = sent.complaints(sent.form.validate());
    if !complaints.is_empty() {
        let email = Email::parse(&sent.form.email).ok();
        let own = OwnData { email, name: Name::default(), date_of_birth: None };
        let typed = &sent.form.password1;
        let complaints = complaints.and_weak(ctx, "password1", typed, own).await?;
        return again(frame, &complaints);
    }
    let holds = "the rules hold, and they are these parsers";
    let email = Email::parse(&sent.form.email).expect(holds);
    let password = Password::parse(&sent.form.password1).expect(holds);
    match superuser::by_link(ctx, &Secret::new(token.to_owned()), email, password, caller).await {
        Ok(opened) => {
            cookies::sign_in(jar, ctx, &opened);
            Ok(Ok(Answer::Gone(Redirect::to(MY_PAGE))))
        }
        Err(SuperuserError::BadLink) => Ok(Err(Status::NotFound)),
        Err(SuperuserError::EmailTaken) => {
            again(frame, &Complaints::about("email", [Complaint::new("email.taken")]))
        }
        Err(SuperuserError::NotTaken(NewPasswordError::Weak(found))) => {
            let weak = found.into_iter().map(Complaint::from);
            again(frame, &Complaints::about("password1", weak))
        }
        Err(SuperuserError::NotTaken(NewPasswordError::Busy(full))) => Err(full.into()),
        Err(SuperuserError::Broken(error)) => Err(error.into()),
    }
}

fn draw(frame: Frame, form: FormView, ctx: &Ctx, token: &str) -> Result<Page, Error> {
    let min_length = ctx.settings.password_min_length;
    Page::draw(&SetupPage { frame, form, min_length, token })
}
