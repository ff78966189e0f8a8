//! A configuration that only watches: whatever would change the world or tell somebody is taken out of it.

use std::collections::HashMap;
use std::sync::Arc;

use hinoban::config::{Config, Kind, Mode, Rule, Service, Then};

/// What is watched, and what it would have led to.
#[derive(Debug)]
pub(super) struct Quiet {
    /// The same services, passive, without a program that could be run.
    pub(super) config: Config,
    /// What each rule asks for, by service and place in it, in words: `would restart it`.
    pub(super) would: HashMap<(String, usize), String>,
    /// Services that are not watched here: looking at them is running a program.
    pub(super) left_out: Vec<String>,
}

/// Makes one of what a control file says.
pub(super) fn quiet(config: &Config) -> Quiet {
    let mut quiet = config.clone();
    let is_program = |service: &Service| matches!(service.kind, Kind::Program { .. });
    let left_out: Vec<String> =
        config.services.iter().filter(|s| is_program(s)).map(|s| s.name.clone()).collect();
    let mut would = HashMap::new();
    for service in &config.services {
        for (at, rule) in service.rules.iter().enumerate() {
            would.insert((service.name.clone(), at), words(service, rule));
        }
    }
    quiet.log = None;
    quiet.alerts.clear();
    quiet.collectors.clear();
    quiet.web.listen.clear();
    quiet.web.allow.clear();
    quiet.mail.servers.clear();
    quiet.history = None;
    quiet.start_delay = std::time::Duration::ZERO;
    quiet.services.retain(|service| !is_program(service));
    for service in &mut quiet.services {
        let service = Arc::make_mut(service);
        service.mode = Mode::Passive;
        (service.start, service.stop, service.restart) = (None, None, None);
        service.kill_after = None;
        service.alerts.clear();
        service
            .depends_on
            .retain(|parent| !left_out.iter().any(|name| name.eq_ignore_ascii_case(&parent.name)));
        for rule in &mut service.rules {
            for branch in [&mut rule.fail, &mut rule.ok] {
                branch.also.clear();
                branch.then = Then::Alert;
            }
        }
    }
    Quiet { config: quiet, would, left_out }
}

/// What a rule that fails would lead to.
fn words(service: &Service, rule: &Rule) -> String {
    let mut said = Vec::new();
    for then in rule.fail.also.iter().chain([&rule.fail.then]) {
        let active = service.mode == Mode::Active;
        said.push(match then {
            Then::Start if active => "start it".to_owned(),
            Then::Stop if active => "stop it".to_owned(),
            Then::Restart if active && service.start.is_none() && service.restart.is_none() => {
                "restart it, but there is no program for that".to_owned()
            }
            Then::Restart if active => "restart it".to_owned(),
            Then::Unmonitor => "watch it no more".to_owned(),
            Then::Exec { program, .. } => {
                format!("run {}", program.words.first().map_or("a program", String::as_str))
            }
            Then::Custom(name) => format!("do '{name}'"),
            Then::Nothing => "do nothing".to_owned(),
            _ => "tell of it".to_owned(),
        });
    }
    format!("would {}", said.join(" and "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hinoban::NoSurroundings;

    use super::*;

    #[test]
    fn nothing_is_left_that_could_be_run_or_told() {
        let text = "set daemon 5\nset log /var/log/monit.log\nset httpd port 2812 allow admin:monit\nset mailserver localhost\n\
                    set alert a@b.c\n\
                    check process web with pidfile /run/web.pid\n  start program = \"/bin/start web\"\n\
                    \x20 stop program = \"/bin/stop\"\n  if cpu > 80% then exec \"/bin/note it\"\n  depends on job\n\
                    check program job with path /bin/true\n  if status != 0 then alert\n";
        let config = hinoban::monitrc::parse(Path::new("/rc"), text, &NoSurroundings).unwrap().config;
        let quiet = quiet(&config);
        assert_eq!(quiet.left_out, ["job"]);
        let web = quiet.config.services.iter().find(|service| service.name == "web").unwrap();
        assert_eq!((web.mode, web.depends_on.len()), (Mode::Passive, 0));
        assert!(web.start.is_none() && web.stop.is_none() && web.restart.is_none());
        assert!(web.rules.iter().all(|rule| rule.fail.then == Then::Alert && rule.ok.then == Then::Alert));
        let config = &quiet.config;
        assert!(config.log.is_none() && config.alerts.is_empty() && config.web.listen.is_empty());
        let said: Vec<_> =
            (0..web.rules.len()).map(|at| quiet.would[&("web".to_owned(), at)].as_str()).collect();
        assert!(said.contains(&"would restart it") && said.contains(&"would run /bin/note"), "{said:?}");
    }
}
