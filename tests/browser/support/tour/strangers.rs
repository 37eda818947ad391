//! What visitors see before they log in, and which pages are refused to them.

use serde_json::Value;

use super::Tour;
use crate::support::User;

const PAGES: [&str; 9] = [
    "/",
    "/account/join",
    "/account/login",
    "/account/password/reset",
    "/account/password/sent",
    "/account/join/sent",
    "/account/link",
    "/nowhere",
    "/api",
];

pub(super) async fn walk<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>) {
    tour.opens(&PAGES).await;
    tour.errs("/account/join", &[("email", "x"), ("password1", "12345678")]).await;
    tour.errs("/account/login", &[("email", "x")]).await;
    tour.errs("/account/password/reset", &[("email", "x")]).await;

    tour.user.opens("/account/login").await;
    let strangers = [("email", "nobody@example.com"), ("password", "not this one")];
    tour.sends("/account/login", &strangers, "/account/login, refused").await;

    tour.user.opens("/account/login").await;
    let forge = "document.querySelector('main [name=csrf]').value = 'somebody else wrote this'";
    tour.user.runs(forge, Value::Null).await;
    tour.sends("/account/login", &strangers, "/account/login, forged").await;
}
