//! Requests: what is asked for, and how that is read from text and shown.

use std::fmt;

use url::{Host, Url};

use crate::core::error::{Error, Result};
use crate::core::secrets::masked;

/// One line of a probe's list: what is asked for again and again. Several occurrences share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// The address.
    pub target: Target,
    /// The method.
    pub method: Method,
    /// The name that the user gave.
    pub name: Option<String>,
    /// The only status that is no error. Without it, every status below 400 is none.
    pub expected_status: Option<u16>,
}

impl Request {
    /// Creates a request with the method GET from a URL.
    ///
    /// ```
    /// use logator::probe::request::Request;
    ///
    /// let request = Request::get("http://user:secret@example.com/a b")?;
    /// assert_eq!(request.target.to_string(), "http://example.com/a%20b");
    /// assert!(Request::get("ftp://example.com/").is_err());
    /// # Ok::<(), logator::core::error::Error>(())
    /// ```
    pub fn get(url: &str) -> Result<Self> {
        Ok(Request { target: Target::parse(url)?, method: Method::GET, name: None, expected_status: None })
    }
}

/// An address of a request. Its text, also that of `Debug`, is without a user's name and password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target(Url);

impl Target {
    /// Reads a URL of `http` or `https`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::usage(format!("the URL {} cannot be requested: {why}", masked(text)));
        let url = Url::parse(text).map_err(|why| match why {
            url::ParseError::RelativeUrlWithoutBase => wrong("it must begin with http:// or https://"),
            why => wrong(&why.to_string()),
        })?;
        Target::of(url).ok_or_else(|| wrong("only http:// and https:// can be requested"))
    }

    /// Returns the address to which a server's `Location` leads from here. A relative address is resolved; the login of
    /// this address goes along only to the same server.
    ///
    /// The error is the reason, as a part of a sentence.
    pub(super) fn join(&self, location: &str) -> std::result::Result<Self, String> {
        let mut url = self.0.join(location).map_err(|why| format!("its address cannot be read: {why}"))?;
        let foreign = || "it leads to neither http nor https".to_owned();
        if !is_web(&url) {
            return Err(foreign());
        }
        let same_server = url.origin() == self.0.origin();
        let has_login = !url.username().is_empty() || url.password().is_some();
        if same_server && !has_login {
            url.set_username(self.0.username()).map_err(|()| foreign())?;
            url.set_password(self.0.password()).map_err(|()| foreign())?;
        }
        url.set_fragment(None);
        Ok(Target(url))
    }

    fn of(mut url: Url) -> Option<Self> {
        url.set_fragment(None);
        is_web(&url).then_some(Target(url))
    }

    /// Returns the address for libcurl, with the user's name and password.
    pub(super) fn with_login(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the password in the forms in which a message can repeat it.
    pub(super) fn password(&self) -> Option<&str> {
        self.0.password().filter(|password| !password.is_empty())
    }

    /// Returns whether the connection uses TLS.
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns whether the server is given by a name that must be looked up.
    pub fn is_named(&self) -> bool {
        matches!(self.0.host(), Some(Host::Domain(_)))
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.username().is_empty() && self.0.password().is_none() {
            return f.write_str(self.0.as_str());
        }
        let mut url = self.0.clone();
        // Neither fails: the address has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// The method of a request: a token of HTTP, in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Method(std::borrow::Cow<'static, str>);

impl Method {
    /// The method that asks for a document.
    pub const GET: Method = Method(std::borrow::Cow::Borrowed("GET"));
    /// The method that asks for the head of an answer.
    pub const HEAD: Method = Method(std::borrow::Cow::Borrowed("HEAD"));

    /// Reads a method.
    pub fn parse(text: &str) -> Result<Self> {
        let token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
        if text.is_empty() || text.len() > 32 || !text.bytes().all(token) {
            return Err(Error::usage(format!("{text:?} is no method of HTTP, such as GET, HEAD or POST")));
        }
        let method = text.to_ascii_uppercase();
        if method == "CONNECT" {
            return Err(Error::usage("the method CONNECT asks a proxy for a connection and cannot be requested"));
        }
        Ok(Method(method.into()))
    }

    /// Returns the method as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether requests with this method say that their body is empty. (HTTP expects that of these methods.)
    pub(super) fn has_body(&self) -> bool {
        matches!(self.as_str(), "POST" | "PUT" | "PATCH")
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_login() {
        for (given, shown) in [
            ("http://example.com", "http://example.com/"),
            ("HTTPS://user:secret@Example.com:443/a?b=c#d", "https://example.com/a?b=c"),
            ("http://user@[::1]:8080/x y", "http://[::1]:8080/x%20y"),
        ] {
            let target = Target::parse(given).unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(format!("{target:?}"), format!("{shown:?}"));
        }
    }

    #[test]
    fn only_urls_of_http_with_a_server_are_taken() {
        for (given, reason) in [
            ("example.com/x", "must begin with http://"),
            ("ftp://example.com/", "only http:// and https://"),
            ("file:///etc/passwd", "only http:// and https://"),
            ("http://", "empty host"),
            ("http://example.com:99999/", "invalid port number"),
            ("http://user:se%cret@exa mple.com/", "invalid"),
            ("", "must begin with http://"),
        ] {
            let error = Target::parse(given).unwrap_err().to_string();
            assert!(error.contains(reason), "{given}: {error}");
            assert!(!error.contains("se%cret"), "{error}");
        }
    }

    #[test]
    fn a_location_is_resolved_and_logins_stay_with_their_server() {
        let from = Target::parse("http://user:secret@example.com/a/b?c").unwrap();
        for (location, full) in [
            ("d", "http://user:secret@example.com/a/d"),
            ("/d?e#f", "http://user:secret@example.com/d?e"),
            ("http://example.com/d", "http://user:secret@example.com/d"),
            ("http://other@example.com/d", "http://other@example.com/d"),
            ("//other.example/d", "http://other.example/d"),
            ("https://example.com/d", "https://example.com/d"),
            ("http://example.com:8080/d", "http://example.com:8080/d"),
        ] {
            assert_eq!(from.join(location).unwrap().with_login(), full, "{location}");
        }
        for location in ["file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "http://[", "http://"] {
            assert!(from.join(location).is_err(), "{location}");
        }
    }

    #[test]
    fn a_method_is_a_token() {
        assert_eq!(Method::parse("post").unwrap().as_str(), "POST");
        assert_eq!(Method::parse("PROPFIND").unwrap().as_str(), "PROPFIND");
        for wrong in ["", "GET /", "GET\r\nX: y", "CONNECT", "GÉT", &"A".repeat(33)] {
            assert!(Method::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
