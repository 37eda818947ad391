//! Other people's tools read our OpenAPI document: linters, and generators whose clients then talk to the
//! real binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::process::{CommandOutput, RunningCommand, Sandbox, Server};
use crate::support::requirement::{self, Requirement};

/// How long a generator and a compiler may take on a busy machine.
const GENERATION: Duration = Duration::from_mins(5);

/// Stores the document in a language, as the server sends it.
fn stores(sandbox: &Sandbox, server: &Server, language: &str) -> PathBuf {
    let document = server.visitor().with("Accept-Language", language).get("/api/openapi.json");
    assert_eq!(document.status, 200);
    let name = format!("openapi.{language}.json");
    sandbox.write(&name, document.text);
    sandbox.path(&name)
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn node_program(sandbox: &Sandbox, name: &str) -> Command {
    let program = requirement::node_packages().join(".bin").join(name);
    let quiet = sandbox
        .with("REDOCLY_TELEMETRY", "off")
        .with("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        .with("HOME", sandbox.path("").display());
    quiet.command(&program.to_string_lossy())
}

fn ends(command: Command) -> CommandOutput {
    let said = RunningCommand::new(command).ends(GENERATION);
    assert_eq!(said.code(), Some(0), "{said:#?}");
    said
}

#[test]
fn spectral_has_nothing_to_say() {
    if !Requirement::OpenapiTools.is_met() {
        return;
    }
    let sandbox = Sandbox::new().with_cheap_hashing();
    let server = sandbox.serves();
    for language in ["en", "ko"] {
        let document = stores(&sandbox, &server, language);
        let mut spectral = node_program(&sandbox, "spectral");
        spectral.args(["lint", "--fail-severity", "hint", "--ruleset"]);
        spectral.arg(project("tests/node/spectral.yaml")).arg(document);

        ends(spectral);
    }
}

#[test]
fn redocly_has_nothing_to_say() {
    if !Requirement::OpenapiTools.is_met() {
        return;
    }
    let sandbox = Sandbox::new().with_cheap_hashing();
    let server = sandbox.serves();
    for language in ["en", "ko"] {
        let document = stores(&sandbox, &server, language);
        let mut redocly = node_program(&sandbox, "redocly");
        redocly.args(["lint", "--format", "json", "--config"]);
        redocly.arg(project("tests/node/redocly.yaml")).arg(document);

        let said = ends(redocly);

        // Warnings alone do not fail it.
        let report: serde_json::Value = serde_json::from_str(&said.output).expect("a report");
        assert_eq!(report["problems"], serde_json::json!([]), "{said:#?}");
    }
}

#[test]
fn typescript_clients_sign_up_log_in_refresh_and_read_the_user() {
    if !Requirement::OpenapiTools.is_met() {
        return;
    }
    let sandbox = Sandbox::new().with_cheap_hashing();
    let server = sandbox.serves();
    let document = stores(&sandbox, &server, "en");
    for generator in ["openapi_typescript", "hey_api", "orval"] {
        let origin = format!("http://localhost:{}", server.port);
        let mut node = sandbox.with("ORIGIN", origin).command("node");
        node.arg(project("tests/node/clients.js")).arg(generator).arg(&document);
        node.arg(sandbox.path(generator));

        let said = ends(node);

        let name = generator.replace('_', "-");
        let expected = format!("{name}@example.com female\n401 no_active_account\n");
        assert_eq!(said.output, expected, "{said:#?}");
    }
}

#[test]
fn a_python_client_signs_up_logs_in_refreshes_and_reads_the_user() {
    if !Requirement::PythonClient.is_met() {
        return;
    }
    let python = requirement::python_with("openapi_python_client").expect("it was asked for");
    let sandbox = Sandbox::new().with_cheap_hashing();
    let server = sandbox.serves();
    let document = stores(&sandbox, &server, "en");
    let origin = format!("http://localhost:{}", server.port);
    let sandbox = sandbox.with("ORIGIN", origin).with("PYTHONDONTWRITEBYTECODE", "1");
    let mut program = sandbox.command(&python.to_string_lossy());
    program.arg(project("tests/python/generated_client.py")).arg(document);
    program.arg(sandbox.path("clients"));

    let said = ends(program);

    assert_eq!(
        said.output, "python-client@example.com female\n401 no_active_account\n",
        "{said:#?}"
    );
}
