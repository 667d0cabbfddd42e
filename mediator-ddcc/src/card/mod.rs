//! The certificate on paper: one PDF page with the holder, the event and the codes.
//!
//! A card is laid out by a template: an SVG drawing with [minijinja] expressions for the values.
//! `templates/README.md` tells what a template sees and which attributes texts and codes have.
//! Pages are PDF/A-2a: tagged, with every font embedded.

mod bar_code;
mod drawing;
mod fonts;
mod paragraph;
mod qr_image;
mod repeated;
mod sample;
mod shape_plans;
mod shaping;
mod values;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use crate::codes::{IssuedCode, IssuerSettings};
use crate::core_data_set::CoreDataSet;
use fonts::Fonts;
use repeated::Repeated;
use values::Values;

/// The page that a card is printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CardSize {
    /// One A4 page, 210 × 297 mm.
    A4,
    /// A strip to fold, each part as large as a credit card (ISO/IEC 7810 ID-1): one with the
    /// data and one for each code.
    Wallet,
}

impl CardSize {
    /// Every size.
    pub const ALL: [Self; 2] = [Self::A4, Self::Wallet];

    /// The size's name: `a4` or `wallet`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A4 => "a4",
            Self::Wallet => "wallet",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::A4 => "a4.svg",
            Self::Wallet => "wallet.svg",
        }
    }
}

/// Not the name of a size of card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the size of a card is a4 or wallet")]
pub struct UnknownCardSize;

impl FromStr for CardSize {
    type Err = UnknownCardSize;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|size| size.as_str() == text)
            .ok_or(UnknownCardSize)
    }
}

/// What a card shows.
#[derive(Debug, Clone, Copy)]
pub struct Card<'a> {
    /// Holder, event, and the certificate's identifier.
    pub core_data_set: &'a CoreDataSet,
    /// Who issues.
    pub issuer: &'a IssuerSettings,
    /// Time of issue; also the PDF's.
    pub issued_at: DateTime<Utc>,
    /// From when the certificate counts.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when the certificate counts.
    pub valid_until: Option<DateTime<Utc>>,
    /// The codes, in the order in which they are shown; any number of forms.
    pub codes: &'a [IssuedCode],
}

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The operator's folder or a file in it cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the operator's folder cannot be used as a font.
    #[error("cannot use the font {}: {reason}; remove or replace it", .path.display())]
    Font {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// A template is wrong.
    #[error("the card template {template} cannot be used: {reason}")]
    Template {
        /// Its file name.
        template: &'static str,
        /// What is wrong, and in which line.
        reason: String,
    },
}

/// Makes cards. Templates and fonts are read once; one renderer serves all threads.
pub struct CardRenderer {
    environment: Environment<'static>,
    fonts: Fonts,
    a4: Repeated,
    wallet: Repeated,
}

impl std::fmt::Debug for CardRenderer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CardRenderer")
            .finish_non_exhaustive()
    }
}

impl CardRenderer {
    /// With the templates and fonts that come with the product.
    ///
    /// # Errors
    /// [`CardError::Template`] when a template does not parse.
    pub fn builtin() -> Result<Self, CardError> {
        Self::new(Fonts::built_in(), |_| Ok(None))
    }

    /// With an operator's folder: `a4.svg` and `wallet.svg` replace the templates, and fonts
    /// (`.ttf`, `.otf`, `.ttc`) are asked for each character, by file name, before those that
    /// come with the product.
    ///
    /// # Errors
    /// [`CardError`] when the folder cannot be read, or one of its files cannot be used: cards of
    /// nobody are drawn to know.
    pub fn with_folder(folder: &Path) -> Result<Self, CardError> {
        let renderer = Self::new(Fonts::with_folder(folder)?, |name| {
            let path = folder.join(name);
            match std::fs::read_to_string(&path) {
                Ok(template) => Ok(Some(template)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(CardError::Folder { path, source }),
            }
        })?;
        renderer.try_out()?;
        Ok(renderer)
    }

    fn new(
        fonts: Fonts,
        replacement: impl Fn(&'static str) -> Result<Option<String>, CardError>,
    ) -> Result<Self, CardError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let [a4, wallet] = CardSize::ALL.map(|size| {
            let name = size.template();
            let source = match replacement(name)? {
                Some(source) => source,
                None => match size {
                    CardSize::A4 => include_str!("../../templates/a4.svg").to_owned(),
                    CardSize::Wallet => include_str!("../../templates/wallet.svg").to_owned(),
                },
            };
            environment
                .add_template_owned(name, source.clone())
                .map_err(|error| template_error(name, &error))?;
            Ok(Repeated::new(source))
        });
        Ok(Self {
            environment,
            fonts,
            a4: a4?,
            wallet: wallet?,
        })
    }

    /// The card as a PDF file. The same card gives the same bytes. Takes milliseconds of one
    /// processor and waits for nothing.
    ///
    /// # Errors
    /// [`CardError::Template`] when the template cannot show this card.
    pub fn render(&self, size: CardSize, card: &Card<'_>) -> Result<Vec<u8>, CardError> {
        let name = size.template();
        let svg = self
            .environment
            .get_template(name)
            .and_then(|template| template.render(Serde(Values::new(card))))
            .map_err(|error| template_error(name, &error))?;
        let repeated = match size {
            CardSize::A4 => &self.a4,
            CardSize::Wallet => &self.wallet,
        };
        let (pdf, without_glyph) =
            drawing::draw(&svg, card, &self.fonts, repeated).map_err(|reason| {
                CardError::Template {
                    template: name,
                    reason,
                }
            })?;
        if !without_glyph.is_empty() {
            tracing::warn!(
                scripts = ?without_glyph,
                "a card has characters that no font has, shown as \u{fffd}; put a font for them into the cards' folder"
            );
        }
        Ok(pdf)
    }
}

/// A template's error without the values that it was given.
fn template_error(template: &'static str, error: &minijinja::Error) -> CardError {
    let line = error
        .line()
        .map(|line| format!(" in line {line}"))
        .unwrap_or_default();
    CardError::Template {
        template,
        reason: format!("{}{line}", error.kind()),
    }
}

#[cfg(test)]
mod tests;
