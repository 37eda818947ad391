//! The superuser who logs in to the server, and what their browser sends.

use crate::client::{Connection, runtime};
use crate::server::Server;
use crate::users::{PASSWORD, ROOT};

/// The browser of a superuser who is logged in.
pub(crate) struct Staff {
    access: String,
}

impl Server {
    /// Logs the superuser in, as a browser does.
    pub(crate) fn log_in(&self) -> Staff {
        runtime().block_on(async {
            let mut connection = Connection::open(self.address).await.expect("the server listens");
            let page = connection.ask(&self.get("/account/login", "")).await;
            let page = page.expect("the server answers");
            let visitor = page.cookie("visitor").expect("a visitor gets a cookie").to_owned();
            let csrf = page.hidden("csrf").expect("the form carries a token").to_owned();
            let answer = connection.ask(&self.post(&visitor, &csrf)).await;
            let answer = answer.expect("the server answers");
            Staff { access: answer.cookie("access").expect("she may come in").to_owned() }
        })
    }

    /// A request for a page, with further lines of the head.
    pub(crate) fn get(&self, path: &str, lines: &str) -> Vec<u8> {
        let port = self.address.port();
        format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: bench\r\n{lines}\r\n")
            .into_bytes()
    }

    fn post(&self, visitor: &str, csrf: &str) -> Vec<u8> {
        let port = self.address.port();
        let email = ROOT.replace('@', "%40");
        let body = format!("csrf={csrf}&email={email}&password={PASSWORD}");
        format!(
            "POST /account/login HTTP/1.1\r\nHost: localhost:{port}\r\n\
             Origin: http://localhost:{port}\r\nUser-Agent: bench\r\nCookie: visitor={visitor}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

impl Staff {
    /// What her browser sends with each request.
    pub(crate) fn cookie(&self) -> String {
        format!("Cookie: access={}\r\n", self.access)
    }
}
