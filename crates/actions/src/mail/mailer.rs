//! One attempt to deliver one message.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_action::{Action, ActionError, Errand, Outcome};
use hinoban_event::Event;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{Sorted, within};
use super::bounded::Bounded;
use super::letter::mailbox;
use super::{Letter, MailOptions, Server, Tls};

/// How long a server that did not let us in is asked after the others.
const ASIDE: Duration = Duration::from_secs(60);

/// How long the server may take to say goodbye; the message is its own by then.
const GOODBYE: Duration = Duration::from_secs(1);

/// Sends messages through the first server that lets us in.
///
/// A server that cannot be reached, or refuses us before it has heard of a message (greeting, TLS, password), is passed
/// over for the next. What a server says to the message itself is final for this attempt: the next server is not asked
/// to overrule it.
pub struct Mailer {
    options: MailOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Servers that did not let us in, by position, and when.
    aside: HashMap<usize, Instant>,
    /// TLS settings, made on first use: reading the certificates of the host takes milliseconds.
    tls: HashMap<usize, TlsParameters>,
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// No server let us in. The text names each and says why.
    Unreachable(String),
    /// A server answered. Recipients who are in neither list have got the message.
    Answered {
        /// Recipients to try again later, and why.
        deferred: Vec<(String, String)>,
        /// Recipients for whom trying again is no use, and why.
        refused: Vec<(String, String)>,
    },
}

// === impl Mailer ===

impl Mailer {
    /// A mailer with these servers. Nothing is connected yet.
    pub fn new(options: MailOptions) -> Self {
        Self { options, state: Mutex::default() }
    }

    /// One attempt to deliver to all recipients.
    ///
    /// # Errors
    /// [`ActionError::Transient`] when some should be tried again, [`ActionError::Permanent`] when some were refused;
    /// the text says who and why. After an error others may have got it: to have only the rest tried again, use
    /// [`Mailer::attempt`] or a [`Post`](super::Post).
    pub async fn deliver(&self, letter: &Letter) -> Result<(), ActionError> {
        let list = |all: &[(String, String)]| {
            let texts: Vec<String> = all.iter().map(|(to, why)| format!("mail to {to}: {why}")).collect();
            texts.join("; ")
        };
        match self.attempt(letter, &letter.message.to).await {
            Attempt::Unreachable(why) => Err(ActionError::Transient(why)),
            Attempt::Answered { deferred, .. } if !deferred.is_empty() => {
                Err(ActionError::Transient(list(&deferred)))
            }
            Attempt::Answered { refused, .. } if !refused.is_empty() => {
                Err(ActionError::Permanent(list(&refused)))
            }
            Attempt::Answered { .. } => Ok(()),
        }
    }

    /// One attempt to deliver to the recipients in `pending`, which may be fewer than the message names.
    pub async fn attempt(&self, letter: &Letter, pending: &[String]) -> Attempt {
        let mut why = Vec::new();
        for at in self.order() {
            let Some(server) = self.options.servers.get(at) else { continue };
            match self.connect(at, server).await {
                Ok(mut connection) => {
                    self.state().aside.remove(&at);
                    let attempt = self.hand_over(&mut connection, letter, pending).await;
                    let _ = timeout(GOODBYE, connection.quit()).await;
                    return attempt;
                }
                Err(e) => {
                    self.state().aside.insert(at, Instant::now());
                    why.push(format!("mail server {}:{}: {e}", server.host, server.port));
                }
            }
        }
        if why.is_empty() {
            why.push("no mail server is configured".to_owned());
        }
        Attempt::Unreachable(why.join("; "))
    }

    /// Positions of the servers in the order to ask them: as configured, but those that failed lately come last.
    fn order(&self) -> Vec<usize> {
        let state = self.state();
        let lately = |at: &usize| state.aside.get(at).is_some_and(|failed| failed.elapsed() < ASIDE);
        let (last, first): (Vec<usize>, Vec<usize>) = (0..self.options.servers.len()).partition(lately);
        [first, last].concat()
    }

    async fn connect(&self, at: usize, server: &Server) -> Result<AsyncSmtpConnection, String> {
        let time = self.options.timeout;
        let hello = self.hello();
        let tls = if server.tls == Tls::Off { None } else { Some(self.tls(at, server).await?) };
        let implicit = tls.clone().filter(|_| server.tls == Tls::Implicit);
        let address = (server.host.as_str(), server.port);
        let connected = if implicit.is_some() {
            // Connecting, then TLS, greeting and EHLO.
            let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(time), &hello, implicit, None);
            within(time.saturating_mul(2), "a greeting", connecting).await
        } else {
            let stream = match timeout(time, TcpStream::connect(address)).await {
                Ok(connected) => connected.map_err(|e| format!("Connection error: {e}"))?,
                Err(_) => return Err(format!("no connection within {} s", time.as_secs_f64())),
            };
            // The end of a message must not wait for the acknowledgement of its beginning: 40 ms at a local server.
            let _ = stream.set_nodelay(true);
            let stream = Box::new(Bounded::new(stream));
            within(time, "a greeting", AsyncSmtpConnection::connect_with_transport(stream, &hello)).await
        };
        let mut connection = connected.map_err(|r| r.text)?;
        if let (Tls::StartTls, Some(tls)) = (server.tls, tls) {
            let starting = connection.starttls(tls, &hello);
            within(time, "STARTTLS", starting).await.map_err(|r| r.text)?;
        }
        // Before anything is told that is not for everybody.
        if server.tls != Tls::Off && server.trust.checksum.is_some() {
            let certificate =
                connection.peer_certificate().map_err(|e| format!("it shows no certificate: {e}"))?;
            server.trust.judge(&certificate)?;
        }
        if let Some(credentials) = &server.credentials {
            let credentials = (credentials.user.clone(), credentials.password.clone()).into();
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            within(time, "the login", login).await.map_err(|r| format!("login: {}", r.text))?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        letter: &Letter,
        pending: &[String],
    ) -> Attempt {
        let time = self.options.timeout;
        let eight_bit = connection.server_info().supports_feature(Extension::EightBitMime);
        let wire = match letter.wire(eight_bit) {
            Ok(wire) => wire,
            Err(why) => {
                let refused = pending.iter().map(|to| (to.clone(), why.clone())).collect();
                return Attempt::Answered { deferred: Vec::new(), refused };
            }
        };
        let mut parameters = Vec::new();
        if eight_bit && !wire.bytes.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if connection.server_info().supports_feature(Extension::SmtpUtfEight)
            && !pending.iter().chain([&letter.message.from]).all(|address| address.is_ascii())
        {
            parameters.push(MailParameter::SmtpUtfEight);
        }

        let mut sorted = Sorted::default();
        let mail = Mail::new(Some(wire.from), parameters);
        if let Err(refusal) = within(time, "MAIL", connection.command(mail)).await {
            sorted.sort(pending.iter(), &refusal);
            return sorted.into();
        }
        let mut accepted = Vec::new();
        for (n, to) in pending.iter().enumerate() {
            let address = match mailbox(to) {
                Ok(mailbox) => mailbox.email,
                Err(why) => {
                    sorted.refused.push((to.clone(), why));
                    continue;
                }
            };
            match within(time, "RCPT", connection.command(Rcpt::new(address, Vec::new()))).await {
                Ok(_) => accepted.push(to),
                Err(refusal) if refusal.listening => sorted.sort([to].into_iter(), &refusal),
                Err(refusal) => {
                    sorted.sort(accepted.into_iter().chain(&pending[n..]), &refusal);
                    return sorted.into();
                }
            }
        }
        if accepted.is_empty() {
            return sorted.into();
        }
        let sending = async {
            within(time, "DATA", connection.command(Data)).await?;
            within(time, "the message", connection.message(&wire.bytes)).await
        };
        if let Err(refusal) = sending.await {
            sorted.sort(accepted.into_iter(), &refusal);
        }
        sorted.into()
    }

    fn hello(&self) -> ClientId {
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        ClientId::Domain(self.options.hostname.clone().unwrap_or_else(host))
    }

    /// Made on a blocking thread: it reads the certificates of the host.
    async fn tls(&self, at: usize, server: &Server) -> Result<TlsParameters, String> {
        if let Some(made) = self.state().tls.get(&at) {
            return Ok(made.clone());
        }
        let (host, verify, trust) = (server.host.clone(), server.verify, server.trust.clone());
        let make = move || trust.parameters(host, verify);
        let made =
            tokio::task::spawn_blocking(make).await.map_err(|e| format!("TLS cannot be set up: {e}"))??;
        self.state().tls.insert(at, made.clone());
        Ok(made)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Both maps are caches; they are whole between statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Delivers the message of the errand, dated with the time of its cause.
#[async_trait]
impl Action for Mailer {
    async fn act(&self, cause: &Event, errand: &Errand) -> Result<Outcome, ActionError> {
        let Some(message) = errand.message.as_deref() else {
            return Err(ActionError::Permanent("there is no message to be sent".to_owned()));
        };
        let begin = Instant::now();
        let deadline = Instant::from_std(errand.deadline);
        let letter = Letter { message: message.clone(), at: cause.at };
        match timeout_at(deadline, self.deliver(&letter)).await {
            Ok(result) => result.map(|()| Outcome { took: begin.elapsed(), ..Outcome::default() }),
            Err(_) => {
                let after = deadline.saturating_duration_since(begin);
                Err(ActionError::TimedOut { after, output: String::new() })
            }
        }
    }

    fn describe(&self) -> Option<String> {
        Some("mail".to_owned())
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("options", &self.options).finish_non_exhaustive()
    }
}
