//! Asking for a reset link: for addresses that have an account and for others, alternately, one at a
//! time. A difference in time would tell which addresses have an account.

use std::net::Ipv4Addr;
use std::time::Instant;

use crate::client::{Connection, runtime};
use crate::server::Server;
use crate::site::Site;

/// Requests of each kind that count.
const EACH: u32 = 2_000;

/// Requests of each kind before that, while the server is still cold.
const WARM_UP: u32 = 200;

/// How long each request took, in milliseconds.
pub(crate) struct Requests {
    pub(crate) known: Vec<f64>,
    pub(crate) unknown: Vec<f64>,
}

pub(crate) fn measure(site: &Site) -> Requests {
    let server = site.serve();
    runtime().block_on(async {
        let mut connection = Connection::open(server.address).await.expect("the server listens");
        let page = format!("{}Host: localhost\r\n\r\n", "GET /account/password/reset HTTP/1.1\r\n");
        let page = connection.ask(page.as_bytes()).await.expect("the server answers");
        let visitor = page.cookie("visitor").expect("a visitor gets a cookie").to_owned();
        let csrf = page.hidden("csrf").expect("the form carries a token").to_owned();
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for number in 0..WARM_UP + EACH {
            // Pairs change their order, so that being the second is no advantage.
            let mut pair = [("person", &mut known), ("nobody", &mut unknown)];
            if number % 4 >= 2 {
                pair.reverse();
            }
            for (name, times) in pair {
                let request = post(&server, (&visitor, &csrf), name, number);
                let start = Instant::now();
                let answer = connection.ask(&request).await.expect("the server answers");
                let took = start.elapsed();
                assert_eq!(answer.status, 303, "a wrong answer");
                if number >= WARM_UP {
                    times.push(took.as_secs_f64() * 1000.0);
                }
            }
        }
        Requests { known, unknown }
    })
}

/// Both names are of one length, and every request comes from another place.
fn post(server: &Server, (visitor, csrf): (&str, &str), name: &str, number: u32) -> Vec<u8> {
    let place = Ipv4Addr::from_bits(0x0a00_0000 | (number * 2 + u32::from(name == "person")));
    let port = server.address.port();
    let body = format!("csrf={csrf}&email={name}{number}%40example.com");
    format!(
        "POST /account/password/reset HTTP/1.1\r\nHost: localhost:{port}\r\n\
         Origin: http://localhost:{port}\r\nUser-Agent: bench\r\nX-Forwarded-For: {place}\r\n\
         Cookie: visitor={visitor}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
