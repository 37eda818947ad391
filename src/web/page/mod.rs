//! The rendered page, and the context that its template needs.

mod context;
mod timestamp;

use std::time::Duration;

use askama::Template;
use flate2::Compression;
use rocket::Request;
use rocket::http::{ContentType, Header, Status};
use rocket::response::{self, Responder, Response};

pub use self::context::PageContext;
pub(crate) use self::timestamp::Timestamp;
use super::error::Error;
use super::statics;
use crate::http::{headers, retry};

/// Pages carry a form token and what only their reader may see. `no-transform` keeps proxies of
/// mobile networks from rewriting them.
const CACHE_CONTROL: &str = "no-store, no-transform";

/// A rendered page with its status and headers.
#[derive(Debug)]
pub(crate) struct Page {
    status: Status,
    html: String,
    retry_after: Option<Duration>,
    form_action: Vec<String>,
}

impl Page {
    /// Renders a template.
    pub(crate) fn render(template: &impl Template) -> Result<Self, Error> {
        let html = template.render()?;
        Ok(Self { status: Status::Ok, html, retry_after: None, form_action: Vec::new() })
    }

    pub(crate) fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// Allows the page's forms to lead to these origins (`form-action`), such as a login
    /// provider's.
    pub(crate) fn with_form_action(self, form_action: Vec<String>) -> Self {
        Self { form_action, ..self }
    }

    /// Adds `Retry-After` (RFC 9110, 10.2.3).
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response
            .status(self.status)
            .header(ContentType::HTML)
            .raw_header("Cache-Control", CACHE_CONTROL)
            .sized_body(self.html.len(), std::io::Cursor::new(self.html));
        if !self.form_action.is_empty() {
            let policy = headers::policy_with_form_action(&self.form_action);
            response.raw_header("Content-Security-Policy", policy);
        }
        if let Some(wait) = self.retry_after {
            response.header(retry::retry_after(wait));
        }
        response.ok()
    }
}

/// A long page that is sent compressed, unless its URL has a query.
pub(crate) struct Compressed(pub Page);

impl<'r> Responder<'r, 'static> for Compressed {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        // The page repeats the query beside the form token, and an attacker who chooses the query
        // learns the token from the length of the compressed page (BREACH).
        let has_query = request.uri().query().is_some();
        if has_query || !statics::takes_gzip(request) {
            return self.0.respond_to(request);
        }
        let body = statics::gzip(self.0.html.as_bytes(), Compression::fast());
        let mut response = self.0.respond_to(request)?;
        response.set_header(Header::new("Content-Encoding", "gzip"));
        response.set_header(Header::new("Vary", "Accept-Encoding"));
        response.set_sized_body(body.len(), std::io::Cursor::new(body));
        Ok(response)
    }
}
