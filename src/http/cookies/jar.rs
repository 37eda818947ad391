//! Finds, builds and removes single cookies.

use rocket::Request;
use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::time::Duration;

use super::name::CookieName;
use crate::context::Context;

/// How many cookies of one name are looked at. Two sites on one host name, or two paths, make two;
/// more would only cost us signature checks.
const MAX_OF_ONE_NAME: usize = 8;

/// Returns the cookie of this name; of several, the one that is ours.
pub(super) fn ours<'r>(
    request: &'r Request<'_>,
    ctx: &Context,
    name: CookieName,
    is_ours: impl Fn(&Context, &str) -> bool,
) -> Option<&'r str> {
    let full_name = name.on_site(is_secure(ctx));
    // Cookies ignore ports (RFC 6265, 8.5), so another site on the same host name may have set one
    // of the same name. Rocket's jar keeps only the last of them.
    let pairs = request.headers().get("Cookie").flat_map(|header| header.split(';'));
    let values = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == full_name).then_some(value.trim()).filter(|value| !value.is_empty())
    });
    let mut values = values.take(MAX_OF_ONE_NAME);
    let (first, second) = (values.next(), values.next());
    match (first, second) {
        (Some(first), Some(second)) => {
            let mut all = [first, second].into_iter().chain(values);
            all.find(|value| is_ours(ctx, value)).or(Some(first))
        }
        (Some(only), None) => Some(only),
        (None, _) => read(request.cookies(), ctx, name),
    }
}

pub(super) fn read<'j>(jar: &'j CookieJar<'_>, ctx: &Context, name: CookieName) -> Option<&'j str> {
    find(jar, ctx, name).map(Cookie::value).filter(|value| !value.is_empty())
}

pub(super) fn find<'j>(
    jar: &'j CookieJar<'_>,
    ctx: &Context,
    name: CookieName,
) -> Option<&'j Cookie<'static>> {
    jar.get(name.on_site(is_secure(ctx)))
}

fn is_secure(ctx: &Context) -> bool {
    ctx.settings.public_url.is_https()
}

pub(super) fn cookie(
    ctx: &Context,
    name: CookieName,
    value: String,
    lifetime: Option<Duration>,
) -> Cookie<'static> {
    let name = name.on_site(is_secure(ctx));
    let mut cookie = Cookie::build((name, value))
        .http_only(true)
        .secure(is_secure(ctx))
        .same_site(SameSite::Lax)
        .path("/")
        .build();
    cookie.set_max_age(lifetime);
    cookie
}

/// Returns an expired cookie that removes this one.
pub(super) fn removal(ctx: &Context, name: CookieName) -> Cookie<'static> {
    // Rocket's own removal would omit Secure, and browsers would ignore it.
    let mut cookie = cookie(ctx, name, String::new(), Some(Duration::ZERO));
    cookie.set_expires(rocket::time::OffsetDateTime::UNIX_EPOCH);
    cookie
}
