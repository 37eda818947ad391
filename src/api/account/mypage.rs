//! The greeting of My page, for whoever wants to know whether it is them.

use rocket::http::Status;
use rocket::{Route, get, routes};

use super::{Detail, Said};
use crate::api::credentials::Member;
use crate::api::openapi::{Described, HttpMethod, Section, closed};
use crate::i18n::Sentence;

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route =
        closed(HttpMethod::Get, "/api/account/mypage", Section::Account, "openapi.account.mypage");
    vec![route.gives::<Detail>(200)]
}

#[get("/api/account/mypage")]
fn show(member: Member) -> Said {
    Said(Status::Ok, Sentence::with("mypage.greeting", "email", member.0.email()))
}
