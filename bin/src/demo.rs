//! `hinoban demo-service PIDFILE PORT`: a tiny daemon for the demonstration to watch, kill and bring back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::daemon::{Ready, Side, detach};
use crate::sys;
use crate::terminal::complain;

/// What it is called on the command line. Nobody has to know.
pub(crate) const VERB: &str = "demo-service";

const ANSWER: &str = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 21\r\nConnection: close\r\n\r\n\
                      Hinoban demo service\n";

/// Goes to the background, writes its pidfile, and answers HTTP on 127.0.0.1 until SIGTERM.
pub(crate) fn serve(arguments: &[String]) -> ExitCode {
    let [pidfile, port] = arguments else {
        complain(format!("Usage: hinoban {VERB} PIDFILE PORT"));
        return ExitCode::FAILURE;
    };
    let Ok(port) = port.parse::<u16>() else {
        complain(format!("'{port}' is no port; give a number up to 65535"));
        return ExitCode::FAILURE;
    };
    let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
    match start(here.join(pidfile), port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(why);
            ExitCode::FAILURE
        }
    }
}

fn start(pidfile: PathBuf, port: u16) -> Result<(), String> {
    let listener = TcpListener::bind(("127.0.0.1", port)).map_err(|why| {
        format!("Cannot listen at 127.0.0.1:{port}: {why}; end whoever does, or take another port")
    })?;
    let ready = match detach().map_err(|why| format!("Cannot go to the background: {why}"))? {
        Side::Parent(result) => return result.map(drop),
        Side::Daemon(ready) => ready,
    };
    sys::hold_term();
    if let Err(why) = sign(&pidfile) {
        return fail(ready, &format!("Cannot write '{}': {why}", pidfile.display()));
    }
    let ending = Arc::new(AtomicBool::new(false));
    let told = ending.clone();
    let made = std::thread::Builder::new().name("term".into()).spawn(move || {
        sys::wait_for_term();
        told.store(true, Ordering::SeqCst);
        // Whoever waits for a client sees it now.
        let _ = TcpStream::connect(("127.0.0.1", port));
    });
    if let Err(why) = made {
        let _ = std::fs::remove_file(&pidfile);
        return fail(ready, &format!("No thread to wait for SIGTERM: {why}"));
    }
    ready.up(&[]);
    let _ = std::env::set_current_dir("/");
    for client in listener.incoming().flatten() {
        if ending.load(Ordering::SeqCst) {
            break;
        }
        answer(client);
    }
    // The port first: whoever sees the pidfile gone may start the next one at once.
    drop(listener);
    let _ = std::fs::remove_file(&pidfile);
    Ok(())
}

fn fail(ready: Ready, why: &str) -> Result<(), String> {
    ready.failed(why);
    Ok(())
}

/// Whole or not at all: a supervisor may read it at any moment.
fn sign(pidfile: &Path) -> std::io::Result<()> {
    let mut beside = pidfile.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, format!("{}\n", std::process::id()))?;
    std::fs::rename(&beside, pidfile)
}

fn answer(mut client: TcpStream) {
    // One client at a time: one that says nothing must not keep the others waiting for long.
    let _ = client.set_read_timeout(Some(Duration::from_millis(500)));
    let _ = client.read(&mut [0; 1024]);
    let _ = client.write_all(ANSWER.as_bytes());
}
