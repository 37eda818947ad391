//! The page with the API reference. It renders the OpenAPI document that programs read, with a command
//! and a form for each request. The forms of those that change something need a script, because a plain form
//! cannot send a token.
//!
//! Reads the document only: it does not look at the API's code, so anything the document leaves out
//! is missing here.

use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, routes};
use serde_json::{Map, Value};

use super::error::Error;
use super::page::{Compressed, Page, PageContext};
use crate::http::OpenApiDocuments;

pub(crate) fn routes() -> Vec<Route> {
    routes![show, ask]
}

/// Where the document keeps its schemas.
const SCHEMAS: &str = "#/components/schemas/";

#[derive(Template)]
#[template(path = "api_reference.html")]
struct ReferencePage {
    page: PageContext,
    about: String,
    sections: Vec<SectionEntry>,
}

struct SectionEntry {
    name: String,
    heading: String,
    about: String,
    operations: Vec<OperationEntry>,
}

struct OperationEntry {
    id: String,
    method: String,
    path: String,
    about: String,
    /// Which credentials it reads.
    details: String,
    /// Path and query parameters.
    parameters: Vec<FieldEntry>,
    /// Fields of the body.
    fields: Vec<FieldEntry>,
    /// An example of the body.
    body: Option<String>,
    /// A command that sends that example.
    command: Option<String>,
    answers: Vec<ResponseEntry>,
}

impl OperationEntry {
    /// Returns whether the request changes nothing, so that the page may offer a form for it.
    fn is_harmless(&self) -> bool {
        self.method == "GET"
    }

    /// Returns whether the path has an id, which a plain form cannot fill in.
    fn has_gap(&self) -> bool {
        self.path.contains('{')
    }

    /// Returns the parameters in the path.
    fn gaps(&self) -> impl Iterator<Item = &FieldEntry> {
        self.parameters.iter().filter(|field| self.path.contains(&format!("{{{}}}", field.name)))
    }
}

struct FieldEntry {
    name: String,
    kind: String,
    is_required: bool,
}

struct ResponseEntry {
    status: String,
    about: String,
    fields: Vec<FieldEntry>,
    /// An example of a successful response.
    example: Option<String>,
}

#[get("/api")]
fn show(page: PageContext, reference: &State<OpenApiDocuments>) -> Result<Compressed, Error> {
    let document = reference.in_language(page.language());
    let page = Page::render(&ReferencePage {
        about: plain(&document["info"]["description"]),
        sections: list(&document["tags"]).map(|tag| section(document, tag, &page)).collect(),
        page,
    });
    page.map(Compressed)
}

/// Puts the id into the path and redirects there: a form without script cannot do that.
#[get("/api/ask?<path>&<id>")]
fn ask(
    path: &str,
    id: &str,
    reference: &State<OpenApiDocuments>,
    page: PageContext,
) -> Result<Redirect, Error> {
    let document = reference.in_language(page.language());
    let is_known = path.contains("{id}") && document["paths"][path].get("get").is_some();
    if !is_known {
        return Err(Status::NotFound.into());
    }
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC).to_string();
    Ok(Redirect::to(path.replace("{id}", &id)))
}

fn section(document: &Value, tag: &Value, page: &PageContext) -> SectionEntry {
    let name = text(&tag["name"]);
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path, method, operation))
    });
    let own = operations.filter(|(_, _, operation)| operation["tags"][0] == tag["name"]);
    let operations = own.map(|(path, method, operation)| read(document, path, method, operation));
    let mut operations: Vec<_> = operations.collect();
    operations.sort_by(|one, other| (&one.path, &one.method).cmp(&(&other.path, &other.method)));
    SectionEntry {
        heading: heading(&name, page),
        about: plain(&tag["description"]),
        operations,
        name,
    }
}

/// Returns the title of a section. The document has only its tag, which programs read.
fn heading(tag: &str, page: &PageContext) -> String {
    let key = match tag {
        "tokens" => "openapi.heading.tokens",
        "account" => "openapi.heading.account",
        "users" => "openapi.heading.users",
        "service" => "openapi.heading.service",
        tag => return tag.to_owned(),
    };
    page.t(key).into_owned()
}

fn read(document: &Value, path: &str, method: &str, operation: &Value) -> OperationEntry {
    let parameter = |parameter: &Value| FieldEntry {
        name: text(&parameter["name"]),
        kind: kind(&parameter["schema"]),
        is_required: parameter["required"] == true,
    };
    let responses = operation["responses"].as_object().into_iter().flatten();
    let answers = responses.map(|(status, response)| ResponseEntry {
        status: status.clone(),
        about: plain(&response["description"]),
        fields: if status.starts_with('2') {
            fields(document, schema_of(response))
        } else {
            Vec::new()
        },
        example: example_of(response).filter(|_| status.starts_with('2')).map(Value::to_string),
    });
    let method = method.to_uppercase();
    let body = example_of(&operation["requestBody"]);
    OperationEntry {
        id: text(&operation["operationId"]),
        body: body.map(|body| format!("{body:#}")),
        command: body.map(|body| command(document, (&method, path), operation, body)),
        method,
        path: path.to_owned(),
        about: plain(&operation["summary"]),
        details: plain(&operation["description"]),
        parameters: list(&operation["parameters"]).map(parameter).collect(),
        fields: fields(document, schema_of(&operation["requestBody"])),
        answers: answers.collect(),
    }
}

/// Returns a command for a shell that sends an example.
fn command(
    document: &Value,
    (method, path): (&str, &str),
    operation: &Value,
    body: &Value,
) -> String {
    let site = text(&document["servers"][0]["url"]);
    // The token is named first where one is required, and an alternative without any comes last.
    let alternatives: Vec<_> = list(&operation["security"]).collect();
    let needs_token = alternatives.last().is_some_and(|last| last != &&Value::Object(Map::new()));
    let token = if needs_token { " -H 'Authorization: Bearer TOKEN'" } else { "" };
    let body = body.to_string().replace('\'', r"'\''");
    format!(
        "curl -X {method}{token} -H 'Content-Type: application/json' -d '{body}' '{site}{path}'"
    )
}

fn example_of(holder: &Value) -> Option<&Value> {
    holder["content"]["application/json"].get("example")
}

fn schema_of(holder: &Value) -> &Value {
    &holder["content"]["application/json"]["schema"]
}

/// Lists the fields of an object, following a reference to a schema.
fn fields(document: &Value, schema: &Value) -> Vec<FieldEntry> {
    let name = schema["$ref"].as_str().and_then(|place| place.strip_prefix(SCHEMAS));
    let schema = name.map_or(schema, |name| &document["components"]["schemas"][name]);
    let required = &schema["required"];
    let properties = schema["properties"].as_object().into_iter().flatten();
    let field = |(name, schema): (&String, &Value)| FieldEntry {
        name: name.clone(),
        kind: kind(schema),
        is_required: list(required).any(|required| required == name.as_str()),
    };
    properties.map(field).collect()
}

/// Names a schema in a word or two that programmers of any language know.
fn kind(schema: &Value) -> String {
    if let Some(place) = schema["$ref"].as_str() {
        return place.trim_start_matches(SCHEMAS).to_owned();
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let format = schema["format"].as_str();
    let word = |of: &str| match (of, format) {
        ("array", _) => format!("{}[]", kind(&schema["items"])),
        ("string", Some(format)) => format.to_owned(),
        _ => of.to_owned(),
    };
    types.into_iter().map(word).collect::<Vec<_>>().join(" | ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Removes the back quotes that mark code in the document's texts.
fn plain(value: &Value) -> String {
    text(value).replace('`', "")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
