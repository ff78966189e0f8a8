//! `-t -v` of a Monit and of us, with the same control file: not a line differs.

use std::path::{Path, PathBuf};

use super::{MONIT, monit};
use crate::common::World;
use crate::servers::installed;

/// What a control file may name, so that Monit takes it: certificates, patterns, passwords, a file with a checksum.
const BESIDE: [(&str, &str); 5] = [
    ("cert.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
    ("patterns", "one\n\ntwo [a]\n# no comment\n"),
    ("passwords", "ann:secret\nbob:x\n"),
    ("digests", "cat:$apr1$abcdefgh$0123456789abcdefghijkl\n"),
    ("empty", ""),
];

/// A file that names them all, and one that is included.
const NAMES_FILES: &str = "
set daemon 10
set log @/log
set ssl { cacertificatefile: @/cert.pem, cacertificatepath: @/folder, clientpemfile: @/cert.pem }
set httpd port 2812
  ssl { pemfile: @/cert.pem, clientpemfile: @/cert.pem, selfsigned: allow, version: tlsv13 }
  allow localhost allow 127.0.0.1 allow 10.0.0.0/8 allow 10.0.0.0/8
  allow eve:\"secret\"
  allow cleartext @/passwords bob
  allow md5 @/digests
check file summed path @/empty
  if failed checksum then alert
check file sha1 path @/empty
  if failed sha1 checksum then alert
check file gone path @/nowhere
  if failed md5 checksum then alert
  if changed permission then alert
check file patterns path @/empty
  if content = @/patterns then alert
  ignore content != @/patterns
check host h address h.example.com
  if failed port 443 with ssl { pemfile: @/cert.pem, clientpemfile: @/cert.pem, verify: enable } then alert
include @/folder/*.conf
check system here
";

/// Why what we show of this fixture is not what Monit shows of it.
fn differs_for_a_reason(name: &str) -> bool {
    // Monit shows the number that was written, and connects to what is left of it: that port is shown by us.
    name == "port-out-of-range"
}

/// What was printed, without the files that each of the two has in a place of its own, unless the control file says where.
fn lines<'a>(out: &'a str, written: &str) -> Vec<&'a str> {
    let own = |line: &&str| {
        let place = [" Pid file ", " Id file ", " State file "].iter().any(|label| line.starts_with(label));
        let value = line.rsplit(' ').next().unwrap_or_default();
        line.starts_with(" New Monit id:")
            || line.starts_with(" Stored in ")
            || place && !written.contains(value)
    };
    out.lines().filter(|line| !own(line)).collect()
}

/// The first line that differs, if one does.
fn difference(world: &World, name: &str, flags: &str) -> Option<String> {
    let theirs = monit(world, name, &format!("{flags} -t -v"));
    assert_eq!(theirs.code, Some(0), "Monit refuses {name}: {}", theirs.err);
    let ours = world.run(&format!("-c {} {flags} -t -v", world.path(name).display()));
    let written = world.read(name);
    let (a, b) = (lines(&theirs.out, &written), lines(&ours.out, &written));
    let at = (0..a.len().max(b.len())).find(|at| a.get(*at) != b.get(*at))?;
    let complaint = if ours.code == Some(0) { "" } else { ours.err.trim() };
    Some(format!("{name}:\n  Monit {:?}\n  ours  {:?}\n{complaint}", a.get(at), b.get(at)))
}

fn control_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "monitrc")).collect();
    found.sort();
    assert!(found.len() >= 20, "only {} control files in {}", found.len(), folder.display());
    found
}

#[test]
fn what_is_understood_of_each_fixture_is_what_monit_understands() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let mut different = Vec::new();
    for folder in ["fixtures/monitrc/valid", "crates/monitrc/tests/dumps"] {
        for path in control_files(folder) {
            world.write("rc", &std::fs::read_to_string(&path).unwrap());
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let difference = difference(&world, "rc", "");
            if differs_for_a_reason(&name) {
                assert!(difference.is_some(), "{name} differs no more");
            } else {
                different.extend(difference.map(|difference| format!("{name}/{difference}")));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn what_is_understood_of_other_files_is_what_monit_understands() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    for (name, text) in BESIDE {
        world.write(name, text);
    }
    std::fs::create_dir(world.path("folder")).unwrap();
    for name in ["a", "b"] {
        world.write(
            &format!("folder/{name}.conf"),
            &format!("check process proc-{name} matching proc-{name}\n"),
        );
    }
    world.write("rc", NAMES_FILES);
    assert_eq!(difference(&world, "rc", ""), None);
    // What is said on the command line wins in both.
    world.write("rc", "set daemon 10\nset log @/log\ncheck system here\n");
    for flags in ["-d 7", "-l syslog", "-I", "-B"] {
        assert_eq!(difference(&world, "rc", flags), None, "{flags}");
    }
}
