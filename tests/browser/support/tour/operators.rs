//! What the operator of a site sees on its first day, and every user on its worst.

use super::Tour;
use crate::support::{GOOD, Site, User, eventually};

/// A site without accounts, until its first superuser is created.
pub(super) async fn set_up<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>, site: &Site) {
    tour.opens(&["/account/join"]).await;
    tour.user.opens(&site.link_for_the_first()).await;
    tour.shows("/admin/setup").await;
    tour.sends("/admin/setup", &[("email", "x")], "/admin/setup, wrong").await;
    let first = [("email", "root@example.com"), ("password1", GOOD), ("password2", GOOD)];
    tour.sends("/admin/setup", &first, "/admin/setup, done").await;
}

/// E-mails cannot be written any more, and then the table of accounts is gone.
pub(super) async fn lose_everything<L: AsyncFnMut(&User<'_>, &str)>(
    tour: &mut Tour<'_, L>,
    site: &Site,
) {
    site.loses_its_emails();
    tour.user.opens("/admin/users/2/password").await;
    tour.user.clicks("#send").await;
    tour.user.leaves_by("main form .button:not(.danger)").await;
    eventually("an e-mail waits", async || {
        tour.user.opens("/admin/mail?state=waiting").await;
        tour.user.sees("main form[action$='/retry']").await
    })
    .await;
    tour.shows("/admin/mail?state=waiting").await;

    site.loses_its_accounts().await;
    tour.user.opens("/admin/users").await;
    tour.shows("/admin/users, broken").await;
}
