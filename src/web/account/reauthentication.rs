//! The reauthentication page, on the way to something dangerous.

use askama::Template;
use rocket::{Route, get, post, routes};

use super::login_methods;
use super::login_methods::LoginMethod;
use crate::flows;
use crate::http::guards::SignedIn;
use crate::types::Password;
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormPage, FormView, Hidden, ParsedForm, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

form! {
    struct ReauthenticationForm {
        password: Field<Password>,
        next: Hidden,
    }
}

impl ParsedForm for ReauthenticationForm {
    type Parsed = Password;

    fn parsed(&self) -> Option<Password> {
        self.password.value()
    }
}

#[derive(Template)]
#[template(path = "account/reauthentication.html")]
struct ReauthenticationPage<'a> {
    page: &'a PageContext,
    form: FormView,
    has_password: bool,
    login_methods: Vec<LoginMethod>,
}

impl FormPage<SignedIn> for ReauthenticationForm {
    async fn render(
        form: FormView,
        signed_in: &SignedIn,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let (page, user) = (&request.page, signed_in.user());
        let has_password = user.has_password;
        // A user without a password reauthenticates by a provider.
        let (login_methods, origins) = if has_password {
            Default::default()
        } else {
            login_methods::list_of_user(request, user.id).await?
        };
        Ok(Page::render(&ReauthenticationPage { page, form, has_password, login_methods })?
            .with_form_action(origins))
    }
}

#[get("/account/sudo?<next>")]
async fn new(
    next: Option<&str>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<Page, Error> {
    let form = FormView::empty(next.unwrap_or_default());
    ReauthenticationForm::render(form, &signed_in, &request).await
}

#[post("/account/sudo", data = "<form>")]
async fn create(
    form: Submitted<ReauthenticationForm>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let Some(password) = form.parsed() else {
        return form.rerender_on(&signed_in, &request).await;
    };
    let (ctx, info) = (request.context, request.info);
    let (email, session) = (&signed_in.user().email, signed_in.session());
    match flows::account::reauthentication::with_password(ctx, email, session, password, info).await
    {
        Ok(()) => Ok(Response::redirect_to_next(&form.next)),
        Err(error) => {
            let rejection = Rejection::not_authenticated(&request.page, "password", error)?;
            form.reject_on(&signed_in, rejection, &request).await
        }
    }
}
