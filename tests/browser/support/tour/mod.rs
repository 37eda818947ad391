//! A walk through every page, for those who look at pages and not at stories.
//!
//! Each part is walked by one kind of user on a site of its own; what was done before makes the
//! next pages what they are. Everything has the longest name that it can have, because that is what
//! pages burst from.

mod members;
mod operators;
mod providers;
mod staff;
mod strangers;

use super::{Site, TestEnv, User};

/// As long as an address gets.
const LONG: &str = "the.longest.local.part.that.anybody.ever.typed.into.a.sign.up@a-domain-of-considerable-length.example.com";

/// As long as addresses in use are.
const OTHER: &str = "a.very.long.address.with.many.parts@subdomain.of.a.long.example.org";

/// A name without a place to break.
const NAME: &str = "김수한무거북이와두루미삼천갑자동방삭치치카포사리사리센타워리워리세브리깡";

/// More than any name or reason may have.
const TOO_LONG: &str = match str::from_utf8(&[b'x'; 600]) {
    Ok(emails) => emails,
    Err(_) => panic!("e-mails are text"),
};

/// Goes through every page in one language and passes each to the observer, under a name.
pub(crate) async fn walk(
    env: TestEnv,
    language: &'static str,
    mut look: impl AsyncFnMut(&User<'_>, &str),
) {
    let site = Site::opens();
    let user = env.reader_of(language, &site).await;
    let laptop = env.reader_of(language, &site).await;
    let mut tour = Tour { user, look: &mut look };
    strangers::walk(&mut tour).await;
    members::walk(&mut tour, &site, &laptop).await;
    staff::walk(&mut tour, &site).await;
    providers::walk(&mut tour).await;
    operators::lose_everything(&mut tour, &site).await;

    let site = Site::without_anybody(&[("ROCKET_SIGNUP", "closed")]);
    let user = env.reader_of(language, &site).await;
    operators::set_up(&mut Tour { user, look: &mut look }, &site).await;
}

/// A user on a tour, and the observer of each page.
struct Tour<'a, Look> {
    user: User<'a>,
    look: &'a mut Look,
}

impl<Look: AsyncFnMut(&User<'_>, &str)> Tour<'_, Look> {
    /// Shows the page that the user has opened.
    async fn shows(&mut self, name: &str) {
        (self.look)(&self.user, name).await;
    }

    /// Opens pages and shows each under its path.
    async fn opens(&mut self, paths: &[&str]) {
        for path in paths {
            self.user.opens(path).await;
            self.shows(path).await;
        }
    }

    /// Sends the form of a page and shows what comes of it.
    async fn sends(&mut self, action: &str, fields: &[(&str, &str)], name: &str) {
        self.user.sends(action, fields).await;
        self.shows(name).await;
    }

    /// Opens the page of a form and sends something wrong.
    async fn errs(&mut self, path: &str, fields: &[(&str, &str)]) {
        self.user.opens(path).await;
        self.sends(path, fields, &format!("{path}, wrong")).await;
    }

    /// Opens the page of a form and sends what is right.
    async fn succeeds(&mut self, path: &str, fields: &[(&str, &str)]) {
        self.user.opens(path).await;
        self.sends(path, fields, &format!("{path}, done")).await;
    }
}
