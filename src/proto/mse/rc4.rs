//! RC4, the cipher of MSE.
//!
//! A generator of bytes that both sides run in step. Bytes are combined with what it gives by exclusive or, so the same
//! call encrypts and decrypts. RC4 is long broken as a cipher: it hides what a connection is from a router that looks
//! at it, and keeps nothing secret from an adversary.

/// The state of a cipher: one for each direction of a connection.
#[derive(Clone)]
pub struct Rc4 {
    table: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    /// A cipher with this `key`, which must not be empty.
    pub fn new(key: &[u8]) -> Rc4 {
        let mut table = core::array::from_fn(|at| at as u8);
        let mut j = 0u8;
        for (at, key) in (0..256).zip(key.iter().cycle()) {
            j = j.wrapping_add(table[at]).wrapping_add(*key);
            table.swap(at, usize::from(j));
        }
        Rc4 { table, i: 0, j: 0 }
    }

    /// Encrypts or decrypts `bytes`, which are the next of their direction.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        // Indices of eight bits are always inside of the table, so nothing is checked in this loop.
        let (table, mut i, mut j) = (&mut self.table, self.i, self.j);
        for byte in bytes {
            i = i.wrapping_add(1);
            let a = table[usize::from(i)];
            j = j.wrapping_add(a);
            let b = table[usize::from(j)];
            table[usize::from(i)] = b;
            table[usize::from(j)] = a;
            *byte ^= table[usize::from(a.wrapping_add(b))];
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

#[cfg(test)]
mod tests;
