//! The body of a request: one JSON object, not too large, in time.

use std::collections::HashSet;

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::http::Status;
use serde_json::{Map, Value};

use super::error::{Error, Refusal};
use super::fields::{Complaints, NON_FIELD};
use super::unambiguous;
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
        match receive(request, data).await {
            Ok(body) => Outcome::Success(body),
            Err(Refused::Plainly(status)) => Outcome::Error((status, ())),
            Err(Refused::Because(error)) => Outcome::Error((error.leave(request), ())),
        }
    }
}

/// Why there is no body: a status that says it all, or something with a word about it.
enum Refused {
    Plainly(Status),
    Because(Error),
}

/// Whoever sends nothing has sent an empty object. A form that a foreign site could send names a kind
/// that is not JSON, also when it is empty.
async fn receive(request: &Request<'_>, data: Data<'_>) -> Result<Body, Refused> {
    let kind = request.content_type();
    if kind.is_some_and(|kind| !kind.is_json()) {
        return Err(Refused::Plainly(Status::UnsupportedMediaType));
    }
    let bytes = body::read(request, data).await.map_err(Refused::Plainly)?;
    if bytes.is_empty() {
        return Ok(Body::default());
    }
    if kind.is_none() {
        return Err(Refused::Plainly(Status::UnsupportedMediaType));
    }
    parse(&bytes).map(Body::of).map_err(Refused::Because)
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        unreadable(Sentence::with("api.not_utf8", "position", error.valid_up_to()))
    })?;
    let value = unambiguous::from_str(text).map_err(|error| {
        let place = Sentence::with("api.not_json", "line", error.line());
        unreadable(place.and("column", error.column()))
    })?;
    let value =
        value.map_err(|key| unreadable(Sentence::with("api.repeated_key", "key", short(&key))))?;
    match value {
        Value::Object(fields) => Ok(fields),
        other => {
            let what = Sentence::with("api.not_an_object", "type", name_of(&other));
            Err(Complaints::about(NON_FIELD, what).into())
        }
    }
}

/// As much of a key as is needed to find it; a sender may make it as long as a body.
fn short(key: &str) -> String {
    key.chars().take(64).collect()
}

fn unreadable(detail: Sentence) -> Error {
    Refusal::new(Status::BadRequest, "parse_error", detail).into()
}

/// What clients of Django are used to hear.
fn name_of(value: &Value) -> &'static str {
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
