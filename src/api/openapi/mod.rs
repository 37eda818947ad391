//! Describes the endpoints of the JSON API (`OpenAPI` 3.1), for programs and for the reference
//! page.
//!
//! Each resource describes its endpoints beside its routes; responses have the schemas of the types
//! that are sent. Nothing makes a description true by itself: a test compares each one with the
//! routes, and with what they really accept and return.

mod endpoint;
mod fields;
mod operation;
mod section;

use utoipa::PartialSchema as _;
use utoipa::openapi::schema::{Array, Components, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Info, OpenApi, Paths, Ref, tag::TagBuilder};

pub(crate) use self::endpoint::{Endpoint, HttpMethod, authenticated, public};
pub(crate) use self::fields::{FieldSpec, FieldType, optional, required};
use self::operation::BEARER;
pub(crate) use self::section::Section;
use crate::api::error_detail::ErrorBody;
use crate::i18n::Language;

/// Returns the OpenAPI document in a language.
#[must_use]
pub fn document(language: Language) -> OpenApi {
    let endpoints = crate::api::endpoints();
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
