//! Checks the settings for what is unsafe or broken, and the database, files and mail server that they name.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::accounts;
use crate::clock::Clock;
use crate::config::{DatabaseUrl, MailUrl, Settings, is_trusted};
use crate::context::{Context, ContextError};
use crate::crypto::{HashCost, SecretKey};
use crate::db;
use crate::db::Db;
use crate::forwarding;
use crate::keys;
use crate::keys::KeysError;
use crate::mail::Mailer;
use crate::owner_only;

/// One finding of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Unsafe: the site is http and others can read what is sent.
    PlainHttp,
    /// Broken: the server listens to the network, but its links lead to this machine only.
    LocalLinks,
    /// Broken: behind a proxy that is not trusted, all clients share one address and one rate limit.
    ProxyNotTrusted,
    /// Broken: what this trusted proxy tells about its clients cannot be read.
    ProxyUnreadable(IpAddr),
    /// Unsafe: every client is a trusted proxy and can choose its address.
    EveryProxyTrusted,
    /// Unsafe: passwords are hashed more cheaply than recommended.
    CheapHash(HashCost),
    /// Unsafe: a file with a secret in it can be read by others.
    SecretReadable(PathBuf),
    /// Broken: there is a database and its secret key is gone; a new one would not open it.
    SecretMissing(PathBuf),
    /// Broken: the database does not open, and why.
    NoDatabase {
        /// The database, without its password.
        url: String,
        /// What it says.
        why: String,
    },
    /// Broken: something cannot be opened, and why.
    CannotOpen(String),
    /// Broken: the signing keys do not belong to this secret key.
    KeysSealed,
    /// Broken: the mail server cannot be used, and why.
    NoMail(String),
    /// Unsafe: e-mails, with their links, can be read on their way to this mail server.
    PlainMail(String),
    /// Broken: e-mails go out by a mail server, but they are from this address at this machine.
    LocalSender(String),
    /// Nothing wrong: the site is a real one, and its e-mails are only files in this folder.
    EmailsAreFiles(std::path::PathBuf),
    /// Nothing wrong yet: the first start will make this file.
    WillBeMade(std::path::PathBuf),
    /// Nothing wrong yet: the next start, or `daemun migrate`, brings the tables up to date.
    TablesOutdated,
    /// Nothing wrong: there is no superuser yet.
    NoSuperuser,
}

impl Finding {
    /// Returns whether it is a problem, rather than a note.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        !matches!(
            self,
            Self::WillBeMade(_)
                | Self::TablesOutdated
                | Self::NoSuperuser
                | Self::EmailsAreFiles(_)
        )
    }
}

impl Finding {
    /// Returns the translation key of its sentence, with the values of the placeholders.
    #[must_use]
    pub fn message(&self) -> (&'static str, Vec<(&'static str, String)>) {
        let path = |path: &Path| vec![("path", path.display().to_string())];
        match self {
            Self::PlainHttp => ("check.plain_http", vec![]),
            Self::LocalLinks => ("check.local_links", vec![]),
            Self::ProxyNotTrusted => ("check.proxy_not_trusted", vec![]),
            Self::ProxyUnreadable(proxy) => {
                ("check.proxy_unreadable", vec![("proxy", proxy.to_string())])
            }
            Self::EveryProxyTrusted => ("check.everybody_trusted", vec![]),
            Self::CheapHash(cost) => ("check.cheap_hash", vec![("cost", cost.to_string())]),
            Self::SecretReadable(file) => ("check.secret_readable", path(file)),
            Self::SecretMissing(file) => ("check.secret_missing", path(file)),
            Self::TablesOutdated => ("check.tables_outdated", vec![]),
            Self::NoDatabase { url, why } => {
                ("cli.no_database", vec![("url", url.clone()), ("why", why.clone())])
            }
            Self::CannotOpen(why) => ("cli.cannot_start", vec![("why", why.clone())]),
            Self::KeysSealed => ("check.other_secret_key", vec![]),
            Self::NoMail(why) => ("check.no_mail", vec![("why", why.clone())]),
            Self::PlainMail(server) => ("check.plain_mail", vec![("server", server.clone())]),
            Self::LocalSender(from) => ("check.local_sender", vec![("from", from.clone())]),
            Self::EmailsAreFiles(folder) => ("check.emails_are_files", path(folder)),
            Self::WillBeMade(file) => ("check.file_not_created_yet", path(file)),
            Self::NoSuperuser => ("check.no_superuser", vec![]),
        }
    }
}

/// Checks what needs neither the database nor the mail server.
#[must_use]
pub fn check_quickly(settings: &Settings, listens_on: IpAddr) -> Vec<Finding> {
    let mut found = check_settings(settings, listens_on);
    found.extend(check_secret_files(settings));
    found
}

/// Looks at everything that [`check_all`] looks at, from inside of a running Daemun.
pub async fn check_running(ctx: &Context, listens_on: IpAddr) -> Vec<Finding> {
    let mut found = check_quickly(&ctx.settings, listens_on);
    found.extend(check_mail(&ctx.settings).await);
    found.extend(check_database(ctx).await);
    found
}

/// Looks at everything and changes nothing. `listens_on` is the address that the server binds.
pub async fn check_all(settings: &Settings, listens_on: IpAddr, clock: Clock) -> Vec<Finding> {
    let mut found = check_settings(settings, listens_on);
    found.extend(check_mail(settings).await);
    found.extend(check_secret_files(settings));
    let of_files = check_files(settings);
    if !of_files.is_empty() {
        found.extend(of_files);
        if matches!(settings.database_url, DatabaseUrl::Postgres(_)) {
            found.extend(check_remote_database(settings).await);
        }
        return found;
    }
    match Context::open(settings.clone(), clock).await {
        Ok(ctx) => {
            found.extend(check_database(&ctx).await);
            ctx.db.close().await;
        }
        Err(ContextError::Database(error)) => found.push(no_database(settings, &error)),
        Err(error) => found.push(cannot_open(&error)),
    }
    found
}

/// Looks at a database that is not a file where the secret key is not there yet, or is no key: none is
/// made for it.
async fn check_remote_database(settings: &Settings) -> Vec<Finding> {
    let db = match Db::open(&settings.database_url).await {
        Ok(db) => db,
        Err(error) => return vec![no_database(settings, &error)],
    };
    let found = match db.is_up_to_date().await {
        Ok(true) => match accounts::has_superuser(&db).await {
            Ok(true) => None,
            Ok(false) => Some(Finding::NoSuperuser),
            Err(error) => Some(cannot_open(&error)),
        },
        Ok(false) => Some(Finding::TablesOutdated),
        Err(error) => Some(no_database(settings, &error)),
    };
    db.close().await;
    found.into_iter().collect()
}

/// The secret and the SQLite file: whether they are there, and if not, whether they can be made.
fn check_files(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let secret = SecretKey::file_in(&settings.data_dir);
    let needs_secret = settings.secret_key.is_none();
    if needs_secret && secret.exists() {
        found.extend(SecretKey::read(&secret).err().map(|error| cannot_open(&error)));
    } else if needs_secret && !can_be_made(&secret) {
        found.push(Finding::CannotOpen(format!("{}: cannot be made", secret.display())));
    }
    let DatabaseUrl::Sqlite(path) = &settings.database_url else {
        let is_fresh = found.is_empty() && needs_secret && !secret.exists();
        found.extend(is_fresh.then_some(Finding::WillBeMade(secret)));
        return found;
    };
    if path.exists() {
        if needs_secret && !secret.exists() {
            found.push(Finding::SecretMissing(secret));
        }
    } else if can_be_made(path) {
        found.push(Finding::WillBeMade(path.clone()));
    } else {
        let url = settings.database_url.to_string();
        found.push(Finding::NoDatabase { url, why: "cannot be made".into() });
    }
    found
}

/// Whether the nearest thing on the way to a file that exists is a folder that can be written.
fn can_be_made(file: &Path) -> bool {
    let mut folders = file
        .ancestors()
        .skip(1)
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let nearest = folders.find_map(|folder| std::fs::symlink_metadata(folder).ok().map(|_| folder));
    let nearest = nearest.and_then(|folder| std::fs::metadata(folder).ok());
    nearest.is_some_and(|found| found.is_dir() && !found.permissions().readonly())
}

fn check_settings(settings: &Settings, listens_on: IpAddr) -> Vec<Finding> {
    let url = &settings.public_url;
    let trusts_everybody = settings.trusted_proxies.iter().any(|net| net.prefix_len() == 0);
    let unreadable_proxy = forwarding::unreadable_proxy(&settings.data_dir)
        .filter(|proxy| is_trusted(*proxy, &settings.trusted_proxies));
    // A peer on a Unix socket is trusted, and no other can connect.
    let is_on_port = settings.unix_socket.is_none();
    let is_behind_proxy = url.is_https() && listens_on.is_loopback() && is_on_port;
    let recommended = HashCost::default();
    let cost = settings.password_hash;
    let is_cheap = cost.memory < recommended.memory || cost.passes < recommended.passes;
    [
        (!url.is_https() && !url.is_loopback()).then_some(Finding::PlainHttp),
        (url.is_loopback() && !listens_on.is_loopback() && is_on_port)
            .then_some(Finding::LocalLinks),
        (is_behind_proxy && settings.trusted_proxies.is_empty())
            .then_some(Finding::ProxyNotTrusted),
        unreadable_proxy.map(Finding::ProxyUnreadable),
        trusts_everybody.then_some(Finding::EveryProxyTrusted),
        is_cheap.then_some(Finding::CheapHash(cost)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The way of e-mails. A mail server is tried; a folder is left alone, because it is made with the
/// first e-mail.
async fn check_mail(settings: &Settings) -> Vec<Finding> {
    let server = match &settings.mail_url {
        MailUrl::File => {
            let folder = settings.data_dir.join("mail");
            let is_real = settings.public_url.is_https();
            return is_real.then_some(Finding::EmailsAreFiles(folder)).into_iter().collect();
        }
        MailUrl::Smtp(server) => server,
    };
    // Trying things out on one machine, any sender address will do for a mail server there.
    let is_at_home = server.is_loopback() && settings.public_url.is_loopback();
    let is_local = settings.mail_from.is_local() && !is_at_home;
    let tried = match Mailer::open(settings) {
        Ok(mailer) => mailer.test().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    [
        server.is_exposed().then(|| Finding::PlainMail(server.to_string())),
        is_local.then(|| Finding::LocalSender(settings.mail_from.to_string())),
        tried.err().map(Finding::NoMail),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the files with a secret in them that every user of the machine can read; nothing starts while
/// there is one.
#[must_use]
pub fn readable_secrets(settings: &Settings) -> Vec<PathBuf> {
    let mut files = settings.secret_files.clone();
    if settings.secret_key.is_none() {
        files.push(SecretKey::file_in(&settings.data_dir));
    }
    files.retain(|file| owner_only::is_world_readable(file));
    files
}

/// The same for the checkup, which also reports a generated secret that the group can read: it was made
/// for the server alone.
fn check_secret_files(settings: &Settings) -> Vec<Finding> {
    let mut files = readable_secrets(settings);
    let generated = SecretKey::file_in(&settings.data_dir);
    if settings.secret_key.is_none() && is_shared(&generated) && !files.contains(&generated) {
        files.push(generated);
    }
    files.into_iter().map(Finding::SecretReadable).collect()
}

#[cfg(unix)]
fn is_shared(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_shared(_: &Path) -> bool {
    false
}

async fn check_database(ctx: &Context) -> Vec<Finding> {
    match ctx.db.is_up_to_date().await {
        Ok(true) => {}
        Ok(false) => return vec![Finding::TablesOutdated],
        Err(error) => {
            let error = db::connection_error(&ctx.settings.database_url).await.unwrap_or(error);
            return vec![no_database(&ctx.settings, &error)];
        }
    }
    let keys = match keys::check(ctx).await {
        Ok(()) => None,
        Err(KeysError::Sealed(_)) => Some(Finding::KeysSealed),
        Err(error) => Some(cannot_open(&error)),
    };
    let superuser = match accounts::has_superuser(&ctx.db).await {
        Ok(true) => None,
        Ok(false) => Some(Finding::NoSuperuser),
        Err(error) => Some(cannot_open(&error)),
    };
    keys.into_iter().chain(superuser).collect()
}

fn cannot_open(error: &impl std::error::Error) -> Finding {
    Finding::CannotOpen(one_line(error))
}

fn no_database(settings: &Settings, error: &impl std::error::Error) -> Finding {
    Finding::NoDatabase { url: settings.database_url.to_string(), why: one_line(error) }
}

/// The error as one line, whatever its sources say.
fn one_line(error: &impl std::error::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
