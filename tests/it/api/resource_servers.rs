//! Other programs verify our tokens: `PyJWT`, and Django with SimpleJWT, both as they come.

use std::path::Path;

use crate::support::GOOD;
use crate::support::process::{PATIENCE, RunningCommand, Sandbox, Server};
use crate::support::requirement::{self, Requirement};

/// What a program of `tests/python` says of tokens, a line each.
fn says(sandbox: &Sandbox, server: &Server, program: &str, tokens: &[&str]) -> Vec<String> {
    let python = requirement::python().expect("the test has asked for it");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(program);
    let issuer = format!("http://localhost:{}", server.port);
    let sandbox = sandbox.with("ISSUER", issuer).with("PYTHONDONTWRITEBYTECODE", "1");
    let mut command = sandbox.command(&python.to_string_lossy());
    command.arg(program);
    let mut running = RunningCommand::new(command);
    running.hears(&tokens.join("\n"));
    let said = running.ends(PATIENCE);
    assert_eq!(said.code(), Some(0), "{said:#?}");
    said.output.lines().map(str::to_owned).collect()
}

/// The access and refresh tokens of a new user.
fn tokens(server: &Server) -> (String, String) {
    let mut ada = server.visitor();
    assert_eq!(ada.signs_up("ada@example.com", GOOD).status, 303);
    (ada.cookies["access"].clone(), ada.cookies["refresh"].clone())
}

/// The same token with another signature.
fn tampered(token: &str) -> String {
    let (rest, signature) = token.rsplit_once('.').expect("a token");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{rest}.{first}{}", &signature[1..])
}

#[test]
fn pyjwt_verifies_tokens_with_published_keys() {
    if !Requirement::TokenVerifiers.is_met() {
        return;
    }
    for algorithm in ["ES256", "EdDSA"] {
        let sandbox =
            Sandbox::new().with_cheap_hashing().with("ROCKET_SIGNING_ALGORITHM", algorithm);
        let server = sandbox.serves();
        let (access, refresh) = tokens(&server);

        let said = says(&sandbox, &server, "verify.py", &[&access, &tampered(&access), &refresh]);

        let refused = ["refused InvalidSignatureError", "refused PyJWKClientError"];
        assert_eq!(said, ["is 1", refused[0], refused[1]], "{algorithm}");
    }
}

#[test]
fn pyjwt_verifies_tokens_with_shared_keys() {
    if !Requirement::TokenVerifiers.is_met() {
        return;
    }
    let sandbox = Sandbox::new().with_cheap_hashing().with("ROCKET_SIGNING_ALGORITHM", "HS256");
    let server = sandbox.serves();
    let (access, refresh) = tokens(&server);
    sandbox.write("daemun-keys.json", sandbox.runs(&["keys", "show"]).output);

    let all = [access.as_str(), &tampered(&access), &refresh];
    let said = says(&sandbox, &server, "verify_shared.py", &all);

    assert_eq!(said, ["is 1", "refused InvalidSignatureError", "refused KeyError"]);
}

#[test]
fn django_with_simplejwt_accepts_tokens_unchanged() {
    if !Requirement::TokenVerifiers.is_met() {
        return;
    }
    let sandbox =
        Sandbox::new().with_cheap_hashing().with("ROCKET_CUSTOM_CLAIMS", "[email, is_staff]");
    let server = sandbox.serves();
    let (access, refresh) = tokens(&server);

    let all = [access.as_str(), &tampered(&access), &refresh];
    let said = says(&sandbox, &server, "resource_server.py", &all);

    let [good, bad, other] = &said[..] else { panic!("{said:?}") };
    assert_eq!(good, r#"200 {"id":"1","is_staff":false,"email":"ada@example.com"}"#);
    assert!(bad.starts_with("401 ") && bad.contains("token_not_valid"), "{bad}");
    assert!(other.starts_with("401 ") && other.contains("token_not_valid"), "{other}");
}

#[test]
fn the_documented_code_is_the_tested_code() {
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
