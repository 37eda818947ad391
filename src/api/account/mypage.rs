//! The greeting of My page, with which a client can check who is logged in.

use rocket::http::Status;
use rocket::{Route, get, routes};

use super::{Detail, DetailResponse};
use crate::api::credentials::Authenticated;
use crate::api::openapi::{Endpoint, HttpMethod, Section, authenticated};
use crate::i18n::Sentence;
use crate::paths;

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = authenticated(
        HttpMethod::Get,
        paths::API_MYPAGE,
        Section::Account,
        "openapi.account.mypage",
    );
    vec![route.says("mypage.greeting").returns::<Detail>(200)]
}

#[get("/api/account/mypage")]
fn show(user: Authenticated) -> DetailResponse {
    DetailResponse(Status::Ok, Sentence::with("mypage.greeting", "email", user.0.email()))
}
