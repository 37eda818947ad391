//! The front page: greets a user, and offers visitors to log in or sign up.

use askama::Template;
use rocket::{Route, get, routes};

use super::error::Error;
use super::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    page: PageContext,
}

#[get("/")]
fn show(page: PageContext) -> Result<Page, Error> {
    Page::render(&HomePage { page })
}
