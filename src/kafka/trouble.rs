//! [`Trouble`]: what an error of the client means, and its sentence. Pure.

use rdkafka::types::RDKafkaErrorCode as Code;

/// What an error means for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A broker cannot be reached, or does not answer. The client tries again.
    Away,
    /// The login is refused.
    Login,
    /// TLS failed.
    Tls,
    /// The login lacks a right.
    Right,
    /// The topic or one of its partitions does not exist.
    Missing,
    /// The client cannot go on.
    Fatal,
    /// Anything else that the client reports. It goes on.
    Other,
}

/// An error of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it means.
    pub meaning: Meaning,
    /// The sentence for the user, without the name of the sink or source.
    pub words: String,
}

impl Meaning {
    /// Returns the meaning of `code`.
    pub fn of(code: Code) -> Meaning {
        match code {
            Code::BrokerTransportFailure
            | Code::Resolve
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::RebootstrapRequired => Meaning::Away,
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState => Meaning::Login,
            Code::SSL => Meaning::Tls,
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SecurityDisabled => Meaning::Right,
            Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicId
            | Code::InvalidTopic => Meaning::Missing,
            Code::Fatal | Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => Meaning::Fatal,
            _ => Meaning::Other,
        }
    }
}

impl Trouble {
    /// Makes a sentence of an error. `reason` is the text that librdkafka has for it.
    pub fn new(code: Code, reason: &str) -> Trouble {
        let meaning = Meaning::of(code);
        let reason = shortened(reason);
        let words = match meaning {
            Meaning::Login => format!("the login is refused: {reason}"),
            Meaning::Tls => format!("TLS failed: {reason}"),
            Meaning::Right => format!("the login lacks a right: {reason}"),
            Meaning::Away | Meaning::Missing | Meaning::Fatal | Meaning::Other => reason.to_owned(),
        };
        Trouble { meaning, words }
    }
}

/// Returns `reason` without the state of the connection at its end, and without the name of the client in front.
fn shortened(reason: &str) -> &str {
    let reason = reason.trim();
    let reason = match reason.strip_prefix('[') {
        Some(rest) => rest.split_once("]: ").map_or(reason, |(_, rest)| rest),
        None => reason,
    };
    match reason.rfind(" (after ") {
        Some(at) if reason.ends_with(')') && reason[at..].contains(" in state ") => &reason[..at],
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_client_have_a_meaning_and_a_sentence() {
        for (code, reason, meaning, words) in [
            (
                Code::BrokerTransportFailure,
                "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
                Meaning::Away,
                "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused",
            ),
            (Code::AllBrokersDown, "1/1 brokers are down", Meaning::Away, "1/1 brokers are down"),
            (
                Code::Authentication,
                "sasl_plaintext://h:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password (after 8ms in state AUTH_REQ, 1 identical error(s) suppressed)",
                Meaning::Login,
                "the login is refused: sasl_plaintext://h:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password",
            ),
            (
                Code::SSL,
                "ssl://h:1/bootstrap: SSL handshake failed",
                Meaning::Tls,
                "TLS failed: ssl://h:1/bootstrap: SSL handshake failed",
            ),
            (Code::TopicAuthorizationFailed, "no", Meaning::Right, "the login lacks a right: no"),
            (Code::Fatal, "[thrd:main]: x", Meaning::Fatal, "x"),
            (Code::PolicyViolation, "x (after all)", Meaning::Other, "x (after all)"),
        ] {
            let trouble = Trouble::new(code, reason);
            assert_eq!((trouble.meaning, trouble.words.as_str()), (meaning, words), "{code:?}");
        }
    }
}
