//! My page: what the account says about its user, and links to what can be changed.

use askama::Template;
use rocket::{Route, State, get, routes};

use crate::config::EmailVerification;
use crate::context::Context;
use crate::http::guards::SignedIn;
use crate::types::Gender;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "account/mypage.html")]
struct MyPage<'a> {
    page: PageContext,
    user: MyPageUser<'a>,
}

struct MyPageUser<'a> {
    email: &'a str,
    name: &'a str,
    gender_key: Option<&'static str>,
    born: Option<String>,
    joined: String,
    joined_iso: String,
    is_unverified: bool,
}

#[get("/account/mypage")]
fn show(signed_in: SignedIn, page: PageContext, ctx: &State<Context>) -> Result<Page, Error> {
    let user = signed_in.user();
    let gender_key = user.profile.gender.map(|gender| match gender {
        Gender::Male => "gender.male",
        Gender::Female => "gender.female",
    });
    let shown = MyPageUser {
        email: signed_in.email(),
        name: user.profile.name.as_str(),
        gender_key,
        born: user.profile.date_of_birth.map(|date| date.to_string()),
        is_unverified: ctx.settings.email_verification != EmailVerification::None
            && user.email_verified_at.is_none(),
        joined: page.date(user.created_at),
        joined_iso: Timestamp::new(&page, user.created_at).iso,
    };
    Page::render(&MyPage { page, user: shown })
}
