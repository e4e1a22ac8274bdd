//! A rank profile: the models of both phases, one artifact.
//!
//! As tensors it is what an artifact holds: named, row-major, single precision.

use litfass_features::{AdRows, RequestNumber, RowNumber, ViewerBlock};
use litfass_types::{Prediction, Probability};

use crate::calibration::Calibration;
use crate::linear::Linear;
use crate::model::{Model, SLOTS, Weights};

#[derive(Clone, PartialEq, Debug)]
pub struct RankProfile {
    pub first: Linear,
    pub last: Model,
}

/// A named array, row-major.
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor {
    pub name: &'static str,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// What an artifact's tensors break; the artifact is to blame and reading it again does not help.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadTensor {
    #[error("tensor {0}: missing")]
    Missing(&'static str),
    #[error("tensor {name}: has shape {found:?}, expected {expected}")]
    Shape { name: &'static str, found: Vec<usize>, expected: String },
    #[error("tensor {0}: holds a value that is not a finite number")]
    NotFinite(&'static str),
    #[error("tensor {0}: its knots do not increase")]
    NotMonotone(&'static str),
}

const FIRST_BIAS: &str = "first.bias";
const FIRST_REQUEST: &str = "first.request";
const FIRST_ROW: &str = "first.row";
const LAST_BIAS: &str = "last.bias";
const LAST_REQUEST: &str = "last.request";
const LAST_ROW: &str = "last.row";
const LAST_SLOTS: &str = "last.slots";
const LAST_HASHED: &str = "last.hashed";
const CALIBRATIONS: [&str; 2] = ["calibration.click", "calibration.conversion"];

impl RankProfile {
    /// Before anything was learned: the ad's smoothed click and conversion rates.
    #[must_use]
    pub fn prior() -> Self {
        Self { first: Linear::prior(), last: Model::prior() }
    }

    /// Click probabilities of all candidates, by their numbers.
    pub fn first_phase(&self, block: &ViewerBlock, rows: &AdRows, out: &mut Vec<Probability>) {
        self.first.score(block, rows, out);
    }

    /// Calibrated predictions of the entrants, for the first slot.
    #[must_use]
    pub fn last_phase(&self, block: &ViewerBlock, rows: &AdRows) -> Vec<Prediction> {
        self.last.predict(block, rows)
    }

    /// The click probability that is expected where the ad was shown.
    #[must_use]
    pub fn click_at(&self, click: Probability, slot: u8) -> f64 {
        self.last.click_at(click, slot)
    }

    #[must_use]
    pub fn to_tensors(&self) -> Vec<Tensor> {
        let Self { first, last } = self;
        let mut tensors = vec![
            Tensor { name: FIRST_BIAS, shape: vec![1], values: vec![first.bias] },
            Tensor { name: FIRST_REQUEST, shape: vec![RequestNumber::COUNT], values: first.request.to_vec() },
            Tensor { name: FIRST_ROW, shape: vec![RowNumber::COUNT], values: first.row.to_vec() },
            Tensor { name: LAST_BIAS, shape: vec![2], values: last.bias.to_vec() },
            pairs(LAST_REQUEST, &last.request),
            pairs(LAST_ROW, &last.row),
            pairs(LAST_SLOTS, &last.slots),
            pairs(LAST_HASHED, &last.hashed),
        ];
        tensors.extend(CALIBRATIONS.iter().zip(&last.calibration).map(|(name, c)| pairs(name, c.knots())));
        tensors
    }

    /// # Errors
    /// Which tensor is missing, misshapen or holds what no model can.
    pub fn from_tensors(tensors: &[Tensor]) -> Result<Self, BadTensor> {
        let first = Linear {
            bias: flat::<1>(tensors, FIRST_BIAS)?[0],
            request: flat(tensors, FIRST_REQUEST)?,
            row: flat(tensors, FIRST_ROW)?,
        };
        let hashed = paired(tensors, LAST_HASHED)?;
        if !hashed.len().is_power_of_two() {
            return Err(misshapen(LAST_HASHED, vec![hashed.len(), 2], "a power of two rows".to_owned()));
        }
        let last = Model {
            bias: flat(tensors, LAST_BIAS)?,
            request: paired_array(tensors, LAST_REQUEST)?,
            row: paired_array(tensors, LAST_ROW)?,
            slots: paired_array::<SLOTS>(tensors, LAST_SLOTS)?,
            hashed,
            calibration: [calibration(tensors, CALIBRATIONS[0])?, calibration(tensors, CALIBRATIONS[1])?],
        };
        Ok(Self { first, last })
    }
}

fn pairs(name: &'static str, rows: &[Weights]) -> Tensor {
    Tensor { name, shape: vec![rows.len(), 2], values: rows.as_flattened().to_vec() }
}

fn find<'a>(tensors: &'a [Tensor], name: &'static str) -> Result<&'a Tensor, BadTensor> {
    let tensor = tensors.iter().find(|t| t.name == name).ok_or(BadTensor::Missing(name))?;
    let shaped = tensor.shape.iter().try_fold(1_usize, |values, n| values.checked_mul(*n));
    if shaped != Some(tensor.values.len()) {
        return Err(misshapen(name, tensor.shape.clone(), format!("{} values", tensor.values.len())));
    }
    if tensor.values.iter().all(|x| x.is_finite()) { Ok(tensor) } else { Err(BadTensor::NotFinite(name)) }
}

const fn misshapen(name: &'static str, found: Vec<usize>, expected: String) -> BadTensor {
    BadTensor::Shape { name, found, expected }
}

fn flat<const N: usize>(tensors: &[Tensor], name: &'static str) -> Result<[f32; N], BadTensor> {
    let tensor = find(tensors, name)?;
    let values = <[f32; N]>::try_from(tensor.values.as_slice());
    values.map_err(|_| misshapen(name, tensor.shape.clone(), format!("[{N}]")))
}

fn paired(tensors: &[Tensor], name: &'static str) -> Result<Vec<Weights>, BadTensor> {
    let tensor = find(tensors, name)?;
    match (tensor.shape.as_slice(), tensor.values.as_chunks::<2>()) {
        ([_, 2], (rows, [])) => Ok(rows.to_vec()),
        _ => Err(misshapen(name, tensor.shape.clone(), "[_, 2]".to_owned())),
    }
}

fn paired_array<const N: usize>(tensors: &[Tensor], name: &'static str) -> Result<[Weights; N], BadTensor> {
    let rows = paired(tensors, name)?;
    rows.try_into().map_err(|rows: Vec<Weights>| misshapen(name, vec![rows.len(), 2], format!("[{N}, 2]")))
}

fn calibration(tensors: &[Tensor], name: &'static str) -> Result<Calibration, BadTensor> {
    Calibration::from_knots(paired(tensors, name)?).ok_or(BadTensor::NotMonotone(name))
}
