//! The counters of the source.

use crate::observe::counters::{Words, counters};

counters! {
    /// The counters of a `kafka://` input.
    pub COUNTERS of Source;
    TOMBSTONES = 320, "tombstones", "records", "Records of Kafka without a value, which are left out. They are among the filtered lines.", words(Words::NotZero("{} tombstones"));
    BAD_IDS = 321, "bad_ids", "records", "Records of Kafka whose header `logator-id` holds no id. They got ids from topic, partition and offset.", words(Words::NotZero("{} headers that hold no id"));
    UNDECODABLE = 322, "undecodable", "records", "Records of Kafka that are not in the form that `format=` names. They are among the dead-lettered lines.", words(Words::NotZero("{} records that are not in the form"));
    GONE = 323, "gone", "offsets", "Offsets of Kafka that the broker had removed before they were read.", words(Words::NotZero("{} offsets gone before they were read"));
    ASSIGNED = 324, "assigned", "partitions", "Partitions that the group gave to this consumer. A partition that comes again counts again.";
    REVOKED = 325, "revoked", "partitions", "Partitions that the group took away in order.";
    LOST = 326, "lost", "partitions", "Partitions that the group gave to another consumer without a word, because this one did not answer. Nothing is committed for them.", words(Words::NotZero("{} partitions lost"));
    UNDRAINED = 327, "undrained", "partitions", "Partitions that were given up while workers still had records of them. Another consumer reads these records again.", words(Words::NotZero("{} partitions given up with records in work"));
    COMMITS = 328, "commits", "commits", "Commits of offsets that the broker confirmed.";
    FAILED_COMMITS = 329, "failed_commits", "commits", "Commits of offsets that failed. They are tried again.", words(Words::NotZero("{} commits failed"));
    PAUSES = 330, "pauses", "pauses", "Times at which all partitions were paused, because there was no room for records.";
}
