//! Monit's own command line, which takes us for a Monit.

use crate::beside_monit::{self, MONIT};
use crate::common::{Done, World, free_port, wait_until};
use crate::servers::installed;
use crate::servers::nginx::{NGINX, Nginx, control_file};

/// What Monit's command line says, which must succeed.
fn monit(world: &World, line: &str) -> Done {
    let done = beside_monit::monit(world, "rc", line);
    assert_eq!(done.code, Some(0), "monit {line}: {done:?}");
    done
}

#[test]
fn it_shows_and_commands_what_we_watch() {
    if !installed(&[NGINX, MONIT]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    let web = format!("set httpd port {} use address 127.0.0.1 allow admin:monit\n", free_port());
    world.write("rc", &format!("{web}{}", control_file(&nginx)));
    world.ok("-c rc");
    let first = nginx.pid();
    wait_until("httpd to be well", || {
        world.ok("-B -c rc status httpd").out.contains("\n  status                       OK\n")
    });
    wait_until("all to be well", || world.ok("-c rc report up").out == "2\n");

    let status = monit(&world, "status").out;
    assert!(status.contains("\nProcess 'httpd'\n  status                       OK\n"), "{status}");
    assert!(status.contains(&format!("\n  pid                          {first}\n")), "{status}");
    assert!(status.contains("\n  port response time           "), "{status}");
    let summary = monit(&world, "summary").out;
    assert!(summary.lines().any(|l| l.split_whitespace().eq(["httpd", "OK", "Process"])), "{summary}");
    assert_eq!(monit(&world, "report up").out.trim(), "2");
    assert!(monit(&world, "report").out.contains("up:"), "{:?}", monit(&world, "report"));

    monit(&world, "restart httpd");
    let second = nginx.back(first);
    world.logged("'httpd' restart action done", 1);
    assert_eq!((nginx.called("start"), nginx.called("stop")), (2, 1));
    monit(&world, "stop httpd");
    wait_until("nginx' end", || nginx.ask().is_none());
    monit(&world, "start httpd");
    nginx.back(second);
    monit(&world, "quit");
    wait_until("our end", || !world.path("pid").exists());
    nginx.answers();
}
