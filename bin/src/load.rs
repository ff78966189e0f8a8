//! Which file, whether it may be read, and what it says.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hinoban::config::{
    Allow, Config, Dialect, Facility, Listen, Loaded, LogTarget, Mistake, Mistakes, Place, Surroundings, toml,
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
            NotLoaded::File(why) => vec![why.clone()],
            NotLoaded::Mistakes(mistakes) => mistakes.lines(),
        }
    }
}

/// Mistakes as they are printed: first one line each, for programs, then with the lines they are in, for people.
pub(crate) fn told(mistakes: &Mistakes) -> String {
    format!("{}\n\n{mistakes}", mistakes.lines().join("\n"))
}

/// The file to read: the one that was named, or the first there is of those that are looked for. An absolute path.
///
/// # Errors
/// A sentence: it is missing, or no file.
pub(crate) fn find(flags: &Flags) -> Result<PathBuf, String> {
    let here = &flags.here;
    if let Some(named) = &flags.conf {
        let path = here.join(named);
        return match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(path),
            Ok(_) => Err(format!("The control file '{}' is not a file", named.display())),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                Err(format!("The control file '{}' does not exist at {}", named.display(), here.display()))
            }
            Err(why) => Err(format!("Cannot look at the control file '{}': {why}", named.display())),
        };
    }
    let candidates = candidates(home().as_deref(), here);
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    found.ok_or_else(|| {
        let list: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        format!("There is no configuration: name one with -c, or write one of {}", list.join(", "))
    })
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
    let text = World.read(path).map_err(|why| {
        if why.kind() == io::ErrorKind::InvalidData {
            NotLoaded::File(format!("The control file '{}' is not UTF-8 text; convert it", path.display()))
        } else {
            file(why)
        }
    })?;
    let native = path.extension().is_some_and(|extension| extension == "toml");
    let loaded =
        if native { toml::parse(path, &text, &World) } else { hinoban::monitrc::parse(path, &text, &World) };
    let mut loaded = loaded.map_err(NotLoaded::Mistakes)?;
    let found = std::fs::metadata(path).map_err(file)?;
    if native {
        // Said to whoever checks the file, not at each start: Monit's way, to refuse, is for its own files.
        let open = found.permissions().mode() & 0o077 != 0;
        if flags.test && open && holds_secret(&loaded.config, &text) {
            let message = format!(
                "the file holds a password, and others may read it (permission {:04o})",
                found.permissions().mode() & 0o7777
            );
            let place = Place { file: path.into(), line: 0, column: 0, span: 0..0 };
            let help = format!("`chmod 600 {}`, or keep the password in a file of its own", path.display());
            loaded.warnings.push(Mistake::warning(place, message).help(help));
        }
    } else {
        guarded(path, &found, rustix::process::geteuid().as_raw()).map_err(NotLoaded::File)?;
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

/// Whether a password stands in the text itself, not in a file or variable that it names.
fn holds_secret(config: &Config, text: &str) -> bool {
    let users = config.web.allow.iter().filter_map(|allow| match allow {
        Allow::User(user) => Some(&user.password),
        Allow::Host(_) => None,
    });
    let mail =
        config.mail.servers.iter().filter_map(|server| server.login.as_ref().map(|(_, password)| password));
    users.chain(mail).map(|secret| secret.reveal()).any(|secret| !secret.is_empty() && text.contains(secret))
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
}
