//! The counters of the source.

use crate::observe::counters::{Words, counters};

counters! {
    /// The counters of all `docker:` inputs of a job.
    pub COUNTERS of Source;
    BY_FILES = 288, "by_files", "containers", "Containers whose log files were read.", words(Words::NotZero("{} containers read from their files"));
    BY_API = 289, "by_api", "containers", "Containers whose logs were read through the API of the Engine.", words(Words::NotZero("{} containers read through the API"));
    RECONNECTED = 290, "reconnected", "connections", "Connections to the Engine that were lost and made again.", words(Words::NotZero("{} connections made again"));
    REPEATED = 291, "repeated", "records", "Records that the Engine sent once more after a connection was made again. They were not handed on again.";
    RECOVERED = 292, "recovered", "records", "Records that the Engine had skipped, and that were found by reading a part of a log again.", words(Words::NotZero("{} records found that the Engine had skipped"));
    GAPS = 293, "gaps", "gaps", "Times at which records of a container were gone before they could be read.", words(Words::NotZero("{} gaps"));
}
