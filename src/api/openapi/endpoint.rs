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

pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// The body of a response: the name of a schema, an object, plain text, or nothing.
pub(super) enum ResponseBody {
    Json(String),
    Object,
    Text,
    Empty,
}

/// The credentials that an endpoint reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    None,
    /// An access token, in the header or in its cookie, is required.
    Required,
    /// An access token is read where there is one.
    Optional,
    /// The refresh token may be in its cookie instead of the body.
    RefreshCookie,
}

/// The description of an endpoint.
pub(crate) struct Endpoint {
    pub(super) method: HttpMethod,
    pub(super) path: Cow<'static, str>,
    /// The translation key of what it does.
    pub(super) summary: &'static str,
    pub(super) section: Section,
    pub(super) credentials: Credentials,
    /// The translation key of the sentence in a successful response.
    pub(super) sentence: &'static str,
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
    Endpoint {
        method,
        path: path.into(),
        summary,
        section,
        credentials: Credentials::None,
        sentence: "api.ok",
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
    public(method, path, section, summary).credentials(Credentials::Required).errors(&[401])
}

impl Endpoint {
    /// Replaces the credentials that the endpoint reads.
    pub(crate) fn credentials(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// Sets the sentence in the example of a successful response.
    pub(crate) fn says(self, sentence: &'static str) -> Self {
        Self { sentence, ..self }
    }

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
