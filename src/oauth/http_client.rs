//! The one place that speaks HTTP to the outside.
//!
//! Whoever answers there may be slow, broken or hostile: nobody is waited for longer than five seconds,
//! no answer is read beyond 64 KiB, no redirect is followed, and a name that leads to a private address
//! leads nowhere.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Request, redirect};
use serde_json::Value;

use super::OauthError;
use super::endpoint::{Endpoint, is_public};
use crate::types::Secret;

/// A person waits in front of a page while the provider is asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Key sets and profiles have a few kilobytes.
const MAX_BYTES: usize = 64 * 1024;

/// Whoever asks providers.
#[derive(Debug, Clone)]
pub struct Outside(Client);

impl Outside {
    /// Gets ready to ask.
    ///
    /// # Errors
    /// [`OauthError::Unreachable`] when the machine has no TLS to offer.
    pub fn open() -> Result<Self, OauthError> {
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(PublicNames))
            .user_agent(concat!("daemun/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build();
        client.map(Self).map_err(|error| OauthError::Unreachable(cause(&error)))
    }

    /// What stands at an address, as JSON. With a token it is asked for in its holder's name.
    pub(crate) async fn get(
        &self,
        endpoint: &Endpoint,
        bearer: Option<&Secret>,
    ) -> Result<Value, OauthError> {
        let mut request = Request::new(Method::GET, endpoint.url().clone());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = bearer {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
            let mut value = value.map_err(|_| OauthError::Refused("not a token".into()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(reqwest::header::AUTHORIZATION, value);
        }
        as_json(&self.send(request).await?)
    }

    /// Sends an object to an address, as the application itself, and reads what comes back.
    pub(crate) async fn post(
        &self,
        endpoint: &Endpoint,
        (client_id, client_secret): (&str, &Secret),
        body: &Value,
    ) -> Result<Value, OauthError> {
        let request = self
            .0
            .post(endpoint.url().clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .basic_auth(client_id, Some(client_secret.expose()))
            .body(body.to_string())
            .build()
            .map_err(|error| OauthError::Unreachable(cause(&error)))?;
        as_json(&self.send(request).await?)
    }

    async fn send(&self, request: Request) -> Result<HttpResponse, OauthError> {
        let broken = |error: reqwest::Error| OauthError::Unreachable(cause(&error));
        let mut response = self.0.execute(request).await.map_err(broken)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(OauthError::Nonsense("an answer that is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// Carries the requests of the `oauth2` crate.
impl<'c> AsyncHttpClient<'c> for Outside {
    type Error = OauthError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OauthError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = Request::try_from(request);
            let mut request = request.map_err(|error| OauthError::Unreachable(cause(&error)))?;
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
            self.send(request).await
        })
    }
}

/// A redirect is not followed, and so is no answer. What the provider says of its refusal is not
/// repeated: it may quote the token.
fn as_json(response: &HttpResponse) -> Result<Value, OauthError> {
    let status = response.status();
    if status.is_client_error() {
        return Err(OauthError::Refused(format!("status {}", status.as_u16())));
    }
    if !status.is_success() {
        return Err(OauthError::Unreachable(format!("status {}", status.as_u16())));
    }
    serde_json::from_slice(response.body()).map_err(|_| OauthError::Nonsense("no JSON"))
}

/// The innermost cause, without the address: a query may hold a token.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let is_outermost = std::ptr::addr_eq(cause, std::ptr::from_ref(error));
    if is_outermost { "not reachable".into() } else { cause.to_string() }
}

/// Names lead to public addresses only. An address that stands in the URL itself is not looked up, and
/// was judged when it became an [`Endpoint`].
#[derive(Debug)]
struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let is_here = name.as_str() == "localhost";
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may = |address: &SocketAddr| {
                let ip = address.ip();
                if is_here { ip.is_loopback() } else { is_public(ip) }
            };
            let addresses: Vec<SocketAddr> = found.filter(may).collect();
            if addresses.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
