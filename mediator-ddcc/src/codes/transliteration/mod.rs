//! Names in the letters of machine readable travel documents: `A` to `Z` and the filler `<`.
//!
//! ICAO Doc 9303-3 (8th edition) section 6 has tables for Latin national characters, Cyrillic and
//! Arabic; section 4.6 says what becomes of apostrophes, hyphens and commas. Han characters have
//! no table there: they are read in Hanyu Pinyin without tones, as passports of China do (a
//! kanji name of Japan is read so as well, since nothing in the name tells them apart). Names in
//! any other script are refused rather than guessed.

mod arabic;
mod cyrillic;
mod latin;

use pinyin::ToPinyin;
use unicode_normalization::UnicodeNormalization;

/// Longest name that is written; longer ones are cut, as 9303-3 cuts names.
pub const MAXIMUM_LENGTH: usize = 80;

/// The name cannot be written in `A` to `Z` and `<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransliterationError {
    /// A letter of a script without a transliteration.
    #[error(
        "it has letters of a script that ICAO Doc 9303-3 does not transliterate; give the name in Latin, Cyrillic, Arabic or Han letters"
    )]
    UnsupportedScript,
    /// No letter at all.
    #[error("it has no letters")]
    NoLetters,
}

/// Writes a name in `A` to `Z` and `<`, at most [`MAXIMUM_LENGTH`] characters long.
///
/// Components are separated by one `<`, wherever the name has spaces, hyphens, commas or middle
/// dots. Apostrophes, full stops, digits and other signs are left out.
///
/// # Errors
/// [`TransliterationError`] when a letter has no transliteration, or there is no letter.
pub fn transliterate(name: &str) -> Result<String, TransliterationError> {
    let mut output = String::with_capacity(MAXIMUM_LENGTH + 8);
    // Compatibility composition: Arabic presentation forms and full-width letters are the plain
    // letters, and what the tables list composed arrives composed.
    let letters: Vec<char> = name.nfkc().flat_map(char::to_uppercase).nfc().collect();
    let cyrillic = cyrillic::Alphabet::of(&letters);
    let mut previous: &str = "";
    for (index, &letter) in letters.iter().enumerate() {
        let written = match letter {
            'A'..='Z' => {
                output.push(letter);
                previous = "";
                continue;
            }
            // The Catalan l·l is one sound, not two components.
            '·' if output.ends_with('L') && letters.get(index + 1) == Some(&'L') => continue,
            _ if separates(letter) => {
                if !output.is_empty() && !output.ends_with('<') {
                    output.push('<');
                }
                previous = "";
                continue;
            }
            // Shadda doubles the letter before it.
            '\u{0651}' => previous,
            // Teh marbuta is written otherwise at the end of a component.
            '\u{0629}' => {
                if letters[index + 1..]
                    .iter()
                    .find(|next| !arabic::is_mark(**next))
                    .is_none_or(|next| !next.is_alphabetic())
                {
                    "XAH"
                } else {
                    "XTA"
                }
            }
            _ => match lookup(letter, cyrillic) {
                Some(written) => written,
                None => match base_letter(letter, cyrillic, &mut output) {
                    Ok(()) => {
                        previous = "";
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            },
        };
        output.push_str(written);
        if !arabic::is_mark(letter) {
            previous = written;
        }
    }
    // 9303-3 cuts at the last position; a filler at the end says nothing.
    output.truncate(MAXIMUM_LENGTH);
    output.truncate(output.trim_end_matches('<').len());
    if output.is_empty() {
        Err(TransliterationError::NoLetters)
    } else {
        Ok(output)
    }
}

/// Whether a sign separates two components of a name.
fn separates(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(
            letter,
            '<' | '-'
                | ','
                | '،'
                | '、'
                | '，'
                | '/'
                | '_'
                | '·'
                | '・'
                | '･'
                | '•'
                | '‧'
                | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
}

/// What a table or Pinyin says about one capital letter; empty for a letter or sign that is left
/// out.
fn lookup(letter: char, cyrillic: cyrillic::Alphabet) -> Option<&'static str> {
    latin::lookup(letter)
        .or_else(|| cyrillic.lookup(letter))
        .or_else(|| arabic::lookup(letter))
}

/// Letters outside the tables: Han in Pinyin, a letter with a diacritic as the letter without it,
/// signs and digits left out.
fn base_letter(
    letter: char,
    cyrillic: cyrillic::Alphabet,
    output: &mut String,
) -> Result<(), TransliterationError> {
    if let Some(syllable) = letter.to_pinyin() {
        // Passports of China write ü as YU after L and N (LYU, NYU), and as U elsewhere.
        for character in syllable.plain().chars() {
            match character.to_ascii_uppercase() {
                ascii @ 'A'..='Z' => output.push(ascii),
                'ü' | 'Ü' => output.push_str("YU"),
                'ê' | 'Ê' => output.push('E'),
                _ => return Err(TransliterationError::UnsupportedScript),
            }
        }
        return Ok(());
    }
    if !letter.is_alphabetic() {
        return Ok(());
    }
    let mut decomposed = std::iter::once(letter).nfd();
    match decomposed.next() {
        Some(ascii @ 'A'..='Z') => output.push(ascii),
        Some(base) if base != letter => {
            let written = lookup(base, cyrillic).ok_or(TransliterationError::UnsupportedScript)?;
            output.push_str(written);
        }
        _ => return Err(TransliterationError::UnsupportedScript),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(cases: &[(&str, &str)]) {
        for (name, expected) in cases {
            assert_eq!(transliterate(name).as_deref(), Ok(*expected), "{name}");
        }
    }

    #[test]
    fn latin_names_lose_diacritics_as_the_table_says() {
        check(&[
            ("Aulus Agerius", "AULUS<AGERIUS"),
            ("Jürgen Weiß", "JUERGEN<WEISS"),
            ("Søren Ærø Åse", "SOEREN<AEROE<AASE"),
            ("Thérèse Cañon", "THERESE<CANON"),
            ("d'Červenková Panklová", "DCERVENKOVA<PANKLOVA"),
            ("Þórður Łukasz Œuvré", "THORDUR<LUKASZ<OEUVRE"),
            ("ığdır İnan Ĳsbrand", "IGDIR<INAN<IJSBRAND"),
            ("Nguyễn Thị Hường", "NGUYEN<THI<HUONG"),
            ("Ștefan Țurcanu", "STEFAN<TURCANU"),
            ("Gal·la Paraŀlel", "GALLA<PARALLEL"),
        ]);
    }

    #[test]
    fn apostrophes_join_and_hyphens_commas_and_spaces_separate() {
        check(&[
            ("Jiřina-Maria Alena", "JIRINA<MARIA<ALENA"),
            ("O’Connor, Sean", "OCONNOR<SEAN"),
            ("  Martin Luther   King Jr. ", "MARTIN<LUTHER<KING<JR"),
            ("John B. Anyperson", "JOHN<B<ANYPERSON"),
            ("Anna -- Maria-", "ANNA<MARIA"),
            ("ＪＯＨＮ", "JOHN"),
        ]);
    }

    #[test]
    fn cyrillic_names_follow_the_alphabet_that_their_letters_show() {
        check(&[
            ("Пётр Щукин", "PETR<SHCHUKIN"),
            ("Юрий Подъячев", "IURII<PODIEIACHEV"),
            ("Гоголь", "GOGOL"),
            // і, ї, є and ґ are Ukrainian
            ("Григорій Їжак", "HRYHORII<IZHAK"),
            // ў is Belarusian
            ("Фёдар Гарбаў", "FIODAR<HARBAU"),
            // ј, љ, њ, ђ, ћ are Serbian
            ("Ђорђе Љубић Жижа", "DORDE<LJUBIC<ZIZA"),
            // ѓ, ќ and ѕ are Macedonian
            ("Ѓорѓи Хаџиев", "GJORGJI<HADJIEV"),
        ]);
    }

    #[test]
    fn arabic_names_follow_the_escape_letters() {
        check(&[
            ("أولوس أجيريوس", "XAEWLWS<XAEJYRYWS"),
            ("محمود عبد الرحيم", "MXHMWD<EBD<ALRXHYM"),
            ("فضّة", "FXDZXDZXAH"),
            ("مُحَمَّد", "MXHMMD"),
            ("هناء", "HNAXE"),
            ("گوگوش", "XGGWXGGWXSH"),
        ]);
    }

    #[test]
    fn han_names_are_read_in_pinyin() {
        check(&[
            ("奥卢斯·阿杰里乌斯", "AOLUSI<AJIELIWUSI"),
            ("吕小明", "LYUXIAOMING"),
        ]);
    }

    #[test]
    fn other_scripts_and_empty_names_are_refused() {
        for name in ["Γεώργιος", "ยุพา", "कुमार", "ひろし", "김철수", "John Γ"]
        {
            assert_eq!(
                transliterate(name),
                Err(TransliterationError::UnsupportedScript),
                "{name}"
            );
        }
        for name in ["", "  ", "-", "42", "."] {
            assert_eq!(transliterate(name), Err(TransliterationError::NoLetters));
        }
    }

    #[test]
    fn long_names_are_cut() {
        let name = "Wolfeschlegelsteinhausenbergerdorff ".repeat(4);
        let written = transliterate(&name).unwrap();
        assert_eq!(written.len(), MAXIMUM_LENGTH);
        assert_eq!(transliterate(&("x".repeat(79) + " y")).unwrap().len(), 79);
    }

    proptest! {
        #[test]
        fn only_permitted_characters_come_out(name in "\\PC{0,100}") {
            if let Ok(written) = transliterate(&name) {
                prop_assert!(!written.is_empty() && written.len() <= MAXIMUM_LENGTH);
                prop_assert!(written.bytes().all(|byte| byte == b'<' || byte.is_ascii_uppercase()));
                prop_assert!(!written.contains("<<"));
                prop_assert!(!written.starts_with('<') && !written.ends_with('<'));
            }
        }

        #[test]
        fn what_is_transliterated_stays_as_it_is(name in "[A-Z]{1,9}(<[A-Z]{1,9}){0,7}") {
            prop_assert_eq!(transliterate(&name).unwrap(), name);
        }
    }
}
