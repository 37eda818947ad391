//! Tells a proxy whether a request may pass to another app, and who its user is.
//!
//! The answer is in the status and in three headers, because nginx, Caddy and Traefik read nothing
//! else.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rocket::http::{Header, Status};
use rocket::response::Redirect;
use rocket::{Responder, Route, State, get, routes};
use url::form_urlencoded;

use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, authenticated, optional};
use crate::context::Context;
use crate::http::forward_auth::{ForwardAuth, OriginalRequest};
use crate::paths;

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let (path, about) = (paths::API_FORWARD_AUTH, "openapi.forward_auth");
    let route = authenticated(HttpMethod::Get, path, Section::Service, about);
    let route = route.query([optional("redirect", FieldType::Number)]);
    vec![route.returns_empty(200).returns_empty(303)]
}

/// The characters that are encoded in a header, besides everything beyond ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b',').add(b'%');

/// Size limit for the names of groups, in bytes. Proxies refuse a response whose headers fill their
/// buffer, which is 4 KiB in nginx.
const MAX_GROUPS_BYTES: usize = 2048;

#[derive(Responder)]
enum ForwardAuthResponse {
    #[response(status = 200)]
    Allowed((), Header<'static>, Header<'static>, Header<'static>),
    ToLogin(Redirect),
}

/// Answers the proxy.
#[get("/api/forward-auth?<redirect>")]
fn show(
    redirect: Option<&str>,
    forward_auth: ForwardAuth,
    original: OriginalRequest,
    ctx: &State<Context>,
) -> Result<ForwardAuthResponse, Status> {
    match forward_auth.0 {
        // All three headers, also empty ones: a proxy that copies them leaves none of the client's
        // own.
        Some((signed_in, groups)) => Ok(ForwardAuthResponse::Allowed(
            (),
            Header::new("X-Auth-User", signed_in.user().id.to_string()),
            Header::new("X-Auth-Email", encoded(signed_in.email())),
            Header::new("X-Auth-Groups", joined(&groups)),
        )),
        None if redirect == Some("1") && original.is_visit => {
            Ok(ForwardAuthResponse::ToLogin(Redirect::to(login_url(ctx, &original))))
        }
        None => Err(Status::Unauthorized),
    }
}

fn login_url(ctx: &Context, original: &OriginalRequest) -> String {
    let mut url = format!("{}{}", ctx.settings.public_url.as_str(), paths::LOGIN);
    if let Some(next) = &original.next {
        let next = form_urlencoded::byte_serialize(next.as_str().as_bytes());
        let _ = write!(url, "?next={}", next.collect::<String>());
    }
    url
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Joins the first groups that fit.
fn joined(groups: &[String]) -> String {
    let mut joined = String::new();
    for name in groups {
        let name = encoded(name);
        if joined.len() + 1 + name.len() > MAX_GROUPS_BYTES {
            // Leaving groups out is safe: a shorter list never grants more.
            break;
        }
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(&name);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_group_name_survives_the_header() {
        let groups = ["Site editors", "Authors, all", "100%", "편집"].map(str::to_owned);

        let value = joined(&groups);

        assert_eq!(value, "Site editors,Authors%2C all,100%25,%ED%8E%B8%EC%A7%91");
        let decode = |name| percent_encoding::percent_decode_str(name).decode_utf8().expect("text");
        assert!(value.split(',').map(decode).eq(groups));
    }

    #[test]
    fn groups_that_do_not_fit_are_left_out_as_a_whole() {
        let groups: Vec<String> = (0..9).map(|number| format!("{number}").repeat(500)).collect();

        assert_eq!(joined(&groups), groups[..4].join(","));
    }
}
