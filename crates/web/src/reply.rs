//! What every answer has in common: header fields, the error page, the redirect after a POST.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use axum::response::IntoResponse;
use hyper::ext::ReasonPhrase;

use crate::page::escape;
use crate::{Denial, api, assets};

/// A request that is not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) why: String,
    /// What is told to whoever listens for refusals, if it is one of somebody and not of something.
    pub(crate) denial: Option<Denial>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        let why = why.into();
        let denial = (status == StatusCode::FORBIDDEN).then(|| Denial::Forbidden(why.clone()));
        Self { status, why, denial }
    }

    /// Nobody of that name and password is known.
    pub(crate) fn log_in(denial: Option<Denial>) -> Self {
        let why = "User name or password is missing or wrong; log in with one that the configuration allows";
        Self { denial, ..Self::new(StatusCode::UNAUTHORIZED, why) }
    }

    /// There is nothing here. The text is one that programs read.
    pub(crate) fn nothing_called(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no service named \"{name}\""))
    }

    /// The supervisor has ended, and we are about to.
    pub(crate) fn ended() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The supervisor has ended; start it again")
    }

    /// The page. The message stands alone between `</h2>` and `<hr>`, on the first line, in a body of less than
    /// 1024 bytes: so `monit` as a command line finds it.
    fn page(&self) -> String {
        const LONGEST: usize = 600;
        let code = self.status.as_u16();
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut why = String::new();
        for c in self.why.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            let c = escape(c.encode_utf8(&mut [0; 4]));
            if why.len() + c.len() > LONGEST {
                why += "...";
                break;
            }
            why += &c;
        }
        let style = &assets::STYLE.path;
        format!(
            "<!DOCTYPE html><html lang='en'><head><title>{code} {title}</title><meta charset='utf-8'>\
             <meta name='viewport' content='width=device-width, initial-scale=1'>\
             <link rel='stylesheet' href='{style}'></head><body class='refusal'><h2>{title}</h2>{why}<hr>\
             <a href='/'>All services</a></body></html>\r\n"
        )
    }
}

impl IntoResponse for Refusal {
    /// Its text is written by [`dress`], which knows for whom.
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

/// For whom an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people, and for programs that know Monit.
    Page,
    /// For programs that ask for JSON.
    Json,
}

impl Form {
    /// By the path asked for.
    pub(crate) fn of(path: &str) -> Self {
        if path.starts_with(api::ROOT) { Form::Json } else { Form::Page }
    }
}

/// Marks an answer that stays the same for ever under its address. It bears no token: a page and the files that belong
/// to it must not have two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lasting;

/// Makes an answer what clients of Monit expect: HTTP/1.0, closed afterwards, with a token unless refused, and
/// redirected to `posted` if it answers a good POST.
pub(crate) fn dress(
    mut response: Response<Body>,
    version: &str,
    token: &str,
    posted: Option<&str>,
    form: Form,
) -> Response<Body> {
    let lasting = response.extensions_mut().remove::<Lasting>().is_some();
    let refusal = response.extensions_mut().remove::<Refusal>();
    let kind = response.headers_mut().remove(header::CONTENT_TYPE);
    let mut fields = HeaderMap::new();
    fields.insert(header::SERVER, value(format!("monit {version}").trim_end()));
    fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
    fields.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    fields.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'self'",
        ),
    );
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let keep = if lasting { "private, max-age=31536000, immutable" } else { "no-store" };
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Some(refusal) = refusal {
        if refusal.status == StatusCode::UNAUTHORIZED {
            fields.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"monit\""));
        }
        let (kind, body) = match form {
            Form::Page => ("text/html", Body::from(refusal.page())),
            Form::Json => ("application/json", Body::from(api::refusal(&refusal))),
        };
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        *response.body_mut() = body;
    } else {
        if !lasting {
            // Half a day, so that the buttons of a page left open still work; Monit's last ten minutes.
            let cookie = format!("securitytoken={token}; Max-Age=43200; HttpOnly; SameSite=strict");
            fields.insert(header::SET_COOKIE, value(&cookie));
        }
        fields.insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("text/html")));
        if let Some(path) = posted {
            *response.status_mut() = StatusCode::FOUND;
            response.extensions_mut().insert(ReasonPhrase::from_static(b"Moved Temporarily"));
            fields.insert(header::LOCATION, value(path));
        }
    }
    *response.headers_mut() = fields;
    *response.version_mut() = Version::HTTP_10;
    response
}

/// Header fields are made of text without control characters; anything else becomes empty.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_page_stays_short_and_on_one_line() {
        let page = Refusal::nothing_called(&"<\n".repeat(400)).page();
        assert!(page.len() < 1024, "{}", page.len());
        assert_eq!(page.lines().count(), 1);
        assert!(page.contains("</h2>There is no service named \"&lt; &lt; "), "{page}");
        assert!(page.contains("...<hr>"));
    }
}
