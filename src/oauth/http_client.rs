//! The only module that makes HTTP requests to providers.
//!
//! A provider may be slow, broken or hostile: a request takes at most five seconds, a response has at most
//! 64 KiB, no redirect is followed, and a name that resolves to a private address is refused.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Request, redirect};
use serde_json::Value;

use super::OAuthError;
use super::endpoints::Endpoint;
use super::public_address::is_public;
use crate::types::Secret;

/// Short, because a user waits while the provider is asked.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest response: key sets and profiles have a few kilobytes.
const MAX_RESPONSE: usize = 64 * 1024;

/// An HTTP client that reaches public addresses only.
#[derive(Debug, Clone)]
pub struct HttpClient(Client);

impl HttpClient {
    /// Builds the client.
    ///
    /// # Errors
    /// [`OAuthError::Unreachable`] when the machine offers no TLS.
    pub fn open() -> Result<Self, OAuthError> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            // A redirect could lead to a URL that was never checked.
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(PublicResolver))
            .user_agent(concat!("daemun/", env!("CARGO_PKG_VERSION")))
            // A proxy would resolve names itself, past our resolver.
            .no_proxy()
            .build();
        client.map(Self).map_err(|error| OAuthError::Unreachable(cause(&error)))
    }

    /// Requests a JSON document, on behalf of the holder of a token if there is one.
    pub(super) async fn get(
        &self,
        endpoint: &Endpoint,
        bearer: Option<&Secret>,
    ) -> Result<Value, OAuthError> {
        let mut request = Request::new(Method::GET, endpoint.url().clone());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = bearer {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
            let mut value = value.map_err(|_| OAuthError::Refused("not a token".into()))?;
            // Keeps the token out of debug output.
            value.set_sensitive(true);
            request.headers_mut().insert(reqwest::header::AUTHORIZATION, value);
        }
        as_json(&self.send(request).await?)
    }

    /// Posts a JSON object with the client's own credentials, and returns the response.
    pub(super) async fn post(
        &self,
        endpoint: &Endpoint,
        client_id: &str,
        client_secret: &Secret,
        body: &Value,
    ) -> Result<Value, OAuthError> {
        let request = self
            .0
            .post(endpoint.url().clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .basic_auth(client_id, Some(client_secret.expose()))
            .body(body.to_string())
            .build()
            .map_err(|error| OAuthError::Unreachable(cause(&error)))?;
        as_json(&self.send(request).await?)
    }

    async fn send(&self, request: Request) -> Result<HttpResponse, OAuthError> {
        let unreachable = |error: reqwest::Error| OAuthError::Unreachable(cause(&error));
        let mut response = self.0.execute(request).await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        // Chunk by chunk: `Content-Length` may be missing or wrong.
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_RESPONSE {
                return Err(OAuthError::InvalidResponse("an answer that is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        let mut read = HttpResponse::new(body);
        *read.status_mut() = status;
        *read.headers_mut() = headers;
        Ok(read)
    }
}

/// Sends the requests of the `oauth2` crate.
impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = OAuthError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OAuthError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = Request::try_from(request);
            let mut request = request.map_err(|error| OAuthError::Unreachable(cause(&error)))?;
            // GitHub answers with a form unless JSON is asked for.
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
            self.send(request).await
        })
    }
}

/// Reads a response as JSON.
fn as_json(response: &HttpResponse) -> Result<Value, OAuthError> {
    let status = response.status();
    if status.is_client_error() {
        // Without the body, which may quote the token.
        return Err(OAuthError::Refused(format!("status {}", status.as_u16())));
    }
    // A redirect as well, because it is not followed.
    if !status.is_success() {
        return Err(OAuthError::Unreachable(format!("status {}", status.as_u16())));
    }
    serde_json::from_slice(response.body()).map_err(|_| OAuthError::InvalidResponse("no JSON"))
}

/// Returns the innermost cause.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    // The outermost error prints the URL, whose query may contain a token.
    let is_outermost = std::ptr::addr_eq(cause, std::ptr::from_ref(error));
    if is_outermost { "not reachable".into() } else { cause.to_string() }
}

/// Resolves names to public addresses only. An IP address in a URL is not resolved; it was checked when it
/// became an [`Endpoint`].
#[derive(Debug)]
struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let is_localhost = name.as_str() == "localhost";
            // What is checked here is what the client connects to; it does not resolve again.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let is_allowed = |address: &SocketAddr| {
                let ip = address.ip();
                if is_localhost { ip.is_loopback() } else { is_public(ip) }
            };
            let addresses: Vec<SocketAddr> = found.filter(is_allowed).collect();
            if addresses.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
