//! [`KafkaRecords`]: records as they were read, as messages. The number of the origin is the key, so the records of an origin
//! are in one partition, and stay in their order there if one thread stores them.

use std::sync::Arc;

use super::delivery::{Delivery, Message, Messages};
use super::startup;
use super::target::{Target, wrong};
use crate::core::error::{Error, Result};
use crate::core::secrets::interpolation;
use crate::kafka::headers;
use crate::observe::counters::Counters;
use crate::sink::api::{Outcome, Record, RecordSink};
use crate::sink::kind::Opening;

/// Opens the topic that `text` names for records, in the form `kafka://BROKERS/TOPIC?…`. `${NAME}` and `${file:PATH}` in it stand
/// for secrets.
///
/// # Errors
/// A usage error for an address that is not understood, and the errors of [`OpenSink::open`](crate::sink::OpenSink::open).
pub fn open_records(text: &str, with: &Opening<'_>) -> Result<Arc<dyn RecordSink>> {
    let follow = |name: &str| interpolation::follow("topic", name);
    let expanded = interpolation::expand("topic", text, &follow)?;
    let target = Target::parse_for_records(expanded.as_deref().unwrap_or(text));
    let target = target.map_err(|why| Error::usage(wrong(text, &why)))?;
    Ok(Arc::new(KafkaRecords { delivery: startup::connect(&target, with)? }))
}

/// A sink of records.
struct KafkaRecords {
    delivery: Delivery,
}

impl RecordSink for KafkaRecords {
    fn name(&self) -> &str {
        &self.delivery.name
    }

    fn store(&self, records: &[Record<'_>], outcomes: &mut Vec<Outcome>) -> Result<()> {
        self.delivery.deliver(&OfRecords(records), outcomes)
    }

    fn counters(&self) -> Option<&Counters> {
        Some(&self.delivery.counters)
    }
}

struct OfRecords<'a>(&'a [Record<'a>]);

impl Messages for OfRecords<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn with<T>(&self, index: usize, take: impl FnOnce(Message<'_>) -> T) -> T {
        let Record { bytes, id, context } = self.0[index];
        let origin = context.origin.id;
        take(Message { value: bytes, key: Some(&headers::origin_digits(origin)), id, origin })
    }
}
