//! The tools of a temporary site, in the process of the bench.

use daemun::testing::clock::Clock;
use daemun::testing::config::Settings;
use daemun::testing::context::Context;
use rocket::figment::Figment;

/// The tools of a site with these settings, as its server has them. The tables are brought up to date.
pub(crate) async fn open(settings: impl IntoIterator<Item = (&'static str, String)>) -> Context {
    let settings = settings
        .into_iter()
        .fold(Figment::from(rocket::Config::default()), |figment, setting| figment.merge(setting));
    let settings = Settings::from_figment(&settings).expect("the settings are right");
    daemun::testing::app::open(settings, Clock::of_the_machine()).await.expect("the site opens")
}
