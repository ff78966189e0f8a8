//! What the TOML form promises of tests of connections.

use std::path::Path;
use std::time::Duration;

use hinoban_config::{
    Condition, Family, Loaded, NoSurroundings, Operator, Pattern, PingTest, Plain, PortTest, Protocol,
    ResponseTime, Step, Test, Transport, UnixTest, toml,
};

fn loaded(text: &str) -> Loaded {
    toml::parse(Path::new("/etc/hinoban/hinoban.toml"), text, &NoSurroundings)
        .unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn what_an_address_keeps_secret_is_not_what_is_shown() {
    let checks = "[[service.httpd.check]]\nhttp = 'http://h/p?token=SECRET&x=1'\n\
                  [[service.httpd.check]]\nurl = 'http://h/p?x=1&token=SECRET'\n\
                  [[service.httpd.check]]\nhttp = 'http://h/p?x=1'\n";
    let rules = loaded(&format!("[service.httpd]\npidfile = \"/run/httpd.pid\"\n{checks}")).config.services
        [0]
    .rules
    .clone();
    let shown: Vec<String> = rules
        .iter()
        .filter_map(|rule| match &rule.when {
            Condition::Test { test: Test::Port(port), .. } => match &port.protocol {
                Protocol::Http(http) => {
                    assert!(http.request.as_deref().is_some_and(|sent| !sent.contains('*')), "{http:?}");
                    http.shown().map(str::to_owned)
                }
                _ => None,
            },
            Condition::Test { test: Test::Url(url), .. } => {
                assert!(url.url.contains("SECRET"));
                Some(url.shown().to_owned())
            }
            _ => None,
        })
        .collect();
    assert_eq!(shown, ["/p?token=***&x=1", "http://h/p?x=1&token=***", "/p?x=1"]);
}

#[test]
fn every_test_of_a_connection_can_be_written() {
    let text = r#"
[service.edge]
host = "www.example.com"

  [[service.edge.check]]
  ping = "www.example.com"
  count = 5
  size = 128
  family = "ipv6"
  source = "2001:db8::1"
  response-time = "< 50ms"

  [[service.edge.check]]
  udp = "ns.example.com:53"
  protocol = "dns"

  [[service.edge.check]]
  unix = "/run/app.sock"
  datagram = true
  talk = [{ send = "PING\r\n" }, { expect = "^PONG" }]

  [[service.edge.check]]
  tcp = "www.example.com:443"
  tls = { self-signed = true, versions = ["1.2"], checksum = "D4:1D:8C:D9:8F:00:B2:04:E9:80:09:98:EC:F8:42:7E" }
  certificate-days = 14
  source = "192.0.2.1"
  protocol = { name = "http", request = "/health", headers = ["X-A: 1", "X-A: 2"], content = { not = "error" } }

  [[service.edge.check]]
  tcp = "www.example.com:25"
  tls = true
  starttls = true
  protocol = { name = "smtp", user = "probe", password = "hush" }

  [[service.edge.check]]
  url = "https://www.example.com/x"
  user = "u"
  password = "p%40ss"
  content = "ok"
  certificate-days = 7

  [[service.edge.check]]
  tcp = "www.example.com:80"
  protocol = { name = "apache-status", limits = ["reply > 80%", "wait < 5%"] }
"#;
    let config = loaded(text).config;
    let tests: Vec<_> = config.services[0]
        .rules
        .iter()
        .filter_map(|rule| match &rule.when {
            Condition::Test { test, .. } => Some(test.clone()),
            _ => None,
        })
        .collect();
    let half = |ms| ResponseTime { operator: Operator::Less, limit: Duration::from_millis(ms) };
    let ping = PingTest {
        count: 5,
        size: 128,
        family: Family::V6,
        source: "2001:db8::1".parse().ok(),
        response_time: Some(half(50)),
        ..PingTest::new("www.example.com")
    };
    assert_eq!(tests[0], Test::Ping(ping.into()));
    let dns = PortTest {
        transport: Transport::Udp,
        protocol: Protocol::Plain(Plain::Dns),
        ..PortTest::new("ns.example.com", 53)
    };
    assert_eq!(tests[1], Test::Port(dns.into()));
    let pattern = Pattern::new("^PONG").unwrap();
    let unix = UnixTest {
        transport: Transport::Udp,
        protocol: Protocol::Generic(vec![Step::Send("PING\r\n".into()), Step::Expect(pattern)]),
        ..UnixTest::new("/run/app.sock")
    };
    assert_eq!(tests[2], Test::Unix(unix.into()));
    let Test::Port(https) = &tests[3] else { panic!("a port") };
    let tls = https.tls.as_ref().unwrap();
    assert_eq!((tls.self_signed, https.certificate_days), (Some(true), Some(14)));
    assert_eq!(tls.checksum.as_ref().unwrap().digits, "d41d8cd98f00b204e9800998ecf8427e");
    let Protocol::Http(http) = &https.protocol else { panic!("http") };
    assert_eq!(http.headers, [("X-A".to_owned(), "1".to_owned()), ("X-A".to_owned(), "2".to_owned())]);
    assert!(!http.content.as_ref().unwrap().matches);
    let Test::Port(mail) = &tests[4] else { panic!("a port") };
    assert!(mail.starttls && matches!(&mail.protocol, Protocol::Smtp { login: Some(_) }));
    let Test::Url(url) = &tests[5] else { panic!("a URL") };
    assert_eq!(url.url, "https://u:p%40ss@www.example.com/x");
}
