//! Pages about the user's own account, under `/account`.

mod account_deletion;
pub(crate) mod activity;
mod data_export;
mod email_change;
mod email_link_action;
mod email_links;
mod login;
mod logout;
mod mypage;
mod oauth_state;
mod password_change;
mod password_reset;
mod profile;
mod reauthentication_prompt;
mod signup;
mod social_accounts;
mod social_signup;

mod password_strength;
pub(crate) mod reauthentication;
mod sessions;
mod social_login;

mod email_verification;
pub(crate) mod login_methods;

use rocket::Route;

pub(crate) fn routes() -> Vec<Route> {
    [
        activity::routes(),
        social_signup::routes(),
        social_accounts::routes(),
        account_deletion::routes(),
        email_change::routes(),
        data_export::routes(),
        signup::routes(),
        login::routes(),
        logout::routes(),
        mypage::routes(),
        email_links::routes(),
        password_change::routes(),
        profile::routes(),
        password_reset::routes(),
        sessions::routes(),
        social_login::routes(),
        password_strength::routes(),
        reauthentication::routes(),
        email_verification::routes(),
    ]
    .concat()
}
