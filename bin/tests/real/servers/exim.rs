//! exim, which takes mail for everybody and puts it into one maildir.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use crate::common::{World, free_port, wait_for, wait_until};

pub(crate) const EXIM: &str = "/usr/sbin/exim4";

/// A mail server with its own configuration, spool and port.
pub(crate) struct Exim<'a> {
    world: &'a World,
    pub(crate) port: u16,
    daemon: Option<Child>,
}

/// A mail that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    /// All of it, header fields unfolded and the body decoded.
    pub(crate) text: String,
}

const CONFIGURATION: &str = "\
spool_directory = @/exim/spool
log_file_path = @/exim/%slog
pid_file_path = @/exim/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = PORT
primary_hostname = mail.example.com
tls_advertise_hosts =
keep_environment =
acl_smtp_rcpt = accept
begin routers
everybody:
  driver = accept
  transport = disk
begin transports
disk:
  driver = appendfile
  directory = @/exim/mail
  maildir_format
  user = Debian-exim
  group = Debian-exim
  envelope_to_add
";

impl<'a> Exim<'a> {
    /// Writes its files; nothing runs yet.
    pub(crate) fn new(world: &'a World) -> Self {
        let port = free_port();
        let file = world.write("exim.conf", &CONFIGURATION.replace("PORT", &port.to_string()));
        // exim goes on as a user of its own, who has to get through to its files.
        for (path, mode) in [(world.dir(), 0o711), (file.as_path(), 0o644)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        for folder in ["exim", "exim/spool", "exim/mail"] {
            std::fs::create_dir(world.path(folder)).unwrap();
            let owner = Command::new("chown").arg("Debian-exim:Debian-exim").arg(world.path(folder)).status();
            assert!(owner.unwrap().success(), "the user Debian-exim comes with exim");
        }
        Self { world, port, daemon: None }
    }

    /// Starts it, and waits until it takes mail.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(EXIM);
        command.arg("-C").arg(self.world.path("exim.conf")).args(["-bdf"]);
        let errors = std::fs::File::create(self.world.path("exim.errors")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        self.daemon = Some(command.spawn().unwrap());
        let port = self.port;
        wait_until("exim's port", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Mails that have arrived.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let Ok(files) = std::fs::read_dir(self.world.path("exim/mail/new")) else { return Vec::new() };
        let texts = files.flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.map(|text| Mail { text: plain(&text) }).collect()
    }

    /// Waits for the one mail with this text in its subject.
    pub(crate) fn mail(&self, subject: &str) -> Mail {
        let found = wait_for(&format!("a mail about {subject:?}"), || {
            let found: Vec<_> = self.mails().into_iter().filter(|m| m.subject().contains(subject)).collect();
            (!found.is_empty()).then_some(found)
        });
        assert_eq!(found.len(), 1, "mails about {subject:?}: {found:#?}");
        found.into_iter().next().unwrap()
    }
}

impl Drop for Exim<'_> {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        if std::thread::panicking() {
            println!("--- exim\n{}{}", self.world.read("exim/mainlog"), self.world.read("exim.errors"));
            println!("--- mails\n{:#?}", self.mails());
        }
    }
}

impl Mail {
    /// What a header field says; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self.text.split("\n\n").next().unwrap_or_default();
        let field = head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value)
        });
        // One blank belongs to the field, any other to the text.
        field.map(|value| value.strip_prefix(' ').unwrap_or(value)).unwrap_or_default()
    }

    pub(crate) fn subject(&self) -> &str {
        self.header("Subject")
    }
}

/// Header fields unfolded (RFC 5322, 2.2.3), the body decoded (RFC 2045, 6.7).
fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    if !head.to_lowercase().contains("\ncontent-transfer-encoding: quoted-printable") {
        return format!("{head}\n\n{body}");
    }
    let mut bytes = Vec::new();
    let joined = body.replace("=\n", "");
    let mut rest = joined.bytes();
    while let Some(byte) = rest.next() {
        let code = (byte == b'=').then(|| [rest.next(), rest.next()].map(Option::unwrap_or_default));
        let code = code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(byte));
    }
    format!("{head}\n\n{}", String::from_utf8_lossy(&bytes))
}
