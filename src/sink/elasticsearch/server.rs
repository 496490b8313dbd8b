//! [`Server`]: what answers at the address, by its answer to `GET /`.

use std::fmt;

use serde::Deserialize;

use super::answer::Answer;

/// A server that the sink can work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Server {
    pub product: Product,
    /// The major and the minor version.
    pub version: (u32, u32),
}

/// The two products, which have different versions of what was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    Elasticsearch,
    OpenSearch,
}

/// The reason why an answer to `GET /` is not that of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoServer {
    /// A server may answer soon.
    NotYet(String),
    /// Waiting does not help. The text is the end of a sentence.
    Wrong(String),
}

#[derive(Deserialize)]
struct Root {
    version: Version,
    #[serde(default)]
    tagline: String,
}

#[derive(Deserialize)]
struct Version {
    number: String,
    #[serde(default)]
    distribution: String,
    #[serde(default)]
    build_flavor: String,
}

/// The texts of servers with TLS that get a request without it.
const NEEDS_TLS: [&[u8]; 2] =
    [b"plain HTTP request was sent to HTTPS port", b"Client sent an HTTP request to an HTTPS server"];

impl Server {
    /// Reads the answer to `GET /`.
    ///
    /// # Errors
    /// It is not the answer of a server that the sink can work with.
    pub fn read(answer: &Answer, body: &[u8]) -> Result<Server, NoServer> {
        let wrong = |words: String| Err(NoServer::Wrong(words));
        if NEEDS_TLS.iter().any(|text| memchr::memmem::find(body, text).is_some()) {
            return wrong("the server speaks TLS; write elasticsearch+https://".to_owned());
        }
        match answer.status {
            200..=299 if answer.is_page(body) => return wrong(format!("{}; check {CHECK}", answer.words(body))),
            200..=299 => {}
            300..=399 => return wrong(answer.redirect_words()),
            401 | 403 => return wrong(format!("the login is refused: {}", answer.words(body))),
            408 | 429 | 500..=599 => return Err(NoServer::NotYet(answer.words(body))),
            _ => return wrong(format!("{}; check {CHECK}", answer.words(body))),
        }
        let Ok(Root { version, tagline }) = serde_json::from_slice(body) else {
            return wrong(format!("the answer is not that of Elasticsearch or OpenSearch; check {CHECK}"));
        };
        let mut numbers = version.number.split('.').map(|number| number.parse().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version.distribution == "opensearch" || tagline.contains("OpenSearch") {
            // An OpenSearch can be told to pass for Elasticsearch 7.10.2.
            let version = if number == (7, 10) { (1, 0) } else { number };
            return Ok(Server { product: Product::OpenSearch, version });
        }
        // The version that a serverless project reports says nothing: it is newer than every release.
        let number = if version.build_flavor == "serverless" { (9, u32::MAX) } else { number };
        match number {
            (7.., _) => Ok(Server { product: Product::Elasticsearch, version: number }),
            (0, 0) => wrong(format!("the answer names no version; check {CHECK}")),
            _ => wrong(format!("Elasticsearch {} is too old; it must be 7.0 or later", shown(number))),
        }
    }

    /// Whether requests can demand that their index is a data stream. Any other server refuses the unknown parameter.
    pub fn knows_require_data_stream(self) -> bool {
        self.product == Product::Elasticsearch && self.version >= (8, 13)
    }

    /// Whether there are index templates that are made of components, and data streams.
    pub fn has_index_templates(self) -> bool {
        self.product == Product::OpenSearch || self.version >= (7, 9)
    }

    /// Whether there is the field type `match_only_text`.
    pub fn has_match_only_text(self) -> bool {
        match self.product {
            Product::Elasticsearch => self.version >= (7, 14),
            Product::OpenSearch => self.version >= (2, 12),
        }
    }
}

/// What the user checks when another server answers.
const CHECK: &str = "the host, the port and the path";

fn shown((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = match self.product {
            Product::Elasticsearch => "Elasticsearch",
            Product::OpenSearch => "OpenSearch",
        };
        match self.version.1 {
            u32::MAX => write!(f, "{product} (serverless)"),
            _ => write!(f, "{product} {}", shown(self.version)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Server, NoServer> {
        Server::read(&Answer { status, ..Answer::default() }, body.as_bytes())
    }

    #[test]
    fn products_and_versions_are_told_apart() {
        use Product::{Elasticsearch, OpenSearch};
        let root = |version: &str, tagline: &str| format!("{{\"version\":{{{version}}},\"tagline\":\"{tagline}\"}}");
        let search = "You Know, for Search";
        for (body, product, version, streams, text) in [
            (root("\"number\":\"7.9.3\"", search), Elasticsearch, (7, 9), false, false),
            (root("\"number\":\"7.17.20\"", search), Elasticsearch, (7, 17), false, true),
            (root("\"number\":\"8.12.0\"", search), Elasticsearch, (8, 12), false, true),
            (root("\"number\":\"8.13.0-SNAPSHOT\"", search), Elasticsearch, (8, 13), true, true),
            (root("\"number\":\"9.1.2\"", search), Elasticsearch, (9, 1), true, true),
            (
                root("\"number\":\"8.11.0\",\"build_flavor\":\"serverless\"", search),
                Elasticsearch,
                (9, u32::MAX),
                true,
                true,
            ),
            (root("\"number\":\"2.19.1\",\"distribution\":\"opensearch\"", ""), OpenSearch, (2, 19), false, true),
            (root("\"number\":\"1.3.0\",\"distribution\":\"opensearch\"", ""), OpenSearch, (1, 3), false, false),
            (
                root("\"number\":\"7.10.2\"", "The OpenSearch Project: https://opensearch.org/"),
                OpenSearch,
                (1, 0),
                false,
                false,
            ),
        ] {
            let server = read(200, &body).unwrap_or_else(|why| panic!("{body}: {why:?}"));
            let found =
                (server.product, server.version, server.knows_require_data_stream(), server.has_match_only_text());
            assert_eq!(found, (product, version, streams, text), "{server}");
        }
    }

    #[test]
    fn what_is_no_server_is_told_in_a_sentence() {
        let page = "<html><title>x</title></html>";
        for (status, body, waits, word) in [
            (200, page, false, "web page"),
            (404, page, false, "check the host"),
            (400, "<html>The plain HTTP request was sent to HTTPS port</html>", false, "elasticsearch+https://"),
            (400, "Client sent an HTTP request to an HTTPS server.\n", false, "elasticsearch+https://"),
            (
                401,
                "{\"error\":{\"type\":\"security_exception\",\"reason\":\"unable to authenticate\"}}",
                false,
                "login is refused",
            ),
            (403, "{}", false, "login is refused"),
            (301, "", false, "redirect"),
            (502, page, true, "web page"),
            (503, "{\"error\":\"starting\"}", true, "starting"),
            (429, "", true, "429"),
            (200, "{\"version\":{\"number\":\"6.8.23\"}}", false, "too old"),
            (200, "{\"version\":{\"number\":\"x\"}}", false, "no version"),
            (200, "{\"version\":\"3.1\"}", false, "not that of Elasticsearch"),
            (200, "SSH-2.0", false, "not that of Elasticsearch"),
        ] {
            match (read(status, body), waits) {
                (Err(NoServer::NotYet(words)), true) | (Err(NoServer::Wrong(words)), false) => {
                    assert!(words.contains(word), "{status} {body}: {words}");
                }
                (other, _) => panic!("{status} {body}: {other:?}"),
            }
        }
    }
}
