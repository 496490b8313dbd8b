//! Failures of libcurl, as classes of errors: from its number, the error number of the system, and the phase.

use nix::errno::Errno;

use super::outcome::{ErrorClass, Fault};
use super::phases::Stage;

/// What libcurl says about a request that failed.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// The number of libcurl (`CURLE_…`).
    pub code: u32,
    /// The error number of the system; 0 if there is none.
    pub errno: i32,
    /// The sentence of libcurl.
    pub text: &'a str,
    /// The phase in which the request ended.
    pub stage: Stage,
}

/// Returns the class of a failure.
pub fn classify(failure: &Failure<'_>) -> ErrorClass {
    let errno = Errno::from_raw(failure.errno);
    // The numbers are those of `curl.h`.
    match failure.code {
        // COULDNT_CONNECT, INTERFACE_FAILED
        7 | 45 if is_local(errno) => ErrorClass::Local,
        // URL_MALFORMAT
        3 => ErrorClass::Url,
        // COULDNT_RESOLVE_PROXY, COULDNT_RESOLVE_HOST
        5 | 6 => ErrorClass::Dns,
        // COULDNT_CONNECT
        7 => match errno {
            Errno::ECONNREFUSED => ErrorClass::Refused,
            Errno::ETIMEDOUT => ErrorClass::TimeoutConnect,
            Errno::ECONNRESET => ErrorClass::Reset,
            _ => ErrorClass::Unreachable,
        },
        // OPERATION_TIMEDOUT
        28 => timeout(failure.stage),
        // PEER_FAILED_VERIFICATION, SSL_ISSUER_ERROR, SSL_PINNEDPUBKEYNOTMATCH, SSL_INVALIDCERTSTATUS
        60 | 83 | 90 | 91 => ErrorClass::TlsVerify,
        // SSL_CONNECT_ERROR: a server that cuts the connection during the handshake is told apart.
        35 if errno == Errno::ECONNRESET => ErrorClass::Reset,
        // SSL_CONNECT_ERROR, SSL_ENGINE_…, SSL_CERTPROBLEM, SSL_CIPHER, SSL_CACERT_BADFILE, SSL_CRL_BADFILE
        35 | 53 | 54 | 58 | 59 | 77 | 82 => ErrorClass::Tls,
        // SEND_ERROR, RECV_ERROR
        55 | 56 => match errno {
            Errno::ETIMEDOUT => timeout(failure.stage),
            _ => ErrorClass::Reset,
        },
        // PARTIAL_FILE, GOT_NOTHING
        18 | 52 => ErrorClass::Closed,
        // UNSUPPORTED_PROTOCOL (an answer of HTTP 0.9), WEIRD_SERVER_REPLY, HTTP2, HTTP2_STREAM, TOO_LARGE (a header)
        1 | 8 | 16 | 92 | 100 => ErrorClass::Protocol,
        // PROXY
        97 => ErrorClass::Proxy,
        // OUT_OF_MEMORY
        27 => ErrorClass::Local,
        _ => ErrorClass::Other,
    }
}

/// Returns the fault of a failure. The `secret` does not stand in its text.
pub fn fault(failure: &Failure<'_>, secret: Option<&str>) -> Fault {
    let class = classify(failure);
    let mut text = failure.text.trim().to_owned();
    if let Some(secret) = secret {
        text = text.replace(secret, "***");
    }
    if class == ErrorClass::Local && failure.errno != 0 {
        text = format!("{text} ({})", Errno::from_raw(failure.errno).desc());
    }
    Fault { class, text: crate::core::printable::line(&text).into_owned() }
}

/// Returns the fault of an answer whose status is not the expected one.
pub fn unexpected(status: u16, expected: Option<u16>) -> Option<Fault> {
    let text = match expected {
        Some(expected) if status == expected => return None,
        Some(expected) => format!("status {status} instead of {expected}"),
        None if status < 400 => return None,
        None => format!("status {status}"),
    };
    Some(Fault { class: ErrorClass::Http, text })
}

/// Returns whether this machine is at a limit of its own.
fn is_local(errno: Errno) -> bool {
    matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS | Errno::EADDRNOTAVAIL)
}

fn timeout(stage: Stage) -> ErrorClass {
    match stage {
        Stage::NameLookup => ErrorClass::TimeoutDns,
        Stage::Connect => ErrorClass::TimeoutConnect,
        Stage::Tls => ErrorClass::TimeoutTls,
        Stage::Send | Stage::Wait => ErrorClass::TimeoutFirstByte,
        Stage::Transfer => ErrorClass::TimeoutTransfer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_class_of_its_cause() {
        let reset = Errno::ECONNRESET as i32;
        for (code, errno, stage, keyword) in [
            (6, 0, Stage::NameLookup, "dns"),
            (28, 0, Stage::NameLookup, "timeout-dns"),
            (7, Errno::ECONNREFUSED as i32, Stage::Connect, "refused"),
            (7, Errno::EHOSTUNREACH as i32, Stage::Connect, "unreachable"),
            (7, Errno::ETIMEDOUT as i32, Stage::Connect, "timeout-connect"),
            (7, Errno::EADDRNOTAVAIL as i32, Stage::Connect, "local"),
            (7, Errno::EMFILE as i32, Stage::Connect, "local"),
            (28, 0, Stage::Connect, "timeout-connect"),
            (28, 0, Stage::Tls, "timeout-tls"),
            (35, 0, Stage::Tls, "tls"),
            (35, reset, Stage::Tls, "reset"),
            (60, 0, Stage::Tls, "tls-verify"),
            (28, 0, Stage::Wait, "timeout-first-byte"),
            (56, reset, Stage::Wait, "reset"),
            (52, 0, Stage::Wait, "closed"),
            (18, 0, Stage::Transfer, "closed"),
            (28, 0, Stage::Transfer, "timeout-transfer"),
            (1, 0, Stage::Transfer, "protocol"),
            (3, 0, Stage::NameLookup, "url"),
            (999, 0, Stage::Transfer, "other"),
        ] {
            let class = classify(&Failure { code, errno, text: "", stage });
            assert_eq!(class.keyword(), keyword, "{code} {errno} {stage:?}");
        }
    }

    #[test]
    fn the_text_of_a_fault_is_one_line_without_the_password() {
        let failure = Failure { code: 3, errno: 0, text: "URL rejected: u:pa55\n@x ", stage: Stage::NameLookup };
        assert_eq!(fault(&failure, Some("pa55")).text, "URL rejected: u:***\\n@x");
    }

    #[test]
    fn a_status_is_an_error_if_it_is_not_the_expected_one() {
        for (status, expected, is_error) in
            [(200, None, false), (302, None, false), (404, None, true), (404, Some(404), false), (200, Some(204), true)]
        {
            assert_eq!(unexpected(status, expected).is_some(), is_error, "{status} {expected:?}");
        }
    }

    #[test]
    fn every_class_has_a_keyword_of_its_own() {
        let keywords: std::collections::HashSet<_> = ErrorClass::ALL.iter().map(|class| class.keyword()).collect();
        assert_eq!(keywords.len(), ErrorClass::ALL.len());
    }
}
