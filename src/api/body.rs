//! The body of a request: one JSON object, not too large, in time.

use std::collections::HashSet;

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::http::Status;
use serde_json::{Map, Value};

use super::error::{Error, ErrorDetail};
use super::fields::{FieldErrors, NON_FIELD_ERRORS};
use super::strict_json;
use crate::http::body;
use crate::i18n::Sentence;

/// What was sent. It may hold passwords and tokens, so it cannot be printed.
///
/// No text in it holds a NUL, however deep it is: each is replaced when the body is read, so that none
/// can reach a statement, which PostgreSQL would refuse.
#[derive(Default)]
pub(crate) struct Body {
    fields: Map<String, Value>,
    with_nul: HashSet<String>,
}

impl Body {
    fn of(fields: Map<String, Value>) -> Self {
        let mut body = Self::default();
        for (name, mut value) in fields {
            let name = name.replace('\0', "\u{fffd}");
            if replace_nul(&mut value) {
                body.with_nul.insert(name.clone());
            }
            body.fields.insert(name, value);
        }
        body
    }

    /// The value of a field, whatever it is.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Whether a NUL was sent in a field.
    pub(crate) fn had_nul(&self, name: &str) -> bool {
        self.with_nul.contains(name)
    }
}

/// Replaces every NUL in the texts of a value; tells whether there was one. `serde_json` reads nothing
/// that is nested deeper than 128 levels, which bounds the recursion.
fn replace_nul(value: &mut Value) -> bool {
    match value {
        Value::String(text) if text.contains('\0') => {
            *text = text.replace('\0', "\u{fffd}");
            true
        }
        Value::Array(values) => {
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

/// Why there is no body: a status that says it all, or something with a word about it.
enum BodyError {
    Status(Status),
    Detail(Error),
}

/// Whoever sends nothing has sent an empty object. A form that a foreign site could send names a kind
/// that is not JSON, also when it is empty.
async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Body, BodyError> {
    let kind = request.content_type();
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

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        parse_error(Sentence::with("api.not_utf8", "position", error.valid_up_to()))
    })?;
    let value = strict_json::from_str(text).map_err(|error| {
        let place = Sentence::with("api.not_json", "line", error.line());
        parse_error(place.and("column", error.column()))
    })?;
    let value = value
        .map_err(|key| parse_error(Sentence::with("api.repeated_key", "key", truncated(&key))))?;
    match value {
        Value::Object(fields) => Ok(fields),
        other => {
            let what = Sentence::with("api.not_an_object", "type", python_type_name(&other));
            Err(FieldErrors::on(NON_FIELD_ERRORS, what).into())
        }
    }
}

/// As much of a key as is needed to find it; a sender may make it as long as a body.
fn truncated(key: &str) -> String {
    key.chars().take(64).collect()
}

fn parse_error(detail: Sentence) -> Error {
    ErrorDetail::new(Status::BadRequest, "parse_error", detail).into()
}

/// What clients of Django are used to hear.
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
