//! Reusable buffers of one block each.
//!
//! Floor 3. A block is read from the socket into one of these, moved through the manager to its disk thread, and given
//! back. So the memory for blocks never exceeds its highest use, and the allocator does not keep a reserve for each
//! thread. The buffer that was given back last is used first: it is still in the processor's cache.

use crate::proto::peer::message::BLOCK_BYTES;
use crate::sys::lock;
use std::sync::{Arc, Mutex};

/// A stock of block buffers; its clones share them.
#[derive(Clone)]
pub struct Blocks {
    stock: Arc<Mutex<Vec<Vec<u8>>>>,
    most: usize,
}

impl Blocks {
    /// A stock that keeps up to `bytes` of buffers.
    pub fn new(bytes: u64) -> Blocks {
        Blocks { stock: Arc::default(), most: (bytes / BLOCK_BYTES as u64).max(1) as usize }
    }

    /// Returns a buffer of `length` bytes with unspecified contents.
    pub fn take(&self, length: usize) -> Vec<u8> {
        let mut block = lock(&self.stock).pop().unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES as usize));
        block.resize(length, 0);
        block
    }

    /// Gives a buffer back. If the stock is full, the buffer is freed.
    pub fn give(&self, block: Vec<u8>) {
        let mut stock = lock(&self.stock);
        if stock.len() < self.most {
            stock.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_and_the_stock_is_bounded() {
        let blocks = Blocks::new(0);
        let block = blocks.take(100);
        let address = block.as_ptr();
        blocks.give(block);
        blocks.give(Vec::new());
        let again = blocks.take(BLOCK_BYTES as usize);
        assert_eq!(again.as_ptr(), address);
        assert_eq!(blocks.take(5), [0; 5]);
        assert!(lock(&blocks.stock).is_empty());
    }
}
