//! Every file of `fixtures/monitrc`, read by Monit and by us: the same verdict, and the first complaint about the same line.

use std::path::Path;

use super::{MONIT, monit};
use crate::common::World;
use crate::servers::installed;

/// Files in which Monit names another line than the one where the mistake is, or a mistake further on first.
const ELSEWHERE: [&str; 1] = ["link-up-and-down"];

#[test]
fn both_take_the_same_files_and_complain_about_the_same_line() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let mut differ = Vec::new();
    let mut count = 0;
    for kind in ["valid", "invalid"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/monitrc").join(kind);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            world.write(&name, &std::fs::read_to_string(&path).unwrap());
            let theirs = monit(&world, &name, "-t");
            let ours = world.run(&format!("-c {name} -t"));
            count += 1;
            if theirs.code != ours.code || (theirs.code == Some(0)) != (kind == "valid") {
                differ.push(format!("{name}: {theirs:?}, {ours:?}"));
                continue;
            }
            let [line, our_line] = [&theirs.err, &ours.err].map(|text| line_of(text, &name));
            let near = match (line, our_line) {
                (Some(a), Some(b)) => a.abs_diff(b) <= 1,
                (Some(_), None) => false,
                (None, _) => true,
            };
            if kind == "invalid" && !near && !ELSEWHERE.contains(&&*name) {
                differ.push(format!(
                    "{name}: line {line:?} of {:?}, ours {our_line:?} of {:?}",
                    theirs.err, ours.err
                ));
            }
        }
    }
    assert!(count > 240, "only {count} fixtures found");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// The line in the first `FILE:LINE:` of what was told.
fn line_of(told: &str, file: &str) -> Option<u32> {
    let (_, rest) = told.split_once(&format!("{file}:"))?;
    rest.split(':').next()?.parse().ok()
}
