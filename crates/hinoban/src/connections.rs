//! Tests of the configuration as probes.

use hinoban_config as config;
use hinoban_probe::Probe;
use hinoban_probes::digest::{Digest, Function};
use hinoban_probes::{PingProbe, PortProbe, UnixProbe, UrlProbe, ping, port, unix};
use hinoban_protocols::http;
use hinoban_protocols::spoken::{Login, Sip, Spoken, Websocket};
use hinoban_protocols::talk::{Matcher, Step};
use hinoban_supervisor::Made;

pub(crate) fn test(test: &config::Test) -> Option<Made> {
    match test {
        config::Test::Port(test) => Some(boxed(PortProbe::new(port_options(test)))),
        config::Test::Unix(test) => {
            let mut options = unix::Options::new(test.path.clone());
            options.transport = transport(test.transport);
            options.protocol = protocol(&test.protocol, "localhost", false);
            options.timeout = test.timeout;
            options.attempts = test.retry;
            Some(boxed(UnixProbe::new(options)))
        }
        config::Test::Ping(test) => {
            let mut options = ping::Options::new(test.host.clone());
            options.family = family(test.family);
            options.count = test.count;
            options.size = test.size;
            options.source = test.source;
            options.timeout = test.timeout;
            Some(Ok(Box::new(PingProbe::new(options))))
        }
        config::Test::Url(test) => {
            let made = UrlProbe::new(&test.url, &tls(&test.tls), test.timeout, test.retry);
            Some(boxed(made.map(|mut probe| {
                if let Some(wanted) = test.status {
                    probe = probe.expecting(status(wanted));
                }
                match &test.content {
                    Some(content) => probe.holding(body(content)),
                    None => probe,
                }
            })))
        }
        _ => None,
    }
}

fn boxed<P: Probe + 'static, E: ToString>(probe: Result<P, E>) -> Made {
    probe.map(|p| Box::new(p) as Box<dyn Probe>).map_err(|e| e.to_string())
}

fn port_options(test: &config::PortTest) -> port::Options {
    let mut options = port::Options::new(test.host.clone(), test.port);
    options.family = family(test.family);
    options.transport = match &test.protocol {
        // Nothing else speaks it.
        config::Protocol::Plain(config::Plain::Ntp3) => port::Transport::Udp,
        _ => transport(test.transport),
    };
    options.source = test.source;
    options.starttls = test.starttls;
    options.protocol = protocol(&test.protocol, &test.host, test.tls.is_some());
    options.tls = test.tls.as_ref().map(tls);
    options.timeout = test.timeout;
    options.attempts = test.retry;
    options
}

fn family(family: config::Family) -> port::Family {
    match family {
        config::Family::Any => port::Family::Any,
        config::Family::V4 => port::Family::V4,
        config::Family::V6 => port::Family::V6,
    }
}

fn transport(transport: config::Transport) -> port::Transport {
    match transport {
        config::Transport::Tcp => port::Transport::Tcp,
        config::Transport::Udp => port::Transport::Udp,
    }
}

/// What is said; nothing where nobody here speaks it, which the configuration warns of.
fn protocol(protocol: &config::Protocol, host: &str, tls: bool) -> port::Protocol {
    match protocol {
        config::Protocol::Http(test) => port::Protocol::Http(http(test)),
        config::Protocol::Generic(steps) => port::Protocol::Generic(steps.iter().map(step).collect()),
        config::Protocol::ApacheStatus(apache) => port::Protocol::Http(apache_status(apache)),
        config::Protocol::Smtp { login } => port::Protocol::Spoken(Spoken::Smtp(login.as_ref().map(named))),
        config::Protocol::Mqtt { login } => port::Protocol::Spoken(Spoken::Mqtt(login.as_ref().map(named))),
        config::Protocol::Sip { target, max_forward } => port::Protocol::Spoken(Spoken::Sip(Box::new(Sip {
            target: target.clone().unwrap_or_else(|| "monit@foo.bar".to_owned()),
            max_forward: max_forward.unwrap_or(70),
            tls,
        }))),
        config::Protocol::Websocket(socket) => {
            let or = |own: &Option<String>, usual: &str| own.clone().unwrap_or_else(|| usual.to_owned());
            port::Protocol::Spoken(Spoken::Websocket(Box::new(Websocket {
                request: or(&socket.request, "/"),
                host: or(&socket.host, host),
                origin: or(&socket.origin, "http://www.mmonit.com"),
                version: socket.version.unwrap_or(13),
            })))
        }
        config::Protocol::Mysql { .. } => port::Protocol::Spoken(Spoken::Mysql),
        config::Protocol::Pgsql { login: None, database: None } => port::Protocol::Spoken(Spoken::Pgsql),
        config::Protocol::Plain(plain) => {
            plainly(*plain).map_or(port::Protocol::Default, port::Protocol::Spoken)
        }
        _ => port::Protocol::Default,
    }
}

fn named((user, password): &(String, config::Secret)) -> Login {
    Login { user: user.clone(), password: password.reveal().to_owned() }
}

/// The scoreboard of mod_status, whose limits are judged one by one: what is true of one is a failure.
fn apache_status(apache: &config::ApacheStatus) -> port::Http {
    let mut http = port::Http::default();
    http.target = format!("{}?auto", apache.path.as_deref().unwrap_or("/server-status"));
    http.status = port::StatusTest(port::Comparison::Equal, 200);
    http.credentials = apache.login.as_ref().map(|(user, password)| http::Credentials {
        username: user.clone(),
        password: password.reveal().to_owned(),
    });
    let limits = apache.limits.clone();
    http.verdict = Some(port::Verdict::new(move |body| {
        let Some(board) = body.lines().find_map(|line| line.strip_prefix("Scoreboard: ")) else {
            return Err("APACHE-STATUS error: no scoreboard found".to_owned());
        };
        let workers = board.trim_end().len();
        for (state, operator, limit) in limits.iter().filter(|limit| limit.2 > 0 && workers > 0) {
            let (letter, word) = letter(*state);
            let part = 100 * board.matches(letter).count() / workers;
            if operator.holds(part, usize::from(*limit)) {
                return Err(format!("APACHE-STATUS error: {part}% of the workers {word}"));
            }
        }
        Ok(())
    }));
    http
}

/// The letter of a state on the scoreboard, and what such a worker does.
fn letter(state: config::Scoreboard) -> (char, &'static str) {
    use config::Scoreboard;
    match state {
        Scoreboard::Log => ('L', "write the log"),
        Scoreboard::Close => ('C', "close connections"),
        Scoreboard::Dns => ('D', "look names up"),
        Scoreboard::KeepAlive => ('K', "keep connections alive"),
        Scoreboard::Reply => ('W', "send replies"),
        Scoreboard::Request => ('R', "read requests"),
        Scoreboard::Start => ('S', "start up"),
        Scoreboard::Graceful => ('G', "finish"),
        Scoreboard::Cleanup => ('I', "are cleaned up"),
        _ => ('_', "wait for connections"),
    }
}

fn plainly(plain: config::Plain) -> Option<Spoken> {
    use config::Plain;
    Some(match plain {
        Plain::Clamav => Spoken::Clamav,
        Plain::Dns => Spoken::Dns,
        Plain::Dwp => Spoken::Dwp,
        Plain::Fail2ban => Spoken::Fail2ban,
        Plain::Ftp => Spoken::Ftp,
        Plain::Gps => Spoken::Gps,
        Plain::Imap => Spoken::Imap,
        Plain::Ldap2 => Spoken::Ldap2,
        Plain::Ldap3 => Spoken::Ldap3,
        Plain::Lmtp => Spoken::Lmtp,
        Plain::Memcache => Spoken::Memcache,
        Plain::Mongodb => Spoken::Mongodb,
        Plain::Nntp => Spoken::Nntp,
        Plain::Ntp3 => Spoken::Ntp3,
        Plain::Pop => Spoken::Pop,
        Plain::PostfixPolicy => Spoken::PostfixPolicy,
        Plain::Rdate => Spoken::Rdate,
        Plain::Redis => Spoken::Redis,
        Plain::Rsync => Spoken::Rsync,
        Plain::Sieve => Spoken::Sieve,
        Plain::SpamAssassin => Spoken::SpamAssassin,
        Plain::Ssh => Spoken::Ssh,
        Plain::Tns => Spoken::Tns,
        _ => return None,
    })
}

fn step(step: &config::Step) -> Step {
    match step {
        config::Step::Send(text) => Step::send(text),
        config::Step::Expect(pattern) => Step::Expect(matcher(pattern)),
    }
}

fn matcher(pattern: &config::Pattern) -> Matcher {
    let own = pattern.clone();
    Matcher::new(pattern.text(), move |text| own.is_match(text))
}

fn body(body: &config::Body) -> port::BodyTest {
    port::BodyTest(matcher(&body.pattern), body.matches)
}

fn digest(digest: &config::Digest) -> Digest {
    let function = match digest.algorithm {
        config::Algorithm::Md5 => Function::Md5,
        config::Algorithm::Sha1 => Function::Sha1,
        config::Algorithm::Sha256 => Function::Sha256,
    };
    Digest { function, digits: digest.digits.clone() }
}

fn tls(tls: &config::Tls) -> port::Tls {
    let mut options = port::Tls::new(tls.verify.unwrap_or(true));
    options.ca_file.clone_from(&tls.ca_file);
    options.ca_path.clone_from(&tls.ca_path);
    options.client_pem.clone_from(&tls.client_pem);
    options.self_signed = tls.self_signed == Some(true);
    options.digest = tls.checksum.as_ref().map(digest);
    options.versions = match tls.versions {
        Some(config::TlsVersions { v1_2: true, v1_3: false, .. }) => Some(port::Versions::Tls12),
        Some(config::TlsVersions { v1_2: false, v1_3: true, .. }) => Some(port::Versions::Tls13),
        // Older ones nobody here speaks.
        _ => None,
    };
    options
}

fn http(test: &config::HttpTest) -> port::Http {
    let mut options = port::Http::default();
    options.method = match test.method {
        config::Method::Get => http::Method::Get,
        config::Method::Head => http::Method::Head,
    };
    if let Some(request) = &test.request {
        options.target.clone_from(request);
    }
    options.headers.clone_from(&test.headers);
    options.credentials = test.login.as_ref().map(|(user, password)| http::Credentials {
        username: user.clone(),
        password: password.reveal().to_owned(),
    });
    if let Some(expected) = test.status {
        options.status = status(expected);
    }
    options.body = test.content.as_ref().map(body);
    options.digest = test.checksum.as_ref().map(digest);
    options
}

fn status((operator, code): (config::Operator, u16)) -> port::StatusTest {
    let comparison = match operator {
        config::Operator::Greater => port::Comparison::Greater,
        config::Operator::GreaterOrEqual => port::Comparison::GreaterOrEqual,
        config::Operator::Less => port::Comparison::Less,
        config::Operator::LessOrEqual => port::Comparison::LessOrEqual,
        config::Operator::Equal => port::Comparison::Equal,
        config::Operator::NotEqual => port::Comparison::NotEqual,
    };
    port::StatusTest(comparison, code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{ApacheStatus, Operator, Scoreboard};

    #[test]
    fn a_scoreboard_fails_where_a_limit_is_true() {
        let judged = |limits: Vec<_>, board: &str| {
            let http = apache_status(&ApacheStatus { limits, ..ApacheStatus::default() });
            assert_eq!(http.target, "/server-status?auto");
            http.verdict.expect("a verdict").of(format!("Total: 1\nScoreboard: {board}\n").as_bytes())
        };
        // Three of eight write, which is 37 %; `.` counts among all.
        let board = "WWW_...K";
        assert_eq!(judged(vec![(Scoreboard::Reply, Operator::Greater, 37)], board), Ok(()));
        let busy = judged(
            vec![(Scoreboard::Wait, Operator::Greater, 50), (Scoreboard::Reply, Operator::Equal, 37)],
            board,
        );
        assert_eq!(busy, Err("APACHE-STATUS error: 37% of the workers send replies".to_owned()));
        assert_eq!(judged(vec![(Scoreboard::Wait, Operator::Less, 5)], ""), Ok(()), "an empty one is up");
        let http = apache_status(&ApacheStatus::default());
        assert!(http.verdict.expect("a verdict").of(b"<html>").is_err());
    }

    #[test]
    fn secrets_are_in_no_debug_form() {
        let login = Some(("probe".to_owned(), config::Secret::new("hush")));
        let protocols = [config::Protocol::Smtp { login: login.clone() }, config::Protocol::Mqtt { login }];
        for protocol in protocols {
            let shown = format!("{:?}", super::protocol(&protocol, "h", false));
            assert!(!shown.contains("hush") && !shown.contains("probe"), "{shown}");
        }
    }
}
