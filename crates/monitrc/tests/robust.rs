//! Whatever is read, reading ends; and words that mean nothing change nothing.

mod world;

use std::path::Path;

use hinoban_config::Config;
use proptest::prelude::*;
use world::World;

/// Tokens of a file, between any two of which noise may stand. (Not so `cpu`: with `( )` behind it, it is another token.)
const TOKENS: &[&str] = &[
    "set",
    "daemon",
    "30",
    "start",
    "delay",
    "5",
    "set",
    "alert",
    "a@b.example",
    "reminder",
    "3",
    "set",
    "httpd",
    "port",
    "2812",
    "address",
    "localhost",
    "allow",
    "\"u\"",
    ":",
    "\"p\"",
    "set",
    "mailserver",
    "m1",
    "port",
    "465",
    "ssl",
    "timeout",
    "9",
    "seconds",
    "check process web ",
    "pidfile",
    "/run/web.pid",
    "start program = \"/bin/x y\"",
    "timeout",
    "7",
    "seconds",
    "if",
    "failed",
    "host",
    "h1",
    "port",
    "80",
    "protocol",
    "http",
    "request",
    "\"/\"",
    "status",
    "=",
    "200",
    "timeout",
    "4",
    "seconds",
    "2",
    "5",
    "cycles",
    "then",
    "exec \"/bin/x\"",
    "else",
    "if",
    "succeeded",
    "3",
    "cycles",
    "then",
    "alert",
    "if",
    "memory",
    ">",
    "10",
    "%",
    "then",
    "restart",
    "mode",
    "passive",
    "check file log ",
    "path",
    "/var/log/app",
    "if",
    "size",
    ">",
    "10",
    "mb",
    "2",
    "cycles",
    "then",
    "alert",
    "check filesystem root ",
    "path",
    "/",
    "if",
    "space",
    "free",
    "<",
    "5",
    "%",
    "then",
    "alert",
    "if",
    "inode",
    ">",
    "90",
    "percent",
    "then",
    "alert",
    "if",
    "read",
    ">",
    "1",
    "mb/s",
    "second",
    "then",
    "alert",
    "if",
    "service time",
    ">",
    "20",
    "ms",
    "3",
    "5",
    "cycles",
    "then",
    "alert",
    "if",
    "changed",
    "fsflags",
    "2",
    "cycles",
    "then",
    "alert",
];

const NOISE: &[&str] = &[
    "with",
    "and",
    "IS",
    "(",
    ")",
    ",",
    ";",
    "# a comment\n",
    "\\\n",
    "for",
    "within",
    "\r\n",
    "the",
    "ssl disable",
];

fn read(text: &str) -> Result<Config, String> {
    hinoban_monitrc::parse(Path::new("m"), text, &World::default())
        .map(|l| l.config)
        .map_err(|m| m.to_string())
}

/// A file with this noise before each token.
fn noisy(noise: &[Vec<usize>]) -> String {
    let mut text = String::new();
    for (i, token) in TOKENS.iter().enumerate() {
        // The name follows its head directly; everything else may be held apart.
        for n in noise.get(i).into_iter().flatten() {
            text.push_str(NOISE[*n]);
            text.push(' ');
        }
        text.push_str(token);
        text.push(' ');
    }
    text
}

proptest! {
    #[test]
    fn noise_changes_nothing(noise in prop::collection::vec(prop::collection::vec(0..NOISE.len(), 0..3), TOKENS.len())) {
        let plain = read(&noisy(&[]));
        prop_assert!(plain.is_ok(), "{:?}", plain);
        prop_assert_eq!(read(&noisy(&noise)), plain, "{}", noisy(&noise));
    }

    #[test]
    fn any_text_is_read_to_its_end(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_heap_of_words_is_read_to_its_end(words in prop::collection::vec((0..PIECES.len(), 0..4usize), 0..60)) {
        let blanks = [" ", "\n", "", "\t"];
        let text: String = words.iter().map(|(w, b)| format!("{}{}", PIECES[*w], blanks[*b])).collect();
        let _ = read(&text);
    }
}

/// Texts that a careless reader would go through again and again: what is repeated, after what it begins with.
const LONG: &[(&str, &str)] = &[
    ("check process p with pidfile /p ", "if cpu > 1% then alert "),
    ("check process p with pidfile /p ", "if failed port 80 protocol http then alert "),
    ("check process p with pidfile /p ", "if failed then alert "),
    ("check file f with path /f ", "if failed uid root then alert "),
    ("check file f with path /f ", "if content = x1 then alert "),
    ("", "set x "),
    ("", "set alert a@b "),
    ("", "check "),
    ("", "check process p with pidfile /p "),
    ("", "check process p with pidfile /p\n"),
    ("check process p with pidfile /p\n", "group g\n"),
    ("check process p with pidfile /p\n", "depends on p, "),
    ("check process p with pidfile /p\n", "start program = \"/bin/x\n"),
    ("check process p with pidfile /p\n", "start program = \"/bin/x 'y\n"),
    ("check process p with pidfile /p\n", "exec x "),
    ("", "\""),
    ("", "\"'"),
    ("", "' \"x\n"),
    ("set log \"", "\\n"),
    ("", "{"),
    ("", "( , ; "),
    ("", "# \n"),
    ("", "\\\n"),
    ("", ":::"),
    ("", "a:b "),
    ("", "a@b "),
    ("", "http://x"),
    ("", "http headers ["),
    ("", "http headers [a: "),
    ("", "http headers [a, "),
    ("", "http headers [a: x\n"),
    ("", "message: "),
    ("", "set mail-format { from: x\n"),
    ("", "include x "),
    ("", "every "),
    ("", "cpu ( "),
    ("", "\u{a0}é “ "),
];

/// A reader that goes back to the beginning for each word would need hours for these.
#[test]
fn long_texts_of_every_shape_are_read_to_their_end() {
    for (first, then) in LONG {
        let _ = hinoban_monitrc::parse(
            Path::new("m"),
            &format!("{first}{}", then.repeat(100_000 / then.len())),
            &World::default(),
        );
    }
}

/// The fixtures of both kinds.
fn fixtures() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/monitrc");
    let mut paths: Vec<_> = ["valid", "invalid"]
        .iter()
        .flat_map(|kind| std::fs::read_dir(folder.join(kind)).expect("a folder of fixtures"))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("a fixture")).collect()
}

/// What may happen to a text, at a place that is counted in characters: some are lost, something comes in, or what stands
/// there stands there twice.
#[derive(Debug, Clone)]
enum Harm {
    Lost(usize, usize),
    Come(usize, usize),
    Twice(usize, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let (at, length) = (0..2000usize, 1..40usize);
    prop_oneof![
        (at.clone(), length.clone()).prop_map(|(at, n)| Harm::Lost(at, n)),
        (at.clone(), 0..PIECES.len()).prop_map(|(at, piece)| Harm::Come(at, piece)),
        (at, length).prop_map(|(at, n)| Harm::Twice(at, n)),
    ]
}

fn harmed(text: &str, harms: &[Harm]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for harm in harms {
        let (Harm::Lost(at, n) | Harm::Come(at, n) | Harm::Twice(at, n)) = harm;
        let at = at % (chars.len() + 1);
        let end = (at + n).min(chars.len());
        match harm {
            Harm::Lost(..) => drop(chars.drain(at..end)),
            Harm::Come(_, piece) => drop(chars.splice(at..at, PIECES[*piece].chars())),
            Harm::Twice(..) => {
                let again = chars[at..end].to_vec();
                chars.splice(at..at, again);
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(2_000)))]

    /// Every mistake that is found has a place within the text, and can be shown.
    #[test]
    fn harmed_files_are_read_to_their_end(which in 0..10_000usize, harms in prop::collection::vec(harm(), 1..6)) {
        let all = fixtures_once();
        let text = harmed(&all[which % all.len()], &harms);
        if let Err(mistakes) = hinoban_monitrc::parse(Path::new("m"), &text, &World::default()) {
            prop_assert!(mistakes.fatal());
            for mistake in &mistakes.list {
                let place = &mistake.place;
                prop_assert!(place.line == 0 || text.get(place.span.clone()).is_some(), "{place:?} in {text:?}");
            }
            prop_assert!(!mistakes.to_string().is_empty());
        }
    }
}

fn fixtures_once() -> &'static [String] {
    static ALL: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    ALL.get_or_init(fixtures)
}

/// So many runs, or as many as `PROPTEST_CASES` asks for.
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Pieces that open every mode of the lexer and leave it in every way.
const PIECES: &[&str] = &[
    "set",
    "check",
    "check process",
    "check program x",
    "check file f path /f",
    "check filesystem d path /",
    "space",
    "size",
    "free",
    "if changed",
    "pid",
    "permission",
    "fsflags",
    "host",
    "if",
    "then",
    "else",
    "failed",
    "port",
    "80",
    "1.5",
    "%",
    "\"",
    "'",
    "\\",
    "\\0x4",
    "start",
    "start program = \"",
    "exec \"",
    "=",
    "every",
    "not every",
    "depends on",
    "group",
    ",",
    "http headers",
    "[",
    "]",
    ":",
    "::1",
    "/64",
    "http://x",
    "ftp://",
    "include",
    "include x",
    "from:",
    "message:",
    "{",
    "}",
    "limits",
    "httpd",
    "allow",
    "@",
    "a@b",
    "#",
    "(",
    ")",
    "cpu(",
    "loadavg (5",
    "min",
    "/",
    "é",
    "“",
    "\u{a0}",
    "\0",
    "path",
    "mailserver",
    "alert",
    "timeout",
    "seconds",
    "total",
    "access",
    "time",
    "99999999999999999999",
    "ssl",
    "verify",
    "repeat",
];
