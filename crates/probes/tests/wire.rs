//! Pings, unix sockets, datagrams, conversations and certificates, on the loopback.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::sync::Arc;
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, ProbeError};
use hinoban_probes::digest::{Digest, Function};
use hinoban_probes::port::{self, BodyTest, Http, Protocol, Tls, Transport};
use hinoban_probes::{PingProbe, PortProbe, UnixProbe, UrlProbe, ping, unix};
use hinoban_protocols::spoken::Spoken;
use hinoban_protocols::talk::{Matcher, Step};
use hinoban_reading::{Observation, ReasonKind, Standing};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use tokio::time::Instant;

/// The first of January 2026.
const NOW: Duration = Duration::from_secs(1_767_225_600);

async fn try_look(probe: &mut dyn Probe) -> Result<Observation, ProbeError> {
    let deadline = Instant::now() + Duration::from_secs(60);
    probe.observe(&Look::new(deadline.into_std(), NOW, Cause::Due)).await
}

async fn look(options: port::Options) -> Observation {
    try_look(&mut PortProbe::new(options).unwrap()).await.unwrap()
}

fn options(port: u16, protocol: Protocol) -> port::Options {
    let mut options = port::Options::new("127.0.0.1", port);
    options.protocol = protocol;
    options.timeout = Duration::from_secs(10);
    options
}

fn kind(seen: &Observation) -> Option<ReasonKind> {
    match &seen.standing {
        Standing::Down(reason) => Some(reason.kind),
        _ => None,
    }
}

fn holds(text: &'static str) -> Matcher {
    Matcher::new(text, move |answer| answer.contains(text))
}

/// A server that answers each connection with this, once it was asked. Gives its port.
async fn says(text: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 2048]).await;
                let _ = stream.write_all(text).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_host_answers_pings_of_both_families() {
    for address in ["127.0.0.1", "::1"] {
        let mut options = ping::Options::new(address);
        options.timeout = Duration::from_secs(10);
        match try_look(&mut PingProbe::new(options)).await {
            Ok(seen) if seen.standing == Standing::Up => {
                let time = seen.get("response.time").unwrap().as_f64().unwrap();
                assert!(time > 0.0 && time < 10.0, "{time}");
            }
            Ok(seen) if address == "::1" => eprintln!("passed over: no IPv6 here: {seen:?}"),
            Err(ProbeError::Denied(why)) => {
                assert!(why.contains("ping_group_range"), "{why}");
                assert!(std::env::var_os("CI").is_none(), "{why}");
                eprintln!("passed over: {why}");
            }
            other => panic!("{other:?}"),
        }
    }
    let mut none = ping::Options::new("127.0.0.1");
    none.count = 0;
    if let Ok(seen) = try_look(&mut PingProbe::new(none)).await {
        assert_eq!(kind(&seen), Some(ReasonKind::TimedOut));
    }
    let mut other = ping::Options::new("127.0.0.1");
    other.family = port::Family::V6;
    let seen = try_look(&mut PingProbe::new(other)).await.unwrap();
    assert_eq!(kind(&seen), Some(ReasonKind::Unresolved));
}

#[tokio::test]
async fn a_unix_socket_is_up_while_somebody_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(b"+PONG\r\n").await;
        }
    });
    let mut options = unix::Options::new(&path);
    options.timeout = Duration::from_secs(10);
    let plain = UnixProbe::new(options.clone());
    assert_eq!(try_look(&mut plain.unwrap()).await.unwrap().standing, Standing::Up);
    options.protocol = Protocol::Spoken(Spoken::Redis);
    let mut redis = UnixProbe::new(options).unwrap();
    assert_eq!(try_look(&mut redis).await.unwrap().standing, Standing::Up);
    server.abort();
    let _ = server.await;
    assert_eq!(kind(&try_look(&mut redis).await.unwrap()), Some(ReasonKind::Refused), "nobody listens");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(kind(&try_look(&mut redis).await.unwrap()), Some(ReasonKind::Refused), "no socket");
}

#[tokio::test]
async fn of_datagrams_silence_is_up_and_refusal_is_down() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut asked = options(port, Protocol::Default);
    asked.transport = Transport::Udp;
    assert_eq!(look(asked.clone()).await.standing, Standing::Up);
    let mut buffer = [0; 64];
    assert_eq!(socket.recv(&mut buffer).await.unwrap(), 1, "one byte");
    assert_eq!(buffer[0], 0);
    drop(socket);
    assert_eq!(kind(&look(asked.clone()).await), Some(ReasonKind::Refused));
    asked.protocol = Protocol::Spoken(Spoken::Dns);
    assert_eq!(kind(&look(asked).await), Some(ReasonKind::Refused), "told before the time-out");
}

#[tokio::test]
async fn what_is_written_down_is_sent_and_expected() {
    let port = says(b"\0hello\xff").await;
    let talk = |text| Protocol::Generic(vec![Step::send("a\\0x00b"), Step::Expect(holds(text))]);
    assert_eq!(look(options(port, talk("\\0hello"))).await.standing, Standing::Up);
    let seen = look(options(port, talk("world"))).await;
    assert_eq!(kind(&seen), Some(ReasonKind::Protocol));
    assert!(seen.standing.reason().unwrap().text.contains("world"), "{seen:?}");
}

#[tokio::test]
async fn a_body_must_hold_what_is_asked_and_have_its_digest() {
    let port =
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").await;
    let test = |body: Option<(&'static str, bool)>, md5: Option<&str>| {
        let mut http = Http::default();
        http.body = body.map(|(text, wanted)| BodyTest(holds(text), wanted));
        http.digest = md5.map(|digits| Digest { function: Function::Md5, digits: digits.into() });
        options(port, Protocol::Http(http))
    };
    let good = Some("900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(look(test(Some(("abc", true)), good)).await.standing, Standing::Up);
    assert_eq!(kind(&look(test(Some(("abc", false)), None)).await), Some(ReasonKind::Content));
    assert_eq!(kind(&look(test(Some(("abd", true)), None)).await), Some(ReasonKind::Content));
    assert_eq!(kind(&look(test(None, Some("00"))).await), Some(ReasonKind::Content));
    let url = format!("http://127.0.0.1:{port}/");
    let probe = || UrlProbe::new(&url, &Tls::new(true), Duration::from_secs(10), 1).unwrap();
    let mut wrong = probe().holding(BodyTest(holds("abd"), true));
    assert_eq!(kind(&try_look(&mut wrong).await.unwrap()), Some(ReasonKind::Content));
    let mut right = probe().holding(BodyTest(holds("abc"), true));
    assert_eq!(try_look(&mut right).await.unwrap().standing, Standing::Up);
}

/// A server with a certificate that signs itself and ends on the eleventh of January of this year. Gives its port, and the
/// certificate.
async fn secured(greeting: &'static str, year: i32) -> (u16, Vec<u8>) {
    secured_as(rcgen::IsCa::NoCa, greeting, year).await
}

/// The same; the certificate may be that of an authority.
async fn secured_as(sort: rcgen::IsCa, greeting: &'static str, year: i32) -> (u16, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = sort;
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("until {year}"));
    params.not_after = rcgen::date_time_ymd(year, 1, 11);
    let made = params.self_signed(&key).unwrap();
    let der = made.der().to_vec();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut line = [0; 256];
                if greeting.is_empty() {
                    let _ = acceptor.accept(stream).await;
                    return;
                }
                for said in [greeting, "250-here\r\n250 STARTTLS\r\n", "220 go\r\n"] {
                    stream.write_all(said.as_bytes()).await.unwrap();
                    if said != "220 go\r\n" {
                        let _ = stream.read(&mut line).await;
                    }
                }
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                for said in ["250 here\r\n", "221 bye\r\n"] {
                    let _ = stream.read(&mut line).await;
                    let _ = stream.write_all(said.as_bytes()).await;
                }
            });
        }
    });
    (port, der)
}

#[tokio::test]
async fn a_certificate_says_how_long_it_is_good_and_may_be_known_by_its_digest() {
    let (port, der) = secured("", 2026).await;
    let mut tls = Tls::new(false);
    let sha256 = ring::digest::digest(&ring::digest::SHA256, &der);
    let digits: String = sha256.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    tls.digest = Some(Digest { function: Function::Sha256, digits });
    let mut asked = options(port, Protocol::Default);
    asked.tls = Some(tls.clone());
    let seen = look(asked.clone()).await;
    assert_eq!(seen.standing, Standing::Up);
    assert_eq!(seen.get("certificate.days").unwrap().as_i64(), Some(10));
    tls.digest = Some(Digest { function: Function::Md5, digits: "0".repeat(32) });
    asked.tls = Some(tls);
    let seen = look(asked).await;
    assert_eq!(kind(&seen), Some(ReasonKind::Tls));
    assert_eq!(seen.get("certificate.days").unwrap().as_i64(), Some(10), "seen all the same");
}

#[tokio::test]
async fn tls_begins_within_a_conversation_that_knows_how() {
    let (port, _) = secured("220 mail\r\n", 2026).await;
    let mut asked = options(port, Protocol::Spoken(Spoken::Smtp(None)));
    asked.tls = Some(Tls::new(false));
    asked.starttls = true;
    let seen = look(asked).await;
    assert_eq!(seen.standing, Standing::Up, "{seen:?}");
    assert_eq!(seen.get("certificate.days").unwrap().as_i64(), Some(10));
}

#[tokio::test]
async fn a_connection_leaves_from_the_address_that_is_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut asked = options(listener.local_addr().unwrap().port(), Protocol::Default);
    asked.source = Some("127.0.0.9".parse().unwrap());
    assert_eq!(look(asked.clone()).await.standing, Standing::Up);
    assert_eq!(listener.accept().await.unwrap().1.ip().to_string(), "127.0.0.9");
    asked.source = Some("::1".parse().unwrap());
    assert_eq!(kind(&look(asked).await), Some(ReasonKind::Unresolved), "there is no way from there");
}

#[tokio::test]
async fn a_certificate_that_signs_itself_is_good_enough_where_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (year, said, good) in [(2999, true, true), (2999, false, false), (2020, true, false)] {
        let (port, _) = secured("", year).await;
        let mut tls = Tls::new(true);
        tls.self_signed = said;
        tls.server_name = Some("localhost".to_owned());
        let mut asked = options(port, Protocol::Default);
        asked.tls = Some(tls.clone());
        match try_look(&mut PortProbe::new(asked.clone()).unwrap()).await {
            Ok(seen) if good => assert_eq!(seen.standing, Standing::Up, "{year} {said}"),
            Ok(seen) => assert_eq!(kind(&seen), Some(ReasonKind::Tls), "{year} {said}"),
            // A host without authorities has nothing to verify against.
            Err(ProbeError::Failed(why)) => assert!(!said && why.contains("ca-certificates"), "{why}"),
            Err(error) => panic!("{error}"),
        }
        // A folder of authorities: this one, and something else.
        let (port, der) = secured("", year).await;
        std::fs::write(folder.path().join("note.txt"), "no certificate").unwrap();
        std::fs::write(folder.path().join("own.pem"), pem(&der)).unwrap();
        tls.self_signed = false;
        tls.ca_path = Some(folder.path().to_owned());
        asked.port = port;
        asked.tls = Some(tls);
        let seen = look(asked).await;
        let wanted = if year == 2999 { None } else { Some(ReasonKind::Tls) };
        assert_eq!(kind(&seen), wanted, "{year}: {seen:?}");
    }
}

#[tokio::test]
async fn why_a_certificate_is_not_believed_is_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let authority = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (_, other) = secured("", 2998).await;
    let file = folder.path().join("other.pem");
    std::fs::write(&file, pem(&other)).unwrap();
    for (sort, wanted) in
        [(authority, "certificate of an authority"), (rcgen::IsCa::NoCa, "nobody who is trusted")]
    {
        let (port, _) = secured_as(sort, "", 2999).await;
        let mut asked = options(port, Protocol::Default);
        let mut tls = Tls::new(true);
        tls.ca_file = Some(file.clone());
        tls.server_name = Some("localhost".to_owned());
        asked.tls = Some(tls);
        let Standing::Down(reason) = look(asked).await.standing else { panic!("it is believed") };
        assert_eq!(reason.kind, ReasonKind::Tls);
        assert!(reason.text.contains(wanted) && !reason.text.contains("Other("), "{}", reason.text);
    }
}

fn pem(der: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in der.chunks(3) {
        let bits = part.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for n in 0..4 {
            let letter = if n <= part.len() { LETTERS[(bits >> (18 - 6 * n) & 63) as usize] } else { b'=' };
            text.push(char::from(letter));
        }
        if text.len() % 65 == 64 {
            text.push('\n');
        }
    }
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
