//! A walk through every page, for those who look at pages and not at stories.

use super::{GOOD, NEW, Person, Site, World};

/// As long as an address gets, and a name without a place to break: what pages burst from.
const LONG: &str = "the.longest.local.part.that.anybody.ever.typed.into.a.sign.up@a-domain-of-considerable-length.example.com";
const NAME: &str = "김수한무거북이와두루미삼천갑자동방삭치치카포사리사리센타워리워리세브리깡";

const STRANGER: [&str; 9] = [
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

const MEMBER: [&str; 11] = [
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

const STAFF: [&str; 24] = [
    "/admin",
    "/admin/users",
    "/admin/users?q=nobody&is_active=true",
    "/admin/users/new",
    "/admin/users/import",
    "/admin/users/2",
    "/admin/users/2/deactivate",
    "/admin/users/2/password",
    "/admin/users/2/sessions/end",
    "/admin/users/2/verify",
    "/admin/users/2/delete",
    "/admin/groups",
    "/admin/groups/new",
    "/admin/groups/1",
    "/admin/groups/1/delete",
    "/admin/social",
    "/admin/social/new",
    "/admin/audit",
    "/admin/audit?actor=nobody",
    "/admin/mail",
    "/admin/mail?state=failed",
    "/admin/settings",
    "/admin/bulk",
    "/admin/bulk/1",
];

/// Goes through every page in one language and shows each to whoever looks, under a name.
pub(crate) async fn walk(
    world: World,
    language: &'static str,
    mut look: impl AsyncFnMut(&Person<'_>, &str),
) {
    let site = Site::opens();
    let person = world.reader_of(language, &site).await;
    for path in STRANGER {
        person.opens(path).await;
        look(&person, path).await;
    }
    for path in ["/account/login", "/account/join", "/account/password/reset"] {
        person.opens(path).await;
        person.sends(path, &[("email", "x")]).await;
        look(&person, &format!("{path}, wrong")).await;
    }
    as_a_member(&site, &person, &mut look).await;
    as_staff(&person, &mut look).await;
}

async fn as_a_member(
    site: &Site,
    person: &Person<'_>,
    look: &mut impl AsyncFnMut(&Person<'_>, &str),
) {
    person.joins(LONG).await;
    person.opens("/account/profile").await;
    person.sends("/account/profile", &[("name", NAME)]).await;
    for path in MEMBER {
        person.opens(path).await;
        look(person, path).await;
    }
    for path in ["/account/password/change", "/account/email/change", "/account/delete"] {
        person.opens(path).await;
        person.sends(path, &[]).await;
        look(person, &format!("{path}, wrong")).await;
    }
    person.opens(&site.link_to(LONG, "/account/email/verify/").await).await;
    look(person, "a letter's button").await;
    person.opens("/account/password/reset").await;
    person.sends("/account/password/reset", &[("email", LONG)]).await;
    person.opens(&site.link_to(LONG, "/account/password/reset/").await).await;
    look(person, "a new password").await;
    person.sends("/account/password/new", &[("new_password1", NEW), ("new_password2", "x")]).await;
    look(person, "a new password, wrong").await;
    person.leaves_by("header form[action='/account/logout'] button").await;
}

async fn as_staff(person: &Person<'_>, look: &mut impl AsyncFnMut(&Person<'_>, &str)) {
    person.tries_to_log_in("root@example.com", GOOD).await;
    person.arrives_at("/account/mypage").await;
    person.opens("/admin/groups/new").await;
    person.sends("/admin/groups/new", &[("name", NAME)]).await;
    person.opens("/admin/users").await;
    person.clicks("tbody [type=checkbox][value='2']").await;
    person.clicks(".deeds option[value=deactivate]").await;
    person.leaves_by(".deeds button").await;
    look(person, "a deed to many").await;
    person.leaves_by("form.narrow[action='/admin/users/actions'] button").await;
    for path in STAFF {
        person.opens(path).await;
        look(person, path).await;
    }
    for path in ["/admin/users/new", "/admin/groups/new", "/admin/social/new"] {
        person.opens(path).await;
        person.sends(path, &[]).await;
        look(person, &format!("{path}, wrong")).await;
    }
    with_providers(person, look).await;
}

/// Pages that have buttons of providers as soon as there are some.
async fn with_providers(person: &Person<'_>, look: &mut impl AsyncFnMut(&Person<'_>, &str)) {
    for slug in ["one", "a-name-as-long-as-a-name-in-urls-may-be"] {
        person.opens("/admin/social/new").await;
        let fields = [("slug", slug), ("name", NAME), ("client_id", "us")];
        person.sends("/admin/social/new", &fields).await;
    }
    for path in ["/admin/social", "/admin/social/1", "/account/connections", "/account/sudo"] {
        person.opens(path).await;
        look(person, &format!("{path}, with providers")).await;
    }
    person.leaves_by("header form[action='/account/logout'] button").await;
    for path in ["/account/login", "/account/join"] {
        person.opens(path).await;
        look(person, &format!("{path}, with providers")).await;
    }
}
