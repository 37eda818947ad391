//! Translates hyper's requests into Rocket's, and Rocket's responses into hyper's.
//!
//! Mirrors Rocket's own server (0.5.2, `server.rs` and `Request::from_hyp`), and says where it
//! differs. Everything that Rocket does to a request happens inside `dispatch`: fairings, routes,
//! catchers, cookies, removal of bodies.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::uri::{Host, Origin};
use rocket::http::{Cookie, Header, Method, Status};
use rocket::local::asynchronous::{Client, LocalRequest, LocalResponse};
use rocket::tokio::io::{AsyncRead as _, ReadBuf};
use rocket::tokio::sync::mpsc;
use rocket::{Request, Response};

use super::connections::Admitted;
use super::limits::CHUNK;
use crate::http::{body, cookie_header, csrf, request_info};

/// The application, as long as the process runs.
#[derive(Clone)]
pub(super) struct Application {
    client: &'static Client,
    /// Dropped with each finished request.
    working: mpsc::Sender<Infallible>,
}

impl Application {
    /// Creates the application, once per process. What must be closed at the end, such as the
    /// database, is closed explicitly.
    pub(super) fn new(client: Client) -> (Self, mpsc::Receiver<Infallible>) {
        let (working, done) = mpsc::channel(1);
        // Leaked: a response borrows from its request, and a request from the application, and both
        // live in tasks. Safe Rust can say that only of something that is never dropped.
        (Self { client: Box::leak(Box::new(client)), working }, done)
    }

    pub(super) fn rocket(&self) -> &'static rocket::Rocket<rocket::Orbit> {
        self.client.rocket()
    }

    /// Handles one request.
    ///
    /// # Errors
    /// When the connection is being closed in favour of another, and when the application fails
    /// where Rocket does not catch it; hyper then closes without a response, as under Rocket.
    pub(super) async fn handle(
        self,
        request: hyper::Request<Incoming>,
        peer: Option<std::net::SocketAddr>,
        admitted: Arc<Admitted>,
    ) -> io::Result<hyper::Response<ResponseBody>> {
        let connection = admitted.connection.clone();
        if !connection.begins() {
            return Err(io::Error::other("closed for another connection"));
        }
        let active = ActiveRequest(admitted);
        let (parts, incoming) = request.into_parts();
        connection.set_unread(!incoming.is_end_stream());
        let request = translate(self.client, &parts, peer);
        if !incoming.is_end_stream() {
            body::attach(request.inner(), incoming, connection);
        }
        // In a task of its own the handler finishes even if the client disconnects. Until then the
        // connection stays counted, so the bound on connections also bounds the work.
        let working = self.working;
        let dispatched = rocket::tokio::spawn(async move {
            let response = request.dispatch().await;
            drop(working);
            (response, active)
        });
        let (response, active) = dispatched.await.map_err(io::Error::other)?;
        into_hyper_response(response, active)
    }
}

/// A request that is being handled, until this is dropped.
struct ActiveRequest(Arc<Admitted>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.connection.ends();
    }
}

fn translate(
    client: &'static Client,
    parts: &Parts,
    peer: Option<std::net::SocketAddr>,
) -> LocalRequest<'static> {
    // Rocket answers an unknown method with 400, but the request is valid and we lack the method
    // (RFC 9110, 15.6.2).
    let known = Method::from_hyp(&parts.method).ok_or(Status::NotImplemented);
    let uri = parts.uri.path_and_query().ok_or(Status::BadRequest);
    let mut request = client.req(known.unwrap_or(Method::Get), Origin::ROOT);
    if let Ok(uri) = uri {
        let query = uri.query().map(str::to_owned);
        request.set_uri(Origin::new(uri.path().to_owned(), query));
    }
    match peer {
        Some(peer) => request.set_remote(peer),
        None => request_info::mark_unix_socket(request.inner()),
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    if let Some(Ok(host)) = host.map(|host| Host::parse_owned(host.to_owned())) {
        request.set_host(host);
    }
    for (name, value) in &parts.headers {
        let value = if name == COOKIE {
            // Rocket drops all cookies because of one byte that is not UTF-8; here only the cookie
            // with that byte is dropped, which is not one of ours.
            let Some(text) = cookie_header::repaired(value.as_bytes()) else { continue };
            for cookie in Cookie::split_parse_encoded(text.clone().into_owned()).flatten() {
                request = request.cookie(cookie);
            }
            text
        } else {
            // Rocket drops a header that is not UTF-8. A dropped header could no longer contradict
            // another one, such as `Forwarded` beside `X-Forwarded-For`.
            String::from_utf8_lossy(value.as_bytes())
        };
        request.add_header(Header::new(name.as_str().to_owned(), value.into_owned()));
    }
    if let Some(status) = known.err().or(uri.err()) {
        csrf::refuse(&mut request, status, "unknown_method_or_place");
    }
    request
}

fn into_hyper_response(
    response: LocalResponse<'static>,
    active: ActiveRequest,
) -> io::Result<hyper::Response<ResponseBody>> {
    let mut response_builder = hyper::Response::builder().status(response.status().code);
    let mut is_framed = false;
    let has_coding = response.headers().contains("Transfer-Encoding");
    let size = response.body().preset_size();
    for header in response.headers().iter() {
        let name = header.name.as_str();
        let is_length = name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str());
        // A response has one length, and none beside chunks (RFC 9112, 6.2).
        if is_length && (has_coding || size.is_some()) {
            continue;
        }
        is_framed |= is_length || name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str());
        response_builder = response_builder.header(name, header.value.as_bytes());
    }
    if let Some(size) = size.filter(|_| !is_framed) {
        response_builder = response_builder.header(CONTENT_LENGTH, size);
    }
    let body =
        ResponseBody { response: Some(response), left: size, buffer: Vec::new(), _turn: active };
    response_builder.body(body).map_err(io::Error::other)
}

/// The body of a response, read from Rocket when hyper can write it.
pub(super) struct ResponseBody {
    response: Option<LocalResponse<'static>>,
    /// How many bytes are left, if that is known.
    left: Option<usize>,
    buffer: Vec<u8>,
    _turn: ActiveRequest,
}

// Has no `size_hint`: the size is in the head, which hyper leaves as it is even without a body, as
// for HEAD and 304.
impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let Some(response) = &mut this.response else { return Poll::Ready(None) };
        if this.buffer.is_empty() {
            // A small response needs no large buffer.
            let size = this.left.map_or(CHUNK, |left| left.clamp(1, CHUNK));
            this.buffer = vec![0; size];
        }
        let mut buffer = ReadBuf::new(&mut this.buffer);
        ready!(Pin::new(response).poll_read(cx, &mut buffer))?;
        let length = buffer.filled().len();
        if length == 0 {
            this.response = None;
            return Poll::Ready(None);
        }
        this.left = this.left.map(|left| left.saturating_sub(length));
        let mut bytes = std::mem::take(&mut this.buffer);
        bytes.truncate(length);
        Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
    }
}

/// Measures bodies after the last fairing, as Rocket's own server does.
#[derive(Debug)]
pub(crate) struct BodySizes;

#[rocket::async_trait]
impl Fairing for BodySizes {
    fn info(&self) -> Info {
        Info { name: "Lengths", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        // A dispatched response can no longer be measured.
        response.body_mut().size().await;
    }
}
