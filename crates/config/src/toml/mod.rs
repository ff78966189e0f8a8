//! The TOML form of a configuration: our own language.
//!
//! ```
//! use std::path::Path;
//! use hinoban_config::{NoSurroundings, toml};
//!
//! let text = r#"
//! every = "30s"
//!
//! [service.httpd]
//! pidfile = "/var/run/httpd.pid"
//! start = { run = "/etc/init.d/httpd start", timeout = "60s" }
//!
//!   [[service.httpd.check]]
//!   http = "http://www.example.com/"
//!   then = "restart"
//! "#;
//! let loaded = toml::parse(Path::new("hinoban.toml"), text, &NoSurroundings).expect("no mistake");
//! assert_eq!(loaded.config.services[0].name, "httpd");
//!
//! let mistakes = toml::parse(Path::new("hinoban.toml"), "evry = 30", &NoSurroundings).expect_err("two mistakes");
//! assert!(mistakes.to_string().contains("did you mean `every`?"));
//! ```
//!
//! # The language
//!
//! Durations are texts with units (`"500ms"`, `"30s"`, `"1h 30m"`; see [`units`](crate::units)), never bare numbers. A
//! list of one may be written without brackets. A relative path is taken from the folder of the configuration file; so
//! is the program of a command if it holds a slash, while one without a slash is looked up in `PATH`.
//!
//! | where | key | what it takes |
//! |---|---|---|
//! | top | `every` | time between looks; `"30s"`; `"once"` looks once and ends |
//! | | `start-delay` | wait after a boot; none |
//! | | `foreground` | `true`: stay there |
//! | | `budget` | a table with `restarts`, `within`; `false`: none |
//! | | `history` | a table with `size`; `false`: none is kept |
//! | | `batch`, `on-reboot` | `true`: no tables, no colours; what services say that say nothing else |
//! | `[limits]` | `start`, `stop`, `restart`, `program`, `network`, `exec`, `shutdown`, `program-output`, `file-content`, `send-expect`, `http-content` | as in [`Limits`](crate::Limits) |
//! | `[tls]`, and `tls` of what connects or listens | `verify`, `self-signed`, `versions`, `ciphers`, `ca-file`, `ca-path`, `client-pem`, `pem`, `pem-chain`, `pem-key`, `checksum`; `fips` in `[tls]` | as in [`Tls`](crate::Tls) |
//! | `[[mmonit]]` | `url`, `user`, `password`, `timeout`, `tls`, `groups`, `register` | as in [`Collector`](crate::Collector) |
//! | `[patience]`, `[service.NAME.patience]` | `first`, `longest`, `stable`, `give-up`, `give-up-gone`, `remind` | as in [`Patience`](crate::Patience); `"never"` gives nothing up. `patience = false`: none, as Monit |
//! | `[files]` | `pidfile`, `idfile`, `statefile` | paths |
//! | `[log]` | one of `syslog`, `file`, `stderr` | `daemon`, `user`, `local0` … `local7`; a path; `true` |
//! | `[mail]` | `servers` | `smtp://HOST` (port 25), `smtp+starttls://` (587), `smtps://` (465), or `{ url, user, password, verify, tls }` |
//! | | `to` | addresses, or `{ address, events, not-events, reminder, format }` |
//! | | `format` | `{ from, reply-to, subject, message }` |
//! | | `from`, `timeout`, `hostname`, `queue`, `slots` | as in [`Mail`](crate::Mail) |
//! | `[web]` | `listen` | `"127.0.0.1:2812"`, `":2812"` for all addresses, `"unix:/run/hinoban.sock"`, or `{ at, read-only, permission, user, group }` |
//! | | `allow` | hosts, addresses, networks |
//! | | `users` | `{ name, password, read-only }` |
//! | | `user-files`, `groups` | paths, or `{ file, entries, only, read-only }`; names, or `{ name, read-only }` |
//! | | `tls`, `signature` | as above; `false`: the version is left out |
//! | `[service.NAME]` | one of `pidfile`, `file`, `filesystem`, `host`, `system`, `probe` | what it is; `options = { … }` go with `probe` |
//! | | `start`, `stop`, `restart` | a command line, a list of words, or `{ run, timeout, user, group }`, and of `stop` also `kill-after`; no shell runs it; timeout 30 s |
//! | | `every`, `mode`, `on-reboot`, `groups` | `active` or `passive`; `start`, `no-start` or `last-state` |
//! | | `alerts` | as `to` of `[mail]`: who hears of this one, beside or otherwise than that says |
//! | | `depends-on` | names of services that must be up first |
//! | | `missing` | what to do when it does not exist, as `then`, or a table with `then`, `else`, `for`, `else-for` |
//! | `[[service.NAME.check]]` | one of `http`, `tcp`, `url`, `probe`, `when`, `restarts` | what is checked |
//! | | `then`, `else` | when it fails (`alert`), when it holds again (`alert`): `alert`, `start`, `stop`, `restart`, `unmonitor`, `nothing`, `{ exec, timeout, user, group, repeat }`, the name of a registered action, or a list of these |
//! | | `for`, `else-for` | how often or how long it must fail, or hold, first: `"3 cycles"`, `3`, `"5 of 8"`, `"2m"` |
//! | … with `http`, `tcp`, `url` | `timeout`, `retry` | of each step, 5 s; attempts in one look, 1 |
//! | … and `probe` | `must` | `succeed`, or `fail` where an answer is the failure |
//! | … with `http`, `url` | `status` | `200`, `"< 300"`; below 400 |
//! | … with `http` | `method`, `headers`, `user`, `password` | `GET` or `HEAD`; a table |
//! | … with `http`, `tcp` | `family`, `verify`, `ca-file` | `any`, `ipv4`, `ipv6`; TLS certificates are verified unless `false` |
//! | … with `tcp` | `tls` | `true`: from the first byte |
//! | … with `probe` | `options` | of the registered kind |
//!
//! A password is a text, `{ file = "…" }` (a line break at its end is no part of it) or `{ env = "…" }`.
//!
//! The `group` of a program may be `false`: it stays in ours. So may the `timeout` of one of a rule: it takes what it likes.
//! `must = "run"` of a program that is looked with: it fails only if it cannot be run.
//!
//! `when` compares a reading of the service's own look with a limit: by the name of its metric (`queue.depth >= 100`),
//! that name with blanks (`service time > 2s`), or in the words of Monit (`total cpu > 80%`, `memory > 1 GiB`,
//! `loadavg(5min) > 4`, `space > 90%`, `inodes free < 1000`). Limits are percentages, sizes, sizes a second, durations, plain numbers, or texts for `=` and
//! `!=`. It may also ask whether a reading differs from the look before (`pid changed`, `size not changed`), and whether a
//! text matches a regular expression (`version matches '^1'`, `version not matches '^1'`). Whether a probe has the reading, and whether a kind or an action is registered, is found out when the
//! configuration is bound to a registry.
//!
//! `when = "missing"`, `"exists"` and `"wrong type"` are rules of their own about whether the service is there, in place of the
//! one that follows from its kind.
//!
//! A process that does not exist is restarted, and so is a file, a file system or a service of a registered kind that
//! has `start` or `restart`; the others, and all in mode `passive`, are only told about. `missing` says otherwise. What
//! stands in place of a file and is none is dealt with as if the file were missing.

mod address;
mod change;
mod check;
mod collector;
mod condition;
mod connection;
mod content;
mod lasting;
mod limit;
mod limits;
mod mail;
mod mask;
mod mend;
mod metric;
mod node;
mod policy;
mod program;
mod protocol;
mod reader;
mod recipient;
mod secret;
mod service;
mod settings;
mod shipped;
mod spoken;
mod syntax;
mod then;
mod tls;
mod turns;
mod users;
mod value;
mod web;
mod words;

use std::path::Path;

use ::toml::de::DeTable;

use crate::{Config, Dialect, Loaded, Mistakes, Surroundings};

pub use spoken::comparison;

/// Reads a configuration from `text`, which stands in the file `path`. Relative paths in it are joined to the folder of
/// `path`: give an absolute one unless the working directory stays.
///
/// The texts in the result have stars where passwords stood, so that mistakes can be shown and logged.
///
/// # Errors
/// If the configuration cannot be used: all its mistakes, warnings among them, in the order of the text. Mistakes in the
/// TOML itself do not hide those in the rest.
pub fn parse(path: &Path, text: &str, around: &dyn Surroundings) -> Result<Loaded, Mistakes> {
    let mut reader = reader::Reader::new(path, text, around);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let config = reader.config(root.get_ref());
        return reader.finish(config);
    }
    if let Some(line) = syntax::control_file_line(text) {
        let help =
            "a file that ends in .toml is TOML; give it another ending, such as .monitrc, to read it as one";
        reader.syntax(
            line,
            "this looks like a control file of Monit, not like TOML".to_owned(),
            Some(help.to_owned()),
        );
        return reader.finish(Config::empty(Dialect::Toml, ""));
    }
    let mended = mend::mend(text, errors);
    let (root, errors) = DeTable::parse_recoverable(&mended.text);
    reader.set_inserted(mended.inserted.clone());
    reader.no_toml(&mended.gaps, &errors);
    let config = reader.config(root.get_ref());
    reader.finish(config)
}
