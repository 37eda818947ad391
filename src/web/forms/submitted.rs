//! The data guard of forms.

use std::ops::Deref;

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::http::Status;
use rocket::outcome::Outcome as AnyOutcome;
use rocket::request::{FromRequest, Outcome as RequestOutcome};
use validator::ValidationErrors;

use super::rejection::Rejection;
use super::{Form, FormData, FormError, FormErrors, FormPage, FormView, ParsedForm};
use crate::context::Context;
use crate::http::urlencoded;
use crate::http::urlencoded::FieldProblem;
use crate::http::{body, csrf, guards, refusals};
use crate::web::already_logged_in;
use crate::web::error::Error;
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

/// The hidden field with the form token.
const TOKEN: &str = "csrf";

/// The hidden field with the path to go on to.
const NEXT: &str = "next";

/// A form from one of our pages, with what is wrong with it. As a data guard it refuses foreign,
/// oversized, slow and unreadable requests before a handler runs.
#[derive(Debug)]
pub(crate) struct Submitted<F> {
    form: F,
    pub errors: FormErrors,
}

impl<F> Deref for Submitted<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.form
    }
}

#[rocket::async_trait]
impl<'r, F: Form> FromData<'r> for Submitted<F> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match receive(request, data).await {
            Ok(submitted) => AnyOutcome::Success(submitted),
            Err(status) => AnyOutcome::Error((status, ())),
        }
    }
}

async fn receive<F: Form>(request: &Request<'_>, data: Data<'_>) -> Result<Submitted<F>, Status> {
    let ctx = request.rocket().state::<Context>().ok_or(Status::InternalServerError)?;
    let fields = receive_fields(request, data, ctx).await?;
    let form = F::read_fields(&FormData { fields: &fields, today: ctx.clock.now().date() });
    let errors = find_errors(&form, &fields);
    Ok(Submitted { form, errors })
}

/// A form that a link or a search sends in the query of a URL.
pub(crate) struct Queried<F>(pub F);

#[rocket::async_trait]
impl<'r, F: Form> FromRequest<'r> for Queried<F> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> RequestOutcome<Self, ()> {
        let Some(ctx) = request.rocket().state::<Context>() else {
            return RequestOutcome::Error((Status::InternalServerError, ()));
        };
        let query = request.uri().query().map(|query| query.as_str()).unwrap_or_default();
        let fields = urlencoded::fields(query.as_bytes()).unwrap_or_default();
        let data = FormData { fields: &fields, today: ctx.clock.now().date() };
        RequestOutcome::Success(Self(F::read_fields(&data)))
    }
}

/// Reads the fields of a body whose form token is valid.
pub(super) async fn receive_fields(
    request: &Request<'_>,
    data: Data<'_>,
    ctx: &Context,
) -> Result<Vec<urlencoded::FormField>, Status> {
    if !request.content_type().is_some_and(|kind| kind.is_form()) {
        return Err(Status::UnsupportedMediaType);
    }
    let body = body::read(request, data).await?;
    let fields = urlencoded::fields(&body).map_err(|_| Status::PayloadTooLarge)?;
    let token = fields.iter().find(|field| field.name == TOKEN).map(|field| field.value.as_str());
    let user = guards::current_user(request).await.as_ref().map_err(|unknown| unknown.0)?;
    let token = token.unwrap_or_default();
    if !csrf::is_valid_token(request, ctx, user.as_ref(), token) {
        // The form was rendered for a visitor, and the browser has logged in since, in another tab.
        if user.is_some() && csrf::is_visitor_token(token) {
            let next = fields.iter().find(|field| field.name == NEXT);
            already_logged_in::remember(request, next.map_or("", |next| &next.value));
        }
        refusals::set_reason(request, csrf::token_rejection_reason(request, ctx));
        return Err(Status::Forbidden);
    }
    Ok(fields)
}

/// Collects the errors of the body's bytes and of the form's fields.
fn find_errors<F: Form>(form: &F, fields: &[urlencoded::FormField]) -> FormErrors {
    let mut errors = FormErrors::default();
    let mut malformed = Vec::new();
    let specs = F::fields();
    for field in fields {
        let spec = specs.iter().find(|spec| spec.name == field.name);
        let key = match field.wrong {
            Some(FieldProblem::Repeated) if spec.is_some_and(|spec| spec.is_repeated) => continue,
            Some(FieldProblem::Repeated) => "form.twice",
            Some(FieldProblem::Unreadable | FieldProblem::Nul) => "form.unreadable",
            None => continue,
        };
        let shown = spec.filter(|spec| spec.is_visible).map(|spec| spec.name);
        errors.push(shown, FormError::new(key));
        malformed.extend(shown);
    }
    let broken = form.validate().err();
    let broken = broken.as_ref().map(ValidationErrors::field_errors).unwrap_or_default();
    // A field whose bytes are malformed has no other error: its value is not known.
    for spec in specs.iter().filter(|spec| !malformed.contains(&spec.name)) {
        for error in broken.get(spec.name).into_iter().flat_map(|errors| errors.iter()) {
            errors.push(Some(spec.name), FormError::from(error));
        }
    }
    errors
}

impl<F: ParsedForm> Submitted<F> {
    /// Returns the values of a form without errors.
    pub(crate) fn parsed(&self) -> Option<F::Parsed> {
        if self.errors.is_empty() { self.form.parsed() } else { None }
    }
}

impl<F: Form> Submitted<F> {
    /// Renders the form again with its own errors.
    pub(crate) async fn rerender(&self, request: &RequestContext<'_>) -> Result<Response, Error>
    where
        F: FormPage,
    {
        self.reject(self.errors.clone().into(), request).await
    }

    /// Renders the form again with the reason why it was rejected.
    pub(crate) async fn reject(
        &self,
        rejection: Rejection,
        request: &RequestContext<'_>,
    ) -> Result<Response, Error>
    where
        F: FormPage,
    {
        self.reject_on(&(), rejection, request).await
    }

    /// Renders the form of this subject again with its own errors.
    pub(crate) async fn rerender_on<S>(
        &self,
        subject: &S,
        request: &RequestContext<'_>,
    ) -> Result<Response, Error>
    where
        F: FormPage<S>,
    {
        self.reject_on(subject, self.errors.clone().into(), request).await
    }

    /// Renders the form of this subject again with the reason why it was rejected.
    pub(crate) async fn reject_on<S>(
        &self,
        subject: &S,
        rejection: Rejection,
        request: &RequestContext<'_>,
    ) -> Result<Response, Error>
    where
        F: FormPage<S>,
    {
        let view = FormView::of(&self.form, &rejection.errors, request.page.language());
        let page = F::render(view, subject, request).await?;
        Ok(Response::Page(rejection.apply_to(page)))
    }
}
