//! The shape of the workspace: which crate may know which, where `unsafe` may live, how long a module may be.
//!
//! A new edge means editing [`CRATES`] in the same commit, so that somebody sees it and agrees.

#![allow(clippy::unwrap_used)] // a helper of a test may fail it

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folder, and the folders of the crates it may depend on.
const CRATES: [(&str, &[&str]); 17] = [
    ("reading", &[]),
    ("config", &["reading"]),
    ("monitrc", &["config", "reading"]),
    ("probe", &["reading"]),
    ("protocols", &[]),
    ("probes", &["probe", "protocols", "reading"]),
    ("event", &["reading"]),
    ("action", &["event", "reading"]),
    ("actions", &["action", "event", "reading"]),
    ("scheduler", &["config", "reading", "event"]),
    ("incident", &["config", "reading", "event"]),
    ("journal", &["reading", "event"]),
    ("supervisor", &["config", "reading", "probe", "action", "event", "scheduler", "incident", "journal"]),
    ("web", &["supervisor", "event", "reading", "journal"]),
    ("testkit", &["probe", "action", "event", "reading"]),
    (
        "hinoban",
        &[
            "reading",
            "config",
            "monitrc",
            "probe",
            "protocols",
            "probes",
            "event",
            "action",
            "actions",
            "scheduler",
            "incident",
            "journal",
            "supervisor",
            "web",
        ],
    ),
    ("bin", &["hinoban", "web", "monitrc"]),
];

/// The crates that talk to the kernel where no safe wrapper does; each in a module `sys`.
const UNSAFE: [&str; 3] = ["actions", "bin", "probes"];

/// Everything visible that may lie at the top of the repository.
const TOP: [&str; 11] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "bin",
    "crates",
    "deny.toml",
    "docs",
    "fixtures",
];

/// Lines after which a module holds more than one idea.
const LONGEST: usize = 600;

#[test]
fn a_crate_depends_on_what_the_table_allows_and_on_nothing_else() {
    let allowed: BTreeMap<_, _> = CRATES.into_iter().collect();
    let packages = packages();
    let folders: Vec<_> = packages.iter().map(|package| package.folder.as_str()).collect();
    for folder in &folders {
        assert!(
            allowed.contains_key(folder),
            "{folder} is not in the table of crates; add it with its edges"
        );
    }
    assert_eq!(folders.len(), CRATES.len(), "the table names a crate that is not there: {folders:?}");
    for package in &packages {
        for (folder, kind) in &package.dependencies {
            // What only its tests need is no edge of the crate.
            let edge = kind.is_none() || kind.as_deref() == Some("build");
            assert!(
                !edge || allowed[package.folder.as_str()].contains(&folder.as_str()),
                "{} depends on {folder}: not among the edges of the table",
                package.folder
            );
        }
    }
}

#[test]
fn a_package_is_named_after_its_folder() {
    for package in packages() {
        let expected = match package.folder.as_str() {
            "hinoban" => "hinoban".to_owned(),
            "bin" => "hinoban-cli".to_owned(),
            folder => format!("hinoban-{folder}"),
        };
        assert_eq!(package.name, expected, "in the folder {}", package.folder);
    }
}

#[test]
fn the_documentation_called_hinoban_is_the_librarys() {
    // Binary and façade share the name; rustdoc would write one over the other.
    let bin = packages().into_iter().find(|package| package.folder == "bin").unwrap();
    let targets: Vec<_> = bin
        .targets
        .iter()
        .filter(|target| target["kind"].as_array().unwrap().contains(&"bin".into()))
        .collect();
    assert_eq!(targets.len(), 1);
    assert_eq!((targets[0]["name"].as_str(), targets[0]["doc"].as_bool()), (Some("hinoban"), Some(false)));
}

#[test]
fn code_that_the_compiler_cannot_check_lives_in_sys() {
    for package in packages() {
        let may = UNSAFE.contains(&package.folder.as_str());
        let root = ["lib.rs", "main.rs"].map(|file| package.path.join("src").join(file));
        let root = root.iter().find(|path| path.exists()).unwrap();
        let forbids = read(root).contains("#![forbid(unsafe_code)]");
        assert!(forbids || may, "{} must say #![forbid(unsafe_code)]", root.display());
        let files = rust_files(&package.path.join("src"));
        let sys =
            files.iter().filter(|file| file.ends_with("sys.rs") || file.ends_with("sys/mod.rs")).count();
        assert!(sys <= 1, "{} has {sys} modules called sys; one is enough to read twice", package.folder);
        for file in files {
            let in_sys = file.iter().any(|part| part == "sys" || part == "sys.rs");
            assert!(
                in_sys && may || !has_unsafe(&read(&file)),
                "{}: unsafe belongs in a module sys, in {UNSAFE:?} only",
                file.display()
            );
        }
    }
}

#[test]
fn unsafe_is_recognised() {
    let code = |word: &str| format!("    let x = {} {word} {{ f() }};", "unsafe");
    assert!(has_unsafe(&code("")) && has_unsafe(&code("fn")) && has_unsafe(&code("extern \"C\"")));
    assert!(!has_unsafe("#![forbid(unsafe_code)]\n// unsafe { said only }\n"));
}

#[test]
fn no_module_is_too_long_to_hold_one_idea() {
    let too_long: Vec<String> = ["crates", "bin"]
        .iter()
        .flat_map(|folder| rust_files(&top().join(folder)))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, file)| format!("{} ({lines} lines)", file.display()))
        .collect();
    assert!(too_long.is_empty(), "over {LONGEST} lines, split by idea: {too_long:#?}");
}

#[test]
fn the_top_of_the_repository_is_as_agreed() {
    let beyond: Vec<String> = fs::read_dir(top())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target" && name != "rust-toolchain.toml")
        .filter(|name| !TOP.contains(&name.as_str()))
        .collect();
    assert!(beyond.is_empty(), "beyond the agreed list: {beyond:?}");
}

struct Package {
    name: String,
    /// Its folder below `crates`, or `bin`.
    folder: String,
    path: PathBuf,
    /// Folder of each in-tree dependency, and its kind: none for a plain one.
    dependencies: Vec<(String, Option<String>)>,
    targets: Vec<Value>,
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(top())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let folder = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let package = |package: &Value| {
        let path = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
        let in_tree = |dependency: &Value| {
            let path = dependency["path"].as_str()?;
            Some((folder(Path::new(path)), dependency["kind"].as_str().map(str::to_owned)))
        };
        Package {
            name: package["name"].as_str().unwrap().to_owned(),
            folder: folder(&path),
            path,
            dependencies: package["dependencies"].as_array().unwrap().iter().filter_map(in_tree).collect(),
            targets: package["targets"].as_array().unwrap().clone(),
        }
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Whether a line holds the keyword outside a comment: followed by what it can stand before.
fn has_unsafe(code: &str) -> bool {
    let opens = |rest: &str| {
        let rest = rest.trim_start();
        ["{", "fn ", "impl ", "extern ", "trait "].iter().any(|next| rest.starts_with(next))
    };
    code.lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .any(|line| line.match_indices("unsafe").any(|(at, word)| opens(&line[at + word.len()..])))
}
