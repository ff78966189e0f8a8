//! `hinoban shadow` beside a Monit that is played by this test.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // these may panic, and are a Monit with a clock of its own

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use common::{World, free_port, wait_until};

/// What this Monit says of its one service at present: status, mask of monitoring, process.
type Said = Arc<Mutex<(u32, u32, Option<u32>)>>;

/// Answers every question with a status, as Monit does: headers, then a document, then the end.
fn monit(port: u16, said: Said) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            assert!(String::from_utf8(body).unwrap().contains("format=xml"), "only questions are asked");
            let (status, monitor, pid) = *said.lock().unwrap();
            let pid = pid.map(|pid| format!("<pid>{pid}</pid>")).unwrap_or_default();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let xml = format!(
                "<?xml version=\"1.0\"?><monit><service type=\"3\"><name>svc</name><collected_sec>{now}</collected_sec>\
                 <collected_usec>0</collected_usec><status>{status}</status><monitor>{monitor}</monitor>{pid}\
                 </service></monit>"
            );
            let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{xml}", xml.len());
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
}

#[test]
fn who_saw_what_is_told_and_nothing_is_done() {
    let world = World::new();
    let port = free_port();
    let said: Said = Arc::new(Mutex::new((0, 1, Some(11))));
    monit(port, said.clone());
    world.write(
        "rc",
        &format!(
            "set daemon 1\nset httpd port {port} and use address 127.0.0.1 allow admin:monit\n\
             check process svc with pidfile @/svc.pid\n  start program = \"/usr/bin/touch @/was-run\"\n\
             \x20 if does not exist then exec \"/usr/bin/touch @/was-run\"\n"
        ),
    );
    let mut process = Command::new("sleep").arg("1000").spawn().unwrap();
    world.write("svc.pid", &process.id().to_string());
    let out = std::fs::File::create(world.path("out")).unwrap();
    let mut command = world.command("-c rc shadow --for 30m");
    let mut shadow = command.stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("its beginning", || world.read("out").contains("Watching 1 services"));
    common::pause(std::time::Duration::from_secs(2));
    process.kill().unwrap();
    process.wait().unwrap();
    wait_until("our word", || world.read("out").contains("process is not running: would run /usr/bin/touch"));
    *said.lock().unwrap() = (512, 1, None);
    wait_until("Monit's word", || world.read("out").contains("Monit  says that it is not well (status 512)"));
    *said.lock().unwrap() = (0, 1, Some(12));
    wait_until("its repair", || world.read("out").contains("started it again: pid 11 became 12"));
    *said.lock().unwrap() = (0, 0, None);
    wait_until("its leave", || world.read("out").contains("watches it no more"));
    common::kill(shadow.id() as i32, "TERM");
    assert!(shadow.wait().unwrap().success());
    let out = world.read("out");
    let line: Vec<_> =
        out.lines().find(|line| line.starts_with("svc ")).unwrap().split_whitespace().collect();
    assert_eq!(line[..4], ["svc", "1", "0", "0"], "{out}");
    assert_eq!(world.files(), ["out", "rc", "svc.pid"], "nothing was run, and nothing is left");
}
