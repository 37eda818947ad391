//! The one place that sets and removes cookies.
//!
//! When the site is https, names carry the `__Host-` prefix, which makes browsers insist on Secure,
//! on Path=/ and on no Domain (RFC 6265bis, 4.1.3.2), also when a cookie is removed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::http::{Cookie, CookieJar, Header, SameSite, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::time::Duration;
use rocket::{Request, Response};

use crate::context::Ctx;
use crate::i18n::Language;
use crate::sessions;
use crate::sessions::{DeadCookies, Opened};
use crate::types::{Secret, UserId};

/// How long a browser is known after its last log-in.
const DEVICE_LASTS: Duration = Duration::days(180);

/// How long the token of a one-time link is carried from its address to its form.
const LINK_LASTS: Duration = Duration::minutes(30);

/// How long a sentence waits for the page on which it is shown.
const NOTICE_LASTS: Duration = Duration::minutes(1);

/// How long a chosen language is kept.
const LANGUAGE_LASTS: Duration = Duration::days(365);

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
pub(crate) const AWAY_LASTS: Duration = Duration::minutes(10);

/// How long somebody whom a provider knows may think about an address.
pub(crate) const NEWCOMER_LASTS: Duration = Duration::minutes(30);

/// How many cookies of one name are looked at. Two sites on one host name, or two paths, make two; the
/// rest would only make us verify signatures.
const MOST_OF_ONE_NAME: usize = 8;

/// The access cookie's token.
pub(crate) fn access<'r>(request: &'r Request<'_>, ctx: &Ctx) -> Option<&'r str> {
    ours(request, ctx, ACCESS, sessions::is_our_access)
}

/// Whether there is an access cookie with nothing in it.
pub(crate) fn is_access_empty(jar: &CookieJar<'_>, ctx: &Ctx) -> bool {
    find(jar, ctx, ACCESS).is_some_and(|cookie| cookie.value().is_empty())
}

/// The refresh cookie's token.
pub(crate) fn refresh<'r>(request: &'r Request<'_>, ctx: &Ctx) -> Option<&'r str> {
    ours(request, ctx, REFRESH, sessions::is_our_refresh)
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
        match request.rocket().state::<Ctx>() {
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
    ctx: &Ctx,
    name: &'static str,
    is_ours: impl Fn(&Ctx, &str) -> bool,
) -> Option<&'r str> {
    let full_name = if is_secure(ctx) { prefixed(name) } else { name };
    let pairs = request.headers().get("Cookie").flat_map(|header| header.split(';'));
    let values = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == full_name).then_some(value.trim()).filter(|value| !value.is_empty())
    });
    let mut values = values.take(MOST_OF_ONE_NAME);
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
pub(crate) fn device<'j>(jar: &'j CookieJar<'_>, ctx: &Ctx) -> Option<&'j str> {
    read(jar, ctx, DEVICE)
}

/// What the form tokens of a visitor who is not signed in are bound to.
pub(crate) fn visitor<'j>(jar: &'j CookieJar<'_>, ctx: &Ctx) -> Option<&'j str> {
    read(jar, ctx, VISITOR)
}

/// Whether a browser sends any cookie of those that everybody gets who has seen a page of ours. One that
/// sends none does not take cookies, or was closed since.
pub(crate) fn are_there(jar: &CookieJar<'_>, ctx: &Ctx) -> bool {
    [VISITOR, ACCESS, REFRESH, DEVICE, LINK].iter().any(|name| find(jar, ctx, name).is_some())
}

/// The token of the one-time link that brought the person here; without one, a token that opens
/// nothing.
pub(crate) fn carried(jar: &CookieJar<'_>, ctx: &Ctx) -> Secret {
    Secret::new(read(jar, ctx, LINK).unwrap_or_default().to_owned())
}

/// Carries the token of a one-time link to its form.
pub(crate) fn carry_link(jar: &CookieJar<'_>, ctx: &Ctx, token: &str) {
    jar.add(cookie(ctx, LINK, token.to_owned(), Some(LINK_LASTS)));
}

/// Lets go of the token when it is used.
pub(crate) fn drop_link(jar: &CookieJar<'_>, ctx: &Ctx) {
    jar.add(removal(ctx, LINK));
}

/// Carries the name of a sentence to the next page.
pub(crate) fn carry_notice(jar: &CookieJar<'_>, ctx: &Ctx, name: &'static str) {
    jar.add(cookie(ctx, NOTICE, name.to_owned(), Some(NOTICE_LASTS)));
}

/// The name of the sentence for this page; it is said once.
pub(crate) fn take_notice<'r>(request: &'r Request<'_>, ctx: &Ctx) -> Option<&'r str> {
    let said = read(request.cookies(), ctx, NOTICE)?;
    Outgoing::of(request).push(removal(ctx, NOTICE));
    Some(said)
}

/// Carries the token of an invitation to the page of the account it is for, where staff copy it.
pub(crate) fn hand_over(jar: &CookieJar<'_>, ctx: &Ctx, user: UserId, token: &Secret) {
    let value = format!("{user}.{}", token.expose());
    jar.add(cookie(ctx, HANDED, value, Some(NOTICE_LASTS)));
}

/// The token that was handed over for this account; it is shown once.
pub(crate) fn take_handed(jar: &CookieJar<'_>, ctx: &Ctx, user: UserId) -> Option<Secret> {
    let handed = read(jar, ctx, HANDED)?;
    jar.add(removal(ctx, HANDED));
    let (whose, token) = handed.split_once('.')?;
    (whose == user.to_string()).then(|| Secret::new(token.to_owned()))
}

/// Lets a browser keep what it will have to show when it comes back from a provider.
pub(crate) fn send_away(jar: &CookieJar<'_>, ctx: &Ctx, sealed: String) {
    jar.add(cookie(ctx, SOCIAL, sealed, Some(AWAY_LASTS)));
}

/// What a browser shows that comes back from a provider; it is good once, whatever comes of it.
pub(crate) fn take_away<'r>(request: &'r Request<'_>, ctx: &Ctx) -> Option<&'r str> {
    let shown = read(request.cookies(), ctx, SOCIAL)?;
    Outgoing::of(request).push(removal(ctx, SOCIAL));
    Some(shown)
}

/// Lets a browser keep whom a provider knows, until there is an address.
pub(crate) fn carry_newcomer(jar: &CookieJar<'_>, ctx: &Ctx, sealed: String) {
    jar.add(cookie(ctx, NEWCOMER, sealed, Some(NEWCOMER_LASTS)));
}

/// Whom a provider knows, and who has no address yet.
pub(crate) fn newcomer<'j>(jar: &'j CookieJar<'_>, ctx: &Ctx) -> Option<&'j str> {
    read(jar, ctx, NEWCOMER)
}

/// Lets go of it.
pub(crate) fn drop_newcomer(jar: &CookieJar<'_>, ctx: &Ctx) {
    jar.add(removal(ctx, NEWCOMER));
}

/// The language that the person chose. Choices from before the name had its prefix still count.
pub(crate) fn language(jar: &CookieJar<'_>, ctx: &Ctx) -> Option<Language> {
    let chosen = find(jar, ctx, LANGUAGE).or_else(|| jar.get(LANGUAGE));
    chosen.and_then(|cookie| Language::from_tag(cookie.value()))
}

/// Cookies that go out with the answer whatever becomes of the request. Rocket forgets what a guard
/// put into the jar when the answer turns out to be an error; a rotated token must not be forgotten.
#[derive(Default)]
struct Outgoing(Mutex<Vec<Cookie<'static>>>);

impl Outgoing {
    fn of<'r>(request: &'r Request<'_>) -> MutexGuard<'r, Vec<Cookie<'static>>> {
        let Self(cookies) = request.local_cache(Self::default);
        cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the outgoing cookies to an answer, except those that its handler has set itself.
pub(crate) fn send(request: &Request<'_>, response: &mut Response<'_>) {
    for cookie in Outgoing::of(request).drain(..) {
        let start = format!("{}=", cookie.name());
        if !response.headers().get("Set-Cookie").any(|other| other.starts_with(&start)) {
            response.adjoin_header(Header::new("Set-Cookie", cookie.encoded().to_string()));
        }
    }
}

/// Signs a browser in. The form token's cookie goes: tokens of the stranger that the browser was a
/// moment ago are worth nothing to the person it is now.
pub(crate) fn sign_in(jar: &CookieJar<'_>, ctx: &Ctx, opened: &Opened) {
    give_next(jar, ctx, opened);
    jar.add(removal(ctx, VISITOR));
    if let Some(statement) = &opened.device {
        jar.add(cookie(ctx, DEVICE, statement.clone(), Some(DEVICE_LASTS)));
    }
}

/// Gives a browser the next tokens that it has asked for.
pub(crate) fn give_next(jar: &CookieJar<'_>, ctx: &Ctx, opened: &Opened) {
    for cookie in tokens(ctx, opened) {
        jar.add(cookie);
    }
}

/// Gives a signed-in browser its next tokens.
pub(crate) fn renew(request: &Request<'_>, ctx: &Ctx, opened: &Opened) {
    Outgoing::of(request).extend(tokens(ctx, opened));
}

/// Gives a signed-in browser its next access token alone.
pub(crate) fn renew_access(request: &Request<'_>, ctx: &Ctx, opened: &Opened) {
    let [access, _] = tokens(ctx, opened);
    Outgoing::of(request).push(access);
}

/// Takes cookies away that will never work again.
pub(crate) fn clear(request: &Request<'_>, ctx: &Ctx, over: DeadCookies) {
    let gone = [(ACCESS, over.access), (REFRESH, over.refresh)];
    let gone = gone.into_iter().filter(|(_, is_over)| *is_over);
    Outgoing::of(request).extend(gone.map(|(name, _)| removal(ctx, name)));
}

/// Signs a browser out.
pub(crate) fn sign_out(jar: &CookieJar<'_>, ctx: &Ctx) {
    jar.add(removal(ctx, ACCESS));
    jar.add(removal(ctx, REFRESH));
}

/// Gives a visitor something to bind form tokens to, until the browser is closed.
pub(crate) fn give_visitor(request: &Request<'_>, ctx: &Ctx, value: String) {
    Outgoing::of(request).push(cookie(ctx, VISITOR, value, None));
}

/// Remembers a language. It is no secret, but with the prefix no neighbour under the same domain can
/// choose it for us.
pub(crate) fn choose_language(jar: &CookieJar<'_>, ctx: &Ctx, language: Language) {
    jar.add(cookie(ctx, LANGUAGE, language.tag().to_owned(), Some(LANGUAGE_LASTS)));
}

fn tokens(ctx: &Ctx, opened: &Opened) -> [Cookie<'static>; 2] {
    [(ACCESS, &opened.access), (REFRESH, &opened.refresh)].map(|(name, issued)| {
        let lasts = Duration::seconds(issued.lasts.whole_seconds());
        cookie(ctx, name, issued.token.expose().to_owned(), Some(lasts))
    })
}

fn read<'j>(jar: &'j CookieJar<'_>, ctx: &Ctx, name: &'static str) -> Option<&'j str> {
    find(jar, ctx, name).map(Cookie::value).filter(|value| !value.is_empty())
}

fn find<'j>(jar: &'j CookieJar<'_>, ctx: &Ctx, name: &'static str) -> Option<&'j Cookie<'static>> {
    jar.get(if is_secure(ctx) { prefixed(name) } else { name })
}

fn is_secure(ctx: &Ctx) -> bool {
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
    ctx: &Ctx,
    name: &'static str,
    value: String,
    lasts: Option<Duration>,
) -> Cookie<'static> {
    let name = if is_secure(ctx) { prefixed(name) } else { name };
    let mut cookie = Cookie::build((name, value))
        .http_only(true)
        .secure(is_secure(ctx))
        .same_site(SameSite::Lax)
        .path("/")
        .build();
    cookie.set_max_age(lasts);
    cookie
}

/// The same cookie, empty and over. Rocket's own removal would forget Secure, and browsers would
/// ignore it.
fn removal(ctx: &Ctx, name: &'static str) -> Cookie<'static> {
    let mut cookie = cookie(ctx, name, String::new(), Some(Duration::ZERO));
    cookie.set_expires(rocket::time::OffsetDateTime::UNIX_EPOCH);
    cookie
}
