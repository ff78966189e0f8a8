//! Files, directories and pipes beside Monit's: what is shown of them, and what is told while owners, modes, times and
//! contents are bad and good.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use super::{MONIT, Pair};
use crate::common::{World, wait_until};
use crate::servers::{installed, root};

const NODES: &str = "
check system here
check file f with path @/f
  if failed uid 0 then alert
  if failed gid 0 then alert
  if failed permission 644 then alert
  if failed checksum then alert
  if timestamp > 1 hour then alert
  if atime > 1 hour then alert
  if ctime < 1 day then alert
  if changed mtime then alert
check file sha with path @/f
  if failed checksum expect AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDDaaaaaaaa then alert
check file turned with path @/f
  if changed checksum then alert
  if changed permission then alert
check file folder with path @/d
check directory d with path @/d
  if failed uid 7 then alert
  if failed permission 700 then alert
  if changed timestamp then alert
check directory file with path @/f
check directory away with path @/away
check fifo p with path @/p
  if failed gid 7 then alert
check fifo nopipe with path @/f
check fifo gone with path @/gone
  if exist then alert
";

/// What was told of services, without when and without what only one of the two says.
fn told(world: &World, log: &str) -> BTreeSet<String> {
    let text = world.read(log);
    let lines = text.lines().filter_map(|line| line.split_once("] ").map(|(_, line)| line));
    let ours = |line: &&str| line.contains(": '") && !line.contains("trying to") && !line.contains("started");
    lines.filter(ours).map(|line| undated(line.split(" -- there is no ").next().unwrap_or(line))).collect()
}

/// Times are as they are: one of the two may have looked a second later.
fn undated(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    words.retain(|word| !(word.len() >= 8 && word.as_bytes()[2] == b':' && word.as_bytes()[5] == b':'));
    let line = words.join(" ");
    // Why it is of the wrong type.
    let end = [" is a regular file, not ", " is a directory, not "].iter().find_map(|why| line.find(why));
    let line = &line[..end.unwrap_or(line.len())];
    if end.is_some() {
        line.rsplit_once(" -- ").map_or(line, |(before, _)| before).to_owned()
    } else {
        line.to_owned()
    }
}

#[test]
fn files_directories_and_pipes_are_told_and_shown_as_monit_does() {
    if !installed(&[MONIT]) || !root("to give files to others") {
        return;
    }
    let world = World::new();
    let path = |name: &str| world.path(name);
    let mode = |name: &str, bits| {
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(bits)).unwrap();
    };
    world.write("f", "hello\n");
    mode("f", 0o644);
    std::fs::create_dir(path("d")).unwrap();
    mode("d", 0o755);
    assert!(Command::new("mkfifo").arg(path("p")).status().unwrap().success());
    let pair = Pair::start(&world, NODES);
    for (service, state) in [
        ("f", "Timestamp failed"),
        ("sha", "Checksum failed"),
        ("turned", "OK"),
        ("folder", "Invalid type"),
        ("d", "Permission failed | UID..."),
        ("file", "Invalid type"),
        ("away", "Does not exist"),
        ("p", "GID failed"),
        ("nopipe", "Invalid type"),
        ("gone", "OK"),
    ] {
        pair.state(service, state);
    }
    pair.documents();
    pair.says_alike("status");

    let said = |line: &str| {
        wait_until(line, || {
            ["theirs.log", "ours.log"].map(|log| world.read(log).contains(line)) == [true; 2]
        });
    };
    world.write("f", "hello again\n");
    said("'turned' checksum changed to ");
    said("'f' checksum failed, expected b1946ac92492d2347c6235b4d2611184 got ");
    said("'turned' checksum has not changed");
    mode("f", 0o600);
    said(&format!("'turned' permission for {} changed from 0644 to 0600", path("f").display()));
    chown(path("f"), Some(7), Some(8)).unwrap();
    said("'f' uid test failed for f -- current uid is 7");
    said("'f' gid test failed for f -- current gid is 8");
    chown(path("d"), Some(7), None).unwrap();
    mode("d", 0o700);
    std::fs::write(path("d/x"), "").unwrap();
    chown(path("p"), None, Some(7)).unwrap();
    said("'d' permission test succeeded [current permission 0700]");
    said("'p' gid test succeeded [current gid = 7]");
    std::fs::create_dir(path("away")).unwrap();
    assert!(Command::new("mkfifo").arg(path("gone")).status().unwrap().success());
    said("'away' directory exists");
    said("'gone' fifo exists");
    let old = std::fs::FileTimes::new()
        .set_accessed(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000));
    std::fs::File::open(path("f")).unwrap().set_times(old).unwrap();
    said(&format!("'f' access time for {} failed -- current access time is ", path("f").display()));
    pair.documents();
    wait_until("both to tell the same", || told(&world, "theirs.log") == told(&world, "ours.log"));
}
