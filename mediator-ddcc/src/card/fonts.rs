//! The typefaces of a card: those that come with the product, and the operator's before them.

use std::io::Read as _;
use std::path::Path;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use krilla::Data;
use krilla::text::Font;
use rustybuzz::ttf_parser;

use super::CardError;
use super::shape_plans::ShapePlans;

macro_rules! built_in {
    ($($name:literal)*) => {
        /// Names and files of the fonts made by `fonts/subset.sh`, in the order in which they are
        /// asked for a character.
        const BUILT_IN: &[(&str, &[u8])] =
            &[$(($name, include_bytes!(concat!("../../fonts/", $name, ".ttf.gz")))),*];
    };
}

built_in! {
    "NotoSans-Regular"
    "NotoSans-Bold"
    "NotoSansArabic-Regular"
    "NotoSansArabic-Bold"
    "DroidSansFallback"
    "NotoSansArmenian-Regular"
    "NotoSansBengali-Regular"
    "NotoSansDevanagari-Regular"
    "NotoSansEthiopic-Regular"
    "NotoSansGeorgian-Regular"
    "NotoSansGujarati-Regular"
    "NotoSansGurmukhi-Regular"
    "NotoSansHebrew-Regular"
    "NotoSansKannada-Regular"
    "NotoSansKhmer-Regular"
    "NotoSansLao-Regular"
    "NotoSansMalayalam-Regular"
    "NotoSansMyanmar-Regular"
    "NotoSansOriya-Regular"
    "NotoSansSinhala-Regular"
    "NotoSansTamil-Regular"
    "NotoSansTelugu-Regular"
    "NotoSansThaana-Regular"
    "NotoSansThai-Regular"
}

/// Faces in the order in which they are asked for a character.
pub(super) struct Fonts {
    faces: Vec<Face>,
    regular: Vec<usize>,
    bold: Vec<usize>,
}

/// One face. Those built in are unpacked when a text first needs them.
pub(super) struct Face {
    pub(super) bold: bool,
    packed: &'static [u8],
    loaded: OnceLock<Option<Loaded>>,
}

pub(super) struct Loaded {
    data: Data,
    index: u32,
    pub(super) font: Font,
    pub(super) plans: ShapePlans,
}

impl Loaded {
    fn new(data: Vec<u8>) -> Option<Self> {
        let data = Data::from(data);
        let index = 0;
        let font = Font::new(data.clone(), index)?;
        Some(Self {
            data,
            index,
            font,
            plans: ShapePlans::default(),
        })
    }

    /// The face as the shaper reads it. Reading its tables takes some microseconds, so one is
    /// kept for each card.
    pub(super) fn shaper_face(&self) -> Option<rustybuzz::Face<'_>> {
        rustybuzz::Face::from_slice(self.data.as_ref(), self.index)
    }
}

impl Face {
    pub(super) fn loaded(&self) -> Option<&Loaded> {
        self.loaded
            .get_or_init(|| {
                let mut data = Vec::new();
                GzDecoder::new(self.packed).read_to_end(&mut data).ok()?;
                Loaded::new(data)
            })
            .as_ref()
    }
}

impl Fonts {
    pub(super) fn built_in() -> Self {
        let face = |(name, packed): &(&str, &'static [u8])| Face {
            bold: name.ends_with("-Bold"),
            packed,
            loaded: OnceLock::new(),
        };
        Self::new(BUILT_IN.iter().map(face).collect())
    }

    /// The fonts of a folder (`.ttf`, `.otf`, and the first of each `.ttc`) by name, then those
    /// built in.
    pub(super) fn with_folder(folder: &Path) -> Result<Self, CardError> {
        let unreadable = |source| CardError::Folder {
            path: folder.to_owned(),
            source,
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            let is_font = extension.is_some_and(|extension| {
                ["ttf", "otf", "ttc"]
                    .iter()
                    .any(|known| extension.eq_ignore_ascii_case(known))
            });
            if is_font {
                paths.push(path);
            }
        }
        paths.sort();
        let mut faces = Vec::new();
        for path in paths {
            let data = std::fs::read(&path).map_err(|source| CardError::Folder {
                path: path.clone(),
                source,
            })?;
            faces.push(own(data).map_err(|reason| CardError::Font {
                path: path.clone(),
                reason,
            })?);
        }
        faces.extend(Self::built_in().faces);
        Ok(Self::new(faces))
    }

    fn new(faces: Vec<Face>) -> Self {
        let order = |bold_first: bool| {
            let (mut first, then): (Vec<usize>, Vec<usize>) = (0..faces.len()).partition(|index| {
                faces
                    .get(*index)
                    .is_some_and(|face| face.bold == bold_first)
            });
            first.extend(then);
            first
        };
        Self {
            regular: order(false),
            bold: order(true),
            faces,
        }
    }

    pub(super) fn faces(&self) -> &[Face] {
        &self.faces
    }

    /// Indices into [`Fonts::faces`]: those of the weight, then the others.
    pub(super) fn order(&self, bold: bool) -> &[usize] {
        if bold { &self.bold } else { &self.regular }
    }
}

/// A font of the operator's.
fn own(data: Vec<u8>) -> Result<Face, &'static str> {
    let face = ttf_parser::Face::parse(&data, 0).map_err(|_| "it is no OpenType font")?;
    if face.permissions() == Some(ttf_parser::Permissions::Restricted) {
        return Err("its licence forbids embedding (OS/2 fsType)");
    }
    let bold = face.weight().to_number() >= 600;
    let loaded = Loaded::new(data).ok_or("it has no usable outlines")?;
    Ok(Face {
        bold,
        packed: &[],
        loaded: OnceLock::from(Some(loaded)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_built_in_font_loads_with_the_weight_it_is_said_to_have() {
        let fonts = Fonts::built_in();
        for face in fonts.faces() {
            let parsed = face.loaded().unwrap().shaper_face().unwrap();
            assert_eq!(face.bold, parsed.weight().to_number() >= 600);
            assert_ne!(
                parsed.permissions(),
                Some(ttf_parser::Permissions::Restricted)
            );
        }
    }

    #[test]
    fn every_ideograph_and_the_letters_of_many_scripts_have_glyphs() {
        let fonts = Fonts::built_in();
        let faces: Vec<_> = fonts
            .faces()
            .iter()
            .map(|face| face.loaded().unwrap().shaper_face().unwrap())
            .collect();
        let letters = ('\u{20}'..='\u{7e}')
            .chain('\u{a0}'..='\u{24f}')
            .chain('\u{400}'..='\u{52f}')
            .chain('\u{621}'..='\u{64a}')
            .chain('\u{660}'..='\u{6ef}')
            .chain('\u{1e00}'..='\u{1eff}')
            .chain('\u{4e00}'..='\u{9fa5}')
            .chain('\u{10d0}'..='\u{10f0}')
            .chain('\u{1780}'..='\u{17b3}')
            .chain([
                'Հ', 'א', 'क', 'ক', 'ਕ', 'ક', 'କ', 'த', 'త', 'ಕ', 'ക', 'ක', 'ก', 'ກ', 'က', 'አ', 'ދ',
            ])
            .chain(['·', '’', '«', '»', '、', '。', '（', '）', '\u{fffd}', '…']);
        for letter in letters {
            assert!(
                faces.iter().any(|face| face.glyph_index(letter).is_some()),
                "U+{:04X}",
                u32::from(letter)
            );
        }
    }
}
