//! The page in a real browser, in which no script runs: what an administrator sees, and what his clicks do.

use std::path::Path;

use crate::common::{World, free_port, wait_until};
use crate::servers::chromium::{CHROMIUM, Chromium};
use crate::servers::installed;

/// `admin:monit`, who may act, and `viewer:look`, who may not.
const ADMIN: &str = "Basic YWRtaW46bW9uaXQ=";
const VIEWER: &str = "Basic dmlld2VyOmxvb2s=";

/// A service that nobody repairs unasked, and others beside it.
fn configuration(port: u16) -> String {
    format!(
        r#"
every = "1s"
[files]
pidfile = "@/pid"
idfile = "@/id"
statefile = "@/state"
[log]
file = "@/log"
[web]
listen = "127.0.0.1:{port}"
users = [{{ name = "admin", password = "monit" }}, {{ name = "viewer", password = "look", read-only = true }}]
[service.queue]
pidfile = "@/queue.pid"
groups = ["mail", "night"]
mode = "passive"
start = ["/bin/sh", "-c", "sleep 1000 & echo $! > @/queue.pid"]
stop = ["/bin/sh", "-c", "kill $(cat @/queue.pid); rm @/queue.pid"]
[service.worker]
pidfile = "@/worker.pid"
groups = ["mail"]
start = ["/bin/sh", "-c", "sleep 1000 & echo $! > @/worker.pid"]
  [[service.worker.check]]
  when = "memory > 1 GiB"
  for = "3 cycles"
  then = "restart"
[service.neighbour]
host = "127.0.0.1"
  [[service.neighbour.check]]
  tcp = "127.0.0.1:{port}"
"#
    )
}

#[test]
fn a_failure_is_found_and_repaired_with_three_clicks_and_no_script() {
    if !installed(&[CHROMIUM]) {
        return;
    }
    let world = World::new();
    let port = free_port();
    world.write("rc.toml", &configuration(port));
    world.ok("-c rc.toml");
    wait_until("looks at all", || world.ok("-c rc.toml report down").out == "1\n");
    wait_until("the worker", || world.ok("-c rc.toml report up").out == "3\n");

    let mut browser = Chromium::new(&world);
    browser.log_in(ADMIN);
    browser.open(&format!("http://127.0.0.1:{port}/"));
    let page = browser.shows("All services");
    let (wrong, all) = page.split_once("All services").unwrap();
    assert!(wrong.contains("Wrong now ■ Down queue there is no pidfile "), "{page}");
    assert!(!wrong.contains("worker") && all.contains("worker") && all.contains("night"), "{page}");
    pictures(&mut browser, "overview");

    browser.press("link", "queue");
    let page = browser.shows("What to do");
    assert!(page.contains("■ Down") && page.contains("there is no pidfile "), "{page}");
    assert!(!page.contains("$!"), "arguments of programs are nobody's business: {page}");
    assert!(browser.offers("button", "Restart") && !browser.offers("button", "Monitor"), "{page}");
    pictures(&mut browser, "service-down");

    browser.press("button", "Restart");
    let pid = world.pid("queue.pid");
    // Nobody presses anything: while it is under way the page is loaded again by itself.
    browser.shows("● Up since ");
    assert!(!browser.offers("button", "Start"), "it is up already");
    browser.shows(&format!("Process id {pid}"));
    pictures(&mut browser, "service-up");

    browser.press("link", "All services");
    let page = browser.shows("Nothing is wrong");
    assert!(page.contains("● 4 up"), "{page}");
    assert_eq!(browser.complaints(), [""; 0], "neither a policy nor a missing file is in the way");

    browser.log_in(VIEWER);
    browser.open(&format!("http://127.0.0.1:{port}/queue"));
    let page = browser.shows("What it is");
    assert!(!page.contains("What to do") && !browser.offers("button", "Stop"), "who may only look: {page}");
}

/// No part of the page is beyond the edge of a phone or of a desk's screen. With a folder in `HINOBAN_SHOTS`, pictures
/// are left there, to be looked at.
fn pictures(browser: &mut Chromium, name: &str) {
    for (width, scheme) in [(390, "dark"), (390, "light"), (1280, "dark"), (1280, "light")] {
        let needed = browser.resize(width, scheme);
        assert!(needed <= width, "{name} needs {needed} px of {width}");
        if let Some(folder) = std::env::var_os("HINOBAN_SHOTS").filter(|folder| !folder.is_empty()) {
            browser.picture(&Path::new(&folder).join(format!("{name}-{width}-{scheme}.png")));
        }
    }
}
