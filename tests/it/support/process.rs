//! The program as a process: a sandbox that it runs in, a server that is killed with its
//! test, and browsers that talk to it over TCP.
//!
//! Knows the program from outside only: its command line, its sockets and its files.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rocket::http::Cookie;
use sea_orm::{ConnectionTrait as _, Database, Statement};
use tempfile::TempDir;

use super::browser::encode;
use super::postgres::Cluster;
use super::requirement::{Requirement, environment};

/// The program.
const DAEMUN: &str = env!("CARGO_BIN_EXE_daemun");

/// How long anything may take before a test gives up: much longer than it takes, also on a machine
/// that does other things at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A sandbox: a folder to run in, and an environment that holds where programs are and what the test
/// puts in.
pub(crate) struct Sandbox {
    folder: Arc<TempDir>,
    environment: BTreeMap<String, String>,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A panic must not hide behind a short message.
        let path = environment("PATH").unwrap_or_default().to_string_lossy().into_owned();
        let environment = [("RUST_BACKTRACE".into(), "1".into()), ("PATH".into(), path)];
        Self { folder: Arc::new(folder), environment: environment.into() }
    }

    /// The same sandbox with another variable in its environment.
    pub(crate) fn with(&self, name: &str, value: impl fmt::Display) -> Self {
        let mut environment = self.environment.clone();
        environment.insert(name.into(), value.to_string());
        Self { folder: self.folder.clone(), environment }
    }

    /// The same sandbox, where passwords are hashed at next to no cost.
    pub(crate) fn with_cheap_hashing(&self) -> Self {
        self.with("ROCKET_PASSWORD_HASH", "m=8,t=1,p=1")
    }

    /// The same sandbox, whose site has a name that does not depend on the port.
    pub(crate) fn with_a_name(&self) -> Self {
        self.with("ROCKET_PUBLIC_URL", "http://localhost:8000")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect(name);
    }

    /// The URL of the database that is made when no setting names one.
    pub(crate) fn database(&self) -> String {
        format!("sqlite://{}", self.path("data/daemun.db").display())
    }

    /// Runs a command to its end.
    pub(crate) fn runs(&self, arguments: &[&str]) -> CommandOutput {
        self.runs_with(arguments, "")
    }

    /// Runs a command to its end with something on its standard input.
    pub(crate) fn runs_with(&self, arguments: &[&str], input: &str) -> CommandOutput {
        let mut running = self.starts(arguments);
        running.hears(input);
        running.ends(PATIENCE)
    }

    /// Starts a command.
    pub(crate) fn starts(&self, arguments: &[&str]) -> RunningCommand {
        let mut command = self.command(DAEMUN);
        command.args(arguments);
        RunningCommand::new(command)
    }

    /// Any program, in this sandbox's folder and environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(self.folder.path());
        command
    }

    /// Starts serving and waits until the address is printed. Between the choice of a free port and
    /// its use another process may take it; then another is tried.
    pub(crate) fn serves(&self) -> Server {
        for _ in 0..5 {
            match self.starts_serving().wait_until_ready() {
                Ok(server) => return server,
                Err(said) if said.errors.contains("in use") => {}
                Err(said) => panic!("the server does not start: {said:#?}"),
            }
        }
        panic!("every free port was taken by somebody else");
    }

    /// Starts serving where a process may have only so many open files, and waits.
    pub(crate) fn serves_with_files(&self, files: u32) -> Server {
        let port = free_port();
        let mut command = self.with("ROCKET_PORT", port).command("/bin/sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" serve"), DAEMUN]);
        let starting = StartingServer { running: RunningCommand::new(command), port };
        starting
            .wait_until_ready()
            .unwrap_or_else(|said| panic!("the server does not start: {said:#?}"))
    }

    /// Serves on a socket that listens already, as systemd hands it over, and waits.
    pub(crate) fn serves_on(&self, listener: impl Into<std::os::fd::OwnedFd>) -> Server {
        let mut command = self.command("/bin/sh");
        let handing_over = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve";
        command.args(["-c", handing_over, DAEMUN]);
        let running = RunningCommand::with_input(command, Stdio::from(listener.into()));
        let starting = StartingServer { running, port: 0 };
        starting
            .wait_until_ready()
            .unwrap_or_else(|said| panic!("the server does not start: {said:#?}"))
    }

    /// Starts serving and does not wait.
    pub(crate) fn starts_serving(&self) -> StartingServer {
        let port = free_port();
        let running = self.with("ROCKET_PORT", port).starts(&["serve"]);
        StartingServer { running, port }
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
    pub(crate) took: Duration,
}

impl CommandOutput {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The lines about what went wrong: everything on standard error that is not a log line about
    /// what went well. That is never a panic.
    pub(crate) fn error_lines(&self) -> Vec<&str> {
        for word in ["panicked", "stack backtrace", "RUST_BACKTRACE", "src/"] {
            assert!(!self.errors.contains(word), "{word} in {self:#?}");
        }
        self.errors.lines().filter(|line| !line.contains("  INFO ")).collect()
    }

    /// The one line about what went wrong.
    pub(crate) fn error_line(&self) -> &str {
        let lines = self.error_lines();
        assert_eq!(lines.len(), 1, "one clear line: {self:#?}");
        lines[0]
    }
}

/// A command that runs. Dropped, it is killed.
pub(crate) struct RunningCommand {
    child: Child,
    output: PipeReader,
    errors: PipeReader,
    since: Instant,
}

impl RunningCommand {
    pub(crate) fn new(command: Command) -> Self {
        Self::with_input(command, Stdio::piped())
    }

    /// Runs a command with an input of one's own.
    pub(crate) fn with_input(mut command: Command, input: Stdio) -> Self {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let output = PipeReader::from(child.stdout.take().expect("a pipe"));
        let errors = PipeReader::from(child.stderr.take().expect("a pipe"));
        Self { child, output, errors, since: Instant::now() }
    }

    /// Gives it the last of its standard input. It may well end without reading that.
    pub(crate) fn hears(&mut self, input: &str) {
        let mut pipe = self.child.stdin.take().expect("not closed yet");
        let _ = pipe.write_all(input.as_bytes());
    }

    /// Gives it a part of its standard input.
    pub(crate) fn write_input(&mut self, input: &str) {
        let pipe = self.child.stdin.as_mut().expect("not closed yet");
        pipe.write_all(input.as_bytes()).and_then(|()| pipe.flush()).expect("it listens");
    }

    /// What it has said on standard output until now.
    pub(crate) fn output(&self) -> String {
        self.output.text()
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// SIGKILL: no time for last words.
    pub(crate) fn dies(mut self) -> CommandOutput {
        self.child.kill().expect("a child");
        self.ends(PATIENCE)
    }

    /// Waits until it ends by itself.
    pub(crate) fn ends(mut self, within: Duration) -> CommandOutput {
        let mut status = None;
        let has_ended = eventually(within, || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        let took = self.since.elapsed();
        assert!(has_ended, "still running: {}{}", self.output.text(), self.errors.text());
        let status = status.expect("it has ended");
        let (output, errors) = (self.output.everything(), self.errors.everything());
        CommandOutput { status, output, errors, took }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &pid])
            .status()
            .expect("a shell");
        assert!(sent.success(), "{name} to {pid}");
    }
}

impl Drop for RunningCommand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a pipe has said, gathered as it comes.
struct PipeReader {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl PipeReader {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let gathered = bytes.clone();
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
                gathered.extend_from_slice(&buffer[..length]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The whole of it, once the other end is closed.
    fn everything(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader does not panic");
        }
        self.text()
    }
}

/// A server that has been started and may still fail.
pub(crate) struct StartingServer {
    pub(crate) running: RunningCommand,
    port: u16,
}

impl StartingServer {
    /// Waits until it has printed its address, or says why it never will.
    pub(crate) fn wait_until_ready(mut self) -> Result<Server, CommandOutput> {
        let mut has_ended = false;
        let has_spoken = eventually(PATIENCE, || {
            has_ended = self.running.is_over();
            has_ended || self.running.output().contains("http")
        });
        assert!(has_spoken, "neither serves nor ends: {}", self.running.errors.text());
        if has_ended {
            return Err(self.running.ends(PATIENCE));
        }
        Ok(Server { running: self.running, port: self.port })
    }
}

/// A server that serves.
pub(crate) struct Server {
    running: RunningCommand,
    pub(crate) port: u16,
}

impl Server {
    /// A browser that has never been here.
    pub(crate) fn visitor(&self) -> RemoteBrowser {
        RemoteBrowser { port: self.port, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    /// What it has printed until now.
    pub(crate) fn output(&self) -> String {
        self.running.output()
    }

    /// What it has logged until now.
    pub(crate) fn log(&self) -> String {
        self.running.errors.text()
    }

    pub(crate) fn lives(&mut self) -> bool {
        !self.running.is_over() && self.visitor().get("/health/live").status == 200
    }

    /// `kill -9`.
    pub(crate) fn dies(self) -> CommandOutput {
        self.running.dies()
    }

    /// Sends a signal that asks it to stop.
    pub(crate) fn send_signal(&self, signal: &str) {
        self.running.signal(signal);
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stops(self) -> CommandOutput {
        self.send_signal("TERM");
        self.ends()
    }

    pub(crate) fn ends(self) -> CommandOutput {
        self.running.ends(PATIENCE)
    }

    /// Returns whether new connections are refused.
    pub(crate) fn is_closed(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_err()
    }

    /// A connection with something said on it already.
    pub(crate) fn hears(&self, bytes: &[u8]) -> io::Result<TcpStream> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        connection.write_all(bytes)?;
        Ok(connection)
    }

    /// The same from another address of this machine's own network.
    pub(crate) fn connect_and_send_from(
        &self,
        address: [u8; 4],
        bytes: &[u8],
    ) -> io::Result<TcpStream> {
        let connection = block_on(async {
            let socket = rocket::tokio::net::TcpSocket::new_v4()?;
            socket.bind((address, 0).into())?;
            socket.connect(([127, 0, 0, 1], self.port).into()).await?.into_std()
        })?;
        connection.set_nonblocking(false)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        (&connection).write_all(bytes)?;
        Ok(connection)
    }

    /// How many files the process has open, where the system tells.
    pub(crate) fn open_files(&self) -> Option<usize> {
        let folder = format!("/proc/{}/fd", self.running.child.id());
        Some(std::fs::read_dir(folder).ok()?.count())
    }

    /// The status of the answer to some bytes; `None` when the connection is closed without one.
    pub(crate) fn answers(&self, bytes: &[u8]) -> Option<u16> {
        // A server that refuses before it has read everything may close with a reset.
        self.hears(bytes).and_then(HttpResponse::read).ok().map(|answer| answer.status)
    }
}

/// A browser that talks to the server over TCP.
#[derive(Clone)]
pub(crate) struct RemoteBrowser {
    port: u16,
    pub(crate) cookies: BTreeMap<String, String>,
    headers: Vec<(String, String)>,
}

impl RemoteBrowser {
    /// The same browser on another server.
    pub(crate) fn on(mut self, server: &Server) -> Self {
        self.port = server.port;
        self
    }

    /// The same browser at another port, where something stands before the server.
    pub(crate) fn at(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same browser with another header on every request.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn get(&mut self, path: &str) -> HttpResponse {
        self.tries("GET", path, &[]).expect(path)
    }

    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> HttpResponse {
        self.tries("POST", path, fields).expect(path)
    }

    /// Opens a page and sends the form on it.
    pub(crate) fn submits(&mut self, path: &str, fields: &[(&str, &str)]) -> HttpResponse {
        let token = self.token();
        self.post(path, &[&[("csrf", token.as_str())], fields].concat())
    }

    /// The form token of this browser's pages.
    pub(crate) fn token(&mut self) -> String {
        self.get("/").token().expect("every page has a form")
    }

    pub(crate) fn signs_up(&mut self, email: &str, password: &str) -> HttpResponse {
        let fields = [("email", email), ("password1", password), ("password2", password)];
        self.submits("/account/join", &fields)
    }

    pub(crate) fn logs_in(&mut self, email: &str, password: &str) -> HttpResponse {
        self.submits("/account/login", &[("email", email), ("password", password)])
    }

    pub(crate) fn is_signed_in(&mut self) -> bool {
        self.get("/account/mypage").status == 200
    }

    /// A request to a server that may die at any moment.
    pub(crate) fn tries(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> io::Result<HttpResponse> {
        let body = encode(fields);
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.write_all(&[self.head(method, path, body.len()).as_bytes(), &body].concat())?;
        let answer = HttpResponse::read(connection)?;
        self.keep_cookies(&answer);
        Ok(answer)
    }

    /// The head of a form's request, for those who send the body in a way of their own.
    pub(crate) fn head(&self, method: &str, path: &str, length: usize) -> String {
        use std::fmt::Write as _;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n",
            self.port
        );
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            let _ = write!(head, "Cookie: {}\r\n", cookies.join("; "));
        }
        if method == "POST" {
            let kind = "application/x-www-form-urlencoded";
            let _ = write!(head, "Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        }
        head + "\r\n"
    }

    fn keep_cookies(&mut self, answer: &HttpResponse) {
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let cookie = Cookie::parse(value.clone()).expect("a cookie");
            let is_over = cookie.max_age().is_some_and(|age| age <= rocket::time::Duration::ZERO);
            if is_over {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }
}

/// An answer off the wire.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl HttpResponse {
    /// Reads a whole answer; half a one is an error.
    pub(crate) fn read(mut connection: impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        // A server that closes with a reset may have answered before.
        let ended = connection.read_to_end(&mut bytes);
        Self::parse(&bytes)
            .ok_or_else(|| ended.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let text = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let is_whole = length.is_none_or(|(_, length)| length.parse() == Ok(bytes.len() - end - 4));
        is_whole.then_some(Self { status, headers, text })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn token(&self) -> Option<String> {
        let html = scraper::Html::parse_document(&self.text);
        let field = scraper::Selector::parse("input[name=csrf]").expect("a selector");
        Some(html.select(&field).next()?.value().attr("value")?.to_owned())
    }
}

/// Waits until something is so; tells whether it ever was.
pub(crate) fn eventually(within: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if started.elapsed() > within {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns a port that no process listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// The first column of what a database answers, as texts.
pub(crate) fn ask(database: &str, sql: &str) -> Vec<String> {
    block_on(async {
        let connection = Database::connect(database).await.expect(database);
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let rows = connection.query_all_raw(statement).await.expect(sql);
        let texts = rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect();
        connection.close().await.expect("the connection closes");
        texts
    })
}

/// The URL of an empty database on PostgreSQL; `None` where the machine has none, which is said.
pub(crate) fn postgres() -> Option<String> {
    block_on(async {
        let cluster = Cluster::get()?;
        Some(cluster.url(&cluster.empty_database().await))
    })
}

pub(crate) fn block_on<T>(what: impl Future<Output = T>) -> T {
    let runtime = rocket::tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(what)
}

/// A small disk. Dropped, it is unmounted.
pub(crate) struct Disk(TempDir);

impl Disk {
    /// `None` where this process may not mount one, which is said.
    pub(crate) fn of(size: &str) -> Option<Self> {
        if !Requirement::SmallDisk.is_met() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes until nothing fits any more.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(self.0.path().join("filler")).expect("a file");
        while file.write_all(&[0; 512]).is_ok() {}
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.0.path().join("filler")).expect("it was filled");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Says goodbye to a half-said request: nothing more will come.
pub(crate) fn shut_down_writing(connection: &TcpStream) {
    let _ = connection.shutdown(Shutdown::Write);
}
