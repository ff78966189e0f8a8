//! What TOML can say so that it means what a control file does.

use std::path::Path;

use hinoban_config::{Condition, Config, Kind, NoSurroundings, Program, Rule, Surroundings, Then, toml};

/// Where everybody's primary group is 100.
struct Grouped;

impl Surroundings for Grouped {
    fn primary_group(&self, _: u32) -> Option<u32> {
        Some(100)
    }
    fn read(&self, path: &Path) -> std::io::Result<String> {
        NoSurroundings.read(path)
    }
    fn glob(&self, _: &str) -> Vec<std::path::PathBuf> {
        Vec::new()
    }
    fn user(&self, name: &str) -> Option<u32> {
        name.parse().ok()
    }
    fn group(&self, name: &str) -> Option<u32> {
        name.parse().ok()
    }
    fn host_name(&self) -> String {
        "localhost".to_owned()
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn exists(&self, _: &Path, _: bool) -> bool {
        true
    }
    fn resolves(&self, _: &str) -> bool {
        true
    }
}

fn config(text: &str) -> Config {
    toml::parse(Path::new("/etc/h.toml"), text, &Grouped).unwrap_or_else(|e| panic!("{e}")).config
}

fn refused(text: &str) -> String {
    toml::parse(Path::new("/etc/h.toml"), text, &Grouped).expect_err("a mistake").to_string()
}

fn rules(text: &str) -> Vec<Rule> {
    config(text).services[0].rules.clone()
}

#[test]
fn everything_may_be_looked_at_once() {
    assert_eq!(config("every = \"once\"").every, None);
    assert!(refused("every = \"never\"").contains("is not a duration"));
}

#[test]
fn patience_may_be_left_out_for_all_or_for_one() {
    let text =
        "patience = false\n[service.a]\npidfile = \"/a\"\n[service.b]\npidfile = \"/b\"\npatience = true\n";
    let patience: Vec<bool> = config(text).services.iter().map(|s| s.patience.is_some()).collect();
    assert_eq!(patience, [false, true, false], "a, b, and the system that is added");
    let one = "[service.a]\npidfile = \"/a\"\npatience = false\n[service.b]\npidfile = \"/b\"\n";
    let patience: Vec<bool> = config(one).services.iter().map(|s| s.patience.is_some()).collect();
    assert_eq!(patience, [false, true, true]);
}

#[test]
fn a_program_may_keep_our_group_and_take_its_time() {
    let text = "[service.a]\npidfile = \"/a\"\nstart = { run = \"/x\", user = \"7\" }\n\
                stop = { run = \"/x\", user = \"7\", group = false }\n\
                missing = { exec = \"/x\", timeout = false }\n";
    let service = config(text).services[0].clone();
    assert_eq!(service.start.as_ref().and_then(|p| p.gid), Some(100));
    assert_eq!(service.stop.as_ref().and_then(|p| p.gid), None);
    let Then::Exec { program, .. } = &service.rules[0].fail.then else { panic!("no program") };
    assert_eq!(program.timeout, Program::FOR_EVER);
    let text = "[service.a]\npidfile = \"/a\"\nstart = { run = \"/x\", timeout = false }\n";
    assert!(refused(text).contains("`timeout` must be a duration"));
}

#[test]
fn a_program_may_fail_only_if_it_cannot_be_run() {
    let of = |table: &str| rules(&format!("[service.a]\nprogram = {table}\n"));
    assert_eq!(of("\"/x\"").len(), 2);
    assert_eq!(of("{ run = \"/x\", must = \"succeed\" }").len(), 2);
    assert_eq!(of("{ run = \"/x\", must = \"run\" }"), [Rule::runnable()]);
    assert!(refused("[service.a]\nprogram = { run = \"/x\", must = \"walk\" }\n").contains("\"walk\""));
}

#[test]
fn what_a_program_prints_may_be_news() {
    let check = "[service.a]\nprogram = \"/x\"\n[[service.a.check]]\nwhen = \"content matches 'bad'\"\n";
    let rule = rules(check).into_iter().find(|rule| matches!(rule.when, Condition::Content { .. })).unwrap();
    let Condition::Content { metric, fails_on_match, .. } = &rule.when else { panic!("no content") };
    assert_eq!((metric.as_str(), fails_on_match), ("output", &true));
    assert_eq!(rule.ok.then, Then::Nothing);
}

#[test]
fn rules_about_being_there_take_the_place_of_the_one_that_follows() {
    let of = |kind: &str, checks: &[&str]| {
        let checks = checks.iter().map(|when| format!("[[service.a.check]]\nwhen = \"{when}\"\n"));
        rules(&format!("[service.a]\n{kind}\n{}", checks.collect::<String>()))
            .into_iter()
            .map(|rule| rule.when)
            .collect::<Vec<_>>()
    };
    use Condition::{Exists, Missing, WrongType};
    assert_eq!(of("pidfile = \"/a\"", &["exists"]), [Exists]);
    assert_eq!(of("pidfile = \"/a\"\nmissing = \"alert\"", &["exists"]), [Missing, Exists]);
    assert_eq!(of("file = \"/a\"", &["missing"]), [WrongType, Missing]);
    assert_eq!(of("file = \"/a\"", &["wrong type"]), [Missing, WrongType]);
    let pidfile = "[service.a]\npidfile = \"/a\"\n[[service.a.check]]\nwhen = \"wrong type\"\n";
    assert!(refused(pidfile).contains("`wrong type` is of what stands in a directory"));
    let system = "[service.a]\nsystem = true\n[[service.a.check]]\nwhen = \"missing\"\n";
    assert!(refused(system).contains("`missing` means nothing here"));
}

#[test]
fn a_pattern_that_never_matches_is_warned_of() {
    let text = "[service.a]\npidfile = \"/a\"\nevery = \"0 4 * * 7\"\n";
    let loaded = toml::parse(Path::new("/etc/h.toml"), text, &Grouped).expect("it can be used");
    assert!(loaded.warnings.to_string().contains("`every` can never match: 7 is no day of the week"));
    assert!(matches!(loaded.config.services[0].kind, Kind::Process { .. }));
}
