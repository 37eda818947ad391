//! The pages of one's own account.

pub(super) mod activity;
mod address;
mod asked;
mod away;
mod connections;
mod delete;
mod email;
mod export;
mod join;
mod login;
mod logout;
mod mypage;
mod one_click;
mod password;
mod profile;
mod reset;
pub(super) mod rules;
mod sessions;
mod social;
mod strength;
pub(super) mod sudo;
pub(super) mod told;
mod verification;
pub(super) mod ways;

use rocket::Route;
use rocket::response::{Redirect, Responder};

use super::page::Page;

pub(super) fn routes() -> Vec<Route> {
    [
        activity::routes(),
        address::routes(),
        connections::routes(),
        delete::routes(),
        email::routes(),
        export::routes(),
        join::routes(),
        login::routes(),
        logout::routes(),
        mypage::routes(),
        one_click::routes(),
        password::routes(),
        profile::routes(),
        reset::routes(),
        sessions::routes(),
        social::routes(),
        strength::routes(),
        sudo::routes(),
        verification::routes(),
    ]
    .concat()
}

/// Where people arrive who were going nowhere in particular.
pub(super) const MY_PAGE: &str = "/account/mypage";

/// What comes of a form.
#[derive(Responder)]
pub(super) enum Answer {
    /// It is shown, perhaps again, with what is wrong.
    Shown(Page),
    /// It is done, and the person goes on from here.
    Gone(Redirect),
}
