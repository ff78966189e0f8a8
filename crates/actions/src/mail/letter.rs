//! A message with its date, and its form on the wire.

use std::time::{Duration, SystemTime};

use hinoban_action::Message;
use hinoban_reading::Stamp;
use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox};

/// What goes to the post: a message, and the time it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message.
    pub message: Message,
    /// Its date.
    pub at: Stamp,
}

/// A letter as a server gets it.
#[derive(Debug)]
pub(super) struct Wire {
    /// Sender in the envelope.
    pub(super) from: Address,
    pub(super) bytes: Vec<u8>,
}

/// The header field that names the program, as Monit sends it.
const MAILER: &str = concat!("Hinoban ", env!("CARGO_PKG_VERSION"));

impl Letter {
    /// The message in the form of RFC 5322, fields in the order in which Monit sends them. `eight_bit`: whether the
    /// server takes bytes above 127 in the body (RFC 6152); otherwise such a body becomes quoted-printable.
    ///
    /// # Errors
    /// When an address is none; the text says which.
    pub(super) fn wire(&self, eight_bit: bool) -> Result<Wire, String> {
        let message = &self.message;
        let from = mailbox(&message.from)?;
        let sender = from.email.clone();
        let mut builder = lettre::Message::builder();
        if let Some(reply_to) = &message.reply_to {
            builder = builder.reply_to(mailbox(reply_to)?);
        }
        builder = builder.from(from);
        for to in &message.to {
            // One that is no address is told of when its turn comes in the envelope; it keeps nobody else from hearing.
            if let Ok(to) = mailbox(to) {
                builder = builder.to(to);
            }
        }
        let field = |name: &'static str, value: &str| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
        };
        let encoding = |body: Body| (body.encoding(), body);
        let (encoding, body) = encoding(body(&message.body, eight_bit));
        let built = builder
            .subject(message.subject.replace(['\r', '\n'], " "))
            .date(system_time(self.at))
            .raw_header(field("X-Mailer", MAILER))
            .raw_header(field("MIME-Version", "1.0"))
            .header(ContentType::TEXT_PLAIN)
            .header(encoding)
            .message_id(Some(format!("<{}>", message.id)))
            .body(body)
            .map_err(|e| format!("the message cannot be written as mail: {e}"))?;
        Ok(Wire { from: sender, bytes: built.formatted() })
    }
}

/// Longest line that SMTP takes, without its end: RFC 5321 section 4.5.3.1.6.
const LINE: usize = 998;

/// As 8bit, which Monit sends, where the text and the server allow it: filters find in it what they look for. The library
/// would fold every line over 76 bytes.
fn body(text: &str, eight_bit: bool) -> Body {
    let plain = (eight_bit || text.is_ascii())
        && text.lines().all(|line| line.len() <= LINE && !line.contains(['\r', '\0']));
    if plain {
        let lines: String = text.lines().flat_map(|line| [line, "\r\n"]).collect();
        return Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::EightBit);
    }
    Body::new_with_encoding(text.to_owned(), ContentTransferEncoding::QuotedPrintable)
        .unwrap_or_else(|text| Body::new(String::from_utf8_lossy(&text).into_owned()))
}

/// An address, possibly `Name <address>`.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|e| format!("{text} is not a mail address: {e}"))
}

fn system_time(at: Stamp) -> SystemTime {
    let micros = Duration::from_micros(at.micros().unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    if at.micros() < 0 { epoch.checked_sub(micros) } else { epoch.checked_add(micros) }.unwrap_or(epoch)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn letter(id: &str, to: &[&str]) -> Letter {
        let message = Message {
            id: format!("1795429974.{id}@vm"),
            from: "\"Watch\" <monit@vm>".into(),
            reply_to: None,
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            subject: "monit alert --  Does not exist missing".into(),
            body: "Does not exist Service missing \n\n\tDate: today\n".into(),
        };
        Letter { message, at: Stamp::from_micros(1_795_429_974_000_000) }
    }

    fn text(letter: &Letter, eight_bit: bool) -> String {
        String::from_utf8(letter.wire(eight_bit).unwrap().bytes).unwrap()
    }

    #[test]
    fn the_fields_are_those_of_monit_in_their_order() {
        let mut letter = letter("c99913a49ba5abea", &["ops@example.com"]);
        letter.message.from = "monit@vm".into();
        let expected = format!(
            "From: monit@vm\r\nTo: ops@example.com\r\nSubject: monit alert --  Does not exist missing\r\n\
             Date: Mon, 23 Nov 2026 10:32:54 +0000\r\nX-Mailer: Hinoban {}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\
             Message-ID: <1795429974.c99913a49ba5abea@vm>\r\n\r\n\
             Does not exist Service missing \r\n\r\n\tDate: today\r\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text(&letter, true), expected);
    }

    #[test]
    fn a_long_line_stays_one_line_as_filters_expect_it() {
        let mut letter = letter("1", &["ops@example.com"]);
        let line = format!("Does not exist Service httpd \n{} = {}", "a".repeat(150), "b".repeat(150));
        letter.message.body = line.clone();
        for eight_bit in [true, false] {
            let text = text(&letter, eight_bit);
            assert!(text.ends_with(&format!("\r\n\r\n{}\r\n", line.replace('\n', "\r\n"))), "{text}");
        }
    }

    #[test]
    fn what_is_not_ascii_survives_servers_that_take_seven_bits() {
        let mut letter = letter("1", &["ops@example.com"]);
        letter.message.subject = "Dienst läuft nicht".into();
        letter.message.body = "Prüfung fehlgeschlagen\n".into();
        let eight = text(&letter, true);
        assert!(
            eight.contains("\r\nContent-Transfer-Encoding: 8bit\r\n") && eight.contains("Prüfung"),
            "{eight}"
        );
        let seven = text(&letter, false);
        assert!(seven.is_ascii() && seven.contains("Pr=C3=BCfung"), "{seven}");
        letter.message.body = "x".repeat(2000);
        assert!(text(&letter, true).lines().all(|line| line.len() < 998), "a line longer than SMTP allows");
    }

    #[test]
    fn a_subject_cannot_smuggle_header_fields() {
        let mut letter = letter("1", &["ops@example.com"]);
        letter.message.subject = "fine\r\nBcc: thief@example.com".into();
        assert!(!text(&letter, true).contains("\r\nBcc"));
        letter.message.id = "1\r\nBcc: thief@example.com".into();
        assert!(!text(&letter, true).contains("\r\nBcc"));
    }
}
