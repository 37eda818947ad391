//! The stages of a run, each on a server of its own. Subjects take turns with the floor, and the
//! medians count: a busy moment of the machine then spoils a turn and not the answer.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

use crate::argon;
use crate::callers::{Obtain, Question, Refresh, Tokens};
use crate::figures::Subject;
use crate::load::Drive;
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
    let drive = Drive { core: cores.map(|(_, second)| second), lasts: SECOND, every: None };
    let (root, tokens) = (Tokens::of_root(at), Tokens::obtain(at, CONNECTIONS));
    let each = |path: &str| tokens.iter().map(|it| Question::by(at, it, path)).collect::<Vec<_>>();
    let mut asked = [
        ("/health/live", vec![Question::to_anybody(at, "/health/live"); CONNECTIONS]),
        ("verify", tokens.iter().map(|it| Question::about(at, it)).collect()),
        ("forward-auth", each("/api/forward-auth")),
        ("user", each("/api/account/user")),
        ("users, a page of 50", vec![Question::by(at, &root, "/api/users"); CONNECTIONS]),
    ];
    let mut refresh: Vec<_> =
        Tokens::obtain(at, CONNECTIONS).into_iter().map(|it| Refresh::of(at, it)).collect();
    let mut calls = Calls {
        is_pinned: cores.is_some(),
        asked: asked.each_ref().map(|(name, _)| Subject::new(name)),
        refresh: Subject::new("refresh"),
    };
    drive.run(&server, asked[0].1.clone()); // warms up
    for _ in 0..7 {
        for ((_, questions), subject) in asked.iter_mut().zip(&mut calls.asked) {
            *questions = subject.turn(drive, &server, std::mem::take(questions));
        }
        refresh = calls.refresh.turn(drive, &server, refresh);
    }
    calls
}

/// Obtaining tokens on all cores, and the hash alone on all cores right before and after.
pub(crate) fn tokens(site: &Site) -> NewTokens {
    let server = site.serve(None);
    let callers = vec![Obtain::at(server.address); CONNECTIONS];
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let drive = Drive { core: None, lasts: 5 * SECOND / 2, every: None };
    let mut tokens = NewTokens { hashes: Vec::new(), obtain: Subject::new("obtain") };
    for _ in 0..5 {
        let before = argon::rate(cores, SECOND);
        tokens.obtain.turn(drive, &server, callers.clone());
        tokens.hashes.push(f64::midpoint(before, argon::rate(cores, SECOND)));
    }
    tokens
}
