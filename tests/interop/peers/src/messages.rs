/* SPDX-License-Identifier: Apache-2.0 */
//! The messages of tests/fixtures/message_stream.h, of other lengths too, and their digest.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
pub const HEADER_LENGTH: usize = 24;

/// How long messages are: mixed as message_stream.h has it, or between two bounds.
#[derive(Clone, Copy, Debug)]
pub enum Lengths {
    Mixed,
    Between(u64, u64),
}

impl Lengths {
    /// `mix`, `N` or `N-M`; never shorter than the header of a message.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "mix" {
            return Some(Self::Mixed);
        }
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let (low, high) = (low.parse().ok()?, high.parse().ok()?);
        (low >= HEADER_LENGTH as u64 && low <= high).then_some(Self::Between(low, high))
    }

    fn of(self, key: u64) -> usize {
        let pick = key & 0xffff_ffff;
        let (low, high) = match (self, (key >> 32) % 100) {
            (Self::Between(low, high), _) => (low, high),
            (Self::Mixed, 0..=89) => (HEADER_LENGTH as u64, 1024),
            (Self::Mixed, 90..=98) => (1025, 16 * 1024),
            (Self::Mixed, _) => (16 * 1024 + 1, 256 * 1024),
        };
        (low + pick % (high - low + 1)) as usize
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Writes message number `sequence` of the stream `seed` into `message`.
pub fn make(message: &mut Vec<u8>, seed: u64, sequence: u64, lengths: Lengths) {
    let key = mix(seed.wrapping_add((sequence + 1).wrapping_mul(GOLDEN)));
    let length = lengths.of(key);
    message.clear();
    message.extend_from_slice(&sequence.to_le_bytes());
    message.extend_from_slice(&(length as u64).to_le_bytes());
    message.extend_from_slice(&seed.to_le_bytes());
    let mut word = if key == 0 { GOLDEN } else { key };
    while message.len() < length {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        message.extend_from_slice(&word.to_le_bytes());
    }
    message.truncate(length);
}

/// What a message says about itself: sequence, length, seed.
pub fn header(message: &[u8]) -> Option<(u64, u64, u64)> {
    let field = |i: usize| Some(u64::from_le_bytes(message.get(i..i + 8)?.try_into().ok()?));
    Some((field(0)?, field(8)?, field(16)?))
}

/// FNV-1a over words. Digests of messages are added up, so their order does not matter.
pub fn digest(message: &[u8]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let words = message.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    for word in words.chain([message.len() as u64]) {
        hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3);
    }
    mix(hash)
}
