//! What `docs/OPERATIONS.md` says: its commands are run as an administrator would, and what they
//! promise is looked at. `.ci/deploy` runs those that put a server in place.

use std::process::Output;

use crate::support::postgres::Cluster;
use crate::support::process::{Sandbox, ask, postgres};
use crate::support::requirement::Requirement;
use crate::support::{GOOD, TestEnv, on_both};

/// What a backup holds is for its owner alone, whatever the umask.
fn is_its_owners_alone(sandbox: &Sandbox, backup: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = std::fs::metadata(sandbox.path(backup)).expect("the backup");
    assert_eq!(file.permissions().mode() & 0o777, 0o600, "{backup}");
}

/// The program.
const DAEMUN: &str = env!("CARGO_BIN_EXE_daemun");

/// A word of each block of commands, so that a new one is not forgotten; the last is `.ci/deploy`'s.
const TRIED: [&str; 9] = [
    "changepassword",
    "check --mail",
    "VACUUM INTO",
    "install -m 600",
    "pg_dump",
    "pg_restore",
    "keys rotate",
    "keys replace",
    "systemctl restart",
];

fn page() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md");
    std::fs::read_to_string(page).expect("the page")
}

/// The blocks of a kind that hold more than variables.
fn blocks(kind: &str) -> Vec<String> {
    let (page, start) = (page(), format!("```{kind}\n"));
    let blocks = page.split(&start).skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().expect("its end").trim().to_owned());
    blocks.filter(|block| !block.lines().all(|line| line.starts_with("ROCKET_"))).collect()
}

/// Runs the block that has this word, beside the site.
fn runs(sandbox: &Sandbox, word: &str, input: &str) -> Output {
    let block = blocks("sh").into_iter().find(|block| block.contains(word)).expect(word);
    let folder = sandbox.path("").display().to_string();
    let block = block.replace("/var/lib/daemun", &folder).replace("/backup/", "backup/");
    let script = format!(
        "set -euo pipefail\n\
         umask 022\n\
         sudo() {{ shift 2; \"$@\"; }}\n\
         env() {{ while [[ $1 == *=* ]]; do shift; done; \"$@\"; }}\n\
         daemun() {{ {DAEMUN} \"$@\"; }}\n\
         mkdir -p backup\n\
         {block}\n"
    );
    sandbox.write("input", input);
    let input = std::fs::File::open(sandbox.path("input")).expect("it was written");
    let mut command = sandbox.command("bash");
    let output = command.args(["-c", &script]).stdin(input).output().expect("a shell");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{block}\n{errors}");
    output
}

fn site() -> Sandbox {
    Sandbox::new().with_a_name()
}

#[test]
fn every_documented_command_is_tested() {
    let blocks = blocks("sh");
    for block in &blocks {
        let words = TRIED.iter().filter(|word| block.contains(**word));
        assert_eq!(words.count(), 1, "{block}");
    }
    assert_eq!(blocks.len(), TRIED.len());
}

#[test]
fn every_documented_variable_is_a_setting() {
    let (page, readme) = (page(), include_str!("../../../README.md"));
    let unit = include_str!("../../../examples/daemun.service");
    let text = format!("{page}{unit}");
    let names = text.split("ROCKET_").skip(1).map(|rest| {
        let end = rest.find(|it: char| !it.is_ascii_uppercase() && it != '_');
        rest[..end.unwrap_or(rest.len())].to_lowercase()
    });
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn commands_run_beside_the_service() {
    if !Requirement::ApiClients.is_met() {
        return;
    }
    let sandbox = site();
    let server = sandbox.serves();
    assert_eq!(server.visitor().signs_up("ada@example.com", GOOD).status, 303);

    runs(&sandbox, "changepassword", "another evening by the sea\n");
    runs(&sandbox, "keys rotate", "");
    runs(&sandbox, "keys replace", "");
    runs(&sandbox, "check --mail", "");

    assert_eq!(server.visitor().logs_in("ada@example.com", GOOD).status, 422);
    let mut ada = server.visitor();
    assert_eq!(ada.logs_in("ada@example.com", "another evening by the sea").status, 303);
}

#[test]
fn a_backup_can_be_restored() {
    if !Requirement::Sqlite.is_met() {
        return;
    }
    let sandbox = site();
    let server = sandbox.serves();
    assert_eq!(server.visitor().signs_up("ada@example.com", GOOD).status, 303);
    let said = runs(&sandbox, "VACUUM INTO", "");
    assert!(said.stdout.ends_with(b"ok\n"), "{said:?}");
    is_its_owners_alone(&sandbox, "backup/daemun.db");
    assert_eq!(server.visitor().signs_up("bob@example.com", GOOD).status, 303);
    assert_eq!(server.stops().code(), Some(0));

    runs(&sandbox, "install -m 600", "");

    let server = sandbox.serves();
    assert_eq!(server.visitor().logs_in("ada@example.com", GOOD).status, 303);
    assert_eq!(server.visitor().logs_in("bob@example.com", GOOD).status, 422);
}

#[test]
fn a_backup_can_be_restored_on_postgres() {
    let Some(database) = postgres() else { return };
    if !Requirement::PostgresBackup.is_met() {
        return;
    }
    let sandbox = site().with("ROCKET_DATABASE_URL", &database);
    let server = sandbox.serves();
    assert_eq!(server.visitor().signs_up("ada@example.com", GOOD).status, 303);
    runs(&sandbox, "pg_dump", "");
    is_its_owners_alone(&sandbox, "backup/daemun.dump");
    assert_eq!(server.visitor().signs_up("bob@example.com", GOOD).status, 303);
    assert_eq!(server.stops().code(), Some(0));

    runs(&sandbox, "pg_restore", "");

    let server = sandbox.serves();
    assert_eq!(server.visitor().logs_in("ada@example.com", GOOD).status, 303);
    assert_eq!(server.visitor().logs_in("bob@example.com", GOOD).status, 422);
}

#[test]
fn a_database_made_as_documented_is_enough() {
    let Some(cluster) = Cluster::get() else { return };
    let statements = blocks("sql").join("\n");
    let statements = statements.lines().filter(|line| line.starts_with("CREATE"));
    rocket::tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        for statement in statements {
            cluster.execute(statement).await;
        }
    });
    let url = cluster.url("daemun").replace("//postgres@", "//daemun@");

    let server = site().with("ROCKET_DATABASE_URL", url).serves();

    assert_eq!(server.visitor().signs_up("ada@example.com", GOOD).status, 303);
}

#[test]
fn an_older_program_does_not_start_on_newer_tables() {
    for database in [None, postgres()] {
        let sandbox = site();
        let sandbox = match &database {
            Some(url) => sandbox.with("ROCKET_DATABASE_URL", url),
            None => sandbox,
        };
        assert_eq!(sandbox.runs(&["migrate"]).code(), Some(0));
        let database = database.unwrap_or_else(|| sandbox.database());
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES \
                     ('m9999_of_tomorrow', 0) RETURNING version";
        assert_eq!(ask(&database, newer), ["m9999_of_tomorrow"]);

        let said = sandbox.starts_serving().wait_until_ready().err().expect("it does not start");

        assert_eq!(said.code(), Some(1), "{said:?}");
        assert!(said.error_line().contains("m9999_of_tomorrow"), "{said:?}");
    }
}

#[on_both]
async fn every_documented_statement_is_valid(env: TestEnv) {
    let app = env.app().await;
    let (page, mut tried) = (page(), 0);
    let blocks = blocks("sql").join("\n");
    let lines = blocks.lines().filter(|line| line.starts_with("SELECT"));
    let spoken = page.split('`').map(|text| text.replace('\n', " "));
    let spoken = spoken
        .filter(|text| ["SELECT ", "UPDATE ", "DELETE "].iter().any(|verb| text.starts_with(verb)));
    let is_sqlite = app.ctx.db.reader().get_database_backend() == sea_orm::DbBackend::Sqlite;
    let other = if is_sqlite { "-- PostgreSQL" } else { "-- SQLite" };
    for statement in lines.map(str::to_owned).chain(spoken) {
        if !statement.contains(other) {
            app.execute(&statement).await;
            tried += 1;
        }
    }
    assert!(tried > 5, "{tried}");
}
