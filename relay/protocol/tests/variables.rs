//! Which declarations and values of variables are valid.

// In a test an unwrap that fails is a test that fails.
#![allow(clippy::unwrap_used)]

use downbeat_protocol::{ClientToRelay, Variable, decode_from_client};
use serde_json::{Value, json};

fn variable(declaration: &Value) -> Variable {
    let message = json!({"type": "declare", "variables": [declaration]});
    match decode_from_client(&message.to_string()).unwrap() {
        ClientToRelay::Declare(mut request) => request.variables.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_is_kept_as_declared_or_refused() {
    let float = json!({"name": "f", "type": "float", "min": 0, "max": 1, "default": 0});
    let stepped =
        json!({"name": "s", "type": "float", "min": -1, "max": 1, "default": 0, "step": 0.25});
    let clamped = json!(
        {"name": "c", "type": "float", "min": 0, "max": 1, "default": 0, "clamp": true});
    let int = json!({"name": "i", "type": "int", "min": 0, "max": 9, "default": 1});
    let choice = json!({"name": "e", "type": "enum", "choices": ["a", "b"], "default": "a"});
    let color = json!({"name": "k", "type": "color", "default": "#000000"});
    let text = json!({"name": "t", "type": "text"});
    let any = json!({"name": "y", "type": "any"});
    let large = "x".repeat(5000);
    for (declaration, given, kept) in [
        (&float, json!(0.5), Some(json!(0.5))),
        (&float, json!(1), Some(json!(1.0))),
        (&float, json!(1.01), None),
        (&float, json!("1"), None),
        (&float, json!(null), None),
        (&stepped, json!(0.3), Some(json!(0.25))),
        (&stepped, json!(-0.9), Some(json!(-1.0))),
        (&clamped, json!(7), Some(json!(1.0))),
        (&clamped, json!(-1e300), Some(json!(0.0))),
        (&int, json!(3.0), Some(json!(3))),
        (&int, json!(3.5), None),
        (&int, json!(10), None),
        (&int, json!(true), None),
        (&choice, json!("b"), Some(json!("b"))),
        (&choice, json!("c"), None),
        (&color, json!("#FF8800"), Some(json!("#ff8800"))),
        (&color, json!("red"), None),
        (&color, json!("#12345\u{e9}"), None),
        (&text, json!("la\nla"), Some(json!("la\nla"))),
        (&text, json!(large), None),
        (&any, json!({"x": [1, null]}), Some(json!({"x": [1, null]}))),
        (&any, json!([large]), None),
    ] {
        let variable = variable(declaration);
        assert_eq!(variable.validate(), Ok(()), "{declaration}");
        assert_eq!(variable.check(&given).ok(), kept, "{given} for {declaration}");
    }
}

#[test]
fn an_error_names_the_variable_what_it_takes_and_what_it_was_given() {
    let float = json!({"name": "pitch", "type": "float", "min": -12, "max": 12, "default": 0});
    let error = variable(&float).check(&json!("high")).unwrap_err();
    assert_eq!(error.to_string(), r#""pitch" takes a number from -12 to 12, not "high""#);
}

#[test]
fn an_event_has_no_value() {
    let event = variable(&json!({"name": "flash", "type": "any", "event": true}));
    assert_eq!(event.validate(), Ok(()));
    assert_eq!(event.default_value(), Value::Null);
    assert!(event.check(&json!(null)).is_err());
}

#[test]
fn a_declaration_that_contradicts_itself_is_refused() {
    let float = |more: Value| {
        let mut declaration =
            json!({"name": "f", "type": "float", "min": 0.0, "max": 1.0, "default": 0.0});
        declaration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        declaration
    };
    let bound = |parameter: &str, sound: Value| {
        float(json!({"bind": [{"parameter": parameter, "sound": sound}]}))
    };
    for invalid in [
        float(json!({"name": " "})),
        float(json!({"min": 1})),
        float(json!({"min": -1e308, "max": 1e308})),
        float(json!({"default": 2})),
        float(json!({"step": 0})),
        float(json!({"step": 2})),
        float(json!({"step": 0.3, "default": 0.5})),
        float(json!({"scale": "logarithmic"})),
        float(json!({"unit": "furlongs per fortnight"})),
        float(json!({"label": "x".repeat(65)})),
        float(json!({"event": true, "bind": [{"parameter": "pan"}]})),
        bound("frequency", Value::Null),
        bound("volume_db", Value::Null),
        bound("gain_db", json!("x".repeat(65))),
        json!({"name": "i", "type": "int", "min": 0, "max": 1_i64 << 60, "default": 1}),
        json!({"name": "e", "type": "enum", "choices": [], "default": "a"}),
        json!({"name": "e", "type": "enum", "choices": ["a", "a"], "default": "a"}),
        json!({"name": "e", "type": "enum", "choices": ["a"], "default": "b"}),
        json!({"name": "k", "type": "color", "default": "black"}),
        json!({"name": "b", "type": "bool", "bind": [{"parameter": "pan"}]}),
    ] {
        assert!(variable(&invalid).validate().is_err(), "{invalid}");
    }
    for valid in [
        float(json!({})),
        bound("pan", Value::Null),
        bound("semitones", json!("texture")),
        float(json!({"min": 0.1, "default": 0.5, "scale": "logarithmic"})),
    ] {
        assert_eq!(variable(&valid).validate(), Ok(()), "{valid}");
    }
}
