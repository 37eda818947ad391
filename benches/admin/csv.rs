//! All users as CSV: rows per second, and what the server holds meanwhile.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::server::Server;
use crate::staff::Staff;
use crate::users;

/// The list of a whole site.
pub(crate) struct List {
    pub(crate) users: u32,
    pub(crate) took: Duration,
    /// Megabytes that the server held before, and at most meanwhile.
    pub(crate) memory: Option<(f64, f64)>,
}

impl List {
    /// Rows per second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.users) / self.took.as_secs_f64()
    }

    /// Megabytes more at most than before.
    pub(crate) fn grown(&self) -> Option<f64> {
        self.memory.map(|(before, peak)| peak - before)
    }
}

/// Takes the list, and looks whether it is whole.
pub(crate) fn measure(server: &Server, staff: &Staff, users: u32) -> List {
    let before = server.forget_peak();
    let start = Instant::now();
    let (lines, last) = take(server, staff).expect("the server answers");
    let took = start.elapsed();
    assert_eq!(lines, users + 2, "headings, the superuser and all users");
    assert!(last.contains(&users::email(1)), "the first comes last: {last}");
    let memory = before.zip(server.memory()).map(|(before, now)| (before.resident, now.peak));
    List { users, took, memory }
}

/// How many lines came, and the last of them. A server that is spoken to in HTTP/1.0 sends the bare
/// body and closes, so there is nothing to take apart.
fn take(server: &Server, staff: &Staff) -> io::Result<(u32, String)> {
    let mut stream = TcpStream::connect(server.address)?;
    let request = server.get("/admin/users.csv", &staff.cookie());
    let request = String::from_utf8_lossy(&request).replace("HTTP/1.1", "HTTP/1.0");
    stream.write_all(request.as_bytes())?;
    let mut answer = BufReader::with_capacity(64 * 1024, stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    assert!(line.contains(" 200 "), "a wrong answer: {line}");
    while line != "\r\n" {
        line.clear();
        answer.read_line(&mut line)?;
    }
    let (mut lines, mut last) = (0, String::new());
    loop {
        line.clear();
        if answer.read_line(&mut line)? == 0 {
            return Ok((lines, last));
        }
        lines += 1;
        std::mem::swap(&mut line, &mut last);
    }
}
