//! What concerns the file as a whole: the system service that every configuration has, and a poll time.

use hinoban_config::{Config, Kind, Mistake, Place, Service, Surroundings};

use crate::parser::Read;

/// Completes a configuration and checks it.
pub(crate) fn finish(read: &mut Read, around: &dyn Surroundings) {
    if !read.config.services.iter().any(|s| s.kind == Kind::System) {
        system(read, around);
    }
    // What could not be read would only look as if it were missing.
    if !read.torn {
        let names = &read.names;
        read.mistakes.extend(read.config.dependencies_but(|name| names.contains(name)));
    }
    let Config { foreground, every, .. } = read.config;
    if foreground && every.is_none() {
        read.mistakes.push(
            Mistake::error(Place::default(), "Poll time is invalid or not defined")
                .help("'set init' needs a poll time: add 'set daemon 30'"),
        );
    }
}

/// Adds the system service, which is called as the host is.
fn system(read: &mut Read, around: &dyn Surroundings) {
    let name = around.host_name();
    if read.names.contains(&name.to_lowercase()) {
        read.mistakes.push(
            Mistake::error(
                Place::default(),
                format!(
                    "'check system' not defined in control file, failed to add automatic configuration (service name {name} is used already) -- please add 'check system <name>' manually"
                ),
            )
            .help("a service is called as the host is; rename it, or write 'check system' with another name"),
        );
        return;
    }
    let mut system = Service::system(&name);
    system.on_reboot = read.on_reboot;
    read.config.services.push(system.into());
}
