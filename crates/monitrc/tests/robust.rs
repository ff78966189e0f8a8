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
