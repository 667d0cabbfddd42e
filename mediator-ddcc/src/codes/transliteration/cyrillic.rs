//! Doc 9303-3 section 6 B: transliteration of Cyrillic characters. Some letters are written
//! otherwise in some languages; a name's language is taken from the letters that only one
//! language has, and is left open where there are none.

/// The Cyrillic alphabet that a name is written in, as far as its letters tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// No letter tells: the table without its language exceptions.
    Unknown,
    /// Has `Ў`.
    Belarusian,
    /// Has `Ѓ`, `Ќ` or `Ѕ`.
    Macedonian,
    /// Has `Ђ` or `Ћ`.
    Serbian,
    /// Has `Ґ`, `Є` or `Ї`, or `І` without `Ў`.
    Ukrainian,
}

impl Alphabet {
    /// The alphabet of a name in capital letters.
    pub(super) fn of(letters: &[char]) -> Self {
        let has = |some: &[char]| letters.iter().any(|letter| some.contains(letter));
        if has(&['Ў']) {
            Self::Belarusian
        } else if has(&['Ґ', 'Є', 'Ї', 'І']) {
            Self::Ukrainian
        } else if has(&['Ѓ', 'Ќ', 'Ѕ']) {
            Self::Macedonian
        } else if has(&['Ђ', 'Ћ']) {
            Self::Serbian
        } else {
            Self::Unknown
        }
    }

    /// What the table says about a capital letter.
    pub(super) fn lookup(self, letter: char) -> Option<&'static str> {
        use Alphabet::{Belarusian, Macedonian, Serbian, Ukrainian};
        Some(match (letter, self) {
            ('Г', Belarusian | Serbian | Ukrainian) => "H",
            ('Ё', Belarusian) => "IO",
            ('Ж' | 'З', Serbian) => "Z",
            ('И', Ukrainian) => "Y",
            ('Х', Serbian | Macedonian) => "H",
            ('Ц', Serbian | Macedonian) => "C",
            ('Ч', Serbian) => "C",
            ('Ш', Serbian) => "S",
            ('Ѓ', Macedonian) => "GJ",
            ('Џ', Macedonian) => "DJ",
            ('Ќ', Macedonian) => "KJ",
            ('А', _) => "A",
            ('Б', _) => "B",
            ('В', _) => "V",
            ('Г' | 'Ґ' | 'Ѓ', _) => "G",
            ('Д' | 'Ђ', _) => "D",
            ('Е' | 'Ё' | 'Э', _) => "E",
            ('Ж', _) => "ZH",
            ('З', _) => "Z",
            ('И' | 'І' | 'Й' | 'Ї', _) => "I",
            ('К' | 'Ќ', _) => "K",
            ('Л', _) => "L",
            ('М', _) => "M",
            ('Н', _) => "N",
            ('О', _) => "O",
            ('П', _) => "P",
            ('Р', _) => "R",
            ('С', _) => "S",
            ('Т', _) => "T",
            ('У' | 'Ў' | 'Ѫ', _) => "U",
            ('Ф', _) => "F",
            ('Х', _) => "KH",
            ('Ц', _) => "TS",
            ('Ч', _) => "CH",
            ('Ш', _) => "SH",
            ('Щ', _) => "SHCH",
            ('Ъ' | 'Є', _) => "IE",
            ('Ы' | 'Ѵ', _) => "Y",
            // The soft sign and the Ukrainian and Belarusian apostrophe are not written.
            ('Ь', _) => "",
            ('Ю', _) => "IU",
            ('Я', _) => "IA",
            ('Ѕ' | 'Џ', _) => "DZ",
            ('Ј', _) => "J",
            ('Љ', _) => "LJ",
            ('Њ', _) => "NJ",
            ('Ћ' | 'Һ', _) => "C",
            _ => return None,
        })
    }
}
