//! UUIDs that follow from another one.

use uuid::{Builder, Uuid};

/// The UUID that follows from a seed and a name: name-based (version 5), the seed being the
/// namespace.
///
/// When the seed has a time (version 7), it is version 8: that time, and the same hash behind it.
/// What is made together then stays together where it is stored in the order of ids, as in the
/// index of a database: it writes fewer pages.
#[must_use]
pub fn seeded_uuid(seed: Uuid, name: &[u8]) -> Uuid {
    let hash = Uuid::new_v5(&seed, name);
    if seed.get_version_num() == 7 {
        with_beginning_of(hash, seed)
    } else {
        hash
    }
}

/// The first UUID with the beginning of the other one, the 48 bits that are the time in version 7;
/// it is version 8.
#[must_use]
pub fn with_beginning_of(uuid: Uuid, other: Uuid) -> Uuid {
    const BEGINNING: usize = 6;
    let [mut bytes, other] = [uuid, other].map(Uuid::into_bytes);
    for (byte, beginning) in bytes.iter_mut().zip(other).take(BEGINNING) {
        *byte = beginning;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_without_time_is_a_namespace() {
        let seed = Uuid::NAMESPACE_OID;
        assert_eq!(seeded_uuid(seed, b"name"), Uuid::new_v5(&seed, b"name"));
    }

    #[test]
    fn a_seed_s_time_comes_first() {
        let seed = Builder::from_unix_timestamp_millis(1_700_000_000_000, &[7; 10]).into_uuid();
        let one = seeded_uuid(seed, b"one");
        assert_eq!(one.get_version_num(), 8);
        assert_eq!(one.as_bytes()[..6], seed.as_bytes()[..6]);
        assert_eq!(one, seeded_uuid(seed, b"one"));
        assert_ne!(one, seeded_uuid(seed, b"other"));
        let other = Builder::from_unix_timestamp_millis(1_700_000_000_000, &[8; 10]).into_uuid();
        assert_ne!(one, seeded_uuid(other, b"one"));
    }
}
