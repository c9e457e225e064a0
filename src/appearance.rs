//! What a name looks like, whatever its characters are: letters that resemble each other become one, marks,
//! punctuation, and blanks are left out, and capitals show where words begin.

use icu_properties::{CodePointSetData, props::BidiControl};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_security::skeleton;

/// Small capitals, which UTS 39 does not map to their letters.
const SMALL_CAPITALS: [char; 26] = [
    'ᴀ', 'ʙ', 'ᴄ', 'ᴅ', 'ᴇ', 'ꜰ', 'ɢ', 'ʜ', 'ɪ', 'ᴊ', 'ᴋ', 'ʟ', 'ᴍ', 'ɴ', 'ᴏ', 'ᴘ', 'ꞯ', 'ʀ', 'ꜱ',
    'ᴛ', 'ᴜ', 'ᴠ', 'ᴡ', '𐞀', 'ʏ', 'ᴢ',
];
/// No character before this one is among those.
const FIRST_SYMBOL: u32 = 0x250;
/// Alphabets of symbols, by their A: negative circled, negative squared, and regional indicators.
const SYMBOL_ALPHABETS: [u32; 3] = [0x1_f150, 0x1_f170, 0x1_f1e6];

/// The appearance of a text: lower case, each word with a capital or another character than a letter of ASCII first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Appearance(String);

/// What precedes a character, as far as it decides where a word begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Separator,
    Digit,
    Upper,
    Lower,
}

impl Appearance {
    /// The appearances of `name`: UTS 39 skeletons (§4) of the original, of its compatible form (NFKC), which can resemble
    /// other letters, and of each in lower case, where a capital resembles another letter than its small one does. In ASCII
    /// all are the same.
    pub(crate) fn all_of(name: &str) -> impl Iterator<Item = Self> {
        let others = (!name.is_ascii()).then(|| {
            let compatible: String = name.nfkc().map(letter_of_symbol).collect();
            [compatible, name.to_owned()].into_iter().flat_map(|plain| {
                let folded: String = plain.chars().flat_map(char::to_lowercase).collect();
                [plain, folded].map(|text| Self::of(&without_marks(&text)))
            })
        });
        let ascii = name.is_ascii().then(|| Self::of(name));
        ascii.into_iter().chain(others.into_iter().flatten())
    }

    fn of(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + text.len() / 2);
        let mut before = Kind::Separator;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let ascii = u8::try_from(character).ok().filter(u8::is_ascii);
            let kind = ascii.map_or(Kind::Separator, kind);
            let ends_acronym = kind == Kind::Upper
                && before == Kind::Upper
                && characters.peek().is_some_and(char::is_ascii_lowercase);
            let begins = kind != before && !(kind == Kind::Lower && before == Kind::Upper);
            before = kind;
            match ascii {
                Some(byte) => push(&mut out, byte, begins || ends_acronym),
                None if character.is_alphanumeric() => out.push(character),
                None => {}
            }
        }
        Self(out)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Where words begin.
    pub(crate) fn starts(&self) -> impl Iterator<Item = usize> {
        let bytes = self.0.bytes().enumerate();
        bytes.filter(|(_, byte)| byte.is_ascii_uppercase()).map(|(at, _)| at)
    }

    /// Whether a word ends before `at`.
    pub(crate) fn ends_at(&self, at: usize) -> bool {
        self.0.as_bytes().get(at).is_none_or(|byte| !byte.is_ascii_lowercase())
    }
}

/// The kind of an ASCII character.
pub(crate) const fn kind(character: u8) -> Kind {
    match character {
        b'A'..=b'Z' => Kind::Upper,
        b'a'..=b'z' => Kind::Lower,
        b'0'..=b'9' | b'@' | b'$' | b'|' | b'!' => Kind::Digit,
        _ => Kind::Separator,
    }
}

/// Appends the letters that an ASCII character resembles.
fn push(out: &mut String, character: u8, begins: bool) {
    let [first, second] = resembled(character);
    if first != NO_LETTER {
        out.push(char::from(if begins { first.to_ascii_uppercase() } else { first }));
    }
    if second != NO_LETTER {
        out.push(char::from(second));
    }
}

/// Fills the places of letters that are not there.
pub(crate) const NO_LETTER: u8 = 0;

/// The letters that an ASCII character resembles, in lower case: two for the widest ones, none for most signs.
pub(crate) const fn resembled(character: u8) -> [u8; 2] {
    match character.to_ascii_lowercase() {
        b'm' => *b"rn",
        b'w' => *b"vv",
        b'd' => *b"cl",
        b'0' => [b'o', NO_LETTER],
        b'1' | b'i' | b'|' | b'!' => [b'l', NO_LETTER],
        b'2' => [b'z', NO_LETTER],
        b'3' => [b'e', NO_LETTER],
        b'4' | b'@' => [b'a', NO_LETTER],
        b'5' | b'$' => [b's', NO_LETTER],
        b'6' | b'9' => [b'g', NO_LETTER],
        b'7' => [b't', NO_LETTER],
        b'8' => [b'b', NO_LETTER],
        letter @ b'a'..=b'z' => [letter, NO_LETTER],
        _ => [NO_LETTER; 2],
    }
}

fn without_marks(text: &str) -> String {
    let skeleton: String = skeleton(text).collect();
    skeleton.nfd().filter(|character| !is_combining_mark(*character)).collect()
}

fn letter_of_symbol(symbol: char) -> char {
    let code = u32::from(symbol);
    if code < FIRST_SYMBOL {
        return symbol;
    }
    let place = SMALL_CAPITALS.iter().position(|capital| *capital == symbol).or_else(|| {
        let places = SYMBOL_ALPHABETS.iter().filter_map(|first| code.checked_sub(*first));
        places.filter(|place| *place < 26).min().and_then(|place| usize::try_from(place).ok())
    });
    place.and_then(|place| ('A'..='Z').nth(place)).unwrap_or(symbol)
}

/// The words of `name` for people to read: lower case, the letters of other scripts as the letters of ASCII that they
/// resemble, and without marks. Letters of ASCII stay as they are.
pub(crate) fn plain(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let lower = name.nfkc().map(letter_of_symbol).flat_map(char::to_lowercase);
    let seen = lower.flat_map(|character| {
        let resembled =
            (!character.is_ascii()).then(|| without_marks(character.encode_utf8(&mut [0; 4])));
        let resembled = resembled.unwrap_or_else(|| character.to_string());
        resembled.chars().map(letter_of_symbol).collect::<Vec<_>>()
    });
    seen.flat_map(char::to_lowercase).collect()
}

/// The letters of an appearance, without its words.
pub(crate) fn letters(seen: &Appearance) -> String {
    seen.0.to_ascii_lowercase()
}

/// The letters of `name` as [`Appearance`] has them, without its words.
pub(crate) fn letters_of(name: &str) -> String {
    Appearance::all_of(name).next().map(|seen| letters(&seen)).unwrap_or_default()
}

/// Whether a character does something to the text around it, on a page or in a terminal.
pub(crate) fn moves_text(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}')
        || CodePointSetData::new::<BidiControl>().contains(character)
}
