//! What depends on what: each name is that of a service, and nothing depends on itself.

use std::collections::HashMap;

use crate::{Config, Dialect, Mistake, Prerequisite, Service, spelling};

impl Config {
    /// What is wrong with the dependencies: names that are no service's, and circles. Both languages check this; whoever
    /// makes a configuration by hand gets it when it is bound.
    pub fn dependencies(&self) -> Vec<Mistake> {
        self.dependencies_but(|_| false)
    }

    /// The same, where some services could not be read: `lost` knows their names, in lower case, and nothing is said of
    /// those.
    pub fn dependencies_but(&self, lost: impl Fn(&str) -> bool) -> Vec<Mistake> {
        check(self.services.iter().map(|service| &**service), lost, self.dialect)
    }
}

/// What is wrong with the dependencies of these services. Names that are `lost` belong to services that could not be
/// read: that has been told.
pub(crate) fn check<'a>(
    services: impl Iterator<Item = &'a Service>,
    lost: impl Fn(&str) -> bool,
    dialect: Dialect,
) -> Vec<Mistake> {
    let services: Vec<&Service> = services.collect();
    let mut mistakes = Vec::new();
    if services.iter().all(|service| service.depends_on.is_empty()) {
        return mistakes;
    }
    let numbers: HashMap<String, usize> =
        services.iter().enumerate().map(|(at, service)| (service.name.to_lowercase(), at)).collect();
    let mut edges: Vec<Vec<(usize, &Prerequisite)>> = vec![Vec::new(); services.len()];
    for (at, service) in services.iter().enumerate() {
        for wanted in &service.depends_on {
            let name = wanted.name.to_lowercase();
            match numbers.get(&name) {
                Some(number) => edges[at].push((*number, wanted)),
                None if lost(&name) => {}
                None => {
                    let message = missing(&service.name, &wanted.name, dialect);
                    let names = services.iter().map(|s| s.name.as_str());
                    let help = match spelling::nearest(&wanted.name, names.filter(|n| *n != service.name)) {
                        Some(near) => format!("did you mean {near}?"),
                        None => {
                            "write the name of a service of this configuration, or take it out".to_owned()
                        }
                    };
                    let mistake = Mistake::error(wanted.place.clone(), message).help(help);
                    mistakes.push(if dialect == Dialect::Monit { mistake.late() } else { mistake });
                }
            }
        }
    }
    circles(&services, &edges, &mut mistakes, dialect);
    mistakes
}

/// That a name is no service's. Under a control file in the words that scripts around Monit know.
fn missing(service: &str, wanted: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Toml => format!("{service} depends on {wanted}, and there is no such service"),
        Dialect::Monit => format!("Depending service '{wanted}' is not defined in the control file"),
    }
}

/// Notes each circle at the name that closes it. Without recursion: a chain may be as long as the configuration.
fn circles(
    services: &[&Service],
    edges: &[Vec<(usize, &Prerequisite)>],
    mistakes: &mut Vec<Mistake>,
    dialect: Dialect,
) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        OnTheWay,
        Done,
    }
    let mut seen = vec![Seen::Not; services.len()];
    for first in 0..services.len() {
        if seen[first] != Seen::Not {
            continue;
        }
        // The way here, each with how many of its prerequisites have been followed.
        let mut way = vec![(first, 0)];
        seen[first] = Seen::OnTheWay;
        while let Some((at, followed)) = way.last_mut() {
            let Some((next, wanted)) = edges[*at].get(*followed) else {
                seen[*at] = Seen::Done;
                way.pop();
                continue;
            };
            *followed += 1;
            match seen[*next] {
                Seen::Done => {}
                Seen::Not => {
                    seen[*next] = Seen::OnTheWay;
                    way.push((*next, 0));
                }
                Seen::OnTheWay => {
                    let circle = way.iter().map(|(at, _)| *at).skip_while(|at| at != next).chain([*next]);
                    let path: Vec<&str> = circle.map(|at| services[at].name.as_str()).collect();
                    let way = format!("{} depends on itself: {}", path[0], path.join(" -> "));
                    let help = "nothing could be started first; take one of these dependencies out";
                    let mistake = match dialect {
                        Dialect::Toml => Mistake::error(wanted.place.clone(), way).help(help),
                        Dialect::Monit => {
                            let name = path[0];
                            let found = format!(
                                "Found a depend loop in the control file involving the service '{name}'"
                            );
                            Mistake::error(wanted.place.clone(), found).help(format!("{way}; {help}")).late()
                        }
                    };
                    mistakes.push(mistake);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn wrong(services: &[(&str, &[&str])]) -> Vec<String> {
        let mut config = Config::empty(Dialect::Toml, "vm");
        for (name, depends_on) in services {
            let mut service = Service::new(*name, Kind::pidfile("/run/x.pid"));
            service.depends_on = depends_on.iter().map(|name| Prerequisite::from(*name)).collect();
            config.services.push(service.into());
        }
        let shown = |m: Mistake| m.message + "; " + &m.help.unwrap_or_default();
        config.dependencies().into_iter().map(shown).collect()
    }

    #[test]
    fn names_may_come_before_their_services_and_be_written_in_any_case() {
        assert_eq!(wrong(&[("web", &["App", "VM"]), ("app", &["db"]), ("db", &[])]), [] as [String; 0]);
        // Two ways to the same service are no circle.
        assert_eq!(wrong(&[("web", &["a", "b"]), ("a", &["db"]), ("b", &["db"]), ("db", &[])]).len(), 0);
    }

    #[test]
    fn a_circle_is_told_once_with_its_way() {
        let told = wrong(&[("web", &["app"]), ("app", &["db"]), ("db", &["Web"]), ("other", &["web"])]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("web depends on itself: web -> app -> db -> web;"), "{told:?}");
        assert!(wrong(&[("web", &["web"])])[0].starts_with("web depends on itself: web -> web;"));
    }

    #[test]
    fn an_unknown_name_comes_with_the_nearest_known_one() {
        let told = wrong(&[("web", &["databse"]), ("database", &[])]);
        assert_eq!(told, ["web depends on databse, and there is no such service; did you mean database?"]);
    }

    #[test]
    fn a_long_chain_is_no_trouble() {
        let names: Vec<String> = (0..20_000).map(|n| format!("s{n}")).collect();
        let mut config = Config::empty(Dialect::Toml, "vm");
        for (at, name) in names.iter().enumerate() {
            let mut service = Service::new(name, Kind::System);
            service.depends_on = names.get(at + 1).map(|next| next.as_str().into()).into_iter().collect();
            config.services.push(service.into());
        }
        assert_eq!(config.dependencies().len(), 0);
    }
}
