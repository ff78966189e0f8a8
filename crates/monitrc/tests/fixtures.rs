//! Each file of `fixtures/monitrc/invalid` is refused, and what is said about it is kept; each of `fixtures/monitrc/valid`
//! is read. Their verdicts are Monit's: `bin/tests/real` asks it.

mod world;

use std::path::{Path, PathBuf};

use world::World;

fn fixtures(kind: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/monitrc").join(kind);
    let entries = std::fs::read_dir(folder).expect("the folder of fixtures");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("a fixture"))
    };
    paths.iter().map(read).collect()
}

#[test]
fn what_monit_refuses_is_refused_in_kept_words() {
    let list = fixtures("invalid");
    assert!(list.len() >= 90, "only {} fixtures found", list.len());
    let mut accepted = Vec::new();
    let mut told = String::new();
    for (name, text) in list {
        match hinoban_monitrc::parse(Path::new("monitrc"), &text, &World::default()) {
            Ok(_) => accepted.push(name),
            Err(mistakes) => {
                let lines = mistakes.lines().join("\n");
                told += &format!("######## {name}\n{lines}\n\n{mistakes}\n\n");
            }
        }
    }
    assert_eq!(accepted, Vec::<String>::new());
    insta::assert_snapshot!("refused", told);
}

#[test]
fn what_monit_takes_is_taken() {
    let list = fixtures("valid");
    assert!(list.len() >= 150, "only {} fixtures found", list.len());
    let mut refused = Vec::new();
    let mut told = String::new();
    for (name, text) in list {
        match hinoban_monitrc::parse(Path::new("monitrc"), &text, &World::default()) {
            Ok(mut loaded) => {
                // What is not done yet is another matter.
                let later = loaded.config.unhonoured();
                loaded.warnings.list.retain(|one| !later.contains(one));
                if !loaded.warnings.list.is_empty() {
                    told += &format!("######## {name}\n{}\n\n", loaded.warnings);
                }
            }
            Err(mistakes) => refused.push(format!("{name}: {}", mistakes.lines().join("; "))),
        }
    }
    assert_eq!(refused, Vec::<String>::new());
    insta::assert_snapshot!("warned", told);
}
