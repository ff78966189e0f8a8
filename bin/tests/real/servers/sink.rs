//! A mail server of our own that takes everything and keeps it: RFC 5321, as far as a client needs it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it got. Ends with the test.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) port: u16,
    got: Arc<Mutex<Got>>,
}

#[derive(Debug, Default)]
struct Got {
    /// Subjects, by Message-ID: a mail that comes again under its id is the same mail.
    subjects: BTreeMap<String, String>,
    /// Those ids that came again with another subject.
    garbled: Vec<String>,
}

impl Sink {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, got) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::default()));
        let keep: Arc<Mutex<Got>> = got.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let keep = keep.clone();
                // A client that is killed in the middle ends its thread.
                std::thread::spawn(move || serve(client, &keep));
            }
        });
        Self { port, got }
    }

    /// How many different mails have all of these in their subject.
    pub(crate) fn count(&self, parts: &[&str]) -> usize {
        let got = self.got.lock().unwrap();
        got.subjects.values().filter(|subject| parts.iter().all(|part| subject.contains(part))).count()
    }

    /// Every subject, and every id that came with two.
    pub(crate) fn all(&self) -> (Vec<String>, Vec<String>) {
        let got = self.got.lock().unwrap();
        (got.subjects.iter().map(|(id, subject)| format!("{id} {subject}")).collect(), got.garbled.clone())
    }
}

fn serve(client: TcpStream, got: &Mutex<Got>) -> Option<()> {
    let mut lines = BufReader::new(client.try_clone().ok()?).lines();
    let say = |text: &str| (&client).write_all(format!("{text}\r\n").as_bytes()).ok();
    say("220 sink")?;
    while let Some(Ok(line)) = lines.next() {
        let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        if word != "DATA" {
            say(if word == "QUIT" { "221 bye" } else { "250 ok" })?;
            continue;
        }
        say("354 go on")?;
        let mut mail = String::new();
        loop {
            let line = lines.next()?.ok()?;
            if line == "." {
                break;
            }
            // A header that goes on in the next line is one line.
            match line.strip_prefix(' ') {
                Some(more) => mail += &format!(" {more}"),
                None => mail += &format!("\n{line}"),
            }
        }
        let header = |name: &str| {
            let found = mail.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_default().trim().to_owned()
        };
        // Monit writes it in its own way.
        let id = [header("Message-ID:"), header("Message-Id:")].concat();
        let subject = header("Subject:");
        let mut got = got.lock().unwrap();
        let before = got.subjects.insert(id.clone(), subject.clone());
        if before.is_some_and(|before| before != subject) {
            got.garbled.push(id);
        }
        drop(got);
        say("250 taken")?;
    }
    Some(())
}
