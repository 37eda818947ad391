//! What changes where users may log in with an account at a provider.

use super::{NAME, Tour};
use crate::support::User;

const PAGES: [&str; 4] =
    ["/admin/social", "/admin/social/1", "/account/connections", "/account/sudo"];

/// As long as a name in addresses gets.
const SLUG: &str = "a-name-as-long-as-a-name-in-urls-may-be";

const WAYS_IN: [&str; 2] = ["/account/login", "/account/join"];

pub(super) async fn walk<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>) {
    tour.errs("/admin/social/new", &[]).await;
    for slug in ["one", SLUG] {
        tour.user.opens("/admin/social/new").await;
        let fields = [("slug", slug), ("name", NAME), ("client_id", "us")];
        tour.sends("/admin/social/new", &fields, &format!("/admin/social/new, {slug}")).await;
    }
    for path in PAGES {
        tour.user.opens(path).await;
        tour.shows(&format!("{path}, with providers")).await;
    }
    tour.user.leaves_by("header form[action='/account/logout'] button").await;
    for path in WAYS_IN {
        tour.user.opens(path).await;
        tour.shows(&format!("{path}, with providers")).await;
    }
    tour.user.logs_in("root@example.com").await;
}
