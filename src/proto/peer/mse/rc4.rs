//! RC4, the cipher of MSE.
//!
//! A generator of bytes that both sides run in step. Bytes are combined with what it gives by exclusive or, so the same
//! call encrypts and decrypts. RC4 is long broken as a cipher: it hides what a connection is from a router that looks
//! at it, and keeps nothing secret from an adversary.
//!
//! Every byte of an encrypted connection passes through here, so this is measured (s of processor time for each GiB,
//! built as releases are): 3.4 with a table of bytes and one byte at a time, 2.8 with a table of whole words, because
//! parts of registers are slow, and 2.0 if four bytes are combined at once.

/// The state of a cipher: one for each direction of a connection.
#[derive(Clone)]
pub struct Rc4 {
    /// A permutation of the numbers below 256.
    table: [u32; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    /// A cipher with this `key`, which must not be empty.
    pub fn new(key: &[u8]) -> Rc4 {
        let mut table = core::array::from_fn(|at| at as u32);
        let mut j = 0u8;
        for (at, key) in (0..256).zip(key.iter().cycle()) {
            j = j.wrapping_add(table[at] as u8).wrapping_add(*key);
            table.swap(at, usize::from(j));
        }
        Rc4 { table, i: 0, j: 0 }
    }

    /// Encrypts or decrypts `bytes`, which are the next of their direction.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let (words, rest) = bytes.as_chunks_mut::<4>();
        // Copies, because the compiler keeps them in registers.
        let (table, mut i, mut j) = (&mut self.table, self.i, self.j);
        for word in words {
            let key = [
                next(table, &mut i, &mut j),
                next(table, &mut i, &mut j),
                next(table, &mut i, &mut j),
                next(table, &mut i, &mut j),
            ];
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
        }
        for byte in rest {
            *byte ^= next(table, &mut i, &mut j);
        }
        (self.i, self.j) = (i, j);
    }

    /// Passes over `count` bytes, as if as many were encrypted.
    pub fn skip(&mut self, mut count: usize) {
        let mut unused = [0; 256];
        while count > 0 {
            let now = count.min(unused.len());
            self.apply(&mut unused[..now]);
            count -= now;
        }
    }
}

/// The next byte of the generator. Indices of eight bits are always inside of the table, so nothing is checked. (It is
/// inlined although releases are built to be small: a call for each byte takes three times as long.)
#[inline(always)]
fn next(table: &mut [u32; 256], i: &mut u8, j: &mut u8) -> u8 {
    *i = i.wrapping_add(1);
    let a = table[usize::from(*i)];
    *j = j.wrapping_add(a as u8);
    let b = table[usize::from(*j)];
    table[usize::from(*i)] = b;
    table[usize::from(*j)] = a;
    table[usize::from((a + b) as u8)] as u8
}

#[cfg(test)]
mod tests;
