//! Does the simulation notice when the machine is wrong? Each mutant is the machine with one line changed. It is built apart,
//! and must break something that must hold, within the inputs that every change must pass. `HINOBAN_MUTANT` picks those
//! whose names hold a word.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is changed: in words, the file, the line before and after.
type Mutant = (&'static str, &'static str, &'static str, &'static str);

const MUTANTS: &[Mutant] = &[
    (
        "an operator's stop does not end the watching",
        "over.rs",
        "            Doing::Stop if ok => {",
        "            Doing::Stop if ok && task.because.by().is_none() => {",
    ),
    (
        "what is passive is repaired",
        "watched.rs",
        "        repair && way && self.service.mode == Mode::Active && self.task.is_none()",
        "        repair && way && self.task.is_none()",
    ),
    (
        "limits on restarts are never reached",
        "limit.rs",
        "            let reached = watched.tally.reaches(count, within);",
        "            let reached = watched.tally.reaches(count, within) && count == 0;",
    ),
    (
        "a restart is not counted",
        "limit.rs",
        "            set(watched, Tally { restarts: restarts.saturating_add(1), cycles }, out);",
        "            set(watched, Tally { restarts, cycles }, out);",
    ),
    (
        "what has every third turn has none after the first",
        "turns.rs",
        "                let comes = self.passed.is_none() || passed >= *n;",
        "                let comes = self.passed.is_none() || passed > *n + 1000;",
    ),
    (
        "failures are forgotten by a crash",
        "life.rs",
        "                    watched.records[*rule] = Some(Box::new(Record::failed(*since, flaw)));",
        "                    watched.records[*rule] = Some(Box::new(Record::new(*since)));",
    ),
    (
        "the second half of a restart does not wait",
        "campaign.rs",
        "        if self.holds(now, i, out) {",
        "        if false && self.holds(now, i, out) {",
    ),
    (
        "what was seen down is ready for its dependants",
        "rest.rs",
        "            && (watched.is_up() || may_be_gone(watched))",
        "            && (watched.is_up() || !may_be_gone(watched))",
    ),
    (
        "what a look shows is heard before what was decided with it is done",
        "machine.rs",
        "        out.sort_by_key(|effect| matches!(effect, Effect::Look { .. }));",
        "        out.sort_by_key(|effect| !matches!(effect, Effect::Look { .. }));",
    ),
    (
        "the end of watching is remembered and not done",
        "wish.rs",
        "        watched.watching = Watching::No;",
        "        watched.generation += 0;",
    ),
    (
        "the end of a rule's program is not remembered",
        "errand.rs",
        "        out.push(done);",
        "        drop(done);",
    ),
    (
        "a rule that recovers stays failed",
        "record.rs",
        "            self.state = if failed { State::Failed } else { State::Recovered };",
        "            self.state = State::Failed;",
    ),
    (
        "a start that found nothing to do is judged again by the same look",
        "over.rs",
        "        let did = wanted || task.bounce || task.open.is_some();",
        "        let did = true;",
    ),
    (
        "what is down is not started again for its dependants",
        "campaign.rs",
        "            if up && (again || watched.subject.not_seen.is_some()) {",
        "            if !up {",
    ),
    (
        "a look that was put off is not made up for",
        "rest.rs",
        "            if rest.is_due() && !self.rests(i, true) {",
        "            if rest.is_due() && watched.leaving {",
    ),
    (
        "what was just repaired in vain is repaired at once",
        "patience/gate.rs",
        "                if let Some(until) = trial.and_then(|trial| trial.waits(&patience, &watched.name, now)) {",
        "                if let Some(until) = trial.and_then(|trial| trial.waits(&patience, &watched.name, now)).filter(|_| early && !lives && lives) {",
    ),
    (
        "what restarts cost the host is not counted",
        "budget.rs",
        "        self.spent.push_back(Spent { seen: now, age: Duration::ZERO, service });",
        "        drop(Spent { seen: now, age: Duration::ZERO, service });",
    ),
    (
        "pauses do not grow",
        "patience/pause.rs",
        "    let even = doubled(first.min(longest), in_row.saturating_sub(1), longest);",
        "    let even = doubled(first.min(longest), in_row.saturating_sub(in_row), longest);",
    ),
    (
        "a pause begins before what was done is over",
        "patience/gate.rs",
        "            trial.until = Some(now.moment + pause::pause(&patience, trial.repairs.in_row(), &watched.name));",
        "            drop(now.moment + pause::pause(&patience, trial.repairs.in_row(), &watched.name));",
    ),
    (
        "what is gone waits for its turn when its pause is over",
        "patience/gate.rs",
        "        let retry = Some(until).filter(|_| held.is_some() || !watched.is_up());",
        "        let retry = Some(until).filter(|_| held.is_some());",
    ),
    (
        "one repair more is made in vain",
        "patience/gate.rs",
        "                let vain = most.is_some_and(|most| made >= most);",
        "                let vain = most.is_some_and(|most| made > most);",
    ),
    (
        "repairs are given up one too early",
        "patience/gate.rs",
        "                let vain = most.is_some_and(|most| made >= most);",
        "                let vain = most.is_some_and(|most| made + 1 >= most);",
    ),
    (
        "people are reminded as often as at first",
        "patience/health.rs",
        "        let pause = |times: u32| pause::doubled(patience.remind, times - 1, DAY.max(patience.remind));",
        "        let pause = |times: u32| pause::doubled(patience.remind, times - times, DAY.max(patience.remind));",
    ),
    (
        "nobody is reminded",
        "patience/health.rs",
        "            Some(at) if at <= now.moment => {",
        "            Some(at) if at <= now.moment && watched.leaving => {",
    ),
    (
        "what is well again stays given up",
        "patience/health.rs",
        "        let back = repairs.gave_up.take().is_some();",
        "        let back = false;",
    ),
    (
        "half of the time is long enough to begin anew",
        "patience/health.rs",
        "        trial.stable = Some(since + patience.stable).filter(|_| repairs.in_row() > 0 || repairs.open);",
        "        trial.stable = Some(since + patience.stable / 2).filter(|_| repairs.in_row() > 0 || repairs.open);",
    ),
    (
        "a row of repairs never ends",
        "patience/health.rs",
        "        trial.stable = Some(since + patience.stable).filter(|_| repairs.in_row() > 0 || repairs.open);",
        "        trial.stable = None;",
    ),
    (
        "an operator's hand changes nothing",
        "patience/health.rs",
        "        trial.anew();",
        "        drop(before.clone());",
    ),
    (
        "the older of two wishes stays open",
        "wish.rs",
        "                close(before.map(|wish| (wish.intent, false)), out);",
        "                drop(before);",
    ),
    (
        "what a restart took down waits for what is not watched",
        "rest.rs",
        "            true if self.is_left(above) && watched.watching != Watching::No => false,",
        "            true if self.is_left(above) && watched.leaving => false,",
    ),
    (
        "each leap of a clock puts looks off",
        "spread.rs",
        "            watched.due = if put_off { watched.due.min(place) } else { place };",
        "            watched.due = if put_off { watched.due.max(place) } else { place };",
    ),
];

/// Plays the scripts until something breaks, and says what.
const RUNNER: &str = r#"
use hinoban_scheduler::sim::Script;

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let (mut inputs, mut seed) = (0, 0);
    while inputs < 3_000_000 {
        seed += 1;
        let outcome = Script::of(seed).play(false);
        inputs += outcome.inputs.max(1);
        if let Some(broken) = outcome.broken {
            println!("{}: {} (seed {seed}, {inputs} inputs)", broken.invariant, broken.text);
            return;
        }
    }
    std::process::exit(1);
}
"#;

#[test]
fn every_mutant_of_the_machine_is_caught() {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let Some(cargo) = std::env::var_os("CARGO") else {
        assert!(!ci, "CARGO is not set");
        return println!("passed over: CARGO is not set, so no mutant can be built");
    };
    let crate_at = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    lay_out(crate_at, &folder);
    let mut survivors = Vec::new();
    let only = std::env::var("HINOBAN_MUTANT").unwrap_or_default();
    for (name, file, before, after) in MUTANTS.iter().filter(|mutant| mutant.0.contains(&only)) {
        let original = fs::read_to_string(crate_at.join("src").join(file)).unwrap();
        let lines = original.lines().filter(|line| line == before).count();
        assert_eq!(lines, 1, "of the mutant `{name}`: this line is to be found once in {file}: {before}");
        let mutated = original.replacen(&format!("{before}\n"), &format!("{after}\n"), 1);
        let place = folder.join("scheduler/src").join(file);
        fs::write(&place, mutated).unwrap();
        let run = Command::new(&cargo)
            .args(["run", "--quiet", "--offline", "--package", "runner"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .env("RUSTFLAGS", "--cap-lints allow")
            .env_remove("CARGO_PROFILE_DEV_OPT_LEVEL")
            .output()
            .unwrap();
        fs::write(&place, &original).unwrap();
        let errors = String::from_utf8_lossy(&run.stderr);
        assert!(!errors.contains("could not compile"), "`{name}` does not compile:\n{errors}");
        let said = String::from_utf8_lossy(&run.stdout);
        match run.status.code() {
            Some(0) => println!("caught: {name}\n    {}", said.trim()),
            Some(1) => survivors.push(*name),
            _ => println!(
                "caught: {name}\n    the machine dies: {}",
                errors.lines().last().unwrap_or_default()
            ),
        }
    }
    assert!(survivors.is_empty(), "nobody notices: {survivors:#?}");
}

/// A workspace with a copy of this crate and the runner.
fn lay_out(crate_at: &Path, folder: &Path) {
    let root = crate_at.parent().unwrap().parent().unwrap();
    copy(&crate_at.join("src"), &folder.join("scheduler/src"));
    fs::create_dir_all(folder.join("runner/src")).unwrap();
    fs::write(folder.join("runner/src/main.rs"), RUNNER).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let profile = "[profile.dev]\nopt-level = 0\ndebug = false\n";
    let workspace =
        format!("[workspace]\nresolver = \"3\"\nmembers = [\"scheduler\", \"runner\"]\n{profile}");
    fs::write(folder.join("Cargo.toml"), workspace).unwrap();
    let package =
        |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    let runner =
        format!("{}[dependencies]\nhinoban-scheduler = {{ path = \"../scheduler\" }}\n", package("runner"));
    fs::write(folder.join("runner/Cargo.toml"), runner).unwrap();
    let manifest = fs::read_to_string(crate_at.join("Cargo.toml")).unwrap();
    let versions = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let wanted = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let dependencies: String = wanted
        .lines()
        .filter_map(|line| line.strip_suffix(".workspace = true"))
        .map(|name| {
            let line = versions.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
            line.replace("path = \"", &format!("path = \"{}/", root.display())) + "\n"
        })
        .collect();
    let scheduler = format!("{}[dependencies]\n{dependencies}", package("hinoban-scheduler"));
    fs::write(folder.join("scheduler/Cargo.toml"), scheduler).unwrap();
}

fn copy(from: &Path, to: &Path) {
    // What is no longer there must not be built.
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => fs::copy(entry.path(), to).map(drop).unwrap(),
        }
    }
}
