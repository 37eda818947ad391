//! The one place that sets and removes cookies.
//!
//! When the site is https, names carry the `__Host-` prefix, which makes browsers insist on Secure,
//! on Path=/ and on no Domain (RFC 6265bis, 4.1.3.2), also when a cookie is removed.

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

/// How long a browser is known after its last log-in.
const DEVICE_LIFETIME: Duration = Duration::days(180);

/// How long the token of a one-time link is carried from its address to its form.
const LINK_TOKEN_LIFETIME: Duration = Duration::minutes(30);

/// How long a sentence waits for the page on which it is shown.
const FLASH_LIFETIME: Duration = Duration::minutes(1);

/// How long a chosen language is kept.
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

/// How long somebody may be away at a provider.
pub(crate) const OAUTH_STATE_LIFETIME: Duration = Duration::minutes(10);

/// How long somebody whom a provider knows may think about an address.
pub(crate) const SOCIAL_SIGNUP_LIFETIME: Duration = Duration::minutes(30);

/// How many cookies of one name are looked at. Two sites on one host name, or two paths, make two; the
/// rest would only make us verify signatures.
const MAX_OF_ONE_NAME: usize = 8;

/// The access cookie's token.
pub(crate) fn access<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    ours(request, ctx, ACCESS, sessions::is_access_token)
}

/// Whether there is an access cookie with nothing in it.
pub(crate) fn is_access_empty(jar: &CookieJar<'_>, ctx: &Context) -> bool {
    find(jar, ctx, ACCESS).is_some_and(|cookie| cookie.value().is_empty())
}

/// The refresh cookie's token.
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

/// The cookie of this name, and of several the one that is ours: cookies do not know ports (RFC 6265,
/// 8.5), so another site on the same host name may have set one of the same name. Rocket's jar keeps only
/// the last of them.
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

/// The known-device statement.
pub(crate) fn device<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, DEVICE)
}

/// What the form tokens of a visitor who is not signed in are bound to.
pub(crate) fn visitor<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, VISITOR)
}

/// Whether a browser sends any cookie of those that everybody gets who has seen a page of ours. One that
/// sends none does not take cookies, or was closed since.
pub(crate) fn has_any_of_ours(jar: &CookieJar<'_>, ctx: &Context) -> bool {
    [VISITOR, ACCESS, REFRESH, DEVICE, LINK].iter().any(|name| find(jar, ctx, name).is_some())
}

/// The token of the one-time link that brought the person here; without one, a token that opens
/// nothing.
pub(crate) fn link_token(jar: &CookieJar<'_>, ctx: &Context) -> Secret {
    Secret::new(read(jar, ctx, LINK).unwrap_or_default().to_owned())
}

/// Carries the token of a one-time link to its form.
pub(crate) fn set_link_token(jar: &CookieJar<'_>, ctx: &Context, token: &str) {
    jar.add(cookie(ctx, LINK, token.to_owned(), Some(LINK_TOKEN_LIFETIME)));
}

/// Lets go of the token when it is used.
pub(crate) fn remove_link_token(jar: &CookieJar<'_>, ctx: &Context) {
    jar.add(removal(ctx, LINK));
}

/// Carries the name of a sentence to the next page.
pub(crate) fn set_flash_message(jar: &CookieJar<'_>, ctx: &Context, name: &'static str) {
    jar.add(cookie(ctx, NOTICE, name.to_owned(), Some(FLASH_LIFETIME)));
}

/// The name of the sentence for this page; it is said once.
pub(crate) fn take_flash_message<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    let said = read(request.cookies(), ctx, NOTICE)?;
    OutgoingCookies::of(request).push(removal(ctx, NOTICE));
    Some(said)
}

/// Carries the token of an invitation to the page of the account it is for, where staff copy it.
pub(crate) fn flash_invitation(jar: &CookieJar<'_>, ctx: &Context, user: UserId, token: &Secret) {
    let value = format!("{user}.{}", token.expose());
    jar.add(cookie(ctx, HANDED, value, Some(FLASH_LIFETIME)));
}

/// The token that was handed over for this account; it is shown once.
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

/// Lets a browser keep what it will have to show when it comes back from a provider.
pub(crate) fn set_oauth_state(jar: &CookieJar<'_>, ctx: &Context, sealed: String) {
    jar.add(cookie(ctx, SOCIAL, sealed, Some(OAUTH_STATE_LIFETIME)));
}

/// What a browser shows that comes back from a provider; it is good once, whatever comes of it.
pub(crate) fn take_oauth_state<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    let shown = read(request.cookies(), ctx, SOCIAL)?;
    OutgoingCookies::of(request).push(removal(ctx, SOCIAL));
    Some(shown)
}

/// Lets a browser keep whom a provider knows, until there is an address.
pub(crate) fn set_pending_social_signup(jar: &CookieJar<'_>, ctx: &Context, sealed: String) {
    jar.add(cookie(ctx, NEWCOMER, sealed, Some(SOCIAL_SIGNUP_LIFETIME)));
}

/// Whom a provider knows, and who has no address yet.
pub(crate) fn pending_social_signup<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, NEWCOMER)
}

/// Lets go of it.
pub(crate) fn remove_pending_social_signup(jar: &CookieJar<'_>, ctx: &Context) {
    jar.add(removal(ctx, NEWCOMER));
}

/// The language that the person chose. Choices from before the name had its prefix still count.
pub(crate) fn language(jar: &CookieJar<'_>, ctx: &Context) -> Option<Language> {
    let chosen = find(jar, ctx, LANGUAGE).or_else(|| jar.get(LANGUAGE));
    chosen.and_then(|cookie| Language::from_tag(cookie.value()))
}

/// Cookies that go out with the answer whatever becomes of the request. Rocket forgets what a guard
/// put into the jar when the answer turns out to be an error; a rotated token must not be forgotten.
#[derive(Default)]
struct OutgoingCookies(Mutex<Vec<Cookie<'static>>>);

impl OutgoingCookies {
    fn of<'r>(request: &'r Request<'_>) -> MutexGuard<'r, Vec<Cookie<'static>>> {
        let Self(cookies) = request.local_cache(Self::default);
        cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the outgoing cookies to an answer, except those that its handler has set itself.
pub(crate) fn add_outgoing(request: &Request<'_>, response: &mut Response<'_>) {
    for cookie in OutgoingCookies::of(request).drain(..) {
        let start = format!("{}=", cookie.name());
        if !response.headers().get("Set-Cookie").any(|other| other.starts_with(&start)) {
            response.adjoin_header(Header::new("Set-Cookie", cookie.encoded().to_string()));
        }
    }
}

/// Signs a browser in. The form token's cookie goes: tokens of the stranger that the browser was a
/// moment ago are worth nothing to the person it is now.
pub(crate) fn sign_in(jar: &CookieJar<'_>, ctx: &Context, tokens: &IssuedTokens) {
    set_tokens(jar, ctx, tokens);
    jar.add(removal(ctx, VISITOR));
    if let Some(statement) = &tokens.device {
        jar.add(cookie(ctx, DEVICE, statement.clone(), Some(DEVICE_LIFETIME)));
    }
}

/// Gives a browser the next tokens that it has asked for.
pub(crate) fn set_tokens(jar: &CookieJar<'_>, ctx: &Context, tokens: &IssuedTokens) {
    for cookie in token_cookies(ctx, tokens) {
        jar.add(cookie);
    }
}

/// Gives a signed-in browser its next tokens.
pub(crate) fn send_tokens(request: &Request<'_>, ctx: &Context, tokens: &IssuedTokens) {
    OutgoingCookies::of(request).extend(token_cookies(ctx, tokens));
}

/// Gives a signed-in browser its next access token alone.
pub(crate) fn send_access_token(request: &Request<'_>, ctx: &Context, tokens: &IssuedTokens) {
    let [access, _] = token_cookies(ctx, tokens);
    OutgoingCookies::of(request).push(access);
}

/// Takes cookies away that will never work again.
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

/// Gives a visitor something to bind form tokens to, until the browser is closed.
pub(crate) fn set_visitor(request: &Request<'_>, ctx: &Context, value: String) {
    OutgoingCookies::of(request).push(cookie(ctx, VISITOR, value, None));
}

/// Remembers a language. It is no secret, but with the prefix no neighbour under the same domain can
/// choose it for us.
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

/// A prefixed name without building it anew for each request.
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

/// The same cookie, empty and over. Rocket's own removal would forget Secure, and browsers would
/// ignore it.
fn removal(ctx: &Context, name: &'static str) -> Cookie<'static> {
    let mut cookie = cookie(ctx, name, String::new(), Some(Duration::ZERO));
    cookie.set_expires(rocket::time::OffsetDateTime::UNIX_EPOCH);
    cookie
}
