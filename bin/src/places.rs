//! Where our own files are.

use std::path::{Path, PathBuf};

use hinoban::config::Config;

use crate::surroundings::home;

/// Our own files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Our process id.
    pub(crate) pidfile: PathBuf,
    /// Our identity.
    pub(crate) idfile: PathBuf,
    /// What survives a restart.
    pub(crate) statefile: PathBuf,
    /// The socket that the command line talks to: the state file's whole name with `.sock` after it, so that no two
    /// state files share one.
    pub(crate) door: PathBuf,
    /// Messages that wait, if the configuration names no place for them: the state file's name with `.mail` after it.
    pub(crate) queue: PathBuf,
    /// Incidents, and readings over time: the state file's name with `.history` after it.
    pub(crate) history: PathBuf,
}

impl Places {
    /// What the configuration says; otherwise root's in `/run` and `/var/lib/hinoban`, everybody else's in their home.
    pub(crate) fn of(config: &Config) -> Self {
        let root = rustix::process::geteuid().is_root();
        Self::with(config, root, &home().unwrap_or_else(|| "/".into()))
    }

    /// Where root's daemon has its files under this configuration.
    pub(crate) fn of_root(config: &Config) -> Self {
        Self::with(config, true, Path::new("/root"))
    }

    fn with(config: &Config, root: bool, home: &Path) -> Self {
        let files = config.files.clone();
        let default = |name: &str| match (root, name) {
            (true, "pid") => PathBuf::from("/run/hinoban.pid"),
            (true, name) => Path::new("/var/lib/hinoban").join(name),
            (false, name) => home.join(format!(".hinoban.{name}")),
        };
        let statefile = files.statefile.unwrap_or_else(|| default("state"));
        let beside = |ending: &str| {
            let mut path = statefile.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        };
        Self {
            pidfile: files.pidfile.unwrap_or_else(|| default("pid")),
            idfile: files.idfile.unwrap_or_else(|| default("id")),
            door: beside(".sock"),
            queue: beside(".mail"),
            history: beside(".history"),
            statefile,
        }
    }

    /// Makes the folders of these files, where they are missing.
    ///
    /// # Errors
    /// A sentence that names the folder and says why not.
    pub(crate) fn prepare(&self) -> Result<(), String> {
        for file in [&self.pidfile, &self.idfile, &self.statefile] {
            let Some(folder) = file.parent() else { continue };
            std::fs::create_dir_all(folder).map_err(|why| {
                let (folder, file) = (folder.display(), file.display());
                format!("Cannot make the folder '{folder}' for {file}: {why}; make it, or name other files")
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hinoban::config::Dialect;

    use super::*;

    #[test]
    fn the_configuration_comes_first_then_who_we_are() {
        let mut config = Config::empty(Dialect::Toml, "h");
        let root = Places::with(&config, true, Path::new("/root"));
        assert_eq!(root.pidfile, Path::new("/run/hinoban.pid"));
        assert_eq!(root.door, Path::new("/var/lib/hinoban/state.sock"));
        assert_eq!(root.queue, Path::new("/var/lib/hinoban/state.mail"));
        let user = Places::with(&config, false, Path::new("/home/u"));
        assert_eq!(
            (user.pidfile, user.idfile),
            ("/home/u/.hinoban.pid".into(), "/home/u/.hinoban.id".into())
        );
        assert_eq!(
            (user.door, user.queue),
            ("/home/u/.hinoban.state.sock".into(), "/home/u/.hinoban.state.mail".into())
        );
        config.files.statefile = Some("/x/y.state".into());
        let set = Places::with(&config, true, Path::new("/root"));
        assert_eq!(
            (set.statefile, set.door, set.queue),
            ("/x/y.state".into(), "/x/y.state.sock".into(), "/x/y.state.mail".into())
        );
        assert_eq!(set.history, Path::new("/x/y.state.history"));
    }
}
