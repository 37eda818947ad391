//! The page for the user's own profile.

use askama::Template;
use rocket::{Route, get, post, routes};

use crate::flows;
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::types::{Language, Profile, User};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::profile::ProfileFields;
use crate::web::forms::{Field, FormPage, FormView, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![edit, update]
}

form! {
    struct ProfileForm {
        profile: ProfileFields,
        language: Field<Option<Language>>,
    }
}

impl ProfileForm {
    /// Returns the values of a form without errors, with the user's language where the form has
    /// none.
    fn values(&self, user: &User) -> Option<(Profile, Language)> {
        Some((self.profile.profile()?, self.language.value()?.unwrap_or(user.language)))
    }
}

#[derive(Template)]
#[template(path = "account/profile.html")]
struct ProfilePage<'a> {
    page: &'a PageContext,
    form: FormView,
}

impl FormPage for ProfileForm {
    async fn render(form: FormView, (): &(), request: &RequestContext<'_>) -> Result<Page, Error> {
        Page::render(&ProfilePage { page: &request.page, form })
    }
}

#[get("/account/profile")]
async fn edit(signed_in: SignedIn, request: RequestContext<'_>) -> Result<Page, Error> {
    let user = signed_in.user();
    let mut values = ProfileFields::values_of(user);
    values.push(("language", user.language.tag().to_owned()));
    ProfileForm::render(FormView::with_values(values), &(), &request).await
}

#[post("/account/profile", data = "<form>")]
async fn update(
    form: Submitted<ProfileForm>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, user) = (request.context, signed_in.user());
    let values = form.values(user).filter(|_| form.errors.is_empty());
    let Some((new_profile, new_language)) = values else { return form.rerender(&request).await };
    let replace = |profile: &mut Profile, language: &mut Language| {
        *profile = new_profile;
        *language = new_language;
    };
    flows::account::profile::update(ctx, user.id, replace, request.info).await?;
    if new_language != user.language {
        cookies::set_language(request.cookies, ctx, new_language);
    }
    request.flash(Flash::ProfileSaved);
    Ok(Response::redirect_to(paths::MYPAGE))
}
