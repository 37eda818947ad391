//! Describes the endpoints of the JSON API (`OpenAPI` 3.1), for programs and for the reference
//! page.
//!
//! Each resource describes its endpoints beside its routes; responses have the schemas of the types
//! that are sent. Nothing makes a description true by itself: a test compares each one with the
//! routes, and with what they really accept and return.

mod fields;

use std::borrow::Cow;

use utoipa::openapi::path::{
    Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{Array, Components, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, Info, OpenApi, Paths, Ref, RefOr, Required, Response, tag::TagBuilder,
};
use utoipa::{PartialSchema, ToSchema};

pub(crate) use utoipa::openapi::path::HttpMethod;

pub(crate) use self::fields::{FieldSpec, FieldType, optional, required};
use super::error_detail::ErrorBody;
use crate::i18n::Language;
use crate::types::named_enum;

/// The name of the security scheme.
const BEARER: &str = "bearer";

named_enum! {
    /// A section of the reference.
    pub(crate) enum Section {
        Tokens = "tokens",
        Account = "account",
        Users = "users",
        Service = "service",
    }
}

impl Section {
    fn summary(self) -> &'static str {
        match self {
            Self::Tokens => "openapi.section.tokens",
            Self::Account => "openapi.section.account",
            Self::Users => "openapi.section.users",
            Self::Service => "openapi.section.service",
        }
    }
}

type Schemas = Vec<(String, RefOr<Schema>)>;

/// The body of a response: the name of a schema, an object, plain text, or nothing.
enum ResponseBody {
    Json(String),
    Object,
    Text,
    Empty,
}

/// The description of an endpoint.
pub(crate) struct Endpoint {
    method: HttpMethod,
    path: Cow<'static, str>,
    /// The translation key of what it does.
    summary: &'static str,
    section: Section,
    needs_authentication: bool,
    fields: Vec<FieldSpec>,
    query: Vec<FieldSpec>,
    responses: Vec<(u16, ResponseBody)>,
    schemas: Schemas,
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

    fn operation(&self, language: Language) -> Operation {
        let mut operation = OperationBuilder::new()
            .tag(self.section.as_str())
            .summary(Some(language.say(self.summary)))
            .operation_id(Some(self.operation_id()));
        for parameter in self.parameters() {
            operation = operation.parameter(parameter);
        }
        if !self.fields.is_empty() {
            operation = operation.request_body(Some(self.request_body()));
        }
        for (status, body) in &self.responses {
            operation = operation.response(status.to_string(), response(*status, body, language));
        }
        if self.needs_authentication {
            let nothing: [&str; 0] = [];
            operation = operation.security(SecurityRequirement::new(BEARER, nothing));
        }
        operation.build()
    }

    /// Returns the operation id: the translation key without its first part. Clients are generated from
    /// these ids, so they stay where a key has changed.
    fn operation_id(&self) -> String {
        let id = match self.summary {
            "openapi.account.signup" => "account_join",
            "openapi.account.email_verification.resend" => "account_letter_again",
            "openapi.account.email_verification.confirm" => "account_letter_verify",
            "openapi.account.password_change" => "account_password",
            "openapi.account.password_reset.request" => "account_reset_ask",
            "openapi.account.password_reset.confirm" => "account_reset_confirm",
            "openapi.account.social_login" => "account_social",
            key => return key.split('.').skip(1).collect::<Vec<_>>().join("_"),
        };
        id.to_owned()
    }

    fn parameters(&self) -> Vec<Parameter> {
        let parameter = |name: &str, at, required: bool, kind: FieldType| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(at)
                .required(if required { Required::True } else { Required::False })
                .schema(Some(kind.schema()))
                .build()
        };
        let in_path = self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        // Users are identified by number, everything else by name.
        let kind = |name| if name == "id" { FieldType::Number } else { FieldType::Text };
        let in_path = in_path.map(|name| parameter(name, ParameterIn::Path, true, kind(name)));
        let in_query = self
            .query
            .iter()
            .map(|field| parameter(field.name, ParameterIn::Query, field.is_required, field.kind));
        in_path.chain(in_query).collect()
    }

    fn request_body(&self) -> RequestBody {
        let mut object = ObjectBuilder::new();
        for field in &self.fields {
            object = object.property(field.name, field.kind.schema());
            if field.is_required {
                object = object.required(field.name);
            }
        }
        let content = Content::new(Some(Schema::from(object.build())));
        let is_required = self.fields.iter().any(|field| field.is_required);
        RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(if is_required { Required::True } else { Required::False }))
            .build()
    }
}

fn response(status: u16, body: &ResponseBody, language: Language) -> Response {
    let mut response = Response::new(language.say(status_description(status)));
    let (kind, schema) = match body {
        ResponseBody::Json(name) => ("application/json", RefOr::Ref(Ref::from_schema_name(name))),
        ResponseBody::Object => {
            ("application/json", RefOr::T(Object::with_type(Type::Object).into()))
        }
        ResponseBody::Text => ("text/plain; charset=utf-8", RefOr::T(FieldType::Text.schema())),
        ResponseBody::Empty => return response,
    };
    response.content.insert(kind.to_owned(), RefOr::T(Content::new(Some(schema))));
    response
}

/// Returns the translation key for a status.
fn status_description(status: u16) -> &'static str {
    match status {
        201 => "openapi.response.created",
        204 => "openapi.response.no_content",
        303 => "openapi.response.login",
        400 => "openapi.response.bad_request",
        401 => "openapi.response.unauthorized",
        403 => "openapi.response.forbidden",
        404 => "openapi.response.not_found",
        413 => "openapi.response.too_large",
        415 => "openapi.response.unsupported_media_type",
        429 => "openapi.response.throttled",
        503 => "openapi.response.unavailable",
        _ => "openapi.response.done",
    }
}

/// Returns the schema of a 400 response: messages by field, or an error detail about the body as a
/// whole.
fn field_errors_schema() -> Schema {
    let sentences = Array::new(Object::with_type(Type::String));
    let by_field = ObjectBuilder::new().additional_properties(Some(Schema::from(sentences)));
    let one_of = utoipa::openapi::OneOfBuilder::new()
        .item(Schema::from(by_field.build()))
        .item(Ref::from_schema_name("Refusal"));
    Schema::OneOf(one_of.build())
}

/// Returns the OpenAPI document in a language.
#[must_use]
pub fn document(language: Language) -> OpenApi {
    let endpoints = super::endpoints();
    let mut components = Components::new();
    let bearer = Http::new(HttpAuthScheme::Bearer);
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components.schemas.insert("Complaints".to_owned(), field_errors_schema().into());
    components.schemas.insert("Refusal".to_owned(), ErrorBody::schema());
    let mut paths = Paths::new();
    for route in endpoints {
        let operation = route.operation(language);
        paths.add_path_operation(route.path.as_ref(), vec![route.method], operation);
        components.schemas.extend(route.schemas);
    }
    let mut info = Info::new(language.say("site.name"), env!("CARGO_PKG_VERSION").into());
    info.description = Some(language.say("openapi.about").into_owned());
    let mut document = OpenApi::new(info, paths);
    document.components = Some(components);
    document.tags = Some(Section::ALL.map(|section| tag(section, language)).into());
    document
}

fn tag(section: Section, language: Language) -> utoipa::openapi::Tag {
    let summary = language.say(section.summary());
    TagBuilder::new().name(section.as_str()).description(Some(summary)).build()
}
