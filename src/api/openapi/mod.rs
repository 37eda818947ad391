//! Describes the endpoints of the JSON API (`OpenAPI` 3.1), for programs and for the reference
//! page.
//!
//! Each resource describes its endpoints beside its routes; responses have the schemas of the types
//! that are sent. Nothing makes a description true by itself: a test compares each one with the
//! routes, and with what they really accept and return.

mod endpoint;
mod examples;
mod fields;
mod operation;
mod section;

use utoipa::PartialSchema as _;
use utoipa::openapi::schema::{Array, Components, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Contact, Info, License, OpenApi, Paths, Ref, Server, tag::TagBuilder};

pub(crate) use self::endpoint::{Credentials, Endpoint, HttpMethod, authenticated, public};
pub(crate) use self::fields::{FieldSpec, FieldType, optional, required};
use self::operation::{BEARER, COOKIE, REFRESH_COOKIE};
pub(crate) use self::section::Section;
use crate::api::error_detail::ErrorBody;
use crate::config::Settings;
use crate::http::cookies;
use crate::i18n::Language;

/// Returns the OpenAPI document of a site in a language.
#[must_use]
pub fn document(language: Language, settings: &Settings) -> OpenApi {
    let endpoints = crate::api::endpoints();
    let mut components = Components::new();
    add_security_schemes(&mut components, settings);
    components.schemas.insert("Complaints".to_owned(), field_errors_schema().into());
    components.schemas.insert("Refusal".to_owned(), ErrorBody::schema());
    let mut paths = Paths::new();
    for route in endpoints {
        let operation = route.operation(language);
        paths.add_path_operation(route.path.as_ref(), vec![route.method], operation);
        components.schemas.extend(route.schemas);
    }
    let mut document = OpenApi::new(info(language, settings), paths);
    // Generated clients take their base address from here.
    document.servers = Some(vec![Server::new(settings.public_url.as_str())]);
    document.components = Some(components);
    document.tags = Some(Section::ALL.map(|section| tag(section, language)).into());
    document
}

fn info(language: Language, settings: &Settings) -> Info {
    let mut info = Info::new(language.say("site.name"), env!("CARGO_PKG_VERSION").into());
    info.description = Some(language.say("openapi.about").into_owned());
    let mut contact = Contact::new();
    contact.name = Some(language.say("site.name").into_owned());
    contact.url = Some(settings.public_url.as_str().to_owned());
    info.contact = Some(contact);
    let mut license = License::new(env!("CARGO_PKG_LICENSE"));
    license.identifier = Some(env!("CARGO_PKG_LICENSE").to_owned());
    info.license = Some(license);
    info
}

/// Adds the ways to send a token. Cookies have another name on an https site.
fn add_security_schemes(components: &mut Components, settings: &Settings) {
    let is_https = settings.public_url.is_https();
    let cookie = |name| SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(name)));
    let [access, refresh] = cookies::token_names(is_https);
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme(BEARER, bearer);
    components.add_security_scheme(COOKIE, cookie(access));
    components.add_security_scheme(REFRESH_COOKIE, cookie(refresh));
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
