//! Reads request bodies: one JSON object or the fields of a form, bounded in size and time.
//!
//! Knows no field; `fields` reads those.

use std::collections::HashSet;

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::http::Status;
use serde_json::{Map, Value};

use super::error::Error;
use super::error_detail::ErrorDetail;
use super::field_errors::{FieldErrors, NON_FIELD_ERRORS};
use super::strict_json;
use super::strict_json::StrictJsonError;
use crate::context::Context;
use crate::http::urlencoded::{FieldProblem, FormField};
use crate::http::{body, foreign_origin, multipart, urlencoded};
use crate::i18n::Sentence;

/// The object that was sent. It may contain passwords and tokens, so it has no `Debug`.
///
/// No text in it contains NUL, at any depth.
#[derive(Default)]
pub(crate) struct Body {
    fields: Map<String, Value>,
    with_nul: HashSet<String>,
    is_form: bool,
}

impl Body {
    fn of(fields: Map<String, Value>) -> Self {
        let mut body = Self::default();
        for (name, mut value) in fields {
            // PostgreSQL refuses text with NUL.
            let name = name.replace('\0', "\u{fffd}");
            if replace_nul(&mut value) {
                body.with_nul.insert(name.clone());
            }
            body.fields.insert(name, value);
        }
        body
    }

    /// Builds the body of a form. A repeated name becomes a list.
    fn of_form(form: Vec<FormField>) -> Result<Self, Status> {
        let mut body = Self { is_form: true, ..Self::default() };
        for FormField { name, value, wrong } in form {
            let value = Value::String(value);
            match wrong {
                // As for JSON that is not UTF-8.
                Some(FieldProblem::Unreadable) => return Err(Status::BadRequest),
                Some(FieldProblem::Nul) => {
                    body.with_nul.insert(name.clone());
                    body.fields.insert(name, value);
                }
                Some(FieldProblem::Repeated) => match body.fields.get_mut(&name) {
                    Some(Value::Array(values)) => values.push(value),
                    Some(first) => *first = Value::Array(vec![first.take(), value]),
                    None => {
                        body.fields.insert(name, value);
                    }
                },
                None => {
                    body.fields.insert(name, value);
                }
            }
        }
        Ok(body)
    }

    /// Returns whether the body is a form, whose values are all text.
    pub(crate) fn is_form(&self) -> bool {
        self.is_form
    }

    /// Returns the value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Returns whether a field contained NUL.
    pub(crate) fn had_nul(&self, name: &str) -> bool {
        self.with_nul.contains(name)
    }
}

/// Replaces NUL in all texts of a value; returns whether there was any.
fn replace_nul(value: &mut Value) -> bool {
    match value {
        Value::String(text) if text.contains('\0') => {
            *text = text.replace('\0', "\u{fffd}");
            true
        }
        Value::Array(values) => {
            // `serde_json` refuses values nested deeper than 128 levels, which bounds the
            // recursion. `|` and not `||`, because every value must be looked at.
            values.iter_mut().fold(false, |had, value| replace_nul(value) | had)
        }
        Value::Object(fields) => {
            fields.values_mut().fold(false, |had, value| replace_nul(value) | had)
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Body {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data).await {
            Ok(body) => Outcome::Success(body),
            Err(BodyError::Status(status)) => Outcome::Error((status, ())),
            Err(BodyError::Detail(error)) => Outcome::Error((error.store_in(request), ())),
        }
    }
}

/// Why a body was refused: by status alone, or with a detail.
enum BodyError {
    Status(Status),
    Detail(Error),
}

impl From<Status> for BodyError {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// Reads a body; an empty one is an empty object.
async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Body, BodyError> {
    let kind = request.content_type();
    if kind.is_some_and(|kind| kind.is_form() || kind.is_form_data()) {
        return Ok(read_form(request, data).await?);
    }
    // Also for an empty body: what a foreign site can send has a content type that is not JSON.
    if kind.is_some_and(|kind| !kind.is_json()) {
        return Err(BodyError::Status(Status::UnsupportedMediaType));
    }
    let bytes = body::read(request, data).await.map_err(BodyError::Status)?;
    if bytes.is_empty() {
        return Ok(Body::default());
    }
    if kind.is_none() {
        return Err(BodyError::Status(Status::UnsupportedMediaType));
    }
    parse(&bytes).map(Body::of).map_err(BodyError::Detail)
}

/// Reads the fields of a form, if its sender may send one.
async fn read_form(request: &Request<'_>, data: Data<'_>) -> Result<Body, Status> {
    let ctx = request.rocket().state::<Context>().ok_or(Status::InternalServerError)?;
    // Before the body is waited for.
    if let Some(status) = foreign_origin::form_rejection(ctx, request).await {
        return Err(status);
    }
    let bytes = body::read(request, data).await?;
    let form = if request.content_type().is_some_and(|kind| kind.is_form()) {
        urlencoded::fields(&bytes).map_err(|_| Status::PayloadTooLarge)?
    } else if bytes.is_empty() {
        Vec::new()
    } else {
        let kind = request.headers().get_one("Content-Type").unwrap_or_default();
        multipart::fields(kind, &bytes).await?
    };
    Body::of_form(form)
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        parse_error(Sentence::with("api.not_utf8", "position", error.valid_up_to()))
    })?;
    let value = strict_json::from_str(text).map_err(|error| {
        parse_error(match error {
            StrictJsonError::Malformed(error) => {
                let place = Sentence::with("api.not_json", "line", error.line());
                place.and("column", error.column())
            }
            StrictJsonError::RepeatedKey(key) => {
                Sentence::with("api.repeated_key", "key", truncated(&key))
            }
        })
    })?;
    match value {
        Value::Object(fields) => Ok(fields),
        other => {
            let what = Sentence::with("api.not_an_object", "type", python_type_name(&other));
            Err(FieldErrors::on(NON_FIELD_ERRORS, what).into())
        }
    }
}

/// Shortens a key to what is needed to find it.
fn truncated(key: &str) -> String {
    // A key may be as long as the body.
    key.chars().take(64).collect()
}

fn parse_error(detail: Sentence) -> Error {
    ErrorDetail::new(Status::BadRequest, "parse_error", detail).into()
}

/// Returns the type's name in Python, as clients of Django know it.
fn python_type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}
