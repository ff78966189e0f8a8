use hinoban_supervisor::ServiceView;
use regex_lite::Regex;

/// A name under which there is nothing. Its text is one that programs read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such service.
    #[error("Service '{0}' not found")]
    Service(String),
    /// No such group.
    #[error("Service group '{0}' not found")]
    Group(String),
}

/// The services that `name` means, in the order of the configuration.
///
/// A name that a service has, upper and lower case being the same, means that service. Anything else is a regular
/// expression without case, which must match all of a name unless it holds `^` or `$`.
pub fn matching<'a>(services: &'a [ServiceView], name: &str) -> Vec<&'a ServiceView> {
    let same = |view: &&ServiceView| view.name.to_lowercase() == name.to_lowercase();
    if let Some(view) = services.iter().find(same) {
        // Monit also takes the name of an existing service as a pattern, and so restarts `axb` along with `a.b`.
        return vec![view];
    }
    let pattern = if name.contains(['^', '$']) { format!("(?i){name}") } else { format!("(?i)^{name}$") };
    match Regex::new(&pattern) {
        Ok(pattern) => services.iter().filter(|view| pattern.is_match(&view.name)).collect(),
        Err(_) => Vec::new(),
    }
}

/// The services that a request is about: the members of `group` if one is given, else those that any of `names`
/// means, else all.
///
/// # Errors
/// A group nobody is in, a name that means nothing.
pub fn select<'a>(
    services: &'a [ServiceView],
    names: &[&str],
    group: Option<&str>,
) -> Result<Vec<&'a ServiceView>, Missing> {
    if let Some(group) = group.filter(|group| !group.is_empty()) {
        let members: Vec<_> = services.iter().filter(|view| in_group(view, group)).collect();
        return if members.is_empty() { Err(Missing::Group(group.to_owned())) } else { Ok(members) };
    }
    if names.is_empty() {
        return Ok(services.iter().collect());
    }
    let mut chosen = vec![false; services.len()];
    for name in names {
        let found = matching(services, name);
        if found.is_empty() {
            return Err(Missing::Service((*name).to_owned()));
        }
        for (chosen, view) in chosen.iter_mut().zip(services) {
            *chosen |= found.iter().any(|f| std::ptr::eq(*f, view));
        }
    }
    Ok(services.iter().zip(chosen).filter_map(|(view, chosen)| chosen.then_some(view)).collect())
}

pub(crate) fn in_group(view: &ServiceView, group: &str) -> bool {
    view.groups.iter().any(|g| g.to_lowercase() == group.to_lowercase())
}
