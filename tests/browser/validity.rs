//! Every page, as it is sent and as it is shown, is valid HTML: the standard's own checker
//! says so.

use std::path::Path;
use std::process::Command;

use crate::support::requirement::{self, Requirement};
use crate::support::{run_test, walk};

/// What the checker finds in the pages of a folder; nothing, where all are right.
fn findings(folder: &Path) -> String {
    let checker = requirement::html_checker();
    let said = Command::new("java").arg("-jar").arg(checker).arg("--Werror").arg(folder).output();
    let said = said.expect("java is on this machine");
    assert_eq!(said.status.success(), said.stderr.is_empty(), "{said:?}");
    String::from_utf8(said.stderr).expect("text")
}

#[test]
fn every_page_is_valid() {
    if !Requirement::HtmlChecker.is_met() {
        return;
    }
    run_test(true, async |env| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut names = Vec::new();
        let mut site = String::new();
        walk(env, "ko", async |user, page| {
            // On the first page of a site its own policy still forbids what is asked here.
            if site != user.origin() {
                site = user.origin();
                user.may_ask().await;
                user.opens(page).await;
            }
            for (how, source) in [("sent", user.source().await), ("shown", user.shown().await)] {
                let file = folder.path().join(format!("{}.html", names.len()));
                std::fs::write(file, source).expect("a file");
                names.push(format!("{page}, as {how}"));
            }
        })
        .await;
        let found = findings(folder.path());
        assert!(names.len() > 180, "the pages were found");
        assert_eq!(found, "", "of {:?}", names.iter().enumerate().collect::<Vec<_>>());
    });
}

#[test]
fn a_fault_would_be_found() {
    if !Requirement::HtmlChecker.is_met() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = "<!doctype html><html lang=en><title>x</title><p><div>y</div></p>";
    std::fs::write(folder.path().join("wrong.html"), page).expect("a file");

    assert!(findings(folder.path()).contains("wrong.html"));
}
