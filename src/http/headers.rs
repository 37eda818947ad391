//! The headers of every response, including error pages.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Header;
use rocket::{Request, Response};

use super::{cookies, request_info};
use crate::context::Context;

const POLICY: &str = "Content-Security-Policy";

/// What a page may load and where its forms may go: its own style, script and images, its own
/// forms, and nothing else. `connect-src`: the script asks the site itself about the strength of a
/// password.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Returns the policy for a page whose forms redirect to a provider.
pub(crate) fn policy_with_form_action(origins: &[String]) -> String {
    // Chromium checks each redirect against `form-action`, and providers redirect to hosts that are
    // not documented (Kakao from `kauth.kakao.com` to `accounts.kakao.com`, a company to a log-in
    // of its own). So every https address is allowed; plain http is for this machine only, and
    // listed.
    let plain = origins.iter().filter(|origin| origin.starts_with("http://"));
    let forms = plain
        .fold("form-action 'self' https:".to_owned(), |forms, origin| format!("{forms} {origin}"));
    CONTENT_SECURITY_POLICY.replace("form-action 'self'", &forms)
}

/// The headers that every response has.
const HEADERS: [(&str, &str); 8] = [
    (POLICY, CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    // With `no-referrer` browsers would send `Origin: null` with our own forms, and we would refuse
    // them; `same-origin` tells other sites just as little.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("X-Permitted-Cross-Domain-Policies", "none"),
];

/// How long browsers must use https (RFC 6797): a year. Whether sub-domains are included is the
/// owner's decision.
const HSTS: &str = "max-age=31536000";

/// The same for an owner who has decided that no sub-domain is ever plain http.
const HSTS_WITH_SUBDOMAINS: &str = "max-age=31536000; includeSubDomains";

/// Sets the headers of every response, and sends the outgoing cookies.
#[derive(Debug)]
pub struct SecurityHeaders;

#[rocket::async_trait]
impl Fairing for SecurityHeaders {
    fn info(&self) -> Info {
        Info { name: "Headers", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        for (name, value) in HEADERS {
            // A page may have a wider policy of its own.
            if name != POLICY || !response.headers().contains(name) {
                response.set_header(Header::new(name, value));
            }
        }
        // Not cached unless its handler says so: every page has forms, and forms carry a token.
        if !response.headers().contains("Cache-Control") {
            response.set_header(Header::new("Cache-Control", "no-store"));
        }
        // Here and not in the jar: this sees error pages too (decision 0005).
        cookies::add_outgoing(request, response);
        let Some(ctx) = request.rocket().state::<Context>() else { return };
        let id = request_info::of(request, ctx).request_id.as_str();
        response.set_header(Header::new("X-Request-Id", id));
        if ctx.settings.public_url.is_https() {
            let is_everywhere = ctx.settings.hsts_include_subdomains;
            let value = if is_everywhere { HSTS_WITH_SUBDOMAINS } else { HSTS };
            response.set_header(Header::new("Strict-Transport-Security", value));
        }
    }
}
