//! The checkup: what is unsafe or broken in the settings and in what they name.

use std::net::IpAddr;

use crate::accounts;
use crate::clock::Clock;
use crate::config::{DatabaseUrl, Settings};
use crate::crypto::Cost;
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
    /// Broken: something cannot be opened, and why.
    CannotOpen(String),
    /// Broken: the signing keys do not belong to this secret key.
    KeysSealed,
    /// Nothing wrong yet: the database file will be made at the first start.
    NoDatabaseYet(std::path::PathBuf),
    /// Nothing wrong: nobody can do everything yet.
    NoSuperuser,
}

impl Finding {
    /// Whether it has to be mended, rather than known.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        !matches!(self, Self::NoDatabaseYet(_) | Self::NoSuperuser)
    }
}

/// Looks at everything. `listens_on` is the address that the server binds.
pub async fn examine(settings: &Settings, listens_on: IpAddr, clock: Clock) -> Vec<Finding> {
    let mut found = of_settings(settings, listens_on);
    found.extend(of_secret_file(settings));
    if let DatabaseUrl::Sqlite(path) = &settings.database_url
        && !path.exists()
    {
        found.push(Finding::NoDatabaseYet(path.clone()));
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
    let path = settings.data_dir.join("secret_key");
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    (settings.secret_key.is_none() && mode & 0o077 != 0).then_some(Finding::SecretReadable(path))
}

#[cfg(not(unix))]
fn of_secret_file(_: &Settings) -> Option<Finding> {
    None
}

async fn of_database(ctx: &Ctx) -> Vec<Finding> {
    if let Err(error) = ctx.db.migrate().await {
        return vec![cannot_open(&error)];
    }
    let keys = match keys::load(ctx).await {
        Ok(()) => None,
        Err(KeysError::Sealed(_)) => Some(Finding::KeysSealed),
        Err(error) => Some(cannot_open(&error)),
    };
    let superuser = match ctx.db.begin().await {
        Ok(transaction) => match accounts::has_superuser(&transaction).await {
            Ok(true) => None,
            Ok(false) => Some(Finding::NoSuperuser),
            Err(error) => Some(cannot_open(&error)),
        },
        Err(error) => Some(cannot_open(&error)),
    };
    keys.into_iter().chain(superuser).collect()
}

/// The error as one line, whatever its sources say.
fn cannot_open(error: &impl std::error::Error) -> Finding {
    Finding::CannotOpen(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
}
