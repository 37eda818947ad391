//! The page for the user's own profile.

use askama::Template;
use rocket::{Route, get, post, routes};

use crate::accounts::Profile;
use crate::flows;
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::Submitted;
use crate::web::forms::profile::ProfileFields;
use crate::web::forms::{FormPage, FormView};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![edit, update]
}

#[derive(Template)]
#[template(path = "account/profile.html")]
struct ProfilePage<'a> {
    page: &'a PageContext,
    form: FormView,
}

impl FormPage for ProfileFields {
    async fn render(form: FormView, (): &(), request: &RequestContext<'_>) -> Result<Page, Error> {
        Page::render(&ProfilePage { page: &request.page, form })
    }
}

#[get("/account/profile")]
async fn edit(signed_in: SignedIn, request: RequestContext<'_>) -> Result<Page, Error> {
    let form = FormView::with_values(ProfileFields::values_of(signed_in.user()));
    ProfileFields::render(form, &(), &request).await
}

#[post("/account/profile", data = "<form>")]
async fn update(
    form: Submitted<ProfileFields>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, user) = (request.context, signed_in.user());
    let new_profile = form.profile(user.language).filter(|_| form.errors.is_empty());
    let Some(new_profile) = new_profile else { return form.rerender(&request).await };
    let language = new_profile.language;
    let replace = |profile: &mut Profile| *profile = new_profile;
    flows::account::profile::update(ctx, user.id, replace, request.info).await?;
    if language != user.language {
        cookies::set_language(request.cookies, ctx, language);
    }
    request.flash(Flash::ProfileSaved);
    Ok(Response::redirect_to(paths::MYPAGE))
}
