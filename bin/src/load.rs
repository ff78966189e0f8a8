//! Which file, whether it may be read, and what it says.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hinoban::config::{
    Allow, Config, Dialect, Facility, Listen, Loaded, LogTarget, Mistake, Mistakes, Place, Severity,
    Surroundings, toml,
};

use crate::flags::Flags;
use crate::surroundings::{World, home};

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) enum NotLoaded {
    /// The file cannot be had: one sentence.
    File(String),
    /// What it says cannot be used.
    Mistakes(Mistakes),
}

impl NotLoaded {
    /// As it is printed.
    pub(crate) fn text(&self) -> String {
        match self {
            NotLoaded::File(why) => why.clone(),
            NotLoaded::Mistakes(mistakes) => told(mistakes),
        }
    }

    /// As it is logged: one line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            NotLoaded::File(why) => vec![why.lines().next().unwrap_or_default().to_owned()],
            NotLoaded::Mistakes(mistakes) => mistakes.lines(),
        }
    }
}

/// How many mistakes are shown with the lines they are in, where each has had a line of its own before: nobody reads more.
const SHOWN: usize = 100;

/// Mistakes as they are printed: first one line each, for programs, then with the lines they are in, for people. Of
/// very many, errors come before warnings.
pub(crate) fn told(mistakes: &Mistakes) -> String {
    let lines = mistakes.lines().join("\n");
    if mistakes.list.len() <= SHOWN {
        return format!("{lines}\n\n{}", shown(mistakes));
    }
    let of = |severity| mistakes.list.iter().filter(move |mistake| mistake.severity == severity);
    let list = of(Severity::Error).chain(of(Severity::Warning)).take(SHOWN).cloned().collect();
    let first = Mistakes { sources: mistakes.sources.clone(), list };
    let more = mistakes.list.len() - SHOWN;
    format!("{lines}\n\n{}\n\n{more} more are in the lines at the top", shown(&first))
}

/// Mistakes with the lines they are in. One that concerns the file as a whole has none, and no empty margin either.
pub(crate) fn shown(mistakes: &Mistakes) -> String {
    let one = |mistake: &Mistake| {
        let alone = Mistakes { sources: mistakes.sources.clone(), list: vec![mistake.clone()] };
        let text = alone.to_string();
        let lines = text.lines().filter(|line| mistake.place.line > 0 || line.trim() != "|");
        lines.collect::<Vec<_>>().join("\n")
    };
    mistakes.list.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

/// The file to read: the one that was named, or the first there is of those that are looked for. An absolute path.
///
/// # Errors
/// A sentence: it is missing, or no file.
pub(crate) fn find(flags: &Flags) -> Result<PathBuf, String> {
    let here = &flags.here;
    if let Some(file) = &flags.conf {
        return named(here, file);
    }
    let candidates = candidates(home().as_deref(), here);
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    found.ok_or_else(|| {
        let list: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        format!("There is no configuration: name one with -c, or write one of {}", list.join(", "))
    })
}

/// The absolute path of a file that was named.
///
/// # Errors
/// A sentence: it is missing, or no file.
pub(crate) fn named(here: &Path, file: &Path) -> Result<PathBuf, String> {
    let path = here.join(file);
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() => Ok(path),
        Ok(_) if !file.as_os_str().is_empty() => {
            Err(format!("The control file '{}' is not a file", file.display()))
        }
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            Err(format!("Cannot look at the control file '{}': {why}", file.display()))
        }
        _ => Err(format!("The control file '{}' does not exist at {}", file.display(), here.display())),
    }
}

fn candidates(home: Option<&Path>, here: &Path) -> Vec<PathBuf> {
    let own = home.map(|home| home.join(".hinoban.toml"));
    let of_monit = home.map(|home| home.join(".monitrc"));
    let ours = ["/etc/hinoban/hinoban.toml", "/etc/hinoban/monitrc"].map(PathBuf::from);
    let monits = ["/etc/monitrc", "/etc/monit/monitrc", "/usr/local/etc/monitrc"].map(PathBuf::from);
    own.into_iter().chain(ours).chain(of_monit).chain(monits).chain([here.join("monitrc")]).collect()
}

/// Reads the file at `path`; what the command line says wins over what it says.
///
/// # Errors
/// Why it cannot be used: all mistakes at once.
pub(crate) fn load(path: &Path, flags: &Flags) -> Result<Loaded, NotLoaded> {
    let file =
        |why: io::Error| NotLoaded::File(format!("Cannot read the control file '{}': {why}", path.display()));
    let native = path.extension().is_some_and(|extension| extension == "toml");
    let found = std::fs::metadata(path).map_err(file)?;
    let us = rustix::process::geteuid().as_raw();
    if native {
        unchangeable(path, &found, us).map_err(NotLoaded::File)?;
    }
    let read = if native { World.read(path) } else { World.text(path) };
    let text = read.map_err(|why| {
        if why.kind() == io::ErrorKind::InvalidData {
            NotLoaded::File(format!("The control file '{}' is not UTF-8 text; convert it", path.display()))
        } else {
            file(why)
        }
    })?;
    let loaded =
        if native { toml::parse(path, &text, &World) } else { hinoban::monitrc::parse(path, &text, &World) };
    let mut loaded = loaded.map_err(NotLoaded::Mistakes)?;
    if native {
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 && holds_secret(&loaded.config, &text) {
            let shown = path.display();
            let message = format!(
                "'{shown}' holds a password, and others may read it (permission {mode:04o}); `chmod 600 {shown}`"
            );
            let place = Place { file: path.into(), line: 0, column: 0, span: 0..0 };
            let help = "or keep the password in a file of its own: password = { file = \"/path\" }";
            loaded.warnings.push(Mistake::warning(place, message).help(help));
        }
    } else {
        if World.read(path).is_err() {
            let message = format!("'{}' is not UTF-8 text; it is read as Latin-1", path.display());
            let help = "names and patterns with letters beyond ASCII may match nothing; convert it: iconv -f latin1 -t utf8";
            let place = Place { file: path.into(), line: 0, column: 0, span: 0..0 };
            loaded.warnings.push(Mistake::warning(place, message).help(help));
        }
        // Last, as Monit does: what is wrong with the content is told first.
        if let Err(why) = guarded(path, &found, us) {
            let help = match found.uid() == us {
                true => format!("close it to others: chmod 600 {}", path.display()),
                false => format!("make it yours, or be who it belongs to: chown {us} {}", path.display()),
            };
            if loaded.warnings.list.is_empty() {
                return Err(NotLoaded::File(format!("{why}\n  = help: {help}")));
            }
            loaded.warnings.push(Mistake::error(Place::default(), why).help(help));
            return Err(NotLoaded::Mistakes(loaded.warnings));
        }
    }
    overrule(&mut loaded.config, flags);
    Ok(loaded)
}

/// Whether nobody else can write or read it, as Monit asks of its control files, in its words.
fn guarded(path: &Path, found: &Metadata, us: u32) -> Result<(), String> {
    if found.uid() != us {
        return Err(format!("The control file '{}' must be owned by you", path.display()));
    }
    match found.permissions().mode() & 0o7777 {
        mode if mode & 0o7077 == 0 => Ok(()),
        mode => Err(format!(
            "The control file '{}' permission {mode:04o} is wrong, maximum 0700 allowed",
            path.display()
        )),
    }
}

/// Whether nobody but root and us can change it: it says what is run as us. Others may read it.
fn unchangeable(path: &Path, found: &Metadata, us: u32) -> Result<(), String> {
    let path = path.display();
    let owner = found.uid();
    if owner != us && owner != 0 {
        return Err(format!(
            "The control file '{path}' says what is run, but belongs to user {owner}, who is neither root nor you; \
             `chown {us} {path}`, or use a copy"
        ));
    }
    // Many systems give each user a group of the same number, and let that write: such a group is its user.
    let alone = us != 0 && owner == us && found.gid() == us;
    match found.mode() & 0o7777 {
        mode if mode & if alone { 0o002 } else { 0o022 } != 0 => Err(format!(
            "The control file '{path}' says what is run, but others may change it (permission {mode:04o}); \
             `chmod go-w {path}`"
        )),
        _ => Ok(()),
    }
}

/// Whether a password stands in the text itself, not in a file or variable that it names.
fn holds_secret(config: &Config, text: &str) -> bool {
    let users = config.web.allow.iter().filter_map(|allow| match allow {
        Allow::User(user) => Some(&user.password),
        _ => None,
    });
    let mail =
        config.mail.servers.iter().filter_map(|server| server.login.as_ref().map(|(_, password)| password));
    let secrets = users.chain(mail).map(|secret| secret.reveal());
    // In the address of a collector it stands between the user and the host.
    let collectors = config.collectors.iter().filter_map(|collector| {
        let (login, _) = collector.url.reveal().split_once("://")?.1.split_once('@')?;
        Some(login.split_once(':')?.1)
    });
    secrets.chain(collectors).any(|secret| !secret.is_empty() && text.contains(secret))
}

/// What the command line says wins. Paths become absolute: the daemon leaves the folder it was started in.
fn overrule(config: &mut Config, flags: &Flags) {
    let here = |path: &Path| flags.here.join(path);
    if let Some(seconds) = flags.every {
        config.every = Some(Duration::from_secs(seconds));
    }
    config.log = match flags.log.as_deref() {
        Some("syslog") => Some(LogTarget::Syslog(Facility::default())),
        Some(file) => Some(LogTarget::File(file.into())),
        None => config.log.take(),
    };
    if let Some(LogTarget::File(path)) = &mut config.log {
        *path = here(path);
    }
    let files = &mut config.files;
    files.pidfile = flags.pidfile.clone().or(files.pidfile.take()).map(|path| here(&path));
    files.statefile = flags.statefile.clone().or(files.statefile.take()).map(|path| here(&path));
    files.idfile = files.idfile.take().map(|path| here(&path));
    config.mail.queue = config.mail.queue.take().map(|path| here(&path));
    for listen in &mut config.web.listen {
        if let Listen::Unix { path, .. } = listen {
            *path = here(path);
        }
    }
    config.foreground |= flags.foreground;
}

/// What we call ourselves where scripts know Monit's words: under a control file they stay Monit's.
pub(crate) fn name(config: &Config) -> &'static str {
    match config.dialect {
        Dialect::Monit => "Monit",
        Dialect::Toml => "Hinoban",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_come_before_monits() {
        let found = candidates(Some(Path::new("/h")), Path::new("/w"));
        let names: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names[0], "/h/.hinoban.toml");
        assert_eq!(
            (names[2], names[3], *names.last().unwrap()),
            ("/etc/hinoban/monitrc", "/h/.monitrc", "/w/monitrc")
        );
    }

    #[test]
    fn the_command_line_wins() {
        let mut config = Config::empty(Dialect::Monit, "h");
        config.log = Some(LogTarget::Stderr);
        let flags = Flags {
            here: "/here".into(),
            every: Some(7),
            log: Some("syslog".into()),
            pidfile: Some("/p".into()),
            statefile: Some("s".into()),
            foreground: true,
            ..Flags::default()
        };
        overrule(&mut config, &flags);
        assert_eq!((config.every, config.foreground), (Some(Duration::from_secs(7)), true));
        assert_eq!(config.log, Some(LogTarget::Syslog(Facility::User)));
        assert_eq!(config.files.pidfile, Some("/p".into()));
        assert_eq!(config.files.statefile, Some("/here/s".into()));
    }

    #[test]
    fn a_control_file_of_somebody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rc");
        std::fs::write(&path, "").unwrap();
        let with = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            std::fs::metadata(&path).unwrap()
        };
        let us = rustix::process::geteuid().as_raw();
        for mode in [0o400, 0o600, 0o700] {
            assert_eq!(guarded(&path, &with(mode), us), Ok(()), "{mode:o}");
        }
        for mode in [0o644, 0o610, 0o601] {
            assert!(guarded(&path, &with(mode), us).unwrap_err().contains("is wrong, maximum 0700 allowed"));
        }
        assert!(guarded(&path, &with(0o600), us + 1).unwrap_err().contains("must be owned by you"));
    }

    #[test]
    fn a_file_that_others_may_change_is_refused_in_toml_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "").unwrap();
        let with = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            std::fs::metadata(&path).unwrap()
        };
        let us = rustix::process::geteuid().as_raw();
        for mode in [0o400, 0o600, 0o644, 0o755] {
            assert_eq!(unchangeable(&path, &with(mode), us), Ok(()), "{mode:o}");
        }
        for mode in [0o622, 0o646, 0o666] {
            let why = unchangeable(&path, &with(mode), us).unwrap_err();
            assert!(
                why.contains(&format!("(permission {mode:04o}); `chmod go-w {}`", path.display())),
                "{why}"
            );
        }
        if us == 0 {
            assert!(unchangeable(&path, &with(0o664), us).is_err(), "the group root is not root");
            assert_eq!(
                unchangeable(&path, &with(0o644), 12345),
                Ok(()),
                "root's files are good for everybody"
            );
            std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
            let found = with(0o600);
            assert!(unchangeable(&path, &found, 0).unwrap_err().contains("belongs to user 12345"));
            assert_eq!(unchangeable(&path, &found, 12345), Ok(()));
            std::os::unix::fs::chown(&path, None, Some(12345)).unwrap();
            assert_eq!(unchangeable(&path, &with(0o664), 12345), Ok(()), "a group of one's own is oneself");
            assert!(unchangeable(&path, &with(0o666), 12345).is_err());
        }
    }

    #[test]
    fn what_concerns_the_whole_file_has_no_empty_margin() {
        let mut mistakes = Mistakes::default();
        mistakes.push(Mistake::warning(Place::default(), "one"));
        mistakes.push(Mistake::warning(Place::default(), "two").help("three"));
        let text = shown(&mistakes);
        assert!(text.contains("warning: one") && text.contains("help: three"), "{text}");
        assert!(text.lines().all(|line| line.trim() != "|"), "{text}");
    }
}
