//! Who may do what: log-in, and the token that shows a POST was meant.

use crate::User;

/// Random text for one log-in page, cookie or request: 32 hexadecimal digits.
///
/// # Errors
/// If the kernel gives no random bytes.
pub(crate) fn token() -> Result<String, rustix::io::Errno> {
    let mut bytes = [0u8; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The token that a browser has already, if it is one of ours by its form. Answers give it out again, so that a page
/// still works after another one was opened beside it.
pub(crate) fn kept<'a>(cookies: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let ours = |token: &&[u8]| token.len() == 32 && token.iter().all(u8::is_ascii_hexdigit);
    let token = tokens(cookies).find(ours)?;
    String::from_utf8(token.to_owned()).ok()
}

/// The user with this name and password. Takes as long for a wrong one as for a right one.
pub(crate) fn user<'a>(users: &'a [User], name: &str, password: &str) -> Option<&'a User> {
    let mut found = None;
    for user in users {
        // Both are compared for all of them, so that time tells nothing about who exists.
        let here = same(user.name.to_lowercase().as_bytes(), name.to_lowercase().as_bytes())
            & same(user.password.as_bytes(), password.as_bytes());
        if here && found.is_none() {
            found = Some(user);
        }
    }
    found
}

/// Whether there is a user of this name: for the log alone, not for who asks.
pub(crate) fn is_known(users: &[User], name: &str) -> bool {
    users.iter().any(|user| user.name.to_lowercase() == name.to_lowercase())
}

/// Whether cookie and form carry the same token. Only a page of ours, not one of somebody else's, can make a browser
/// send that.
pub(crate) fn meant<'a>(cookies: impl Iterator<Item = &'a [u8]>, form: Option<&str>) -> bool {
    let Some(form) = form.filter(|token| !token.is_empty()) else { return false };
    tokens(cookies).any(|cookie| same(cookie, form.as_bytes()))
}

fn tokens<'a>(cookies: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    cookies
        .flat_map(|line| line.split(|b| b"; ,\n".contains(b)))
        .filter_map(|pair| pair.strip_prefix(b"securitytoken="))
}

/// Compares in a time that depends on the length of `given` alone.
fn same(kept: &[u8], given: &[u8]) -> bool {
    let differs = given.iter().enumerate().fold(kept.len() ^ given.len(), |differs, (i, byte)| {
        differs | usize::from(kept.get(i).copied().unwrap_or(0) ^ byte)
    });
    std::hint::black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_opens() {
        let users = [("admin", "monit"), ("viewer", "look")].map(|(n, p)| User {
            name: n.to_owned(),
            password: p.to_owned(),
            read_only: n == "viewer",
        });
        assert_eq!(user(&users, "ADMIN", "monit").map(|u| u.read_only), Some(false));
        assert_eq!(user(&users, "viewer", "look").map(|u| u.read_only), Some(true));
        for (name, password) in [
            ("admin", "Monit"),
            ("admin", "moni"),
            ("admin", "monit1"),
            ("admin", "look"),
            ("x", "monit"),
            ("", ""),
        ] {
            assert_eq!(user(&users, name, password), None, "{name}:{password}");
        }
    }

    #[test]
    fn a_post_needs_cookie_and_parameter_alike() {
        let check = |cookie: &'static str, form| meant([cookie.as_bytes()].into_iter(), form);
        assert!(check("securitytoken=abc", Some("abc")));
        assert!(check("x=1; securitytoken=abc,y=2", Some("abc")));
        assert!(!check("securitytoken=abc", Some("abd")));
        assert!(!check("securitytoken=", Some("")));
        assert!(!check("xsecuritytoken=abc", Some("abc")));
        assert!(!check("securitytoken=abc", None));
        assert!(!meant([].into_iter(), Some("abc")));
    }

    #[test]
    fn a_browser_keeps_its_token_and_nobody_else_invents_one() {
        let kept = |cookie: &'static str| kept([cookie.as_bytes()].into_iter());
        let ours = "0123456789abcdef0123456789abcdef";
        assert_eq!(kept("a=b; securitytoken=0123456789abcdef0123456789abcdef").as_deref(), Some(ours));
        assert_eq!(kept("securitytoken=t0"), None);
        assert_eq!(kept("securitytoken=0123456789abcdef0123456789abcde'"), None);
    }

    #[test]
    fn tokens_do_not_repeat() {
        let (a, b) = (token().unwrap(), token().unwrap());
        assert!(a != b && a.len() == 32);
    }
}
