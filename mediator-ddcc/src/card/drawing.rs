//! From the SVG that a template gives to a page: shapes as they are, codes and texts set here.
//!
//! Texts are not left to the SVG library: it knows neither boxes nor lines, and turns every glyph
//! into an outline and a drawing operation of its own.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::str::FromStr as _;
use std::sync::Arc;

use krilla::Document;
use krilla::color::rgb;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::error::KrillaError;
use krilla::geom::{PathBuilder, Point, Rect, Size, Transform};
use krilla::image::Image;
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, SpanTag, Tag, TagGroup, TagTree};
use krilla_svg::{SurfaceExt as _, SvgSettings};
use usvg::roxmltree;

use super::fonts::Fonts;
use super::paragraph::{self, CAPITAL, Room};
use super::repeated::Repeated;
use super::shaping::Shaper;
use super::{Card, bar_code, qr_image};
use crate::codes::qr_code::{QUIET_ZONE, QrCode};

/// Points of a CSS pixel.
const POINTS: f32 = 0.75;
/// Language of a card that names none.
const LANGUAGE: &str = "en";

/// Draws a card. Errors tell what is wrong with the template or the fonts.
pub(super) fn draw(
    svg: &str,
    card: &Card<'_>,
    fonts: &Fonts,
    repeated: &Repeated,
) -> Result<(Vec<u8>, BTreeSet<&'static str>), String> {
    let xml = roxmltree::Document::parse(svg).map_err(|error| error.to_string())?;
    let shapes = shapes(svg, &xml, repeated)?;
    let (width, height) = (
        shapes.size().width() * POINTS,
        shapes.size().height() * POINTS,
    );
    let page = PageSettings::from_wh(width, height).ok_or("the page has no size")?;
    let root = xml.root_element();
    let to_page = view_box(root, width, height)?;

    let mut document = Document::new_with(settings()?);
    let shaper = Shaper::new(fonts);
    let mut tags = TagTree::new().with_lang(Some(language(root).unwrap_or(LANGUAGE).to_owned()));
    let mut sheet = document.start_page_with(page);
    let mut surface = sheet.surface();
    let layout = Artifact::with_kind(ArtifactType::Layout);
    surface.start_tagged(ContentTag::Artifact(layout));
    let size = Size::from_wh(width, height).ok_or("the page has no size")?;
    surface.draw_svg(&shapes, size, SvgSettings::default());
    surface.end_tagged();
    for node in root.descendants().filter(roxmltree::Node::is_element) {
        let element = Element(node);
        let group = match Kind::of(node) {
            Some(Kind::Text) => {
                Some(element.draw_text(&mut surface, &shaper, repeated, to_page)?)
            }
            Some(Kind::Code(name)) => element.draw_code(&mut surface, card, name, to_page)?,
            None => None,
        };
        if let Some(group) = group {
            tags.push(group);
        }
    }
    surface.finish();
    sheet.finish();
    document.set_tag_tree(tags);
    document.set_metadata(metadata(root, card));
    let pdf = document.finish().map_err(|error| explain(&error))?;
    Ok((pdf, shaper.scripts_without_glyph()))
}

fn settings() -> Result<krilla::SerializeSettings, String> {
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A2_A)
        .finish()
        .map_err(|error| format!("{error:?}"))?;
    Ok(krilla::SerializeSettings {
        configuration,
        ..Default::default()
    })
}

fn metadata(root: roxmltree::Node<'_, '_>, card: &Card<'_>) -> Metadata {
    use chrono::{Datelike as _, Timelike as _};
    let at = card.issued_at;
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let created = DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0);
    let title = root
        .children()
        .find(|child| child.has_tag_name((SVG, "title")))
        .map(text_of)
        .filter(|title| !title.is_empty());
    Metadata::new()
        .title(title.unwrap_or_else(|| card.core_data_set.hcid().to_owned()))
        .language(language(root).unwrap_or(LANGUAGE).to_owned())
        .authors(vec![card.issuer.name.clone()])
        .creator(concat!("mediator-ddcc ", env!("CARGO_PKG_VERSION")).to_owned())
        .document_id(card.core_data_set.hcid().to_owned())
        .creation_date(created)
}

/// What krilla's validation found. Its own message only counts.
fn explain(error: &KrillaError) -> String {
    match error {
        KrillaError::Validation(errors) => {
            let mut reasons: Vec<String> = errors
                .iter()
                .map(|(error, _)| {
                    // Names of variants only: their fields hold the text.
                    let debug = format!("{error:?}");
                    debug
                        .split(|character: char| !character.is_alphanumeric())
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                })
                .collect();
            reasons.sort();
            reasons.dedup();
            format!("it would not be PDF/A-2a: {}", reasons.join(", "))
        }
        other => other.to_string(),
    }
}

const SVG: &str = "http://www.w3.org/2000/svg";
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// What is drawn here rather than by the SVG library.
enum Kind<'a> {
    Text,
    Code(&'a str),
}

impl<'a> Kind<'a> {
    fn of(node: roxmltree::Node<'a, '_>) -> Option<Self> {
        if node.has_tag_name((SVG, "text")) {
            return Some(Self::Text);
        }
        let href = node.attribute("href").or(node.attribute((XLINK, "href")))?;
        let code = href.strip_prefix("card:")?;
        node.has_tag_name((SVG, "image"))
            .then_some(Self::Code(code))
    }
}

/// The template's shapes, without what is drawn here, and without titles, which show nothing.
fn shapes(
    svg: &str,
    xml: &roxmltree::Document<'_>,
    repeated: &Repeated,
) -> Result<Arc<usvg::Tree>, String> {
    let mut rest = String::with_capacity(svg.len());
    let mut end = 0;
    let is_left_out = |node: &roxmltree::Node<'_, '_>| {
        Kind::of(*node).is_some()
            || node.has_tag_name((SVG, "title"))
            || node.has_tag_name((SVG, "desc"))
    };
    for node in xml.descendants().filter(is_left_out) {
        let range = node.range();
        // One inside another is left out with it.
        if range.start < end {
            continue;
        }
        rest.push_str(svg.get(end..range.start).unwrap_or_default());
        end = range.end;
    }
    rest.push_str(svg.get(end..).unwrap_or_default());
    repeated.shapes(rest, |svg| {
        let mut options = usvg::Options::default();
        // A template may embed images, but not name files.
        options.image_href_resolver.resolve_string = Box::new(|_, _| None);
        usvg::Tree::from_str(svg, &options).map_err(|error| error.to_string())
    })
}

/// From user units to points.
fn view_box(
    root: roxmltree::Node<'_, '_>,
    width: f32,
    height: f32,
) -> Result<svgtypes::Transform, String> {
    let Some(text) = root.attribute("viewBox") else {
        let scale = f64::from(POINTS);
        return Ok(svgtypes::Transform::new(scale, 0.0, 0.0, scale, 0.0, 0.0));
    };
    let view = svgtypes::ViewBox::from_str(text).map_err(|error| format!("viewBox: {error}"))?;
    let across = f64::from(width) / view.w;
    let down = f64::from(height) / view.h;
    if (across / down - 1.0).abs() > 0.001 {
        return Err("width and height do not have the proportions of viewBox".into());
    }
    Ok(svgtypes::Transform::new(
        across,
        0.0,
        0.0,
        down,
        -view.x * across,
        -view.y * down,
    ))
}

fn language<'a>(node: roxmltree::Node<'a, '_>) -> Option<&'a str> {
    node.attribute((XML, "lang"))
}

/// The characters in an element, white space as XML's default has it.
fn text_of(node: roxmltree::Node<'_, '_>) -> String {
    let mut text = String::new();
    for part in node.descendants().filter(roxmltree::Node::is_text) {
        text.push_str(part.text().unwrap_or_default());
    }
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// An element that is drawn here.
struct Element<'a, 'input>(roxmltree::Node<'a, 'input>);

impl Element<'_, '_> {
    fn number(&self, name: &str) -> Result<Option<f32>, String> {
        self.0
            .attribute(name)
            .map(|text| {
                text.trim()
                    .parse()
                    .map_err(|_| self.wrong(name, "a number"))
            })
            .transpose()
    }

    fn coordinate(&self, name: &str) -> Result<f32, String> {
        Ok(self.number(name)?.unwrap_or_default())
    }

    /// An attribute of the element or of those around it.
    fn inherited(&self, name: &str) -> Option<&str> {
        self.0.ancestors().find_map(|node| node.attribute(name))
    }

    fn wrong(&self, attribute: &str, expected: &str) -> String {
        let position = self.0.document().text_pos_at(self.0.range().start);
        format!(
            "{attribute} of the {} in line {} is not {expected}",
            self.0.tag_name().name(),
            position.row
        )
    }

    /// From the element's user units to points.
    fn transform(&self, to_page: svgtypes::Transform) -> Result<Transform, String> {
        let mut all = to_page;
        let mut ancestors: Vec<_> = self.0.ancestors().collect();
        ancestors.reverse();
        for node in ancestors {
            if let Some(text) = node.attribute("transform") {
                let own = svgtypes::Transform::from_str(text)
                    .map_err(|_| self.wrong("transform", "a transformation"))?;
                all = multiply(all, own);
            }
        }
        let [a, b, c, d, e, f] = [all.a, all.b, all.c, all.d, all.e, all.f].map(|n| n as f32);
        Ok(Transform::from_row(a, b, c, d, e, f))
    }

    fn fill(&self) -> Result<rgb::Color, String> {
        let Some(text) = self.inherited("fill") else {
            return Ok(rgb::Color::black());
        };
        let color = svgtypes::Color::from_str(text).map_err(|_| self.wrong("fill", "a colour"))?;
        Ok(rgb::Color::new(color.red, color.green, color.blue))
    }

    fn draw_text(
        &self,
        surface: &mut Surface<'_>,
        shaper: &Shaper<'_>,
        repeated: &Repeated,
        to_page: svgtypes::Transform,
    ) -> Result<TagGroup, String> {
        let (x, y) = (self.coordinate("x")?, self.coordinate("y")?);
        let size = match self.inherited("font-size") {
            None => 16.0,
            Some(text) => text
                .parse::<f32>()
                .ok()
                .filter(|size| *size > 0.0)
                .ok_or_else(|| self.wrong("font-size", "a number above 0"))?,
        };
        let bold = self
            .inherited("font-weight")
            .is_some_and(|weight| weight == "bold" || weight.parse().is_ok_and(|w: u16| w >= 600));
        let width = self.number("data-width")?.map(|width| width / size);
        let lines = self.number("data-lines")?.unwrap_or(1.0);
        let leading = self.number("data-leading")?.unwrap_or(1.3);
        let text = text_of(self.0);
        let room = Room {
            width,
            lines: lines as u16,
            leading,
        };
        let laid_out = repeated.lines(&text, bold, room, || {
            paragraph::lay_out(shaper, &text, bold, room)
        });
        let set = size * laid_out.scale;
        // Lines begin where capitals of the size asked for would, one line stands on its baseline.
        let first = if laid_out.lines.len() > 1 {
            y - CAPITAL * (size - set)
        } else {
            y
        };
        let room = width.unwrap_or_default() * size;
        let anchor = self.inherited("text-anchor").unwrap_or("start");
        // What is left over goes to the side where the text ends.
        let (left, share) = match anchor {
            "middle" => (x - room / 2.0, 0.5),
            "end" => (x - room, 1.0),
            _ => (
                x,
                f32::from(u8::from(laid_out.right_to_left && width.is_some())),
            ),
        };

        let color = self.fill()?;
        let transform = self.transform(to_page)?;
        surface.push_transform(&transform);
        surface.set_fill(Some(Fill {
            paint: color.into(),
            ..Default::default()
        }));
        let tag = SpanTag::empty().with_lang(self.inherited_language());
        let id = surface.start_tagged(ContentTag::Span(tag));
        let mut baseline = first;
        for line in &laid_out.lines {
            let length = line.iter().map(|run| run.width).sum::<f32>() * set;
            let mut at = left + (room - length) * share;
            for run in line {
                // Faces without a bold one are made bold by a stroke.
                surface.set_stroke(run.embolden.then(|| Stroke {
                    paint: color.into(),
                    width: set * 0.025,
                    ..Default::default()
                }));
                surface.draw_glyphs(
                    Point::from_xy(at, baseline),
                    &run.glyphs,
                    run.font.clone(),
                    &run.text,
                    set,
                    false,
                );
                at += run.width * set;
            }
            baseline += set * leading;
        }
        surface.set_stroke(None);
        surface.end_tagged();
        surface.pop();

        let mut group = match self.heading()? {
            Some(level) => TagGroup::new(Tag::Hn(level, Some(text))),
            None => TagGroup::new(Tag::P),
        };
        group.push(id);
        Ok(group)
    }

    fn heading(&self) -> Result<Option<NonZeroU16>, String> {
        if self.0.attribute("role") != Some("heading") {
            return Ok(None);
        }
        let level = self.0.attribute("aria-level").unwrap_or("1");
        level
            .parse()
            .map(Some)
            .map_err(|_| self.wrong("aria-level", "a number above 0"))
    }

    fn inherited_language(&self) -> Option<&str> {
        self.0
            .ancestors()
            .filter(|node| node.parent_element().is_some())
            .find_map(language)
    }

    fn draw_code(
        &self,
        surface: &mut Surface<'_>,
        card: &Card<'_>,
        name: &str,
        to_page: svgtypes::Transform,
    ) -> Result<Option<TagGroup>, String> {
        let area = Rect::from_xywh(
            self.coordinate("x")?,
            self.coordinate("y")?,
            self.coordinate("width")?,
            self.coordinate("height")?,
        )
        .ok_or_else(|| self.wrong("width or height", "a number above 0"))?;
        let symbol = if name == "hcid" {
            bar_code::modules(card.core_data_set.hcid()).map(|modules| Symbol::bars(&modules, area))
        } else {
            let code = card.codes.iter().find(|code| code.form.as_str() == name);
            code.map(|code| Symbol::squares(&code.qr_code, area))
        };
        let Some(symbol) = symbol else {
            return Ok(None);
        };
        let label = self
            .0
            .attribute("aria-label")
            .ok_or_else(|| self.wrong("aria-label", "there; readers that do not see need it"))?;
        let transform = self.transform(to_page)?;
        surface.push_transform(&transform);
        let id = surface.start_tagged(ContentTag::Other);
        let drawn = symbol.and_then(|symbol| symbol.draw(surface));
        surface.end_tagged();
        surface.pop();
        let mut group = TagGroup::new(Tag::Figure(Some(label.to_owned())));
        group.push(id);
        drawn
            .map(|()| Some(group))
            .ok_or_else(|| self.wrong("width or height", "a size"))
    }
}

/// A code that can be drawn.
struct Symbol {
    /// The code and its quiet zone, which is drawn light.
    quiet: Rect,
    /// Upper left corner and size of the code itself.
    area: Rect,
    drawing: Drawing,
}

enum Drawing {
    Image(Image),
    /// In units of `area`'s width.
    Bars(krilla::geom::Path, f32),
}

impl Symbol {
    /// A QR code that fills the square in an area; its quiet zone is around it.
    fn squares(code: &QrCode, area: Rect) -> Option<Self> {
        let side = area.width().min(area.height());
        let zone = QUIET_ZONE as f32 * side / code.size() as f32;
        let whole = 2.0f32.mul_add(zone, side);
        let image = Image::from_jpeg(qr_image::jpeg(code).into(), false).ok()?;
        Some(Self {
            quiet: Rect::from_xywh(area.left() - zone, area.top() - zone, whole, whole)?,
            area: Rect::from_xywh(area.left(), area.top(), side, side)?,
            drawing: Drawing::Image(image),
        })
    }

    /// A bar code that fills an area, quiet zones of ten modules included.
    fn bars(modules: &[bool], area: Rect) -> Option<Self> {
        const QUIET: usize = 10;
        let width = (modules.len() + 2 * QUIET) as f32;
        let mut path = PathBuilder::new();
        let mut x = QUIET;
        for bar in modules.chunk_by(|one, other| one == other) {
            if bar.first() == Some(&true) {
                path.push_rect(Rect::from_xywh(x as f32, 0.0, bar.len() as f32, 1.0)?);
            }
            x += bar.len();
        }
        Some(Self {
            quiet: area,
            area,
            drawing: Drawing::Bars(path.finish()?, width),
        })
    }

    fn draw(self, surface: &mut Surface<'_>) -> Option<()> {
        let mut light = PathBuilder::new();
        light.push_rect(self.quiet);
        surface.set_fill(Some(Fill {
            paint: rgb::Color::white().into(),
            ..Default::default()
        }));
        surface.draw_path(&light.finish()?);
        surface.push_transform(&Transform::from_translate(
            self.area.left(),
            self.area.top(),
        ));
        match self.drawing {
            Drawing::Image(image) => {
                let size = Size::from_wh(self.area.width(), self.area.height())?;
                surface.draw_image(image, size);
            }
            Drawing::Bars(path, width) => {
                // Whole numbers of modules keep the drawing short.
                surface.push_transform(&Transform::from_scale(
                    self.area.width() / width,
                    self.area.height(),
                ));
                surface.set_fill(None);
                surface.draw_path(&path);
                surface.pop();
            }
        }
        surface.pop();
        Some(())
    }
}

fn multiply(first: svgtypes::Transform, then: svgtypes::Transform) -> svgtypes::Transform {
    svgtypes::Transform::new(
        first.a * then.a + first.c * then.b,
        first.b * then.a + first.d * then.b,
        first.a * then.c + first.c * then.d,
        first.b * then.c + first.d * then.d,
        first.a * then.e + first.c * then.f + first.e,
        first.b * then.e + first.d * then.f + first.f,
    )
}
