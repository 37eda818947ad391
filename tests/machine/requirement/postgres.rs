//! Where this machine has the binaries of PostgreSQL; a bench asks too.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder with `initdb` in it: where Debian puts the newest, or on the path.
pub(crate) fn binaries() -> Option<PathBuf> {
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    debian.sort();
    let candidates = debian.into_iter().rev().chain(path_folders());
    let works =
        |folder: &Path, name: &str| runs(&folder.join(name).to_string_lossy(), &["--version"]);
    candidates.into_iter().find(|folder| works(folder, "initdb") && works(folder, "pg_ctl"))
}

/// The folders in which programs are looked for.
pub(crate) fn path_folders() -> Vec<PathBuf> {
    let path = environment("PATH");
    path.map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Whether a program is here and works.
pub(crate) fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "a test looks at the machine that it runs on")]
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
