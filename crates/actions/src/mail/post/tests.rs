//! Against a server of our own on the loopback.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::letter::tests::letter;
use super::super::{MailOptions, Server};
use super::*;

/// What a sink has seen and is to say.
#[derive(Default)]
struct Said {
    /// Whole messages, and to whom each was addressed in the envelope.
    mails: Vec<(Vec<String>, String)>,
    /// Answers other than yes: the next command that begins so gets this.
    next: VecDeque<(&'static str, &'static str)>,
    commands: Vec<String>,
    eight_bit: bool,
    /// Speaks TLS from the first byte.
    implicit: bool,
}

struct Sink {
    at: SocketAddr,
    said: Arc<Mutex<Said>>,
    task: JoinHandle<()>,
}

impl Sink {
    async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    async fn start_at(at: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(at).unwrap();
        let listener = socket.listen(16).unwrap();
        let at = listener.local_addr().unwrap();
        let said = Arc::new(Mutex::new(Said { eight_bit: true, ..Said::default() }));
        let task = tokio::spawn(serve(listener, said.clone()));
        Self { at, said, task }
    }

    fn answer(&self, command: &'static str, with: &'static str) {
        self.said.lock().unwrap().next.push_back((command, with));
    }

    fn mails(&self) -> Vec<(Vec<String>, String)> {
        self.said.lock().unwrap().mails.clone()
    }

    fn server(&self) -> Server {
        Server::plain("127.0.0.1", self.at.port())
    }
}

async fn serve(listener: TcpListener, said: Arc<Mutex<Said>>) {
    let mut sessions = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let said = said.clone();
        sessions.spawn(async move { session(stream, said).await.ok() });
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// TLS with a certificate that nobody has signed.
async fn tls(stream: impl Stream + 'static) -> std::io::Result<Box<dyn Stream>> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let pem = include_bytes!("sink.pem");
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    let certificate = CertificateDer::from_pem_slice(pem).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Ok(Box::new(tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await?))
}

async fn session(stream: TcpStream, said: Arc<Mutex<Said>>) -> std::io::Result<()> {
    let implicit = said.lock().unwrap().implicit;
    let mut stream: Box<dyn Stream> = if implicit { tls(stream).await? } else { Box::new(stream) };
    stream.write_all(b"220 sink ESMTP\r\n").await?;
    let mut lines = BufReader::new(stream).lines();
    let mut to = Vec::new();
    while let Some(line) = lines.next_line().await? {
        let (answer, eight_bit) = {
            let mut said = said.lock().unwrap();
            said.commands.push(line.clone());
            let scripted = said.next.front().is_some_and(|(command, _)| line.starts_with(command));
            (if scripted { said.next.pop_front().map(|(_, with)| with) } else { None }, said.eight_bit)
        };
        if let Some(answer) = answer {
            lines.get_mut().get_mut().write_all(format!("{answer}\r\n").as_bytes()).await?;
            continue;
        }
        if line == "STARTTLS" {
            lines.get_mut().get_mut().write_all(b"220 go\r\n").await?;
            lines = BufReader::new(tls(lines.into_inner().into_inner()).await?).lines();
            continue;
        }
        let verb = line.get(..4).unwrap_or_default();
        let answer: &[u8] = match verb {
            "EHLO" if eight_bit => b"250-sink\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n",
            "EHLO" => b"250 sink\r\n",
            "AUTH" => b"235 come in\r\n",
            "RCPT" => {
                to.push(line.trim_start_matches("RCPT TO:<").trim_end_matches('>').to_owned());
                b"250 ok\r\n"
            }
            "DATA" => {
                lines.get_mut().get_mut().write_all(b"354 go\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    text.push_str(&line);
                    text.push('\n');
                }
                said.lock().unwrap().mails.push((std::mem::take(&mut to), text));
                b"250 ok\r\n"
            }
            "QUIT" => {
                lines.get_mut().get_mut().write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        lines.get_mut().get_mut().write_all(answer).await?;
    }
    Ok(())
}

fn mailer(servers: Vec<Server>) -> Mailer {
    Mailer::new(MailOptions { servers, timeout: Duration::from_secs(20), hostname: Some("vm".into()) })
}

/// A post that runs, with what it complains of.
struct Rig {
    letters: mpsc::Sender<Letter>,
    task: JoinHandle<()>,
    troubles: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    fn start(servers: Vec<Server>, directory: Option<&Path>, slots: usize) -> Self {
        let options = PostOptions {
            directory: directory.map(Path::to_owned),
            slots,
            first_retry: Duration::from_millis(50),
            longest_retry: Duration::from_millis(200),
        };
        Self::over(Post::new(options, mailer(servers)))
    }

    fn over(post: Post) -> Self {
        let (letters, queue) = mpsc::channel(16);
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let told = troubles.clone();
        let task =
            tokio::spawn(async move { post.run(queue, move |text| told.lock().unwrap().push(text)).await });
        Self { letters, task, troubles }
    }

    async fn send(&self, letter: &Letter) {
        self.letters.send(letter.clone()).await.unwrap();
    }

    fn troubles(&self) -> Vec<String> {
        self.troubles.lock().unwrap().clone()
    }

    async fn stop(self) -> Vec<String> {
        drop(self.letters);
        tokio::time::timeout(Duration::from_secs(30), self.task).await.expect("it does not stop").unwrap();
        self.troubles.lock().unwrap().clone()
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 30 s");
}

/// Letters in a queue.
fn files(dir: &Path) -> usize {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| *name != "lock").count()
}

fn message_id(mail: &str) -> &str {
    mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap()
}

/// A port at which nobody listens.
async fn dead() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_message_arrives_and_leaves_nothing_behind() {
    let (sink, dir) = (Sink::start().await, tempfile::tempdir().unwrap());
    let rig = Rig::start(vec![sink.server()], Some(dir.path()), 10);
    rig.send(&letter("a", &["ops@example.com", "boss@example.com"])).await;
    until("it arrives", || sink.mails().len() == 1 && files(dir.path()) == 0).await;
    let (to, mail) = &sink.mails()[0];
    assert_eq!(to, &["ops@example.com", "boss@example.com"]);
    assert!(
        mail.starts_with(
            "From: Watch <monit@vm>\nTo: ops@example.com, boss@example.com\nSubject: monit alert --  Does"
        ),
        "{mail}"
    );
    assert_eq!(sink.said.lock().unwrap().commands[..2], ["EHLO vm", "MAIL FROM:<monit@vm>"]);
    assert_eq!(rig.stop().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_greylisting_server_is_tried_again_with_the_same_message_id() {
    let (sink, dir) = (Sink::start().await, tempfile::tempdir().unwrap());
    sink.answer("DATA", "451 try later");
    sink.answer("RCPT", "450 4.7.1 greylisted");
    let rig = Rig::start(vec![sink.server()], Some(dir.path()), 10);
    rig.send(&letter("a", &["ops@example.com"])).await;
    until("it arrives", || sink.mails().len() == 1 && files(dir.path()) == 0).await;
    assert_eq!(message_id(&sink.mails()[0].1), "Message-ID: <1795429974.a@vm>");
    let troubles = rig.stop().await;
    assert_eq!(troubles[0], "mail to ops@example.com is put off: 451 try later; next try in 0.05 s");
    assert_eq!(troubles[1], "mail to ops@example.com is put off: 450 4.7.1 greylisted; next try in 0.1 s");
}

#[tokio::test]
async fn a_recipient_refused_for_good_keeps_nobody_else_from_hearing() {
    let (sink, dir) = (Sink::start().await, tempfile::tempdir().unwrap());
    sink.answer("RCPT TO:<gone@example.com>", "550 no such user");
    sink.answer("RCPT TO:<busy@example.com>", "452 mailbox full");
    let rig = Rig::start(vec![sink.server()], Some(dir.path()), 10);
    let to = ["gone@example.com", "busy@example.com", "nonsense", "ops@example.com"];
    rig.send(&letter("a", &to)).await;
    until("both arrive", || sink.mails().len() == 2 && files(dir.path()) == 0).await;
    let to: Vec<_> = sink.mails().into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, [["ops@example.com"], ["busy@example.com"]]);
    let troubles = rig.stop().await;
    assert!(
        troubles[0].starts_with("mail to gone@example.com was refused and is given up: 550 no such user"),
        "{troubles:?}"
    );
    assert!(
        troubles[1]
            .starts_with("mail to nonsense was refused and is given up: nonsense is not a mail address"),
        "{troubles:?}"
    );
    assert_eq!(troubles.len(), 3);
}

#[tokio::test]
async fn a_dead_server_is_passed_over() {
    let sink = Sink::start().await;
    let nobody = Server::plain("127.0.0.1", dead().await.port());
    let mailer = mailer(vec![nobody, sink.server()]);
    mailer.deliver(&letter("a", &["ops@example.com"])).await.unwrap();
    assert_eq!(sink.mails().len(), 1);
    // One that refuses us before it hears of a message is passed over too.
    let other = Sink::start().await;
    other.answer("EHLO", "421 go away");
    other.answer("EHLO", "421 go away");
    let mailer = super::tests::mailer(vec![other.server(), sink.server()]);
    mailer.deliver(&letter("b", &["ops@example.com"])).await.unwrap();
    assert_eq!((other.mails().len(), sink.mails().len()), (0, 2));
    // What it says to the message is final for the attempt.
    other.said.lock().unwrap().next.clear();
    other.answer("MAIL", "550 not from you");
    let mailer = super::tests::mailer(vec![other.server(), sink.server()]);
    let error = mailer.deliver(&letter("c", &["ops@example.com"])).await.unwrap_err();
    assert_eq!(
        error,
        hinoban_action::ActionError::Permanent("mail to ops@example.com: 550 not from you".into())
    );
}

fn about(id: &str, subject: &str) -> Letter {
    let mut letter = letter(id, &["ops@example.com"]);
    letter.message.subject = subject.to_owned();
    letter
}

#[tokio::test]
async fn a_full_queue_drops_what_was_said_before_and_keeps_what_is_new() {
    let (at, dir) = (dead().await, tempfile::tempdir().unwrap());
    let rig = Rig::start(vec![Server::plain("127.0.0.1", at.port())], Some(dir.path()), 3);
    for (id, subject) in [("a", "db is down"), ("b", "db is down"), ("c", "db is down")] {
        rig.send(&about(id, subject)).await;
    }
    until("all wait", || files(dir.path()) == 3).await;
    for (id, subject) in [("d", "web is down"), ("e", "disk is full")] {
        rig.send(&about(id, subject)).await;
    }
    until("trouble is told", || rig.troubles().iter().any(|t| t.contains("mail queue is full"))).await;
    let sink = Sink::start_at(at).await;
    until("three arrive", || sink.mails().len() == 3 && files(dir.path()) == 0).await;
    let ids: Vec<String> = sink.mails().iter().map(|(_, mail)| message_id(mail).to_owned()).collect();
    assert_eq!(ids, ["a", "d", "e"].map(|id| format!("Message-ID: <1795429974.{id}@vm>")));
    let full: Vec<String> = rig.stop().await.into_iter().filter(|t| t.contains("mail queue")).collect();
    let expected = [
        "the mail queue is full: 3 messages wait; the oldest that repeat earlier ones are dropped for new ones",
        "2 messages that repeated earlier ones were dropped while the mail queue was full",
    ];
    assert_eq!(full, expected);
}

#[tokio::test]
async fn messages_wait_for_a_server_that_comes_back() {
    let (at, dir) = (dead().await, tempfile::tempdir().unwrap());
    let rig = Rig::start(vec![Server::plain("127.0.0.1", at.port())], Some(dir.path()), 2);
    for id in ["a", "b", "c"] {
        rig.send(&about(id, &format!("{id} is down"))).await;
    }
    until("trouble is told", || rig.troubles().len() == 2).await;
    let troubles = rig.troubles();
    assert!(
        troubles
            .iter()
            .any(|t| t.starts_with(&format!("mail cannot be sent: mail server 127.0.0.1:{}: ", at.port()))),
        "{troubles:?}"
    );
    let full =
        "the mail queue is full: 2 messages wait; the message to ops@example.com is not sent: c is down";
    assert!(troubles.iter().any(|t| t == full), "{troubles:?}");
    let sink = Sink::start_at(at).await;
    until("both arrive", || sink.mails().len() == 2 && files(dir.path()) == 0).await;
    let ids: Vec<String> = sink.mails().iter().map(|(_, mail)| message_id(mail).to_owned()).collect();
    assert_eq!(ids, ["Message-ID: <1795429974.a@vm>", "Message-ID: <1795429974.b@vm>"]);
    assert_eq!(rig.stop().await.len(), 2);
    sink.task.abort();
}

#[tokio::test]
async fn a_restart_delivers_what_waited_with_the_same_message_id() {
    let (at, dir) = (dead().await, tempfile::tempdir().unwrap());
    let before = Rig::start(vec![Server::plain("127.0.0.1", at.port())], Some(dir.path()), 10);
    before.send(&letter("a", &["ops@example.com"])).await;
    let troubles = before.stop().await;
    assert_eq!(files(dir.path()), 1, "{troubles:?}");
    assert!(!troubles.iter().any(|t| t.contains("lost")), "{troubles:?}");
    let sink = Sink::start().await;
    let after = Rig::start(vec![sink.server()], Some(dir.path()), 10);
    until("it arrives", || sink.mails().len() == 1 && files(dir.path()) == 0).await;
    assert_eq!(message_id(&sink.mails()[0].1), "Message-ID: <1795429974.a@vm>");
    assert_eq!(after.stop().await, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_usable_directory_messages_wait_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let sink = Sink::start().await;
    sink.answer("DATA", "451 try later");
    let rig = Rig::start(vec![sink.server()], Some(&file), 10);
    rig.send(&letter("a", &["ops@example.com"])).await;
    until("it arrives", || sink.mails().len() == 1).await;
    let troubles = rig.stop().await;
    let expected = format!("the mail queue in {} cannot be opened: ", file.display());
    assert!(troubles[0].starts_with(&expected) && troubles.len() == 2, "{troubles:?}");
    // What is lost for want of a directory is said.
    let rig = Rig::start(vec![Server::plain("127.0.0.1", dead().await.port())], None, 10);
    rig.send(&letter("b", &["ops@example.com"])).await;
    let troubles = rig.stop().await;
    assert_eq!(troubles.last().unwrap(), "1 messages were not delivered and are lost");
    // Unless somebody keeps it.
    let mut post = Post::new(PostOptions::default(), mailer(vec![dead_server().await]));
    let safe = Arc::new(Mutex::new(Vec::new()));
    let told = safe.clone();
    post.receipts(Box::new(move |id| told.lock().unwrap().push(id.to_owned())));
    let rig = Rig::over(post);
    rig.send(&letter("c", &["ops@example.com"])).await;
    let troubles = rig.stop().await;
    let kept = "1 messages were not delivered and are kept with the state until mail can be sent";
    assert_eq!((troubles.last().unwrap().as_str(), safe.lock().unwrap().len()), (kept, 0));
}

async fn dead_server() -> Server {
    Server::plain("127.0.0.1", dead().await.port())
}

#[tokio::test]
async fn the_next_post_takes_the_queue_over_once_the_last_has_finished() {
    let (sink, dir) = (Sink::start().await, tempfile::tempdir().unwrap());
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap(); // connects, and never greets
    let hangs = Server::plain("127.0.0.1", hangs.local_addr().unwrap().port());
    let old = Rig::start(vec![hangs], Some(dir.path()), 10);
    old.send(&letter("a", &["ops@example.com"])).await;
    until("it is on disk", || files(dir.path()) == 1).await;
    // As a reload with other mail servers does.
    let (_, new) = tokio::join!(old.stop(), async { Rig::start(vec![sink.server()], Some(dir.path()), 10) });
    until("it arrives", || sink.mails().len() == 1 && files(dir.path()) == 0).await;
    assert_eq!(new.stop().await, Vec::<String>::new());
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_server_that_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap(); // connects, and never greets
    let dir = tempfile::tempdir().unwrap();
    let server = Server::plain("127.0.0.1", listener.local_addr().unwrap().port());
    let rig = Rig::start(vec![server], Some(dir.path()), 10);
    rig.send(&letter("a", &["ops@example.com"])).await;
    until("it is on disk", || files(dir.path()) == 1).await;
    rig.stop().await;
    assert_eq!(files(dir.path()), 1);
}

#[tokio::test]
async fn a_login_is_made_and_a_server_of_seven_bits_is_spared_the_eighth() {
    let sink = Sink::start().await;
    let credentials = super::super::Credentials { user: "u".into(), password: "secret".into() };
    assert!(!format!("{credentials:?}").contains("secret"));
    let server = Server { credentials: Some(credentials), ..sink.server() };
    let mut umlaut = letter("a", &["ops@example.com"]);
    umlaut.message.body = "Prüfung\n".into();
    mailer(vec![server]).deliver(&umlaut).await.unwrap();
    assert!(sink.said.lock().unwrap().commands.contains(&"AUTH PLAIN AHUAc2VjcmV0".to_owned()));
    assert!(sink.mails()[0].1.contains("\nPrüfung\n"));
    sink.said.lock().unwrap().eight_bit = false;
    mailer(vec![sink.server()]).deliver(&umlaut).await.unwrap();
    assert!(sink.mails()[1].1.contains("\nPr=C3=BCfung\n"));
    let server = Server { tls: super::super::Tls::StartTls, verify: false, ..sink.server() };
    let error = mailer(vec![server]).deliver(&umlaut).await.unwrap_err().to_string();
    assert!(error.contains("STARTTLS is not supported"), "{error}");
}

#[tokio::test]
async fn encryption_is_made_and_certificates_are_verified_where_asked() {
    use super::super::Tls;
    for encryption in [Tls::StartTls, Tls::Implicit] {
        let sink = Sink::start().await;
        sink.said.lock().unwrap().implicit = encryption == Tls::Implicit;
        let server = Server { tls: encryption, verify: false, ..sink.server() };
        mailer(vec![server.clone()]).deliver(&letter("a", &["ops@example.com"])).await.unwrap();
        assert_eq!(sink.mails().len(), 1, "{encryption:?}");
        let commands = sink.said.lock().unwrap().commands.clone();
        assert_eq!(commands.contains(&"STARTTLS".to_owned()), encryption == Tls::StartTls);
        let server = Server { verify: true, ..server };
        let error = mailer(vec![server]).deliver(&letter("b", &["ops@example.com"])).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("certificate"), "{encryption:?}: {error}");
        assert_eq!(sink.mails().len(), 1, "{encryption:?}");
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_hears_neither_password_nor_message() {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let der = CertificateDer::from_pem_slice(include_bytes!("sink.pem")).unwrap();
    let right: String = ring::digest::digest(&ring::digest::SHA256, &der)
        .as_ref()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let md5 = format!("{:x}", md5::compute(&der));
    let trust =
        |checksum: &str| super::super::Trust { checksum: Some(checksum.to_owned()), ..Default::default() };
    for (encryption, checksum, good) in [
        (super::super::Tls::StartTls, right.clone(), true),
        (super::super::Tls::Implicit, md5.to_uppercase(), true),
        (super::super::Tls::StartTls, right.replace(['0', '1', '2'], "f"), false),
        (super::super::Tls::Implicit, "0".repeat(32), false),
    ] {
        let sink = Sink::start().await;
        sink.said.lock().unwrap().implicit = encryption == super::super::Tls::Implicit;
        let credentials = Some(super::super::Credentials { user: "u".into(), password: "p".into() });
        let server =
            Server { tls: encryption, verify: false, trust: trust(&checksum), credentials, ..sink.server() };
        let told = mailer(vec![server]).deliver(&letter("a", &["ops@example.com"])).await;
        assert_eq!((told.is_ok(), sink.mails().len()), (good, usize::from(good)), "{checksum}: {told:?}");
        let commands = sink.said.lock().unwrap().commands.join(" ");
        assert_eq!(commands.contains("AUTH"), good, "{commands}");
        if let Err(why) = told {
            assert!(why.to_string().contains("its certificate has the checksum"), "{why}");
        }
    }
}

#[tokio::test]
async fn a_missing_file_of_certificates_is_named() {
    let sink = Sink::start().await;
    let trust = super::super::Trust { ca_file: Some("/nosuch/own.pem".into()), ..Default::default() };
    let server = Server { tls: super::super::Tls::StartTls, trust, ..sink.server() };
    let why = mailer(vec![server]).deliver(&letter("a", &["ops@example.com"])).await.unwrap_err();
    assert!(why.is_transient() && why.to_string().contains("/nosuch/own.pem cannot be read"), "{why}");
}

#[tokio::test]
async fn a_server_that_talks_without_an_end_is_left_soon_for_the_next() {
    let flood = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = flood.local_addr().unwrap();
    let pour = tokio::spawn(async move {
        let (mut stream, _) = flood.accept().await.unwrap();
        let mut poured = 0_usize;
        // No end of a line, ever.
        while stream.write_all(&[b'x'; 65536]).await.is_ok() {
            poured += 65536;
            assert!(poured < 64 << 20, "all of that was taken in");
        }
    });
    let sink = Sink::start().await;
    let rig = Rig::start(vec![Server::plain("127.0.0.1", at.port()), sink.server()], None, 10);
    rig.send(&letter("a", &["ops@example.com"])).await;
    until("the next has it", || sink.mails().len() == 1).await;
    pour.await.unwrap();
    rig.stop().await;
}
