//! The paths of all routes, each written once.
//!
//! Pages, templates, e-mails, redirects and the OpenAPI document take their paths from here. The
//! attributes of Rocket's handlers must be literals, so they repeat them; a test compares the two, and
//! fails for a route that is missing here. Holds no route and knows no handler.

use std::fmt::Display;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A page that a user can open, and return to.
    Page,
    /// A page that makes no sense after log-in.
    LoginPage,
    /// A form without a page of its own.
    Action,
    /// Something that only other pages or sites request, such as an image or a callback.
    Resource,
    /// An endpoint for programs.
    Api,
}

/// The path of a route, with its parameters in angle brackets as Rocket writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    pub path: &'static str,
    pub kind: Kind,
}

/// Defines a constant for each path, or a function where it has parameters, and [`ALL`].
macro_rules! paths {
    ($($kind:ident $name:ident $(($($parameter:ident),+))? = $path:literal;)+) => {
        $(paths!(@item $name $(($($parameter),+))? = $path);)+

        /// Every path.
        pub const ALL: &[Pattern] = &[
            $(Pattern { path: paths!(@path $name $(($($parameter),+))? = $path), kind: paths!(@kind $kind) },)+
        ];
    };
    (@item $name:ident = $path:literal) => {
        #[doc = concat!("`", $path, "`")]
        pub const $name: &str = $path;
    };
    (@item $name:ident ($($parameter:ident),+) = $path:literal) => {
        #[doc = concat!("`", $path, "`")]
        #[must_use]
        pub fn $name($($parameter: impl Display),+) -> String {
            fill($path, &[$(&$parameter),+])
        }
    };
    (@path $name:ident = $path:literal) => { $name };
    (@path $name:ident ($($parameter:ident),+) = $path:literal) => { $path };
    (@kind page) => { Kind::Page };
    (@kind login) => { Kind::LoginPage };
    (@kind action) => { Kind::Action };
    (@kind resource) => { Kind::Resource };
    (@kind api) => { Kind::Api };
}

paths! {
    page HOME = "/";
    api HEALTH_LIVE = "/health/live";
    api HEALTH_READY = "/health/ready";
    api JWKS = "/.well-known/jwks.json";
    api AUTHORIZATION_SERVER_METADATA = "/.well-known/oauth-authorization-server";
    resource WELL_KNOWN_CHANGE_PASSWORD = "/.well-known/change-password";
    action LANGUAGE = "/language";
    resource STATIC_FILES = "/static/<name>";
    login SIGNUP = "/account/join";
    page SIGNUP_SENT = "/account/join/sent";
    page SOCIAL_SIGNUP = "/account/join/address";
    login LOGIN = "/account/login";
    action LOGOUT = "/account/logout";
    resource FORGET_LOGOUT = "/account/logout/forget";
    page MYPAGE = "/account/mypage";
    page PROFILE = "/account/profile";
    page ACTIVITY = "/account/activity";
    page DATA_EXPORT = "/account/export";
    page ACCOUNT_DELETION = "/account/delete";
    page REAUTHENTICATION = "/account/sudo";
    page SESSIONS = "/account/sessions";
    action END_OTHER_SESSIONS = "/account/sessions/end-others";
    action end_session(id) = "/account/sessions/<id>/end";
    page SOCIAL_ACCOUNTS = "/account/connections";
    action disconnect_social_account(id) = "/account/connections/<id>/disconnect";
    action social_login(slug) = "/account/social/<slug>";
    resource social_callback(slug) = "/account/social/<slug>/callback";
    page PASSWORD_CHANGE = "/account/password/change";
    action PASSWORD_STRENGTH = "/account/password/strength";
    page PASSWORD_RESET = "/account/password/reset";
    page PASSWORD_RESET_SENT = "/account/password/sent";
    page PASSWORD_RESET_NEW = "/account/password/new";
    page password_reset_link(token) = "/account/password/reset/<token>";
    page EMAIL_CHANGE = "/account/email/change";
    action VERIFY_EMAIL = "/account/email/verify";
    page email_link(action, token) = "/account/email/<action>/<token>";
    page EMAIL_LINK = "/account/link";
    page report_compromise(token) = "/account/not-me/<token>";
    page ADMIN = "/admin";
    page ADMIN_SETTINGS = "/admin/settings";
    page ADMIN_SETUP = "/admin/setup";
    page admin_setup_link(token) = "/admin/setup/<token>";
    page ADMIN_USERS = "/admin/users";
    page ADMIN_USERS_CSV = "/admin/users.csv";
    page ADMIN_USER_NEW = "/admin/users/new";
    page ADMIN_USER_IMPORT = "/admin/users/import";
    page ADMIN_BULK_NEW = "/admin/users/actions";
    page admin_user(id) = "/admin/users/<id>";
    page admin_end_sessions(id) = "/admin/users/<id>/sessions/end";
    page admin_user_action(id, action) = "/admin/users/<id>/<action>";
    page ADMIN_BULK_JOBS = "/admin/bulk";
    page admin_bulk_job(id) = "/admin/bulk/<id>";
    action stop_bulk_job(id) = "/admin/bulk/<id>/stop";
    action undo_bulk_job(id) = "/admin/bulk/<id>/undo";
    page ADMIN_GROUPS = "/admin/groups";
    page ADMIN_GROUP_NEW = "/admin/groups/new";
    page admin_group(id) = "/admin/groups/<id>";
    page admin_group_delete(id) = "/admin/groups/<id>/delete";
    page ADMIN_EMAILS = "/admin/mail";
    action retry_email(id) = "/admin/mail/<id>/retry";
    page ADMIN_AUDIT = "/admin/audit";
    page ADMIN_AUDIT_CSV = "/admin/audit.csv";
    page ADMIN_PROVIDERS = "/admin/social";
    page ADMIN_PROVIDER_NEW = "/admin/social/new";
    page admin_provider(id) = "/admin/social/<id>";
    action delete_provider(id) = "/admin/social/<id>/delete";
    page API_REFERENCE = "/api";
    api API_ASK = "/api/ask";
    api API_OPENAPI = "/api/openapi.json";
    api API_FORWARD_AUTH = "/api/forward-auth";
    api API_TOKEN = "/api/token";
    api API_TOKEN_REFRESH = "/api/token/refresh";
    api API_TOKEN_VERIFY = "/api/token/verify";
    api API_TOKEN_BLACKLIST = "/api/token/blacklist";
    api API_SIGNUP = "/api/account/join";
    api API_RESEND_EMAIL = "/api/account/join/resend-email";
    api API_VERIFY_EMAIL = "/api/account/join/verify-email";
    api API_REGISTRATION = "/api/account/registration";
    api API_REGISTRATION_RESEND_EMAIL = "/api/account/registration/resend-email";
    api API_REGISTRATION_VERIFY_EMAIL = "/api/account/registration/verify-email";
    api API_LOGIN = "/api/account/login";
    api API_LOGOUT = "/api/account/logout";
    api API_USER = "/api/account/user";
    api API_MYPAGE = "/api/account/mypage";
    api API_PASSWORD_CHANGE = "/api/account/password/change";
    api API_PASSWORD_RESET = "/api/account/password/reset";
    api API_PASSWORD_RESET_CONFIRM = "/api/account/password/reset/confirm";
    api API_SOCIAL_ACCOUNTS = "/api/account/social";
    api api_social_login(slug) = "/api/account/social/<slug>";
    api api_social_connect(slug) = "/api/account/social/<slug>/connect";
    api api_social_disconnect(id) = "/api/account/social/<id>/disconnect";
    api API_ACCOUNT_TOKEN_REFRESH = "/api/account/token/refresh";
    api API_ACCOUNT_TOKEN_VERIFY = "/api/account/token/verify";
    api API_USERS = "/api/users";
    api api_user(id) = "/api/users/<id>";
}

/// Returns what is at a path; `None` if it is none of ours.
#[must_use]
pub fn kind_of(path: &str) -> Option<Kind> {
    // Every page asks about its own path, and most have no parameter.
    if let Some(pattern) = ALL.iter().find(|pattern| pattern.path == path) {
        return Some(pattern.kind);
    }
    let matching = ALL.iter().filter(|pattern| is_match(pattern.path, path));
    // `/admin/users/new` matches `/admin/users/<id>` too: fewer parameters win, as in Rocket.
    matching.min_by_key(|pattern| pattern.path.matches('<').count()).map(|pattern| pattern.kind)
}

fn is_match(pattern: &str, path: &str) -> bool {
    let (mut parts, mut segments) = (pattern.split('/'), path.split('/'));
    let is_same = parts
        .by_ref()
        .zip(segments.by_ref())
        .all(|(part, segment)| part == segment || (part.starts_with('<') && !segment.is_empty()));
    // `zip` ends with the shorter one.
    is_same && pattern.split('/').count() == path.split('/').count()
}

/// Returns whether a path is a place or below it.
#[must_use]
pub fn is_at_or_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Puts values in the place of the parameters, in their order.
fn fill(pattern: &str, values: &[&dyn Display]) -> String {
    let mut values = values.iter();
    let parts = pattern.split('/').map(|part| {
        if part.starts_with('<') {
            values.next().map(ToString::to_string).unwrap_or_default()
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_filled_in_order() {
        assert_eq!(admin_user(7), "/admin/users/7");
        assert_eq!(email_link("verify", "abc"), "/account/email/verify/abc");
    }

    #[test]
    fn the_path_with_fewer_parameters_wins() {
        assert_eq!(kind_of(END_OTHER_SESSIONS), Some(Kind::Action));
        assert_eq!(kind_of(&end_session("0f")), Some(Kind::Action));
        assert_eq!(kind_of(LOGIN), Some(Kind::LoginPage));
        assert_eq!(kind_of("/admin/users/new"), Some(Kind::Page));
        assert_eq!(kind_of("/reports/7"), None, "of an application that mounts ours");
        assert_eq!(kind_of("/admin/users/"), None);
    }
}
