//! Every file of `fixtures/config/invalid` is refused, and what is said about it is kept.

mod world;

use std::path::Path;

use world::World;

#[test]
fn every_mistake_is_told_as_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/config/invalid");
    let mut names: Vec<String> = std::fs::read_dir(folder.clone())
        .expect("the folder of fixtures")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".monitrc"))
        .collect();
    names.sort();
    assert!(names.len() >= 20, "only {} fixtures found", names.len());
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).expect("a fixture");
        let mistakes = match hinoban_monitrc::parse(Path::new(&name), &text, &World::default()) {
            Err(mistakes) => mistakes,
            Ok(_) => panic!("{name} is accepted"),
        };
        let told = format!("{}\n\n{mistakes}", mistakes.lines().join("\n"));
        insta::assert_snapshot!(name.trim_end_matches(".monitrc"), told);
    }
}
