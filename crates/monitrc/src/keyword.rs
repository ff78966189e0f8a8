//! The reserved words. Monit 5.33 reserves every one of them everywhere, whatever the statement; spellings that mean
//! the same share a variant, and the words of rules that are read only to be named share one each group.

macro_rules! keywords {
    ($($name:ident: $($text:literal)+;)*) => {
        /// A reserved word, by meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Keyword { $($name),* }

        /// Every spelling, in lower case.
        const SPELLINGS: &[(&str, Keyword)] = &[$($(($text, Keyword::$name)),+),*];
    };
}

keywords! {
    // Words that vanish wherever they stand.
    Noise: "is" "as" "are" "for" "via" "on" "only" "with" "within" "without" "program" "programs" "and" "has"
        "using" "use" "the" "to" "sum" "than" "usage" "was" "times" "but" "of" "or" "does" "per" "in" "last" "rate"
        "capacity" "activity" "option" "options";

    If: "if"; Then: "then"; Else: "else"; Not: "not"; Ignore: "ignore";
    Failed: "failed"; Succeeded: "succeeded" "recovered" "passed"; Changed: "changed";
    Exist: "exist" "exists";

    Set: "set"; Daemon: "daemon"; Delay: "delay"; Terminal: "terminal"; Batch: "batch"; Init: "init"; Fips: "fips";
    Log: "log" "logfile"; Syslog: "syslog"; Facility: "facility";
    IdFile: "idfile"; StateFile: "statefile"; PidFile: "pidfile";
    EventQueue: "eventqueue"; BaseDir: "basedir"; Slots: "slot" "slots";
    MailServer: "mailserver"; MailFormat: "mail-format"; Mmonit: "mmonit"; Register: "register";
    Credentials: "credentials"; Alert: "alert"; NoAlert: "noalert"; Reminder: "reminder";
    OnReboot: "onreboot"; NoStart: "nostart"; LastState: "laststate";
    Limits: "limits"; ExpectBuffer: "expectbuffer";
    SendExpectBuffer: "sendexpectbuffer"; HttpContentBuffer: "httpcontentbuffer"; FileContentBuffer: "filecontentbuffer"; ProgramOutput: "programoutput";
    NetworkTimeout: "networktimeout"; ProgramTimeout: "programtimeout"; StopTimeout: "stoptimeout";
    StartTimeout: "starttimeout"; RestartTimeout: "restarttimeout";

    Httpd: "httpd"; Signature: "signature"; ReadOnly: "read-only" "readonly"; Allow: "allow"; Reject: "reject";
    ClearText: "cleartext"; Md5: "md5"; Sha1: "sha1"; Crypt: "crypt";

    Ssl: "ssl" "tls"; Enable: "enable"; Disable: "disable"; Verify: "verify"; SelfSigned: "selfsigned";
    Certificate: "certificate"; Valid: "valid"; Version: "version"; Cipher: "cipher" "ciphers";
    CaFile: "cacertificatefile"; CaPath: "cacertificatepath"; CertMd5: "certmd5";
    PemFile: "pemfile" "pemchain" "pemkey" "clientpemfile"; AllowSelf: "allowselfcertification";
    NewTls: "auto" "sslauto" "tlsv12" "tlsv13"; OldTls: "tlsv1" "tlsv11"; DeadSsl: "sslv2" "sslv3";
    MinusTls: "-sslv2" "-sslv3" "-tlsv1" "-tlsv11" "-tlsv12" "-tlsv13"; RsaKey: "rsakey";

    Address: "address"; Interface: "interface"; Host: "host"; HostName: "hostname"; HostHeader: "hostheader";
    Port: "port" "portnumber"; UnixSocket: "unix" "unixsocket"; Ipv4: "ipv4"; Ipv6: "ipv6"; Type: "type";
    Tcp: "tcp"; TcpSsl: "tcpssl"; Udp: "udp"; Protocol: "protocol" "proto"; Send: "send"; Expect: "expect";
    Retry: "retry"; Timeout: "timeout"; ResponseTime: "responsetime"; Connection: "connection";
    Icmp: "icmp"; Ping: "ping" "ping4" "ping6"; Echo: "echo"; Count: "count"; Size: "size"; Content: "content";
    Url: "url"; Request: "request"; Method: "method"; Get: "get"; Head: "head"; Status: "status";
    Target: "target"; MaxForward: "maxforward"; Username: "username"; Password: "password";
    Database: "database"; Secret: "secret"; Path: "path"; Origin: "origin";
    Default: "default"; Http: "http"; Https: "https"; HttpHeaders: "http headers";
    OtherProtocol: "apache-status" "ftp" "smtp" "smtps" "postfix-policy" "pop" "pops" "imap" "imaps" "clamav" "dns"
        "mysql" "mysqls" "nntp" "ntp3" "ssh" "redis" "mongodb" "fail2ban" "sieve" "spamassassin" "dwp" "ldap2"
        "ldap3" "rdate" "lmtp" "rsync" "tns" "pgsql" "websocket" "mqtt" "sip" "gps" "radius" "memcache";
    ApacheLimit: "loglimit" "closelimit" "dnslimit" "keepalivelimit" "replylimit" "requestlimit" "startlimit"
        "waitlimit" "gracefullimit" "cleanuplimit";

    Start: "start"; Stop: "stop"; Restart: "restart" "restarts"; Exec: "exec" "execute"; Unmonitor: "unmonitor";
    Repeat: "repeat"; Every: "every"; NotEvery: "not every"; Cycle: "cycle" "cycles";
    Mode: "mode"; Active: "active"; Passive: "passive"; Manual: "manual";
    Depends: "depends on"; Group: "group name";

    Pid: "pid"; Ppid: "ppid"; Uid: "uid"; Euid: "euid"; Gid: "gid"; Security: "security";
    Attribute: "attribute" "attributes"; Uptime: "uptime"; Permission: "permission" "perm"; Checksum: "checksum";
    Time: "time" "timestamp" "atime" "ctime" "mtime"; ServiceTime: "servicetime" "service time";
    Cpu: "cpu"; TotalCpu: "totalcpu" "total cpu"; Memory: "mem" "memory"; TotalMemory: "totalmem" "totalmemory";
    CpuUser: "cpu(user)"; CpuSystem: "cpu(system)"; CpuWait: "cpu(wait)"; CpuNice: "cpu(nice)";
    CpuHardIrq: "cpu(hardirq)"; CpuSoftIrq: "cpu(softirq)"; CpuSteal: "cpu(steal)"; CpuGuest: "cpu(guest)";
    CpuGuestNice: "cpu(guestnice)";
    Load1: "loadavg"; Load5: "loadavg(5)"; Load15: "loadavg(15)"; Core: "core"; Swap: "swap";
    Children: "child" "children"; Threads: "thread" "threads"; FileDescriptors: "filedescriptors"; Total: "total";
    Inode: "inode" "inodes"; Space: "space"; Free: "free"; Disk: "disk"; Read: "read"; Write: "write";
    FsFlags: "fsflag" "fsflags"; Link: "link"; Saturation: "saturation"; Speed: "speed"; Up: "up"; Down: "down";
    Upload: "upload" "uploaded"; Download: "download" "downloaded";
    Event: "action" "bytein" "byteout" "data" "instance" "invalid" "nonexist" "nonexists" "packetin" "packetout"
        "resource";

    Byte: "b" "byte" "bytes" "b/s" "byte/s" "bytes/s";
    Kilobyte: "kb" "kilobyte" "kilobytes" "kb/s" "kilobyte/s" "kilobytes/s";
    Megabyte: "mb" "megabyte" "megabytes" "mb/s" "megabyte/s" "megabytes/s";
    Gigabyte: "gb" "gigabyte" "gigabytes" "gb/s" "gigabyte/s" "gigabytes/s";
    Packet: "packet" "packets" "packet/s" "packets/s";
    Operation: "operation" "operations" "operation/s" "operations/s";
    Percent: "percent"; Millisecond: "ms" "millisecond" "milliseconds"; Second: "s" "second" "seconds";
    Minute: "m" "minute" "minutes"; Hour: "h" "hour" "hours"; Day: "day" "days"; Month: "month" "months";

    Greater: ">" "gt" "greater" "more" "older"; GreaterOrEqual: ">=" "ge"; Less: "<" "lt" "less" "newer";
    LessOrEqual: "<=" "le"; Equal: "=" "==" "eq" "equal"; NotEqual: "!=" "ne" "notequal";
    Match: "=~" "match" "matching";
}

/// Slots of the hash table: a power of two, well above the number of spellings.
const SLOTS: usize = 1024;

/// The longest spelling.
const LONGEST: usize = 24;

/// Index into [`SPELLINGS`] plus one; 0 is free. Open addressing.
static TABLE: [u16; SLOTS] = table();

const fn hash(word: &[u8]) -> usize {
    let mut h: u32 = 0x811c_9dc5;
    let mut i = 0;
    while i < word.len() {
        h = (h ^ word[i].to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    (h ^ (h >> 15)) as usize % SLOTS
}

const fn table() -> [u16; SLOTS] {
    let mut table = [0; SLOTS];
    let mut i = 0;
    while i < SPELLINGS.len() {
        let mut slot = hash(SPELLINGS[i].0.as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        i += 1;
        table[slot] = i as u16;
    }
    table
}

impl Keyword {
    /// The keyword spelled so, in any case.
    pub(crate) fn find(word: &[u8]) -> Option<Keyword> {
        if word.len() > LONGEST {
            return None;
        }
        let mut slot = hash(word);
        while let index @ 1.. = TABLE[slot] {
            let (text, keyword) = SPELLINGS[usize::from(index) - 1];
            if text.as_bytes().eq_ignore_ascii_case(word) {
                return Some(keyword);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_in_any_case() {
        for (text, keyword) in SPELLINGS {
            assert!(text.len() <= LONGEST, "{text}");
            assert_eq!(Keyword::find(text.as_bytes()), Some(*keyword), "{text}");
            assert_eq!(Keyword::find(text.to_uppercase().as_bytes()), Some(*keyword), "{text}");
        }
    }

    #[test]
    fn words_that_5_33_does_not_reserve_are_not_found() {
        for word in
            ["hardlink", "sha256", "pagein", "nomatch", "load", "depends", "check", "group", "include", "x"]
        {
            assert_eq!(Keyword::find(word.as_bytes()), None, "{word}");
        }
    }
}
