//! What the checks find, with the key of its sentence.
//!
//! Holds no secrets: passwords are left out of URLs.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::crypto::HashCost;

/// One finding of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Unsafe: the site is http and others can read what is sent.
    PlainHttp,
    /// Broken: the server listens to the network, but its links lead to this machine only.
    LocalLinks,
    /// Broken: behind a proxy that is not trusted, all clients share one address and one rate
    /// limit.
    ProxyNotTrusted,
    /// Broken: what this trusted proxy says about its clients cannot be read.
    ProxyUnreadable(IpAddr),
    /// Unsafe: every client is a trusted proxy and can choose its address.
    EveryProxyTrusted,
    /// Unsafe: passwords are hashed more cheaply than recommended.
    CheapHash(HashCost),
    /// Unsafe: a file with a secret in it can be read by others.
    SecretReadable(PathBuf),
    /// Broken: there is a database without its secret key; a new one would not open it.
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
    EmailsAreFiles(PathBuf),
    /// Nothing wrong yet: the first start will make this file.
    WillBeMade(PathBuf),
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

    /// Builds the finding that something cannot be opened.
    pub(super) fn cannot_open(error: &impl std::error::Error) -> Self {
        Self::CannotOpen(one_line(error))
    }

    /// Builds the finding that the database does not open.
    pub(super) fn no_database(settings: &Settings, error: &impl std::error::Error) -> Self {
        Self::NoDatabase { url: settings.database_url.to_string(), why: one_line(error) }
    }

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

/// Returns the error as one line.
fn one_line(error: &impl std::error::Error) -> String {
    // Some errors have several lines.
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
