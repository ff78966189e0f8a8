//! What was typed: Monit's options and commands, with its error texts and exit codes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

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

/// The command line as it was typed.
#[derive(Debug, Parser)]
#[command(
    name = "hinoban",
    about = "Watches services, repairs them, and says why they fell",
    after_help = MORE,
    override_usage = "hinoban [OPTIONS] [COMMAND] [NAME]...",
    disable_help_flag = true,
    disable_version_flag = true,
    infer_long_args = true,
    args_override_self = true
)]
struct Line {
    /// Read this configuration
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append, allow_hyphen_values = true)]
    conf: Vec<PathBuf>,
    /// Be a daemon that looks every N seconds
    #[arg(short, long, value_name = "N", action = ArgAction::Append, allow_hyphen_values = true)]
    daemon: Vec<String>,
    /// Do it to all services of this group
    #[arg(short, long, value_name = "NAME", action = ArgAction::Append, allow_hyphen_values = true)]
    group: Vec<String>,
    /// Log to this file, or to `syslog`
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append, allow_hyphen_values = true)]
    logfile: Vec<String>,
    /// Keep the daemon's process id in this file
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append, allow_hyphen_values = true)]
    pidfile: Vec<PathBuf>,
    /// Keep what must survive a restart in this file
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append, allow_hyphen_values = true)]
    statefile: Vec<PathBuf>,
    /// Stay in the foreground; events go to the terminal as well
    #[arg(short = 'I', long)]
    interactive: bool,
    /// Print neither tables nor colours
    #[arg(short = 'B', long)]
    batch: bool,
    /// Check the configuration and end
    #[arg(short, long)]
    test: bool,
    /// Print the id of this instance
    #[arg(short, long)]
    id: bool,
    /// Make a new id for this instance, after asking
    #[arg(short, long)]
    resetid: bool,
    /// For simulate: what fails; its process, test or file, or a reading that stands at a value
    #[arg(long, value_name = "NAME[:METRIC=VALUE]", action = ArgAction::Append, allow_hyphen_values = true)]
    fail: Vec<String>,
    /// For simulate: how long that lasts; 10m
    #[arg(long, value_name = "TIME", action = ArgAction::Append, allow_hyphen_values = true)]
    r#for: Vec<String>,
    /// Say more: log what is of use when looking for a fault
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// Print hashes of a file (not there; see sha256sum)
    #[arg(short = 'H', long, hide = true)]
    hash: bool,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: (),
    /// Print this text
    #[arg(short, long, action = ArgAction::Help)]
    help: (),
    #[arg(hide = true)]
    words: Vec<String>,
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
/// What to say instead, if help or the version was asked for, or if it cannot be understood.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Flags, Answer> {
    let mut command = Line::command().version("");
    let line = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| Line::from_arg_matches(&matches))
        .map_err(|error| answer(&mut command, &error))?;
    if line.hash {
        return Err(Answer::Refused(
            "Option -H is not there; sha256sum and md5sum print hashes of files".to_owned(),
        ));
    }
    let mut warnings = Vec::new();
    let mut warn = |letter: char, count: usize| {
        if count > 1 {
            warnings.push(format!(
                "WARNING: The -{letter} option was specified multiple times, only the last value will be used"
            ));
        }
    };
    for (letter, count) in [
        ('c', line.conf.len()),
        ('g', line.group.len()),
        ('l', line.logfile.len()),
        ('p', line.pidfile.len()),
        ('s', line.statefile.len()),
    ] {
        warn(letter, count);
    }
    let mut every = None;
    for text in &line.daemon {
        match text.parse() {
            Ok(seconds) if seconds > 0 => every = Some(seconds),
            _ => return Err(Answer::Refused("Option -d requires a natural number".to_owned())),
        }
    }
    Ok(Flags {
        here: std::env::current_dir().unwrap_or_else(|_| "/".into()),
        conf: line.conf.into_iter().next_back(),
        every,
        group: line.group.into_iter().next_back(),
        log: line.logfile.into_iter().next_back(),
        pidfile: line.pidfile.into_iter().next_back(),
        statefile: line.statefile.into_iter().next_back(),
        fail: line.fail,
        lasts: line.r#for.into_iter().next_back(),
        batch: line.batch,
        foreground: line.interactive,
        id: line.id,
        reset_id: line.resetid,
        test: line.test,
        verbose: line.verbose,
        words: line.words,
        warnings,
    })
}

/// What Monit would say, for scripts and people know its words.
fn answer(command: &mut clap::Command, error: &clap::Error) -> Answer {
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    match error.kind() {
        ErrorKind::DisplayVersion => Answer::Told(version()),
        ErrorKind::DisplayHelp => Answer::Told(command.render_help().to_string().trim_end().to_owned()),
        ErrorKind::UnknownArgument => {
            let name = argument.strip_prefix("--").or(argument.strip_prefix('-')).unwrap_or(&argument);
            Answer::Refused(format!("Invalid option -- {name}  (-h will show valid options)"))
        }
        ErrorKind::InvalidValue | ErrorKind::NoEquals | ErrorKind::WrongNumberOfValues => {
            let word = argument.split_whitespace().next().unwrap_or_default();
            let of =
                |arg: &&clap::Arg| arg.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
            let letter = command.get_arguments().find(of).and_then(clap::Arg::get_short);
            let name = letter.map_or_else(|| word.trim_start_matches('-').to_owned(), String::from);
            Answer::Refused(format!("Option -- {name} requires an argument"))
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Answer::Refused(format!("{}  (-h will show valid options)", first.trim_start_matches("error: ")))
        }
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
        let read = flags("summary -B -c rc svc -vv -g web --daemon 5 -Il/var/log/x").unwrap();
        assert_eq!(read.words, ["summary", "svc"]);
        assert_eq!((read.batch, read.foreground, read.verbose, read.every), (true, true, 2, Some(5)));
        assert_eq!(read.conf, Some("rc".into()));
        assert_eq!((read.group.as_deref(), read.log.as_deref()), (Some("web"), Some("/var/log/x")));
    }

    #[test]
    fn long_options_may_be_cut_short() {
        let read = flags("--conf=rc --inter --verb --stat s").unwrap();
        assert_eq!((read.conf, read.foreground, read.statefile), (Some("rc".into()), true, Some("s".into())));
    }

    #[test]
    fn mistakes_are_told_in_monits_words() {
        assert_eq!(refusal("-Z"), "Invalid option -- Z  (-h will show valid options)");
        assert!(refusal("--bogus").starts_with("Invalid option -- bogus"));
        assert_eq!(refusal("-c"), "Option -- c requires an argument");
        assert_eq!(refusal("status --statefile"), "Option -- s requires an argument");
        for line in ["-d x", "-d 0", "-d -1", "-d 1.5"] {
            assert_eq!(refusal(line), "Option -d requires a natural number", "{line}");
        }
    }

    #[test]
    fn the_last_of_several_counts_and_that_is_said() {
        let read = flags("-c a -c b -B -B -d 1 -d 2").unwrap();
        assert_eq!((read.conf, read.every), (Some("b".into()), Some(2)));
        assert_eq!(
            read.warnings,
            ["WARNING: The -c option was specified multiple times, only the last value will be used"]
        );
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
