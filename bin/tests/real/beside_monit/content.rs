//! What is written into files, beside Monit: the same lines are told, in the same words.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use super::{MONIT, Pair, compare};
use crate::common::{World, kill, pause, wait_until};
use crate::servers::installed;

const FILES: &str = "
check system here
check file app with path @/app.log
  ignore content = \"DEBUG\"
  ignore match @/ignored
  if content = \"ERROR\" then alert
  if content != \"ok\" then alert
  if content = \"@/patterns\" then alert
  if content != \"[[:alpha:]]\" then alert
check file class with path @/class.log
  if content = \"[[](a|b)+?[]]\" for 2 cycles then alert
check program says with path \"/bin/sh -c 'cat @/said'\"
  if content = \"bad$\" then alert
  if content != \"^good\" then alert
";

/// What each has told of lines, in order: all blocks behind `content match`.
fn told(world: &World, who: &str, service: &str) -> Vec<String> {
    let log = world.read(&format!("{who}.log"));
    let is_head = |line: &str| line.starts_with("[20") && line.contains("] ");
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = false;
    for line in log.lines() {
        if is_head(line) {
            let text = line.split_once(" : ").map_or("", |(_, text)| text);
            inside = text.starts_with(&format!("'{service}' content match"));
            if inside {
                blocks.push(text.to_owned());
            }
        } else if inside && let Some(block) = blocks.last_mut() {
            block.push('\n');
            block.push_str(line.trim());
        }
    }
    blocks.iter().map(|block| block.trim_end().to_owned()).collect()
}

fn append(world: &World, file: &str, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(world.path(file)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    // Each has a cycle in which nothing else was written.
    pause(Duration::from_millis(2300));
}

#[test]
fn the_same_lines_are_told_in_the_same_words() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    world.write("app.log", "ERROR of long ago\n");
    world.write("class.log", "");
    world.write("said", "good\n");
    world.write("ignored", "^#\n");
    world.write("patterns", "^panic\n\nout of (memory|space)\n");
    let pair = Pair::start(&world, FILES);
    pair.state("app", "OK");
    pair.state("says", "OK");
    append(&world, "app.log", "ok ERROR 1\n");
    append(&world, "app.log", "ok DEBUG ERROR 2\n# ERROR 3\nfine\nok ERROR without end");
    append(&world, "app.log", " and its end\n");
    append(&world, "app.log", "ok out of space\n");
    append(&world, "app.log", "ok panic\n12345\n");
    append(&world, "app.log", &format!("ok ERROR {}ERROR2\n", "x".repeat(600)));
    append(&world, "app.log", &"ok ERROR line that is one of many\n".repeat(40));
    // In more than two cycles of each, wherever they begin.
    for _ in 0..8 {
        let mut file = OpenOptions::new().append(true).open(world.path("class.log")).unwrap();
        file.write_all(b"[ab]\n").unwrap();
        pause(Duration::from_millis(400));
    }
    for who in ["theirs", "ours"] {
        wait_until("lines in two cycles", || !told(&world, who, "class").is_empty());
    }
    world.write("said", "it is\nbad\n");
    wait_until("both to tell of the output", || {
        ["theirs", "ours"].iter().all(|who| told(&world, who, "says").len() >= 2)
    });
    world.write("said", "good\n");
    wait_until("both to tell of the lines", || {
        ["theirs", "ours"]
            .iter()
            .all(|who| told(&world, who, "app").iter().any(|block| block.ends_with("...")))
    });
    let [theirs, ours] = ["theirs", "ours"].map(|who| {
        let mut told = told(&world, who, "app");
        told.sort();
        told
    });
    assert_eq!(theirs, ours);
    let [theirs, ours] = ["theirs", "ours"].map(|who| told(&world, who, "says").first().cloned());
    assert_eq!(theirs, ours);
    pair.state("app", "OK");
    pair.says_alike("status app");
    pair.alike("/_status?format=xml", compare::xml);

    // Both know where they were when they come back.
    kill(world.pid("ours.pid"), "KILL");
    kill(world.pid("theirs.pid"), "TERM");
    pause(Duration::from_millis(1500));
    append(&world, "app.log", "ok ERROR while nobody watched\n");
    world.ok("-c ours");
    assert_eq!(super::monit(&world, "theirs", "").code, Some(0));
    wait_until("both to tell of it", || {
        let is_it = |block: &String| block.ends_with("ok ERROR while nobody watched");
        ["theirs", "ours"].iter().all(|who| told(&world, who, "app").iter().any(is_it))
    });
}
