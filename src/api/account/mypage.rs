//! The greeting of My page, for whoever wants to know whether it is them.

use rocket::http::Status;
use rocket::{Route, get, routes};

use super::Said;
use crate::api::credentials::Member;
use crate::i18n::Sentence;

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[get("/api/account/mypage")]
fn show(member: Member) -> Said {
    Said(Status::Ok, Sentence::with("mypage.greeting", "email", member.0.email()))
}
