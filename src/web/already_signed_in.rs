//! Forms that were drawn for a visitor whose browser has signed in since, in another tab: they do nothing
//! and lead on.

use rocket::Request;

use super::account::MY_PAGE;
use crate::http::next;

/// Where visitors sign in; a user who has done so goes on.
const LOGIN_PAGES: [&str; 3] = ["/account/login", "/account/join", "/account/join/address"];

/// The buttons of providers on those pages.
const PROVIDER_BUTTONS: &str = "/account/social/";

/// Pages that make sense to people who are signed in, too: shown anew, their form works.
const OPEN_TO_USERS: [&str; 3] =
    ["/account/link", "/account/password/new", "/account/password/reset"];

/// The language buttons lead back to their page.
const LANGUAGE: &str = "/language";

struct RedirectTarget(Option<String>);

/// Notes where a form leads that was overtaken; a data guard can answer with a status alone.
pub(crate) fn remember(request: &Request<'_>, next: &str) {
    let path = request.uri().path().as_str();
    let path = path.strip_suffix('/').unwrap_or(path);
    let to = if LOGIN_PAGES.contains(&path) || path.starts_with(PROVIDER_BUTTONS) {
        Some(next::after_sign_in(next, MY_PAGE))
    } else if OPEN_TO_USERS.contains(&path) {
        Some(path.to_owned())
    } else if path == LANGUAGE {
        Some(next::back(next))
    } else {
        None
    };
    request.local_cache(|| RedirectTarget(to));
}

/// Where the form of a refused request leads, if it was overtaken.
pub(crate) fn redirect_target<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    request.local_cache(|| RedirectTarget(None)).0.as_deref()
}
