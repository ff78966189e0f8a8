//! The courier that a configuration asks for: mail.

use std::path::PathBuf;

use async_trait::async_trait;
use hinoban_action::Message;
use hinoban_actions::mail::{
    Credentials, Letter, MailOptions, Mailer, Post, PostOptions, Server, Tls, Trust,
};
use hinoban_config::{Mail, MailTls};
use hinoban_reading::Stamp;
use hinoban_supervisor::{Courier, Receipts, Trouble};
use tokio::sync::mpsc;

/// Somebody who carries messages by mail as `mail` says; `None` if it names no server.
///
/// Options of TLS that its servers leave open are to be filled in by [`Mail::over`] before; certificates are verified
/// unless that says otherwise. `host` is what we call ourselves to servers, `queue` where messages wait, unless `mail` says otherwise.
pub fn courier(mail: &Mail, host: &str, queue: Option<PathBuf>) -> Option<Box<dyn Courier>> {
    if mail.servers.is_empty() {
        return None;
    }
    let servers = mail.servers.iter().map(|server| {
        let mut options = Server::plain(server.host.clone(), server.port);
        options.tls = match server.tls {
            MailTls::Off => Tls::Off,
            MailTls::StartTls => Tls::StartTls,
            MailTls::Implicit => Tls::Implicit,
        };
        options.verify = server.options.verify.unwrap_or(true);
        let newest = server.options.versions.is_some_and(|versions| !versions.v1_2 && versions.v1_3);
        options.trust = Trust {
            ca_file: server.options.ca_file.clone(),
            ca_path: server.options.ca_path.clone(),
            newest,
            checksum: server.options.checksum.as_ref().map(|digest| digest.digits.clone()),
        };
        options.credentials = server.login.as_ref().map(|(user, password)| Credentials {
            user: user.clone(),
            password: password.reveal().to_owned(),
        });
        options
    });
    let options = MailOptions {
        servers: servers.collect(),
        timeout: mail.timeout,
        hostname: Some(mail.hostname.clone().unwrap_or_else(|| host.to_owned())),
    };
    let mut post = PostOptions { directory: mail.queue.clone().or(queue), ..PostOptions::default() };
    if let Some(slots) = mail.slots {
        post.slots = slots;
    }
    Some(Box::new(Mailman(Post::new(post, Mailer::new(options)))))
}

struct Mailman(Post);

#[async_trait]
impl Courier for Mailman {
    fn receipts(&mut self, safe: Receipts) -> bool {
        self.0.receipts(safe);
        true
    }

    async fn carry(
        self: Box<Self>,
        mut messages: mpsc::UnboundedReceiver<(Stamp, Message)>,
        trouble: Trouble,
    ) {
        let (letters, post) = mpsc::channel(64);
        let forward = async move {
            while let Some((at, message)) = messages.recv().await {
                if letters.send(Letter { message, at }).await.is_err() {
                    break;
                }
            }
        };
        tokio::join!(forward, self.0.run(post, trouble));
    }
}
