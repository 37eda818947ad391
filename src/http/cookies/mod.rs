//! The one place that sets and removes cookies.
//!
//! On https sites names carry the `__Host-` prefix, which makes browsers insist on Secure, on
//! Path=/ and on no Domain (RFC 6265bis, 4.1.3.2), also when a cookie is removed.

mod jar;
mod name;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::http::{Cookie, CookieJar, Header, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::time::Duration;
use rocket::{Request, Response};

use self::jar::{cookie, find, ours, read, removal};
use self::name::CookieName;
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

/// How long a user may spend at a social log-in provider.
pub(crate) const OAUTH_STATE_LIFETIME: Duration = Duration::minutes(10);

/// How long a social sign-up waits for an e-mail address.
pub(crate) const SOCIAL_SIGNUP_LIFETIME: Duration = Duration::minutes(30);

/// Returns the names of the cookies with the access and the refresh token.
pub(crate) fn token_names(is_https: bool) -> [&'static str; 2] {
    [CookieName::Access, CookieName::Refresh].map(|cookie| cookie.on_site(is_https))
}

/// Returns the access token of the cookie.
pub(crate) fn access<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    ours(request, ctx, CookieName::Access, sessions::is_access_token)
}

/// Returns whether there is an empty access cookie.
pub(crate) fn is_access_empty(jar: &CookieJar<'_>, ctx: &Context) -> bool {
    find(jar, ctx, CookieName::Access).is_some_and(|cookie| cookie.value().is_empty())
}

/// Returns the refresh token of the cookie.
pub(crate) fn refresh<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    ours(request, ctx, CookieName::Refresh, sessions::is_refresh_token)
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

/// Returns the device token.
pub(crate) fn device<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, CookieName::Device)
}

/// Returns the value that the form tokens of a signed-out visitor are bound to.
pub(crate) fn visitor<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, CookieName::Visitor)
}

/// Returns whether the browser sends any cookie that every page of ours sets.
pub(crate) fn has_any_of_ours(jar: &CookieJar<'_>, ctx: &Context) -> bool {
    // A browser that sends none refuses cookies, or was closed since.
    [
        CookieName::Visitor,
        CookieName::Access,
        CookieName::Refresh,
        CookieName::Device,
        CookieName::Link,
    ]
    .iter()
    .any(|name| find(jar, ctx, *name).is_some())
}

/// Returns the token of the one-time link that was opened, or an empty one.
pub(crate) fn link_token(jar: &CookieJar<'_>, ctx: &Context) -> Secret {
    // An empty token is never valid.
    Secret::new(read(jar, ctx, CookieName::Link).unwrap_or_default().to_owned())
}

/// Keeps the token of a one-time link for its form.
pub(crate) fn set_link_token(jar: &CookieJar<'_>, ctx: &Context, token: &str) {
    jar.add(cookie(ctx, CookieName::Link, token.to_owned(), Some(LINK_TOKEN_LIFETIME)));
}

/// Removes the link token after use.
pub(crate) fn remove_link_token(jar: &CookieJar<'_>, ctx: &Context) {
    jar.add(removal(ctx, CookieName::Link));
}

/// Sets the flash message for the next page.
pub(crate) fn set_flash_message(jar: &CookieJar<'_>, ctx: &Context, name: &'static str) {
    jar.add(cookie(ctx, CookieName::FlashMessage, name.to_owned(), Some(FLASH_LIFETIME)));
}

/// Returns the flash message for this page and removes it.
pub(crate) fn take_flash_message<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    let said = read(request.cookies(), ctx, CookieName::FlashMessage)?;
    OutgoingCookies::of(request).push(removal(ctx, CookieName::FlashMessage));
    Some(said)
}

/// Keeps the token of an invitation for the next page about this user, where staff copy it.
pub(crate) fn flash_invitation(jar: &CookieJar<'_>, ctx: &Context, user: UserId, token: &Secret) {
    let value = format!("{user}.{}", token.expose());
    jar.add(cookie(ctx, CookieName::Invitation, value, Some(FLASH_LIFETIME)));
}

/// Returns the invitation token for this user and removes it.
pub(crate) fn take_flashed_invitation(
    jar: &CookieJar<'_>,
    ctx: &Context,
    user: UserId,
) -> Option<Secret> {
    let handed = read(jar, ctx, CookieName::Invitation)?;
    jar.add(removal(ctx, CookieName::Invitation));
    let (whose, token) = handed.split_once('.')?;
    (whose == user.to_string()).then(|| Secret::new(token.to_owned()))
}

/// Keeps the sealed OAuth state until the callback.
pub(crate) fn set_oauth_state(jar: &CookieJar<'_>, ctx: &Context, sealed: String) {
    jar.add(cookie(ctx, CookieName::OAuthState, sealed, Some(OAUTH_STATE_LIFETIME)));
}

/// Returns the OAuth state and removes it.
pub(crate) fn take_oauth_state<'r>(request: &'r Request<'_>, ctx: &Context) -> Option<&'r str> {
    let shown = read(request.cookies(), ctx, CookieName::OAuthState)?;
    // It is valid once, whatever the outcome.
    OutgoingCookies::of(request).push(removal(ctx, CookieName::OAuthState));
    Some(shown)
}

/// Keeps a sealed pending social sign-up until there is an e-mail address.
pub(crate) fn set_pending_social_signup(jar: &CookieJar<'_>, ctx: &Context, sealed: String) {
    jar.add(cookie(ctx, CookieName::PendingSocialSignup, sealed, Some(SOCIAL_SIGNUP_LIFETIME)));
}

/// Returns the pending social sign-up.
pub(crate) fn pending_social_signup<'j>(jar: &'j CookieJar<'_>, ctx: &Context) -> Option<&'j str> {
    read(jar, ctx, CookieName::PendingSocialSignup)
}

/// Removes the pending social sign-up.
pub(crate) fn remove_pending_social_signup(jar: &CookieJar<'_>, ctx: &Context) {
    jar.add(removal(ctx, CookieName::PendingSocialSignup));
}

/// Returns the chosen language.
pub(crate) fn language(jar: &CookieJar<'_>, ctx: &Context) -> Option<Language> {
    // The name without prefix was set by earlier versions.
    let chosen =
        find(jar, ctx, CookieName::Language).or_else(|| jar.get(CookieName::Language.plain()));
    chosen.and_then(|cookie| Language::from_tag(cookie.value()))
}

/// Cookies that are sent with the response, whatever becomes of the request.
#[derive(Default)]
struct OutgoingCookies(Mutex<Vec<Cookie<'static>>>);

impl OutgoingCookies {
    fn of<'r>(request: &'r Request<'_>) -> MutexGuard<'r, Vec<Cookie<'static>>> {
        // Not in the jar: Rocket drops what a guard put there if the response is an error, but a
        // rotated token must not be lost (decision 0005).
        let Self(cookies) = request.local_cache(Self::default);
        cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the outgoing cookies to a response, except those that its handler has set itself.
pub(crate) fn add_outgoing(request: &Request<'_>, response: &mut Response<'_>) {
    for cookie in OutgoingCookies::of(request).drain(..) {
        let start = format!("{}=", cookie.name());
        // The handler's own cookie wins, so that a refresh on the way in does not undo a log-out.
        if !response.headers().get("Set-Cookie").any(|other| other.starts_with(&start)) {
            response.adjoin_header(Header::new("Set-Cookie", cookie.encoded().to_string()));
        }
    }
}

/// Signs a browser in.
pub(crate) fn sign_in(jar: &CookieJar<'_>, ctx: &Context, tokens: &IssuedTokens) {
    set_tokens(jar, ctx, tokens);
    // Form tokens of the signed-out visitor must not be valid for the user.
    jar.add(removal(ctx, CookieName::Visitor));
    if let Some(statement) = &tokens.device {
        jar.add(cookie(ctx, CookieName::Device, statement.clone(), Some(DEVICE_LIFETIME)));
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
    let gone = [(CookieName::Access, dead.access), (CookieName::Refresh, dead.refresh)];
    let gone = gone.into_iter().filter(|(_, is_over)| *is_over);
    OutgoingCookies::of(request).extend(gone.map(|(name, _)| removal(ctx, name)));
}

/// Signs a browser out.
pub(crate) fn sign_out(jar: &CookieJar<'_>, ctx: &Context) {
    jar.add(removal(ctx, CookieName::Access));
    jar.add(removal(ctx, CookieName::Refresh));
}

/// Sets the value that a visitor's form tokens are bound to, until the browser is closed.
pub(crate) fn set_visitor(request: &Request<'_>, ctx: &Context, value: String) {
    OutgoingCookies::of(request).push(cookie(ctx, CookieName::Visitor, value, None));
}

/// Keeps the chosen language.
pub(crate) fn set_language(jar: &CookieJar<'_>, ctx: &Context, language: Language) {
    // It is no secret, but the `__Host-` prefix keeps other sites under the same domain from
    // setting it.
    jar.add(cookie(ctx, CookieName::Language, language.tag().to_owned(), Some(LANGUAGE_LIFETIME)));
}

fn token_cookies(ctx: &Context, tokens: &IssuedTokens) -> [Cookie<'static>; 2] {
    [(CookieName::Access, &tokens.access), (CookieName::Refresh, &tokens.refresh)].map(
        |(name, issued)| {
            let lifetime = Duration::seconds(issued.lifetime.whole_seconds());
            cookie(ctx, name, issued.token.expose().to_owned(), Some(lifetime))
        },
    )
}
