//! The identifiers that the server makes, of whatever they are.

use std::{fmt, hash::Hash, marker::PhantomData, str::FromStr};

use uuid::Uuid;

use crate::{clock::Timestamp, entropy::Entropy};

/// Names one thing, and is no secret: a UUID of version 7 (RFC 9562 §5.7), so that what is made together lies
/// together in the store. Written in lower case with hyphens. No identifier of one kind stands for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<Kind>(Uuid, PhantomData<Kind>);

/// The 12 bits between version and variant.
const BEFORE_VARIANT: u128 = 0xfff << 64;
/// The 62 bits after the variant.
const BEHIND_VARIANT: u128 = (1 << 62) - 1;

impl<Kind: Copy> Id<Kind> {
    /// A new identifier: 48 bits of `now`, 74 of chance.
    pub fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        let random = entropy.bytes();
        let uuid = uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid();
        Self(uuid, PhantomData)
    }

    /// A new identifier that sorts behind `last` if both are of one millisecond (RFC 9562 §6.2, method 2).
    pub fn generate_after(last: Option<Self>, now: Timestamp, entropy: &Entropy) -> Self {
        let new = Self::generate(now, entropy);
        new.with_chance(match last.filter(|last| last.millis() == new.millis()) {
            Some(last) => last.chance() + 1 + (new.chance() >> 42),
            // A half of the range stays for those that follow.
            None => new.chance() >> 1,
        })
    }

    /// Before every identifier of this millisecond and later.
    pub fn first_of(now: Timestamp) -> Self {
        let millis = u128::from(now.as_millis()).min((1 << 48) - 1);
        Self(Uuid::from_u128(millis << 80), PhantomData)
    }

    /// The moment at which it was made, to the millisecond.
    pub fn at(self) -> Timestamp {
        Timestamp::from_millis(u64::try_from(self.millis()).expect("48 bits"))
    }

    const fn millis(self) -> u128 {
        self.0.as_u128() >> 80
    }

    /// The 74 bits of chance, which lie before and behind the two bits of the variant.
    const fn chance(self) -> u128 {
        let bits = self.0.as_u128();
        (bits & BEFORE_VARIANT) >> 2 | bits & BEHIND_VARIANT
    }

    const fn with_chance(self, chance: u128) -> Self {
        let rest = self.0.as_u128() & !(BEFORE_VARIANT | BEHIND_VARIANT);
        let chance = (chance << 2) & BEFORE_VARIANT | chance & BEHIND_VARIANT;
        Self(Uuid::from_u128(rest | chance), PhantomData)
    }

    /// The sixteen bytes, in the order in which identifiers sort.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The identifier of these sixteen bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes), PhantomData)
    }

    /// Writes the identifier into `buffer` and returns it as text, without allocating.
    pub fn encode<'buffer>(&self, buffer: &'buffer mut [u8; 36]) -> &'buffer str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl<Kind> From<Id<Kind>> for Uuid {
    fn from(id: Id<Kind>) -> Self {
        id.0
    }
}

impl<Kind> fmt::Debug for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<Kind> fmt::Display for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl<Kind> FromStr for Id<Kind> {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(|uuid| Self(uuid, PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::EventId;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn identifiers_of_one_millisecond_that_follow_each_other_sort_in_their_order() {
        let entropy = Entropy::seeded(1);
        let mut all = vec![EventId::generate_after(None, NOW, &entropy)];
        for _ in 0..20_000 {
            all.push(EventId::generate_after(all.last().copied(), NOW, &entropy));
        }
        assert!(all.is_sorted_by(|one, next| one < next));
        for id in &all {
            let uuid = Uuid::from(*id);
            assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(id.millis(), u128::from(NOW.as_millis()));
        }
    }

    #[test]
    fn the_identifier_of_another_millisecond_is_of_chance_alone() {
        let later = NOW.after_seconds(1);
        let last = EventId::generate_after(None, later, &Entropy::seeded(1));
        let new = EventId::generate_after(Some(last), NOW, &Entropy::seeded(2));
        assert_eq!(new, EventId::generate_after(None, NOW, &Entropy::seeded(2)));
        assert_eq!(EventId::generate(NOW, &Entropy::seeded(2)).chance() >> 1, new.chance());
    }
}
