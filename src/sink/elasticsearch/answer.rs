//! The meaning of a whole answer, when it is not the reply to a bulk request: a refused login, a body that is too large, a
//! server that is busy, a proxy's page.

use serde_json::Value;

use super::reply::{error_words, shortened};

/// The head of an answer. Its body is kept elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: String,
    /// Where a redirect leads.
    pub location: String,
}

/// The reason why an answer settles nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another attempt may succeed.
    Transient {
        /// The reason.
        words: String,
        /// Whether the server may have done what was asked.
        maybe_written: bool,
        /// Whether this host cannot work, so that another one is asked next.
        host_failed: bool,
    },
    /// The body is too large.
    TooLarge(String),
    /// No attempt succeeds before someone changes the address or the settings of the server.
    Fatal(String),
}

impl Answer {
    /// Returns whether `body` is a page for people. Neither server answers with one.
    pub fn is_page(&self, body: &[u8]) -> bool {
        self.content_type.starts_with("text/html") || body.trim_ascii_start().starts_with(b"<")
    }

    /// Returns whether the server has done what was asked.
    pub fn is_success(&self, body: &[u8]) -> bool {
        (200..=299).contains(&self.status) && !self.is_page(body)
    }

    /// Returns what the server says, in words.
    pub fn words(&self, body: &[u8]) -> String {
        let status = self.status;
        if self.is_page(body) {
            return format!(
                "the answer is a web page (status {status}), so it comes from a proxy or from another server"
            );
        }
        let parsed: Option<Value> = serde_json::from_slice(body).ok();
        let error = parsed.as_ref().and_then(|value| value.get("error").or_else(|| value.get("message")));
        match error {
            Some(error) => format!("{} (status {status})", error_words(error).1),
            None => match shortened(String::from_utf8_lossy(body).trim()) {
                text if text.is_empty() => format!("status {status}"),
                text => format!("{text} (status {status})"),
            },
        }
    }

    /// Returns the end of a sentence about a redirect. Of the place where it leads, only the server is shown.
    pub fn redirect_words(&self) -> String {
        let place = self.location.split_once("://").map(|(scheme, rest)| {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            (scheme, host)
        });
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c));
        match place.filter(|(scheme, host)| is_plain(scheme) && is_plain(host)) {
            Some((scheme, host)) => format!(
                "the answer is a redirect to {scheme}://{host} (status {}); write that address if it is the server's",
                self.status
            ),
            None => {
                format!("the answer is a redirect (status {}); write the address of the server itself", self.status)
            }
        }
    }

    /// Judges an answer that is no [success](Answer::is_success).
    pub fn failure(&self, body: &[u8]) -> Failure {
        let words = self.words(body);
        let transient = |words, maybe_written, host_failed| Failure::Transient { words, maybe_written, host_failed };
        match self.status {
            300..=399 => Failure::Fatal(self.redirect_words()),
            401 | 403 if !self.is_page(body) => transient(format!("the login is refused: {words}"), false, false),
            413 => Failure::TooLarge(words),
            429 => transient(words, false, false),
            500 => transient(words, true, false),
            408 | 501..=599 => transient(words, true, true),
            // A proxy whose server is gone has such pages too.
            _ if self.is_page(body) => transient(words, true, true),
            _ => Failure::Fatal(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str) -> Answer {
        Answer { status, content_type: content_type.into(), location: String::new() }
    }

    #[test]
    fn each_status_has_one_meaning_and_a_page_never_ends_a_run() {
        let json = "{\"error\":{\"type\":\"t\",\"reason\":\"r\"},\"status\":1}";
        let page = "<html><head><title>502 Bad Gateway</title></head></html>";
        for (status, body, expected) in [
            (400, json, "fatal"),
            (404, json, "fatal"),
            (405, json, "fatal"),
            (301, "", "fatal"),
            (401, json, "again"),
            (403, json, "again"),
            (429, json, "again"),
            (500, json, "again, may be there"),
            (502, page, "again, may be there, host"),
            (503, json, "again, may be there, host"),
            (504, page, "again, may be there, host"),
            (200, page, "again, may be there, host"),
            (403, page, "again, may be there, host"),
            (404, page, "again, may be there, host"),
            (413, page, "too large"),
            (413, json, "too large"),
        ] {
            let short = match answer(status, "").failure(body.as_bytes()) {
                Failure::Fatal(_) => "fatal",
                Failure::TooLarge(_) => "too large",
                Failure::Transient { maybe_written: false, host_failed: false, .. } => "again",
                Failure::Transient { maybe_written: true, host_failed: false, .. } => "again, may be there",
                Failure::Transient { host_failed: true, .. } => "again, may be there, host",
            };
            assert_eq!(short, expected, "{status} {body}");
        }
    }

    #[test]
    fn the_words_are_those_of_the_server_and_never_a_page() {
        for (status, kind, body, words) in [
            (400, "application/json", "{\"error\":{\"type\":\"t\",\"reason\":\"r\"}}", "t: r (status 400)"),
            (401, "application/json", "{\"error\":\"no key\"}", "no key (status 401)"),
            (403, "application/json", "{\"message\":\"Forbidden\"}", "Forbidden (status 403)"),
            (401, "text/plain", "Unauthorized\n", "Unauthorized (status 401)"),
            (500, "", "", "status 500"),
            (404, "text/html; charset=utf-8", "Not Found", "a web page (status 404)"),
            (502, "", "\n <html>secret</html>", "a web page (status 502)"),
        ] {
            let said = answer(status, kind).words(body.as_bytes());
            assert!(said.contains(words) && !said.contains("secret"), "{said}");
        }
        assert!(!answer(200, "text/html").is_success(b"{}") && !answer(200, "").is_success(b"<x>"));
        assert!(answer(200, "application/json").is_success(b"{}") && !answer(400, "").is_success(b"{}"));
    }

    #[test]
    fn a_redirect_shows_only_the_server() {
        for (location, shown) in [
            ("https://es.example:9243/x?token=hush", "to https://es.example:9243 (status 302)"),
            ("/login?hush", "a redirect (status 302)"),
            ("https://u:hush@h/", "a redirect (status 302)"),
        ] {
            let answer = Answer { location: location.into(), ..answer(302, "") };
            let words = answer.redirect_words();
            assert!(words.contains(shown) && !words.contains("hush"), "{words}");
        }
    }
}
