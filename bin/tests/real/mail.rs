//! Mail while its server is away.

use crate::common::{World, alive, kill, wait_for, wait_until};
use crate::servers::exim::{EXIM, Exim};
use crate::servers::nginx::{NGINX, Nginx, control_file};
use crate::servers::{installed, root};

/// Message-ID of the mail that waits on disk and has this subject.
fn waiting(world: &World, subject: &str) -> Option<String> {
    let files = std::fs::read_dir(world.path("state.mail")).ok()?.flatten();
    let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let mut letters = texts.filter_map(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    let letter = letters.find(|letter| letter["subject"].as_str().is_some_and(|s| s.contains(subject)))?;
    Some(format!("<{}>", letter["id"].as_str().unwrap()))
}

#[test]
fn it_waits_on_disk_and_arrives_once_the_server_is_back_also_after_a_crash_of_ours() {
    if !installed(&[NGINX, EXIM]) || !root("to run exim") {
        return;
    }
    let world = World::new();
    let (nginx, mut exim) = (Nginx::new(&world), Exim::new(&world));
    let mail = format!("set mailserver 127.0.0.1 port {}\nset alert admin@example.com\n", exim.port);
    world.write("rc", &format!("{mail}{}", control_file(&nginx)));
    let first = nginx.start();
    world.ok("-c rc");
    wait_until("httpd to be well", || {
        world.ok("-B -c rc status httpd").out.contains("\n  status                       OK\n")
    });
    kill(first, "KILL");
    nginx.back(first);
    world.logged("mail cannot be sent", 1);
    let death = wait_for("the mail on disk", || waiting(&world, "Does not exist httpd"));
    let recovery = wait_for("the mail on disk", || waiting(&world, "Exists httpd"));

    let daemon = world.pid("pid");
    kill(daemon, "KILL");
    wait_until("the daemon's end", || !alive(daemon));
    for times in [2, 3] {
        world.ok("-c rc");
        world.logged("mail cannot be sent", times);
        if times == 2 {
            world.ok("-c rc quit");
        }
    }
    exim.start();
    assert_eq!(exim.mail("Does not exist httpd").header("Message-ID"), death);
    assert_eq!(exim.mail("Exists httpd").header("Message-ID"), recovery);
    wait_until("the queue to be empty", || {
        let files = std::fs::read_dir(world.path("state.mail")).unwrap();
        files.flatten().all(|file| file.file_name() == "lock")
    });
    assert_eq!(exim.mails().iter().filter(|mail| mail.subject().contains("instance changed")).count(), 4);
}
