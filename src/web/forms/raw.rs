//! Forms of raw texts, until each is declared by `form!`.

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::form::{Form as RocketForm, FromForm, ValueField};
use rocket::http::Status;
use rocket::outcome::Outcome as AnyOutcome;
use validator::ValidationErrors;

use super::submitted::receive_fields;
use super::{FormError, FormErrors, FormView};
use crate::context::Context;
use crate::http::urlencoded::FieldProblem;
use crate::web::page::PageContext;

/// A form that is rendered again when something is wrong with it.
pub(crate) trait RawForm {
    /// Its visible fields, in the order of the page.
    const FIELDS: &'static [&'static str];

    /// Fields that may be sent more than once, such as checkboxes.
    const REPEATED: &'static [&'static str] = &[];

    /// Returns the values to render again. Passwords are never among them.
    fn retained_values(&self) -> Vec<(&'static str, &str)>;

    /// Returns the path to go on to.
    fn next(&self) -> &str {
        Default::default()
    }
}

impl RawForm for super::ButtonForm {
    const FIELDS: &'static [&'static str] = &[];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

/// A form from one of our pages.
#[derive(Debug)]
pub(crate) struct RawSubmitted<T> {
    pub form: T,
    malformed: Vec<(String, FieldProblem)>,
}

#[rocket::async_trait]
impl<'r, T: for<'a> FromForm<'a> + 'r> FromData<'r> for RawSubmitted<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match receive(request, data).await {
            Ok(submitted) => AnyOutcome::Success(submitted),
            Err(status) => AnyOutcome::Error((status, ())),
        }
    }
}

async fn receive<T: for<'a> FromForm<'a>>(
    request: &Request<'_>,
    data: Data<'_>,
) -> Result<RawSubmitted<T>, Status> {
    let ctx = request.rocket().state::<Context>().ok_or(Status::InternalServerError)?;
    let fields = receive_fields(request, data, ctx).await?;
    let sent = fields.iter().map(|field| ValueField {
        name: rocket::form::name::NameView::new(&field.name),
        value: &field.value,
    });
    let form = RocketForm::<T>::parse_iter(sent).map_err(|_| Status::UnprocessableEntity)?;
    let malformed = fields.iter().filter_map(|field| Some((field.name.clone(), field.wrong?)));
    Ok(RawSubmitted { form, malformed: malformed.collect() })
}

impl<T: RawForm> RawSubmitted<T> {
    /// Collects the errors of the request's bytes and of the form's rules. A field that is malformed is
    /// not checked by the rules.
    pub(crate) fn errors(&self, rules: Result<(), ValidationErrors>) -> FormErrors {
        let mut errors = FormErrors::default();
        for (name, why) in &self.malformed {
            if *why == FieldProblem::Repeated && T::REPEATED.contains(&name.as_str()) {
                continue;
            }
            let why = match why {
                FieldProblem::Unreadable => "form.unreadable",
                FieldProblem::Repeated => "form.twice",
            };
            errors
                .push(T::FIELDS.iter().find(|field| *field == name).copied(), FormError::new(why));
        }
        let broken = rules.err();
        let broken = broken.as_ref().map(ValidationErrors::field_errors).unwrap_or_default();
        for field in T::FIELDS {
            if errors.has(field) {
                continue;
            }
            for error in broken.get(*field).into_iter().flat_map(|errors| errors.iter()) {
                errors.push(Some(field), FormError::from(error));
            }
        }
        errors
    }
}

impl FormView {
    /// Returns a form with its values and errors.
    pub(crate) fn filled<T: RawForm>(page: &PageContext, form: &T, errors: &FormErrors) -> Self {
        let retained = form.retained_values();
        let values = retained.into_iter().map(|(name, value)| (name, value.to_owned()));
        let mut view = Self::empty(form.next());
        view.values = values.collect();
        let order = |field: Option<&str>| T::FIELDS.iter().position(|name| Some(*name) == field);
        view.add_errors(errors, order, page.language());
        view
    }
}
