//! The blocks of memory that readers read into. Blocks are used again.

use std::sync::{Arc, Mutex, PoisonError};

/// Blocks that are free to be used again.
#[derive(Debug, Default)]
pub struct BlockPool {
    free: Mutex<Vec<Vec<u8>>>,
}

/// The maximum number of free blocks that the pool keeps. More blocks are in use only while many batches wait.
const FREE_BLOCKS: usize = 32;

impl BlockPool {
    pub(super) fn take(&self, size: usize) -> Vec<u8> {
        let reused = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        reused.filter(|block| block.len() == size).unwrap_or_else(|| vec![0; size])
    }

    pub(super) fn give(&self, block: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < FREE_BLOCKS && free.first().is_none_or(|other| other.len() == block.len()) {
            free.push(block);
        }
    }
}

/// A filled block. It returns to its pool when the last batch that refers to it is dropped.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) filled: usize,
    pub(super) pool: Arc<BlockPool>,
    pub(super) reusable: bool,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.reusable {
            self.pool.give(std::mem::take(&mut self.bytes));
        }
    }
}
