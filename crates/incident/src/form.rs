//! The forms that a configuration gives messages.

use hinoban_config::MailFormat;

/// What a message looks like, field by field: its reader's own form, or everybody's, or, where that is `None`, ours.
pub(crate) struct Form<'a> {
    pub(crate) from: Option<&'a str>,
    pub(crate) reply_to: Option<&'a str>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
}

impl<'a> Form<'a> {
    pub(crate) fn new(own: Option<&'a MailFormat>, all: &'a MailFormat) -> Self {
        let field = |of: fn(&MailFormat) -> &Option<String>| {
            own.and_then(|own| of(own).as_deref()).or_else(|| of(all).as_deref())
        };
        Self {
            from: field(|format| &format.from),
            reply_to: field(|format| &format.reply_to),
            subject: field(|format| &format.subject),
            message: field(|format| &format.message),
        }
    }
}

/// `ADDRESS` or `NAME <ADDRESS>` as a message can carry it; `None` if there is nothing of an address in it. A name of this
/// host alone is a user of it. Monit takes any text, and a mail server may refuse the whole message for it.
pub(crate) fn address(text: &str, host: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let (name, bare) = match text.split_once('<') {
        Some((name, rest)) => (name.trim(), rest.split('>').next().unwrap_or(rest).trim()),
        None => ("", text.trim()),
    };
    let address = match bare.rsplit_once('@') {
        Some((user, domain)) if !user.is_empty() && !domain.is_empty() => bare.to_owned(),
        None if !bare.is_empty() && !bare.contains(char::is_whitespace) => format!("{bare}@{host}"),
        _ => return None,
    };
    let name: String = name.chars().filter(|c| !matches!(c, '"' | '\\')).collect();
    Some(if name.is_empty() { address } else { format!("\"{name}\" <{address}>") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_an_address() {
        for (text, want) in [
            ("monit@web1", Some("monit@web1")),
            ("Watch <a@b>", Some("\"Watch\" <a@b>")),
            ("\"Foo (x)\" <a@b>", Some("\"Foo (x)\" <a@b>")),
            ("subject: x <a@b>", Some("\"subject: x\" <a@b>")),
            ("monit", Some("monit@web1")),
            ("c <@d>", None),
            ("a\r\nBcc: x@y", Some("aBcc: x@y")),
            ("", None),
        ] {
            assert_eq!(address(text, "web1").as_deref(), want, "{text}");
        }
    }
}
