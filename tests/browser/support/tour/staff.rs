//! What staff see: all users, one user, bulk jobs, and the audit log.

use std::fmt::Write as _;

use super::{NAME, OTHER, TOO_LONG, Tour};
use crate::support::{Site, User, eventually};

const ROOMS: [&str; 17] = [
    "/admin",
    "/admin/users",
    "/admin/users?sort=email&is_active=true",
    "/admin/users?q=nobody",
    "/admin/users?joined_from=x",
    "/admin/users/new",
    "/admin/groups",
    "/admin/groups/new",
    "/admin/groups/1",
    "/admin/groups/1/delete",
    "/admin/social",
    "/admin/social/new",
    "/admin/audit",
    "/admin/audit?actor=nobody&from=x",
    "/admin/mail",
    "/admin/mail?state=failed",
    "/admin/settings",
];

const USER: [&str; 6] = [
    "/admin/users/2",
    "/admin/users/2/deactivate",
    "/admin/users/2/password",
    "/admin/users/2/sessions/end",
    "/admin/users/2/verify",
    "/admin/users/2/delete",
];

pub(super) async fn walk<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>, site: &Site) {
    tour.user.logs_in("root@example.com").await;
    tour.opens(&["/admin/groups", "/admin/bulk", "/admin/users/import"]).await;
    tour.user.opens("/admin/groups/new").await;
    tour.user.clicks("[name=permissions][value='users.view']").await;
    tour.sends("/admin/groups/new", &[("name", NAME)], "/admin/groups/new, done").await;
    imports_users(tour, site).await;
    tour.opens(&ROOMS).await;
    does_something_to_many(tour).await;
    looks_after_one(tour).await;
    makes_a_colleague(tour).await;
}

/// More users than are imported at once, some of them invalid; every tenth has a long
/// name.
/// So many that they are still being brought in when the page that says so has been looked at.
const USERS: u32 = 15_000;

fn list_of_users() -> String {
    let mut list = String::from("email,name,gender,shoe_size\n");
    list.push_str("root@example.com,,,\nodd@example.com,,neither,\n");
    list.push_str(&"x,,,\n".repeat(60));
    for number in 0..USERS {
        let _ = if number % 10 == 0 {
            writeln!(list, "{number}.{OTHER},{NAME},,42")
        } else {
            writeln!(list, "person{number}@example.com,Ada Lovelace,,42")
        };
    }
    list
}

async fn imports_users<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>, site: &Site) {
    tour.errs("/admin/users/import", &[]).await;
    let list = site.keeps("admin.users.csv", &list_of_users());
    tour.user.uploads("file", &list).await;
    tour.sends("/admin/users/import", &[], "/admin/users/import, looked at").await;
    // The page would reload every two seconds, also while this test looks at it.
    tour.user.lets_nothing_go_on().await;
    tour.sends("/admin/users/import", &[], "/admin/bulk/1, running").await;
    eventually("the first are there", async || {
        tour.user.opens("/admin/users").await;
        tour.user.sees("tbody tr:nth-child(3)").await
    })
    .await;
    tour.user.opens("/admin/bulk/1").await;
    tour.user.leaves_by("main form[action$='/stop'] button").await;
    tour.shows("/admin/bulk/1, stopped").await;
}

async fn does_something_to_many<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>) {
    tour.user.opens("/admin/users").await;
    tour.user.clicks("tbody tr:nth-child(2) [type=checkbox]").await;
    tour.user.clicks("tbody tr:nth-child(3) [type=checkbox]").await;
    tour.user.clicks(".bulk option[value=deactivate]").await;
    tour.user.leaves_by(".bulk button").await;
    tour.shows("/admin/users/actions").await;
    let odd = [("reason", TOO_LONG)];
    tour.sends("/admin/users/actions", &odd, "/admin/users/actions, wrong").await;
    tour.sends("/admin/users/actions", &[("reason", NAME)], "/admin/bulk/2, done").await;
    tour.user.leaves_by("main form[action$='/undo'] button").await;
    tour.shows("/admin/bulk/3, done").await;
    tour.opens(&["/admin/bulk/2", "/admin/bulk"]).await;
}

async fn looks_after_one<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>) {
    tour.opens(&USER).await;
    tour.errs("/admin/users/2", &[("email", "x"), ("name", TOO_LONG)]).await;
    tour.errs("/admin/users/2/deactivate", &[("reason", TOO_LONG)]).await;
    tour.succeeds("/admin/users/2/deactivate", &[("reason", NAME)]).await;
    tour.opens(&["/admin/users/2/activate"]).await;
    tour.succeeds("/admin/users/2", &[("name", "Ada")]).await;
    tour.user.opens("/admin/users/2/password").await;
    tour.sends("/admin/users/2/password", &[], "/admin/users/2/password, handed out").await;
    tour.opens(&["/admin/audit?target=2"]).await;
}

async fn makes_a_colleague<L: AsyncFnMut(&User<'_>, &str)>(tour: &mut Tour<'_, L>) {
    tour.errs("/admin/users/new", &[("email", "x"), ("password1", "12345678")]).await;
    tour.errs("/admin/groups/new", &[]).await;
    tour.errs("/admin/groups/1", &[("name", TOO_LONG)]).await;
    tour.succeeds("/admin/users/new", &[("email", "invited@example.com")]).await;
}
