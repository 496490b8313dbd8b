//! What the report of a message says about it. Pure.

use rdkafka::types::RDKafkaErrorCode as Code;

use crate::kafka::trouble::Meaning;

/// What the report of a message that was not written says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// The broker takes no batch of this size. The message is too large if the batch held nothing else.
    TooLarge,
    /// The broker never takes the message.
    Refused,
    /// The message is to be sent again.
    Again {
        /// Whether the topic may have it.
        written: bool,
    },
    /// The settings of the cluster refuse all messages.
    Settings,
}

/// Returns what an error in the report of a message says.
pub(super) fn judge(code: Code) -> Judged {
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => Judged::TooLarge,
        Code::InvalidRecord | Code::InvalidTimestamp | Code::PolicyViolation => Judged::Refused,
        // Another message of the same batch was refused, and the broker has written none of them.
        Code::InvalidDifferentRecord => Judged::Again { written: false },
        Code::UnsupportedCompressionType
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::InvalidRequiredAcks
        | Code::InvalidArgument
        | Code::InvalidConfig => Judged::Settings,
        _ => match Meaning::of(code) {
            Meaning::Right | Meaning::Missing | Meaning::Login | Meaning::Tls => Judged::Settings,
            // Nothing tells whether the client had sent the message, also if it was purged from a queue: it may wait there for
            // its second attempt.
            Meaning::Away | Meaning::Fatal | Meaning::Other => Judged::Again { written: true },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_a_report_is_judged() {
        let again = |written| Judged::Again { written };
        for (code, expected) in [
            (Code::MessageSizeTooLarge, Judged::TooLarge),
            (Code::MessageBatchTooLarge, Judged::TooLarge),
            (Code::InvalidRecord, Judged::Refused),
            (Code::PolicyViolation, Judged::Refused),
            (Code::InvalidDifferentRecord, again(false)),
            (Code::TopicAuthorizationFailed, Judged::Settings),
            (Code::ClusterAuthorizationFailed, Judged::Settings),
            (Code::UnknownTopicOrPartition, Judged::Settings),
            (Code::UnknownTopic, Judged::Settings),
            (Code::UnsupportedCompressionType, Judged::Settings),
            (Code::PurgeQueue, again(true)),
            (Code::PurgeInflight, again(true)),
            (Code::MessageTimedOut, again(true)),
            (Code::NotEnoughReplicasAfterAppend, again(true)),
            (Code::RequestTimedOut, again(true)),
            (Code::OutOfOrderSequenceNumber, again(true)),
            (Code::Fatal, again(true)),
            (Code::KafkaStorageError, again(true)),
        ] {
            assert_eq!(judge(code), expected, "{code:?}");
        }
    }
}
