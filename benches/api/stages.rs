//! The stages of a run, each on a server of its own. Subjects take turns with the floor, and the
//! medians count: a busy moment of the machine then spoils a turn and not the answer.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

use crate::api_clients::{ApiRequest, Refresh, TokenRequest, Tokens};
use crate::argon;
use crate::load::LoadRun;
use crate::measurements::Subject;
use crate::report::{Calls, NewTokens};
use crate::server::two_cores;
use crate::site::Site;

/// Connections that drive the server as hard as it goes.
const CONNECTIONS: usize = 32;

const SECOND: Duration = Duration::from_secs(1);

/// Calls and the floor under them, the server on one core and the load on another. PostgreSQL goes
/// where there is room.
pub(crate) fn calls(site: &Site) -> Calls {
    let cores = two_cores();
    let server = site.serve(cores.map(|(first, _)| first));
    let at = server.address;
    let load_run = LoadRun { core: cores.map(|(_, second)| second), lasts: SECOND, every: None };
    let (root, tokens) = (Tokens::of_root(at), Tokens::obtain(at, CONNECTIONS));
    let each =
        |path: &str| tokens.iter().map(|it| ApiRequest::by(at, it, path)).collect::<Vec<_>>();
    let mut asked = [
        ("/health/live", vec![ApiRequest::to_anybody(at, "/health/live"); CONNECTIONS]),
        ("verify", tokens.iter().map(|it| ApiRequest::about(at, it)).collect()),
        ("forward-auth", each("/api/forward-auth")),
        ("user", each("/api/account/user")),
        ("users, a page of 50", vec![ApiRequest::by(at, &root, "/api/users"); CONNECTIONS]),
    ];
    let mut refresh: Vec<_> =
        Tokens::obtain(at, CONNECTIONS).into_iter().map(|it| Refresh::of(at, it)).collect();
    let mut calls = Calls {
        is_pinned: cores.is_some(),
        asked: asked.each_ref().map(|(name, _)| Subject::new(name)),
        refresh: Subject::new("refresh"),
    };
    load_run.run(&server, asked[0].1.clone()); // warms up
    for _ in 0..7 {
        for ((_, questions), subject) in asked.iter_mut().zip(&mut calls.asked) {
            *questions = subject.turn(load_run, &server, std::mem::take(questions));
        }
        refresh = calls.refresh.turn(load_run, &server, refresh);
    }
    calls
}

/// Obtaining tokens on all cores, and the hash alone on all cores right before and after.
pub(crate) fn tokens(site: &Site) -> NewTokens {
    let server = site.serve(None);
    let callers = vec![TokenRequest::at(server.address); CONNECTIONS];
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let load_run = LoadRun { core: None, lasts: 5 * SECOND / 2, every: None };
    let mut tokens = NewTokens { hashes: Vec::new(), obtain: Subject::new("obtain") };
    for _ in 0..5 {
        let before = argon::rate(cores, SECOND);
        tokens.obtain.turn(load_run, &server, callers.clone());
        tokens.hashes.push(f64::midpoint(before, argon::rate(cores, SECOND)));
    }
    tokens
}
