//! Conversations by name against servers in good order, in bad order, and hostile ones.
#![allow(clippy::unwrap_used)] // these may panic

use std::time::Duration;

use hinoban_protocols::spoken::{Circumstances, Login, Sip, Spoken, Websocket};
use hinoban_protocols::talk::{Matcher, Step, converse};
use hinoban_protocols::{Error, Spoken as Named};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

const NOW: u64 = 1_767_225_600;

/// What the server says, turn by turn; between two it waits for us.
type Script = &'static [&'static [u8]];

/// Conversations as servers in good order hold them: where the server speaks first, and its turns.
const GOOD: &[(Spoken, bool, Script)] = &[
    (Spoken::Clamav, false, &[b"PONG\0"]),
    (Spoken::Dns, false, &[b"\0\x1d\0\x01\x81\x80\0\x01\0\x01\0\0\0\0"]),
    (Spoken::Dwp, false, &[b"HTTP/1.0 200 OK\r\n"]),
    (Spoken::Ftp, true, &[b"220-Hello\r\n220 ready\r\n", b"221 Goodbye.\r\n"]),
    (Spoken::Fail2ban, false, &[b"\x80\x02K\0X\x04\0\0\0pongq\0\x86q\x01.<F2B_END_COMMAND>"]),
    (
        Spoken::Mongodb,
        false,
        &[b"\x26\0\0\0\x05\0\0\0\x01\0\0\0\xdd\x07\0\0\0\0\0\0\0\x11\0\0\0\x01ok\0\0\0\0\0\0\0\xf0?\0"],
    ),
    (Spoken::Gps, false, &[b"GPSD,G=GPS\r\n"]),
    (Spoken::Imap, true, &[b"* OK [CAPABILITY IMAP4rev1] ready.\r\n", b"* BYE Logging out\r\n001 OK\r\n"]),
    (Spoken::Ldap2, false, &[b"\x30\x0c\x02\x01\x00\x61\x07\x0a\x01\x00\x04\x00\x04\x00"]),
    (
        Spoken::Ldap3,
        false,
        &[b"\x30\x84\0\0\0\x10\x02\x01\x00\x61\x84\0\0\0\x07\x0a\x01\x00\x04\x00\x04\x00"],
    ),
    (Spoken::Lmtp, true, &[b"220 host LMTP\r\n", b"250-host\r\n250 PIPELINING\r\n", b"221 bye\r\n"]),
    (Spoken::Memcache, false, &[b"\x81\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"]),
    (Spoken::Mqtt(None), false, &[b"\x20\x02\x00\x00"]),
    (Spoken::Mysql, true, &[b"\x4a\0\0\0\x0a8.0.36\0rest of the greeting"]),
    (Spoken::Nntp, true, &[b"200 news ready\r\n", b"205 bye\r\n"]),
    (Spoken::Ntp3, false, &[&[0x1c; 48]]),
    (Spoken::Pgsql, false, &[b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"]),
    (Spoken::Pop, true, &[b"+OK ready\r\n", b"+OK bye\r\n"]),
    (Spoken::PostfixPolicy, false, &[b"action=DUNNO\n\n"]),
    (Spoken::Rdate, true, &[&[0xed, 0x00, 0x37, 0x82]]),
    (Spoken::Redis, false, &[b"-NOAUTH Authentication required.\r\n"]),
    (Spoken::Rsync, true, &[b"@RSYNCD: 31.0 sha512\n", b"pub \t files\n@RSYNCD: EXIT\n"]),
    (Spoken::Sieve, true, &[b"\"SIEVE\" \"fileinto\"\r\nOK \"ready\"\r\n", b"OK \"bye\"\r\n"]),
    (Spoken::Smtp(None), true, &[b"220 host\r\n", b"250-host\r\n250 8BITMIME\r\n", b"221 2.0.0 Bye\r\n"]),
    (Spoken::Smtp(None), true, &[b"220 old\r\n", b"502 what?\r\n", b"250 old\r\n", b"221 Bye\r\n"]),
    (Spoken::SpamAssassin, false, &[b"SPAMD/1.5 0 PONG\r\n"]),
    (Spoken::Ssh, true, &[b"SSH-2.0-OpenSSH_9.2p1\r\n"]),
    (Spoken::Tns, false, &[b"\0\x45\0\0\x04\0\0\0"]),
];

/// Answers of servers that are there and not well.
const BAD: &[(Spoken, bool, Script)] = &[
    (Spoken::Dns, false, &[b"\0\x1d\0\x01\x81\x82\0\x01\0\0\0\0\0\0"]),
    (Spoken::Imap, true, &[b"* PREAUTH ready\r\n"]),
    (Spoken::Ldap3, false, &[b"\x30\x0c\x02\x01\x00\x61\x07\x0a\x01\x34\x04\x00\x04\x00"]),
    (Spoken::Memcache, false, &[b"\x81\x0a\0\0\0\0\0\x81\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"]),
    (Spoken::Mqtt(None), false, &[b"\x20\x02\x00\x05"]),
    (Spoken::Mysql, true, &[b"\x0c\0\0\0\xff\x10\x04Too many c"]),
    (Spoken::Nntp, true, &[b"201 no posting\r\n"]),
    (Spoken::Ntp3, false, &[&[0xdc; 48]]),
    (Spoken::Rdate, true, &[&[0xed, 0x00, 0x40, 0x80]]),
    (Spoken::Mongodb, false, &[b"\x15\0\0\0\x05\0\0\0\x02\0\0\0\xdd\x07\0\0\0\0\0\0\0"]),
    (Spoken::Redis, false, &[b"-LOADING\r\n"]),
    (Spoken::Rsync, true, &[b"@RSYNCD: x\n"]),
    (Spoken::Smtp(None), true, &[b"554 no\r\n"]),
    (Spoken::SpamAssassin, false, &[b"SPAMD/1.5 76 Bad header\r\n"]),
    (Spoken::Tns, false, &[b"\0\x45\0\0\x02\0\0\0"]),
];

async fn serve(mut stream: DuplexStream, first: bool, script: Script) {
    let mut heard = [0; 512];
    for (n, turn) in script.iter().enumerate() {
        if (n > 0 || !first) && stream.read(&mut heard).await.unwrap_or(0) == 0 {
            return;
        }
        let _ = stream.write_all(turn).await;
    }
    let _ = stream.read(&mut heard).await;
}

async fn held(spoken: &Spoken, first: bool, script: Script) -> Result<(), Error> {
    let (mut client, server) = tokio::io::duplex(4096);
    tokio::spawn(serve(server, first, script));
    let circumstances = Circumstances { now: NOW, datagrams: false, begun: false };
    timeout(Duration::from_secs(60), spoken.converse(&mut client, circumstances)).await.expect("an end")
}

#[tokio::test(start_paused = true)]
async fn a_server_in_good_order_is_up() {
    for (spoken, first, script) in GOOD {
        let held = held(spoken, *first, script).await;
        assert!(held.is_ok(), "{spoken:?}: {held:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_complains_is_down_and_what_it_said_is_told() {
    for (spoken, first, script) in BAD {
        match held(spoken, *first, script).await {
            Err(Error::Unexpected { said, .. }) => assert!(said.len() <= 128 * 4, "{spoken:?}"),
            other => panic!("{spoken:?}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hostile_peers_cost_their_time_and_no_more() {
    for (spoken, ..) in GOOD {
        let circumstances = Circumstances { now: NOW, datagrams: false, begun: false };
        // One that closes at once.
        let (mut client, server) = tokio::io::duplex(4096);
        drop(server);
        assert!(spoken.converse(&mut client, circumstances).await.is_err(), "{spoken:?}");
        // One that is silent.
        let (mut client, _server) = tokio::io::duplex(4096);
        let silent = timeout(Duration::from_secs(5), spoken.converse(&mut client, circumstances)).await;
        assert!(silent.is_err(), "{spoken:?}: {silent:?}");
        // One that talks without end, and of nothing.
        let (mut client, mut server) = tokio::io::duplex(4096);
        tokio::spawn(async move { while server.write_all(&[b'x'; 1024]).await.is_ok() {} });
        let endless = timeout(Duration::from_secs(5), spoken.converse(&mut client, circumstances)).await;
        assert!(matches!(endless, Ok(Err(_))), "{spoken:?}: {endless:?}");
        // One byte a second.
        let (mut client, mut server) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            while server.write_all(b"2").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let slow = timeout(Duration::from_secs(5), spoken.converse(&mut client, circumstances)).await;
        assert!(!matches!(slow, Ok(Ok(()))), "{spoken:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_told_and_never_shown() {
    let login = Login { user: "probe".into(), password: "hush".into() };
    let smtp = Spoken::Smtp(Some(login.clone()));
    assert!(!format!("{smtp:?}").contains("hush"));
    let plain: Script = &[b"220 a\r\n", b"250 a\r\n", b"235 in\r\n", b"221 bye\r\n"];
    assert!(held(&smtp, true, plain).await.is_ok());
    let older: Script = &[
        b"220 a\r\n",
        b"250 a\r\n",
        b"504 no\r\n",
        b"334 VXNlcm5hbWU6\r\n",
        b"334 UGFzc3dvcmQ6\r\n",
        b"235 in\r\n",
        b"221 bye\r\n",
    ];
    assert!(held(&smtp, true, older).await.is_ok());
    let refused: Script = &[b"220 a\r\n", b"250 a\r\n", b"535 no\r\n"];
    assert!(held(&smtp, true, refused).await.is_err());
    assert!(held(&Spoken::Mqtt(Some(login)), false, &[b"\x20\x02\0\0"]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_begins_like_http_goes_on_in_its_own_way() {
    let socket = Websocket { request: "/".into(), host: "h".into(), origin: "o".into(), version: 13 };
    let socket = Spoken::Websocket(Box::new(socket));
    let good: Script = &[
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi",
        b"\x8a\0",
        b"\x88\x02\x03\xe8",
    ];
    assert!(held(&socket, false, good).await.is_ok());
    assert!(held(&socket, false, &[b"HTTP/1.1 400 Bad Request\r\n\r\n"]).await.is_err());
    let sip = Spoken::Sip(Box::new(Sip { target: "a@b".into(), max_forward: 70, tls: false }));
    assert!(held(&sip, false, &[b"SIP/2.0 200 OK\r\n\r\n"]).await.is_ok());
    assert!(held(&sip, false, &[b"SIP/2.0 404 Not Found\r\n\r\n"]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn only_those_that_know_how_begin_tls_within() {
    let (mut client, server) = tokio::io::duplex(4096);
    tokio::spawn(serve(server, true, &[b"* OK\r\n", b"001 OK go\r\n"]));
    assert!(Named::Imap.begin(&mut client).await.unwrap());
    let (mut client, server) = tokio::io::duplex(4096);
    tokio::spawn(serve(server, true, &[b"220 a\r\n", b"250 a\r\n", b"502 no\r\n"]));
    assert!(Named::Smtp(None).begin(&mut client).await.is_err());
    assert!(!Named::Pop.begin(&mut client).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_is_written_down_waits_for_the_first_byte_and_then_for_silence() {
    let (mut client, mut server) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        for part in ["one ", "two"] {
            server.write_all(part.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        server.write_all(&[b'x'; 300]).await.unwrap();
        let _ = server.read(&mut [0; 1]).await;
    });
    let exactly = |text: &'static str| Step::Expect(Matcher::new(text, move |answer| answer == text));
    let lasting = Step::Expect(Matcher::new("x*", |rest| rest.len() == 300 - 249));
    let steps = [
        Step::Expect(Matcher::new("one twox*", |answer| {
            answer.starts_with("one two") && answer.len() == 256
        })),
        lasting,
    ];
    converse(&mut client, &steps, Duration::from_secs(5), 256).await.unwrap();
    let silent = converse(&mut client, &[exactly("more")], Duration::from_secs(5), 256).await;
    assert!(matches!(silent, Err(Error::Silent)), "{silent:?}");
}

#[tokio::test(start_paused = true)]
async fn who_never_falls_silent_costs_the_time_and_no_more() {
    let (mut client, mut server) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        while server.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    });
    let begin = tokio::time::Instant::now();
    let steps = [Step::Expect(Matcher::new("y", |answer| answer.contains('y')))];
    let said = converse(&mut client, &steps, Duration::from_secs(1), 256).await;
    assert!(matches!(said, Err(Error::Unexpected { .. })), "{said:?}");
    assert!(begin.elapsed() <= Duration::from_millis(1300), "{:?}", begin.elapsed());
}

#[test]
fn bytes_are_written_as_hexadecimal_digits() {
    let sent = |text| match Step::send(text) {
        Step::Send(bytes) => bytes,
        Step::Expect(_) => unreachable!(),
    };
    assert_eq!(sent("a\\0x00b\\0xfF"), b"a\0b\xff");
    assert_eq!(sent("\\0xg0 \\0x \\0x1 \\n"), b"\\0xg0 \\0x \\0x1 \\n");
    assert_eq!(sent("\\0xé"), "\\0xé".as_bytes());
}
