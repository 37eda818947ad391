//! The body of a request: one JSON object, not too large, in time.

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::http::Status;
use serde_json::{Map, Value};

use super::error::{Error, Refusal};
use super::fields::{Complaints, NON_FIELD};
use crate::http::body;
use crate::i18n::Sentence;

/// What was sent. It may hold passwords and tokens, so it cannot be printed.
pub(super) struct Body(Map<String, Value>);

impl Body {
    /// The value of a field, whatever it is.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
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
        return Ok(Body(Map::new()));
    }
    if kind.is_none() {
        return Err(Refused::Plainly(Status::UnsupportedMediaType));
    }
    parse(&bytes).map(Body).map_err(Refused::Because)
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        unreadable(Sentence::with("api.not_utf8", "position", error.valid_up_to()))
    })?;
    let value = serde_json::from_str(text).map_err(|error| {
        let place = Sentence::with("api.not_json", "line", error.line());
        unreadable(place.and("column", error.column()))
    })?;
    match value {
        Value::Object(fields) => Ok(fields),
        other => {
            let what = Sentence::with("api.not_an_object", "type", name_of(&other));
            Err(Complaints::about(NON_FIELD, what).into())
        }
    }
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
