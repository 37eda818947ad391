//! What a user sees, from the sign-up to the deletion of the account.

use super::{LONG, NAME, OTHER, TOO_LONG, Tour};
use crate::support::{GOOD, NEW, Site, User};

const PAGES: [&str; 11] = [
    "/",
    "/account/mypage",
    "/account/profile",
    "/account/email/change",
    "/account/password/change",
    "/account/connections",
    "/account/sessions",
    "/account/activity",
    "/account/sudo",
    "/account/delete",
    "/admin",
];

const LOG_OUT: &str = "header form[action='/account/logout'] button";

pub(super) async fn walk<L: AsyncFnMut(&User<'_>, &str)>(
    tour: &mut Tour<'_, L>,
    site: &Site,
    laptop: &User<'_>,
) {
    tour.user.signs_up(LONG).await;
    tour.succeeds("/account/profile", &[("name", NAME)]).await;
    laptop.logs_in(LONG).await;
    tour.opens(&PAGES).await;
    tour.errs("/account/profile", &[("name", TOO_LONG)]).await;
    tour.errs("/account/password/change", &[("new_password1", "12345678")]).await;
    tour.errs("/account/email/change", &[("email", "x")]).await;
    tour.errs("/account/sudo", &[("password", "not this one")]).await;
    tour.errs("/account/delete", &[("password", "not this one")]).await;
    verifies_and_changes_the_address(tour, site).await;
    chooses_new_passwords(tour, site).await;
    leaves_and_stays(tour).await;
}

async fn verifies_and_changes_the_address<L: AsyncFnMut(&User<'_>, &str)>(
    tour: &mut Tour<'_, L>,
    site: &Site,
) {
    tour.user.opens(&site.link_to(LONG, "/account/email/verify/").await).await;
    tour.shows("/account/link, verify").await;
    tour.sends("/account/link", &[], "/account/link, verified").await;
    let change = [("email", OTHER), ("password", GOOD)];
    tour.succeeds("/account/email/change", &change).await;
    tour.user.opens(&site.link_to(OTHER, "/account/email/change/").await).await;
    tour.shows("/account/link, change").await;
    tour.sends("/account/link", &[], "/account/link, changed").await;
    tour.user.opens(&site.link_to(LONG, "/account/email/undo/").await).await;
    tour.shows("/account/link, undo").await;
    // The second browser was a new device, about which an e-mail was sent.
    tour.user.opens(&site.link_to(LONG, "/account/not-me/").await).await;
    tour.shows("/account/link, not me").await;
}

async fn chooses_new_passwords<L: AsyncFnMut(&User<'_>, &str)>(
    tour: &mut Tour<'_, L>,
    site: &Site,
) {
    let changed = [("old_password", GOOD), ("new_password1", NEW), ("new_password2", NEW)];
    tour.succeeds("/account/password/change", &changed).await;
    tour.user.leaves_by(LOG_OUT).await;
    tour.succeeds("/account/password/reset", &[("email", OTHER)]).await;
    let link = site.link_to(OTHER, "/account/password/reset/").await;
    tour.user.opens(&link).await;
    tour.shows("/account/password/new").await;
    let differing = [("new_password1", GOOD), ("new_password2", "x")];
    tour.sends("/account/password/new", &differing, "/account/password/new, wrong").await;
    let twice = [("new_password1", GOOD), ("new_password2", GOOD)];
    tour.sends("/account/password/new", &twice, "/account/password/new, done").await;
    tour.user.opens(&link).await;
    tour.shows("/account/password/new, used up").await;
}

async fn leaves_and_stays<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>) {
    tour.user.logs_in(OTHER).await;
    tour.succeeds("/account/delete", &[("password", GOOD)]).await;
    tour.user.logs_in(OTHER).await;
    tour.shows("/account/mypage, stayed").await;
    tour.user.leaves_by(LOG_OUT).await;
    tour.shows("/, logged out").await;
}
