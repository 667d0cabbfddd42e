//! What was checked, step by step, and with which result.

use std::fmt;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::codes::Layer;

/// One step of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A QR code was found in the image and read.
    Image,
    /// A layer of the code was opened.
    Layer(Layer),
    /// The signature is a trusted key's.
    Signature,
    /// The key may sign what is certified.
    KeyUsage,
    /// Certificate and key are valid at the time.
    Validity,
    /// What is certified follows the rules of its kind.
    Schema,
}

impl Step {
    /// Name in the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Layer(layer) => layer.as_str(),
            Self::Signature => "signature",
            Self::KeyUsage => "keyUsage",
            Self::Validity => "validity",
            Self::Schema => "schema",
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// As it should.
    Ok,
    /// Otherwise; why, for people, without personal data.
    Failed(String),
    /// There was nothing to check: an earlier step failed, or (image) a text was given.
    NotReached,
}

impl fmt::Display for StepResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => formatter.write_str("ok"),
            Self::Failed(reason) => write!(formatter, "failed: {reason}"),
            Self::NotReached => formatter.write_str("not reached"),
        }
    }
}

impl From<Result<(), String>> for StepResult {
    fn from(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(reason) => Self::Failed(reason),
        }
    }
}

/// Every step of a form of code and its result, in their order.
///
/// It is serialized as an object: `{"prefix": "ok", "signature": "failed: why", ...}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps(Vec<(Step, StepResult)>);

impl Steps {
    /// The steps of a code with these layers; none is reached yet.
    pub(super) fn new(layers: &[Layer]) -> Self {
        let steps = [Step::Image]
            .into_iter()
            .chain(layers.iter().copied().map(Step::Layer))
            .chain([
                Step::Signature,
                Step::KeyUsage,
                Step::Validity,
                Step::Schema,
            ]);
        Self(steps.map(|step| (step, StepResult::NotReached)).collect())
    }

    pub(super) fn set(&mut self, step: Step, result: impl Into<StepResult>) {
        if let Some((_, place)) = self.0.iter_mut().find(|(found, _)| *found == step) {
            *place = result.into();
        }
    }

    /// The layers outside `failed` are open; this one is not.
    pub(super) fn set_failed_layer(&mut self, failed: Layer, reason: &str) {
        self.set_layers_ok();
        let mut inside = false;
        for (step, result) in &mut self.0 {
            if let Step::Layer(layer) = step {
                if inside {
                    *result = StepResult::NotReached;
                } else if *layer == failed {
                    *result = StepResult::Failed(reason.to_owned());
                    inside = true;
                }
            }
        }
    }

    pub(super) fn set_layers_ok(&mut self) {
        for (step, result) in &mut self.0 {
            if matches!(step, Step::Layer(_)) {
                *result = StepResult::Ok;
            }
        }
    }

    /// The result of a step; [`StepResult::NotReached`], too, for one that this form has not.
    #[must_use]
    pub fn result(&self, step: Step) -> &StepResult {
        self.iter()
            .find(|(found, _)| *found == step)
            .map_or(&StepResult::NotReached, |(_, result)| result)
    }

    /// The steps and their results, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Step, &StepResult)> {
        self.0.iter().map(|(step, result)| (*step, result))
    }

    /// Whether every step but the image's, which only images have, ended as it should.
    pub(super) fn all_ok(&self) -> bool {
        self.iter().all(|(step, result)| match step {
            Step::Image => !matches!(result, StepResult::Failed(_)),
            _ => *result == StepResult::Ok,
        })
    }
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (step, result) in self.iter() {
            map.serialize_entry(step.as_str(), &result.to_string())?;
        }
        map.end()
    }
}
