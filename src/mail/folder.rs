//! Writes e-mails to files, for a site that has no mail server yet.
//!
//! A file is complete or does not exist, and an e-mail that is sent twice replaces its own file. Never
//! reads the files again.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::SendError;
use super::mime::file_safe;
use crate::owner_only;

/// The time in a file name: UTC, to the microsecond.
const TIMESTAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second].[subsecond digits:6]Z");

/// How many files one sweep deletes at most, so that it ends soon.
const SWEEP_LIMIT: usize = 1_000;

#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Describes a failure to write into the folder.
    pub(super) fn send_error(&self, error: &io::Error) -> SendError {
        SendError::Unreachable(format!("{}: {error}", self.0.display()))
    }

    /// Creates the folder unless it exists.
    pub(super) async fn make(&self) -> io::Result<()> {
        let path = self.0.clone();
        blocking(move || owner_only::create_dir(&path)).await
    }

    /// Writes an e-mail into the folder, which is created if necessary.
    pub(super) async fn put(
        &self,
        written_at: OffsetDateTime,
        id: &str,
        bytes: Vec<u8>,
    ) -> io::Result<()> {
        // The time first, so that names sort by it; then the id, so that no two e-mails share a file.
        let path = self.0.join(format!("{}-{}.eml", timestamp(written_at), file_safe(id)));
        blocking(move || {
            owner_only::create_dir(path.parent().unwrap_or(Path::new(".")))?;
            write_atomically(&path, &bytes)
        })
        .await
    }

    /// Deletes files that were written before an instant, unfinished ones included.
    pub(super) async fn sweep(&self, before: OffsetDateTime) -> io::Result<usize> {
        let path = self.0.clone();
        blocking(move || sweep(&path, &timestamp(before))).await
    }
}

/// Runs blocking work on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn timestamp(instant: OffsetDateTime) -> String {
    let utc = instant.to_offset(time::UtcOffset::UTC);
    utc.format(TIMESTAMP).expect("every instant in UTC can be formatted")
}

/// Writes a file that is complete or does not exist.
fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    // A rename within one folder is atomic.
    let written = write_draft(&draft, bytes).and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let made = owner_only::create_file(draft).or_else(|error| match error.kind() {
        // An earlier run of the program was stopped while it wrote this draft.
        io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(draft).and_then(|()| owner_only::create_file(draft))
        }
        _ => Err(error),
    });
    let mut file = made?;
    file.write_all(bytes)?;
    // Before the rename, or a power failure could leave the name of a file without its content.
    file.sync_all()
}

fn sweep(folder: &Path, before: &str) -> io::Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        // The folder is created with the first e-mail.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut deleted = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_old = name.to_str().and_then(timestamp_in).is_some_and(|stamp| stamp < before);
        if is_old {
            std::fs::remove_file(entry.path())?;
            deleted += 1;
        }
        if deleted == SWEEP_LIMIT {
            break;
        }
    }
    Ok(deleted)
}

/// Returns the time in the name of one of our files; `None` for any other file.
fn timestamp_in(name: &str) -> Option<&str> {
    let is_ours = Path::new(name).extension().is_some_and(|it| it == "eml" || it == "draft");
    let (stamp, _) = name.split_once('-')?;
    let is_timestamp = stamp.len() == "20260301T120000.000000Z".len() && stamp.ends_with('Z');
    (is_ours && is_timestamp).then_some(stamp)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn names(folder: &Folder) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    fn folder() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(home.path().join("data/mail"));
        (home, folder)
    }

    #[tokio::test]
    async fn names_sort_by_time_and_emails_of_one_instant_have_files_of_their_own() {
        let (_home, folder) = folder();
        for (instant, id) in
            [(NOON + Duration::from_micros(1), "a"), (NOON, "c/d"), (NOON, "b"), (NOON, "b")]
        {
            folder.put(instant, id, id.into()).await.expect("written");
        }

        assert_eq!(
            names(&folder),
            [
                "20260301T120000.000000Z-b.eml",
                "20260301T120000.000000Z-c_2fd.eml",
                "20260301T120000.000001Z-a.eml",
            ]
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_reads_emails() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_home, folder) = folder();
        folder.put(NOON, "a", b"secret".into()).await.expect("written");

        let mode =
            |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join(&names(&folder)[0])), 0o600);
    }

    #[tokio::test]
    async fn an_unfinished_draft_is_replaced_by_the_whole_email() {
        let (_home, folder) = folder();
        folder.make().await.expect("a folder");
        let draft = folder.path().join("20260301T120000.000000Z-a.draft");
        std::fs::write(&draft, "hal").expect("written");

        folder.put(NOON, "a", b"whole".into()).await.expect("written");

        let names = names(&folder);
        assert_eq!(names, ["20260301T120000.000000Z-a.eml"]);
        let content = std::fs::read(folder.path().join(&names[0])).expect("a file");
        assert_eq!(content, b"whole");
    }

    #[tokio::test]
    async fn a_sweep_deletes_old_emails_and_nothing_else() {
        let (_home, folder) = folder();
        assert_eq!(folder.sweep(NOON).await.expect("no folder is empty"), 0);
        for instant in [NOON - Duration::from_secs(1), NOON] {
            folder.put(instant, "a", Vec::new()).await.expect("written");
        }
        std::fs::write(folder.path().join("notes.eml"), "mine").expect("written");
        std::fs::write(folder.path().join("20260228T000000.000000Z-x.draft"), "").expect("written");

        assert_eq!(folder.sweep(NOON).await.expect("swept"), 2);

        assert_eq!(names(&folder), ["20260301T120000.000000Z-a.eml", "notes.eml"]);
    }

    #[tokio::test]
    async fn a_sweep_ends_soon() {
        let (_home, folder) = folder();
        folder.make().await.expect("a folder");
        for number in 0..=SWEEP_LIMIT {
            let name = format!("20260228T000000.000000Z-{number}.eml");
            std::fs::write(folder.path().join(name), "").expect("written");
        }

        assert_eq!(folder.sweep(NOON).await.expect("swept"), SWEEP_LIMIT);
        assert_eq!(folder.sweep(NOON).await.expect("swept"), 1);
    }
}
