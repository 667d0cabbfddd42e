//! How a face shapes a script, which its tables tell and no card changes: worked out once.

use std::sync::{Arc, PoisonError, RwLock};

use rustybuzz::{Direction, Face, GlyphBuffer, Script, ShapePlan, UnicodeBuffer, script};

/// The plans of one face; there are no more than scripts.
#[derive(Default)]
pub(super) struct ShapePlans(RwLock<Vec<Plan>>);

struct Plan {
    script: Script,
    direction: Direction,
    plan: Arc<ShapePlan>,
}

impl ShapePlans {
    /// Shapes a text whose script and direction are set.
    pub(super) fn shape(&self, face: &Face<'_>, text: UnicodeBuffer) -> GlyphBuffer {
        let plan = self.plan(face, text.script(), text.direction());
        rustybuzz::shape_with_plan(face, &plan, text)
    }

    fn plan(&self, face: &Face<'_>, script: Script, direction: Direction) -> Arc<ShapePlan> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |plan: &&Plan| plan.script == script && plan.direction == direction;
        if let Some(known) = known.iter().find(is_wanted) {
            return Arc::clone(&known.plan);
        }
        drop(known);
        let of_plan = (script != script::UNKNOWN).then_some(script);
        let plan = Arc::new(ShapePlan::new(face, direction, of_plan, None, &[]));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.push(Plan {
            script,
            direction,
            plan: Arc::clone(&plan),
        });
        plan
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::fonts::Fonts;
    use super::*;

    fn buffer(text: &str, direction: Direction) -> UnicodeBuffer {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(direction);
        buffer
    }

    #[test]
    fn texts_are_shaped_as_without_plans_that_are_kept() {
        let fonts = Fonts::built_in();
        let texts = [
            "Agerius",
            "fi 12/34",
            "Іван",
            "سالم",
            "வணக்கம்",
            "123",
            "नमस्ते",
        ];
        for face in fonts.faces() {
            let loaded = face.loaded().unwrap();
            let shaper = loaded.shaper_face().unwrap();
            // Twice, so that the second time they are kept.
            for text in texts.iter().chain(&texts) {
                for direction in [Direction::LeftToRight, Direction::RightToLeft] {
                    let kept = loaded.plans.shape(&shaper, buffer(text, direction));
                    let made = rustybuzz::shape(&shaper, &[], buffer(text, direction));
                    let glyphs = |shaped: &GlyphBuffer| -> Vec<_> {
                        let infos = shaped.glyph_infos().iter();
                        let places = shaped.glyph_positions();
                        infos
                            .map(|info| (info.glyph_id, info.cluster))
                            .zip(places.iter().map(|place| (place.x_advance, place.x_offset)))
                            .collect()
                    };
                    assert_eq!(glyphs(&kept), glyphs(&made), "{text} {direction:?}");
                }
            }
            assert!(loaded.plans.0.read().unwrap().len() <= 2 * texts.len());
        }
    }
}
