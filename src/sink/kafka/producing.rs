//! The settings of the client that logator sets itself, and their reasons. Pure.

/// The memory of a message in the client, beside its value and key: the message itself, its headers, and its report.
const OVERHEAD: usize = 512;

/// The memory for values and keys is never smaller, so that a document of the usual limits finds room.
const LEAST_MEMORY: usize = 4 << 20;

/// A request is never larger, because brokers refuse more than 100 MiB (`socket.request.max.bytes`).
const LARGEST_MESSAGE: usize = 64 << 20;

/// The size of a batch of the client, which is below the default limit of topics (1,048,588 bytes). A larger message is a batch
/// of its own.
pub(super) const BATCH_SIZE: usize = 1_000_000;

/// Returns the settings for a client that may use `memory` bytes for messages. Those that an address may hold come first in
/// [`settings`](crate::kafka::settings::settings), so the address counts.
pub(super) fn settings(memory: usize) -> Vec<(String, String)> {
    let half = (memory / 2).max(LEAST_MEMORY);
    let pairs = [
        // All replicas in sync confirm, in order, and retries write nothing twice.
        ("enable.idempotence", "true".to_owned()),
        ("acks", "all".to_owned()),
        // No limit: one that is shorter than the deadline of the job would give messages up which a second attempt writes
        // twice, and a longer one would write messages after their batch was given back.
        ("message.timeout.ms", "0".to_owned()),
        ("compression.codec", "zstd".to_owned()),
        ("partitioner", "murmur2_random".to_owned()),
        // A call hands over a whole batch at once, so a short time fills the batches of the client.
        ("linger.ms", "10".to_owned()),
        ("batch.size", BATCH_SIZE.to_string()),
        ("batch.num.messages", "10000".to_owned()),
        ("queue.buffering.max.kbytes", (half >> 10).to_string()),
        ("queue.buffering.max.messages", (half / OVERHEAD).to_string()),
        ("message.max.bytes", half.min(LARGEST_MESSAGE).to_string()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Returns the value of a setting, which stands last among those of its name.
pub(super) fn number(settings: &[(String, String)], name: &str) -> Option<usize> {
    settings.iter().rev().find(|(known, _)| known == name)?.1.parse().ok()
}

/// Returns the next smaller size of batches. Below a certain size, each message is a batch of its own.
pub(super) fn smaller(batch_size: usize) -> usize {
    match batch_size / 2 {
        half if half >= 32 << 10 => half,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_bounds_what_the_client_holds() {
        for memory in [1 << 16, 8 << 20, 96 << 20, 1 << 30] {
            let settings = settings(memory);
            let get = |name| number(&settings, name).unwrap();
            let held = (get("queue.buffering.max.kbytes") << 10) + get("queue.buffering.max.messages") * OVERHEAD;
            assert!(held <= memory.max(2 * LEAST_MEMORY), "{memory}: {held}");
            assert!(
                get("message.max.bytes") <= get("queue.buffering.max.kbytes") << 10,
                "the largest message finds room"
            );
            assert!(get("message.max.bytes") <= LARGEST_MESSAGE);
        }
    }

    #[test]
    fn batches_become_smaller_until_each_message_is_one() {
        let sizes: Vec<usize> =
            std::iter::successors(Some(BATCH_SIZE), |size| (*size > 1).then(|| smaller(*size))).collect();
        assert_eq!(sizes, [1_000_000, 500_000, 250_000, 125_000, 62_500, 1]);
    }
}
