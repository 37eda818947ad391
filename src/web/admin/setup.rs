//! Making the first superuser with the link that is printed at start.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use crate::accounts::OwnData;
use crate::context::Ctx;
use crate::flows;
use crate::flows::admin::setup::SuperuserError;
use crate::http::cookies;
use crate::types::{Caller, Email, Name, Password, Secret};
use crate::web::account::{Answer, MY_PAGE};
use crate::web::error::Error;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::message_page;
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![arrive, new, create, create_at_once]
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

impl SetupForm {
    /// What is known of the person, whatever else is wrong with the form.
    fn own_data(&self) -> OwnData {
        let email = Email::parse(&self.email).ok();
        OwnData { email, name: Name::default(), date_of_birth: None }
    }
}

#[derive(Template)]
#[template(path = "admin/setup.html")]
struct SetupPage {
    frame: Frame,
    form: FormView,
    min_length: u8,
}

/// The token goes from the address into a cookie before a page is drawn, so that it stands in no
/// history, no Referer and no screenshot. Looking uses nothing up: only the form does.
#[get("/admin/setup/<token>")]
async fn arrive(
    token: &str,
    frame: Frame,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let secret = Secret::new(token.to_owned());
    if !flows::admin::setup::may_set_up(ctx, &secret).await? {
        return dead(frame, ctx, &secret).await.map(Answer::Shown);
    }
    cookies::carry_link(jar, ctx, token);
    Ok(Answer::Gone(Redirect::to("/admin/setup")))
}

/// The page for a link that does nothing: the site may be set up already.
async fn dead(frame: Frame, ctx: &Ctx, token: &Secret) -> Result<Page, Error> {
    if flows::admin::setup::is_set_up(ctx, token).await? {
        return message_page::not_found(frame, ("setup.already.title", "setup.already.text"));
    }
    Err(Status::NotFound.into())
}

#[get("/admin/setup")]
async fn new(frame: Frame, ctx: &State<Ctx>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    let token = cookies::carried(jar, ctx);
    if !flows::admin::setup::may_set_up(ctx, &token).await? {
        let takes_cookies = cookies::are_there(jar, ctx);
        return if takes_cookies {
            dead(frame, ctx, &token).await
        } else {
            message_page::no_cookies(frame)
        };
    }
    draw(frame, FormView::empty(""), ctx)
}

#[post("/admin/setup", data = "<sent>")]
async fn create(
    sent: Submitted<SetupForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    make(&cookies::carried(jar, ctx), &sent, frame, caller, ctx, jar).await
}

/// The same for whoever sends the form to the link itself.
#[post("/admin/setup/<token>", data = "<sent>")]
async fn create_at_once(
    token: &str,
    sent: Submitted<SetupForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    make(&Secret::new(token.to_owned()), &sent, frame, caller, ctx, jar).await
}

async fn make(
    token: &Secret,
    sent: &Submitted<SetupForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &Ctx,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let form = &sent.form;
    let complaints = sent.complaints(form.validate());
    if !complaints.is_empty() {
        let found = match complaints.unjudged("password1", &form.password1) {
            Some(password) => {
                flows::admin::setup::weigh(ctx, token, &password, form.own_data()).await
            }
            None => Ok(Vec::new()),
        };
        return match found {
            Ok(found) => again(frame, form, &complaints.and("password1", found).into(), ctx),
            Err(error) => refused(frame, form, error, ctx, token).await,
        };
    }
    let holds = "the rules hold, and they are these parsers";
    let email = Email::parse(&form.email).expect(holds);
    let password = Password::parse(&form.password1).expect(holds);
    match flows::admin::setup::by_link(ctx, token, (email, frame.language()), password, caller)
        .await
    {
        Ok(opened) => {
            cookies::sign_in(jar, ctx, &opened);
            cookies::drop_link(jar, ctx);
            Ok(Answer::Gone(Redirect::to(MY_PAGE)))
        }
        Err(error) => refused(frame, form, error, ctx, token).await,
    }
}

async fn refused(
    frame: Frame,
    form: &SetupForm,
    error: SuperuserError,
    ctx: &Ctx,
    token: &Secret,
) -> Result<Answer, Error> {
    let refusal = match error {
        SuperuserError::BadLink => return dead(frame, ctx, token).await.map(Answer::Shown),
        SuperuserError::EmailTaken => Refusal::about("email", "email.taken"),
        SuperuserError::LocalEmail => Refusal::about("email", "email.local"),
        SuperuserError::NotTaken(error) => Refusal::not_taken("password1", error)?,
        SuperuserError::Broken(error) => return Err(error.into()),
    };
    again(frame, form, &refusal, ctx)
}

fn again(frame: Frame, form: &SetupForm, refusal: &Refusal, ctx: &Ctx) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, ctx)?)))
}

fn draw(frame: Frame, form: FormView, ctx: &Ctx) -> Result<Page, Error> {
    let min_length = ctx.settings.password_min_length;
    Page::draw(&SetupPage { frame, form, min_length })
}
