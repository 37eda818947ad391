//! A refusal of the JSON API: a status, a `code` for programs and a `detail` for users.

use std::time::Duration;

use rocket::Request;
use rocket::http::{Header, Status};
use rocket::response::{self, Responder as _, Response};
use rocket::serde::json::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{methods, refusals, retry};
use crate::i18n::{Language, Sentence};
use crate::throttle;

/// The challenge for requests without valid credentials (RFC 6750, 3).
const WWW_AUTHENTICATE: &str = "Bearer realm=\"api\"";

/// A refusal: a status, a code for programs and a sentence for users.
#[derive(Debug, Clone)]
pub(crate) struct ErrorDetail {
    pub(super) status: Status,
    code: &'static str,
    detail: Sentence,
    /// What is wrong with the access token, if that is the reason.
    access: Option<Sentence>,
    wait: Option<Duration>,
    /// Whether it has been logged already.
    is_logged: bool,
}

impl ErrorDetail {
    pub(crate) fn new(status: Status, code: &'static str, detail: Sentence) -> Self {
        Self { status, code, detail, access: None, wait: None, is_logged: false }
    }

    /// A credential is refused.
    pub(crate) fn unauthorized(code: &'static str, key: &'static str) -> Self {
        Self::new(Status::Unauthorized, code, Sentence::new(key))
    }

    /// Adds what is wrong with the access token.
    pub(crate) fn with_access_token_message(self, why: Sentence) -> Self {
        Self { access: Some(why), ..self }
    }

    /// Marks a refusal that was logged where the credential was compared.
    pub(crate) fn already_logged(self) -> Self {
        Self { is_logged: true, ..self }
    }

    /// The resource does not exist.
    pub(crate) fn not_found() -> Self {
        Self::new(Status::NotFound, "not_found", Sentence::new("api.not_found"))
    }

    /// The user lacks the permission.
    pub(crate) fn forbidden() -> Self {
        Self::new(Status::Forbidden, "permission_denied", Sentence::new("api.permission_denied"))
    }

    /// The last authentication is too long ago for a dangerous action.
    pub(crate) fn reauthentication_required() -> Self {
        let detail = Sentence::new("api.reauthentication_required");
        Self::new(Status::Forbidden, "reauthentication_required", detail)
    }

    /// Too many attempts.
    pub(super) fn throttled(wait: Duration) -> Self {
        let detail = Sentence::new("api.throttled");
        let detail = Self::new(Status::TooManyRequests, "throttled", detail);
        // The sentence gets the wait in `render`, where the language is known.
        Self { wait: Some(wait), ..detail }
    }

    /// Too many consecutive wrong passwords.
    pub(super) fn too_many_failures() -> Self {
        // Waiting does not help, and the sentence says what does.
        Self { detail: Sentence::new("api.password_locked"), ..Self::throttled(throttle::CLOSED) }
    }

    /// Returns the refusal for a request that no handler answered.
    pub(super) fn of(status: Status, request: &Request<'_>) -> Self {
        let (code, key) = match status.code {
            // The origin guard has refused an expired Bearer token; its client must refresh it.
            401 if refusals::is_refused(request) => ("token_not_valid", "api.token.not_valid"),
            401 => (refusals::NO_CREDENTIALS, "api.not_authenticated"),
            403 if refusals::is_refused(request) => ("csrf_failed", "api.csrf_failed"),
            403 => ("permission_denied", "api.permission_denied"),
            404 => ("not_found", "api.not_found"),
            408 => ("request_timeout", "api.request_timeout"),
            413 => ("request_too_large", "api.request_too_large"),
            421 => ("misdirected_request", "api.misdirected_request"),
            501 => ("method_not_implemented", "api.method_not_implemented"),
            503 => ("service_unavailable", "api.service_unavailable"),
            405 => return Self::not_allowed(request),
            415 => return Self::unsupported(request),
            400..=499 => ("parse_error", "api.malformed"),
            _ => ("error", "api.server_error"),
        };
        let wait = (status == Status::ServiceUnavailable).then_some(retry::AFTER_OVERLOAD);
        Self { wait, ..Self::new(status, code, Sentence::new(key)) }
    }

    fn not_allowed(request: &Request<'_>) -> Self {
        let detail = Sentence::with("api.method_not_allowed", "method", request.method());
        Self::new(Status::MethodNotAllowed, "method_not_allowed", detail)
    }

    fn unsupported(request: &Request<'_>) -> Self {
        let kind = request.content_type().map(|kind| format!("{}/{}", kind.top(), kind.sub()));
        let detail = Sentence::with("api.unsupported_media_type", "type", kind.unwrap_or_default());
        Self::new(Status::UnsupportedMediaType, "unsupported_media_type", detail)
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    messages: Option<[AccessTokenMessage; 1]>,
}

/// What is wrong with an access token, in the shape of SimpleJWT.
#[derive(Serialize, ToSchema)]
struct AccessTokenMessage {
    token_class: &'static str,
    token_type: &'static str,
    message: String,
}

impl ErrorDetail {
    pub(super) fn render(
        &self,
        language: Language,
        request: &Request<'_>,
    ) -> response::Result<'static> {
        let detail = match self.wait {
            Some(wait) => self.detail.clone().and("wait", language.wait(wait)),
            None => self.detail.clone(),
        };
        let about = |message: &Sentence| {
            let message = message.in_language(language);
            // SimpleJWT lists each kind of token that it has tried; here there is one.
            [AccessTokenMessage { token_class: "AccessToken", token_type: "access", message }]
        };
        refusals::set_reason(request, if self.is_logged { refusals::IS_LOGGED } else { self.code });
        let messages = self.access.as_ref().map(about);
        let body = ErrorBody { detail: detail.in_language(language), code: self.code, messages };
        let mut response = Json(body).respond_to(request)?;
        response.set_status(self.status);
        self.add_headers(&mut response, request);
        Ok(response)
    }

    fn add_headers(&self, response: &mut Response<'_>, request: &Request<'_>) {
        if self.status == Status::Unauthorized {
            response.set_header(Header::new("WWW-Authenticate", WWW_AUTHENTICATE));
        }
        if self.status == Status::MethodNotAllowed {
            response.set_header(Header::new("Allow", methods::allowed(request).join(", ")));
        }
        if let Some(wait) = self.wait {
            response.set_header(retry::retry_after(wait));
        }
    }
}
