//! Forms: what was sent, what is wrong with it, and how it is shown again.
//!
//! A form is a struct of raw texts. Its rules call the words' own `parse`, so each rule exists once;
//! what is wrong is a kind (an i18n key) until a page is drawn.

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
use crate::context::Ctx;
use crate::http::next::SafeNext;
use crate::http::urlencoded;
use crate::http::urlencoded::Wrong;
use crate::http::{body, csrf, guards, refusals};
use crate::types::Password;

/// One thing that is wrong, as a kind with its values.
pub(crate) use crate::i18n::Sentence as FormError;

/// The hidden field with the form token.
const TOKEN: &str = "csrf";

/// The hidden field with the way on.
const NEXT: &str = "next";

/// A form that a page shows again when something is wrong with it.
pub(crate) trait Form {
    /// Its visible fields, in the order of the page.
    const FIELDS: &'static [&'static str];

    /// Fields that may be sent more than once, such as boxes to tick.
    const REPEATED: &'static [&'static str] = &[];

    /// The values that come back. Passwords never do.
    fn retained_values(&self) -> Vec<(&'static str, &str)>;

    /// Where the person was going.
    fn next(&self) -> &str {
        Default::default()
    }
}

/// A form with nothing but its button and its token, which has been checked when a handler sees it.
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

/// A form that one of our own pages sent. As a data guard it refuses foreign, oversized, slow and
/// unreadable ones before any handler sees them.
#[derive(Debug)]
pub(crate) struct Submitted<T> {
    pub form: T,
    malformed: Vec<(String, Wrong)>,
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
    let ctx = request.rocket().state::<Ctx>().ok_or(Status::InternalServerError)?;
    if !request.content_type().is_some_and(|kind| kind.is_form()) {
        return Err(Status::UnsupportedMediaType);
    }
    let body = body::read(request, data).await?;
    let fields = urlencoded::fields(&body).map_err(|_| Status::PayloadTooLarge)?;
    let token = fields.iter().find(|field| field.name == TOKEN).map(|field| field.value.as_str());
    let person = guards::who(request).await.as_ref().map_err(|unknown| unknown.0)?;
    let token = token.unwrap_or_default();
    if !csrf::is_token(request, ctx, person.as_ref(), token) {
        if person.is_some() && csrf::is_of_visitor(token) {
            let next = fields.iter().find(|field| field.name == NEXT);
            already_signed_in::remember(request, next.map_or("", |next| &next.value));
        }
        refusals::because(request, csrf::why_no_token(request, ctx));
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
    /// What is wrong with the form: with its bytes, and by `rules` with its values. A field that
    /// cannot be read is not judged further.
    pub(crate) fn errors(&self, rules: Result<(), ValidationErrors>) -> FormErrors {
        let mut errors = FormErrors::default();
        for (name, why) in &self.malformed {
            if *why == Wrong::Repeated && T::REPEATED.contains(&name.as_str()) {
                continue;
            }
            let why = match why {
                Wrong::Unreadable => "form.unreadable",
                Wrong::Repeated => "form.twice",
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

/// The codes of our rules are keys; a code of a rule that is not ours would be its own sentence.
impl From<&ValidationError> for FormError {
    fn from(error: &ValidationError) -> Self {
        let Cow::Borrowed(key) = error.code else { return Self::new("form.unreadable") };
        // What was typed is a parameter too, and is not repeated.
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

/// Everything that is wrong with a form; `None` stands for the form as a whole.
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

    /// The password that goes with these errors and has not been judged yet, if there is one.
    pub(crate) fn unchecked_password(&self, field: &'static str, typed: &str) -> Option<Password> {
        let is_judged = self.0.iter().any(|(about, _)| *about == Some(field));
        Password::parse(typed).ok().filter(|_| !is_judged)
    }

    /// These, and what is wrong with a password: everything is said at once.
    pub(crate) fn with_weaknesses(mut self, field: &'static str, found: Vec<Weakness>) -> Self {
        for weakness in found {
            self.on(field, FormError::from(weakness));
        }
        self
    }

    /// One more thing is wrong with a field.
    pub(crate) fn add(&mut self, field: &'static str, key: &'static str) {
        self.on(field, FormError::new(key));
    }

    /// The same with the values of the sentence.
    pub(crate) fn add_sentence(&mut self, field: &'static str, error: FormError) {
        self.on(field, error);
    }

    fn on(&mut self, field: &'static str, error: FormError) {
        self.once((Some(field), error));
    }

    fn top(&mut self, error: FormError) {
        self.once((None, error));
    }

    /// A field that is sent a thousand times is one mistake, and one sentence on the page.
    fn once(&mut self, error: (Option<&'static str>, FormError)) {
        if !self.0.contains(&error) {
            self.0.push(error);
        }
    }
}

/// A form as a page shows it: the values that came back, and sentences about what is wrong.
#[derive(Debug, Default)]
pub(crate) struct FormView {
    values: Vec<(&'static str, String)>,
    wrong: Vec<(&'static str, Vec<String>)>,
    all: Vec<(String, String)>,
    top: Vec<String>,
    next: String,
}

impl FormView {
    /// An empty form on the way to `next`.
    pub(crate) fn empty(next: &str) -> Self {
        Self { next: safe(next), ..Self::default() }
    }

    /// A form that was sent, with everything that is wrong with it.
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

    /// The value that comes back into a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }

    /// Whether this is among the values of a field that may have several.
    pub(crate) fn has(&self, name: &str, value: impl ToString) -> bool {
        let value = value.to_string();
        self.values.iter().any(|(field, retained)| *field == name && *retained == value)
    }

    /// What is wrong with a field.
    pub(crate) fn errors(&self, name: &str) -> &[String] {
        self.wrong.iter().find(|(field, _)| *field == name).map_or(&[], |(_, errors)| errors)
    }

    /// Whether anything is wrong.
    pub(crate) fn has_errors(&self) -> bool {
        !self.all.is_empty() || !self.top.is_empty()
    }

    /// What is wrong with the form as a whole.
    pub(crate) fn form_errors(&self) -> &[String] {
        &self.top
    }

    /// What is wrong with its fields, one by one.
    pub(crate) fn field_errors(&self) -> &[(String, String)] {
        &self.all
    }

    /// Where the person was going.
    pub(crate) fn next(&self) -> &str {
        &self.next
    }
}

/// The way that a form carries along, if it is one.
fn safe(next: &str) -> String {
    SafeNext::parse(next).map_or_else(String::new, |next| next.as_str().to_owned())
}
