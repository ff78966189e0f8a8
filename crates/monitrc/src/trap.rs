//! What people commonly fall into: why a word was not understood, if that can be told from the word itself.

use crate::help::Misfit;
use crate::token::Kind;

/// What sort of value should stand there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// A text, of which keywords and numbers are none unless they are quoted.
    string: bool,
    number: bool,
    path: bool,
    url: bool,
    mail: bool,
    protocol: bool,
    /// `then`, or more of what is measured.
    then: bool,
    /// A statement or an option.
    statement: bool,
    action: bool,
    /// What is tested.
    rule: bool,
}

impl Wanted {
    /// What these are: spellings, or texts that begin with an article.
    pub(crate) fn of(expected: &[&str]) -> Self {
        let any = |test: &dyn Fn(&str) -> bool| expected.iter().any(|one| test(one));
        let number = any(&|e| e.contains("number") || e.contains("status"));
        Self {
            string: !number && any(&|e| ["a ", "an ", "the name"].iter().any(|start| e.starts_with(start))),
            number,
            path: any(&|e| e.contains("path")),
            url: any(&|e| e.contains("URL")),
            mail: any(&|e| e.contains("mail address")),
            protocol: any(&|e| e == "ssh") && any(&|e| e == "http"),
            then: any(&|e| e == "then"),
            statement: any(&|e| e == "check" || e == "set"),
            action: any(&|e| e == "unmonitor") && any(&|e| e == "exec"),
            rule: any(&|e| e == "failed") && any(&|e| e == "changed"),
        }
    }
}

/// Names of programs, and of other versions, and the protocol that is meant.
const PROTOCOLS: [(&str, &str); 34] = [
    ("pop3", "pop"),
    ("pop3s", "pops"),
    ("imap4", "imap"),
    ("dropbear", "ssh"),
    ("sshd", "ssh"),
    ("openssh", "ssh"),
    ("sftp", "ssh"),
    ("mariadb", "mysql"),
    ("mysqld", "mysql"),
    ("postgres", "pgsql"),
    ("postgresql", "pgsql"),
    ("ldap", "ldap3"),
    ("ldaps", "ldap3"),
    ("ntp", "ntp3"),
    ("memcached", "memcache"),
    ("mongo", "mongodb"),
    ("mongod", "mongodb"),
    ("apache", "http"),
    ("apache2", "http"),
    ("nginx", "http"),
    ("named", "dns"),
    ("bind", "dns"),
    ("domain", "dns"),
    ("unbound", "dns"),
    ("clamd", "clamav"),
    ("spamd", "spamassassin"),
    ("postfix", "smtp"),
    ("esmtp", "smtp"),
    ("ws", "websocket"),
    ("mosquitto", "mqtt"),
    ("gpsd", "gps"),
    ("oracle", "tns"),
    ("managesieve", "sieve"),
    ("redis-server", "redis"),
];

const TYPOGRAPHIC: [char; 6] = ['“', '”', '„', '‘', '’', '«'];

const PLACEHOLDER: &str = "this looks like a placeholder that nobody filled in";

/// Why it does not fit; `None` if nothing is known of it.
pub(crate) fn find(misfit: Misfit<'_>, wanted: &Wanted) -> Option<String> {
    let Misfit { kind, raw, before, .. } = misfit;
    if raw.starts_with('\u{feff}') {
        return Some("the file begins with a byte order mark; save it without one".to_owned());
    }
    if raw.contains(TYPOGRAPHIC) || before.contains(['“', '”', '„']) {
        return Some("these are typographic quotes; write \" instead".to_owned());
    }
    if is_placeholder(misfit) {
        return Some(PLACEHOLDER.to_owned());
    }
    if wanted.protocol
        && let Some((_, meant)) = PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(raw))
    {
        return Some(format!("there is no protocol '{raw}'; did you mean '{meant}'?"));
    }
    if wanted.protocol {
        match raw.to_ascii_lowercase().as_str() {
            "ssl" | "tls" => return Some("TLS is no protocol but an option: with ssl".to_owned()),
            "tcp" | "udp" => {
                return Some(format!(
                    "'{raw}' is what it is carried by, written as type {raw}; leave 'protocol' out to be content with a connection"
                ));
            }
            _ => {}
        }
    }
    if wanted.protocol && kind == Kind::Word {
        return Some(format!(
            "there is no protocol '{raw}'; without 'protocol' it is enough that a connection is accepted"
        ));
    }
    if matches!(kind, Kind::Check(_)) && before.trim().is_empty() {
        return Some("the statement above is not complete".to_owned());
    }
    if let Some(said) = order(misfit, wanted) {
        return Some(said);
    }
    number(misfit, wanted).or_else(|| operator(misfit)).or_else(|| unit(misfit, wanted)).or_else(|| {
        let found = place(misfit, wanted);
        found.or_else(|| value(misfit, wanted))
    })
}

/// Whether a word by itself is something to be filled in: in brackets, or all capitals.
pub(crate) fn is_blank(word: &str) -> bool {
    word.starts_with(['<', '$', '[']) || word.contains('$') || is_shouted(word)
}

fn is_shouted(word: &str) -> bool {
    let capital = |b: u8| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit();
    let letters = word.bytes().filter(u8::is_ascii_uppercase).count();
    word.len() > 3 && letters > 2 && word.bytes().all(capital)
}

/// `<…>`, `{{ … }}`, `${…}`, `$VAR`, `%%X%%`, `@X@`, `PORT_NUMBER`, `USERNAME`.
fn is_placeholder(misfit: Misfit<'_>) -> bool {
    let Misfit { kind, raw, before, after } = misfit;
    let word = kind == Kind::Word;
    let first = raw.chars().next().unwrap_or(' ');
    match kind {
        Kind::Open => {
            return before.ends_with(['$', '{', '#', '%', '/', '=', '-', '_', '.']) || !after.contains(':');
        }
        Kind::Percent => return before.ends_with('%') || after.starts_with('%') || after.starts_with('{'),
        Kind::At => return after.contains('@'),
        _ => {}
    }
    if !word && kind != Kind::Path {
        return false;
    }
    let braced = after.starts_with('{') && first == '$' || after.starts_with("%%");
    let marked = matches!(first, '<' | '$' | '[') && raw.len() > 2 && !raw.starts_with("<=");
    let closed = raw.ends_with('>') && raw.contains('<') || raw.contains("$") && !raw.starts_with("$HOST");
    let spoken =
        word && ["your", "yourhost", "yourdomain", "changeme"].contains(&raw.to_lowercase().as_str());
    braced || marked || closed || (word && is_shouted(raw)) || spoken
}

/// Words that stand in the wrong order, or in place of others.
fn order(misfit: Misfit<'_>, wanted: &Wanted) -> Option<String> {
    let Misfit { raw, before, after, .. } = misfit;
    let word = raw.to_ascii_lowercase();
    let before = before.to_ascii_lowercase();
    let mut back = before.split_whitespace().rev();
    let (last, other) = (back.next().unwrap_or_default(), back.next().unwrap_or_default());
    let next = after.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    if wanted.statement && last.is_empty() && (word.starts_with("//") || word.starts_with("--")) {
        return Some("a comment begins with #".to_owned());
    }
    if wanted.then && ["alert", "restart", "start", "stop", "exec", "unmonitor"].contains(&word.as_str()) {
        return Some(match last {
            "than" => format!("'than' only makes it read well: write then {word}"),
            _ => format!("an action stands behind 'then': then {word}"),
        });
    }
    if wanted.rule && ["failed", "changed", "succeeded"].contains(&next.as_str()) {
        return Some(format!("it is the other way round: {next} {word}"));
    }
    if before.contains("then") && other == "and" && ["start", "stop", "restart"].contains(&last) {
        return Some(format!("a rule has one action: this '{last}' begins a statement of the service"));
    }
    if wanted.number
        && last == "is"
        && let Some(near) = crate::help::nearest(&word, &["greater", "less", "equal", "notequal"])
    {
        return Some(format!("did you mean '{near}'?"));
    }
    if word.ends_with("min") && before.trim_end().ends_with('(') && before.contains("loadavg") {
        return Some("the load is that of 1min, 5min or 15min".to_owned());
    }
    None
}

/// Numbers with something glued to them, and numbers in quotes.
fn number(misfit: Misfit<'_>, wanted: &Wanted) -> Option<String> {
    let Misfit { kind, raw, .. } = misfit;
    let digits = raw.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = raw.split_at(digits);
    if kind == Kind::Word && digits > 0 {
        if rest.starts_with('#') {
            return Some("a comment begins after a blank: here the # is part of the word".to_owned());
        }
        if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Some(format!("write a blank between number and unit: {number} {rest}"));
        }
    }
    let inner = raw.trim_matches(['"', '\'']);
    match kind {
        Kind::Number if wanted.string => Some(format!("as a text this goes into quotes: \"{raw}\"")),
        Kind::Real if wanted.number => Some("this has to be a whole number".to_owned()),
        Kind::Quoted if wanted.number && !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()) => {
            Some(format!("numbers have no quotes: {inner}"))
        }
        _ => None,
    }
}

/// Operators that are none, and operators without blanks around them.
fn operator(misfit: Misfit<'_>) -> Option<String> {
    let Misfit { kind, raw, .. } = misfit;
    if kind != Kind::Word {
        return None;
    }
    let meant = match raw {
        "=>" => ">=",
        "=<" => "<=",
        "<>" | "=!" | "!==" => "!=",
        "===" => "==",
        _ if raw.len() > 1 && raw.contains(['<', '>', '=']) => {
            return Some("an operator has blanks on both sides".to_owned());
        }
        _ => return None,
    };
    Some(format!("there is no operator {raw}; write {meant}"))
}

/// Units that this language does not have.
fn unit(misfit: Misfit<'_>, wanted: &Wanted) -> Option<String> {
    let numbered = misfit.before.trim_end().ends_with(|c: char| c.is_ascii_digit());
    if !numbered || !(wanted.then || wanted.statement) {
        return None;
    }
    let meant = match misfit.raw {
        "k" | "K" | "Ki" | "KiB" | "kbyte" | "Kbyte" => "KB",
        "M" | "Mi" | "MiB" | "mbyte" | "Mbyte" => "MB",
        "g" | "G" | "Gi" | "GiB" | "gbyte" | "Gbyte" => "GB",
        "t" | "T" | "TB" | "tb" | "TiB" => return Some("the largest unit is GB: 1 TB is 1024 GB".to_owned()),
        "d" => "days",
        "week" | "weeks" | "w" => return Some("there are no weeks: write 7 days".to_owned()),
        "min" | "mins" => "minutes",
        "sec" | "secs" => "seconds",
        "hr" | "hrs" => "hours",
        _ => return None,
    };
    Some(format!("'{}' is no unit here; write {meant}", misfit.raw))
}

/// What is right elsewhere.
fn place(misfit: Misfit<'_>, wanted: &Wanted) -> Option<String> {
    let Misfit { kind, raw, before, .. } = misfit;
    let word = raw.to_ascii_lowercase();
    if wanted.action && ["email", "mail", "notify", "log", "warn"].contains(&word.as_str()) {
        return Some("whom 'set alert' names is told of everything: write alert".to_owned());
    }
    if wanted.mail && before.to_ascii_lowercase().contains("then") {
        return Some("a rule has one action, and every action alerts; this 'alert' can go".to_owned());
    }
    if !wanted.statement {
        return None;
    }
    if kind == Kind::Mail {
        return Some(
            "an action takes no address: 'set alert' says who is told, or 'alert ADDRESS' before the rules"
                .to_owned(),
        );
    }
    if kind == Kind::Word && before.trim_start().to_ascii_lowercase().starts_with("depend") {
        return Some("names behind 'depends on' are separated by commas".to_owned());
    }
    let said = match word.as_str() {
        "user" => format!(
            "whom to run a program as stands behind it: start program = \"…\" as uid {}",
            misfit.after.trim()
        ),
        "uid" | "gid" => {
            format!("'{word}' stands directly behind the command, or in a test: if failed {word} …")
        }
        "timeout" => {
            "'timeout' stands behind a command or a test: start program = \"…\" with timeout 60 seconds"
                .to_owned()
        }
        "port" | "protocol" | "url" => {
            format!("a test begins with 'if failed': if failed {word} … then alert")
        }
        "pidfile" => {
            "the pidfile stands behind the name: check process NAME with pidfile /run/NAME.pid".to_owned()
        }
        "then" => "a rule has one 'then'".to_owned(),
        _ => return None,
    };
    Some(said)
}

/// Values that are something else to the lexer.
fn value(misfit: Misfit<'_>, wanted: &Wanted) -> Option<String> {
    let Misfit { kind, raw, before, .. } = misfit;
    let shouted = raw.len() > 4 && raw.bytes().all(|b| b.is_ascii_uppercase());
    match kind {
        Kind::Key(_) if wanted.string && shouted => Some(format!(
            "{PLACEHOLDER}, and a word of this language; if it is the value, it goes into quotes: \"{raw}\""
        )),
        Kind::Key(_) if wanted.string && !wanted.path && !wanted.url && !wanted.mail => {
            Some(format!("'{raw}' is a word of this language; as a value it goes into quotes: \"{raw}\""))
        }
        Kind::Mail if wanted.path && raw.starts_with('/') => {
            Some(format!("a path that holds an @ goes into quotes: \"{raw}\""))
        }
        Kind::Quoted if wanted.url => Some("an address of the web stands without quotes".to_owned()),
        Kind::Word if wanted.path && raw.starts_with('~') => {
            Some("~ is no folder here: a path begins with /".to_owned())
        }
        Kind::Word | Kind::Quoted if wanted.path => Some("a path begins with /".to_owned()),
        Kind::Path if wanted.string => Some("this begins with / and so is a path".to_owned()),
        Kind::Mail if wanted.string => Some("an @ makes this a mail address; put it into quotes".to_owned()),
        Kind::Colon | Kind::Percent | Kind::At if glued_to_path(before) => {
            Some("a path ends here; one that holds such a character goes into quotes".to_owned())
        }
        Kind::Word | Kind::Key(_)
            if before.ends_with([',', '(', ')', ';']) && glued_to_path(&before[..before.len() - 1]) =>
        {
            Some(
                "a path ends at a comma and at a parenthesis; one that holds such goes into quotes"
                    .to_owned(),
            )
        }
        Kind::Stray if raw == "!" => {
            Some("a ! ends a word; a text that holds one goes into quotes".to_owned())
        }
        Kind::Colon => Some("a colon ends a word; a text that holds one goes into quotes".to_owned()),
        _ => None,
    }
}

/// Whether a path without quotes ends this text.
fn glued_to_path(before: &str) -> bool {
    before.rsplit([' ', '\t']).next().is_some_and(|word| word.starts_with('/') && word.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::help::explain;

    fn told(kind: Kind, before: &str, raw: &str, after: &str, expected: &[&str]) -> String {
        explain(Misfit { kind, raw, before, after }, expected)
    }

    #[test]
    fn placeholders_are_known_by_their_looks() {
        for (kind, before, raw, after) in [
            (Kind::Word, "set alert ", "<address>", ""),
            (Kind::Open, "address ", "{", "{ host }}"),
            (Kind::Open, "address $", "{", "HOST}"),
            (Kind::Word, "path ", "$shared_path$/x", ""),
            (Kind::Path, "path ", "/home/$USER/x", ""),
            (Kind::Percent, "port ", "%", "%PORT%%"),
            (Kind::Word, "port ", "PORT_NUMBER", ""),
            (Kind::Word, "username ", "USERNAME", ""),
        ] {
            assert!(told(kind, before, raw, after, &["x"]).contains("placeholder"), "{raw}");
        }
        for raw in ["TTL", "B", "nginx", "<=", "Debian"] {
            assert!(!told(Kind::Word, "", raw, "", &["x"]).contains("placeholder"), "{raw}");
        }
    }

    #[test]
    fn a_protocol_is_named_for_its_program() {
        let protocols = ["http", "ssh", "pop", "ldap3"];
        for (raw, want) in [("pop3", "'pop'"), ("dropbear", "'ssh'"), ("LDAP", "'ldap3'")] {
            assert!(told(Kind::Word, "protocol ", raw, "", &protocols).contains(want), "{raw}");
        }
        assert!(told(Kind::Word, "protocol ", "amqp", "", &protocols).contains("a connection is accepted"));
    }

    #[test]
    fn units_and_operators_that_are_none_come_with_those_that_are() {
        assert!(told(Kind::Word, "if mem > 10 ", "G", "", &["then"]).contains("write GB"));
        assert!(told(Kind::Word, "if mem > ", "10mb", "", &["a number"]).contains("10 mb"));
        assert!(told(Kind::Word, "if mem ", "=>", "", &["a number"]).contains(">="));
        assert!(!told(Kind::Word, "if mem ", "G", "", &["then"]).contains("write GB"), "no number before it");
    }

    #[test]
    fn words_in_the_wrong_order_are_put_right() {
        let key = Kind::Word;
        let rate = ["then", "for N cycles"];
        assert!(told(key, "if failed link than ", "alert", "", &rate).contains("write then alert"));
        assert!(
            told(key, "if cpu > 5% for 5 cycles ", "alert", "", &rate).contains("behind 'then': then alert")
        );
        let rules = ["failed", "changed", "size"];
        assert!(told(key, "  if ", "checksum", " failed then alert", &rules).contains("failed checksum"));
        assert!(!told(key, "  if ", "chksum", " > 5 then alert", &rules).contains("other way"));
        let command = ["a command in double quotes"];
        assert!(
            told(Kind::End, "  if failed port 22 then alert and restart", "", "", &command)
                .contains("one action")
        );
        assert!(!told(key, "  restart ", "x", "", &command).contains("one action"));
        assert!(
            told(key, "if loadavg (", "2min", ") > 4 then alert", &["a number"]).contains("5min or 15min")
        );
        assert!(told(key, "if cpu is ", "greter", " than 5%", &["a number"]).contains("'greater'"));
        assert!(told(key, "", "//", " text", &["set", "check"]).contains("a comment begins with #"));
    }

    #[test]
    fn a_path_that_was_cut_is_known_by_what_it_hangs_on() {
        assert!(told(Kind::Colon, "path /tmp/a", ":", "b", &["if"]).contains("a path ends here"));
        assert!(told(Kind::Word, "path /tmp/a,", "bc", "", &["if", "check"]).contains("comma"));
    }
}
