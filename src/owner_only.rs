//! Files and folders that nobody but their owner may read.
//!
//! On systems without Unix modes they are as private as the place where they are made.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a folder and those above it that are missing; one that is there stays as it is.
///
/// # Errors
/// What the system says.
pub fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    if path.as_os_str().is_empty() { Ok(()) } else { builder.create(path) }
}

/// Makes a file that is not there yet, open for writing.
///
/// # Errors
/// What the system says; `AlreadyExists` when there is one.
pub fn create_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether every user of this machine may read a file. A group may be the server's own, as a container's
/// volume or a folder below `/etc` often has it.
#[cfg(unix)]
#[must_use]
pub fn is_world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

/// Whether every user of this machine may read a file; without Unix modes this is not known.
#[cfg(not(unix))]
#[must_use]
pub fn is_world_readable(_: &Path) -> bool {
    false
}
