//! Where chance comes from: keys derived from stable names, streams for those who draw a lot, and pure per-message draws.
//!
//! Nothing here depends on the order in which entities are created: removing one entity changes no other entity's draws.
//! Shrinking a failing scenario depends on that.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The root of one entity's randomness. Derived from the run's seed by a path of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64, u64);

impl Key {
    /// The key of a whole run.
    pub fn root(seed: u64) -> Key {
        Key(seed, 0x7265_6773_696d).child("run")
    }

    /// The key of the entity `name` below this one.
    pub fn child(self, name: &str) -> Key {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.0.to_le_bytes());
        seed[8..16].copy_from_slice(&self.1.to_le_bytes());
        seed[16..24].copy_from_slice(&fnv1a(0xcbf2_9ce4_8422_2325, name).to_le_bytes());
        seed[24..].copy_from_slice(&fnv1a(0x6c62_272e_07bb_0142, name).to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(seed);
        Key(generator.next_u64(), generator.next_u64())
    }

    /// A long stream, for an entity that draws much (a server, a workload, a fault schedule): 320 bytes.
    pub fn long(self) -> Stream {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.0.to_le_bytes());
        seed[8..16].copy_from_slice(&self.1.to_le_bytes());
        Stream::Long(Box::new(ChaCha8Rng::from_seed(seed)))
    }

    /// A small stream, for one of very many clients: 16 bytes of state.
    pub fn small(self) -> Stream {
        Stream::Small(self.0 | 1, self.1)
    }

    /// One draw that is a pure function of its arguments: for messages, of which there are too many for streams.
    pub fn draw(self, sender: u32, receiver: u32, purpose: u32, counter: u64) -> u64 {
        let ends = u64::from(sender) << 32 | u64::from(receiver);
        let mut mixed = mix(self.0 ^ ends.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = mix(mixed ^ self.1 ^ u64::from(purpose).wrapping_mul(0xd6e8_feb8_6659_fd93));
        mix(mixed ^ counter.wrapping_mul(0xa076_1d64_78bd_642f))
    }
}

/// A generator that belongs to one entity.
#[derive(Clone, Debug, PartialEq)]
pub enum Stream {
    /// ChaCha8.
    Long(Box<ChaCha8Rng>),
    /// xoroshiro128++ by its published recurrence.
    Small(u64, u64),
}

impl RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        match self {
            Stream::Long(generator) => generator.next_u32(),
            Stream::Small(..) => (self.next_u64() >> 32) as u32,
        }
    }

    fn next_u64(&mut self) -> u64 {
        match self {
            Stream::Long(generator) => generator.next_u64(),
            Stream::Small(s0, s1) => {
                let result = s0.wrapping_add(*s1).rotate_left(17).wrapping_add(*s0);
                let mixed = *s1 ^ *s0;
                *s0 = s0.rotate_left(49) ^ mixed ^ (mixed << 21);
                *s1 = mixed.rotate_left(28);
                result
            }
        }
    }

    fn fill_bytes(&mut self, dst: &mut [u8]) {
        for chunk in dst.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// The upper 53 bits of a draw as a number in `[0, 1)`.
pub fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether an event of `per_million` in a million happens for this draw. An integer ratio, so that platforms agree.
pub fn happens(draw: u64, per_million: u32) -> bool {
    // The draw's upper 32 bits, scaled to a million without division.
    (draw >> 32).wrapping_mul(1_000_000) >> 32 < u64::from(per_million)
}

fn fnv1a(basis: u64, text: &str) -> u64 {
    text.bytes().fold(basis, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finaliser of MurmurHash3: every input bit changes half of the output bits.
fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    /// A change here changes every run of every user: it needs a reason, and a release note.
    #[test]
    fn golden_draws() {
        let key = Key::root(1).child("server").child("peer1");
        let mut long = key.long();
        let ranged: Vec<u32> = (0..6).map(|_| long.random_range(0..=99)).collect();
        let mut small = key.small();
        let small: Vec<u32> = (0..6).map(|_| small.random_range(0..=99)).collect();
        let pure = key.draw(1, 2, 3, 4) % 100;
        assert_eq!((ranged, small, pure), (vec![5, 80, 32, 95, 29, 67], vec![29, 4, 57, 58, 20, 69], 3));
    }

    #[test]
    fn siblings_and_purposes_are_independent() {
        let root = Key::root(7);
        assert_ne!(root.child("a"), root.child("b"));
        assert_ne!(root.draw(1, 2, 0, 0), root.draw(2, 1, 0, 0));
        assert_ne!(root.draw(1, 2, 0, 0), root.draw(1, 2, 1, 0));
        assert_ne!(root.draw(1, 2, 0, 0), root.draw(1, 2, 0, 1));
    }

    #[test]
    fn happens_is_fair_at_both_ends_and_in_the_middle() {
        let key = Key::root(3);
        let count =
            |per_million| (0..100_000).filter(|n| happens(key.draw(0, 0, 0, *n), per_million)).count();
        assert_eq!((count(0), count(1_000_000)), (0, 100_000));
        assert!((49_000..51_000).contains(&count(500_000)), "half of the draws: {}", count(500_000));
    }
}
