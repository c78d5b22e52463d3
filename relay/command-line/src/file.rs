//! The configuration file: a TOML table whose keys are the long flags. A flag whose value is JSON has a table as
//! its value, or an array of tables if it is repeated.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, Command};
use directories::ProjectDirs;
use thiserror::Error;

/// Why a configuration file is refused.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} is not TOML: {reason}")]
    NotToml { path: PathBuf, reason: String },
    #[error("{path}: there is no setting '{key}'")]
    UnknownKey { path: PathBuf, key: String },
    #[error("{path}: '{key}' must be a string, a number, a boolean, or a list of them")]
    WrongKind { path: PathBuf, key: String },
}

/// The name of the value of a flag that is JSON.
const JSON: &str = "JSON";

/// Makes the values of the program's configuration file the defaults of `command`'s flags.
pub(crate) fn with_defaults_of_file(command: Command, program: &str) -> Result<Command, FileError> {
    // A file that is named must exist; the default one may be missing.
    if let Some(path) = env::var_os("DOWNBEAT_CONFIG").map(PathBuf::from) {
        let text = fs::read_to_string(&path)
            .map_err(|source| FileError::Unreadable { path: path.clone(), source })?;
        return with_defaults_of_text(command, &path, &text);
    }
    let Some(folders) = ProjectDirs::from("", "", "downbeat") else { return Ok(command) };
    let path = folders.config_dir().join(format!("{program}.toml"));
    match fs::read_to_string(&path) {
        Ok(text) => with_defaults_of_text(command, &path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(command),
        Err(source) => Err(FileError::Unreadable { path, source }),
    }
}

fn with_defaults_of_text(
    mut command: Command,
    path: &Path,
    text: &str,
) -> Result<Command, FileError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| FileError::NotToml {
        path: path.to_owned(),
        reason: error.message().to_owned(),
    })?;
    for (key, value) in &table {
        let texts = |is_json| if is_json { as_json(value) } else { as_texts(value) };
        let wrong_kind = || FileError::WrongKind { path: path.to_owned(), key: key.clone() };
        let mut found = false;
        if let Some(is_json) = is_json(&command, key) {
            set_default(&mut command, key, &texts(is_json).ok_or_else(wrong_kind)?, &mut found);
        }
        if !found {
            return Err(FileError::UnknownKey { path: path.to_owned(), key: key.clone() });
        }
    }
    Ok(command)
}

/// Whether the value of the flag `--key` is JSON; `None` if there is no such flag.
fn is_json(command: &Command, key: &str) -> Option<bool> {
    let arg = command.get_arguments().find(|arg| is_meant(arg, key));
    let here = arg.map(|arg| arg.get_value_names().is_some_and(|names| names == [JSON]));
    here.or_else(|| command.get_subcommands().find_map(|command| is_json(command, key)))
}

fn is_meant(arg: &Arg, key: &str) -> bool {
    arg.get_long() == Some(key) || (arg.is_positional() && arg.get_id().as_str() == key)
}

/// Sets the default of the flag `--key`, or of the argument KEY, wherever `command` or one of its
/// subcommands has it.
fn set_default(command: &mut Command, key: &str, values: &[String], found: &mut bool) {
    let arg = command.get_arguments().find(|arg| is_meant(arg, key));
    let id = arg.map(|arg| arg.get_id().clone());
    if let Some(id) = id {
        *found = true;
        let values = values.to_vec();
        *command = std::mem::take(command).mut_arg(id, |arg| {
            let several = matches!(arg.get_action(), ArgAction::Append);
            if several { arg.default_values(values) } else { arg.default_value(values.join(",")) }
        });
    }
    for subcommand in command.get_subcommands_mut() {
        set_default(subcommand, key, values, found);
    }
}

fn as_json(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Table(table) => Some(vec![serde_json::to_string(table).ok()?]),
        toml::Value::Array(list) => {
            let texts: Option<Vec<_>> = list.iter().map(as_json).collect();
            texts.map(|texts| texts.concat())
        }
        toml::Value::String(text) => Some(vec![text.clone()]),
        _ => None,
    }
}

fn as_texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Float(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(truth) => Some(vec![truth.to_string()]),
        toml::Value::Array(list) => {
            let texts: Option<Vec<_>> = list.iter().map(as_texts).collect();
            texts.map(|texts| texts.concat())
        }
        toml::Value::Table(_) | toml::Value::Datetime(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Settings {
        #[arg(long, env = "DOWNBEAT_TEST_PORT", default_value_t = 1)]
        port: u16,
        #[arg(long)]
        loud: bool,
        #[arg(long)]
        name: Vec<String>,
        #[arg(long, value_name = "JSON")]
        object: Vec<String>,
        #[arg(value_name = "PLACE")]
        place: Option<String>,
    }

    fn read(file: &str, flags: &[&str]) -> Result<Settings, String> {
        let command = with_defaults_of_text(Settings::command(), Path::new("d.toml"), file)
            .map_err(|e| e.to_string())?;
        let arguments = ["d"].iter().chain(flags);
        let matches = command.try_get_matches_from(arguments).map_err(|e| e.to_string())?;
        Settings::from_arg_matches(&matches).map_err(|e| e.to_string())
    }

    #[test]
    fn a_flag_overrides_the_file_and_the_file_overrides_the_default() {
        assert_eq!(read("", &[]).unwrap().port, 1);
        assert_eq!(read("port = 2", &[]).unwrap().port, 2);
        assert_eq!(read("port = 2", &["--port", "3"]).unwrap().port, 3);
    }

    #[test]
    fn switches_and_lists_are_read_from_the_file() {
        let settings = read("loud = true\nname = ['a', 'b']\nplace = 'c'", &[]).unwrap();
        assert_eq!(settings.place.as_deref(), Some("c"));
        assert!(settings.loud);
        assert_eq!(settings.name, ["a", "b"]);
    }

    #[test]
    fn a_table_is_the_json_of_its_flag() {
        let objects = |file| read(file, &[]).unwrap().object;
        let one = r#"{"max":1.5,"name":"a"}"#;
        assert_eq!(objects("[object]\nname = 'a'\nmax = 1.5"), [one]);
        let two = "[[object]]\nname = 'a'\nmax = 1.5\n[[object]]\nlist = ['x', 1]";
        assert_eq!(objects(two), [one, r#"{"list":["x",1]}"#]);
        assert_eq!(objects("object = ['{}', '{}']"), ["{}", "{}"]);
        assert!(read("object = 1", &[]).unwrap_err().contains("'object'"));
    }

    #[test]
    fn errors_name_what_is_wrong_in_the_file() {
        assert_eq!(read("prot = 2", &[]).unwrap_err(), "d.toml: there is no setting 'prot'");
        assert!(read("port = 'high'", &[]).unwrap_err().contains("'high'"));
        assert!(read("port", &[]).unwrap_err().starts_with("d.toml is not TOML"));
        assert!(read("[port]", &[]).unwrap_err().contains("'port'"));
    }
}
