//! Creates files and folders that only their owner may read.
//!
//! On systems without Unix modes they are as private as the folder in which they are created.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a folder and its missing parents; leaves an existing one as it is.
///
/// # Errors
/// The error of the system.
pub fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    // A relative file name without a folder has an empty parent.
    if path.as_os_str().is_empty() { Ok(()) } else { builder.create(path) }
}

/// Creates a new file, open for writing.
///
/// # Errors
/// The error of the system; `AlreadyExists` if there is one.
pub fn create_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    // At creation: a mode that is set later leaves a moment in which others can open the file.
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Returns whether every user of this machine may read a file.
#[cfg(unix)]
#[must_use]
pub fn is_world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // A group may: it is often the server's own, as on a container's volume or below `/etc`.
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

/// Returns `false`: without Unix modes this is not known.
#[cfg(not(unix))]
#[must_use]
pub fn is_world_readable(_: &Path) -> bool {
    false
}
