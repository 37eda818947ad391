//! The front page: who you are, and the ways in.

use askama::Template;
use rocket::{Route, get, routes};

use super::error::Error;
use super::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
}

#[get("/")]
fn show(frame: Frame) -> Result<Page, Error> {
    Page::draw(&Home { frame })
}
