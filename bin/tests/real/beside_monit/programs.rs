//! Programs that look, beside Monit's: what they said last, what is told of them, and what is run when they fail.

use std::os::unix::fs::PermissionsExt;

use super::{MONIT, Pair};
use crate::common::{World, wait_until};
use crate::servers::installed;

/// Programs that do well, fail, die, hang, are silent and print much.
const PROGRAMS: &str = "
check system here
check program well with path \"@/say 0 'one two' three\"
  if status != 0 then alert
check program fails with path \"@/say 3 bad\" as uid root and gid root
  if status > 2 for 2 cycles then alert
check program dies with path \"@/say die\"
  if status = 11 then alert
check program hangs with path \"@/say hang\" with timeout 1 seconds
  if status != 0 then alert
check program silent with path \"@/quiet\"
  if status != 0 then alert
check program much with path \"@/say 0 much\"
  if status < 0 then alert
check program told with path \"@/status\"
  if status != 0 then exec \"@/note @/@@.told\"
check program turned with path \"@/status\"
  if changed status then exec \"@/note @/@@.changed\"
";

fn script(world: &World, name: &str, text: &str) {
    let path = world.write(name, &format!("#!/bin/sh\n{text}"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn programs_are_told_and_shown_as_monit_does() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    script(
        &world,
        "say",
        "echo 'to err' >&2; echo \"$2\"; case $1 in die) kill -SEGV $$;; hang) exec sleep 60;; esac\n\
         [ \"$2\" = much ] && head -c 300 /dev/zero | tr '\\0' x\nexit $1\n",
    );
    script(&world, "quiet", "exit 0\n");
    script(&world, "status", "cat $0.text; exit $(cat $0.number)\n");
    script(
        &world,
        "note",
        "echo \"$MONIT_SERVICE $MONIT_EVENT $MONIT_PROGRAM_STATUS: $MONIT_DESCRIPTION\" >> $1\n",
    );
    world.write("status.number", "0");
    world.write("status.text", "fine\n");
    let pair = Pair::start(&world, PROGRAMS);
    for (service, state) in [
        ("well", "OK"),
        ("fails", "Status failed"),
        ("dies", "Status failed"),
        ("hangs", "Status failed"),
        ("silent", "OK"),
        ("much", "OK"),
    ] {
        pair.state(service, state);
    }
    pair.documents();
    for (name, line) in [
        ("fails", "'fails' status failed (3) -- to err"),
        ("dies", "'dies' status failed (11) -- to err"),
        ("hangs", "'hangs' status failed (9) -- to err"),
    ] {
        for log in ["theirs.log", "ours.log"] {
            assert!(world.read(log).contains(line), "{name} in {log}: {}", world.read(log));
        }
    }

    world.write("status.text", "broken\nin two lines\n");
    world.write("status.number", "2");
    let noted = |of: &str| ["theirs", "ours"].map(|who| world.read(&format!("{who}.{of}")));
    let told = "told Status failed 2: status failed (2) -- broken\nin two lines\n";
    wait_until("both to tell of the failure", || noted("told").iter().all(|text| text == told));
    let changed = "turned Status changed 2: status changed (0 -> 2) -- broken\nin two lines\n";
    wait_until("both to tell of the change", || noted("changed").iter().all(|text| text == changed));
    pair.documents();
}
