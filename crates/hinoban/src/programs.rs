//! Programs that look: the probe's side of them meets the one that runs them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_action::ActionError;
use hinoban_actions::program::{Check, CheckOptions};
use hinoban_actions::{Spawner, groups_of};
use hinoban_config::{Kind, Program, Service, Speech};
use hinoban_probes::ProgramProbe;
use hinoban_probes::program::{self, Ran, Run, Unrun};

/// The probe of a service that is a program; `None` of any other.
pub(crate) fn probe(service: &Service, spawner: &Arc<Spawner>) -> Option<ProgramProbe> {
    let Kind::Program { program, speech } = &service.kind else { return None };
    let options = CheckOptions {
        words: program.words.clone(),
        uid: program.uid,
        gid: program.gid,
        groups: groups(program),
        service: service.name.clone(),
        output: usize::try_from(service.buffer).unwrap_or(usize::MAX),
        timeout: program.timeout,
    };
    let most = options.output;
    let runs = Runs { check: Check::new(options, spawner.clone()), timeout: program.timeout };
    let speech = match speech {
        Speech::Plain => program::Speech::Plain,
        Speech::Nagios => program::Speech::Nagios,
        Speech::Json => program::Speech::Json,
    };
    Some(ProgramProbe::new(Arc::new(runs), speech, most))
}

/// A user's own supplementary groups, as a login would give. Where they are not known there are none: never ours.
pub(crate) fn groups(program: &Program) -> Option<Vec<u32>> {
    let known = |uid| groups_of(uid, program.gid).map(|(_, groups)| groups);
    program.uid.map(|uid| known(uid).unwrap_or_default())
}

#[derive(Debug)]
struct Runs {
    check: Check,
    timeout: Duration,
}

#[async_trait]
impl Run for Runs {
    async fn run(&self) -> Result<Ran, Unrun> {
        let ran = self.check.run().await.map_err(|error| match error {
            ActionError::NotRunnable(why) => Unrun::NotRunnable(why),
            other => Unrun::Failed(other.to_string()),
        })?;
        Ok(Ran {
            how: ran.how,
            overdue: ran.overdue.then_some(self.timeout),
            out: ran.out,
            errors: ran.errors,
            cut: ran.cut,
            took: ran.took,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_known_groups_has_none_of_ours() {
        let program = |uid| Program {
            words: vec!["/bin/true".to_owned()],
            uid,
            gid: None,
            timeout: Duration::from_secs(1),
        };
        assert_eq!(groups(&program(Some(4_000_000_000))), Some(Vec::new()));
        assert_eq!(groups(&program(None)), None);
    }
}
