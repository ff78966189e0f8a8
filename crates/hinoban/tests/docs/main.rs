//! The documentation says what the code does: links lead somewhere, examples load, and what the code knows is named.
#![allow(clippy::unwrap_used)] // in helpers of tests too

mod guide;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinoban::config::{Config, Surroundings};
use hinoban::event::Class;
use hinoban::probe::{Probe, from_fn};
use hinoban::probes::program::{Ran, Run, Speech, Unrun};
use hinoban::probes::tail::Content;
use hinoban::probes::{
    FileContent, FileProbe, FilesystemProbe, NetworkProbe, PidfileProcess, ProgramProbe, SystemProbe,
};
use hinoban::reading::{Metric, Observation, Unit};
use hinoban::{Spawner, SpawnerOptions, Supervisor, action, config, monitrc, shipped};

/// A machine on which everything is there that the examples name.
struct Machine;

impl Surroundings for Machine {
    fn read(&self, path: &Path) -> io::Result<String> {
        Ok(format!("what {} holds\n", path.display()))
    }
    fn glob(&self, _: &str) -> Vec<PathBuf> {
        Vec::new()
    }
    fn user(&self, _: &str) -> Option<u32> {
        Some(33)
    }
    fn group(&self, _: &str) -> Option<u32> {
        Some(33)
    }
    fn host_name(&self) -> String {
        "web1".to_owned()
    }
    fn variable(&self, name: &str) -> Option<String> {
        Some(format!("what {name} holds"))
    }
    fn exists(&self, _: &Path, _: bool) -> bool {
        true
    }
    fn resolves(&self, _: &str) -> bool {
        true
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// README and guides: path below the root, and text.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        paths.push(format!("docs/{}", entry.unwrap().file_name().to_string_lossy()));
    }
    paths.retain(|path| path.ends_with(".md"));
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// The fenced blocks of a page in this language, each with the number of its first line.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(bool, usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (Some(_), Some(_)) => {
                if let Some((true, at, block)) = open.take() {
                    found.push((at, block));
                }
            }
            (None, Some(info)) => {
                let wanted = info.split(',').next() == Some(language);
                open = Some((wanted, number + 2, String::new()));
            }
            (Some((_, _, block)), None) => *block += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    found
}

/// The lines of a page that are text, not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

/// What the code knows that nobody built into `shipped`: for examples that name kinds of their own.
fn check_binds(config: Config, place: &str) {
    let registry = shipped(Spawner::start(SpawnerOptions::default()))
        .probe("queue", |_| {
            let depth = Metric::new("queue.depth", Unit::Count);
            Ok(Box::new(from_fn("queue", vec![depth], || async { Ok(Observation::up()) })))
        })
        .action("drain", action::from_fn("drain", |_, _| async { Ok(action::Outcome::default()) }));
    if let Err(mistakes) = Supervisor::builder(config, registry).build() {
        panic!("{place}: {mistakes}");
    }
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let mut links = 0;
    for (path, text) in pages() {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for line in prose(&text) {
            for (at, _) in line.match_indices("](") {
                let target = line[at + 2..].split(')').next().unwrap();
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                links += 1;
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let there = if file.is_empty() { root().join(&path) } else { folder.join(file) };
                assert!(there.exists(), "{path}: {target} leads nowhere");
                if !anchor.is_empty() {
                    let known = anchors(&fs::read_to_string(there).unwrap());
                    assert!(known.contains(anchor), "{path}: no heading is #{anchor}; there are {known:?}");
                }
            }
        }
    }
    assert!(links > 20, "links are not found any more");
}

#[test]
fn every_toml_example_loads_and_can_be_bound() {
    let mut loaded = 0;
    for (path, text) in pages() {
        for (line, block) in blocks(&text, "toml") {
            if block.starts_with("# Cargo.toml") {
                continue;
            }
            let place = format!("{path}:{line}");
            match config::toml::parse("/etc/hinoban/hinoban.toml".as_ref(), &block, &Machine) {
                Ok(good) => {
                    assert!(good.warnings.list.is_empty(), "{place}: {}", good.warnings);
                    check_binds(good.config, &place);
                }
                Err(mistakes) => panic!("{place}: {mistakes}"),
            }
            loaded += 1;
        }
    }
    assert!(loaded >= 4, "examples are not found any more");
}

#[test]
fn every_control_file_example_loads_and_can_be_bound() {
    let mut loaded = 0;
    for (path, text) in pages() {
        for (line, block) in blocks(&text, "monitrc") {
            let place = format!("{path}:{line}");
            match monitrc::parse("/etc/monitrc".as_ref(), &block, &Machine) {
                Ok(good) => {
                    assert!(good.warnings.list.is_empty(), "{place}: {}", good.warnings);
                    check_binds(good.config, &place);
                }
                Err(mistakes) => panic!("{place}: {mistakes}"),
            }
            loaded += 1;
        }
    }
    assert!(loaded >= 2, "examples are not found any more");
}

#[test]
fn the_demonstration_is_called_as_the_readme_says() {
    let text = read("fixtures/demo.toml");
    let config = config::toml::parse(&root().join("fixtures/demo.toml"), &text, &Machine).unwrap().config;
    let readme = read("README.md");
    let mut named = 0;
    for line in readme.lines().filter_map(|line| line.split_once("-c fixtures/demo.toml ")) {
        let mut words = line.1.split_whitespace();
        if let (Some("start" | "stop"), Some(name)) = (words.next(), words.next()) {
            assert!(
                config.services.iter().any(|s| s.name == name),
                "no service of the demonstration is called {name}"
            );
            named += 1;
        }
    }
    assert!(named > 0, "the commands are not found any more");
}

#[test]
fn every_rust_example_stands_in_code_that_is_compiled() {
    let sources = [
        "crates/hinoban/tests/docs/guide.rs",
        "crates/hinoban/examples/embed.rs",
        "crates/testkit/src/lib.rs",
        "crates/probe/src/lib.rs",
    ];
    let plain = |text: &str| -> String {
        let lines = text.lines().map(|line| line.trim().trim_start_matches("//!").trim());
        // rustfmt breaks lines as it likes.
        lines.collect::<String>().replace([' ', ','], "")
    };
    let sources: Vec<_> = sources.iter().map(|path| plain(&read(path))).collect();
    for (path, text) in pages() {
        for (line, block) in blocks(&text, "rust") {
            let block = plain(&block);
            assert!(
                sources.iter().any(|source| source.contains(&block)),
                "{path}:{line}: this code is compiled nowhere; put it into crates/hinoban/tests/docs/guide.rs too"
            );
        }
    }
}

/// The texts in quotes that follow `before` in a source file.
fn quoted_after(source: &str, before: &str) -> BTreeSet<String> {
    let ends = source.match_indices(before).map(|(at, _)| at + before.len());
    ends.filter_map(|at| Some(source[at..].split_once('"')?.0.to_owned())).collect()
}

fn sources(folder: &str) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") {
            all += &fs::read_to_string(path).unwrap();
        }
    }
    all
}

fn assert_names(page: &str, names: &BTreeSet<String>, least: usize) {
    let text = read(page);
    assert!(names.len() >= least, "they are not found any more: {names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{page} does not name {missing:?}");
}

#[test]
fn the_reference_has_every_metric_with_the_kinds_that_read_it() {
    let names: BTreeSet<String> = {
        let source = read("crates/reading/src/metric.rs");
        quoted_after(&source[source.find("metrics! {").unwrap()..], "= \"")
    };
    assert_names("docs/REFERENCE.md", &names, 40);
    let page = read("docs/REFERENCE.md");
    let page = &page[page.find("## Metrics\n").unwrap()..];
    let kinds = shipped_kinds();
    for name in &names {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap_or("");
        let said = row.split('|').nth(3).unwrap_or("");
        for (kind, _, probe) in &kinds {
            let reads = probe.metrics().iter().any(|metric| metric.name == *name);
            assert_eq!(said.split(',').any(|word| word.trim() == *kind), reads, "{kind} and {name}: {row}");
        }
    }
}

/// A program that is only talked about.
#[derive(Debug)]
struct Never;

#[async_trait::async_trait]
impl Run for Never {
    async fn run(&self) -> Result<Ran, Unrun> {
        Err(Unrun::Failed("nobody runs it".to_owned()))
    }
}

/// The kinds with a look of their own, as the metrics' table calls them, with the key of each in TOML.
fn shipped_kinds() -> [(&'static str, &'static str, Box<dyn Probe>); 8] {
    let plug_in = ProgramProbe::new(Arc::new(Never), Speech::Nagios, 1);
    [
        ("process", "pidfile = '/run/x.pid'", Box::new(PidfileProcess::new("/run/x.pid".into()))),
        ("file", "file = '/x'", Box::new(FileContent::new(FileProbe::new("/x".into()), Content::new(512)))),
        ("directory", "directory = '/x'", Box::new(FileProbe::directory("/x".into()))),
        ("fifo", "fifo = '/x'", Box::new(FileProbe::fifo("/x".into()))),
        ("filesystem", "filesystem = '/'", Box::new(FilesystemProbe::new("/".into()))),
        ("system", "system = true", Box::new(SystemProbe::new())),
        ("network", "network = 'eth0'", Box::new(NetworkProbe::interface("eth0"))),
        ("program", "program = { run = '/bin/x', format = 'nagios' }", Box::new(plug_in)),
    ]
}

#[test]
fn every_reading_of_a_kind_can_be_compared_and_those_of_others_cannot() {
    let metrics = |probe: &dyn Probe| probe.metrics().to_vec();
    let all: Vec<Metric> = shipped_kinds().iter().flat_map(|(_, _, probe)| metrics(probe.as_ref())).collect();
    for (kind, key, probe) in shipped_kinds() {
        for metric in &all {
            let limit = match (metric.name.as_ref(), metric.unit) {
                // Moments are compared by their ages.
                ("access.time" | "change.time" | "modify.time" | "timestamp", _) => continue,
                ("checksum.md5", _) => "d41d8cd98f00b204e9800998ecf8427e",
                ("checksum.sha1", _) => "da39a3ee5e6b4b0d3255bfef95601890afd80709",
                ("checksum.sha256", _) => "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                ("run.started", _) => continue,
                // What is in a family has names of its own.
                (name, _) if name.ends_with(".*") => continue,
                // It is matched, and numbered by whoever reads the rules.
                ("content.*", _) => continue,
                ("permission", _) => "0644",
                ("plugin.state", _) => "ok",
                (_, Unit::Percent) => "80%",
                (_, Unit::Bytes) => "1 MB",
                (_, Unit::BytesPerSecond) => "1 MB/s",
                (_, Unit::BitsPerSecond) => "1 Gbit/s",
                (_, Unit::PerSecond) => "100/s",
                (_, Unit::Seconds) => "1h",
                (_, Unit::Text) => "'ext4'",
                _ => "100",
            };
            // One of the totals stands for all of them.
            let member = metric.name.replace("total.*", "total.1h");
            for name in [member.clone(), member.replace('.', " ")] {
                // A file system's device is the only thing that it could read from.
                let device =
                    kind == "filesystem" && ["read ", "write "].iter().any(|word| name.starts_with(word));
                let when = format!("{name} = {limit}");
                let text = format!("[service.x]\n{key}\n[[service.x.check]]\nwhen = {when:?}\n");
                let read = config::toml::parse("/etc/hinoban.toml".as_ref(), &text, &Machine);
                let own = device || probe.metrics().iter().any(|known| known.name == metric.name);
                match read {
                    Ok(good) if own => check_binds(good.config, &when),
                    Ok(_) => panic!("a {kind} takes a rule about {name}"),
                    Err(mistakes) => assert!(!own, "a {kind} refuses a rule about its {name}:\n{mistakes}"),
                }
            }
        }
    }
}

#[test]
fn the_reference_has_every_key_of_a_configuration() {
    let source = sources("crates/config/src/toml");
    let mut keys = quoted_after(&source, "fields.take(\"");
    keys.extend(quoted_after(&source, "extras.get(\""));
    let sorts = &source[source.find("const SORTS").unwrap()..];
    keys.extend(sorts[..sorts.find("];").unwrap()].split('"').skip(1).step_by(2).map(str::to_owned));
    assert_names("docs/REFERENCE.md", &keys, 40);
}

#[test]
fn the_reference_has_every_reason_class_path_and_variable() {
    let standing = read("crates/reading/src/standing.rs");
    let kinds = &standing[standing.find("pub enum ReasonKind").unwrap()..];
    let kinds = kinds[..kinds.find("\n}").unwrap()].lines().map(str::trim);
    let variants = kinds.filter(|l| l.ends_with(',') && !l.starts_with('/')).map(|l| l.trim_end_matches(','));
    let kebab = |name: &str| {
        let mut out = String::new();
        for c in name.chars() {
            if c.is_uppercase() && !out.is_empty() {
                out.push('-');
            }
            out.extend(c.to_lowercase());
        }
        out
    };
    assert_names("docs/REFERENCE.md", &variants.map(kebab).collect(), 15);

    // Others belong to statements that are not there yet.
    let classes = [Class::Action, Class::Connection, Class::Data, Class::Exec, Class::Exist, Class::Instance];
    let more = [Class::Invalid, Class::NonExist, Class::Resource, Class::Size, Class::Uptime];
    let texts = classes.into_iter().chain(more).flat_map(|c| [c.failed(), c.succeeded()]);
    assert_names("docs/REFERENCE.md", &texts.map(str::to_owned).collect(), 11);

    let routes = quoted_after(&read("crates/web/src/routes.rs"), ".route(\"");
    assert_names("docs/REFERENCE.md", &routes, 9);
    let environment = read("crates/actions/src/program/environment.rs");
    let variables = quoted_after(&environment, "(\"MONIT_");
    assert_names("docs/REFERENCE.md", &variables.iter().map(|v| format!("MONIT_{v}")).collect(), 9);
}

#[test]
fn the_reference_has_every_protocol_and_every_option_of_a_connection() {
    let names = hinoban_config::Plain::ALL.iter().map(|(_, name, _)| (*name).to_owned());
    let mut names: BTreeSet<String> = names.collect();
    let source = read("crates/monitrc/src/parser/protocol.rs");
    for list in ["const COMMON", "const OTHERS", "const LIMITS"] {
        let texts = &source[source.find(list).unwrap()..];
        names.extend(texts[..texts.find("];").unwrap()].split('"').skip(1).step_by(2).map(str::to_owned));
    }
    assert_names("docs/REFERENCE.md", &names, 45);
}

#[test]
fn the_reference_has_every_option_and_every_place_of_a_configuration() {
    let flags = read("bin/src/flags.rs");
    let table = &flags[flags.find("const OPTIONS").unwrap()..];
    let table = &table[..table.find("\n];").unwrap()];
    let mut options = BTreeSet::new();
    for line in table.lines().map(str::trim) {
        // `option('c', "conf", …` or `long: "fail",`
        if line.starts_with("option('") || line.starts_with("long: ") {
            options.insert(format!("--{}", line.split('"').nth(1).unwrap()));
        }
    }
    assert_names("docs/REFERENCE.md", &options, 15);

    let load = read("bin/src/load.rs");
    let load = &load[load.find("fn candidates").unwrap()..];
    let places = load[..load.find("\n}").unwrap()].split('"').skip(1).step_by(2);
    assert_names("docs/REFERENCE.md", &places.filter(|p| p.starts_with('/')).map(str::to_owned).collect(), 5);
}
