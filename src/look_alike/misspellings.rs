//! Misspellings of a protected name that a reader takes for the name: `Claudee`, `Cloude`, `ChatGTP`.

/// A shorter name has too many ordinary words around it for another vowel or order of letters: `Slack`, `Slick`.
const LETTERS_MIN: usize = 6;
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];

/// The name with one letter doubled. A longer name of one word also with two letters in the other order or, if it is no
/// compound (`DeepSeek`, `Deep Sea K`), with another vowel. From an ordinary word, these make another one: `Notion`,
/// `Nation`.
pub(super) fn of(name: &str, is_ordinary_word: bool) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let is_word = letters.iter().all(char::is_ascii_alphabetic);
    let is_alone = is_word && !is_ordinary_word && letters.len() >= LETTERS_MIN;
    let is_compound = letters.iter().skip(1).any(char::is_ascii_uppercase);
    let mut all = Vec::new();
    for (at, letter) in letters.iter().enumerate() {
        if letter.is_ascii_alphabetic() {
            all.push(with(&letters, at, 1, &[*letter, letter.to_ascii_lowercase()]));
        }
        if !is_alone {
            continue;
        }
        let vowel = letter.to_ascii_lowercase();
        if VOWELS.contains(&vowel) && !is_compound {
            let others = VOWELS.iter().filter(|other| **other != vowel);
            all.extend(others.map(|other| with(&letters, at, 1, &[*other])));
        }
        if let Some(next) = letters.get(at + 1).filter(|next| !next.eq_ignore_ascii_case(letter)) {
            all.push(with(&letters, at, 2, &[*next, *letter]));
        }
    }
    all
}

/// The letters with `instead` in the place of `number` of them at `at`.
fn with(letters: &[char], at: usize, number: usize, instead: &[char]) -> String {
    let (before, rest) = letters.split_at(at);
    let after = rest.iter().skip(number);
    before.iter().chain(instead).chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_misspelling_is_one_slip_away_from_the_name() {
        let claude = of("Claude", false);
        for text in ["Claudee", "Cllaude", "Cloude", "Clauda", "Cluade"] {
            assert!(claude.contains(&text.to_owned()), "{text}");
        }
        for text in ["Claude", "Clade", "Clause", "Cloud", "Claudia"] {
            assert!(!claude.contains(&text.to_owned()), "{text}");
        }
        assert_eq!(of("Cody", false), ["Ccody", "Coody", "Coddy", "Codyy"]);
        assert!(!of("DeepSeek", false).contains(&"DeepSeak".to_owned()));
        assert!(!of("Notion", true).contains(&"Nation".to_owned()));
        assert!(of("Visual Studio Code", false).contains(&"Visual Studio Codee".to_owned()));
    }
}
