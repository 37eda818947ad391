//! The checkup: what is unsafe or broken in the settings and in what they name.

use std::net::IpAddr;

use crate::accounts;
use crate::clock::Clock;
use crate::config::{DatabaseUrl, Settings};
use crate::crypto::{Cost, MasterKey};
use crate::ctx::Ctx;
use crate::keys::{self, KeysError};

/// One thing that the checkup found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Unsafe: the site is http and others can read what is sent.
    PlainHttp,
    /// Broken: the server listens to the network, but its links lead to this machine only.
    LocalLinks,
    /// Broken: behind a proxy that is not trusted, everybody shares one address and one throttle.
    ProxyNotTrusted,
    /// Unsafe: everybody is a trusted proxy and may choose an address.
    EverybodyTrusted,
    /// Unsafe: passwords are hashed more cheaply than recommended.
    CheapHash(Cost),
    /// Unsafe: the secret key can be read by others.
    SecretReadable(std::path::PathBuf),
    /// Broken: there is a database and its secret key is gone; a new one would not open it.
    SecretMissing(std::path::PathBuf),
    /// Broken: something cannot be opened, and why.
    CannotOpen(String),
    /// Broken: the signing keys do not belong to this secret key.
    KeysSealed,
    /// Nothing wrong yet: the database file will be made at the first start.
    NoDatabaseYet(std::path::PathBuf),
    /// Nothing wrong yet: the next start, or `daemun migrate`, brings the tables up to date.
    TablesOutdated,
    /// Nothing wrong: nobody can do everything yet.
    NoSuperuser,
}

impl Finding {
    /// Whether it has to be mended, rather than known.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        !matches!(self, Self::NoDatabaseYet(_) | Self::TablesOutdated | Self::NoSuperuser)
    }
}

/// Looks at everything and changes nothing. `listens_on` is the address that the server binds.
pub async fn examine(settings: &Settings, listens_on: IpAddr, clock: Clock) -> Vec<Finding> {
    let mut found = of_settings(settings, listens_on);
    found.extend(of_secret_file(settings));
    if let DatabaseUrl::Sqlite(path) = &settings.database_url
        && !path.exists()
    {
        found.push(Finding::NoDatabaseYet(path.clone()));
        return found;
    }
    let secret = MasterKey::file_in(&settings.data_dir);
    if settings.secret_key.is_none() && !secret.exists() {
        found.push(Finding::SecretMissing(secret));
        return found;
    }
    match Ctx::open(settings.clone(), clock).await {
        Ok(ctx) => {
            found.extend(of_database(&ctx).await);
            ctx.db.close().await;
        }
        Err(error) => found.push(cannot_open(&error)),
    }
    found
}

fn of_settings(settings: &Settings, listens_on: IpAddr) -> Vec<Finding> {
    let url = &settings.public_url;
    let trusts_everybody = settings.trusted_proxies.iter().any(|net| net.prefix_len() == 0);
    let is_behind_proxy = url.is_https() && listens_on.is_loopback();
    let recommended = Cost::default();
    let cost = settings.password_hash;
    let is_cheap = cost.memory < recommended.memory || cost.passes < recommended.passes;
    [
        (!url.is_https() && !url.is_loopback()).then_some(Finding::PlainHttp),
        (url.is_loopback() && !listens_on.is_loopback()).then_some(Finding::LocalLinks),
        (is_behind_proxy && settings.trusted_proxies.is_empty())
            .then_some(Finding::ProxyNotTrusted),
        trusts_everybody.then_some(Finding::EverybodyTrusted),
        is_cheap.then_some(Finding::CheapHash(cost)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(unix)]
fn of_secret_file(settings: &Settings) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = MasterKey::file_in(&settings.data_dir);
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    (settings.secret_key.is_none() && mode & 0o077 != 0).then_some(Finding::SecretReadable(path))
}

#[cfg(not(unix))]
fn of_secret_file(_: &Settings) -> Option<Finding> {
    None
}

async fn of_database(ctx: &Ctx) -> Vec<Finding> {
    match ctx.db.is_up_to_date().await {
        Ok(true) => {}
        Ok(false) => return vec![Finding::TablesOutdated],
        Err(error) => return vec![cannot_open(&error)],
    }
    let keys = match keys::examine(ctx).await {
        Ok(()) => None,
        Err(KeysError::Sealed(_)) => Some(Finding::KeysSealed),
        Err(error) => Some(cannot_open(&error)),
    };
    let superuser = match accounts::is_there_a_superuser(&ctx.db).await {
        Ok(true) => None,
        Ok(false) => Some(Finding::NoSuperuser),
        Err(error) => Some(cannot_open(&error)),
    };
    keys.into_iter().chain(superuser).collect()
}

/// The error as one line, whatever its sources say.
fn cannot_open(error: &impl std::error::Error) -> Finding {
    Finding::CannotOpen(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
}
