#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::LazyLock;

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use image::GrayImage;
use rstest::rstest;
use rxing::BarcodeFormat;
use serde_json::{Value, json};

use super::*;
use crate::codes::CodeForm;

static RENDERER: LazyLock<CardRenderer> = LazyLock::new(|| CardRenderer::builtin().unwrap());

/// A core data set with every element.
fn vaccination(name: &str) -> Value {
    let icd11 = |code: &str| json!({"system": "http://id.who.int/icd11/mms", "code": code});
    json!({
        "name": name,
        "birthDate": "2003-03-03",
        "identifier": {"value": "1234567890"},
        "sex": "male",
        "vaccination": {
            "vaccine": icd11("XM0GQ8"),
            "brand": icd11("XM3DT5"),
            "manufacturer": {"system": "http://example.org", "code": "M", "display": "Maker"},
            "maholder": {"system": "http://example.org", "code": "H"},
            "lot": "ER8732",
            "date": "2021-04-05",
            "validFrom": "2021-04-19",
            "dose": 1,
            "totalDoses": 2,
            "country": {"system": "urn:iso:std:iso:3166", "code": "USA"},
            "centre": "Vaccination Site",
            "practitioner": {"value": "lAH8TnzqAInqwkslHzOlSA"},
            "disease": icd11("RA01"),
            "nextDose": "2021-04-28",
        },
        "certificate": {
            "issuer": {"identifier": {"value": "dPD2PfwzBQyphcjeUiAdRP"}},
            "hcid": {"value": "bMlJkAt0V92RYhhG3fNt"},
            "version": "RC2",
        },
    })
}

/// A test result with no element that may be left out.
fn test_result() -> Value {
    json!({
        "name": "Юрий Подъячев",
        "test": {
            "pathogen": {"system": "http://id.who.int/icd11/mms", "code": "XN109"},
            "type": {"system": "http://id.who.int/icd11/mms", "code": "1334426561"},
            "date": "2021-04-05T10:30:15+05:00",
            "country": {"system": "urn:iso:std:iso:3166", "code": "KAZ"},
        },
        "certificate": {
            "issuer": {"identifier": {"value": "dPD2PfwzBQyphcjeUiAdRP"}},
            "hcid": {"value": "bMlJkAt0V92RYhhG3fNt"},
            "version": "RC2",
        },
    })
}

fn issuer() -> IssuerSettings {
    IssuerSettings {
        name: "Ministry of Health & Care".into(),
        country: "CH".into(),
        country_alpha3: "CHE".into(),
        smart_health_card_issuer: "https://health.example.org/ddcc/shc_issuer".into(),
        default_validity_days: 180,
        issue_expired: false,
    }
}

/// Codes as large as real ones.
fn codes(forms: &[CodeForm]) -> Vec<IssuedCode> {
    let text = |form| match form {
        CodeForm::Who => format!("HC1:{}", "6BF+70790T9WJWG.FKY*4GO0".repeat(40)),
        CodeForm::Dcc => format!("HC1:{}", "NCFOXN%TSMAHN-HLWJ8".repeat(28)),
        CodeForm::Shc => format!("shc:/{}", "5676290952".repeat(130)),
        CodeForm::Icao => format!("{{\"data\":{{\"hdr\":\"{}\"}}}}", "Zürich ".repeat(110)),
    };
    forms
        .iter()
        .map(|form| IssuedCode::new(*form, text(*form)).unwrap())
        .collect()
}

fn card<'a>(
    core_data_set: &'a CoreDataSet,
    issuer: &'a IssuerSettings,
    codes: &'a [IssuedCode],
) -> Card<'a> {
    Card {
        core_data_set,
        issuer,
        issued_at: "2021-04-06T10:00:00Z".parse().unwrap(),
        valid_from: Some("2021-04-06T10:00:00Z".parse().unwrap()),
        valid_until: Some("2022-04-05T23:59:59Z".parse().unwrap()),
        codes,
    }
}

fn render_with(
    renderer: &CardRenderer,
    size: CardSize,
    set: Value,
    codes: &[IssuedCode],
) -> Result<Vec<u8>, CardError> {
    let set = serde_json::from_value(set).unwrap();
    renderer.render(size, &card(&set, &issuer(), codes))
}

fn render(size: CardSize, set: Value, codes: &[IssuedCode]) -> Vec<u8> {
    render_with(&RENDERER, size, set, codes).unwrap()
}

/// The only page of a PDF file, in pixels.
fn page(pdf: Vec<u8>, dots_per_inch: f32) -> GrayImage {
    let pdf = Pdf::new(pdf).unwrap();
    let [page] = &**pdf.pages() else {
        panic!("a card has one page");
    };
    let scale = dots_per_inch / 72.0;
    let png = hayro::render(
        page,
        &RenderCache::new(),
        &InterpreterSettings::default(),
        &RenderSettings::default(),
        &PixmapSettings {
            x_scale: scale,
            y_scale: scale,
            bg_color: WHITE,
        },
    )
    .into_png()
    .unwrap();
    image::load_from_memory(&png).unwrap().into_luma8()
}

/// Whether anything is printed between two places, in shares of the page's width.
fn is_printed(page: &GrayImage, from: f32, to: f32) -> bool {
    let column = |share: f32| (share * page.width() as f32) as u32;
    let (from, to) = (column(from), column(to));
    // Below the bar at the top
    let top = page.height() / 50;
    page.enumerate_pixels()
        .any(|(x, y, pixel)| (from..to).contains(&x) && y > top && pixel.0[0] < 200)
}

/// What is drawn in the places that the template has for codes, read by a decoder: form or `hcid`,
/// and text.
fn read_codes(size: CardSize, set: &Value, codes: &[IssuedCode]) -> Vec<(String, String)> {
    let core_data_set = serde_json::from_value(set.clone()).unwrap();
    let issuer = issuer();
    let card = card(&core_data_set, &issuer, codes);
    let template = RENDERER.environment.get_template(size.template()).unwrap();
    let svg = template.render(Serde(Values::new(&card))).unwrap();
    let xml = usvg::roxmltree::Document::parse(&svg).unwrap();
    let page = page(RENDERER.render(size, &card).unwrap(), 300.0);
    let places = xml
        .descendants()
        .filter_map(|node| Some((node, node.attribute("href")?.strip_prefix("card:")?)));
    places
        .map(|(node, name)| {
            let pixels = |attribute: &str, more: f32| {
                let millimetres: f32 = node.attribute(attribute).unwrap().parse().unwrap();
                ((millimetres + more) / 25.4 * 300.0) as u32
            };
            let place = image::imageops::crop_imm(
                &page,
                pixels("x", -2.0),
                pixels("y", -2.0),
                pixels("width", 4.0),
                pixels("height", 4.0),
            )
            .to_image();
            let format = match name {
                "hcid" => BarcodeFormat::CODE_128,
                _ => BarcodeFormat::QR_CODE,
            };
            let (width, height) = place.dimensions();
            let read =
                rxing::helpers::detect_in_luma(place.into_raw(), width, height, Some(format));
            (name.to_owned(), read.unwrap().getText().to_owned())
        })
        .collect()
}

#[rstest]
fn every_code_is_read_back_from_the_page(
    #[values(CardSize::A4, CardSize::Wallet)] size: CardSize,
    #[values(0, 1, 2, 3, 4)] count: usize,
) {
    let codes = codes(&CodeForm::ALL[..count]);
    let read = read_codes(size, &vaccination("Aulus Agerius"), &codes);
    let mut expected = vec![("hcid".to_owned(), "bMlJkAt0V92RYhhG3fNt".to_owned())];
    let printed = |code: &IssuedCode| (code.form.as_str().to_owned(), code.text.clone());
    expected.extend(codes.iter().map(printed));
    assert!(read == expected, "{size:?} {count}");
}

#[test]
fn a_bar_code_too_fine_to_be_printed_is_left_out() {
    let read = |size, hcid: &str| {
        let mut set = vaccination("Aulus Agerius");
        set["certificate"]["hcid"]["value"] = json!(hcid);
        read_codes(size, &set, &[])
    };
    for (size, length) in [(CardSize::A4, 80), (CardSize::Wallet, 38)] {
        let hcid: String = "a1".chars().cycle().take(length).collect();
        assert_eq!(
            read(size, &hcid),
            [("hcid".to_owned(), hcid.clone())],
            "{size:?}"
        );
        assert_eq!(read(size, &format!("{hcid}a")), [], "{size:?}");
    }
}

#[test]
fn other_forms_take_the_place_of_those_left_out() {
    let with = |forms: &[CodeForm]| {
        let pdf = render(CardSize::A4, vaccination("Aulus Agerius"), &codes(forms));
        let page = page(pdf, 50.0);
        // Where the first code is, and where the second would be
        let (left, right) = (page.width() * 20 / 210, page.width() * 110 / 210);
        let dark = |from: u32| {
            (page.height() * 7 / 10..page.height() * 8 / 10)
                .any(|y| (from..from + 40).any(|x| page.get_pixel(x, y).0[0] < 100))
        };
        (dark(left), dark(right))
    };
    assert_eq!(with(&[]), (false, false));
    assert_eq!(with(&[CodeForm::Icao]), (true, false));
    assert_eq!(with(&[CodeForm::Dcc, CodeForm::Icao]), (true, true));
}

#[rstest]
#[case::latin("Wolfeschlegelsteinhausen Bergerdorff ".repeat(9).chars().take(300).collect())]
#[case::chinese("奥卢斯·阿杰里乌斯".chars().cycle().take(100).collect())]
#[case::arabic("أولوس أجيريوس ".chars().cycle().take(300).collect())]
#[case::one_word("W".repeat(300))]
fn nothing_is_printed_in_the_margins(
    #[case] long: String,
    #[values(CardSize::A4, CardSize::Wallet)] size: CardSize,
) {
    let mut set = vaccination(&long);
    for element in ["centre", "lot"] {
        set["vaccination"][element] = json!(long);
    }
    set["identifier"]["value"] = json!(long);
    let page = page(render(size, set, &[]), 72.0);
    let margin = match size {
        CardSize::A4 => 17.5 / 210.0,
        CardSize::Wallet => 3.5 / 85.6,
    };
    assert!(!is_printed(&page, 0.0, margin));
    assert!(!is_printed(&page, 1.0 - margin, 1.0));
    assert!(is_printed(&page, margin, 0.5));
}

#[test]
fn arabic_names_stand_on_the_right() {
    let printed = |name: &str| {
        let page = page(render(CardSize::A4, vaccination(name), &[]), 72.0);
        // The line of the name
        let (top, bottom) = (page.height() * 58 / 297, page.height() * 65 / 297);
        let lines = image::imageops::crop_imm(&page, 0, top, page.width(), bottom - top);
        let lines = lines.to_image();
        (is_printed(&lines, 0.0, 0.4), is_printed(&lines, 0.6, 1.0))
    };
    assert_eq!(printed("أولوس أجيريوس"), (false, true));
    assert_eq!(printed("Aulus Agerius"), (true, false));
    assert_eq!(printed("奥卢斯"), (true, false));
}

#[rstest]
fn the_same_card_is_the_same_file(#[values(CardSize::A4, CardSize::Wallet)] size: CardSize) {
    let codes = codes(&CodeForm::ALL);
    let set = || vaccination("奥卢斯 Aulus أولوس");
    let other = CardRenderer::builtin().unwrap();
    let first = render(size, set(), &codes);
    assert_eq!(first, render(size, set(), &codes));
    assert_eq!(first, render_with(&other, size, set(), &codes).unwrap());
    assert_ne!(first, render(size, vaccination("Aulus"), &codes));
}

#[rstest]
fn elements_that_may_be_left_out_may_be(#[values(CardSize::A4, CardSize::Wallet)] size: CardSize) {
    let mut least = vaccination("Ana");
    for element in ["birthDate", "identifier", "sex"] {
        least.as_object_mut().unwrap().remove(element);
    }
    for element in [
        "manufacturer",
        "validFrom",
        "totalDoses",
        "centre",
        "practitioner",
        "disease",
        "nextDose",
    ] {
        least["vaccination"]
            .as_object_mut()
            .unwrap()
            .remove(element);
    }
    let few = page(render(size, least, &[]), 50.0);
    let all = page(render(size, vaccination("Ana"), &[]), 50.0);
    let ink = |page: &GrayImage| page.pixels().filter(|pixel| pixel.0[0] < 128).count();
    assert!(ink(&few) < ink(&all));
    render(size, test_result(), &[]);
}

/// A renderer with a template of its own, which shows one value.
fn renderer_of(template: &str) -> Result<CardRenderer, CardError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a4.svg"), template).unwrap();
    CardRenderer::with_folder(folder.path())
}

fn svg(inside: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 100 50\" width=\"100mm\" height=\"50mm\">{inside}</svg>"
    )
}

#[test]
fn values_are_text_and_never_markup_or_template() {
    let renderer = renderer_of(&svg(
        "<text x=\"5\" y=\"20\" font-size=\"6\">{{ holder.name }}</text>",
    ))
    .unwrap();
    let template = renderer.environment.get_template("a4.svg").unwrap();
    let name = "<b>R&D</b> \"x\" {{ 7*7 }} {% x %} ]]> &amp; é";
    let set: CoreDataSet = serde_json::from_value(vaccination(name)).unwrap();
    let issuer = issuer();
    let card = card(&set, &issuer, &[]);
    let rendered = template.render(Serde(Values::new(&card))).unwrap();
    let xml = usvg::roxmltree::Document::parse(&rendered).unwrap();
    let text = xml
        .descendants()
        .find(|node| node.has_tag_name("text"))
        .unwrap();
    assert_eq!(text.text(), Some(name));
    renderer.render(CardSize::A4, &card).unwrap();
}

#[rstest]
#[case::control("a\u{0}b\u{1b}c")]
#[case::no_character("a\u{fffe}b\u{feff}c")]
#[case::private("a\u{e000}b\u{10ffff}c")]
#[case::marks("\u{301}\u{302}a\u{200d}\u{200f}b\u{fe0f}")]
#[case::direction("a\u{202e}b\u{2066}c\u{2028}d")]
#[case::emoji("👩‍⚕️ 🇫🇷")]
#[case::nothing("")]
fn unusual_characters_spoil_no_card(#[case] name: &str) {
    render(CardSize::A4, vaccination(name), &[]);
}

#[rstest]
#[case::syntax("{% if %}", "line 1")]
#[case::unknown_value("<svg>\n{{ holder.nmae }}</svg>", "line 2")]
#[case::markup("<svg", "root")]
#[case::size(
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"0\" height=\"1\"/>",
    "size"
)]
#[case::proportions(
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 2 1\" width=\"10mm\" height=\"10mm\"/>",
    "viewBox"
)]
#[case::number(&svg("\n<text x=\"a\"/>"), "line 2")]
#[case::font_size(&svg("<text font-size=\"0\">a</text>"), "font-size")]
#[case::fill(&svg("<text fill=\"pinkish\">a</text>"), "fill")]
#[case::no_label(&svg("<image href=\"card:hcid\" width=\"50\" height=\"9\"/>"), "aria-label")]
#[case::no_area(&svg("<image href=\"card:hcid\" width=\"-1\" aria-label=\"a\"/>"), "width")]
fn a_wrong_template_is_named_with_its_mistake(#[case] template: &str, #[case] expected: &str) {
    let error = renderer_of(template).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("a4.svg") && message.contains(expected),
        "{message}"
    );
}

#[test]
fn files_named_in_a_template_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret.svg");
    std::fs::write(&secret, svg("<rect width=\"100\" height=\"50\"/>")).unwrap();
    let image = format!(
        "<image href=\"{}\" width=\"100\" height=\"50\"/>",
        secret.display()
    );
    let renderer = renderer_of(&svg(&image)).unwrap();
    let pdf = render_with(&renderer, CardSize::A4, vaccination("Ana"), &[]).unwrap();
    assert!(page(pdf, 72.0).pixels().all(|pixel| pixel.0[0] == 255));
}

#[test]
fn a_folder_replaces_one_template_and_leaves_the_other() {
    let renderer = renderer_of(&svg("<rect width=\"100\" height=\"50\"/>")).unwrap();
    let pdf = render_with(&renderer, CardSize::A4, vaccination("Ana"), &[]).unwrap();
    assert!(page(pdf, 72.0).pixels().all(|pixel| pixel.0[0] == 0));
    assert_eq!(
        render_with(&renderer, CardSize::Wallet, vaccination("Ana"), &[]).unwrap(),
        render(CardSize::Wallet, vaccination("Ana"), &[])
    );
}

#[test]
fn what_a_folder_holds_is_checked_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.ttf"), "no font").unwrap();
    let error = CardRenderer::with_folder(folder.path()).unwrap_err();
    assert!(matches!(error, CardError::Font { .. }));
    assert!(error.to_string().contains("broken.ttf"), "{error}");
    let error = CardRenderer::with_folder(&folder.path().join("none")).unwrap_err();
    assert!(matches!(error, CardError::Folder { .. }), "{error}");
}

#[test]
fn sizes_have_names() {
    for size in CardSize::ALL {
        assert_eq!(size.as_str().parse(), Ok(size));
    }
    assert_eq!("A5".parse::<CardSize>(), Err(UnknownCardSize));
}
