//! A mail server for stories: it speaks SMTP, STARTTLS and TLS, takes e-mails, and can be as unkind
//! as a test needs.
//!
//! It runs in a thread of its own, so that a test may stop its own clock.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// How a mail server behaves.
#[derive(Default)]
pub(crate) struct SmtpBehaviour {
    /// Its certificate; without one it has no TLS.
    pub(crate) certificate: Option<Certificate>,
    /// Whether it speaks TLS from the first byte, rather than after STARTTLS.
    pub(crate) tls_at_once: bool,
    /// The name and the password that it wants.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// What it replies to whatever begins with these words; `hello` stands for its greeting, `.` for
    /// the end of an e-mail, and an empty reply hangs up.
    pub(crate) replies: Vec<(&'static str, &'static str)>,
    /// Where it says nothing any more until the test lets it go on.
    pub(crate) stalls_at: Option<&'static str>,
}

/// A certificate and its key.
pub(crate) struct Certificate(ServerConfig);

/// A certificate authority.
pub(crate) struct CertificateAuthority(CertifiedIssuer<'static, KeyPair>);

impl CertificateAuthority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// What those who trust it put into their list.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn issue(&self, name: &str) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Certificate(config.expect("a certificate with its key"))
    }
}

/// An e-mail that was taken.
#[derive(Debug, Clone)]
pub(crate) struct AcceptedEmail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: Vec<u8>,
    pub(crate) was_encrypted: bool,
    pub(crate) was_logged_in: bool,
}

/// A mail server that runs. Dropped, it is left alone and does no harm.
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    state: Arc<SmtpState>,
    stalled: mpsc::UnboundedReceiver<()>,
}

impl SmtpServer {
    pub(crate) fn start(behaviour: SmtpBehaviour) -> Self {
        Self::start_on_port(0, behaviour)
    }

    /// Starts on a port that a client knows already.
    pub(crate) fn start_on_port(port: u16, mut behaviour: SmtpBehaviour) -> Self {
        let certificate = behaviour.certificate.take();
        let tls = certificate.map(|Certificate(config)| TlsAcceptor::from(Arc::new(config)));
        let (stalls, stalled) = mpsc::unbounded_channel();
        let state = Arc::new(SmtpState {
            behaviour,
            tls,
            taken: Mutex::default(),
            heard: Mutex::default(),
            stalls,
            may_go_on: Semaphore::new(0),
        });
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let accepting = state.clone();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                while let Ok((connection, _)) = listener.accept().await {
                    let state = accepting.clone();
                    tokio::spawn(async move { state.receive(connection).await });
                }
            });
        });
        Self { port, state, stalled }
    }

    pub(crate) fn accepted(&self) -> Vec<AcceptedEmail> {
        lock(&self.state.taken).clone()
    }

    /// The commands that it got, without the e-mails themselves; `hello` for each connection.
    pub(crate) fn commands(&self) -> Vec<String> {
        lock(&self.state.heard).clone()
    }

    /// Returns how many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.commands().iter().filter(|line| *line == "hello").count()
    }

    /// Waits until it stalls.
    pub(crate) async fn wait_until_stalled(&mut self) {
        self.stalled.recv().await.expect("the server runs");
    }

    pub(crate) fn resume(&self) {
        self.state.may_go_on.add_permits(1);
    }
}

struct SmtpState {
    behaviour: SmtpBehaviour,
    tls: Option<TlsAcceptor>,
    taken: Mutex<Vec<AcceptedEmail>>,
    heard: Mutex<Vec<String>>,
    stalls: mpsc::UnboundedSender<()>,
    may_go_on: Semaphore,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SmtpState {
    /// Serves one connection. A client that hangs up in the middle is no error here.
    async fn receive(&self, connection: TcpStream) -> io::Result<()> {
        let Some(tls) = &self.tls else { return self.converse(connection, false).await.map(drop) };
        if self.behaviour.tls_at_once {
            let connection = tls.accept(connection).await?;
            return self.converse(connection, true).await.map(drop);
        }
        if let Some(connection) = self.converse(connection, false).await? {
            self.converse(tls.accept(connection).await?, true).await?;
        }
        Ok(())
    }

    /// Talks until the other side leaves, or wants TLS: then the bare connection comes back.
    async fn converse<S>(&self, stream: S, is_encrypted: bool) -> io::Result<Option<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream = BufReader::new(stream);
        let is_upgraded = is_encrypted && !self.behaviour.tls_at_once;
        if !is_upgraded && !self.says(&mut stream, "hello", "220 post.example ESMTP").await? {
            return Ok(None);
        }
        let (mut is_logged_in, mut from, mut to) = (false, String::new(), Vec::new());
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let command = line.trim_end().to_owned();
            let word = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let needs_login = self.behaviour.login.is_some() && !is_logged_in;
            let reply = match word.as_str() {
                "EHLO" => self.offers(is_encrypted),
                "STARTTLS" if self.tls.is_some() && !is_encrypted => "220 go ahead".into(),
                "AUTH" => {
                    is_logged_in = self.admits(&command);
                    if is_logged_in { "235 welcome" } else { "535 5.7.8 wrong password" }.into()
                }
                "MAIL" if needs_login => "530 5.7.0 log in first".into(),
                "MAIL" => {
                    (from, to) = (address(&command), Vec::new());
                    "250 yes".into()
                }
                "RCPT" => {
                    to.push(address(&command));
                    "250 yes".into()
                }
                "DATA" => "354 go ahead".into(),
                "NOOP" | "RSET" => "250 yes".into(),
                "QUIT" => "221 good-bye".into(),
                _ => "502 what?".to_owned(),
            };
            if !self.says(&mut stream, &command, &reply).await? || word == "QUIT" {
                return Ok(None);
            }
            if word == "STARTTLS" && reply.starts_with("220") {
                return Ok(Some(stream.into_inner()));
            }
            if word == "DATA" && self.reply_to("DATA").is_none() {
                let message = read_email(&mut stream).await?;
                let is_taken = self.reply_to(".").is_none_or(|reply| reply.starts_with("250"));
                if is_taken {
                    let (from, to) = (from.clone(), to.clone());
                    let was_logged_in = is_logged_in;
                    let was_encrypted = is_encrypted;
                    let taken = AcceptedEmail { from, to, message, was_encrypted, was_logged_in };
                    lock(&self.taken).push(taken);
                }
                if !self.says(&mut stream, ".", "250 taken").await? {
                    return Ok(None);
                }
            }
        }
    }

    /// Says what it says to this, or something unkind; tells whether the conversation goes on.
    async fn says<S>(
        &self,
        stream: &mut BufReader<S>,
        command: &str,
        reply: &str,
    ) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        lock(&self.heard).push(command.to_owned());
        if self.behaviour.stalls_at.is_some_and(|at| command.starts_with(at)) {
            let _ = self.stalls.send(());
            self.may_go_on.acquire().await.map_err(io::Error::other)?.forget();
        }
        let reply = self.reply_to(command).unwrap_or(reply);
        if reply.is_empty() {
            return Ok(false);
        }
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        stream.flush().await?;
        Ok(true)
    }

    fn reply_to(&self, command: &str) -> Option<&'static str> {
        let fits = |(begins, _): &&(&str, &'static str)| command.starts_with(*begins);
        self.behaviour.replies.iter().find(fits).map(|(_, reply)| *reply)
    }

    fn offers(&self, is_encrypted: bool) -> String {
        let mut lines = vec!["post.example"];
        lines.extend((self.tls.is_some() && !is_encrypted).then_some("STARTTLS"));
        lines.extend(self.behaviour.login.is_some().then_some("AUTH PLAIN LOGIN"));
        let last = lines.pop().expect("at least its name");
        lines.iter().map(|line| format!("250-{line}\r\n")).chain([format!("250 {last}")]).collect()
    }

    fn admits(&self, command: &str) -> bool {
        let said = command.strip_prefix("AUTH PLAIN ").map(|text| BASE64_STANDARD.decode(text));
        let wanted = self.behaviour.login.map(|(user, password)| format!("\0{user}\0{password}"));
        matches!((said, wanted), (Some(Ok(said)), Some(wanted)) if said == wanted.as_bytes())
    }
}

/// What stands between the angles of `MAIL FROM:<…>`.
fn address(command: &str) -> String {
    let inside = command.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or("", |(address, _)| address).to_owned()
}

async fn read_email<S>(stream: &mut BufReader<S>) -> io::Result<Vec<u8>>
where
    S: AsyncRead + Unpin,
{
    let mut email = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(email);
        }
        email.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
