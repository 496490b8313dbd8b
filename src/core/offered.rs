//! The answer to a reader that offers a batch.

use super::batch::Batch;

/// The answer to a reader that offers a batch. It comes at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offered {
    /// The batch was taken.
    Taken,
    /// There is no room for the batch now. The reader keeps it, and offers it again when there is room.
    Full(Batch),
    /// No more batches are wanted.
    Stopped,
}
