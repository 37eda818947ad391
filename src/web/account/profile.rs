//! The page for the user's own profile.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;
use validator::ValidateArgs as _;

use super::{MY_PAGE, Response};
use crate::accounts::Profile;
use crate::context::Context;
use crate::flows;
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::types::{BirthDate, Gender, Language, Name, RequestInfo, User};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::rules::Today;
use crate::web::forms::{Form, FormErrors, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![edit, update]
}

#[derive(FromForm, Validate)]
#[validate(context = Today)]
struct ProfileForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::name"))]
    name: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::gender"))]
    gender: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::date_of_birth", use_context))]
    date_of_birth: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::language"))]
    language: String,
}

impl Form for ProfileForm {
    const FIELDS: &'static [&'static str] = &["name", "gender", "date_of_birth", "language"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("name", &self.name),
            ("gender", &self.gender),
            ("date_of_birth", &self.date_of_birth),
            ("language", &self.language),
        ]
    }
}

impl ProfileForm {
    /// Returns the form filled in from the account.
    fn of(user: &User) -> Self {
        let born = user.date_of_birth.map(|date| date.to_string());
        Self {
            name: user.name.as_str().to_owned(),
            gender: user.gender.map_or("", Gender::as_str).to_owned(),
            date_of_birth: born.unwrap_or_default(),
            language: user.language.tag().to_owned(),
        }
    }

    /// Returns the parsed values of a form that has passed its rules.
    fn parsed(&self, user: &User, today: Today) -> Profile {
        let holds = "the rules hold, and they are these parsers";
        Profile {
            name: Name::parse(&self.name).expect(holds),
            gender: Gender::parse(&self.gender).expect(holds),
            date_of_birth: BirthDate::parse(&self.date_of_birth, today.0).expect(holds),
            language: Language::from_tag(&self.language).unwrap_or(user.language),
        }
    }
}

#[derive(Template)]
#[template(path = "account/profile.html")]
struct ProfilePage {
    page: PageContext,
    form: FormView,
}

#[get("/account/profile")]
fn edit(signed_in: SignedIn, page: PageContext) -> Result<Page, Error> {
    let form = ProfileForm::of(signed_in.user());
    let form = FormView::filled(&page, &form, &FormErrors::default());
    Page::render(&ProfilePage { page, form })
}

#[post("/account/profile", data = "<sent>")]
async fn update(
    sent: Submitted<ProfileForm>,
    signed_in: SignedIn,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let today = Today(ctx.clock.now().date());
    let errors = sent.errors(sent.form.validate_with_args(&today));
    if !errors.is_empty() {
        let form = FormView::filled(&page, &sent.form, &errors);
        let page = Page::render(&ProfilePage { page, form })?;
        return Ok(Response::Page(Rejection::from(errors).apply_to(page)));
    }
    let user = signed_in.user();
    let new_profile = sent.form.parsed(user, today);
    let language = new_profile.language;
    flows::account::profile::update(ctx, user.id, |profile| *profile = new_profile, info).await?;
    if language != user.language {
        cookies::set_language(jar, ctx, language);
    }
    Flash::ProfileSaved.set(jar, ctx);
    Ok(Response::Redirect(Redirect::to(MY_PAGE)))
}
