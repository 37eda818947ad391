//! The pages of one's own account.

mod activity;
mod join;
mod login;
mod logout;
mod mypage;
pub(super) mod rules;
mod sessions;

use rocket::Route;
use rocket::response::{Redirect, Responder};

use super::page::Page;

pub(super) fn routes() -> Vec<Route> {
    [
        join::routes(),
        login::routes(),
        logout::routes(),
        mypage::routes(),
        sessions::routes(),
        activity::routes(),
    ]
    .concat()
}

/// Where people arrive who were going nowhere in particular.
pub(super) const MY_PAGE: &str = "/account/mypage";

/// What comes of a form.
#[derive(Responder)]
#[expect(clippy::large_enum_variant, reason = "one is made per form, and it is moved once")]
pub(super) enum Answer {
    /// It is shown, perhaps again, with what is wrong.
    Shown(Page),
    /// It is done, and the person goes on from here.
    Gone(Redirect),
}
