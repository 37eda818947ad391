//! Examples of bodies and responses. One table gives each field its value, so that all of them speak of the
//! same user; a test holds them against their schemas and sends the requests.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::endpoint::{Credentials, Endpoint, Schemas};
use super::fields::FieldType;
use super::section::Section;
use crate::i18n::{Language, Sentence};

/// The address of the user of the examples.
const EMAIL: &str = "ada@example.com";

/// The start of a token, which is all that a reader needs.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9...";

/// Returns the value of a field, or nothing for fields that an example leaves out.
fn value(name: &str) -> Option<Value> {
    Some(match name {
        "email" => json!(EMAIL),
        "password" | "password1" | "password2" | "old_password" => {
            json!("violet harbour 42 lantern")
        }
        "new_password1" | "new_password2" => json!("amber compass 17 meadow"),
        "name" => json!("Ada Lovelace"),
        "gender" => json!("female"),
        "date_of_birth" => json!("1990-12-10"),
        "is_active" => json!(true),
        "is_staff" | "is_superuser" | "email_verified" => json!(false),
        "groups" => json!([]),
        "access" | "refresh" | "token" => json!(TOKEN),
        "key" => json!("the key from the email"),
        "code" => json!("the code from the provider"),
        "code_verifier" => json!("the verifier of that code, if the request had a challenge"),
        "pk" | "id" => json!(1),
        "url" => json!("https://accounts.example.com/api/users/1/"),
        "provider" => json!("google"),
        "uid" => json!("110248495921238986420"),
        "created_at" | "updated_at" | "last_login_at" | "last_login" | "date_joined" => {
            json!("2026-01-02T03:04:05Z")
        }
        "access_expiration" => json!("2026-01-02T03:09:05Z"),
        "refresh_expiration" => json!("2026-01-16T03:04:05Z"),
        "next" | "previous" => Value::Null,
        _ => return None,
    })
}

impl Endpoint {
    /// Returns an example of the request's body.
    pub(super) fn request_example(&self) -> Value {
        let members = self.fields.iter().filter_map(|field| {
            // A password reset is confirmed with the token of a link, not with a JSON Web Token.
            let is_link = field.name == "token" && self.has_field("new_password1");
            let value = if is_link { json!("the token from the link") } else { value(field.name)? };
            Some((field.name.to_owned(), value))
        });
        Value::Object(members.collect())
    }

    /// Returns an example of a response with a schema, where one is known.
    pub(super) fn response_example(
        &self,
        status: u16,
        schema: &str,
        language: Language,
    ) -> Option<Value> {
        match schema {
            "Complaints" => self.field_errors(language),
            "Refusal" => self.refusal(status, language),
            "Detail" => Some(json!({ "detail": say(self.sentence, language) })),
            name => Some(of_named(name, &self.schemas)),
        }
    }

    /// Returns the error of the first field that can have one.
    fn field_errors(&self, language: Language) -> Option<Value> {
        // The last one: a missing address is an error of the whole body at a log-in.
        let required = self.fields.iter().rfind(|field| field.is_required);
        let (field, key) = match (required, self.fields.first()) {
            (Some(field), _) => (field, "api.required"),
            (None, Some(field)) => (field, "api.not_a_string"),
            (None, None) => {
                let is_number = |field: &&super::FieldSpec| field.kind == FieldType::Number;
                (self.query.iter().find(is_number)?, "api.not_a_number")
            }
        };
        Some(json!({ field.name: [say(key, language)] }))
    }

    /// Returns the usual refusal of a status; nothing where it depends on more than the endpoint says.
    fn refusal(&self, status: u16, language: Language) -> Option<Value> {
        let is_open = self.credentials != Credentials::Required;
        let (code, key) = match status {
            401 if !is_open => ("not_authenticated", "api.not_authenticated"),
            401 if self.section == Section::Tokens && self.has_field("password") => {
                ("no_active_account", "api.no_active_account")
            }
            401 if self.section == Section::Tokens => ("token_not_valid", "api.token.invalid"),
            403 if self.section == Section::Users => ("permission_denied", "api.permission_denied"),
            403 => ("csrf_failed", "api.csrf_failed"),
            404 => ("not_found", "api.not_found"),
            413 => ("request_too_large", "api.request_too_large"),
            415 => ("unsupported_media_type", "api.unsupported_media_type"),
            421 => ("misdirected_request", "api.misdirected_request"),
            429 => ("throttled", "api.throttled"),
            503 => ("service_unavailable", "api.service_unavailable"),
            _ => return None,
        };
        Some(json!({ "detail": say(key, language), "code": code }))
    }

    fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }
}

/// Returns a sentence about the user of the examples.
fn say(key: &'static str, language: Language) -> String {
    Sentence::with(key, "email", EMAIL)
        .and("type", "text/plain")
        .and("wait", language.wait(Duration::from_mins(1)))
        .in_language(language)
}

fn of_named(name: &str, schemas: &Schemas) -> Value {
    let schema = schemas.iter().find(|(own, _)| own == name).map(|(_, schema)| schema);
    let schema = serde_json::to_value(schema).expect("a schema is plain data");
    of_schema(&schema, schemas)
}

/// Builds an example of a schema from the values of its members.
fn of_schema(schema: &Value, schemas: &Schemas) -> Value {
    if let Some(path) = schema["$ref"].as_str() {
        return of_named(path.rsplit('/').next().unwrap_or_default(), schemas);
    }
    if let Some(items) = schema.get("items") {
        return json!([of_schema(items, schemas)]);
    }
    let members = schema["properties"].as_object().into_iter().flatten();
    let member = |(name, schema): (&String, &Value)| {
        let value = schema.get("example").cloned().or_else(|| value(name));
        (name.clone(), value.unwrap_or_else(|| of_schema(schema, schemas)))
    };
    Value::Object(members.map(member).collect::<Map<_, _>>())
}
