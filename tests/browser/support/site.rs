//! The program on a machine of its own, as its operator starts it, and the e-mails that it writes.
//!
//! Knows the program from outside only: its command line, its address and its folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mail_parser::MessageParser;
use sea_orm::{ConnectionTrait as _, Database};
use tempfile::TempDir;

use super::{GOOD, eventually};

/// A site that serves until its story ends.
pub(crate) struct Site {
    folder: TempDir,
    server: Child,
    port: u16,
    /// What it said when it opened.
    greeting: mpsc::Receiver<String>,
}

impl Site {
    /// A site as it comes, where `root@example.com` may do everything.
    pub(crate) fn opens() -> Self {
        Self::with(&[])
    }

    /// The same with some settings of its own.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        makes_superuser(folder.path(), "root@example.com");
        Self::still_matches(folder, settings)
    }

    /// A site on its first day, without a superuser.
    pub(crate) fn without_anybody(settings: &[(&str, &str)]) -> Self {
        Self::still_matches(tempfile::tempdir().expect("a temporary folder"), settings)
    }

    fn still_matches(folder: TempDir, settings: &[(&str, &str)]) -> Self {
        // Between the choice of a free port and its use another process may take it.
        for _ in 0..5 {
            let port = free_port();
            if let Some((server, greeting)) = serves(folder.path(), port, settings) {
                return Self { folder, server, port, greeting };
            }
        }
        panic!("the site does not open: {}", said(folder.path()));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The link that makes the first superuser, as the terminal shows it.
    pub(crate) fn link_for_the_first(&self) -> String {
        let mut lines = std::iter::from_fn(|| self.greeting.recv_timeout(PATIENCE).ok());
        let start = self.url("/admin/setup/");
        let link = lines.find_map(|line| {
            line.split_whitespace().find(|word| word.starts_with(&start)).map(str::to_owned)
        });
        link.expect("the terminal shows it")
    }

    /// A file beside the site, for those who send files.
    pub(crate) fn keeps(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// From now on no e-mail can be written: a file stands where their folder was.
    pub(crate) fn loses_its_emails(&self) {
        let folder = self.folder.path().join("data/mail");
        // An e-mail that is just being written may bring the folder back.
        let mut places = (0..).map(|place| self.folder.path().join(format!("lost-{place}")));
        while std::fs::write(&folder, "").is_err() {
            let aside = places.next().expect("one more");
            std::fs::rename(&folder, aside).expect("a folder of e-mails");
        }
    }

    /// From now on nothing works that needs an account.
    pub(crate) async fn loses_its_accounts(&self) {
        let path = self.folder.path().join("data/daemun.db");
        let database = Database::connect(format!("sqlite://{}", path.display()));
        let database = database.await.expect("a database");
        let lose = "ALTER TABLE users RENAME TO lost";
        database.execute_unprepared(lose).await.expect("a statement");
    }

    /// The link in an e-mail to this address that begins like this, once the e-mail has come.
    pub(crate) async fn link_to(&self, email: &str, start: &str) -> String {
        let start = self.url(start);
        let mut found = None;
        eventually("an e-mail comes", async || {
            found = emails_to(self.folder.path(), email).into_iter().find_map(|text| {
                text.split_whitespace().find(|word| word.starts_with(&start)).map(str::to_owned)
            });
            found.is_some()
        })
        .await;
        found.expect("it has come")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the site said: {}", said(self.folder.path()));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The program in this folder, with nothing in its environment that no story put there. Hashing is
/// cheap: these stories are about pages.
fn daemun(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daemun"));
    command.env_clear().env("ROCKET_PASSWORD_HASH", "m=8,t=1,p=1").current_dir(folder);
    command
}

fn makes_superuser(folder: &Path, email: &str) {
    let mut command = daemun(folder);
    command.args(["createsuperuser", "--email", email]).stdin(Stdio::piped());
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, "{GOOD}").expect("it listens");
    drop(input);
    assert!(child.wait().expect("it ends").success(), "{email} is made");
}

/// `None` where it ended before it served.
fn serves(
    folder: &Path,
    port: u16,
    settings: &[(&str, &str)],
) -> Option<(Child, mpsc::Receiver<String>)> {
    let log = std::fs::File::create(folder.join("said")).expect("a file");
    let mut command = daemun(folder);
    command.arg("serve").env("ROCKET_PORT", port.to_string());
    command.envs(settings.iter().copied()).stdout(Stdio::piped()).stderr(log);
    let mut server = command.spawn().expect("the program starts");
    let mut output = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    if output.any(|line| line.is_ok_and(|line| line.contains("http"))) {
        let (says, greeting) = mpsc::channel();
        // The output has to be read to its end, also when it is not needed any more.
        thread::spawn(move || {
            output.map_while(Result::ok).for_each(|line| drop(says.send(line)));
        });
        return Some((server, greeting));
    }
    server.wait().expect("it has ended");
    None
}

fn said(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("said")).unwrap_or_default()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// The texts of the e-mails to an address that were written until now.
fn emails_to(folder: &Path, email: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder.join("data/mail")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let emails = paths.filter(|path| path.extension().is_some_and(|it| it == "eml"));
    let texts = emails.filter_map(|path| {
        let bytes = std::fs::read(path).expect("an e-mail");
        let message = MessageParser::default().parse(&bytes)?;
        let to = message.to()?.first()?.address()?;
        (to == email).then(|| message.body_text(0).expect("a text").into_owned())
    });
    texts.collect()
}

/// How long anything may take before a test gives up: much longer than it takes, also on a machine
/// that does other things at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
