//! Rules about the content of files, as Monit spells them.

use std::io;
use std::path::{Path, PathBuf};

use hinoban_config::{Condition, Config, Surroundings, Then};

/// A host with one file of patterns.
struct Host;

impl Surroundings for Host {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/etc/patterns") => Ok("^panic:\n\n# no comment\nout of memory".to_owned()),
            Some("/etc/wrong") => Ok("good\nbad(\n".to_owned()),
            Some("/etc/folder") => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
    fn glob(&self, _: &str) -> Vec<PathBuf> {
        Vec::new()
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn group(&self, _: &str) -> Option<u32> {
        None
    }
    fn host_name(&self) -> String {
        "vm".to_owned()
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

const HEAD: &str = "set daemon 30\ncheck file log with path /var/log/app.log\n";

fn loaded(rules: &str) -> Config {
    match hinoban_monitrc::parse(Path::new("/etc/monitrc"), &format!("{HEAD}{rules}"), &Host) {
        Ok(loaded) => loaded.config,
        Err(mistakes) => panic!("{rules}: {mistakes}"),
    }
}

fn refused(rules: &str) -> String {
    match hinoban_monitrc::parse(Path::new("/etc/monitrc"), &format!("{HEAD}{rules}"), &Host) {
        Ok(_) => panic!("{rules} was accepted"),
        Err(mistakes) => mistakes.to_string(),
    }
}

/// Reading, pattern, and whether a match fails it, of each rule about content.
fn rules(config: &Config) -> Vec<(&str, &str, bool)> {
    let rules = config.services[0].rules.iter().filter_map(|rule| match &rule.when {
        Condition::Content { metric, pattern, fails_on_match } => {
            assert_eq!(rule.ok.then, Then::Nothing);
            Some((metric.as_str(), pattern.text(), *fails_on_match))
        }
        _ => None,
    });
    rules.collect()
}

#[test]
fn all_spellings_are_understood_and_numbered_in_their_order() {
    let config = loaded(
        "if content = \"one\" then alert\n if size > 1 MB then alert\n if content != \"two\" then alert\n\
         if match \"three\" then alert\n if not match 'four' for 3 cycles then alert\n if content = [/]five then alert",
    );
    let wanted = [
        ("content.1", "one", true),
        ("content.2", "two", false),
        ("content.3", "three", true),
        ("content.4", "four", false),
        ("content.5", "[/]five", true),
    ];
    assert_eq!(rules(&config), wanted);
}

#[test]
fn a_path_is_a_file_of_patterns_with_a_rule_for_each() {
    for path in ["/etc/patterns", "\"/etc/patterns\""] {
        let config = loaded(&format!(
            "if content = \"a\" then alert\nif match {path} then exec \"/bin/x\" repeat every 2 cycles"
        ));
        let wanted = [
            ("content.1", "a", true),
            ("content.2", "^panic:", true),
            ("content.3", "# no comment", true),
            ("content.4", "out of memory", true),
        ];
        assert_eq!(rules(&config), wanted);
        let execs =
            config.services[0].rules.iter().filter(|rule| matches!(rule.fail.then, Then::Exec { .. }));
        assert_eq!(execs.count(), 3);
    }
}

#[test]
fn lines_are_ignored_and_the_buffer_is_of_the_whole_file() {
    let config = loaded(
        "ignore content = \"DEBUG\"\n ignore not match \"app\"\n ignore content != \"web\"\n ignore match /etc/patterns\n\
         if content = \"x\" then alert\n set limits { fileContentBuffer: 2 kB, httpContentBuffer: 1 MB }",
    );
    let service = &config.services[0];
    let ignored: Vec<_> = service.ignore.iter().map(|i| (i.pattern.text(), i.on_match)).collect();
    let wanted = [
        ("DEBUG", true),
        ("app", false),
        ("web", false),
        ("^panic:", true),
        ("# no comment", true),
        ("out of memory", true),
    ];
    assert_eq!(ignored, wanted);
    assert_eq!(service.buffer, 2048, "also when it is said behind the service");
    assert_eq!(loaded("if content = \"x\" then alert").services[0].buffer, 512);
}

#[test]
fn what_cannot_be_a_pattern_is_refused_with_its_place() {
    let text = refused("if content = \"/no/such\" then alert");
    assert!(text.contains("Cannot read regex match file") && text.contains("\"[/]…\""), "{text}");
    let text = refused("if content = \"/etc/folder\" then alert");
    assert!(text.contains("is a directory"), "Monit reads it for ever: {text}");
    let text = refused("if content = \"/etc/wrong\" then alert");
    assert!(text.contains("line 2 of /etc/wrong"), "{text}");
    let text = refused("if content = \"(\" then alert");
    assert!(text.contains("Regex parsing error"), "{text}");
    let text = refused("if content = \"x\" then alert else alert");
    assert!(text.contains("has no 'else'"), "{text}");
    assert!(refused("ignore size").contains("syntax error"));
}
