//! The description of an endpoint, as its resource writes it beside the routes.
//!
//! Holds translation keys and schemas; `operation` turns them into `OpenAPI`.

use std::borrow::Cow;

use utoipa::ToSchema;
use utoipa::openapi::RefOr;
pub(crate) use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::Schema;

use super::fields::FieldSpec;
use super::section::Section;

type Schemas = Vec<(String, RefOr<Schema>)>;

/// The body of a response: the name of a schema, an object, plain text, or nothing.
pub(super) enum ResponseBody {
    Json(String),
    Object,
    Text,
    Empty,
}

/// The description of an endpoint.
pub(crate) struct Endpoint {
    pub(super) method: HttpMethod,
    pub(super) path: Cow<'static, str>,
    /// The translation key of what it does.
    pub(super) summary: &'static str,
    pub(super) section: Section,
    pub(super) needs_authentication: bool,
    pub(super) fields: Vec<FieldSpec>,
    pub(super) query: Vec<FieldSpec>,
    pub(super) responses: Vec<(u16, ResponseBody)>,
    pub(super) schemas: Schemas,
}

/// Describes an endpoint that needs no credentials.
pub(crate) fn public(
    method: HttpMethod,
    path: impl Into<Cow<'static, str>>,
    section: Section,
    summary: &'static str,
) -> Endpoint {
    let (fields, query, responses, schemas) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (path, needs_authentication) = (path.into(), false);
    Endpoint {
        method,
        path,
        summary,
        section,
        needs_authentication,
        fields,
        query,
        responses,
        schemas,
    }
}

/// Describes an endpoint that needs credentials.
pub(crate) fn authenticated(
    method: HttpMethod,
    path: impl Into<Cow<'static, str>>,
    section: Section,
    summary: &'static str,
) -> Endpoint {
    let endpoints = public(method, path, section, summary);
    Endpoint { needs_authentication: true, ..endpoints }.errors(&[401])
}

impl Endpoint {
    /// Adds the fields of the body. Such a request is refused if it comes from another site.
    pub(crate) fn body(self, fields: impl Into<Vec<FieldSpec>>) -> Self {
        Self { fields: fields.into(), ..self }.errors(&[400, 403, 413, 415])
    }

    /// Adds the fields of the query.
    pub(crate) fn query(self, query: impl Into<Vec<FieldSpec>>) -> Self {
        Self { query: query.into(), ..self }
    }

    /// Adds a response with the schema of a type.
    pub(crate) fn returns<T: ToSchema>(mut self, status: u16) -> Self {
        let name = T::name().into_owned();
        self.schemas.push((name.clone(), T::schema()));
        T::schemas(&mut self.schemas);
        self.responses.push((status, ResponseBody::Json(name)));
        self
    }

    /// Adds a response in plain text.
    pub(crate) fn returns_text(mut self, status: u16) -> Self {
        self.responses.push((status, ResponseBody::Text));
        self
    }

    /// Adds a response with an object whose members another standard defines.
    pub(crate) fn returns_object(mut self) -> Self {
        self.responses.push((200, ResponseBody::Object));
        self
    }

    /// Adds a response without a body.
    pub(crate) fn returns_empty(mut self, status: u16) -> Self {
        self.responses.push((status, ResponseBody::Empty));
        self
    }

    /// Adds error responses.
    pub(crate) fn errors(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let name = if *status == 400 { "Complaints" } else { "Refusal" };
            self.responses.push((*status, ResponseBody::Json(name.to_owned())));
        }
        self
    }
}
