//! How the way of a fader or the turn of a knob maps to its value. Pure arithmetic.

/// From a position, 0 to 1, to a value and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::ui) enum Mapping {
    /// Equal ways are equal differences.
    Linear {
        /// The value at 0.
        min: f64,
        /// The value at 1.
        max: f64,
    },
    /// Equal ways are equal ratios; `min` is above 0.
    Logarithmic {
        /// The value at 0.
        min: f64,
        /// The value at 1.
        max: f64,
    },
    /// A linear level from silence to 1, by the cube of the position, so that equal ways sound like equal
    /// steps: the middle is -18 dB.
    Level,
}

impl Mapping {
    /// The position of a value.
    pub(in crate::ui) fn position(self, value: f64) -> f64 {
        let position = match self {
            Self::Linear { min, max } if max > min => (value - min) / (max - min),
            Self::Logarithmic { min, max } if max > min && min > 0.0 => {
                (value.max(min) / min).ln() / (max / min).ln()
            }
            Self::Linear { .. } | Self::Logarithmic { .. } => 0.0,
            Self::Level => value.clamp(0.0, 1.0).cbrt(),
        };
        position.clamp(0.0, 1.0)
    }

    /// The value at a position.
    pub(in crate::ui) fn value(self, position: f64) -> f64 {
        let position = position.clamp(0.0, 1.0);
        match self {
            Self::Logarithmic { min, max } if min > 0.0 => min * (max / min).powf(position),
            Self::Linear { min, max } | Self::Logarithmic { min, max } => {
                min + (max - min) * position
            }
            Self::Level => position.powi(3),
        }
    }

    /// A value in the unit in which assistive technology counts it: a level in percent of the way.
    pub(super) fn announced(self, value: f64) -> f64 {
        if self == Self::Level { self.position(value) * 100.0 } else { value }
    }

    /// The value that assistive technology asked for in that unit.
    pub(super) fn requested(self, announced: f64) -> f64 {
        if self == Self::Level { self.value(announced / 100.0) } else { announced }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_and_value_are_inverse() {
        for mapping in [
            Mapping::Linear { min: -24.0, max: 12.0 },
            Mapping::Logarithmic { min: 20.0, max: 20_000.0 },
            Mapping::Level,
        ] {
            for step in 0..=20 {
                let position = f64::from(step) / 20.0;
                let back = mapping.position(mapping.value(position));
                assert!((back - position).abs() < 1e-9, "{mapping:?} {position} {back}");
            }
        }
    }

    #[test]
    fn a_logarithmic_way_has_equal_ratios_and_a_level_its_middle_at_18_db() {
        let frequency = Mapping::Logarithmic { min: 20.0, max: 20_000.0 };
        assert!((frequency.value(1.0 / 3.0) - 200.0).abs() < 1e-6);
        let middle = 20.0 * Mapping::Level.value(0.5).log10();
        assert!((middle + 18.06).abs() < 0.01, "{middle}");
    }

    #[test]
    fn an_empty_range_has_one_position() {
        let empty = Mapping::Linear { min: 3.0, max: 3.0 };
        assert!(empty.position(3.0).abs() < f64::EPSILON);
        assert!((empty.value(0.7) - 3.0).abs() < f64::EPSILON);
    }
}
