//! What the formatter makes of maps, and that it changes nothing but their layout.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod maps;

use fhir_mapping::structure_map::{FhirVersion, to_json};
use fhir_mapping::{MapError, format};
use proptest::prelude::*;

/// The text without white space and without what the formatter mends.
fn essence(text: &str) -> String {
    let kept = text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, ',' | ';'));
    kept.collect()
}

#[track_caller]
fn check(text: &str) -> String {
    let once = format(text).unwrap();
    assert_eq!(format(&once).unwrap(), once, "formatted twice:\n{text}");
    once
}

#[test]
fn every_map_keeps_its_meaning_and_its_comments() {
    let maps = maps::all();
    assert!(maps.len() >= 9, "{} maps", maps.len());
    for (path, text) in maps {
        let formatted = check(&text);
        assert_eq!(essence(&formatted), essence(&text), "{}", path.display());
        assert_eq!(
            to_json(&formatted, FhirVersion::R5),
            to_json(&text, FhirVersion::R5),
            "{}",
            path.display()
        );
    }
}

#[test]
fn the_maps_that_users_see_are_formatted() {
    let maps = maps::all().into_iter().filter(|(path, _)| {
        let path = path.to_string_lossy();
        path.contains("mediator-ddcc/maps") || path.contains("examples/")
    });
    let mut count = 0;
    for (path, text) in maps {
        let formatted = format(&text).unwrap();
        assert!(
            formatted == text,
            "mediator-runner map format {}",
            path.display()
        );
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

#[test]
fn lines_are_broken_where_rules_have_parts() {
    let text = "/// url='http://x/m'
///   title =  'T'
uses 'http://x/a' alias A as source;
imports 'http://x/n'
let  one=1 ;
conceptmap \"c\" { prefix s='a' prefix t='b'
unmapped for s=provided
s:a==t:b s:'c d' -- s:e<-t:f }
group G(source a:A,target b) extends H <<type+>>{ a.b->b.b; // short
a.c 0..* first as c where(x=1)and y.exists() check true log 'text'->b.c=create('X') as d,d.e=append('a',c,-1) then J(c,d),K(c) \"name\";


// above
a.d then{a.e->b.e;
/* last */ };
}
group Long(source thisIsTheFirst : QuestionnaireResponse, source thisIsTheSecond, target third : Bundle){
thisIsTheFirst.identifier as identifier->third.identifier as other then Identifier(identifier,other)'long';
thisIsTheFirst.item as item where linkId='one' and answer.value.exists() and answer.value.empty().not()->third.entry;
}
";
    let expected = "/// url = 'http://x/m'
/// title = 'T'

uses 'http://x/a' alias A as source;

imports 'http://x/n'

let one = 1;

conceptmap \"c\" {
  prefix s = 'a'
  prefix t = 'b'
  unmapped for s = provided
  s:a == t:b
  s:'c d' --
  s:e <- t:f
}

group G(source a : A, target b) extends H <<type+>> {
  a.b -> b.b; // short
  a.c 0..* first as c where (x = 1) and y.exists() check true log 'text' ->
      b.c = create('X') as d,
      d.e = append('a', c, -1)
  then J(c, d), K(c) \"name\";

  // above
  a.d then {
    a.e -> b.e;
    /* last */
  };
}

group Long(
  source thisIsTheFirst : QuestionnaireResponse,
  source thisIsTheSecond,
  target third : Bundle
) {
  thisIsTheFirst.identifier as identifier -> third.identifier as other
      then Identifier(identifier, other) 'long';
  thisIsTheFirst.item as item
      where linkId = 'one' and answer.value.exists() and answer.value.empty().not() ->
      third.entry;
}
";
    assert_eq!(check(text), expected);
}

#[test]
fn comments_stay_between_the_tokens_where_they_were() {
    let text = "// first

/* second */ map \"u\" = \"n\" // third
// fourth
group G(source a, /* fifth */ target b) { // sixth

  // seventh

  a.b /* eighth */ -> // ninth
    // tenth
    b.c, b.d // eleventh
    ; // twelfth
  /* thirteenth
       goes on */
  // fourteenth
} // fifteenth
// sixteenth";
    let expected = "// first

/* second */ map \"u\" = \"n\" // third

// fourth
group G(
  source a, /* fifth */
  target b
) { // sixth
  // seventh
  a.b /* eighth */ -> // ninth
      // tenth
      b.c,
      b.d // eleventh
      ; // twelfth
  /* thirteenth
       goes on */
  // fourteenth
} // fifteenth
// sixteenth
";
    assert_eq!(check(text), expected);
}

#[test]
fn what_is_tolerated_only_is_mended() {
    let text = "map 'u' = 'n'
group G(source a // one
  target b, /* two */ ) {
  a.b -> b.b
  a.c -> b.c = append('x', a,) 'n' // three
  a.d then { a.e -> b.e };
};
";
    let expected = "map 'u' = 'n'

group G(
  source a, // one
  target b /* two */
) {
  a.b -> b.b;
  a.c -> b.c = append('x', a) 'n'; // three
  a.d then {
    a.e -> b.e;
  };
}
";
    assert_eq!(check(text), expected);
    let mut library = fhir_mapping::MapLibrary::new();
    library.add_map(expected).unwrap();
    assert!(library.warnings().is_empty());
}

#[test]
fn mistakes_are_told_and_nothing_is_formatted() {
    assert!(matches!(
        format("map 'u' = 'n' group (").unwrap_err(),
        MapError::Syntax(_)
    ));
    // A part of a map without a url can be formatted.
    assert_eq!(
        format("group G(source a) {a->a.b 'c';}").unwrap(),
        "group G(source a) {\n  a -> a.b 'c';\n}\n"
    );
}

/// White space and comments that may stand between any two tokens.
fn blank() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        " ",
        " ",
        "  ",
        "\n",
        "\n\n\n",
        "\t",
        " // c\n",
        "\n// d\r\n",
        " /* e */ ",
        "\n/* f\n   g */\n",
        "/* h */",
        "\n\n// i\n\n",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_layout_is_formatted_the_same_again(
        blanks in prop::collection::vec(blank(), 400),
        which in 0_usize..1_000,
    ) {
        let maps = maps::all();
        let (_, text) = &maps[which % maps.len()];
        // Between words and symbols of the map's own layout; strings stay whole.
        let mut scattered = String::new();
        let mut quote = None;
        let mut blanks = blanks.iter().cycle();
        for line in text.lines().take(60) {
            let is_header = line.starts_with("///");
            for character in line.chars() {
                match quote {
                    None if matches!(character, '\'' | '"') => quote = Some(character),
                    Some(open) if open == character => quote = None,
                    _ => {}
                }
                if character == ' ' && quote.is_none() && !is_header && !line.contains("//") {
                    scattered.push_str(blanks.next().unwrap());
                } else {
                    scattered.push(character);
                }
            }
            quote = None;
            scattered.push('\n');
        }
        if let Ok(once) = format(&scattered) {
            prop_assert_eq!(&format(&once).unwrap(), &once);
            prop_assert_eq!(essence(&once), essence(&scattered));
        }
    }

    #[test]
    fn no_text_makes_the_formatter_panic(text in "[-a-z(){}\\[\\]'\"`/*.,;:=<>%$@ \\n0-9]{0,120}") {
        let whole = format!("map 'u' = 'n' group G(source a, target b) {{ a.b {text} }}");
        if let Ok(once) = format(&whole) {
            prop_assert_eq!(format(&once).unwrap(), once);
        }
    }
}
