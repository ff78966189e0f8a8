//! Tests of connections: every option, what it becomes, and what is refused. Monit 5.33 was asked about each.

mod world;

use std::path::Path;
use std::time::Duration;

use hinoban_config::*;
use world::{FOLDER, World};

const HOST: &str = "check host h with address 127.0.0.1\n";
const PROCESS: &str = "check process p with pidfile /run/p.pid\n";
const MD5: &str = "0123456789abcdef0123456789abcdef";
const SHA1: &str = "0123456789abcdef0123456789abcdef01234567";

fn parse(head: &str, rules: &str) -> Result<Loaded, Mistakes> {
    let mut world = World::default();
    world.files.insert("/etc/certs".into(), FOLDER.to_owned());
    world.files.insert("/etc/ca.pem".into(), String::new());
    hinoban_monitrc::parse(Path::new("monitrc"), &format!("set daemon 5\n{head}{rules}"), &world)
}

/// The tests of the first service, in the order written.
fn tests(head: &str, rules: &str) -> Vec<Test> {
    let loaded = parse(head, rules).unwrap_or_else(|mistakes| panic!("{rules}\n{mistakes}"));
    let test = |rule: &Rule| match &rule.when {
        Condition::Test { test, .. } => Some(test.clone()),
        _ => None,
    };
    loaded.config.services[0].rules.iter().filter_map(test).collect()
}

/// The test of `if failed port …`.
fn port(options: &str) -> PortTest {
    match tests(HOST, &format!("if failed port {options} then alert")).remove(0) {
        Test::Port(test) => *test,
        other => panic!("{other:?}"),
    }
}

fn protocol(options: &str) -> Protocol {
    port(&format!("1 protocol {options}")).protocol
}

fn url(options: &str) -> UrlTest {
    match tests(HOST, &format!("if failed url {options} then alert")).remove(0) {
        Test::Url(test) => *test,
        other => panic!("{other:?}"),
    }
}

fn ping(options: &str) -> PingTest {
    match tests(HOST, &format!("if failed {options} then alert")).remove(0) {
        Test::Ping(test) => *test,
        other => panic!("{other:?}"),
    }
}

fn unix(options: &str) -> UnixTest {
    match tests(PROCESS, &format!("if failed unixsocket {options} then alert")).remove(0) {
        Test::Unix(test) => *test,
        other => panic!("{other:?}"),
    }
}

/// The first line of what is wrong.
fn refused(head: &str, condition: &str) -> String {
    let mistakes = parse(head, &format!("if failed {condition} then alert"));
    let mistakes = mistakes.err().unwrap_or_else(|| panic!("this is taken: {condition}"));
    mistakes.lines().remove(0)
}

fn warnings(condition: &str) -> Vec<String> {
    let loaded = parse(HOST, &format!("if failed {condition} then alert"));
    loaded.unwrap_or_else(|mistakes| panic!("{mistakes}")).warnings.lines()
}

fn login(user: &str, password: &str) -> Option<(String, Secret)> {
    Some((user.to_owned(), Secret::new(password)))
}

fn digest(text: &str) -> Option<Digest> {
    Digest::parse(text)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_port_has_all_its_options_in_any_order() {
    let base = PortTest::new("127.0.0.1", 80);
    assert_eq!(port("80"), base);
    let time = |operator, limit| Some(ResponseTime { operator, limit });
    for (options, wanted) in [
        ("80 ipv4 ipv6", PortTest { family: Family::V6, ..base.clone() }),
        ("80 type udp", PortTest { transport: Transport::Udp, ..base.clone() }),
        ("80 type udp type tcp", base.clone()),
        ("80 address ::1", PortTest { source: "::1".parse().ok(), ..base.clone() }),
        ("80 retry 3 and timeout 2 seconds", PortTest { retry: 3, timeout: secs(2), ..base.clone() }),
        (
            "80 responsetime < 50 ms",
            PortTest { response_time: time(Operator::Less, Duration::from_millis(50)), ..base.clone() },
        ),
        ("80 responsetime 2 s", PortTest { response_time: time(Operator::Equal, secs(2)), ..base.clone() }),
        ("80 certificate valid for 0 days", PortTest { tls: Some(Tls::default()), ..base.clone() }),
        (
            "80 certificate valid > 30 days",
            PortTest { tls: Some(Tls::default()), certificate_days: Some(30), ..base.clone() },
        ),
    ] {
        assert_eq!(port(options), wanted, "{options}");
    }
    let Test::Port(elsewhere) = tests(PROCESS, "if failed host a1 port 1 then alert").remove(0) else {
        panic!()
    };
    assert_eq!(elsewhere.host, "a1");
    let Test::Port(here) = tests(PROCESS, "if failed port 1 then alert").remove(0) else { panic!() };
    assert_eq!(here.host, "localhost");
}

#[test]
fn options_of_tls_add_up_and_ciphers_alone_begin_none() {
    let tls = |options: &str| port(&format!("80 {options}")).tls;
    let with = |set: fn(&mut Tls)| {
        let mut tls = Tls::default();
        set(&mut tls);
        Some(tls)
    };
    assert_eq!(tls("ssl disable"), None);
    assert_eq!(tls("enable ssl"), Some(Tls::default()));
    assert_eq!(tls("with ssl options {}"), None);
    assert_eq!(tls("with ssl options {ciphers: \"ALL\"}"), None);
    assert_eq!(tls("with ssl options {ciphers: \"ALL\"} ssl"), with(|t| t.ciphers = Some("ALL".into())));
    assert_eq!(tls("with ssl options {verify: disable}"), with(|t| t.verify = Some(false)));
    assert_eq!(
        tls("with ssl options {verify: enable} using tls {selfsigned: allow}"),
        with(|t| (t.verify, t.self_signed) = (Some(true), Some(true)))
    );
    assert_eq!(
        tls("ssl {cacertificatefile: /etc/ca.pem, cacertificatepath: \"/etc/certs\"}"),
        with(|t| (t.ca_file, t.ca_path) = (Some("/etc/ca.pem".into()), Some("/etc/certs".into())))
    );
    assert_eq!(tls("ssl {clientpemfile: /etc/a.pem}"), with(|t| t.client_pem = Some("/etc/a.pem".into())));
    let md5 = digest(MD5).expect("a digest");
    for text in [
        "certificate checksum \"01:23:45:67:89:AB:cd:ef:01:23:45:67:89:ab:cd:ef\"",
        "certificate checksum md5 = 0123456789abcdef0123456789abcdef",
        "type tcpssl certmd5 \"0123456789abcdef0123456789abcdef\"",
    ] {
        assert_eq!(tls(text).expect("TLS").checksum, Some(md5.clone()), "{text}");
    }
}

#[test]
fn versions_of_tls_are_named_and_taken_out_again() {
    let versions = |text: &str| port(&format!("80 ssl {{version: {text}}}")).tls.expect("TLS").versions;
    let set = |v1_0, v1_1, v1_2, v1_3| Some(TlsVersions { v1_0, v1_1, v1_2, v1_3 });
    assert_eq!(versions(""), None);
    assert_eq!(versions("auto"), Some(TlsVersions::AUTO));
    assert_eq!(versions("tlsv1, tlsv13"), set(true, false, false, true));
    assert_eq!(versions("auto -tlsv12"), set(false, false, false, true));
    assert_eq!(versions("-tlsv12 -sslv3"), None, "nothing was named yet that could be taken out");
    assert_eq!(versions("tlsv12 version: tlsv11"), set(false, true, true, false));
    let old = port("80 type tcpssl tlsv12 -tlsv13").tls.expect("TLS");
    assert_eq!(old.versions, set(false, false, true, false));
}

#[test]
fn protocols_have_their_options_behind_them() {
    for (plain, name, _) in Plain::ALL {
        assert_eq!(protocol(name), Protocol::Plain(plain));
    }
    let http = HttpTest {
        method: Method::Head,
        request: Some("/x?y".to_owned()),
        status: Some((Operator::Less, 300)),
        headers: vec![("Host".to_owned(), "a1".to_owned()), ("A".to_owned(), "b".to_owned())],
        login: login("u1", "p1"),
        ..HttpTest::default()
    };
    let text = "http request \"/x?y\" status < 300 hostheader a1 http headers [A: b] username u1 password p1 method head";
    assert_eq!(protocol(text), Protocol::Http(http.into()));
    let summed = HttpTest { checksum: digest(SHA1), ..HttpTest::default() };
    assert_eq!(protocol(&format!("http checksum \"{SHA1}\"")), Protocol::Http(summed.into()));
    assert_eq!(protocol("mysql"), Protocol::Mysql { login: None, rsa_key: None });
    assert_eq!(
        protocol(&format!("mysql rsakey checksum md5 = \"{MD5}\" username u1")),
        Protocol::Mysql { login: login("u1", ""), rsa_key: digest(MD5) }
    );
    assert_eq!(
        protocol("pgsql username a@b.c database d1 password \"x y\""),
        Protocol::Pgsql { login: login("a@b.c", "x y"), database: Some("d1".to_owned()) }
    );
    assert_eq!(protocol("smtp username u1 password p1"), Protocol::Smtp { login: login("u1", "p1") });
    assert_eq!(protocol("mqtt username u1"), Protocol::Mqtt { login: login("u1", "") });
    assert_eq!(protocol("radius secret s1 type udp"), Protocol::Radius { secret: Some(Secret::new("s1")) });
    assert_eq!(
        protocol("sip target a@b.c maxforward 6"),
        Protocol::Sip { target: Some("a@b.c".to_owned()), max_forward: Some(6) }
    );
    let websocket = Websocket {
        origin: Some("http://a".to_owned()),
        request: Some("/chat".to_owned()),
        host: Some("b1".to_owned()),
        version: Some(13),
    };
    assert_eq!(
        protocol("websocket origin \"http://a\" request /chat host b1 version 13"),
        Protocol::Websocket(websocket.into())
    );
    let apache = ApacheStatus {
        path: Some("/status".to_owned()),
        login: login("u1", "p1"),
        limits: vec![
            (Scoreboard::Reply, Operator::GreaterOrEqual, 60),
            (Scoreboard::Log, Operator::Greater, 20),
        ],
    };
    let text = "apache-status loglimit > 10% path /status replylimit >= 60 percent username u1 password p1 loglimit > 20% waitlimit < 0%";
    assert_eq!(protocol(text), Protocol::ApacheStatus(apache.into()));
}

#[test]
fn names_of_protocols_choose_transport_and_tls() {
    let of = |text: &str| {
        let test = port(text);
        (test.transport, test.tls.is_some())
    };
    for name in ["https", "imaps", "pops", "smtps"] {
        assert_eq!(of(&format!("1 type udp protocol {name}")), (Transport::Tcp, true), "{name}");
    }
    assert_eq!(of("1 protocol mysqls"), (Transport::Tcp, true));
    assert_eq!(of("1 protocol ntp3"), (Transport::Udp, false));
    assert_eq!(of("1 type tcp protocol ntp3"), (Transport::Udp, false));
    assert_eq!(of("1 protocol ntp3 type tcp"), (Transport::Tcp, false), "the last counts");
    assert_eq!(of("1 protocol https protocol ssh"), (Transport::Tcp, true), "TLS once asked for stays");
}

#[test]
fn a_conversation_is_written_down_or_has_a_name() {
    let steps = |text: &str| match port(&format!("1 {text}")).protocol {
        Protocol::Generic(steps) => steps,
        other => panic!("{other:?}"),
    };
    let send = |text: &str| Step::Send(text.to_owned());
    let expect = |text: &str| Step::Expect(Pattern::posix(text).expect("a pattern"));
    assert_eq!(steps("send \"HELO\\n\" expect '^220' send x1"), [send("HELO\n"), expect("^220"), send("x1")]);
    assert_eq!(steps("send \"a\\0x00\""), [send("a\\0x00")], "a NUL is made when it is sent");
    assert_eq!(steps("send a1 protocol default send b1"), [send("a1"), send("b1")]);
    assert_eq!(port("1 send a1 protocol default").protocol, Protocol::Default);
    assert_eq!(port("1 expect a1 protocol ssh").protocol, Protocol::Plain(Plain::Ssh));
    assert_eq!(refused(HOST, "port 1 protocol ssh expect a1"), "monitrc:3: syntax error 'a1'");
}

#[test]
fn what_an_answer_holds_is_looked_at_with_http_wherever_it_is_said() {
    let body =
        |text: &str, matches| Some(Body { pattern: Pattern::posix(text).expect("a pattern"), matches });
    for text in ["content = \"up\" protocol http", "protocol http content == \"up\""] {
        let http = HttpTest { content: body("up", true), ..HttpTest::default() };
        assert_eq!(port(&format!("1 {text}")).protocol, Protocol::Http(http.into()), "{text}");
    }
    assert_eq!(port("1 protocol ssh content = \"up\"").protocol, Protocol::Plain(Plain::Ssh));
    assert!(warnings("port 1 protocol ssh content = \"up\"")[0].contains("with HTTP only, not with SSH"));
    assert_eq!(url("http://a/ content != \"down\"").content, body("down", false));
    for text in ["protocol http method head content = \"x\"", "content = \"x\" protocol http method head"] {
        assert!(refused(HOST, &format!("port 1 {text}")).contains("HEAD"), "{text}");
    }
}

#[test]
fn urls_are_taken_as_they_stand_and_encrypted_if_that_is_asked_for() {
    let test = url(
        "https://u:p%40q@www.example.com:8443/a?b#c timeout 3 seconds retry 2 certificate valid > 3 days",
    );
    assert_eq!(test.url, "https://u:p%40q@www.example.com:8443/a?b#c");
    assert_eq!((test.timeout, test.retry, test.certificate_days), (secs(3), 2, Some(3)));
    assert_eq!(url("http://a/b with ssl").url, "https://a:80/b", "the port is that of the scheme");
    assert_eq!(url("HTTP://a:81/b certificate valid > 3 days").url, "HTTPs://a:81/b");
    assert_eq!(url("http://a/ with ssl options {ciphers: \"ALL\"}").tls, Tls::default());
    assert_eq!(url("https://a/ with ssl options {verify: enable}").tls.verify, Some(true));
    for (text, word) in [
        ("http://u@x/", "@"),
        ("http:///a", "/"),
        ("http://x_y/", "_"),
        ("http://x:/", ":"),
        ("http://x/ responsetime < 3 s", "responsetime"),
        ("http://x/ protocol http", "protocol"),
        ("http://x/ status = 200", "status"),
        ("\"http://x/\"", "\"http://x/\""),
    ] {
        assert_eq!(
            refused(HOST, &format!("url {text}")),
            format!("monitrc:3: syntax error '{word}'"),
            "{text}"
        );
    }
}

#[test]
fn pings_have_a_number_a_size_and_a_family() {
    let base = PingTest::new("127.0.0.1");
    assert_eq!(ping("ping"), base);
    assert_eq!(ping("icmp type echo"), base);
    assert_eq!(ping("ping4").family, Family::V4);
    assert_eq!(ping("ping6").family, Family::V6);
    let all = "ping count 2 size 8 with timeout 1 second address 127.0.0.1 responsetime < 5 ms";
    let time = ResponseTime { operator: Operator::Less, limit: Duration::from_millis(5) };
    let wanted = PingTest {
        count: 2,
        size: 8,
        timeout: secs(1),
        source: "127.0.0.1".parse().ok(),
        response_time: Some(time),
        ..base
    };
    assert_eq!(ping(all), wanted);
    assert!(refused(HOST, "ping size 7").contains("minimum ping size"));
    assert!(refused(HOST, "ping size 1493").contains("maximum ping size"));
    for (text, word) in [("ping retry 3", "retry"), ("ping ipv4", "ipv4"), ("icmp type udp", "udp")] {
        assert_eq!(refused(HOST, text), format!("monitrc:3: syntax error '{word}'"));
    }
}

#[test]
fn pings_keep_the_address_of_the_one_before() {
    let rules = "if failed ping then alert if failed ping address ::1 then alert if failed ping then alert";
    let sources: Vec<_> = tests(HOST, rules)
        .into_iter()
        .map(|test| match test {
            Test::Ping(test) => test.source,
            other => panic!("{other:?}"),
        })
        .collect();
    let address = "::1".parse().ok();
    assert_eq!(sources, [None, address, address]);
}

#[test]
fn pings_and_ports_each_have_a_first_one_that_no_limit_reaches() {
    let head = format!("set limits {{networkTimeout: 9 s}}\n{HOST}");
    let rules = "if failed port 1 then alert if failed ping then alert if failed url http://a/ then alert if failed ping4 then alert";
    let timeouts: Vec<_> = tests(&head, rules)
        .into_iter()
        .map(|test| match test {
            Test::Ping(test) => test.timeout,
            Test::Port(test) => test.timeout,
            Test::Url(test) => test.timeout,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(timeouts, [secs(5), secs(5), secs(9), secs(9)]);
    let loaded = parse(&head, rules).expect("valid");
    let told = loaded.warnings.lines().iter().filter(|line| line.contains("set limits")).count();
    assert_eq!(told, 2, "{:?}", loaded.warnings.lines());
}

#[test]
fn unix_sockets_are_streams_and_datagrams_without_tls() {
    assert_eq!(unix("/run/s"), UnixTest::new("/run/s"));
    assert_eq!(unix("\"/run/a b\" type udp").transport, Transport::Udp);
    let test = unix("/run/s protocol redis timeout 3 seconds retry 2 responsetime < 3 ms");
    assert_eq!((test.protocol, test.timeout, test.retry), (Protocol::Plain(Plain::Redis), secs(3), 2));
    for (text, word) in [
        ("/run/s ssl", "ssl"),
        ("/run/s certificate valid > 3 days", "certificate"),
        ("/run/s content = \"x\"", "content"),
        ("/run/s ipv4", "ipv4"),
        ("run/s", "run/s"),
    ] {
        assert_eq!(
            refused(PROCESS, &format!("unixsocket {text}")),
            format!("monitrc:3: syntax error '{word}'")
        );
    }
    assert_eq!(refused(PROCESS, "ping"), "monitrc:3: syntax error 'ping'");
    assert_eq!(refused(HOST, "unixsocket /run/s"), "monitrc:3: syntax error 'unixsocket'");
}

#[test]
fn success_may_be_the_failure_and_only_this_word_says_so() {
    let rule = |text: &str| parse(HOST, text).map(|loaded| loaded.config.services[0].rules[0].clone());
    let read = rule("if succeeded ping 2 cycles then alert else if failed 3 times within 5 cycles then stop")
        .unwrap();
    assert!(matches!(read.when, Condition::Test { expect: Expect::Succeeded, .. }));
    assert_eq!(read.fail, Branch::at(Then::Alert, Rate { count: 2, within: 2 }));
    assert_eq!(read.ok, Branch::at(Then::Stop, Rate { count: 3, within: 5 }));
    for word in ["passed", "recovered"] {
        let mistakes = rule(&format!("if {word} ping then alert")).expect_err("no word for this");
        assert_eq!(mistakes.lines(), [format!("monitrc:3: syntax error '{word}'")]);
        assert!(rule(&format!("if failed ping then alert else if {word} then stop")).is_ok());
    }
    for text in
        ["if failed port 1 then alert else if failed then alert", "if failed port 1 and port 2 then alert"]
    {
        assert!(rule(text).is_err(), "{text}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (text, line) in [
        ("port 1 protocol radius", "UDP only"),
        ("port 1 protocol websocket", "syntax error 'then'"),
        ("port 1 protocol apache-status", "syntax error 'then'"),
        ("port 1 protocol apache-status path \"x\"", "syntax error '\"x\"'"),
        ("port 1 protocol mysql rsakey checksum \"0123456789abcdef0123456789abcdef\"", "rsakey"),
        ("port 1 protocol mysqls username u1 rsakey checksum \"0123456789abcdef0123456789abcdef\"", "rsakey"),
        ("port 1 protocol http timeout 3 seconds request /x", "syntax error 'request'"),
        ("port 1 protocol http content = \"a\" request /x", "syntax error 'request'"),
        ("port 1 protocol http password 123", "syntax error '123'"),
        ("port 1 protocol http checksum zz", "'zz'"),
        ("port 1 certificate checksum sha1 \"0123456789abcdef0123456789abcdef\"", "checksum"),
        ("port 1 certificate valid >= 3 days", "syntax error '>='"),
        ("port 1 certmd5 \"0123456789abcdef0123456789abcdef\"", "syntax error 'certmd5'"),
        ("port 1 tlsv12", "syntax error 'tlsv12'"),
        ("port 1 ssl {version: sslv3}", "SSL version 3 'sslv3'"),
        ("port 1 ssl {tlsv12}", "syntax error 'tlsv12'"),
        ("port 1 ssl {cacertificatefile: /missing/x}", "doesn't exist '/missing/x'"),
        ("port 1 ssl {cacertificatefile: /etc/certs}", "is not a file '/etc/certs'"),
        ("port 1 ssl {cacertificatepath: /etc/ca.pem}", "is not a directory '/etc/ca.pem'"),
        ("port 1 ssl {clientpemfile: /a} ssl {clientpemfile: /b}", "Duplicate SSL client PEM file '/b'"),
        ("port 1 address localhost", "'localhost'"),
        ("port 1 responsetime < 3.5 s", "syntax error '3.5'"),
        ("port 1 responsetime < 5", "syntax error 'then'"),
        ("port 1 timeout 3", "syntax error 'then'"),
        ("port 1 content = /a", "syntax error '/a'"),
        ("port 1 expect \"(\"", "'('"),
        ("port 1 host a1", "syntax error 'host'"),
        ("port 1 port 2", "syntax error 'port'"),
        ("port \"1\"", "syntax error '\"1\"'"),
        ("host a1 url http://x/", "syntax error 'url'"),
    ] {
        let found = refused(HOST, text);
        assert!(found.contains(line), "{text}: {found}");
    }
}

#[test]
fn numbers_that_are_no_ports_are_taken_as_monit_takes_them() {
    assert_eq!(port("65616").port, 80);
    assert_eq!(url("http://a:65616/x").url, "http://a:80/x");
    assert!(warnings("port 0")[0].contains("1 to 65535"));
}

#[test]
fn a_host_needs_something_to_connect_to() {
    let lines =
        parse(HOST, "if 2 restarts within 3 cycles then alert").expect_err("nothing is tested").lines();
    assert!(lines[0].contains("incomplete"), "{lines:?}");
}

#[test]
fn what_newer_versions_take_is_taken() {
    let rule = |action: &str| {
        let text = format!("if failed ping then {action}");
        parse(HOST, &text).unwrap_or_else(|m| panic!("{m}")).config.services[0].rules[0].clone()
    };
    assert_eq!(rule("ignore").fail.then, Then::Nothing);
    let exec = |action: &str| match rule(action).fail.then {
        Then::Exec { program, repeat } => (program.timeout, repeat),
        other => panic!("{other:?}"),
    };
    assert_eq!(exec("exec \"/bin/page\" timeout 9 seconds repeat every cycle"), (secs(9), Some(1)));
    assert_eq!(exec("exec \"/bin/page\" repeat every 3 cycles"), (Program::FOR_EVER, Some(3)));
}
