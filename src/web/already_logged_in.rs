//! Redirects for forms that were rendered for a visitor whose browser has logged in since, in
//! another tab.
//!
//! Such a form carries a visitor's token and is refused; this module only decides where the 403
//! leads. It never runs the form.

use rocket::Request;

use crate::http::next;
use crate::paths;

/// Pages for visitors only: a user who is logged in by now is sent on to the form's `next`.
const LOGIN_PAGES: [&str; 3] = [paths::LOGIN, paths::SIGNUP, paths::SOCIAL_SIGNUP];

/// The provider buttons on those pages.
const PROVIDER_BUTTONS: &str = "/account/social/";

/// Pages that users may open too: they are rendered again, and their form works then.
const OPEN_TO_USERS: [&str; 3] =
    [paths::EMAIL_LINK, paths::PASSWORD_RESET_NEW, paths::PASSWORD_RESET];

struct RedirectTarget(Option<String>);

/// Remembers where an overtaken form leads.
pub(crate) fn remember(request: &Request<'_>, next: &str) {
    let path = request.uri().path().as_str();
    let path = path.strip_suffix('/').unwrap_or(path);
    let to = if LOGIN_PAGES.contains(&path) || path.starts_with(PROVIDER_BUTTONS) {
        Some(next::after_login(next, paths::MYPAGE))
    } else if OPEN_TO_USERS.contains(&path) {
        Some(path.to_owned())
    } else if path == paths::LANGUAGE {
        Some(next::or_home(next))
    } else {
        None
    };
    // A data guard can answer only with a status, so the 403 catcher reads this.
    request.local_cache(|| RedirectTarget(to));
}

/// Returns where the form of a refused request leads, if it was overtaken.
pub(crate) fn redirect_target<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    request.local_cache(|| RedirectTarget(None)).0.as_deref()
}
