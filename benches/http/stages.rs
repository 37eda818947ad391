//! The stages of a run, each on a server of its own. Where figures are compared, they are taken in
//! turns and the medians count: a busy moment of the machine then spoils a turn and not the answer.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

use crate::argon;
use crate::load::{LoadRun, Samples};
use crate::measurements::Subject;
use crate::report::{Crowd, LogIns, MemoryUse, Pages};
use crate::server::{Server, two_cores};
use crate::site::Site;
use crate::users::{LogIn, LoginPage, Visit};

/// Connections that drive the server as hard as it goes.
const CONNECTIONS: usize = 32;

/// People who wait for their log-in while others look at My page.
const QUEUED: usize = 200;

/// People who wait for their log-in when memory is looked at; the queue holds 512.
const WAITING: usize = 500;

/// Longer than hashing threads keep their buffers when there is nothing to do.
const BUFFERS_ARE_BACK: Duration = Duration::from_secs(4);

const SECOND: Duration = Duration::from_secs(1);

/// How long starting takes, until `/health/ready` says so.
pub(crate) fn start(site: &Site) -> Vec<Duration> {
    (0..7).map(|_| site.serve(None).ready_after).collect()
}

/// The pages and the floor under them, the server on one core and the load on another.
pub(crate) fn pages(site: &Site) -> Pages {
    let cores = two_cores();
    let server = site.serve(cores.map(|(first, _)| first));
    let load_run = LoadRun { core: cores.map(|(_, second)| second), lasts: SECOND, every: None };
    let login_page = LoginPage::of(server.address);
    let mut live = vec![Visit::to(server.address, "/health/live"); CONNECTIONS];
    let mut home = vec![Visit::to(server.address, "/"); CONNECTIONS];
    let mut my_page = login_page.my_pages(CONNECTIONS);
    let mut token_refresh = login_page.token_refreshes(CONNECTIONS);
    let mut pages = Pages {
        is_pinned: cores.is_some(),
        live: Subject::new("/health/live"),
        home: Subject::new("/ signed out"),
        my_page: Subject::new("My page"),
        token_refresh: Subject::new("refresh"),
    };
    (_, live) = load_run.run(&server, live); // warms up
    for _ in 0..7 {
        live = pages.live.turn(load_run, &server, live);
        home = pages.home.turn(load_run, &server, home);
        my_page = pages.my_page.turn(load_run, &server, my_page);
        token_refresh = pages.token_refresh.turn(load_run, &server, token_refresh);
    }
    pages
}

/// Log-ins on all cores, and the hash alone on all cores right before and after.
pub(crate) fn log_in(site: &Site) -> LogIns {
    let server = site.serve(None);
    let users = LoginPage::of(server.address).crowd(CONNECTIONS);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let load_run = LoadRun { core: None, lasts: 5 * SECOND / 2, every: None };
    let mut log_ins =
        LogIns { cores, one: Vec::new(), all: Vec::new(), log_in: Subject::new("log-in") };
    for _ in 0..5 {
        log_ins.one.push(argon::rate(1, SECOND / 2));
        let before = argon::rate(cores, SECOND);
        log_ins.log_in.turn(load_run, &server, users.clone());
        log_ins.all.push(f64::midpoint(before, argon::rate(cores, SECOND)));
    }
    log_ins
}

/// My page at a modest pace, alone and while a crowd waits to log in.
pub(crate) fn crowd(site: &Site) -> Crowd {
    let server = site.serve(None);
    let login_page = LoginPage::of(server.address);
    let load_run =
        LoadRun { core: None, lasts: 3 * SECOND, every: Some(Duration::from_millis(10)) };
    let mut my_page = login_page.my_pages(4);
    let mut crowd = Crowd {
        alone: Subject::new("My page alone"),
        beside: Subject::new("My page beside 200"),
        log_in: Subject::new("log-in, 200 at once"),
    };
    for _ in 0..3 {
        my_page = crowd.alone.turn(load_run, &server, my_page);
        let log_in = while_logging_in(&server, login_page.crowd(QUEUED), 5 * SECOND, || {
            thread::sleep(SECOND); // the queue fills
            my_page = crowd.beside.turn(load_run, &server, std::mem::take(&mut my_page));
        });
        crowd.log_in.samples.push(log_in);
    }
    crowd
}

/// Strangers who have the dearest passwords weighed, as fast as the server does it.
pub(crate) fn strength_check(site: &Site) -> Subject {
    let server = site.serve(None);
    let strangers = LoginPage::of(server.address).strength_checks(4);
    let load_run = LoadRun { core: None, lasts: 2 * SECOND, every: None };
    let mut strength_check = Subject::new("strength_check, dearest password");
    let mut strangers = strength_check.turn(load_run, &server, strangers);
    strength_check.samples.clear(); // it was the first, which reads the word lists
    for _ in 0..3 {
        strangers = strength_check.turn(load_run, &server, strangers);
    }
    strength_check
}

/// What the server holds: just started, with users waiting to log in, and when they have gone.
pub(crate) fn memory(site: &Site) -> MemoryUse {
    let server = site.serve(None);
    thread::sleep(2 * SECOND);
    let idle = server.memory();
    let users = LoginPage::of(server.address).crowd(WAITING);
    let mut log_in = Subject::new("log-in, 500 at once");
    // Twice: what is given back the first time need not be the next time.
    for _ in 0..2 {
        log_in.samples.push(while_logging_in(&server, users.clone(), 2 * SECOND, || ()));
        thread::sleep(BUFFERS_ARE_BACK);
    }
    MemoryUse { idle, used: server.memory(), log_in }
}

/// Does something while users log in; returns what became of their requests.
fn while_logging_in(
    server: &Server,
    users: Vec<LogIn>,
    lasts: Duration,
    work: impl FnOnce(),
) -> Samples {
    thread::scope(|scope| {
        let load_run = LoadRun { core: None, lasts, every: None };
        let crowd = scope.spawn(move || load_run.run(server, users).0);
        work();
        crowd.join().expect("the load does not panic")
    })
}
