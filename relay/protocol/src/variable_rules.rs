//! Which declarations and which values of variables are valid.

use serde_json::{Number, Value};

use crate::{
    name::clean_name,
    target::When,
    validation::{InvalidValue, MAX_DATA_BYTES, at_most, in_range},
    variable::{
        Binding, DeclareRequest, Parameter, RemoveRequest, Scale, Scope, SetRequest, Variable,
        VariableKind,
    },
};

/// Most variables of one request. The size of a message is usually the tighter limit.
const MAX_PER_REQUEST: usize = 256;

/// Most choices of an enum.
const MAX_CHOICES: usize = 64;

/// Most bindings of a variable.
const MAX_BINDINGS: usize = 16;

/// Most characters of a unit.
const MAX_UNIT_CHARS: usize = 16;

/// Integers beyond this are not exact in JavaScript.
const MAX_INT: i64 = (1 << 53) - 1;

/// Longest glide of what a variable drives.
const MAX_OVER_MICROS: u64 = 60_000_000;

/// How much of an invalid value an error repeats, in characters.
const ECHOED_CHARS: usize = 40;

impl DeclareRequest {
    /// Checks all declarations.
    ///
    /// # Errors
    /// The first invalid one.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        at_most("variables", self.variables.len(), MAX_PER_REQUEST)?;
        self.variables.iter().try_for_each(Variable::validate)
    }
}

impl RemoveRequest {
    /// Checks the number of names.
    ///
    /// # Errors
    /// If there are too many.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        at_most("names", self.names.len(), MAX_PER_REQUEST)
    }
}

impl SetRequest {
    /// Checks everything but the value, which [`Variable::check`] does.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        in_range("over_micros", self.over_micros as f64, 0.0, MAX_OVER_MICROS as f64)?;
        if let Some(target) = &self.target {
            target.validate()?;
        }
        When::validate(self.when)
    }
}

impl Variable {
    /// Its value before it is set: the default, or `null` for an event.
    #[must_use]
    pub fn default_value(&self) -> Value {
        if self.event {
            return Value::Null;
        }
        match &self.kind {
            VariableKind::Float { default, .. } => float(*default),
            VariableKind::Int { default, .. } => Value::from(*default),
            VariableKind::Bool { default } => Value::from(*default),
            VariableKind::Enum { default, .. }
            | VariableKind::Text { default }
            | VariableKind::Color { default } => Value::from(default.as_str()),
            VariableKind::Any { default } => default.clone(),
        }
    }

    /// Checks a value, and returns it as it is kept: rounded to a step, moved into the range if the
    /// variable is declared so.
    ///
    /// # Errors
    /// If it is of another type, or out of range.
    pub fn check(&self, value: &Value) -> Result<Value, InvalidValue> {
        let refused = |expected: String| InvalidValue::VariableValue {
            name: self.name.clone(),
            expected,
            given: value.to_string().chars().take(ECHOED_CHARS).collect(),
        };
        match &self.kind {
            VariableKind::Float { min, max, step, .. } => {
                let expected = || refused(format!("a number from {min} to {max}"));
                let given =
                    value.as_f64().filter(|given| given.is_finite()).ok_or_else(expected)?;
                let given = if self.clamp { given.clamp(*min, *max) } else { given };
                if !(*min..=*max).contains(&given) {
                    return Err(expected());
                }
                Ok(float(step.map_or(given, |step| {
                    let steps = ((given - min) / step).round();
                    (min + steps * step).min(*max)
                })))
            }
            VariableKind::Int { min, max, .. } => {
                let expected = || refused(format!("a whole number from {min} to {max}"));
                let given = whole(value).ok_or_else(expected)?;
                let given = if self.clamp { given.clamp(*min, *max) } else { given };
                if !(*min..=*max).contains(&given) {
                    return Err(expected());
                }
                Ok(Value::from(given))
            }
            VariableKind::Bool { .. } if value.is_boolean() => Ok(value.clone()),
            VariableKind::Bool { .. } => Err(refused("true or false".to_owned())),
            VariableKind::Enum { choices, .. } => {
                let given = value.as_str().and_then(clean_name);
                let choice = given.filter(|given| choices.contains(given));
                choice.map(Value::from).ok_or_else(|| refused(format!("one of {choices:?}")))
            }
            VariableKind::Text { .. } => match value.as_str() {
                Some(_) if size(value) <= MAX_DATA_BYTES => Ok(value.clone()),
                _ => Err(refused(format!("a text of at most {MAX_DATA_BYTES} bytes"))),
            },
            VariableKind::Color { .. } => match value.as_str().filter(|text| is_color(text)) {
                Some(color) => Ok(Value::from(color.to_ascii_lowercase())),
                None => Err(refused("a colour such as \"#ff8800\"".to_owned())),
            },
            // Null is what an event falls back to.
            VariableKind::Any { .. } if self.event && value.is_null() => {
                Err(refused("a value that is not null".to_owned()))
            }
            VariableKind::Any { .. } if size(value) <= MAX_DATA_BYTES => Ok(value.clone()),
            VariableKind::Any { .. } => {
                Err(refused(format!("at most {MAX_DATA_BYTES} bytes of JSON")))
            }
        }
    }

    /// Checks the declaration.
    ///
    /// # Errors
    /// Why it is invalid.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        if clean_name(&self.name).is_none() {
            return Err(InvalidValue::Name { field: "name" });
        }
        for (field, name) in [("label", &self.label), ("group", &self.group)] {
            if name.as_ref().is_some_and(|name| clean_name(name).is_none()) {
                return Err(InvalidValue::Name { field });
            }
        }
        at_most("bind", self.bind.len(), MAX_BINDINGS)?;
        self.kind.reason_to_refuse().map_or(Ok(()), |reason| self.refuse(reason))?;
        if !self.event {
            let default = self.default_value();
            let kept = self.check(&default)?;
            if kept != default {
                return self.refuse("the default is not a value that it takes");
            }
        }
        self.bind.iter().try_for_each(|binding| self.validate_binding(binding))
    }

    fn validate_binding(&self, binding: &Binding) -> Result<(), InvalidValue> {
        let (min, max) = match self.kind {
            VariableKind::Float { min, max, .. } => (min, max),
            VariableKind::Int { min, max, .. } => (min as f64, max as f64),
            _ => return self.refuse("only numbers drive a parameter"),
        };
        if self.event {
            return self.refuse("an event drives no parameter");
        }
        let (allowed, has_sound) = match binding.parameter {
            Parameter::GainDb => (-200.0..=12.0, true),
            Parameter::VolumeDb => (-200.0..=0.0, false),
            Parameter::Semitones => (-24.0..=24.0, true),
            Parameter::Pan => (-1.0..=1.0, true),
            Parameter::Frequency => (20.0..=20_000.0, false),
        };
        if !allowed.contains(&min) || !allowed.contains(&max) {
            let (low, high) = allowed.into_inner();
            return self.refuse(&format!("its parameter goes from {low} to {high}"));
        }
        match &binding.sound {
            Some(_) if !has_sound => self.refuse("this parameter belongs to no sound"),
            Some(sound) if clean_name(sound).is_none() => {
                Err(InvalidValue::Name { field: "bind.sound" })
            }
            _ => Ok(()),
        }
    }

    fn refuse(&self, reason: &str) -> Result<(), InvalidValue> {
        Err(InvalidValue::Declaration { name: self.name.clone(), reason: reason.to_owned() })
    }

    /// Whether there is one value for each machine.
    #[must_use]
    pub fn is_per_machine(&self) -> bool {
        self.scope == Scope::Machine
    }
}

impl VariableKind {
    fn reason_to_refuse(&self) -> Option<&'static str> {
        let unit = match self {
            Self::Float { unit, .. } | Self::Int { unit, .. } => {
                unit.as_deref().unwrap_or_default()
            }
            _ => "",
        };
        if unit.chars().count() > MAX_UNIT_CHARS {
            return Some("the unit is longer than 16 characters");
        }
        match self {
            // Negated comparisons also refuse what is not a number.
            Self::Float { min, max, .. } if !(min < max && (max - min).is_finite()) => {
                Some("min must be less than max")
            }
            Self::Float { min, scale: Scale::Logarithmic, .. } if *min <= 0.0 => {
                Some("a logarithmic scale begins above 0")
            }
            Self::Float { min, max, step: Some(step), .. }
                if !(*step > 0.0 && *step <= max - min) =>
            {
                Some("the step must be greater than 0 and within the range")
            }
            Self::Int { min, max, .. } if min >= max => Some("min must be less than max"),
            Self::Int { min, max, .. } if *min < -MAX_INT || *max > MAX_INT => {
                Some("whole numbers go to 2^53 - 1")
            }
            Self::Enum { choices, .. } => {
                let are_names = choices.iter().all(|c| clean_name(c).as_ref() == Some(c));
                let mut distinct: Vec<_> = choices.iter().collect();
                distinct.sort_unstable();
                distinct.dedup();
                let is_valid = are_names
                    && distinct.len() == choices.len()
                    && (1..=MAX_CHOICES).contains(&choices.len());
                (!is_valid).then_some("choices must be 1 to 64 different names")
            }
            _ => None,
        }
    }
}

fn float(value: f64) -> Value {
    // A declaration with a number that is not finite is refused.
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A whole number, also if it is written with a fraction of zero.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && number.abs() <= MAX_INT as f64).then_some(number as i64)
    })
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}

fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}
