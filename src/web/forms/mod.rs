//! Forms: what was sent, what is wrong with it, and how it is rendered again.
//!
//! A form is a struct of raw texts. Its rules call the types' own `parse`, so each rule exists
//! once; an error is a translation key until a page is rendered.

pub(crate) mod rejection;
pub(crate) mod rules;

use std::borrow::Cow;

use rocket::data::{Data, FromData, Outcome};
use rocket::form::{Form as RocketForm, FromForm, ValueField};
use rocket::http::Status;
use rocket::{Request, outcome::Outcome as AnyOutcome};
use validator::{ValidationError, ValidationErrors};

use super::already_signed_in;
use super::page::PageContext;
use crate::accounts::Weakness;
use crate::context::Context;
use crate::http::next::SafeNext;
use crate::http::urlencoded;
use crate::http::urlencoded::FieldProblem;
use crate::http::{body, csrf, guards, refusals};
use crate::types::Password;

/// One error: a translation key with its values.
pub(crate) use crate::i18n::Sentence as FormError;

/// The hidden field with the form token.
const TOKEN: &str = "csrf";

/// The hidden field with the path to go on to.
const NEXT: &str = "next";

/// A form that is rendered again when something is wrong with it.
pub(crate) trait Form {
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

/// A form with a button and its token. The token has been checked before a handler sees the form.
#[derive(Debug, FromForm)]
pub(crate) struct ButtonForm {
    #[field(name = "csrf", default = String::new())]
    _token: String,
}

impl Form for ButtonForm {
    const FIELDS: &'static [&'static str] = &[];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

/// A form from one of our pages. As a data guard it refuses foreign, oversized, slow and unreadable
/// requests before a handler runs.
#[derive(Debug)]
pub(crate) struct Submitted<T> {
    pub form: T,
    malformed: Vec<(String, FieldProblem)>,
}

#[rocket::async_trait]
impl<'r, T: for<'a> FromForm<'a> + 'r> FromData<'r> for Submitted<T> {
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
) -> Result<Submitted<T>, Status> {
    let ctx = request.rocket().state::<Context>().ok_or(Status::InternalServerError)?;
    if !request.content_type().is_some_and(|kind| kind.is_form()) {
        return Err(Status::UnsupportedMediaType);
    }
    let body = body::read(request, data).await?;
    let fields = urlencoded::fields(&body).map_err(|_| Status::PayloadTooLarge)?;
    let token = fields.iter().find(|field| field.name == TOKEN).map(|field| field.value.as_str());
    let user = guards::current_user(request).await.as_ref().map_err(|unknown| unknown.0)?;
    let token = token.unwrap_or_default();
    if !csrf::is_valid_token(request, ctx, user.as_ref(), token) {
        if user.is_some() && csrf::is_visitor_token(token) {
            let next = fields.iter().find(|field| field.name == NEXT);
            already_signed_in::remember(request, next.map_or("", |next| &next.value));
        }
        refusals::set_reason(request, csrf::token_rejection_reason(request, ctx));
        return Err(Status::Forbidden);
    }
    let sent = fields.iter().map(|field| ValueField {
        name: rocket::form::name::NameView::new(&field.name),
        value: &field.value,
    });
    let form = RocketForm::<T>::parse_iter(sent).map_err(|_| Status::UnprocessableEntity)?;
    let malformed = fields.iter().filter_map(|field| Some((field.name.clone(), field.wrong?)));
    Ok(Submitted { form, malformed: malformed.collect() })
}

impl<T: Form> Submitted<T> {
    /// Collects the errors of the request's bytes and of the form's rules. A field that is
    /// malformed is not checked by the rules.
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
            match T::FIELDS.iter().find(|field| *field == name) {
                Some(field) => errors.on(field, FormError::new(why)),
                None => errors.top(FormError::new(why)),
            }
        }
        let broken = rules.err();
        let broken = broken.as_ref().map(ValidationErrors::field_errors).unwrap_or_default();
        for field in T::FIELDS {
            if errors.0.iter().any(|(about, _)| *about == Some(*field)) {
                continue;
            }
            for error in broken.get(*field).into_iter().flat_map(|errors| errors.iter()) {
                errors.on(field, FormError::from(error));
            }
        }
        errors
    }
}

/// The codes of our own rules are translation keys; any other code is a rule of `validator` itself.
impl From<&ValidationError> for FormError {
    fn from(error: &ValidationError) -> Self {
        let Cow::Borrowed(key) = error.code else { return Self::new("form.unreadable") };
        // The typed value is a parameter too, and must not be repeated.
        match error.params.get("sign").and_then(serde_json::Value::as_str) {
            Some(sign) => Self::with(key, "sign", sign),
            None => Self::new(key),
        }
    }
}

impl From<Weakness> for FormError {
    fn from(weakness: Weakness) -> Self {
        match weakness.bound() {
            Some((name, number)) => Self::with(weakness.key(), name, number),
            None => Self::new(weakness.key()),
        }
    }
}

/// The errors of a form; `None` stands for the form as a whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FormErrors(Vec<(Option<&'static str>, FormError)>);

impl FormErrors {
    pub(crate) fn on_field(
        field: &'static str,
        errors: impl IntoIterator<Item = FormError>,
    ) -> Self {
        Self(errors.into_iter().map(|error| (Some(field), error)).collect())
    }

    pub(crate) fn on_form(error: FormError) -> Self {
        Self(vec![(None, error)])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the password if nothing is wrong with its field yet, so that its strength can be
    /// checked too.
    pub(crate) fn unchecked_password(&self, field: &'static str, typed: &str) -> Option<Password> {
        let is_judged = self.0.iter().any(|(about, _)| *about == Some(field));
        Password::parse(typed).ok().filter(|_| !is_judged)
    }

    /// Adds the weaknesses of a password.
    pub(crate) fn with_weaknesses(mut self, field: &'static str, found: Vec<Weakness>) -> Self {
        for weakness in found {
            self.on(field, FormError::from(weakness));
        }
        self
    }

    /// Adds an error about a field.
    pub(crate) fn add(&mut self, field: &'static str, key: &'static str) {
        self.on(field, FormError::new(key));
    }

    /// Adds an error with values about a field.
    pub(crate) fn add_sentence(&mut self, field: &'static str, error: FormError) {
        self.on(field, error);
    }

    fn on(&mut self, field: &'static str, error: FormError) {
        self.once((Some(field), error));
    }

    fn top(&mut self, error: FormError) {
        self.once((None, error));
    }

    /// Adds an error once: a field that is sent a thousand times is one mistake and one sentence.
    fn once(&mut self, error: (Option<&'static str>, FormError)) {
        if !self.0.contains(&error) {
            self.0.push(error);
        }
    }
}

/// A form as a template renders it: the retained values and the sentences about errors.
#[derive(Debug, Default)]
pub(crate) struct FormView {
    values: Vec<(&'static str, String)>,
    wrong: Vec<(&'static str, Vec<String>)>,
    all: Vec<(String, String)>,
    top: Vec<String>,
    next: String,
}

impl FormView {
    /// Returns an empty form that goes on to `next`.
    pub(crate) fn empty(next: &str) -> Self {
        Self { next: safe(next), ..Self::default() }
    }

    /// Returns a form with its values and errors.
    pub(crate) fn filled<T: Form>(page: &PageContext, form: &T, errors: &FormErrors) -> Self {
        let retained = form.retained_values();
        let values = retained.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        let mut view = Self { values, next: safe(form.next()), ..Self::default() };
        let mut in_order: Vec<_> = errors.0.iter().collect();
        in_order.sort_by_key(|(field, _)| T::FIELDS.iter().position(|name| Some(*name) == *field));
        for (field, error) in in_order {
            let sentence = error.in_language(page.language());
            let Some(field) = field else {
                view.top.push(sentence);
                continue;
            };
            view.all.push(((*field).to_owned(), sentence.clone()));
            match view.wrong.iter_mut().find(|(name, _)| name == field) {
                Some((_, sentences)) => sentences.push(sentence),
                None => view.wrong.push((field, vec![sentence])),
            }
        }
        view
    }

    /// Returns the retained value of a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }

    /// Returns whether this is one of the values of a field with several.
    pub(crate) fn has(&self, name: &str, value: impl ToString) -> bool {
        let value = value.to_string();
        self.values.iter().any(|(field, retained)| *field == name && *retained == value)
    }

    /// Returns the errors of a field.
    pub(crate) fn errors(&self, name: &str) -> &[String] {
        self.wrong.iter().find(|(field, _)| *field == name).map_or(&[], |(_, errors)| errors)
    }

    /// Returns whether the form has errors.
    pub(crate) fn has_errors(&self) -> bool {
        !self.all.is_empty() || !self.top.is_empty()
    }

    /// Returns the errors of the form as a whole.
    pub(crate) fn form_errors(&self) -> &[String] {
        &self.top
    }

    /// Returns the errors of all fields, in the order of the page.
    pub(crate) fn field_errors(&self) -> &[(String, String)] {
        &self.all
    }

    /// Returns the path to go on to.
    pub(crate) fn next(&self) -> &str {
        &self.next
    }
}

/// Returns the path to go on to, if it is a safe one.
fn safe(next: &str) -> String {
    SafeNext::parse(next).map_or_else(String::new, |next| next.as_str().to_owned())
}
