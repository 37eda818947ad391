//! Other people's programs verify our tokens: `PyJWT`, and Django with SimpleJWT, both as they come.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::GOOD;
use crate::support::process::{Machine, PATIENCE, Running, Server, environment, not_here};

/// A Python that has what `tests/python/requirements.txt` names. Where there is none it is said.
fn python() -> Option<PathBuf> {
    let named = environment("DAEMUN_PYTHON").map(PathBuf::from);
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let candidates = named.into_iter().chain([ours, "python3".into()]);
    let has_all = |python: &PathBuf| {
        let imports = "import cryptography, django, jwt, rest_framework_simplejwt";
        let tried = Command::new(python).args(["-c", imports]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().find(has_all);
    if found.is_none() {
        not_here("PyJWT and Django", "pip install -r tests/python/requirements.txt was not run");
    }
    found
}

/// What a program of `tests/python` says of tokens, a line each.
fn says(machine: &Machine, server: &Server, program: &str, tokens: &[&str]) -> Vec<String> {
    let Some(python) = python() else { return Vec::new() };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(program);
    let issuer = format!("http://localhost:{}", server.port);
    let machine = machine.with("ISSUER", issuer).with("PYTHONDONTWRITEBYTECODE", "1");
    let mut command = machine.command(&python.to_string_lossy());
    command.arg(program);
    let mut running = Running::new(command);
    running.hears(&tokens.join("\n"));
    let said = running.ends(PATIENCE);
    assert_eq!(said.code(), Some(0), "{said:#?}");
    said.output.lines().map(str::to_owned).collect()
}

/// The access and refresh tokens of somebody who joins.
fn tokens(server: &Server) -> (String, String) {
    let mut ada = server.visitor();
    assert_eq!(ada.joins("ada@example.com", GOOD).status, 303);
    (ada.cookies["access"].clone(), ada.cookies["refresh"].clone())
}

/// The same token with another signature.
fn tampered(token: &str) -> String {
    let (rest, signature) = token.rsplit_once('.').expect("a token");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{rest}.{first}{}", &signature[1..])
}

#[test]
fn pyjwt_verifies_tokens_against_the_published_keys() {
    for algorithm in ["ES256", "EdDSA"] {
        let machine = Machine::new().in_a_hurry().with("ROCKET_SIGNING_ALGORITHM", algorithm);
        let server = machine.serves();
        let (access, refresh) = tokens(&server);

        let said = says(&machine, &server, "verify.py", &[&access, &tampered(&access), &refresh]);

        if !said.is_empty() {
            let refused = ["refused InvalidSignatureError", "refused PyJWKClientError"];
            assert_eq!(said, ["is 1", refused[0], refused[1]], "{algorithm}");
        }
    }
}

#[test]
fn pyjwt_verifies_tokens_with_the_shared_keys() {
    let machine = Machine::new().in_a_hurry().with("ROCKET_SIGNING_ALGORITHM", "HS256");
    let server = machine.serves();
    let (access, refresh) = tokens(&server);
    machine.write("daemun-keys.json", machine.runs(&["keys", "show"]).output);

    let all = [access.as_str(), &tampered(&access), &refresh];
    let said = says(&machine, &server, "verify_shared.py", &all);

    if !said.is_empty() {
        assert_eq!(said, ["is 1", "refused InvalidSignatureError", "refused KeyError"]);
    }
}

#[test]
fn django_with_simplejwt_takes_tokens_as_it_comes() {
    let machine = Machine::new().in_a_hurry().with("ROCKET_CUSTOM_CLAIMS", "[email, is_staff]");
    let server = machine.serves();
    let (access, refresh) = tokens(&server);

    let all = [access.as_str(), &tampered(&access), &refresh];
    let said = says(&machine, &server, "resource_server.py", &all);

    if let [good, bad, other] = &said[..] {
        assert_eq!(good, r#"200 {"id":"1","is_staff":false,"email":"ada@example.com"}"#);
        assert!(bad.starts_with("401 ") && bad.contains("token_not_valid"), "{bad}");
        assert!(other.starts_with("401 ") && other.contains("token_not_valid"), "{other}");
    } else {
        assert!(said.is_empty(), "{said:?}");
    }
}

#[test]
fn the_code_in_the_documentation_is_the_code_that_is_tried() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let tried: String = ["verify.py", "verify_shared.py", "resource_server.py"]
        .map(|name| read(&format!("tests/python/{name}")))
        .concat();
    let page = read("docs/API.md");
    let section = page.split("\n## Verifying tokens elsewhere\n").nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("its end");
    let blocks: Vec<_> =
        section.split("```python\n").skip(1).filter_map(|it| it.split("```").next()).collect();

    assert_eq!(blocks.len(), 3, "PyJWT with published and with shared keys, and Django");
    for line in blocks.iter().flat_map(|block| block.lines()) {
        let line = line.replace("https://accounts.example.com", "");
        let is_origin = line.starts_with("ISSUER = ");
        assert!(is_origin || tried.lines().any(|other| other == line), "{line}");
    }
}
