//! What `-v` shows before anything else: what we go by.

use hinoban::config::LogTarget;

use crate::run::Plan;

/// Them, a line each.
pub(crate) fn of(plan: &Plan) -> String {
    let config = &plan.loaded.config;
    let every = config.every.map_or_else(|| "once".to_owned(), |every| format!("{} s", every.as_secs_f64()));
    let log = match &config.log {
        None => "none".to_owned(),
        Some(LogTarget::File(path)) => path.display().to_string(),
        Some(LogTarget::Syslog(facility)) => format!("syslog, facility {facility:?}").to_lowercase(),
        Some(LogTarget::Stderr) => "standard error".to_owned(),
    };
    let mut text = String::new();
    for (key, value) in [
        ("configuration", plan.path.display().to_string()),
        ("pidfile", plan.places.pidfile.display().to_string()),
        ("id file", plan.places.idfile.display().to_string()),
        ("state file", plan.places.statefile.display().to_string()),
        ("command socket", plan.places.door.display().to_string()),
        ("looks", every),
        ("log", log),
        ("services", config.services.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ")),
    ] {
        text += &format!("{key:<16} {value}\n");
    }
    text
}
