use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Confidence, Source, Unit, Value};

/// Who sent SIGKILL, as far as the kernel tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Killer {
    /// The kernel, because memory ran out.
    Memory(OutOfMemory),
    /// Not the kernel for want of memory. A person, a service manager whose patience was over, a program such as
    /// systemd-oomd, a limit on processor time, or the end of a container: the kernel does not say which.
    Other,
}

/// That memory ran out, and for whom. Facts: `mm/oom_kill.c` and `mm/memcontrol.c` of Linux 4.19 to 6.18.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfMemory {
    /// What was used up.
    pub reached: Reached,
    /// Memory of its own that the process had when it was killed, in bytes (`anon-rss`). Without the kernel's log nobody
    /// knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// Who told.
    pub source: Source,
    /// How sure that is.
    pub confidence: Confidence,
}

/// The memory that was used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reached {
    /// What a control group may use.
    Group {
        /// The group with the limit, from the root of its hierarchy: `/system.slice/httpd.service`.
        path: String,
        /// Its limit in bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
    /// What some control group may use, the process's own or one around it. The kernel leaves out which when it has told
    /// of ten within five seconds.
    SomeGroup,
    /// All that the host has.
    Host,
    /// The memory nodes that the process may use: of its cpuset, or by its own policy.
    Nodes,
    /// It was not told.
    Unknown,
}

impl fmt::Display for OutOfMemory {
    /// Finishes the sentence "the process was killed by the kernel …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reached {
            Reached::Group { path, limit: Some(limit) } => {
                write!(f, "because the memory limit of {path} ({}) was reached", Size(*limit))
            }
            Reached::Group { path, limit: None } => {
                write!(f, "because the memory limit of {path} was reached")
            }
            Reached::SomeGroup => f.write_str("because the memory limit of its control group was reached"),
            Reached::Host => f.write_str("because the host ran out of memory"),
            Reached::Nodes => f.write_str("because the memory nodes that it may use were full"),
            Reached::Unknown => f.write_str("because memory ran out"),
        }?;
        match self.used {
            Some(used) => write!(f, "; it used {}", Size(used)),
            None => Ok(()),
        }
    }
}

/// Bytes for people.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Unit::Bytes.show(&Value::Real(self.0 as f64)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ending, How, Identity};

    fn killed(killer: Option<Killer>) -> Ending {
        let how = How::Signalled { signal: 9, core: false };
        let ending = Ending::certain(Identity { pid: 7, start: 1 }, how, Source::Pidfd);
        Ending { killer: killer.map(Box::new), ..ending }
    }

    fn memory(reached: Reached, used: Option<u64>, source: Source, confidence: Confidence) -> Ending {
        killed(Some(Killer::Memory(OutOfMemory { reached, used, source, confidence })))
    }

    #[test]
    fn who_killed_it_is_part_of_the_story() {
        let group = |limit| Reached::Group { path: "/system.slice/x".to_owned(), limit };
        let (log, counter) = (Source::KernelLog, Source::GroupCounter);
        let (sure, guessed) = (Confidence::Certain, Confidence::Inferred);
        let table = [
            (killed(None), "was killed by signal 9 (SIGKILL)"),
            (
                memory(group(Some(32 << 20)), Some(31 << 20), log, sure),
                "was killed by the kernel because the memory limit of /system.slice/x (32 MiB) was reached; it used \
                 31 MiB",
            ),
            (
                memory(Reached::Host, Some(3 << 30), log, sure),
                "was killed by the kernel because the host ran out of memory; it used 3 GiB",
            ),
            (
                memory(group(None), None, counter, guessed),
                "was killed by signal 9 (SIGKILL), probably by the kernel because the memory limit of \
                 /system.slice/x was reached",
            ),
            (
                killed(Some(Killer::Other)),
                "was killed by signal 9 (SIGKILL), and not because the kernel ran out of memory",
            ),
        ];
        for (ending, text) in table {
            assert_eq!(ending.to_string(), format!("PID 7 {text}"));
        }
    }

    #[test]
    fn each_answer_names_its_source() {
        assert_eq!(killed(None).known_from(), "pidfd, certain");
        assert_eq!(
            memory(Reached::Host, None, Source::HostCounter, Confidence::Inferred).known_from(),
            "pidfd, certain; who killed it: host counter, inferred"
        );
    }

    #[test]
    fn what_an_older_build_wrote_is_read_and_what_is_new_goes_both_ways() {
        let old = r#"{"identity":{"pid":7,"start":1},"how":{"Signalled":{"signal":9,"core":false}},
                      "source":"Pidfd","confidence":"Certain"}"#;
        assert_eq!(serde_json::from_str::<Ending>(old).unwrap(), killed(None));
        assert!(!serde_json::to_string(&killed(None)).unwrap().contains("killer"));
        let group = Reached::Group { path: "/x".to_owned(), limit: None };
        for new in [
            killed(Some(Killer::Other)),
            memory(group, Some(1), Source::KernelLog, Confidence::Certain),
            memory(Reached::Nodes, None, Source::HostCounter, Confidence::Inferred),
        ] {
            let json = serde_json::to_string(&new).unwrap();
            assert_eq!(serde_json::from_str::<Ending>(&json).unwrap(), new);
        }
    }
}
