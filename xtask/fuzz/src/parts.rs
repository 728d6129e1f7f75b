//! Several byte strings in one input: each with its length in front, two bytes, the largest first.

/// Takes an input apart. What is too short for its length is the last one.
#[must_use]
pub fn split(mut input: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (part, rest) = rest.split_at(length);
        parts.push(part);
        input = rest;
    }
    parts
}

/// Puts one together. Parts are cut to 64 kB.
#[must_use]
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    let mut input = Vec::new();
    for part in parts {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        input.extend_from_slice(&length.to_be_bytes());
        input.extend(part.iter().take(usize::from(length)));
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_read_back_and_garbage_is_read_somehow() {
        assert_eq!(split(&join(&[b"one", b"", b"three"])), [&b"one"[..], b"", b"three"]);
        assert_eq!(split(&[0xff, 0xff, 1, 2]), [&[1, 2][..]]);
        assert_eq!(split(&[1]), Vec::<&[u8]>::new());
    }
}
