//! A first look at a name, without an allocation: whether one of its words begins with the first three letters of a
//! protected name. Almost every name ends here, and every registration pays for it, so that tables do the work.

use crate::appearance::{self, Kind, NO_LETTER};

/// The letters of each byte as numbers of five bits, and how many bits they have. A byte outside ASCII fills all
/// three places with zeros.
static LETTERS: [(u16, u8); 256] = {
    let mut table = [(0, PLACES_BITS); 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        table[byte as usize] = match appearance::resembled(byte) {
            [NO_LETTER, _] => (0, 0),
            [one, NO_LETTER] => ((one & 31) as u16, 5),
            [one, two] => (((one & 31) as u16) << 5 | (two & 31) as u16, 10),
        };
        byte += 1;
    }
    table
};
/// How many bits three letters have.
const PLACES_BITS: u8 = 15;
/// The kinds of bytes, in a set.
const ALL_KINDS: u8 = 15;

/// The first three letters of some words.
#[derive(Debug)]
pub(super) struct Beginnings {
    /// The third letters by the first two, a bit each.
    thirds: Box<[u32]>,
    /// By byte: in the upper half its kind; in the lower half the kinds behind which it begins a word as one of these
    /// does.
    bytes: [u8; 256],
    /// By byte, those that may come second, a bit each.
    seconds: Box<[[u32; 8]]>,
}

impl Default for Beginnings {
    fn default() -> Self {
        let mut thirds: Box<[u32]> = vec![0; 1 << 10].into();
        // The three zeros of a byte outside ASCII, whose name the tables cannot judge.
        thirds[0] = 1;
        let mut bytes = [ALL_KINDS; 256];
        for (byte, known) in (0..128).zip(&mut bytes) {
            *known = bit(appearance::kind(byte)) << 4;
        }
        let mut seconds: Box<[[u32; 8]]> = vec![[0; 8]; 256].into();
        seconds[128..].fill([u32::MAX; 8]);
        Self { thirds, bytes, seconds }
    }
}

impl Beginnings {
    /// Adds the beginning of `word`, which [`appearance::letters_of`] made. A shorter word may go on with any letter.
    pub(super) fn insert(&mut self, word: &str) {
        let place = |letter: u8| usize::from(letter & 31);
        let mut letters = word.bytes();
        let Some(first) = letters.next() else { return };
        let agrees = |seen: &[u8]| {
            let seen = seen.iter().filter(|letter| **letter != NO_LETTER);
            seen.zip(word.as_bytes()).all(|(seen, letter)| seen == letter)
        };
        let beginning = (0..128).zip(&mut self.bytes).zip(&mut self.seconds);
        for ((byte, known), seconds) in beginning {
            let [one, two] = appearance::resembled(byte);
            if one == NO_LETTER || !agrees(&[one, two]) {
                continue;
            }
            *known |= begins_behind(appearance::kind(byte));
            for second in 0..128 {
                let [three, four] = appearance::resembled(second);
                if agrees(&[one, two, three, four]) {
                    seconds[usize::from(second >> 5)] |= 1 << (second & 31);
                }
            }
        }
        let seconds = letters.next().map_or(0..=31, |letter| place(letter)..=place(letter));
        let thirds = letters.next().map_or(u32::MAX, |letter| 1 << place(letter));
        for second in seconds {
            self.thirds[place(first) << 5 | second] |= thirds;
        }
    }

    /// Whether a word of `name` may begin like one of these, which is not known of a name outside ASCII.
    pub(super) fn may_begin_a_word_of(&self, name: &str) -> bool {
        let mut before = bit(Kind::Separator);
        let mut bytes = name.as_bytes().iter();
        while let Some(byte) = bytes.next() {
            let known = self.bytes[usize::from(*byte)];
            if known & before != 0 && self.may_begin(*byte, bytes.as_slice()) {
                return true;
            }
            before = known >> 4;
        }
        false
    }

    /// Whether `first` and what follows it begin like one of these.
    fn may_begin(&self, first: u8, after: &[u8]) -> bool {
        let second = after.first().copied().unwrap_or_default();
        let seconds = self.seconds[usize::from(first)];
        seconds[usize::from(second >> 5)] >> (second & 31) & 1 == 1 && self.goes_on(first, after)
    }

    /// Whether the first three letters are among these.
    fn goes_on(&self, first: u8, after: &[u8]) -> bool {
        // A leading one tells how many letters follow it.
        let mut found: u32 = 1;
        for byte in std::iter::once(&first).chain(after) {
            let (letters, bits) = LETTERS[usize::from(*byte)];
            found = found << bits | u32::from(letters);
            if found >> PLACES_BITS != 0 {
                break;
            }
        }
        let first_three = found << found.leading_zeros() << 1 >> (32 - u32::from(PLACES_BITS));
        self.thirds[(first_three >> 5) as usize] >> (first_three & 31) & 1 == 1
    }
}

const fn bit(kind: Kind) -> u8 {
    match kind {
        Kind::Separator => 1,
        Kind::Digit => 2,
        Kind::Upper => 4,
        Kind::Lower => 8,
    }
}

/// The kinds behind which a byte of `kind` begins a word.
fn begins_behind(kind: Kind) -> u8 {
    match kind {
        Kind::Separator => 0,
        Kind::Digit => ALL_KINDS & !bit(Kind::Digit),
        // Each letter of an acronym may be the first of the word behind it.
        Kind::Upper => ALL_KINDS,
        Kind::Lower => bit(Kind::Separator) | bit(Kind::Digit),
    }
}
