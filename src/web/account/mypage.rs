//! My page: what the account says about its user, and links to what can be changed.

use askama::Template;
use rocket::{Route, State, get, routes};

use crate::config::EmailVerification;
use crate::context::Context;
use crate::http::guards::SignedIn;
use crate::social;
use crate::types::{ProfileField, User};
use crate::web::error::Error;
use crate::web::forms::profile;
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "account/mypage.html")]
struct MyPage<'a> {
    page: PageContext,
    user: MyPageUser<'a>,
    /// Whether the site has a provider. Without one, there is nothing to connect.
    has_social_login: bool,
}

struct MyPageUser<'a> {
    email: &'a str,
    profile: Vec<ProfileRow>,
    joined: String,
    joined_iso: String,
    is_unverified: bool,
}

/// A field of the profile.
struct ProfileRow {
    label: &'static str,
    text: String,
    is_date: bool,
}

impl ProfileRow {
    fn new(page: &PageContext, user: &User, field: ProfileField) -> Self {
        let choice = profile::choice(&user.profile, field).map(|key| page.t(key).into_owned());
        Self {
            label: profile::label(field),
            text: choice.unwrap_or_else(|| user.profile.text(field)),
            is_date: field == ProfileField::DateOfBirth,
        }
    }
}

#[get("/account/mypage")]
async fn show(signed_in: SignedIn, page: PageContext, ctx: &State<Context>) -> Result<Page, Error> {
    let user = signed_in.user();
    let fields = ProfileField::ALL.iter().map(|field| ProfileRow::new(&page, user, *field));
    let shown = MyPageUser {
        email: signed_in.email(),
        profile: fields.filter(|row| !row.text.is_empty()).collect(),
        is_unverified: ctx.settings.email_verification != EmailVerification::None
            && user.email_verified_at.is_none(),
        joined: page.date(user.created_at),
        joined_iso: Timestamp::new(&page, user.created_at).iso,
    };
    let has_social_login = !social::list_buttons(ctx).await?.is_empty();
    Page::render(&MyPage { page, user: shown, has_social_login })
}
