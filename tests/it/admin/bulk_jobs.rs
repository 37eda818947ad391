//! Bulk jobs: one action on many users.

use std::time::Duration;

use daemun::testing::clock::to_micros;
use daemun::testing::flows;
use daemun::testing::types::Permission;
use daemun::testing::worker;
use futures::future::{join, join_all};

use crate::support::{App, Browser, Page, StoredUser, TestEnv, on_both};

const LOOK: &str = "/admin/users/actions";
const BULK: &str = "/admin/bulk";

/// Selects users and previews the action.
pub(crate) async fn looks(
    browser: &mut Browser<'_>,
    action: &str,
    selection: &[(&str, &str)],
) -> Page {
    let fields = [&[("action", action)], selection].concat();
    browser.submits(LOOK, &fields).await
}

/// Sends the page that shows what would come of it, as it stands, with more fields.
pub(crate) async fn orders(browser: &mut Browser<'_>, page: &Page, more: &[(&str, &str)]) -> Page {
    let html = page.html();
    let hidden = scraper::Selector::parse(".panel form.narrow input[type=hidden]").expect("css");
    let mut fields = Vec::new();
    for input in html.select(&hidden) {
        let attribute = |name| input.value().attr(name).unwrap_or_default().to_owned();
        fields.push((attribute("name"), attribute("value")));
    }
    fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    browser.post(LOOK, &fields).await
}

/// Does it, and gives back the page on which it is followed.
pub(crate) async fn does(
    browser: &mut Browser<'_>,
    action: &str,
    selection: &[(&str, &str)],
) -> String {
    let page = looks(browser, action, selection).await;
    assert_eq!(page.status(), 200, "{}", page.text());
    let answer = orders(browser, &page, &[]).await;
    answer.location().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

/// What the page says of itself: the state, and the figures in their order.
async fn figures(browser: &mut Browser<'_>, path: &str) -> (String, Vec<String>) {
    let page = browser.get(path).await;
    assert_eq!(page.status(), 200);
    (page.texts(".lead").concat(), page.texts(".facts dd"))
}

/// Inserts users called `p1@example.com` and so on, past the sign-up.
async fn crowd(app: &App, size: u32) {
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {size}) \
         INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
         SELECT 'p' || i || '@example.com', 'p' || i || '@example.com', 'Crowd', i, 0 FROM n"
    );
    app.execute(&sql).await;
}

async fn active(app: &App) -> i64 {
    app.query_number("SELECT COUNT(*) FROM users WHERE is_active").await
}

#[on_both]
async fn selected_users_are_suspended_with_a_reason(env: TestEnv) {
    let app = env.app().await;
    for name in ["ada", "eve", "bob"] {
        app.user(name).await;
    }
    let ids = [app.id_of("ada").await.to_string(), app.id_of("eve").await.to_string()];
    let mut root = app.superuser("root").await;

    let page = looks(&mut root, "deactivate", &[("id", &ids[0]), ("id", &ids[1])]).await;
    assert_eq!((page.status(), page.texts(".lead")), (200, vec!["2 users".to_owned()]));
    assert_eq!(page.texts(".sample li"), ["ada@example.com", "eve@example.com"]);
    assert_eq!(
        (active(&app).await, app.audit_event_count("deactivated").await),
        (4, 0),
        "only looked at"
    );
    let why = [("reason", "Spam"), ("until", "2026-03-09")];
    let answer = orders(&mut root, &page, &why).await;

    let path = answer.location().expect("ordered").to_owned();
    let (state, numbers) = figures(&mut root, &path).await;
    assert_eq!((state.as_str(), &numbers[..2]), ("Done", &["2".to_owned(), "2".into()][..]));
    assert_eq!(
        (active(&app).await, app.active_session_count().await),
        (2, 2),
        "bob and root are left"
    );
    let recorded = "SELECT COUNT(*) FROM audit_events WHERE action = 'deactivated' AND \
        actor_id IS NOT NULL AND details LIKE '%\"reason\":\"Spam\"%' AND details LIKE '%\"bulk\":%'";
    assert_eq!(app.query_number(recorded).await, 2);
    let until = "SELECT COUNT(*) FROM users WHERE inactive_until IS NOT NULL";
    assert_eq!(app.query_number(until).await, 2);
}

#[on_both]
async fn all_matching_users_are_changed_in_batches(env: TestEnv) {
    let app = env.app().await;
    crowd(&app, 130).await;
    app.user("ada").await;
    let mut root = app.superuser("root").await;

    let selection = [("all", "true"), ("filter", "q=crowd")];
    let path = does(&mut root, "verify", &selection).await;

    let (state, numbers) = figures(&mut root, &path).await;
    let first = (state.as_str(), numbers[0].as_str(), numbers[1].as_str());
    assert_eq!(first, ("In progress", "50", "130"), "the rest is the worker's");
    crowd_of_one(&app, "late").await;
    worker::run_bulk_jobs(&app.ctx).await;
    let (state, numbers) = figures(&mut root, &path).await;
    assert_eq!((state.as_str(), numbers[0].as_str()), ("Done", "130"));
    assert_eq!(app.audit_event_count("verified_by_staff").await, 130);
    let verified = "SELECT COUNT(*) FROM users WHERE email_verified_at IS NOT NULL";
    let late = format!("{verified} AND email = 'late@example.com'");
    assert_eq!(app.query_number(&late).await, 0, "whoever came later is not meant");
}

#[on_both]
async fn a_job_can_be_undone_once_within_a_day(env: TestEnv) {
    let app = env.app().await;
    for name in ["ada", "eve", "bob", "kim"] {
        app.user(name).await;
    }
    let mut root = app.superuser("root").await;
    let mut ids = Vec::new();
    for name in ["ada", "eve", "bob", "kim"] {
        ids.push(app.id_of(name).await.to_string());
    }
    let was = [("reason", "Old story")];
    root.submits(&format!("/admin/users/{}/deactivate", ids[1]), &was).await;
    let selection: Vec<_> = ids.iter().map(|id| ("id", id.as_str())).collect();

    let path = does(&mut root, "delete", &selection).await;
    assert_eq!(active(&app).await, 1, "only root");
    root.submits(&format!("/admin/users/{}/activate", ids[2]), &[]).await;
    root.submits(&format!("/admin/users/{}/deactivate", ids[2]), &[("reason", "New")]).await;
    let answer = root.submits(&format!("{path}/undo"), &[]).await;

    let undo = answer.location().expect("undone").to_owned();
    let (state, numbers) = figures(&mut root, &undo).await;
    let found = (state.as_str(), numbers[0].as_str(), numbers[1].as_str());
    assert_eq!(found, ("Done", "3", "1"), "bob was changed since");
    assert_eq!(active(&app).await, 3, "ada, kim and root");
    let reasons = "SELECT COUNT(*) FROM users WHERE NOT is_active AND deletes_at IS NULL AND \
        inactive_reason IN ('Old story', 'New')";
    assert_eq!(app.query_number(reasons).await, 2, "eve is suspended as before, and bob as since");
    let again = root.submits(&format!("{path}/undo"), &[]).await;
    assert_eq!(again.location(), Some(path.as_str()));
    let page = root.get(&path).await;
    assert_eq!(page.attribute(".flash a", "href"), Some(undo));
    assert!(page.html().select(&scraper::Selector::parse("#undo").expect("css")).next().is_none());
    assert_eq!(app.query_number("SELECT COUNT(*) FROM bulk_jobs").await, 2);
}

#[on_both]
async fn an_undo_is_refused_after_a_day(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await.to_string();
    let mut root = app.superuser("root").await;
    let path = does(&mut root, "deactivate", &[("id", &id)]).await;
    assert_eq!(root.get(&path).await.texts("#undo").len(), 1);

    env.clock.advance(Duration::from_hours(24));
    let answer = root.submits(&format!("{path}/undo"), &[]).await;

    assert_eq!(answer.location(), Some(path.as_str()));
    assert!(root.get(&path).await.texts("#undo").is_empty());
    assert_eq!(active(&app).await, 1);
}

#[on_both]
async fn of_sixteen_undos_at_once_one_wins(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await.to_string();
    let mut root = app.superuser("root").await;
    let path = does(&mut root, "deactivate", &[("id", &id)]).await;
    let undo = format!("{path}/undo");

    let token = root.token().await;
    let mut browsers = vec![root.clone(); 16];
    let answers = join_all(browsers.iter_mut().map(|root| {
        let (undo, token) = (undo.clone(), token.clone());
        async move { root.post(&undo, &[("csrf", &token)]).await }
    }))
    .await;

    let winners = answers.iter().filter(|answer| answer.location() != Some(path.as_str()));
    assert_eq!(winners.count(), 1);
    assert_eq!(app.audit_event_count("undone_by_staff").await, 1);
}

#[on_both]
async fn own_and_higher_accounts_are_left_out(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.superuser("root").await;
    let may = [Permission::UsersView, Permission::UsersChange];
    let mut staff = app.staff("staff", &may).await;
    let mut ids = Vec::new();
    for name in ["ada", "root", "staff"] {
        ids.push(app.id_of(name).await.to_string());
    }
    let selection: Vec<_> = ids.iter().map(|id| ("id", id.as_str())).collect();

    let page = looks(&mut staff, "deactivate", &selection).await;
    assert_eq!(page.texts(".lead"), ["1 user"]);
    assert!(page.texts(".flash")[0].starts_with("2 of the selected users won't be changed"));
    let path = does(&mut staff, "deactivate", &[("all", "true"), ("filter", "")]).await;

    let (_, numbers) = figures(&mut staff, &path).await;
    assert_eq!((numbers[0].as_str(), numbers[1].as_str()), ("1", "2"));
    assert_eq!(active(&app).await, 2);
    assert_eq!(looks(&mut staff, "delete", &selection).await.status(), 403, "needs users.delete");
    assert_eq!(looks(&mut staff, "end_sessions", &selection).await.status(), 403);
    let mut blind = app.staff("blind", &[Permission::UsersChange]).await;
    assert_eq!(looks(&mut blind, "verify", &selection).await.status(), 403, "needs users.view");
    assert_eq!(blind.get(&path).await.status(), 403);
}

#[on_both]
async fn the_last_superuser_is_kept_when_two_select_all(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.superuser("ada").await;
    let mut eve = app.superuser("eve").await;
    let selection = [("all", "true"), ("filter", "")];
    let pages =
        [looks(&mut ada, "delete", &selection).await, looks(&mut eve, "delete", &selection).await];

    let ordered = (orders(&mut ada, &pages[0], &[]), orders(&mut eve, &pages[1], &[]));
    let (one, other) = join(Box::pin(ordered.0), Box::pin(ordered.1)).await;

    let answers = [one.status(), other.status()];
    assert!(
        answers.contains(&303) && answers.iter().all(|it| [303, 403].contains(it)),
        "{answers:?}"
    );
    worker::run_bulk_jobs(&app.ctx).await;
    assert_eq!(active(&app).await, 1);
    assert_eq!(app.audit_event_count("deletion_by_staff").await, 1);
}

#[on_both]
async fn a_job_stops_when_its_actor_loses_permission(env: TestEnv) {
    let app = env.app().await;
    crowd(&app, 70).await;
    let may = [Permission::UsersView, Permission::UsersChange];
    let mut staff = app.staff("staff", &may).await;
    let path = does(&mut staff, "verify", &[("all", "true"), ("filter", "q=crowd")]).await;

    app.sets_roles("staff", false, false).await;
    worker::run_bulk_jobs(&app.ctx).await;

    assert_eq!(app.audit_event_count("verified_by_staff").await, 50);
    let mut root = app.superuser("root").await;
    assert_eq!(figures(&mut root, &path).await.0, "Stopped");
}

#[on_both]
async fn a_job_can_be_stopped(env: TestEnv) {
    let app = env.app().await;
    crowd(&app, 70).await;
    let mut root = app.superuser("root").await;
    let may = [Permission::UsersView, Permission::UsersChange];
    let mut staff = app.staff("staff", &may).await;
    let path = does(&mut root, "deactivate", &[("all", "true"), ("filter", "q=crowd")]).await;

    assert_eq!(staff.submits(&format!("{path}/stop"), &[]).await.status(), 403);
    assert_eq!(root.submits(&format!("{path}/stop"), &[]).await.status(), 303);
    worker::run_bulk_jobs(&app.ctx).await;

    assert_eq!(figures(&mut root, &path).await.0, "Stopped");
    assert_eq!(app.audit_event_count("deactivated").await, 50);
    root.submits(&format!("{path}/undo"), &[]).await;
    worker::run_bulk_jobs(&app.ctx).await;
    assert_eq!(app.audit_event_count("undone_by_staff").await, 50);
}

#[on_both]
async fn nodes_running_at_once_change_each_user_once(env: TestEnv) {
    let app = env.app().await;
    let other = env.app().await;
    crowd(&app, 400).await;
    let mut root = app.superuser("root").await;
    let path = does(&mut root, "deactivate", &[("all", "true"), ("filter", "q=crowd")]).await;

    for _ in 0..20 {
        let both = join(
            flows::admin::bulk_jobs::run_next_batch(&app.ctx, &[]),
            flows::admin::bulk_jobs::run_next_batch(&other.ctx, &[]),
        );
        let (one, two) = Box::pin(both).await;
        one.expect("works");
        two.expect("works");
    }

    let (state, numbers) = figures(&mut root, &path).await;
    assert_eq!((state.as_str(), numbers[0].as_str()), ("Done", "400"));
    assert_eq!(app.audit_event_count("deactivated").await, 400);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM bulk_snapshots").await, 400);
}

#[on_both]
async fn invalid_input_is_refused(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await.to_string();
    let mut root = app.superuser("root").await;
    let many: Vec<_> = (0..501).map(|_| ("id", id.as_str())).collect();

    for (selection, sentence) in [
        (&[][..], "No users are selected"),
        (&[("id", "x")][..], "One selected account no longer exists"),
        (&[("id", "-1")][..], "One selected account no longer exists"),
        (&[("all", "true"), ("filter", "group=x")][..], "The search wasn't understood"),
        (&[("all", "true"), ("filter", "joined_from=9")][..], "The search wasn't understood"),
        (&many[..], "Too many users are selected"),
    ] {
        let page = looks(&mut root, "deactivate", selection).await;
        assert_eq!(page.status(), 422);
        assert_eq!(page.h1(), "Users");
        assert!(page.texts(".banner").concat().starts_with(sentence), "{sentence}");
    }
    assert_eq!(looks(&mut root, "promote", &[("id", &id)]).await.status(), 422);
    let page = looks(&mut root, "deactivate", &[("id", "999999")]).await;
    assert_eq!(page.texts(".lead"), ["0 users"]);
    let page = looks(&mut root, "deactivate", &[("id", &id)]).await;
    let wrong = orders(&mut root, &page, &[("until", "tomorrow"), ("reason", "a\nb")]).await;
    assert_eq!((wrong.status(), wrong.summary().len()), (422, 2), "{}", wrong.text());
    assert!(wrong.field("until").is_wrong && wrong.field("reason").is_wrong);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM bulk_jobs").await, 0);
    for path in ["/999", "/x", "/0", "/-1"] {
        assert_eq!(root.get(&format!("{BULK}{path}")).await.status(), 404, "{path}");
        for tail in ["/undo", "/stop"] {
            assert_eq!(root.submits(&format!("{BULK}{path}{tail}"), &[]).await.status(), 404);
        }
    }
}

#[on_both]
async fn a_changed_count_needs_a_new_confirmation(env: TestEnv) {
    let app = env.app().await;
    crowd(&app, 3).await;
    let mut root = app.superuser("root").await;
    let selection = [("all", "true"), ("filter", "q=crowd")];
    let page = looks(&mut root, "delete", &selection).await;
    crowd_of_one(&app, "crowdling").await;

    let again = orders(&mut root, &page, &[]).await;

    assert_eq!((again.status(), again.texts(".lead")), (422, vec!["4 users".to_owned()]));
    assert!(again.summary()[0].starts_with("The number of users has changed"));
    assert_eq!(orders(&mut root, &again, &[]).await.status(), 303);
    assert_eq!(app.audit_event_count("deletion_by_staff").await, 4);
}

#[on_both]
async fn dangerous_jobs_need_the_password(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await.to_string();
    let mut root = app.superuser("root").await;
    env.clock.advance(Duration::from_mins(11));

    let answer = looks(&mut root, "delete", &[("id", &id)]).await;
    let way = answer.location().expect("asked").to_owned();
    assert!(way.starts_with("/account/sudo?next="), "{way}");
    let harmless = looks(&mut root, "verify", &[("id", &id)]).await;
    assert_eq!(harmless.status(), 200);
    let next = url::Url::parse(&format!("http://h{way}")).expect("a URL");
    let next = next.query_pairs().next().expect("a way back").1.into_owned();
    let fields = [("password", crate::support::GOOD), ("next", next.as_str())];
    let back = root.submits("/account/sudo", &fields).await;

    assert_eq!(back.location(), Some(next.as_str()));
    let page = root.get(&next).await;
    assert_eq!((page.status(), page.texts(".lead")), (200, vec!["1 user".to_owned()]));
    assert_eq!(orders(&mut root, &page, &[]).await.status(), 303);
    assert_eq!(app.audit_event_count("deletion_by_staff").await, 1);
}

#[on_both]
async fn jobs_are_listed_for_a_month(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await.to_string();
    let mut root = app.superuser("root").await;
    let path = does(&mut root, "deactivate", &[("id", &id)]).await;

    let row = root.get(BULK).await.texts("tbody td");
    assert_eq!(&row[..3], ["Done", "1", "root@example.com"]);
    assert_eq!(
        app.query_text("SELECT payload FROM bulk_jobs").await,
        "",
        "and selection it was for is gone"
    );
    env.clock.advance(Duration::from_hours(31 * 24));
    worker::sweep_all(&app.ctx).await;

    let mut root = app.visitor();
    root.logs_in("root@example.com", crate::support::GOOD).await;
    assert_eq!(root.get(&path).await.status(), 404);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM bulk_snapshots").await, 0);
}

async fn crowd_of_one(app: &App, name: &str) {
    let created_at = to_micros(app.ctx.clock.now());
    let user =
        StoredUser { created_at, ..StoredUser::new(&format!("{name}@example.com"), "Crowd") };
    app.inserts_users([user]).await;
}
