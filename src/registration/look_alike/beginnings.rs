//! A first look at a name, without an allocation: whether one of its words begins with the first three letters of a
//! protected name. Almost every name ends here, and every registration pays for it, so that two tables do the work.

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
    /// By byte: in the upper half its kind; in the lower half the kinds behind which it begins a word that has one
    /// of the first letters.
    bytes: [u8; 256],
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
        Self { thirds, bytes }
    }
}

impl Beginnings {
    /// Adds the beginning of `word`, which [`appearance::letters_of`] made. A shorter word may go on with any letter.
    pub(super) fn insert(&mut self, word: &str) {
        let place = |letter: u8| usize::from(letter & 31);
        let mut letters = word.bytes();
        let Some(first) = letters.next() else { return };
        for (byte, known) in (0..128).zip(&mut self.bytes) {
            if appearance::resembled(byte)[0] == first {
                *known |= begins_behind(appearance::kind(byte));
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
        let mut rest = name.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            let known = self.bytes[usize::from(*byte)];
            if known & before != 0 && self.may_begin(rest) {
                return true;
            }
            before = known >> 4;
            rest = after;
        }
        false
    }

    /// Whether `text` begins like one of these.
    fn may_begin(&self, text: &[u8]) -> bool {
        // A leading one tells how many letters follow it.
        let mut found: u32 = 1;
        for byte in text {
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
