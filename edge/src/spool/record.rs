//! One record in a segment file: payload length (u32), CRC-32 of sequence and payload (u32), sequence (u64), payload.
//! All numbers are little-endian.

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 16;

/// Largest payload, bytes: half a link message, so that any record fits in one with what surrounds it.
pub const PAYLOAD_MAX_BYTES: usize = 16 * 1024;

/// A record found in a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) sequence: u64,
    pub(super) payload: &'a [u8],
}

impl Record<'_> {
    /// Bytes it takes in the file.
    pub(super) fn file_bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }
}

/// Lays a record out for the file.
pub(super) fn encode(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(sequence, payload).to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads the record at the beginning of `bytes`. `None` when it is torn, changed or not there.
pub(super) fn decode(bytes: &[u8]) -> Option<Record<'_>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (stored_checksum, rest) = rest.split_first_chunk::<4>()?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length > PAYLOAD_MAX_BYTES {
        return None;
    }
    let payload = rest.get(..length)?;
    let sequence = u64::from_le_bytes(*sequence);
    (checksum(sequence, payload) == u32::from_le_bytes(*stored_checksum)).then_some(Record { sequence, payload })
}

fn checksum(sequence: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&sequence.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_on_disk_does_not_change() {
        let bytes = encode(258, b"abc");
        assert_eq!(bytes, [3, 0, 0, 0, 195, 251, 76, 22, 2, 1, 0, 0, 0, 0, 0, 0, b'a', b'b', b'c']);
    }

    proptest! {
        #[test]
        fn a_record_is_read_back_or_refused_when_torn(sequence: u64, payload in proptest::collection::vec(any::<u8>(), 0..64), cut in 0_usize..80) {
            let bytes = encode(sequence, &payload);
            prop_assert_eq!(decode(&bytes), Some(Record { sequence, payload: &payload }));
            if cut < bytes.len() {
                prop_assert_eq!(decode(&bytes[..cut]), None);
            }
        }

        #[test]
        fn one_changed_bit_is_noticed(sequence: u64, payload in proptest::collection::vec(any::<u8>(), 1..64), bit in 0_usize..512) {
            let mut bytes = encode(sequence, &payload);
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&bytes), None);
        }
    }
}
