//! The dashboard: the state of the site at a glance. Each part needs its own permission.

use askama::Template;
use rocket::{Route, State, get, routes};
use time::{Duration, OffsetDateTime};

use super::audit::index as audit_log;
use super::emails;
use crate::audit;
use crate::audit::AuditSearch;
use crate::context::Context;
use crate::flows;
use crate::http::guards::Staff;
use crate::outbox;
use crate::outbox::DeliveryStatus;
use crate::types::Permission;
use crate::web::error::Error;
use crate::web::labels::with_commas;
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

/// Events and e-mails in their lists.
const LATEST: u64 = 10;

/// The size of the chart, in its own units.
const WIDTH: u64 = 600;
const HEIGHT: u64 = 150;

#[derive(Template)]
#[template(path = "admin/dashboard.html")]
struct DashboardPage {
    page: PageContext,
    /// Key and number.
    stats: Vec<(&'static str, String)>,
    days: Vec<Day>,
    /// The highest number of a day, which sets the scale of the chart.
    tallest: u64,
    events: Option<Vec<audit_log::EventRow>>,
    emails: Option<Vec<emails::EmailRow>>,
    warnings: Option<Vec<String>>,
}

/// A day in the table and in the chart.
struct Day {
    name: String,
    signups: u64,
    logins: u64,
    /// Left edges and heights of its two bars.
    bars: [(u64, u64); 2],
}

#[get("/admin")]
async fn show(
    reader: Staff,
    page: PageContext,
    rocket: &rocket::Config,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let may = |permission| reader.0.user().may(permission);
    let (stats, days, tallest) = if may(Permission::UsersView) {
        user_stats(ctx, &page).await?
    } else {
        (Vec::new(), Vec::new(), 0)
    };
    let (events, emails) = if may(Permission::AuditView) {
        let events = audit::search(&ctx.db, &AuditSearch::default(), None, LATEST).await?;
        let emails = outbox::list(&ctx.db, Some(DeliveryStatus::Failed), None, LATEST).await?;
        let emails = emails.into_iter().map(|email| emails::row(&page, email)).collect();
        let mut events = audit_log::event_rows(ctx, &page, &events).await?;
        events.iter_mut().for_each(audit_log::EventRow::hide_details);
        (Some(events), Some(emails))
    } else {
        (None, None)
    };
    let warnings = may(Permission::SettingsView).then(|| {
        // Without the mail server, for which the page would wait.
        let found = flows::system::checks::check_quickly(&ctx.settings, rocket.address);
        found.iter().map(|finding| super::settings::sentence(&page, finding)).collect()
    });
    Page::render(&DashboardPage { page, stats, days, tallest, events, emails, warnings })
}

async fn user_stats(
    ctx: &Context,
    page: &PageContext,
) -> Result<(Vec<(&'static str, String)>, Vec<Day>, u64), Error> {
    let stats = flows::admin::dashboard::stats(ctx).await?;
    let tallest = stats.days.iter().map(|(_, signups, logins)| *signups.max(logins)).max();
    // Heights are divided by it, so it is never 0.
    let tallest = tallest.unwrap_or_default().max(1);
    let wide = WIDTH / u64::try_from(stats.days.len().max(1)).unwrap_or(1);
    let days = stats.days.iter().zip(0_u64..).map(|(&(day, signups, logins), place)| {
        let bar = |times: u64, offset| (place * wide + offset, times * HEIGHT / tallest);
        Day {
            name: page.date(OffsetDateTime::UNIX_EPOCH + Duration::days(day)),
            signups,
            logins,
            bars: [bar(signups, 2), bar(logins, wide / 2 + 1)],
        }
    });
    let days = days.collect();
    let count_label = |count: u64| match count {
        flows::admin::dashboard::AT_MOST.. => {
            page.t_with("admin.dashboard.at_least", "count", with_commas(count))
        }
        _ => with_commas(count),
    };
    let stats = vec![
        ("admin.dashboard.users", count_label(stats.users)),
        ("admin.dashboard.active", count_label(stats.active)),
        ("admin.dashboard.verified", count_label(stats.verified)),
        ("admin.dashboard.new_today", count_label(stats.new_today)),
        ("admin.dashboard.sessions", count_label(stats.sessions)),
        ("admin.dashboard.failed_logins", count_label(stats.failures)),
    ];
    Ok((stats, days, tallest))
}
