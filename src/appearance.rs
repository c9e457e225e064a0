//! What a name looks like, whatever its characters are: letters that resemble each other become one, marks,
//! punctuation, and blanks are left out, and capitals show where words begin.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_security::skeleton;

/// Small capitals, which UTS 39 does not map to their letters.
const SMALL_CAPITALS: [char; 26] = [
    'ᴀ', 'ʙ', 'ᴄ', 'ᴅ', 'ᴇ', 'ꜰ', 'ɢ', 'ʜ', 'ɪ', 'ᴊ', 'ᴋ', 'ʟ', 'ᴍ', 'ɴ', 'ᴏ', 'ᴘ', 'ꞯ', 'ʀ', 'ꜱ',
    'ᴛ', 'ᴜ', 'ᴠ', 'ᴡ', '𐞀', 'ʏ', 'ᴢ',
];
/// Alphabets of symbols, by their A: negative circled, negative squared, and regional indicators.
const SYMBOL_ALPHABETS: [u32; 3] = [0x1_f150, 0x1_f170, 0x1_f1e6];

/// The appearance of a text: lower case, each word with a capital or another character than a letter of ASCII first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Appearance(String);

/// What precedes a character, as far as it decides where a word begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Separator,
    Digit,
    Upper,
    Lower,
}

impl Appearance {
    /// The appearances of `name`: UTS 39 skeletons (§4) of the original and of its folded form, which differ where a
    /// capital resembles another letter than its small one does. In ASCII both are the same.
    pub(crate) fn all_of(name: &str) -> impl Iterator<Item = Self> {
        let others = (!name.is_ascii()).then(|| {
            let plain: String = name.nfkc().map(letter_of_symbol).collect();
            let folded: String = plain.chars().flat_map(char::to_lowercase).collect();
            [Self::of(&without_marks(&plain)), Self::of(&without_marks(&folded))]
        });
        let ascii = name.is_ascii().then(|| Self::of(name));
        ascii.into_iter().chain(others.into_iter().flatten())
    }

    fn of(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + text.len() / 2);
        let mut before = Kind::Separator;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let kind = kind(character);
            let ends_acronym = kind == Kind::Upper
                && before == Kind::Upper
                && characters.peek().is_some_and(char::is_ascii_lowercase);
            let begins = kind != before && !(kind == Kind::Lower && before == Kind::Upper);
            before = kind;
            push(&mut out, character, begins || ends_acronym);
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

fn kind(character: char) -> Kind {
    match character {
        'A'..='Z' => Kind::Upper,
        'a'..='z' => Kind::Lower,
        '0'..='9' | '@' | '$' | '|' | '!' => Kind::Digit,
        _ => Kind::Separator,
    }
}

/// Appends `character` as the letters that it resembles, the widest ones as the two that resemble them.
fn push(out: &mut String, character: char, begins: bool) {
    let letters = match character.to_ascii_lowercase() {
        '0' => "o",
        '1' | 'i' | '|' | '!' => "l",
        '2' => "z",
        '3' => "e",
        '4' | '@' => "a",
        '5' | '$' => "s",
        '6' | '9' => "g",
        '7' => "t",
        '8' => "b",
        'm' => "rn",
        'w' => "vv",
        'd' => "cl",
        other => {
            if other.is_ascii_lowercase() {
                out.push(if begins { other.to_ascii_uppercase() } else { other });
            } else if other.is_alphanumeric() {
                out.push(other);
            }
            return;
        }
    };
    let start = out.len();
    out.push_str(letters);
    if begins && let Some(letter) = out.get_mut(start..=start) {
        letter.make_ascii_uppercase();
    }
}

fn without_marks(text: &str) -> String {
    let skeleton: String = skeleton(text).collect();
    skeleton.nfd().filter(|character| !is_combining_mark(*character)).collect()
}

fn letter_of_symbol(symbol: char) -> char {
    let code = u32::from(symbol);
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
