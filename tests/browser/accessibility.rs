//! What a checker can see of accessibility, it sees on every page: in both languages, light and
//! dark, wide and 320 pixels narrow, where nothing may scroll sideways either. And what it cannot
//! see.

use std::path::Path;

use serde_json::{Value, json};
use thirtyfour::Key;

use crate::support::{Person, Site, World, tell, walk};

/// Everything that axe knows, also what it does not look at unasked.
const LOOK: &str = "
    const done = arguments[arguments.length - 1];
    const rules = { 'target-size': { enabled: true } };
    axe.run(document, { rules, resultTypes: ['violations'] }).then(found => done(
        found.violations.map(it => it.id + ': ' + it.nodes.map(node => node.html).join(' '))
    ), done);
";

/// How far a page is wider than its window, and what sticks out.
const BURST: &str = "
    const page = document.documentElement;
    if (page.scrollWidth <= page.clientWidth) return [];
    const out = it => it.getBoundingClientRect().right > page.clientWidth;
    return [...document.querySelectorAll('body *')].filter(out).map(it => it.outerHTML.slice(0, 99));
";

fn axe() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/browser/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(path).expect("npm ci --prefix tests/browser was run")
}

async fn is_for_everybody(person: &Person<'_>, page: &str, faults: &mut Vec<String>) {
    for theme in ["light", "dark"] {
        person.prefers(theme).await;
        for width in [1280, 320] {
            person.has_a_window_of(width).await;
            let found = person.runs_to_the_end(LOOK).await;
            let burst = person.runs(BURST, Value::Null).await;
            if found != json!([]) || burst != json!([]) {
                faults.push(format!("{page}, {theme}, {width}: {found} {burst}"));
            }
        }
    }
}

fn nothing_is_found(language: &'static str) {
    tell(true, async |world| {
        let axe = axe();
        let mut faults = Vec::new();
        walk(world, language, async |person, page| {
            person.runs(&axe, Value::Null).await;
            is_for_everybody(person, page, &mut faults).await;
        })
        .await;
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}

#[test]
fn every_page_is_for_everybody_in_english() {
    nothing_is_found("en");
}

#[test]
fn every_page_is_for_everybody_in_korean() {
    nothing_is_found("ko");
}

with_and_without_scripts! {
    async fn nothing_moves_for_who_wants_no_motion(world: World) {
        let site = Site::opens();
        let ada = world.visitor(&site).await;
        ada.prefers("light").await;
        ada.opens("/").await;

        let moving = "return [...document.querySelectorAll('*')]
            .filter(it => getComputedStyle(it).transitionDuration !== '0s').length";
        assert_eq!(ada.runs(moving, Value::Null).await, json!(0));
    }
}

#[test]
fn the_focus_goes_from_the_summary_to_the_first_wrong_field() {
    tell(true, async |world| {
        let site = Site::opens();
        let ada = world.visitor(&site).await;
        ada.opens("/account/join").await;
        ada.sends("/account/join", &[("email", "x")]).await;
        assert!(ada.is_at(".summary").await);

        ada.tabs_to(".summary a[href='#email']").await;
        ada.presses(Key::Enter).await;

        assert!(ada.is_at("#email").await);
    });
}

#[test]
fn the_focus_follows_what_is_read() {
    tell(true, async |world| {
        let site = Site::opens();
        let ada = world.visitor(&site).await;
        ada.opens("/account/join").await;
        let name = "const it = document.activeElement; return it.closest('main') && it.name || ''";
        let mut fields = Vec::new();
        ada.tabs_to("main [name=email]").await;
        while !ada.is_at("main form > .button").await {
            fields.push(ada.runs(name, Value::Null).await);
            ada.presses(Key::Tab).await;
        }

        // A date is three stops, and the button that shows a password is one without a name.
        fields.dedup();
        fields.retain(|name| name != "");
        assert_eq!(
            json!(fields),
            json!(["email", "password1", "password2", "gender", "date_of_birth"])
        );
    });
}
