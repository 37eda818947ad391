//! What a checker can see of accessibility, it sees on every page: in both languages, light and
//! dark, wide and 320 pixels narrow. And what it cannot see: nothing scrolls sideways, also zoomed to
//! 200 %, nothing moves for who wants no motion, and the focus goes where the reader goes.

use serde_json::{Value, json};
use thirtyfour::Key;

use crate::support::requirement::{self, Requirement};
use crate::support::{Site, TestEnv, User, run_test, walk, with_and_without_scripts};

/// Everything that axe knows, also what it does not look at unasked.
const LOOK: &str = "
    const done = arguments[arguments.length - 1];
    const rules = { 'target-size': { enabled: true } };
    axe.run(document, { rules, resultTypes: ['violations'] }).then(found => done(
        found.violations.map(it => it.id + ': ' + it.nodes.map(node => node.html).join(' '))
    ), done);
";

/// What sticks out of a page that is wider than its window, what moves although the reader wants no
/// motion, and where the focus would go back up the page.
const HOLD: &str = "
    const page = document.documentElement;
    const all = [...document.querySelectorAll('body *')];
    const named = (why, found) => found.map(it => why + ': ' + it.outerHTML.slice(0, 99));
    const out = it => it.getBoundingClientRect().right > page.clientWidth;
    const wide = page.scrollWidth > page.clientWidth ? all.filter(out) : [];
    const moving = all.map(it => [it, getComputedStyle(it)]).filter(([, style]) =>
        style.transitionDuration !== '0s' || style.animationName !== 'none').map(([it]) => it);
    const stops = all.filter(it => it.tabIndex >= 0 && it.matches('a, button, input, select, summary'))
        .filter(it => it.checkVisibility());
    const box = it => it.getBoundingClientRect();
    const back = stops.filter((it, place) => it.tabIndex > 0
        || place > 0 && box(it).bottom <= box(stops[place - 1]).top);
    return [...named('wide', wide), ...named('moving', moving),
        ...(arguments[0] ? named('back', back) : [])];
";

/// Whether a page with something wrong begins where that is explained.
const BEGINS: &str = "
    const wrong = document.querySelector('.summary, [aria-invalid=true]');
    return !wrong || document.activeElement === wrong;
";

async fn is_world_readable(user: &User<'_>, page: &str, faults: &mut Vec<String>) {
    if user.runs(BEGINS, Value::Null).await != json!(true) {
        faults.push(format!("{page}: the focus is not where it is explained"));
    }
    for theme in ["light", "dark"] {
        user.prefers(theme).await;
        for width in [1280, 320] {
            user.has_a_window_of(width).await;
            let found = user.runs_to_the_end(LOOK).await;
            if found != json!([]) {
                faults.push(format!("{page}, {theme}, {width}: {found}"));
            }
        }
    }
    // The narrow window has one column; the other is a common one, zoomed to 200 % (WCAG 1.4.4).
    for (width, scale, has_one_column) in [(320, 1, true), (640, 2, false)] {
        user.has_a_window((width, 800), scale).await;
        let found = user.runs(HOLD, json!(has_one_column)).await;
        if found != json!([]) {
            faults.push(format!("{page}, {width}: {found}"));
        }
    }
}

fn nothing_is_found(language: &'static str) {
    if !Requirement::Axe.is_met() {
        return;
    }
    let axe = std::fs::read_to_string(requirement::axe()).expect("a script");
    run_test(true, async |env| {
        let mut faults = Vec::new();
        walk(env, language, async |user, page| {
            user.runs(&axe, Value::Null).await;
            is_world_readable(user, page, &mut faults).await;
        })
        .await;
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}

#[test]
fn every_page_is_accessible_in_english() {
    nothing_is_found("en");
}

#[test]
fn every_page_is_accessible_in_korean() {
    nothing_is_found("ko");
}

#[with_and_without_scripts]
async fn nothing_moves_for_who_wants_no_motion(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.prefers("light").await;
    ada.opens("/").await;

    let moving = "return [...document.querySelectorAll('*')]
            .filter(it => getComputedStyle(it).transitionDuration !== '0s').length";
    assert_eq!(ada.runs(moving, Value::Null).await, json!(0));
}

#[test]
fn the_focus_goes_from_the_summary_to_the_first_wrong_field() {
    run_test(true, async |env| {
        let site = Site::opens();
        let ada = env.visitor(&site).await;
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
    run_test(true, async |env| {
        let site = Site::opens();
        let ada = env.visitor(&site).await;
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
