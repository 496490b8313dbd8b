//! The options of the command line for Kafka sinks.

use crate::core::option_spec::{Group, OptionSpec};

/// The file that gets the Avro schema.
pub(super) const AVRO_SCHEMA: OptionSpec =
    OptionSpec::path("avro-schema", "FILE", Group::Output, "Write the Avro schema of the documents to FILE, for a kafka sink with format=avro")
        .more(
            "The schema follows from the types of the one format or pattern of the job. The same types give the same bytes. A file \
             that is there is replaced.",
        )
        .writes("file of --avro-schema")
        .rare();
