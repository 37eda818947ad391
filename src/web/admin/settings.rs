//! The settings and what the checks say about them. They cannot be changed here: the
//! operator sets them.

use askama::Template;
use rocket::{Route, State, get, routes};

use crate::config::SettingSource;
use crate::context::Context;
use crate::flows;
use crate::flows::system::checks::Finding;
use crate::http::guards::ViewsSettings;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "admin/settings.html")]
struct SettingsPage {
    page: PageContext,
    settings: Vec<SettingRow>,
    /// Problems first, then notes.
    findings: Vec<(bool, String)>,
}

struct SettingRow {
    name: String,
    value: String,
    source: String,
}

#[get("/admin/settings")]
async fn show(
    reader: ViewsSettings,
    page: PageContext,
    rocket: &rocket::Config,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    tracing::info!(staff.id = reader.0.user().id.0, "staff looked at the settings");
    let settings = ctx.settings.listed.0.iter().map(|setting| SettingRow {
        name: setting.name.clone(),
        value: match (&setting.value, setting.name.as_str()) {
            (Some(value), _) => value.clone(),
            // These two are settings of Rocket.
            (None, "address") => rocket.address.to_string(),
            (None, "port") => rocket.port.to_string(),
            (None, name) => ctx.settings.default_of(name),
        },
        source: match &setting.source {
            SettingSource::Default => page.t("admin.settings.default").into_owned(),
            SettingSource::Environment => page.t("admin.settings.environment").into_owned(),
            SettingSource::File(path) => path.clone(),
        },
    });
    let settings = settings.collect();
    let mut found = flows::system::checks::check_running(ctx, rocket.address).await;
    found.sort_by_key(|finding| !finding.is_problem());
    let findings = found.iter().map(|it| (it.is_problem(), sentence(&page, it))).collect();
    Page::render(&SettingsPage { page, settings, findings })
}

/// Returns a finding in the reader's language.
pub(crate) fn sentence(page: &PageContext, finding: &Finding) -> String {
    let (key, values) = finding.message();
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    page.language().tell(key, &values)
}
