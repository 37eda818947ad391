//! The pages, one request after the other on one connection, as one member of staff has them. All
//! pages take turns, so that a busy moment of the machine spoils a request of each.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::runtime::Runtime;

use crate::client::{Connection, runtime};
use crate::server::Server;
use crate::staff::Staff;
use crate::targets::median;
use crate::users;

/// Turns that count.
const TURNS: usize = 300;

/// Turns before that, while caches are cold and PostgreSQL makes up its mind about plans.
const WARM_UP: usize = 20;

/// A page, and how long it took each time.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    path: String,
    /// What has to be on it.
    shows: String,
    milliseconds: Vec<f64>,
}

pub(crate) fn measure(server: &Server, staff: &Staff, users: u32) -> Vec<Page> {
    let mut pages = pages(users);
    let runtime = runtime();
    let mut connection =
        runtime.block_on(Connection::open(server.address)).expect("the server listens");
    for turn in 0..WARM_UP + TURNS {
        for page in &mut pages {
            let request = server.get(&page.path, &staff.cookie());
            let took = page.ask(&runtime, &mut connection, &request);
            if turn >= WARM_UP {
                page.milliseconds.push(took);
            }
        }
    }
    pages
}

/// What is asked for on a site with so many users. The floor is first.
fn pages(users: u32) -> Vec<Page> {
    let list = |query: String| format!("/admin/users{query}");
    let search = |word: &str| list(format!("?q={}", utf8_percent_encode(word, NON_ALPHANUMERIC)));
    let half = users / 2;
    let place = format!("n {half} {}", users::joined_at(half));
    let place = format!("?after={}", URL_SAFE_NO_PAD.encode(place));
    let in_the_middle = users::email(half);
    let tenth = match users / 10 {
        10_001.. => "More than 10,000 users".to_owned(),
        tenth => format!("{tenth} users"),
    };
    vec![
        Page::new("/health/live", "/health/live".into(), String::new()),
        Page::new("first page", list(String::new()), users::email(users)),
        Page::new("page from the middle on", list(place), users::email(half - 1)),
        Page::new("search that finds 10", search(users::TEN), "10 users".into()),
        Page::new("search that finds a tenth", search(users::TENTH), tenth.clone()),
        Page::new("search without matches", search(users::NONE), "0 users".into()),
        Page::new("search for an address", search(&in_the_middle), "1 user".into()),
        Page::new("search for two characters", search(users::SHORT), users::SHORT.into()),
        Page::new("filter that finds a tenth", list("?is_active=false".into()), tenth),
        Page::new("one user", list(format!("/{half}")), in_the_middle),
    ]
}

impl Page {
    fn new(name: &'static str, path: String, shows: String) -> Self {
        Self { name, path, shows, milliseconds: Vec::new() }
    }

    /// Asks for it, and looks whether it is what was asked for.
    fn ask(&self, runtime: &Runtime, connection: &mut Connection, request: &[u8]) -> f64 {
        let start = Instant::now();
        let answer = runtime.block_on(connection.ask(request)).expect("the server answers");
        let took = start.elapsed();
        assert_eq!(answer.status, 200, "a wrong answer: {}", self.name);
        let page = answer.page().unwrap_or_default();
        assert!(page.contains(&self.shows), "no {:?} on {}:\n{page}", self.shows, self.path);
        took.as_secs_f64() * 1000.0
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.milliseconds)
    }

    /// The time within which 99 of a hundred were answered.
    pub(crate) fn p99(&self) -> f64 {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
        sorted.get(rank).copied().unwrap_or(f64::NAN)
    }
}
