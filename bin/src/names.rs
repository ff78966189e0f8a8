//! Names that this host goes by, as far as its own files say: nobody is asked over a network.

use hinoban::config::{Config, Surroundings};

use crate::surroundings::World;

/// The names of this host beside what uname(2) says: that of its service, those in hosts(5), and those that
/// resolv.conf(5) makes by adding a domain.
pub(crate) fn of(config: &Config) -> Vec<String> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut names = given(&World.host_name(), &read("/etc/hosts"), &read("/etc/resolv.conf"));
    names.extend(config.system().map(|system| system.name.clone()));
    names
}

fn given(node: &str, hosts: &str, resolver: &str) -> Vec<String> {
    let words = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>()
    };
    let node = node.to_lowercase();
    let mut names = vec![format!("{node}.local")];
    for line in hosts.lines() {
        let line = words(line);
        if line.iter().skip(1).any(|name| *name == node) {
            names.extend(line.into_iter().skip(1));
        }
    }
    for line in resolver.lines() {
        if let [key, domains @ ..] = words(line).as_slice()
            && matches!(key.as_str(), "search" | "domain")
        {
            names.extend(domains.iter().filter(|d| *d != ".").map(|domain| format!("{node}.{domain}")));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::given;

    #[test]
    fn the_files_of_a_host_know_its_names() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1\tTower.example.com tower www # main\n192.0.2.1 other\n";
        let names = given("tower", hosts, "nameserver 192.0.2.53\nsearch lan. example.net .\n");
        assert_eq!(
            names,
            ["tower.local", "tower.example.com", "tower", "www", "tower.lan.", "tower.example.net"]
        );
    }
}
