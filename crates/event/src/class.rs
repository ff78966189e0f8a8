use serde::{Deserialize, Serialize};

/// The class of an event, as alert filters, status words and Monit's XML know it.
///
/// Names, bits and texts are an interface that programs parse (Monit 5.33): they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // each variant is the class of that name
#[non_exhaustive]
pub enum Class {
    // In the order in which a status lists them.
    Action,
    ByteIn,
    ByteOut,
    Checksum,
    Connection,
    Content,
    Data,
    Exec,
    FsFlag,
    Gid,
    Heartbeat,
    Icmp,
    Instance,
    Invalid,
    Link,
    NonExist,
    PacketIn,
    PacketOut,
    Permission,
    Pid,
    PPid,
    Resource,
    Saturation,
    Size,
    Speed,
    Status,
    Timeout,
    Timestamp,
    Uid,
    Uptime,
    Exist,
}

impl Class {
    /// All classes, in the order in which a status lists them.
    pub const ALL: [Class; 31] = {
        use Class::*;
        [
            Action, ByteIn, ByteOut, Checksum, Connection, Content, Data, Exec, FsFlag, Gid, Heartbeat, Icmp,
            Instance, Invalid, Link, NonExist, PacketIn, PacketOut, Permission, Pid, PPid, Resource,
            Saturation, Size, Speed, Status, Timeout, Timestamp, Uid, Uptime, Exist,
        ]
    };

    /// The bit of this class in `<status>`, `<status_hint>` and event ids.
    pub fn bit(self) -> u32 {
        self.row().0
    }

    /// The word in an alert filter.
    pub fn filter(self) -> &'static str {
        self.row().1
    }

    /// The text of this class when it failed: in status words and `$EVENT`.
    pub fn failed(self) -> &'static str {
        self.row().2
    }

    /// The text of this class when it holds again.
    pub fn succeeded(self) -> &'static str {
        self.row().3
    }

    /// The text of this class when it changed.
    pub fn changed(self) -> &'static str {
        self.row().4
    }

    fn row(self) -> (u32, &'static str, &'static str, &'static str, &'static str) {
        macro_rules! r {
            ($bit:literal, $filter:literal, $failed:literal, $ok:literal, $changed:literal) => {
                (1 << $bit, $filter, $failed, $ok, $changed)
            };
        }
        match self {
            Class::Checksum => r!(0, "checksum", "Checksum failed", "Checksum succeeded", "Checksum changed"),
            Class::Resource => r!(
                1,
                "resource",
                "Resource limit matched",
                "Resource limit succeeded",
                "Resource limit changed"
            ),
            Class::Timeout => r!(2, "timeout", "Timeout", "Timeout recovery", "Timeout changed"),
            Class::Timestamp => {
                r!(3, "timestamp", "Timestamp failed", "Timestamp succeeded", "Timestamp changed")
            }
            Class::Size => r!(4, "size", "Size failed", "Size succeeded", "Size changed"),
            Class::Connection => {
                r!(5, "connection", "Connection failed", "Connection succeeded", "Connection changed")
            }
            Class::Permission => {
                r!(6, "permission", "Permission failed", "Permission succeeded", "Permission changed")
            }
            Class::Uid => r!(7, "uid", "UID failed", "UID succeeded", "UID changed"),
            Class::Gid => r!(8, "gid", "GID failed", "GID succeeded", "GID changed"),
            Class::NonExist => r!(9, "nonexist", "Does not exist", "Exists", "Existence changed"),
            Class::Invalid => r!(10, "invalid", "Invalid type", "Type succeeded", "Type changed"),
            Class::Data => {
                r!(11, "data", "Data access error", "Data access succeeded", "Data access changed")
            }
            Class::Exec => r!(12, "exec", "Execution failed", "Execution succeeded", "Execution changed"),
            Class::FsFlag => r!(
                13,
                "fsflags",
                "Filesystem flags failed",
                "Filesystem flags succeeded",
                "Filesystem flags changed"
            ),
            Class::Icmp => r!(14, "icmp", "ICMP failed", "ICMP succeeded", "ICMP changed"),
            Class::Content => r!(15, "content", "Content failed", "Content succeeded", "Content match"),
            Class::Instance => r!(
                16,
                "instance",
                "Monit instance failed",
                "Monit instance succeeded",
                "Monit instance changed"
            ),
            Class::Action => r!(17, "action", "Action done", "Action done", "Action done"),
            Class::Pid => r!(18, "pid", "PID failed", "PID succeeded", "PID changed"),
            Class::PPid => r!(19, "ppid", "PPID failed", "PPID succeeded", "PPID changed"),
            Class::Heartbeat => {
                r!(20, "heartbeat", "Heartbeat failed", "Heartbeat succeeded", "Heartbeat changed")
            }
            Class::Status => r!(21, "status", "Status failed", "Status succeeded", "Status changed"),
            Class::Uptime => r!(22, "uptime", "Uptime failed", "Uptime succeeded", "Uptime changed"),
            Class::Link => r!(23, "link", "Link down", "Link up", "Link changed"),
            Class::Speed => r!(24, "speed", "Speed failed", "Speed ok", "Speed changed"),
            Class::Saturation => {
                r!(25, "saturation", "Saturation exceeded", "Saturation ok", "Saturation changed")
            }
            Class::ByteIn => {
                r!(26, "bytein", "Download bytes exceeded", "Download bytes ok", "Download bytes changed")
            }
            Class::ByteOut => {
                r!(27, "byteout", "Upload bytes exceeded", "Upload bytes ok", "Upload bytes changed")
            }
            Class::PacketIn => r!(
                28,
                "packetin",
                "Download packets exceeded",
                "Download packets ok",
                "Download packets changed"
            ),
            Class::PacketOut => {
                r!(29, "packetout", "Upload packets exceeded", "Upload packets ok", "Upload packets changed")
            }
            Class::Exist => r!(30, "exist", "Does exist", "Exists not", "Existence changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_a_bit_of_its_own() {
        let all = Class::ALL.iter().fold(0u32, |sum, c| {
            assert_eq!(sum & c.bit(), 0, "{c:?} shares its bit");
            sum | c.bit()
        });
        assert_eq!(all, 0x7fff_ffff);
    }
}
