//! Whatever is read, reading ends, and what is said about it can be shown.
//!
//! `cargo +nightly fuzz run parse ../../../fixtures/monitrc/valid`, in `crates/monitrc`.
#![no_main]

use std::io;
use std::path::{Path, PathBuf};

use hinoban_config::Surroundings;
use libfuzzer_sys::fuzz_target;

/// A world with one more file: what stands behind the first NUL of the input.
struct World<'a> {
    included: &'a str,
}

impl Surroundings for World<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        if path.starts_with("/missing") {
            Err(io::ErrorKind::NotFound.into())
        } else {
            Ok(self.included.to_owned())
        }
    }
    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        vec![pattern.into()]
    }
    fn user(&self, name: &str) -> Option<u32> {
        name.parse().ok()
    }
    fn group(&self, name: &str) -> Option<u32> {
        name.parse().ok()
    }
    fn host_name(&self) -> String {
        "tower".to_owned()
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn exists(&self, path: &Path, _: bool) -> bool {
        !path.starts_with("/missing")
    }
    fn resolves(&self, host: &str) -> bool {
        host.len() % 2 == 0
    }
}

fuzz_target!(|input: &str| {
    let (text, included) = input.split_once('\0').unwrap_or((input, ""));
    match hinoban_monitrc::parse("monitrc".as_ref(), text, &World { included }) {
        Ok(loaded) => assert!(!loaded.warnings.fatal()),
        Err(mistakes) => {
            assert!(mistakes.fatal());
            // Each is shown with its lines: not more of them than a person reads.
            let mut few = mistakes;
            few.list.truncate(100);
            assert!(!few.to_string().is_empty());
        }
    }
});
