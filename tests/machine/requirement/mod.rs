//! What tests need of the machine beside Rust, and what happens where it is missing.
//!
//! `cargo test` passes on any machine: a test that lacks something says so and is skipped. Only
//! `DAEMUN_REQUIRE_<NAME>=1` makes a missing thing fail, and `DAEMUN_REQUIRE_ALL=1` makes every missing
//! thing fail but those set to `0`. Each program is run once rather than only looked for: a stub that
//! asks its user to install the real one does not count.

mod postgres;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use postgres::runs;
pub(crate) use postgres::{environment, path_folders};

/// One thing that tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Requirement {
    Postgres,
    PostgresBackup,
    PgBouncer,
    Sqlite,
    Browser,
    Axe,
    HtmlChecker,
    Nginx,
    Caddy,
    OpenIdProvider,
    TokenVerifiers,
    OpenapiTools,
    PythonClient,
    ApiClients,
    CCompiler,
    Terminal,
    SmallDisk,
    OrdinaryUser,
}

impl Requirement {
    pub(crate) const ALL: [Self; 18] = [
        Self::Postgres,
        Self::PostgresBackup,
        Self::PgBouncer,
        Self::Sqlite,
        Self::Browser,
        Self::Axe,
        Self::HtmlChecker,
        Self::Nginx,
        Self::Caddy,
        Self::OpenIdProvider,
        Self::TokenVerifiers,
        Self::OpenapiTools,
        Self::PythonClient,
        Self::ApiClients,
        Self::CCompiler,
        Self::Terminal,
        Self::SmallDisk,
        Self::OrdinaryUser,
    ];

    /// The name after `DAEMUN_REQUIRE_`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "POSTGRES",
            Self::PostgresBackup => "POSTGRES_BACKUP",
            Self::PgBouncer => "PGBOUNCER",
            Self::Sqlite => "SQLITE",
            Self::Browser => "BROWSER",
            Self::Axe => "AXE",
            Self::HtmlChecker => "HTML_CHECKER",
            Self::Nginx => "NGINX",
            Self::Caddy => "CADDY",
            Self::OpenIdProvider => "OPENID_PROVIDER",
            Self::TokenVerifiers => "TOKEN_VERIFIERS",
            Self::OpenapiTools => "OPENAPI_TOOLS",
            Self::PythonClient => "PYTHON_CLIENT",
            Self::ApiClients => "API_CLIENTS",
            Self::CCompiler => "C_COMPILER",
            Self::Terminal => "TERMINAL",
            Self::SmallDisk => "SMALL_DISK",
            Self::OrdinaryUser => "ORDINARY_USER",
        }
    }

    /// The tests that are skipped without it.
    fn tests(self) -> &'static str {
        match self {
            Self::Postgres => "every test on PostgreSQL",
            Self::PostgresBackup => "the backup of PostgreSQL",
            Self::PgBouncer => "every test behind pgbouncer",
            Self::Sqlite => "the backup of SQLite",
            Self::Browser => "every test in a browser",
            Self::Axe => "the accessibility of every page",
            Self::HtmlChecker => "the validity of every page",
            Self::Nginx => "examples/forward-auth.nginx.conf",
            Self::Caddy => "examples/forward-auth.Caddyfile",
            Self::OpenIdProvider => "log-in with a real OpenID provider",
            Self::TokenVerifiers => "PyJWT and Django on our tokens",
            Self::OpenapiTools => {
                "the linters and generated TypeScript clients of our OpenAPI document"
            }
            Self::PythonClient => "a generated Python client of our OpenAPI document",
            Self::ApiClients => "the commands of docs/API.md and docs/OPERATIONS.md",
            Self::CCompiler => "a disk that fails",
            Self::Terminal => "the password prompts of a terminal",
            Self::SmallDisk => "a full disk",
            Self::OrdinaryUser => "a data folder without write permission",
        }
    }

    /// Why it is missing; `None` where it is there.
    fn missing(self) -> Option<&'static str> {
        let (is_there, reason) = match self {
            // PostgreSQL refuses to run as root.
            Self::Postgres => (
                postgres_binaries().is_some() && (!is_root() || runs("runuser", &["--version"])),
                "initdb and pg_ctl of PostgreSQL, or runuser for root, are not here",
            ),
            Self::PostgresBackup => (
                runs("pg_dump", &["--version"]) && runs("pg_restore", &["--version"]),
                "pg_dump and pg_restore are not here",
            ),
            Self::PgBouncer => (pgbouncer().is_some(), "pgbouncer is not here"),
            Self::Sqlite => (runs("sqlite3", &["--version"]), "sqlite3 is not here"),
            Self::Browser => (
                runs("chromium", &["--version"]) && runs("chromedriver", &["--version"]),
                "chromium and chromedriver are not here",
            ),
            Self::Axe => (axe().is_file(), "`npm ci --prefix tests/browser` was not run"),
            Self::HtmlChecker => (
                html_checker().is_file()
                    && runs("java", &["-jar", &html_checker().to_string_lossy(), "--version"]),
                "`npm ci --prefix tests/browser` was not run, or Java is not here",
            ),
            Self::Nginx => (runs("nginx", &["-v"]), "nginx is not here"),
            Self::Caddy => (runs("caddy", &["version"]), "caddy is not here"),
            Self::OpenIdProvider => (
                runs("node", &["--version"]) && node_packages().join("oidc-provider").is_dir(),
                "Node.js is not here, or `npm ci --prefix tests/node` was not run",
            ),
            Self::TokenVerifiers => (
                python().is_some(),
                "no Python with the packages of tests/python/requirements.txt is here",
            ),
            Self::OpenapiTools => (
                runs("node", &["--version"])
                    && ["@redocly/cli", "@stoplight/spectral-cli", "@hey-api/openapi-ts", "orval"]
                        .iter()
                        .all(|package| node_packages().join(package).is_dir()),
                "Node.js is not here, or `npm ci --prefix tests/node` was not run",
            ),
            Self::PythonClient => (
                python_with("openapi_python_client").is_some(),
                "no Python with the packages of tests/python/requirements.txt is here",
            ),
            Self::ApiClients => (
                runs("bash", &["--version"]) && runs("curl", &["--version"]),
                "bash and curl are not here",
            ),
            Self::CCompiler => (
                cfg!(target_os = "linux") && runs("cc", &["--version"]),
                "a C compiler for Linux is not here",
            ),
            Self::Terminal => (is_util_linux(), "script(1) of util-linux is not here"),
            Self::SmallDisk => (can_mount(), "this user may not mount a file system"),
            Self::OrdinaryUser => (!is_root(), "root may write everywhere"),
        };
        (!is_there).then_some(reason)
    }

    /// Whether the machine has it. Where it is missing, says so once past the test runner's capture.
    ///
    /// # Panics
    /// Where it is missing and required.
    pub(crate) fn is_met(self) -> bool {
        static KNOWN: Mutex<BTreeMap<Requirement, Option<&str>>> = Mutex::new(BTreeMap::new());
        let (missing, is_new) = {
            let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let is_new = !known.contains_key(&self);
            (*known.entry(self).or_insert_with(|| self.missing()), is_new)
        };
        let Some(reason) = missing else { return true };
        assert!(!self.is_required(), "DAEMUN_REQUIRE_{} is set, and {reason}", self.name());
        if is_new {
            say(&format!("SKIPPED: {}, because {reason}", self.tests()));
        }
        false
    }

    fn is_required(self) -> bool {
        let wanted = required();
        wanted.get(self.name()).or_else(|| wanted.get("ALL")).copied().unwrap_or(false)
    }
}

/// What the environment requires (`true`) and what it excepts from `ALL` (`false`), by name.
///
/// # Panics
/// Where a name is none: a misspelt requirement would require nothing.
fn required() -> BTreeMap<String, bool> {
    let wanted: BTreeMap<_, _> =
        variables("DAEMUN_REQUIRE_").map(|(name, value)| (name, value != "0")).collect();
    let names = Requirement::ALL.map(Requirement::name);
    for name in wanted.keys() {
        let is_known = name == "ALL" || names.contains(&name.as_str());
        assert!(is_known, "there is no DAEMUN_REQUIRE_{name}; there are ALL, {}", names.join(", "));
    }
    wanted
}

/// Writes a line past the test runner's capture.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn in_this_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The accessibility checker's script.
pub(crate) fn axe() -> PathBuf {
    in_this_project("tests/browser/node_modules/axe-core/axe.min.js")
}

/// The standard's own checker of HTML.
pub(crate) fn html_checker() -> PathBuf {
    in_this_project("tests/browser/node_modules/vnu-jar/build/dist/vnu.jar")
}

/// The packages of `tests/node`.
pub(crate) fn node_packages() -> PathBuf {
    in_this_project("tests/node/node_modules")
}

/// The folder with PostgreSQL's binaries.
pub(crate) fn postgres_binaries() -> Option<PathBuf> {
    postgres::binaries()
}

/// pgbouncer: on the path, or where Debian puts what is no command of users.
pub(crate) fn pgbouncer() -> Option<PathBuf> {
    let folders = path_folders().into_iter().chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let works = |binary: &PathBuf| runs(&binary.to_string_lossy(), &["--version"]);
    folders.map(|folder| folder.join("pgbouncer")).find(works)
}

/// A Python that has what `tests/python/requirements.txt` names.
pub(crate) fn python() -> Option<PathBuf> {
    python_with("cryptography, django, jwt, rest_framework_simplejwt")
}

/// A Python that has these modules.
pub(crate) fn python_with(modules: &str) -> Option<PathBuf> {
    let named = environment("DAEMUN_PYTHON").map(PathBuf::from);
    let ours = in_this_project("target/python/bin/python");
    let imports = format!("import {modules}");
    named
        .into_iter()
        .chain([ours, "python3".into()])
        .find(|python| runs(&python.to_string_lossy(), &["-c", &imports]))
}

fn is_util_linux() -> bool {
    let version = Command::new("script").arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("util-linux"))
}

fn can_mount() -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let path = folder.path().to_string_lossy();
    let mounted = runs("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs", &path]);
    mounted && runs("umount", &[&path])
}

/// Whether this process may do everything on this machine.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// The environment's variables that begin like this, by the rest of their names.
#[expect(clippy::disallowed_methods, reason = "a test looks at the machine that it runs on")]
fn variables(prefix: &str) -> impl Iterator<Item = (String, String)> {
    std::env::vars()
        .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?.into(), value)))
}
