//! The set-up that Hinoban was made for, from the first start to the end.

use std::time::Duration;

use crate::common::{World, free_port, kill, pause, wait_until};
use crate::servers::exim::{EXIM, Exim, Mail};
use crate::servers::nginx::{NGINX, Nginx};
use crate::servers::{installed, root};

const CONTROL_FILE: &str = include_str!("../../../fixtures/config/valid/httpd.monitrc");
const TOML: &str = include_str!("../../../fixtures/config/valid/httpd.toml");

/// The text with the places of this test for those of a server; nothing else is changed.
fn adapted(text: &str, places: &[(&str, String)]) -> String {
    let mut text = text.to_owned();
    for (theirs, ours) in places {
        assert!(text.contains(theirs), "{theirs} in {text}");
        text = text.replace(theirs, ours);
    }
    text
}

/// Everything that happens to the set-up in an evening, under the control file and under its twin alike.
fn an_evening(world: &World, nginx: &Nginx<'_>, exim: &mut Exim<'_>, file: &str) {
    exim.start();
    let first = nginx.start();
    // A first start counts as one after a boot, and waits for the four minutes the file asks for. The next does not.
    world.ok(&format!("-c {file}"));
    world.ok(&format!("-c {file} quit"));
    // The server is older than the daemon.
    pause(Duration::from_secs(2));
    world.ok(&format!("-c {file}"));
    well(world, file);
    assert_eq!(nginx.pid(), first, "what runs is left alone");

    kill(first, "KILL");
    let second = nginx.back(first);
    well(world, file);
    assert_eq!((nginx.called("start"), nginx.called("stop")), (2, 0));

    world.ok(&format!("-c {file} quit"));
    nginx.answers();
    assert_eq!(nginx.pid(), second, "what it watched goes on");
}

/// Waits until it is known to be well.
fn well(world: &World, file: &str) {
    wait_until("httpd to be well", || {
        let status = world.ok(&format!("-B -c {file} status httpd")).out;
        status.contains("\n  status                       OK\n") && status.contains("port response time")
    });
}

/// How long the process had lived, as the mail tells; in seconds, of those there were less than sixty.
fn lived(mail: &Mail) -> f64 {
    let (_, rest) = mail.text.split_once(", having lived for ").unwrap_or_else(|| panic!("{mail:#?}"));
    rest.split(" s.").next().unwrap().parse().unwrap_or_else(|why| panic!("{why}: {mail:#?}"))
}

/// Waits for this many mails, and gives their subjects sorted.
fn subjects(exim: &Exim<'_>, many: usize) -> Vec<String> {
    wait_until("all mails", || exim.mails().len() >= many);
    let mut subjects: Vec<_> = exim.mails().iter().map(|mail| mail.subject().to_owned()).collect();
    subjects.sort();
    subjects
}

#[test]
fn the_control_file_is_obeyed_and_the_administrator_knows_why() {
    if !installed(&[NGINX, EXIM]) || !root("to run exim") {
        return;
    }
    let world = World::new();
    let (nginx, mut exim) = (Nginx::new(&world), Exim::new(&world));
    let text = adapted(
        CONTROL_FILE,
        &[
            ("mailserver localhost", format!("mailserver localhost port {}", exim.port)),
            ("port 2812", format!("port {}", free_port())),
            ("/var/run/httpd.pid", "@/httpd.pid".to_owned()),
            ("/etc/init.d/httpd", "@/httpd".to_owned()),
            ("www.example.com port 80", format!("localhost port {}", nginx.port)),
        ],
    );
    world.write("rc", &format!("{text}\nset pidfile @/pid\nset idfile @/id\nset statefile @/state\n"));
    an_evening(&world, &nginx, &mut exim, "rc");

    let host = exim.mail("monit alert --  Exists httpd").header("From").replace("monit@", "");
    let instance = format!("monit alert --  Monit instance changed {host}");
    let told = subjects(&exim, 6);
    let expected = ["monit alert --  Does not exist httpd", "monit alert --  Exists httpd"];
    assert_eq!(told[..2], expected);
    assert_eq!(told[2..], [instance.as_str(); 4]);
    let said = |text: &str| exim.mails().iter().filter(|mail| mail.text.contains(text)).count();
    assert_eq!((said("\tAction:      start\n"), said("\tAction:      stop\n")), (2, 2));

    let death = exim.mail("Does not exist httpd");
    assert_eq!((death.header("To"), death.header("Envelope-to")), ("admin@example.com", "admin@example.com"));
    assert!(death.text.contains("\n\nDoes not exist Service httpd \n\n\tDate:        "), "{death:#?}");
    assert!(death.text.contains("\n\tAction:      restart\n"), "{death:#?}");
    assert!(death.text.contains(") was killed by signal 9 (SIGKILL), having lived for "), "{death:#?}");
    assert!((2.0..60.0).contains(&lived(&death)), "{death:#?}");
    let recovery = exim.mail("Exists httpd");
    assert!(recovery.text.contains("killed by signal 9 (SIGKILL)"), "{recovery:#?}");
    assert!(recovery.text.contains("\n  - restarted in "), "{recovery:#?}");
}

#[test]
fn its_twin_in_toml_does_the_same() {
    if !installed(&[NGINX, EXIM]) || !root("to run exim") {
        return;
    }
    let world = World::new();
    let (nginx, mut exim) = (Nginx::new(&world), Exim::new(&world));
    let text = adapted(
        TOML,
        &[
            ("smtp://localhost", format!("smtp://localhost:{}", exim.port)),
            ("127.0.0.1:2812", format!("127.0.0.1:{}", free_port())),
            ("/var/run/httpd.pid", "@/httpd.pid".to_owned()),
            ("/etc/init.d/httpd", "@/httpd".to_owned()),
            ("http://www.example.com/", format!("http://localhost:{}/", nginx.port)),
            (
                "[log]",
                "[files]\npidfile = \"@/pid\"\nidfile = \"@/id\"\nstatefile = \"@/state\"\n[log]".to_owned(),
            ),
        ],
    );
    world.write("httpd.toml", &text);
    an_evening(&world, &nginx, &mut exim, "httpd.toml");

    let death = exim.mail("httpd is down: process is not running");
    let host = death.header("From").replace("hinoban@", "");
    let told = subjects(&exim, 6);
    assert!(told.iter().all(|subject| subject.starts_with(&format!("[{host}] "))), "{told:#?}");
    assert_eq!(told.iter().filter(|subject| subject.contains("httpd")).count(), 2, "{told:#?}");
    assert!(death.text.contains(") was killed by signal 9 (SIGKILL), having lived for "), "{death:#?}");
    assert!((2.0..60.0).contains(&lived(&death)), "{death:#?}");
    assert!(death.text.contains("\nTo look closer: hinoban status httpd\n"), "{death:#?}");
    let recovery = exim.mail("httpd is back after ");
    assert!(recovery.text.contains("killed by signal 9 (SIGKILL)"), "{recovery:#?}");
}
