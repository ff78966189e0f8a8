//! The server over a real socket on loopback, and requests to it, letter by letter.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban_web::{Listener, Options, User, Web};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::Double;

/// Nothing here takes long; this only ends a test that hangs.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Server {
    pub port: u16,
    pub double: Double,
    pub problems: Vec<String>,
    /// Who was turned away.
    pub refused: Arc<Mutex<Vec<String>>>,
    pub task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn user(name: &str, password: &str, read_only: bool) -> User {
    User { name: name.to_owned(), password: password.to_owned(), read_only }
}

pub fn tcp(read_only: bool) -> Listener {
    Listener::Tcp { address: Some("127.0.0.1".to_owned()), port: 0, read_only }
}

pub fn unix(path: &Path, mode: Option<u32>) -> Listener {
    Listener::Unix { path: path.to_owned(), mode, uid: None, gid: None, read_only: false }
}

/// A server that `change` has configured; by default it allows admin:monit and the read-only viewer:look.
pub async fn server(change: impl FnOnce(&mut Options)) -> Server {
    let mut options = Options::new("5de67d678ea4bbf7a97b07a3d9f30da1", "/etc/hinoban.toml");
    options.listen = vec![tcp(false)];
    options.users = vec![user("admin", "monit", false), user("viewer", "look", true)];
    change(&mut options);
    let double = Double::new(super::status());
    let (web, problems) = Web::bind(options, double.clone()).await;
    let refused = Arc::new(Mutex::new(Vec::new()));
    let ears = refused.clone();
    let web = web.on_refusal(move |refused| ears.lock().unwrap().push(refused.to_string()));
    let port = web.addresses().first().map_or(0, |at| at.port());
    Server { port, double, problems, refused, task: tokio::spawn(web.run()) }
}

impl Server {
    pub async fn ask(&self, request: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        talk(stream, request).await
    }

    /// A GET as admin.
    pub async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n{ADMIN}\r\n")).await
    }

    /// A POST with this login, cookie and body.
    pub async fn post(&self, path: &str, fields: &str, body: &str) -> String {
        let length = body.len();
        self.ask(&format!("POST {path} HTTP/1.0\r\n{fields}Content-Length: {length}\r\n\r\n{body}")).await
    }
}

pub const ADMIN: &str = "Authorization: Basic YWRtaW46bW9uaXQ=\r\n";
pub const VIEWER: &str = "Authorization: Basic dmlld2VyOmxvb2s=\r\n";
pub const COOKIE: &str = "Cookie: a=b; securitytoken=t0\r\n";

pub async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("an answer").unwrap();
    String::from_utf8(answer).unwrap()
}

pub fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status: {answer:?}"))
}

pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}
