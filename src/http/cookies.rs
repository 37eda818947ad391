//! The one place that sets and removes cookies.
//!
//! On https sites names carry the `__Host-` prefix, which makes browsers insist on Secure, on
//! Path=/ and on no Domain (RFC 6265bis, 4.1.3.2), also when a cookie is removed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::http::{Cookie, CookieJar, Header, SameSite, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::time::Duration;
use rocket::{Request, Response};

use crate::context::Context;
use crate::i18n::Language;
use crate::sessions;
use crate::sessions::{DeadCookies, IssuedTokens};
use crate::types::{Secret, UserId};

/// How long a device is known after its last log-in.
const DEVICE_LIFETIME: Duration = Duration::days(180);

/// How long the token of a one-time link is kept between the link and its form.
const LINK_TOKEN_LIFETIME: Duration = Duration::minutes(30);

/// How long a flash message waits for the page that shows it.
const FLASH_LIFETIME: Duration = Duration::minutes(1);

/// How long the chosen language is kept.
const LANGUAGE_LIFETIME: Duration = Duration::days(365);

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";
const VISITOR: &str = "visitor";
const DEVICE: &str = "device";
const LINK: &str = "link";
const LANGUAGE: &str = "language";
const NOTICE: &str = "notice";
const HANDED: &str = "handed";
const SOCIAL: &str = "social";
const NEWCOMER: &str = "newcomer";

/// How long a user may spend at a social log-in provider.
pub(crate) const OAUTH_STATE_LIFETIME: Duration = Duration::minutes(10);

/// How long a social sign-up waits for an e-mail address.
pub(crate) const SOCIAL_SIGNUP_LIFETIME: Duration = Duration::minutes(30);

/// How many cookies of one name are looked at. Two sites on one host name, or two paths, make two;
/// more would only cost us signature checks.
const MAX_OF_ONE_NAME: usize = 8;

/// Returns the access token of the cookie.
pub(crate) fn access<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    ours(request, ctx, ACCESS, sessions::is_access_token)
}

/// Returns whether there is an empty access cookie.
pub(crate) fn is_access_empty(jar: &CookieJar<'_>, ctx: &Context) -> bool {
    find(jar, ctx, ACCESS).is_some_and(|cookie| cookie.value().is_empty())
}

/// Returns the refresh token of the cookie.
pub(crate) fn refresh<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    ours(request, ctx, REFRESH, sessions::is_refresh_token)
}

/// The tokens of a browser's cookies.
pub(crate) struct TokenCookies<'r> {
    pub(crate) access: Option<&'r str>,
    pub(crate) refresh: Option<&'r str>,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for TokenCookies<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match request.rocket().state::<Context>() {
            Some(ctx) => Outcome::Success(Self {
                access: access(request, ctx),
                refresh: refresh(request, ctx),
            }),
            None => Outcome::Error((Status::InternalServerError, ())),
        }
    }
}

/// Returns the cookie of this name; of several, the one that is ours. Cookies ignore ports (RFC
/// 6265, 8.5), so another site on the same host name may have set one of the same name, and
/// Rocket's jar keeps only the last of them.
fn ours<'r>(
    request: &'r Request<'_>,
    ctx: &Context,
    name: &'static str,
    is_ours: impl Fn(&Context, &str) -> bool,
) -> Option<&'r str> {
    let full_name = if is_secure(ctx) { prefixed(name) } else { name };
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

/// Returns the device token.
pub(crate) fn device<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, DEVICE)
}

/// Returns the value that the form tokens of a signed-out visitor are bound to.
pub(crate) fn visitor<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, VISITOR)
}

/// Returns whether the browser sends any cookie that every page of ours sets. A browser that sends
/// none refuses cookies, or was closed since.
pub(crate) fn has_any_of_ours(jar: &CookieJar<'_>, ctx: &Context) -> bool {
    [VISITOR, ACCESS, REFRESH, DEVICE, LINK].iter().any(|name| find(jar, ctx, name).is_some())
}

/// Returns the token of the one-time link that was opened; without one, an empty token, which is
/// never valid.
pub(crate) fn link_token(jar: &CookieJar<'_>, ctx: &Context) -> Secret {
    Secret::new(read(jar, ctx, LINK).unwrap_or_default().to_owned())
}

/// Keeps the token of a one-time link for its form.
pub(crate) fn set_link_token(jar: &CookieJar<'_>, ctx: &Context, token: &str) {
    jar.add(cookie(ctx, LINK, token.to_owned(), Some(LINK_TOKEN_LIFETIME)));
}

/// Removes the link token after use.
pub(crate) fn remove_link_token(jar: &CookieJar<'_>, ctx: &Context) {
    jar.add(removal(ctx, LINK));
}

/// Sets the flash message for the next page.
pub(crate) fn set_flash_message(jar: &CookieJar<'_>, ctx: &Context, name: &'static str) {
    jar.add(cookie(ctx, NOTICE, name.to_owned(), Some(FLASH_LIFETIME)));
}

/// Returns the flash message for this page and removes it.
pub(crate) fn take_flash_message<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    let said = read(request.cookies(), ctx, NOTICE)?;
    OutgoingCookies::of(request).push(removal(ctx, NOTICE));
    Some(said)
}

/// Keeps the token of an invitation for the next page about this user, where staff copy it.
pub(crate) fn flash_invitation(jar: &CookieJar<'_>, ctx: &Context, user: UserId, token: &Secret) {
    let value = format!("{user}.{}", token.expose());
    jar.add(cookie(ctx, HANDED, value, Some(FLASH_LIFETIME)));
}

/// Returns the invitation token for this user and removes it.
pub(crate) fn take_flashed_invitation(
    jar: &CookieJar<'_>,
    ctx: &Context,
    user: UserId,
) -> Option<Secret> {
    let handed = read(jar, ctx, HANDED)?;
    jar.add(removal(ctx, HANDED));
    let (whose, token) = handed.split_once('.')?;
    (whose == user.to_string()).then(|| Secret::new(token.to_owned()))
}

/// Keeps the sealed OAuth state until the callback.
pub(crate) fn set_oauth_state(jar: &CookieJar<'_>, ctx: &Context, sealed: String) {
    jar.add(cookie(ctx, SOCIAL, sealed, Some(OAUTH_STATE_LIFETIME)));
}

/// Returns the OAuth state and removes it: it is valid once, whatever the outcome.
pub(crate) fn take_oauth_state<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    let shown = read(request.cookies(), ctx, SOCIAL)?;
    OutgoingCookies::of(request).push(removal(ctx, SOCIAL));
    Some(shown)
}

/// Keeps a sealed pending social sign-up until there is an e-mail address.
pub(crate) fn set_pending_social_signup(jar: &CookieJar<'_>, ctx: &Context, sealed: String) {
    jar.add(cookie(ctx, NEWCOMER, sealed, Some(SOCIAL_SIGNUP_LIFETIME)));
}

/// Returns the pending social sign-up.
pub(crate) fn pending_social_signup<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, NEWCOMER)
}

/// Removes the pending social sign-up.
pub(crate) fn remove_pending_social_signup(jar: &CookieJar<'_>, ctx: &Context) {
    jar.add(removal(ctx, NEWCOMER));
}

/// Returns the chosen language. Also reads the cookie without prefix, which earlier versions set.
pub(crate) fn language(jar: &CookieJar<'_>, ctx: &Context) -> Option<Language> {
    let chosen = find(jar, ctx, LANGUAGE).or_else(|| jar.get(LANGUAGE));
    chosen.and_then(|cookie| Language::from_tag(cookie.value()))
}

/// Cookies that are sent with the response, whatever becomes of the request. Rocket drops what a
/// guard put into the jar if the response is an error, but a rotated token must not be lost.
#[derive(Default)]
struct OutgoingCookies(Mutex<Vec<Cookie<'static>>>);

impl OutgoingCookies {
    fn of<'r>(request: &'r Request<'_>) -> MutexGuard<'r, Vec<Cookie<'static>>> {
        let Self(cookies) = request.local_cache(Self::default);
        cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the outgoing cookies to a response, except those that its handler has set itself.
pub(crate) fn add_outgoing(request: &Request<'_>, response: &mut Response<'_>) {
    for cookie in OutgoingCookies::of(request).drain(..) {
        let start = format!("{}=", cookie.name());
        if !response.headers().get("Set-Cookie").any(|other| other.starts_with(&start)) {
            response.adjoin_header(Header::new("Set-Cookie", cookie.encoded().to_string()));
        }
    }
}

/// Signs a browser in. Removes the visitor cookie: form tokens of the signed-out visitor must not
/// be valid for the user.
pub(crate) fn sign_in(jar: &CookieJar<'_>, ctx: &Context, tokens: &IssuedTokens) {
    set_tokens(jar, ctx, tokens);
    jar.add(removal(ctx, VISITOR));
    if let Some(statement) = &tokens.device {
        jar.add(cookie(ctx, DEVICE, statement.clone(), Some(DEVICE_LIFETIME)));
    }
}

/// Sets the next tokens of a browser that asked for them.
pub(crate) fn set_tokens(jar: &CookieJar<'_>, ctx: &Context, tokens: &IssuedTokens) {
    for cookie in token_cookies(ctx, tokens) {
        jar.add(cookie);
    }
}

/// Sends a signed-in browser its next tokens.
pub(crate) fn send_tokens(request: &Request<'_>, ctx: &Context, tokens: &IssuedTokens) {
    OutgoingCookies::of(request).extend(token_cookies(ctx, tokens));
}

/// Sends a signed-in browser only its next access token.
pub(crate) fn send_access_token(request: &Request<'_>, ctx: &Context, tokens: &IssuedTokens) {
    let [access, _] = token_cookies(ctx, tokens);
    OutgoingCookies::of(request).push(access);
}

/// Removes cookies that will never work again.
pub(crate) fn remove_dead(request: &Request<'_>, ctx: &Context, dead: DeadCookies) {
    let gone = [(ACCESS, dead.access), (REFRESH, dead.refresh)];
    let gone = gone.into_iter().filter(|(_, is_over)| *is_over);
    OutgoingCookies::of(request).extend(gone.map(|(name, _)| removal(ctx, name)));
}

/// Signs a browser out.
pub(crate) fn sign_out(jar: &CookieJar<'_>, ctx: &Context) {
    jar.add(removal(ctx, ACCESS));
    jar.add(removal(ctx, REFRESH));
}

/// Sets the value that a visitor's form tokens are bound to, until the browser is closed.
pub(crate) fn set_visitor(request: &Request<'_>, ctx: &Context, value: String) {
    OutgoingCookies::of(request).push(cookie(ctx, VISITOR, value, None));
}

/// Keeps the chosen language. It is no secret, but the prefix keeps other sites under the same
/// domain from setting it.
pub(crate) fn set_language(jar: &CookieJar<'_>, ctx: &Context, language: Language) {
    jar.add(cookie(ctx, LANGUAGE, language.tag().to_owned(), Some(LANGUAGE_LIFETIME)));
}

fn token_cookies(ctx: &Context, tokens: &IssuedTokens) -> [Cookie<'static>; 2] {
    [(ACCESS, &tokens.access), (REFRESH, &tokens.refresh)].map(|(name, issued)| {
        let lifetime = Duration::seconds(issued.lifetime.whole_seconds());
        cookie(ctx, name, issued.token.expose().to_owned(), Some(lifetime))
    })
}

fn read<'j>(jar: &'j CookieJar<'_>, ctx: &Context, name: &'static str) -> Option<&'j str> {
    find(jar, ctx, name).map(Cookie::value).filter(|value| !value.is_empty())
}

fn find<'j>(
    jar: &'j CookieJar<'_>,
    ctx: &Context,
    name: &'static str,
) -> Option<&'j Cookie<'static>> {
    jar.get(if is_secure(ctx) { prefixed(name) } else { name })
}

fn is_secure(ctx: &Context) -> bool {
    ctx.settings.public_url.is_https()
}

/// Returns the prefixed name without allocating.
fn prefixed(name: &'static str) -> &'static str {
    match name {
        ACCESS => "__Host-access",
        REFRESH => "__Host-refresh",
        VISITOR => "__Host-visitor",
        LINK => "__Host-link",
        LANGUAGE => "__Host-language",
        NOTICE => "__Host-notice",
        HANDED => "__Host-handed",
        SOCIAL => "__Host-social",
        NEWCOMER => "__Host-newcomer",
        _ => "__Host-device",
    }
}

fn cookie(
    ctx: &Context,
    name: &'static str,
    value: String,
    lifetime: Option<Duration>,
) -> Cookie<'static> {
    let name = if is_secure(ctx) { prefixed(name) } else { name };
    let mut cookie = Cookie::build((name, value))
        .http_only(true)
        .secure(is_secure(ctx))
        .same_site(SameSite::Lax)
        .path("/")
        .build();
    cookie.set_max_age(lifetime);
    cookie
}

/// Returns an expired cookie that removes this one. Rocket's own removal would omit Secure, and
/// browsers would ignore it.
fn removal(ctx: &Context, name: &'static str) -> Cookie<'static> {
    let mut cookie = cookie(ctx, name, String::new(), Some(Duration::ZERO));
    cookie.set_expires(rocket::time::OffsetDateTime::UNIX_EPOCH);
    cookie
}
