//! What `docs/API.md` says: its commands are run, one after the other, as a reader would.

use std::process::Output;

use crate::support::process::{PATIENCE, Sandbox, Server, ask, eventually};
use crate::support::requirement::Requirement;

/// The program.
const DAEMUN: &str = env!("CARGO_BIN_EXE_daemun");

/// The commands of the page, block by block.
fn blocks() -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/API.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let blocks = page.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().expect("its end").to_owned()).collect()
}

/// A reader at a terminal beside the server: what a block has put into a variable is there in the
/// next one, and any answer but a success is noticed.
struct Reader {
    sandbox: Sandbox,
    place: String,
}

impl Reader {
    fn runs(&self, block: &str) -> Output {
        let block = block.replace("http://localhost:8000", &self.place);
        let script = format!(
            "set -euo pipefail\n\
             curl() {{ command curl --silent --show-error --fail-with-body \"$@\"; }}\n\
             daemun() {{ {DAEMUN} \"$@\"; }}\n\
             touch begun kept; . ./kept\n\
             {block}\n\
             set | grep -E '^(ACCESS|REFRESH|KEY|TOKEN|ID)=' >kept || true\n"
        );
        self.sandbox.command("bash").args(["-c", &script]).output().expect("a shell")
    }

    /// Waits until every e-mail has been written, so that the next one is the newest.
    fn waits_for_emails(&self) {
        let (database, sql) =
            (self.sandbox.database(), "SELECT recipient FROM outbox WHERE due_at > 0");
        assert!(eventually(PATIENCE, || ask(&database, sql).is_empty()), "e-mails are waiting");
    }

    /// The last part of the link that begins like this, out of the newest e-mail that has one, of
    /// those that `find` finds by these tests.
    fn finds(&self, link: &str, tests: &str) -> String {
        let mut found = String::new();
        let script = format!(
            "cat $(ls -t $(find data/mail -name '*.eml' {tests})) </dev/null | tr -d '\\r' | sed ':a;N;$!ba;s/=\\n//g' \
             | grep -o '{link}[A-Za-z0-9_-]*' | head -n 1"
        );
        let is_there = eventually(PATIENCE, || {
            let output = self.sandbox.command("bash").args(["-c", &script]).output();
            found = String::from_utf8(output.expect("a shell").stdout).expect("text");
            !found.trim().is_empty()
        });
        assert!(is_there, "no e-mail with {link}");
        found.trim().rsplit('/').next().expect("a last part").to_owned()
    }
}

fn place_of(server: &Server) -> String {
    let output = server.output();
    let start = output.find("http://").expect("it says where it serves");
    output[start..].split_whitespace().next().expect("a place").trim_end_matches('/').to_owned()
}

#[test]
fn every_command_of_the_api_page_works() {
    if !Requirement::ApiClients.is_met() {
        return;
    }
    let sandbox = Sandbox::new().with_cheap_hashing();
    let server = sandbox.serves();
    let reader = Reader { place: place_of(&server), sandbox };
    let blocks = blocks();
    assert!(blocks.len() > 12, "the page was found");
    for block in blocks {
        let mut block = block;
        if block.contains("$KEY") {
            block = format!("KEY={}\n{block}", reader.finds("/account/email/verify/", ""));
        }
        if block.contains("$TOKEN\\") {
            // Older e-mails have such links too; the one that was just asked for is on its way.
            let token = reader.finds("/account/password/reset/", "-newer begun");
            block = format!("TOKEN={token}\n{block}");
        }
        if block.contains("/account/password/reset ") {
            reader.waits_for_emails();
        }

        let output = reader.runs(&block);

        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\n{said}\n{errors}");
    }
}

#[test]
fn every_route_has_a_command_on_the_api_page() {
    let commands = blocks().concat();
    let routes = daemun::testing::api::routes();
    assert!(routes.len() > 15, "the routes were found");
    for route in routes {
        let path = route.uri.path().replace("<id>", "$ID").replace("<slug>", "kakao");
        let is_there = commands.lines().any(|line| {
            line.split_whitespace()
                .any(|word| word.strip_prefix("http://localhost:8000") == Some(path.as_str()))
                || line.contains(&format!("localhost:8000{path})"))
        });
        assert!(is_there, "{} {path}", route.method);
    }
}
