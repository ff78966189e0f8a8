//! What was typed: Monit's options and commands, with its error texts and exit codes.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::getopt::{Getopt, Known, Takes, Typed, Unknown};
use crate::load::named;

/// Commands, exit codes and files, for whoever asks for help.
const MORE: &str = "\
Commands:
  (none)             Start the daemon; if it runs, have it look at everything now
  start NAME|all     Start a service and watch it
  stop NAME|all      Stop a service and watch it no more
  restart NAME|all   Stop and start a service
  monitor NAME|all   Watch a service
  unmonitor NAME|all Watch a service no more
  status [NAME]      Show services at length
  summary [NAME]     Show services in a table
  report [WORD]      Count services; WORD is one of up, down, initialising, unmonitored, total
  incidents [NAME]   Show what failed, the newest first
  incident ID        Show what was seen, decided and done in a failure, and what came of it
  explain NAME       Say why a service stands as it does, what is waited for, and what would happen next
  simulate           Rehearse a failure (--fail): what would be done, and who would be told; nothing is executed
  convert [FILE]     Print the TOML that means what a control file means, with its comments
  shadow             Watch beside a Monit that runs, do nothing, and say where it decides otherwise (--for)
  procmatch PATTERN  List the processes whose command line matches, and mark the one that a service would be
  reload             Have the daemon read its configuration again
  quit               End the daemon; the services go on
  validate           Look at everything now, and show the status

NAME is a name or a regular expression for whole names; upper and lower case are the same.
Without a running daemon start, stop, restart, monitor, unmonitor and validate are done by this process itself.

Exit codes:
  0  Done, or accepted by the daemon
  1  Refused, failed, or there is no daemon to ask; the reason is on standard error
     (validate under a control file always ends with 1, as Monit's does)

Without -c, the first of these files is read; one that ends in .toml is TOML, any other a Monit control file:
  ~/.hinoban.toml /etc/hinoban/hinoban.toml /etc/hinoban/monitrc
  ~/.monitrc /etc/monitrc /etc/monit/monitrc /usr/local/etc/monitrc ./monitrc";

const fn option(letter: char, long: &'static str, takes: Takes, help: &'static str) -> Known {
    Known { letter: Some(letter), long, takes, help }
}

/// Every option, in the order of help.
const OPTIONS: &[Known] = &[
    option('c', "conf", Takes::Value("FILE"), "Read this configuration"),
    option('d', "daemon", Takes::Value("N"), "Be a daemon that looks every N seconds"),
    option('g', "group", Takes::Value("NAME"), "Do it to all services of this group"),
    option('l', "logfile", Takes::Value("FILE"), "Log to this file, or to `syslog`"),
    option('p', "pidfile", Takes::Value("FILE"), "Keep the daemon's process id in this file"),
    option('s', "statefile", Takes::Value("FILE"), "Keep what must survive a restart in this file"),
    option('I', "interactive", Takes::Nothing, "Stay in the foreground; events go to the terminal as well"),
    option('B', "batch", Takes::Nothing, "Print neither tables nor colours"),
    option('t', "test", Takes::Nothing, "Check the configuration and end; with -v, show what it means"),
    option('i', "id", Takes::Nothing, "Print the id of this instance"),
    option('r', "resetid", Takes::Nothing, "Make a new id for this instance, after asking"),
    Known {
        letter: None,
        long: "fail",
        takes: Takes::Value("NAME[:METRIC=VALUE]"),
        help: "For simulate: what fails; its process, test or file, or a reading that stands at a value",
    },
    Known { letter: None, long: "for", takes: Takes::Value("TIME"), help: LASTS },
    option('v', "verbose", Takes::Nothing, "Say more: log what is of use when looking for a fault"),
    option('H', "hash", Takes::Rest("FILE"), "Print digests of a file, or of standard input"),
    option('V', "version", Takes::Nothing, "Print the version"),
    option('h', "help", Takes::Nothing, "Print this text"),
];

const LASTS: &str = "For simulate and shadow: how long that lasts; 10m";

/// What there is to type.
fn help() -> String {
    let left = |known: &Known| {
        let letter = known.letter.map_or_else(|| "   ".to_owned(), |letter| format!("-{letter},"));
        match known.takes {
            Takes::Nothing => format!("{letter} --{}", known.long),
            Takes::Value(value) => format!("{letter} --{} {value}", known.long),
            Takes::Rest(value) => format!("{letter} --{} [{value}]", known.long),
        }
    };
    let width = OPTIONS.iter().map(|known| left(known).len()).max().unwrap_or_default();
    let lines = OPTIONS.iter().map(|known| format!("  {:<width$}  {}\n", left(known), known.help));
    format!(
        "Watches services, repairs them, and says why they fell\n\n\
         Usage: hinoban [OPTIONS] [COMMAND] [NAME]...\n\nOptions:\n{}\n{MORE}",
        lines.collect::<String>()
    )
}

/// What was typed, and is well-formed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// The folder that relative paths start from, also after we have left it.
    pub(crate) here: PathBuf,
    /// Configuration.
    pub(crate) conf: Option<PathBuf>,
    /// Seconds between looks.
    pub(crate) every: Option<u64>,
    /// Group of services.
    pub(crate) group: Option<String>,
    /// Log file, or `syslog`.
    pub(crate) log: Option<String>,
    /// Pidfile.
    pub(crate) pidfile: Option<PathBuf>,
    /// State file.
    pub(crate) statefile: Option<PathBuf>,
    /// What fails in a rehearsal, as it was typed.
    pub(crate) fail: Vec<String>,
    /// How long that lasts, as it was typed.
    pub(crate) lasts: Option<String>,
    /// No tables, no colours.
    pub(crate) batch: bool,
    /// Stay in the foreground.
    pub(crate) foreground: bool,
    /// Print the id.
    pub(crate) id: bool,
    /// Make a new id.
    pub(crate) reset_id: bool,
    /// Check only.
    pub(crate) test: bool,
    /// How often `-v` was given.
    pub(crate) verbose: u8,
    /// The command and its arguments.
    pub(crate) words: Vec<String>,
    /// What is odd, but no mistake.
    pub(crate) warnings: Vec<String>,
}

/// Why there is nothing to do but to say this.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What was asked for, for standard output.
    Told(String),
    /// What is wrong with the command line, for standard error.
    Refused(String),
    /// The digests of a file, or of standard input.
    Digests(Option<PathBuf>),
}

/// Our version, as scripts read it: the last word of the first line, and its first number with dots.
pub(crate) fn version() -> String {
    concat!(
        "This is Hinoban version ",
        env!("CARGO_PKG_VERSION"),
        "\nReads TOML and Monit's control language; answers as Monit does over HTTP"
    )
    .to_owned()
}

/// Reads a command line, the name of the program first.
///
/// # Errors
/// What to say or do instead, if help, the version or digests were asked for, or if it cannot be understood: of several,
/// the first that was typed.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Flags, Answer> {
    let mut flags =
        Flags { here: std::env::current_dir().unwrap_or_else(|_| "/".into()), ..Flags::default() };
    let mut getopt = Getopt::new(OPTIONS, arguments.into_iter().skip(1).collect());
    let mut twice = Vec::new();
    while let Some(typed) = getopt.next() {
        let (known, value) = match typed {
            Ok(Typed::Option(known, value)) => (known, value),
            Ok(Typed::Word(word)) => {
                flags.words.push(word.to_string_lossy().into_owned());
                continue;
            }
            Err(Unknown::Invalid(name)) => {
                let text = format!("Invalid option -- {name}  (-h will show valid options)");
                return Err(Answer::Refused(text));
            }
            Err(Unknown::Missing(name)) => {
                return Err(Answer::Refused(format!("Option -- {name} requires an argument")));
            }
        };
        let file = value.clone().map(PathBuf::from);
        let text = value.as_ref().map(|value| value.to_string_lossy().into_owned());
        // Whether it was there before.
        let again = match known.long {
            "conf" => {
                if let Some(file) = &file {
                    named(&flags.here, file).map_err(Answer::Refused)?;
                }
                std::mem::replace(&mut flags.conf, file).is_some()
            }
            "daemon" => {
                flags.every = Some(seconds(&text.unwrap_or_default())?);
                false
            }
            "group" => std::mem::replace(&mut flags.group, text).is_some(),
            "logfile" => std::mem::replace(&mut flags.log, text).is_some(),
            "pidfile" => std::mem::replace(&mut flags.pidfile, file).is_some(),
            "statefile" => std::mem::replace(&mut flags.statefile, file).is_some(),
            "fail" => {
                flags.fail.extend(text);
                false
            }
            "for" => {
                flags.lasts = text;
                false
            }
            "hash" => return Err(Answer::Digests(file)),
            "version" => return Err(Answer::Told(version())),
            "help" => return Err(Answer::Told(help())),
            other => {
                flags.switch(other);
                false
            }
        };
        if again {
            twice.extend(known.letter);
        }
    }
    flags.warnings = twice
        .iter()
        .map(|letter| {
            format!(
                "WARNING: The -{letter} option was specified multiple times, only the last value will be used"
            )
        })
        .collect();
    Ok(flags)
}

impl Flags {
    /// Hears an option that takes nothing.
    fn switch(&mut self, long: &str) {
        match long {
            "interactive" => self.foreground = true,
            "batch" => self.batch = true,
            "test" => self.test = true,
            "id" => self.id = true,
            "resetid" => self.reset_id = true,
            "verbose" => self.verbose = self.verbose.saturating_add(1),
            _ => {}
        }
    }
}

/// The number at the beginning, as atoi(3) reads it: `5x` and `1.5` are numbers to Monit.
fn seconds(text: &str) -> Result<u64, Answer> {
    let text = text.trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    // Longer than anybody waits; no more digits than a number has.
    let number = if end > 9 { u64::from(u32::MAX) } else { digits[..end].parse().unwrap_or(0) };
    if number > 0 {
        Ok(number)
    } else {
        Err(Answer::Refused("Option -d requires a natural number".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Result<Flags, Answer> {
        read(std::iter::once("hinoban").chain(line.split_whitespace()).map(OsString::from))
    }

    fn refusal(line: &str) -> String {
        match flags(line) {
            Err(Answer::Refused(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_stand_before_and_after_the_command() {
        let read = flags("summary -B -c Cargo.toml svc -vv -g web --daemon 5 -Il/var/log/x").unwrap();
        assert_eq!(read.words, ["summary", "svc"]);
        assert_eq!((read.batch, read.foreground, read.verbose, read.every), (true, true, 2, Some(5)));
        assert_eq!(read.conf, Some("Cargo.toml".into()));
        assert_eq!((read.group.as_deref(), read.log.as_deref()), (Some("web"), Some("/var/log/x")));
    }

    #[test]
    fn long_options_may_be_cut_short() {
        let read = flags("--conf=Cargo.toml --inter --verb --stat s").unwrap();
        assert_eq!(
            (read.conf, read.foreground, read.statefile),
            (Some("Cargo.toml".into()), true, Some("s".into()))
        );
    }

    #[test]
    fn mistakes_are_told_in_monits_words() {
        assert_eq!(refusal("-Z"), "Invalid option -- Z  (-h will show valid options)");
        assert!(refusal("--bogus").starts_with("Invalid option -- bogus"));
        assert_eq!(refusal("-c"), "Option -- c requires an argument");
        assert_eq!(refusal("status --statefile"), "Option -- s requires an argument");
        for line in ["-d x", "-d 0", "-d -1", "-dx5", "--daemon="] {
            assert_eq!(refusal(line), "Option -d requires a natural number", "{line}");
        }
    }

    #[test]
    fn the_last_of_several_counts_and_that_is_said() {
        let read = flags("-c src/main.rs -c Cargo.toml -B -B -d 1 -d 2x").unwrap();
        assert_eq!((read.conf, read.every), (Some("Cargo.toml".into()), Some(2)));
        assert_eq!(
            read.warnings,
            ["WARNING: The -c option was specified multiple times, only the last value will be used"]
        );
    }

    #[test]
    fn of_what_ends_the_line_the_first_counts() {
        assert!(matches!(flags("-V -Z"), Err(Answer::Told(_))));
        assert_eq!(flags("-t -H file -Z"), Err(Answer::Digests(Some("file".into()))));
        assert_eq!(flags("-H"), Err(Answer::Digests(None)));
        assert!(refusal("-c nosuch -V").contains("does not exist"));
        assert!(refusal("-c nosuch -c Cargo.toml").contains("does not exist"));
    }

    #[test]
    fn the_version_is_where_scripts_look_for_it() {
        let Err(Answer::Told(text)) = flags("-V") else { panic!("no version") };
        let first = text.lines().next().unwrap();
        assert_eq!(first.rsplit(' ').next(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(first.find(|c: char| c.is_ascii_digit()), first.find(env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn help_has_a_line_for_everything() {
        let Err(Answer::Told(text)) = flags("-h") else { panic!("no help") };
        for word in
            ["--conf", "--daemon", "--group", "--logfile", "--pidfile", "--statefile", "--interactive"]
        {
            assert!(text.contains(word), "{word}: {text}");
        }
        for word in [
            "--batch",
            "--test",
            "--id",
            "--resetid",
            "--verbose",
            "--version",
            "--help",
            "reload",
            "Exit codes",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
