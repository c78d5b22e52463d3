//! `downbeat set` and `downbeat get`: the room's variables from a shell.

use downbeat_command_line::print;
use downbeat_protocol::{ClientToRelay, SetRequest, Variable, VariableKind, VariableState};
use serde_json::Value;

use super::remote::{self, Remote, RemoteError};
use crate::{
    config::{GetConfig, SetConfig},
    net::address::RelayAddress,
    session::protocol::Incoming,
};

/// The `ack` of the only request.
const ACK: u64 = 1;

/// Runs `set`: exits once the relay has kept the value.
pub(super) fn set(config: &SetConfig, relay: RelayAddress) -> anyhow::Result<()> {
    let address = relay.clone();
    remote::run("set the variable", &address, async {
        let mut remote = Remote::connect(relay, config.relay.name()).await?;
        let VariableState { variable, .. } = named(&remote.welcome()?.variables, &config.variable)?;
        let request = SetRequest {
            name: config.variable.clone(),
            value: parse(variable, &config.value)?,
            over_micros: config.over_ms * 1000,
            when: config.when.when(),
            target: config.target.target(),
            ack: Some(ACK),
        };
        remote.send(&ClientToRelay::Set(request))?;
        remote.answer(|_, incoming| matches!(incoming, Incoming::Ack(ACK))).await?;
        remote.close().await;
        Ok(())
    })
}

/// Runs `get`: prints the value of one variable, or each variable with its value, as JSON.
pub(super) fn get(config: &GetConfig, relay: RelayAddress) -> anyhow::Result<()> {
    let address = relay.clone();
    remote::run("get the variables", &address, async {
        let remote = Remote::connect(relay, config.relay.name()).await?;
        let variables = &remote.welcome()?.variables;
        match &config.variable {
            Some(name) => print(format_args!("{}\n", named(variables, name)?.value)),
            None => {
                for VariableState { variable, value, .. } in variables {
                    print(format_args!("{}\t{value}\n", variable.name));
                }
            }
        }
        remote.close().await;
        Ok(())
    })
}

/// The variable of this name.
fn named<'a>(variables: &'a [VariableState], name: &str) -> Result<&'a VariableState, RemoteError> {
    let found = variables.iter().find(|state| state.variable.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = variables.iter().map(|state| state.variable.name.as_str()).collect();
        let known = match names.as_slice() {
            [] => "; the relay has none".to_owned(),
            names => format!("; there are {}", names.join(", ")),
        };
        RemoteError::UnknownVariable { name: name.to_owned(), known }
    })
}

/// The value that a text of the command line means: JSON, or the text itself where a variable takes one.
fn parse(variable: &Variable, text: &str) -> Result<Value, RemoteError> {
    let value = match &variable.kind {
        VariableKind::Text { .. } | VariableKind::Enum { .. } | VariableKind::Color { .. } => {
            Value::from(text)
        }
        // What is no JSON is refused below, with what the variable takes.
        _ => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    };
    variable.check(&value).map_err(|error| RemoteError::Value(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_read_as_the_variable_takes_it() {
        let variable = |kind: Value| serde_json::from_value::<Variable>(kind).unwrap();
        let float =
            variable(json!({"name": "f", "type": "float", "min": 0, "max": 9, "default": 0}));
        let text = variable(json!({"name": "t", "type": "text"}));
        let any = variable(json!({"name": "a", "type": "any"}));
        assert_eq!(parse(&float, "2.5").unwrap(), json!(2.5));
        assert_eq!(parse(&text, "2.5").unwrap(), json!("2.5"));
        assert_eq!(parse(&any, "[1]").unwrap(), json!([1]));
        assert_eq!(parse(&any, "one").unwrap(), json!("one"));
        let error = parse(&float, "loud").unwrap_err().to_string();
        assert_eq!(error, r#""f" takes a number from 0 to 9, not "loud""#);
    }
}
