//! A state file that is not what it was: the daemon runs, keeps what it does not know, and says so.

use std::process::Command;

use crate::common::{CONTROL_FILE, World, alive, kill, wait_until};
use crate::servers::passed_over;

/// A daemon of one service, whose state file is what `spoil` makes of it.
fn with_state(spoil: impl FnOnce(&World)) -> World {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    world.ok("-c rc");
    let pid = world.pid("svc.pid");
    world.ok("-c rc unmonitor svc");
    let daemon = world.pid("pid");
    kill(daemon, "KILL");
    wait_until("the daemon's end", || !alive(daemon));
    spoil(&world);
    world.ok("-c rc");
    wait_until("a status", || {
        world.ok("-B -c rc status svc").out.contains(&format!(" {pid}\n")) || is_off(&world)
    });
    world
}

fn is_off(world: &World) -> bool {
    world.ok("-B -c rc status svc").out.contains("Not monitored")
}

#[test]
fn a_state_file_that_was_torn_goes_on() {
    let world = with_state(|world| {
        let state = world.read("state");
        std::fs::write(world.path("state"), format!("{state}{{\"entry\":\"monito")).unwrap();
    });
    assert!(is_off(&world), "what stood before is known");
    assert!(!world.read("log").contains("state file"), "and that is nobody's worry");
}

#[test]
fn whatever_a_state_file_holds_the_daemon_runs_and_says_what_it_kept() {
    let huge = "x".repeat(64 << 20);
    for (holds, keeps) in
        [("", false), ("garbage\nand more\n", true), ("\0\0\0\0\u{1}\0\0\0", true), (&huge, true)]
    {
        let world = with_state(|world| std::fs::write(world.path("state"), holds).unwrap());
        assert!(!is_off(&world), "nothing is known any more");
        let aside = |name: &String| name.starts_with("state.damaged") || name.starts_with("state.monit");
        let kept: Vec<_> = world.files().into_iter().filter(aside).collect();
        let length = holds.len();
        if keeps {
            world.logged("is kept as", 1);
            let length = kept.first().map(|name| std::fs::metadata(world.path(name)).unwrap().len());
            assert_eq!((kept.len(), length), (1, Some(holds.len() as u64)), "{kept:?}");
        } else {
            assert_eq!(kept, [] as [String; 0], "{length} bytes are nothing to keep");
        }
        // What is asked for from now on is known again.
        world.ok("-c rc unmonitor svc");
        let daemon = world.pid("pid");
        kill(daemon, "KILL");
        wait_until("the daemon's end", || !alive(daemon));
        world.ok("-c rc");
        wait_until("it to be off", || is_off(&world));
    }
}

#[test]
fn a_folder_in_place_of_the_state_file_is_told_and_left_alone() {
    let world = with_state(|world| {
        std::fs::remove_file(world.path("state")).unwrap();
        std::fs::create_dir(world.path("state")).unwrap();
        world.write("state/precious", "kept");
    });
    world.logged("not a regular file", 1);
    assert_eq!(world.read("state/precious"), "kept");
}

#[test]
fn a_full_disk_keeps_no_service_down_and_is_told() {
    let world = World::new();
    let disk = Disk::new(&world);
    let Some(disk) = disk else { return };
    world.write("rc", &CONTROL_FILE.replace("@/state", "@/disk/state"));
    world.ok("-c rc");
    let first = world.pid("svc.pid");
    disk.fill();
    // What is left of its last page is used up little by little.
    for _ in 0..60 {
        world.ok("-c rc unmonitor svc");
        world.ok("-c rc monitor svc");
        if world.read("log").contains("cannot write the state file") {
            break;
        }
    }
    let mut pid = first;
    for _ in 0..3 {
        kill(pid, "KILL");
        pid = world.new_pid("svc.pid", pid);
        // One that dies before it was seen is waited for as long as a start may take.
        world.logged(&format!("process is running with pid {pid}"), 1);
    }
    world.logged("cannot write the state file", 1);
    // A start finds it full, too.
    let daemon = world.pid("pid");
    kill(daemon, "KILL");
    wait_until("the daemon's end", || !alive(daemon));
    world.ok("-c rc");
    // As was said, it may have been forgotten that it is watched again.
    world.ok("-c rc monitor svc");
    kill(pid, "KILL");
    world.new_pid("svc.pid", pid);
    world.ok("-c rc quit");
}

/// A small disk of its own, in memory. Goes with the test.
struct Disk(std::path::PathBuf);

impl Disk {
    /// `None` if we may not have one.
    fn new(world: &World) -> Option<Self> {
        let path = world.path("disk");
        std::fs::create_dir(&path).unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path).output();
        if !mount.is_ok_and(|done| done.status.success()) {
            passed_over("a disk of our own may not be mounted");
            return None;
        }
        Some(Self(path))
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
