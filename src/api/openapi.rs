//! What this door can be asked, described for programs (`OpenAPI` 3.1), and from the same document for
//! people.
//!
//! Each resource describes its routes beside them, and answers have the schemas of the types that are
//! sent. Nothing makes a description true by itself: a test holds every one against the routes, and
//! against what is really taken and answered.

use utoipa::openapi::path::{
    Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{
    Array, Components, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, Info, OpenApi, Paths, Ref, RefOr, Required, Response, tag::TagBuilder,
};
use utoipa::{PartialSchema, ToSchema};

pub(crate) use utoipa::openapi::path::HttpMethod;

use super::error::Answer;
use crate::i18n::Language;

/// What credentials are called.
const BEARER: &str = "bearer";

/// A part of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Tokens,
    Account,
    Users,
    Service,
}

impl Section {
    const ALL: [Self; 4] = [Self::Tokens, Self::Account, Self::Users, Self::Service];

    fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Account => "account",
            Self::Users => "users",
            Self::Service => "service",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Tokens => "openapi.section.tokens",
            Self::Account => "openapi.section.account",
            Self::Users => "openapi.section.users",
            Self::Service => "openapi.section.service",
        }
    }
}

/// What a field of a body or an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Email,
    Password,
    Gender,
    /// A day; `null` in a body where there is none.
    Day,
    Flag,
    Number,
    Numbers,
}

impl Kind {
    fn schema(self) -> Schema {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let known = |format| text().format(Some(SchemaFormat::KnownFormat(format))).into();
        match self {
            Self::Text => text().into(),
            Self::Email => known(KnownFormat::Email),
            Self::Password => known(KnownFormat::Password),
            Self::Gender => text().enum_values(Some(["", "male", "female"])).into(),
            Self::Day => known(KnownFormat::Date),
            Self::Flag => Object::with_type(Type::Boolean).into(),
            Self::Number => Object::with_type(Type::Integer).into(),
            Self::Numbers => Array::new(Object::with_type(Type::Integer)).into(),
        }
    }
}

/// A field of a body, or of an address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    kind: Kind,
    is_required: bool,
}

/// A field that must be there.
pub(crate) fn needs(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_required: true }
}

/// A field that may be left out.
pub(crate) fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_required: false }
}

type Schemas = Vec<(String, RefOr<Schema>)>;

/// What comes back with a status: the name of a schema, plain text, or nothing.
enum Body {
    Json(String),
    Keys,
    Text,
    Nothing,
}

/// A route in words.
pub(crate) struct Described {
    method: HttpMethod,
    path: &'static str,
    /// The key of the sentence on what it does.
    about: &'static str,
    section: Section,
    needs_credential: bool,
    fields: Vec<Field>,
    query: Vec<Field>,
    answers: Vec<(u16, Body)>,
    schemas: Schemas,
}

/// A route that anybody may ask.
pub(crate) fn open(
    method: HttpMethod,
    path: &'static str,
    section: Section,
    about: &'static str,
) -> Described {
    let (fields, query, answers, schemas) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let needs_credential = false;
    Described { method, path, about, section, needs_credential, fields, query, answers, schemas }
}

/// A route that wants to know who asks.
pub(crate) fn closed(
    method: HttpMethod,
    path: &'static str,
    section: Section,
    about: &'static str,
) -> Described {
    let described = open(method, path, section, about);
    Described { needs_credential: true, ..described }.refuses(&[401])
}

impl Described {
    /// The fields of the body. Whoever sends one from another site is refused.
    pub(crate) fn takes(self, fields: impl Into<Vec<Field>>) -> Self {
        Self { fields: fields.into(), ..self }.refuses(&[400, 403, 413, 415])
    }

    /// The fields of the address.
    pub(crate) fn asks(self, query: impl Into<Vec<Field>>) -> Self {
        Self { query: query.into(), ..self }
    }

    /// An answer, of a type that is sent.
    pub(crate) fn gives<T: ToSchema>(mut self, status: u16) -> Self {
        let name = T::name().into_owned();
        self.schemas.push((name.clone(), T::schema()));
        T::schemas(&mut self.schemas);
        self.answers.push((status, Body::Json(name)));
        self
    }

    /// An answer in plain text.
    pub(crate) fn says(mut self, status: u16) -> Self {
        self.answers.push((status, Body::Text));
        self
    }

    /// A set of keys, whose members are the standard's (RFC 7517).
    pub(crate) fn gives_keys(mut self) -> Self {
        self.answers.push((200, Body::Keys));
        self
    }

    /// An answer without a body.
    pub(crate) fn gives_nothing(mut self, status: u16) -> Self {
        self.answers.push((status, Body::Nothing));
        self
    }

    /// How it may be refused.
    pub(crate) fn refuses(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let name = if *status == 400 { "Complaints" } else { "Refusal" };
            self.answers.push((*status, Body::Json(name.to_owned())));
        }
        self
    }

    fn operation(&self, language: Language) -> Operation {
        let mut operation = OperationBuilder::new()
            .tag(self.section.name())
            .summary(Some(language.say(self.about)))
            .operation_id(Some(self.name()));
        for parameter in self.parameters() {
            operation = operation.parameter(parameter);
        }
        if !self.fields.is_empty() {
            operation = operation.request_body(Some(self.body()));
        }
        for (status, body) in &self.answers {
            operation = operation.response(status.to_string(), answer(*status, body, language));
        }
        if self.needs_credential {
            let nothing: [&str; 0] = [];
            operation = operation.security(SecurityRequirement::new(BEARER, nothing));
        }
        operation.build()
    }

    /// What programs call it: the key without its first word.
    fn name(&self) -> String {
        self.about.split('.').skip(1).collect::<Vec<_>>().join("_")
    }

    fn parameters(&self) -> Vec<Parameter> {
        let parameter = |name: &str, at, required: bool, kind: Kind| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(at)
                .required(if required { Required::True } else { Required::False })
                .schema(Some(kind.schema()))
                .build()
        };
        let in_path = self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        // Accounts have numbers; whatever else stands in a path has a name.
        let kind = |name| if name == "id" { Kind::Number } else { Kind::Text };
        let in_path = in_path.map(|name| parameter(name, ParameterIn::Path, true, kind(name)));
        let in_query = self
            .query
            .iter()
            .map(|field| parameter(field.name, ParameterIn::Query, field.is_required, field.kind));
        in_path.chain(in_query).collect()
    }

    fn body(&self) -> RequestBody {
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

fn answer(status: u16, body: &Body, language: Language) -> Response {
    let mut response = Response::new(language.say(meaning(status)));
    let (kind, schema) = match body {
        Body::Json(name) => ("application/json", RefOr::Ref(Ref::from_schema_name(name))),
        Body::Keys => ("application/json", RefOr::T(Object::with_type(Type::Object).into())),
        Body::Text => ("text/plain; charset=utf-8", RefOr::T(Kind::Text.schema())),
        Body::Nothing => return response,
    };
    response.content.insert(kind.to_owned(), RefOr::T(Content::new(Some(schema))));
    response
}

/// What a status means, wherever it is answered.
fn meaning(status: u16) -> &'static str {
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

/// What is wrong, field by field; or with the body as a whole, which is then a refusal.
fn complaints() -> Schema {
    let sentences = Array::new(Object::with_type(Type::String));
    let by_field = ObjectBuilder::new().additional_properties(Some(Schema::from(sentences)));
    let one_of = utoipa::openapi::OneOfBuilder::new()
        .item(Schema::from(by_field.build()))
        .item(Ref::from_schema_name("Refusal"));
    Schema::OneOf(one_of.build())
}

/// The document, in the words of a language.
#[must_use]
pub fn document(language: Language) -> OpenApi {
    let described = super::described();
    let mut components = Components::new();
    let bearer = Http::new(HttpAuthScheme::Bearer);
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components.schemas.insert("Complaints".to_owned(), complaints().into());
    components.schemas.insert("Refusal".to_owned(), Answer::schema());
    let mut paths = Paths::new();
    for route in described {
        let operation = route.operation(language);
        paths.add_path_operation(route.path, vec![route.method], operation);
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
    let about = language.say(section.about());
    TagBuilder::new().name(section.name()).description(Some(about)).build()
}
