//! Attributes that run one test function under several conditions.
//!
//! They emit the function as it is written, so that rustfmt and editors see the body of every test,
//! and beside it a module of the same name with one `#[test]` per condition. Of the syntax they know
//! no more than the function's name: the compiler reports a wrong signature where it is written.

use std::fmt::Write as _;

use proc_macro::{TokenStream, TokenTree};

/// Runs `async fn name(…)` once per database engine: `name::on_sqlite` and `name::on_postgres`.
#[proc_macro_attribute]
pub fn on_both(_: TokenStream, function: TokenStream) -> TokenStream {
    let engine = "crate::support::env::Engine";
    let [sqlite, postgres] = ["Sqlite", "Postgres"].map(|name| format!("{engine}::{name}"));
    with_tests(function, &[("on_sqlite", &sqlite), ("on_postgres", &postgres)])
}

/// Runs `async fn name(…)` in a browser twice: `name::with_scripts` and `name::without_scripts`.
#[proc_macro_attribute]
pub fn with_and_without_scripts(_: TokenStream, function: TokenStream) -> TokenStream {
    with_tests(function, &[("with_scripts", "true"), ("without_scripts", "false")])
}

/// Adds a module of tests, each of which passes its condition to `crate::support::run_test`.
fn with_tests(mut function: TokenStream, tests: &[(&str, &str)]) -> TokenStream {
    let Some(name) = name_of(&function) else {
        return "compile_error!(\"this attribute belongs on a function\");".parse().expect("Rust");
    };
    let mut module = format!("mod {name} {{");
    for (test, condition) in tests {
        write!(
            module,
            "#[test] fn {test}() {{ crate::support::run_test({condition}, super::{name}); }}"
        )
        .expect("a string takes everything");
    }
    module.push('}');
    function.extend(module.parse::<TokenStream>().expect("Rust"));
    function
}

/// Returns the identifier after `fn`.
fn name_of(function: &TokenStream) -> Option<String> {
    let mut tokens = function.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    tokens.next().map(|name| name.to_string())
}
