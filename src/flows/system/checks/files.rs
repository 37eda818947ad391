//! Checks the files: the secret key, the SQLite file, and who may read files that hold a secret.
//!
//! Creates none of them.

use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::config::{DatabaseUrl, Settings};
use crate::crypto::SecretKey;
use crate::owner_only;

/// Returns the files with a secret in them that every user of the machine can read. The program
/// does not start while there is one.
#[must_use]
pub fn readable_secrets(settings: &Settings) -> Vec<PathBuf> {
    let mut files = settings.secret_files.clone();
    if settings.secret_key.is_none() {
        files.push(SecretKey::file_in(&settings.data_dir));
    }
    files.retain(|file| owner_only::is_world_readable(file));
    files
}

/// Reports the same files, and a generated secret that the group can read.
pub(super) fn check_secret_files(settings: &Settings) -> Vec<Finding> {
    let mut files = readable_secrets(settings);
    let generated = SecretKey::file_in(&settings.data_dir);
    // The program created it for the server alone; a file of the operator may be for a group.
    if settings.secret_key.is_none() && is_shared(&generated) && !files.contains(&generated) {
        files.push(generated);
    }
    files.into_iter().map(Finding::SecretReadable).collect()
}

/// Checks whether the secret and the SQLite file exist, and if not, whether they can be created.
pub(super) fn check_files(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let secret = SecretKey::file_in(&settings.data_dir);
    let needs_secret = settings.secret_key.is_none();
    if needs_secret && secret.exists() {
        found.extend(SecretKey::read(&secret).err().map(|error| Finding::cannot_open(&error)));
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

/// Returns whether the nearest ancestor of a file that exists is a folder that can be written.
fn can_be_made(file: &Path) -> bool {
    let mut folders = file
        .ancestors()
        .skip(1)
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let nearest = folders.find_map(|folder| std::fs::symlink_metadata(folder).ok().map(|_| folder));
    let nearest = nearest.and_then(|folder| std::fs::metadata(folder).ok());
    nearest.is_some_and(|found| found.is_dir() && !found.permissions().readonly())
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
