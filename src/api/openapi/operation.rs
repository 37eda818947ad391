//! Turns the description of an endpoint into an `OpenAPI` operation in one language.

use utoipa::openapi::path::{
    Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, Ref, RefOr, Required, Response};

use super::endpoint::{Credentials, Endpoint, ResponseBody};
use super::fields::FieldType;
use crate::i18n::Language;

/// The names of the security schemes.
pub(super) const BEARER: &str = "bearer";
pub(super) const COOKIE: &str = "cookie";
pub(super) const REFRESH_COOKIE: &str = "refresh_cookie";

impl Endpoint {
    /// Returns the operation in a language.
    pub(super) fn operation(&self, language: Language) -> Operation {
        let mut operation = OperationBuilder::new()
            .tag(self.section.as_str())
            .summary(Some(language.say(self.summary)))
            .description(Some(self.description(language)))
            .securities(Some(self.security()))
            .operation_id(Some(self.operation_id()));
        for parameter in self.parameters() {
            operation = operation.parameter(parameter);
        }
        if !self.fields.is_empty() {
            operation = operation.request_body(Some(self.request_body()));
        }
        for (status, body) in &self.responses {
            let response = self.response(*status, body, language);
            operation = operation.response(status.to_string(), response);
        }
        operation.build()
    }

    /// Says which credentials are read and which limits hold; the summary says what happens.
    fn description(&self, language: Language) -> String {
        let credentials = match self.credentials {
            Credentials::None => "openapi.credentials.none",
            Credentials::Required => "openapi.credentials.required",
            Credentials::Optional => "openapi.credentials.optional",
            Credentials::RefreshCookie => "openapi.credentials.refresh_cookie",
        };
        let mut sentences = vec![language.say(credentials)];
        if self.responses.iter().any(|(status, _)| *status == 429) {
            sentences.push(language.say("openapi.attempts_are_limited"));
        }
        sentences.join(" ")
    }

    /// Returns the alternatives, of which one is enough; an empty one is a request without credentials.
    fn security(&self) -> Vec<SecurityRequirement> {
        let scheme = |name: &str| SecurityRequirement::new(name, [""; 0]);
        match self.credentials {
            Credentials::None => Vec::new(),
            Credentials::Required => vec![scheme(BEARER), scheme(COOKIE)],
            Credentials::Optional => {
                vec![scheme(BEARER), scheme(COOKIE), SecurityRequirement::default()]
            }
            Credentials::RefreshCookie => {
                vec![scheme(REFRESH_COOKIE), SecurityRequirement::default()]
            }
        }
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
        let mut content = Content::new(Some(Schema::from(object.build())));
        content.example = Some(self.request_example());
        let is_required = self.fields.iter().any(|field| field.is_required);
        RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(if is_required { Required::True } else { Required::False }))
            .build()
    }

    fn response(&self, status: u16, body: &ResponseBody, language: Language) -> Response {
        let mut response = Response::new(language.say(status_description(status)));
        let (kind, schema) = match body {
            ResponseBody::Json(name) => {
                ("application/json", RefOr::Ref(Ref::from_schema_name(name)))
            }
            ResponseBody::Object => {
                ("application/json", RefOr::T(Object::with_type(Type::Object).into()))
            }
            ResponseBody::Text => ("text/plain; charset=utf-8", RefOr::T(FieldType::Text.schema())),
            ResponseBody::Empty => return response,
        };
        let mut content = Content::new(Some(schema));
        if let ResponseBody::Json(name) = body {
            content.example = self.response_example(status, name, language);
        }
        response.content.insert(kind.to_owned(), RefOr::T(content));
        response
    }
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
        421 => "openapi.response.misdirected_request",
        429 => "openapi.response.throttled",
        503 => "openapi.response.unavailable",
        _ => "openapi.response.done",
    }
}
