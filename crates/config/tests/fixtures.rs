//! Every TOML fixture: the valid ones load, and what is said about the invalid ones is kept as a snapshot.

use std::path::{Path, PathBuf};
use std::{fs, io};

use hinoban_config::{Surroundings, toml};

/// A host called `localhost` with a user and a group 33, and two secrets.
struct Host;

impl Surroundings for Host {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/etc/hinoban/secrets/admin") => Ok("from a file\n".to_owned()),
            Some("/etc/hinoban/patterns") => Ok("^panic:\n\nout of memory\n".to_owned()),
            Some("/etc/hinoban/wrong-patterns") => Ok("good\nbad(\n".to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }
    fn glob(&self, _: &str) -> Vec<PathBuf> {
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
    fn variable(&self, name: &str) -> Option<String> {
        (name == "MAIL_PASSWORD").then(|| "from the environment".to_owned())
    }
    fn exists(&self, path: &Path, _: bool) -> bool {
        !path.starts_with("/nowhere")
    }
    fn resolves(&self, host: &str) -> bool {
        !host.ends_with(".invalid")
    }
}

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/config").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no fixture in {}", folder.display());
    files
}

fn name(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}

/// As if it stood in `/etc/hinoban`.
fn load(path: &Path) -> Result<hinoban_config::Loaded, hinoban_config::Mistakes> {
    let text = fs::read_to_string(path).expect("a readable fixture");
    toml::parse(&Path::new("/etc/hinoban").join(path.file_name().expect("a name")), &text, &Host)
}

#[test]
fn valid_configurations_load_and_mean_what_they_say() {
    for path in fixtures("valid") {
        let loaded = load(&path).unwrap_or_else(|e| panic!("{}:\n{e}", path.display()));
        assert_eq!(loaded.warnings.to_string(), "", "{}", path.display());
        insta::assert_debug_snapshot!(format!("valid-{}", name(&path)), loaded.config);
    }
}

#[test]
fn invalid_configurations_are_refused_with_all_their_mistakes() {
    let files = fixtures("invalid");
    assert!(files.len() >= 20);
    for path in files {
        let Err(mistakes) = load(&path) else { panic!("{} was accepted", path.display()) };
        let text = mistakes.to_string();
        for secret in ["geheim", "secret@"] {
            assert!(!text.contains(secret), "{} shows a password:\n{text}", path.display());
        }
        insta::assert_snapshot!(format!("invalid-{}", name(&path)), text);
    }
}
