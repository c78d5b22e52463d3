//! The settings of a PulseAudio client: the servers to try, the cookie for them, and the sink. The sources are those of
//! PulseAudio's own clients, in the same order: the environment, `client.conf`, and the defaults.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::server_address::ServerAddress;

/// Where a system-wide server listens.
const SYSTEM_SOCKET: &str = "/run/pulse/native";

/// The system-wide settings.
const SYSTEM_SETTINGS: &str = "/etc/pulse";

/// The settings of a client.
#[derive(Debug)]
pub(super) struct ClientSettings {
    /// The servers to try, in this order.
    pub(super) servers: Vec<ServerAddress>,
    /// Whether they are configured, rather than the defaults.
    pub(super) are_named: bool,
    /// Empty if there is none, which a server without authentication accepts.
    pub(super) cookie: Vec<u8>,
    /// The sink to use by default; if none is configured, the server's choice.
    pub(super) sink: Option<String>,
}

impl ClientSettings {
    /// Reads the settings. They may change while a player waits for a server.
    pub(super) fn read() -> Self {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        Surroundings { variable: &variable, system: Path::new(SYSTEM_SETTINGS), names: &names() }
            .settings()
    }
}

/// The names of this machine: its id, which survives a new name, and its host name.
fn names() -> Vec<String> {
    let ids = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
    let ids = ids.iter().filter_map(|path| fs::read_to_string(path).ok());
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    ids.map(|id| id.trim().to_owned()).chain([host]).filter(|name| !name.is_empty()).collect()
}

/// The sources of the settings.
struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    system: &'a Path,
    names: &'a [String],
}

impl Surroundings<'_> {
    fn settings(&self) -> ClientSettings {
        let file = self.client_conf();
        let from_environment = self.text("PULSE_SERVER");
        let named = from_environment.or_else(|| value(&file, "default-server"));
        let servers = match &named {
            Some(list) => ServerAddress::read_list(list, self.names),
            None => self.usual_servers(),
        };
        let cookie = self.cookie(value(&file, "cookie-file").as_deref());
        let sink = self.text("PULSE_SINK").or_else(|| value(&file, "default-sink"));
        ClientSettings { servers, are_named: named.is_some(), cookie, sink }
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name)?.into_string().ok()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.variable)(name).map(PathBuf::from)
    }

    /// The user's configuration folder of PulseAudio.
    fn folder(&self) -> Option<PathBuf> {
        let given = self.path("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        Some(given.or_else(|| Some(self.path("HOME")?.join(".config")))?.join("pulse"))
    }

    /// The user's `client.conf`, else the system's with the files beside it.
    fn client_conf(&self) -> String {
        let own = [self.path("PULSE_CLIENTCONFIG"), self.folder().map(|f| f.join("client.conf"))];
        if let Some(own) = own.into_iter().flatten().find_map(|path| fs::read_to_string(path).ok())
        {
            return own;
        }
        let mut files = vec![self.system.join("client.conf")];
        let beside = fs::read_dir(self.system.join("client.conf.d")).into_iter().flatten();
        let mut beside: Vec<_> = beside
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
            .collect();
        beside.sort();
        files.append(&mut beside);
        let texts: Vec<_> = files.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        texts.join("\n")
    }

    /// The user's server, then the system-wide one.
    fn usual_servers(&self) -> Vec<ServerAddress> {
        let by_id = || {
            let folder = format!("{}-runtime", self.names.first()?);
            Some(self.folder()?.join(folder))
        };
        let folder = self
            .path("PULSE_RUNTIME_PATH")
            .or_else(|| Some(self.path("XDG_RUNTIME_DIR")?.join("pulse")))
            .or_else(by_id);
        let own = folder.map(|folder| folder.join("native"));
        own.into_iter().chain([SYSTEM_SOCKET.into()]).map(ServerAddress::Unix).collect()
    }

    fn cookie(&self, from_file: Option<&str>) -> Vec<u8> {
        let given = self.path("PULSE_COOKIE");
        // A relative path is relative to the configuration folder.
        let in_folder = |path: PathBuf| Some(self.folder()?.join(path));
        let paths = [
            given.and_then(in_folder),
            from_file.map(PathBuf::from).and_then(in_folder),
            in_folder("cookie".into()),
            self.path("HOME").map(|home| home.join(".pulse-cookie")),
        ];
        paths.into_iter().flatten().find_map(|path| fs::read(path).ok()).unwrap_or_default()
    }
}

/// The last value of `key` in a configuration file.
fn value(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().rev().map(|line| line.split(['#', ';']).next().unwrap_or_default());
    let pairs = lines.filter_map(|line| line.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim());
    values.next().filter(|value| !value.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings of a user whose home is `home`, with the system-wide files there too.
    fn settings(home: &Path, variables: &[(&str, &str)]) -> ClientSettings {
        let home_variable = ("HOME", home.to_str().unwrap());
        let variable = |name: &str| {
            let mut all = variables.iter().chain([&home_variable]);
            all.find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let system = home.join("etc");
        let names = ["0123abcd".to_owned()];
        Surroundings { variable: &variable, system: &system, names: &names }.settings()
    }

    fn shown(settings: &ClientSettings) -> Vec<String> {
        settings.servers.iter().map(ToString::to_string).collect()
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_usual_server_is_the_users_own_before_the_machines() {
        let home = tempfile::tempdir().unwrap();
        let by_id = format!("unix:{}/.config/pulse/0123abcd-runtime/native", home.path().display());
        for (variables, own) in [
            (vec![("PULSE_RUNTIME_PATH", "/a"), ("XDG_RUNTIME_DIR", "/b")], "unix:/a/native"),
            (vec![("XDG_RUNTIME_DIR", "/b")], "unix:/b/pulse/native"),
            (vec![], by_id.as_str()),
        ] {
            let settings = settings(home.path(), &variables);
            assert_eq!(shown(&settings), [own, "unix:/run/pulse/native"]);
            assert!(!settings.are_named);
        }
    }

    #[test]
    fn the_default_sink_is_that_of_the_environment_then_of_the_file() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        assert_eq!(settings(home, &[]).sink, None);
        write(&home.join(".config/pulse/client.conf"), "default-sink = hall\n");
        assert_eq!(settings(home, &[]).sink.as_deref(), Some("hall"));
        assert_eq!(settings(home, &[("PULSE_SINK", "stage")]).sink.as_deref(), Some("stage"));
    }

    #[test]
    fn the_environment_goes_before_the_users_file_and_that_before_the_machines() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        assert_eq!(
            shown(&settings(home, &[("PULSE_SERVER", "/a tcp:b")])),
            ["unix:/a", "tcp:b:4713"]
        );

        write(&home.join("etc/client.conf"), "# default-server = no\ndefault-server = machine\n");
        assert_eq!(shown(&settings(home, &[])), ["tcp:machine:4713"]);
        write(&home.join("etc/client.conf.d/10-room.conf"), "default-server=room ; of them all\n");
        write(&home.join("etc/client.conf.d/20-old.bak"), "default-server=old\n");
        assert_eq!(shown(&settings(home, &[])), ["tcp:room:4713"]);
        write(&home.join(".config/pulse/client.conf"), "default-server = /home/socket\n");
        assert_eq!(shown(&settings(home, &[])), ["unix:/home/socket"]);
        write(&home.join("other.conf"), "default-server = other\n");
        let other = home.join("other.conf");
        let other = ("PULSE_CLIENTCONFIG", other.to_str().unwrap());
        assert_eq!(shown(&settings(home, &[other])), ["tcp:other:4713"]);
        let settings = settings(home, &[other, ("PULSE_SERVER", "/a")]);
        assert_eq!(shown(&settings), ["unix:/a"]);
        assert!(settings.are_named);
    }

    #[test]
    fn the_cookie_is_the_given_one_or_the_users() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        assert_eq!(settings(home, &[]).cookie, b"");
        write(&home.join(".pulse-cookie"), "old");
        assert_eq!(settings(home, &[]).cookie, b"old");
        write(&home.join(".config/pulse/cookie"), "usual");
        assert_eq!(settings(home, &[]).cookie, b"usual");
        write(&home.join(".config/pulse/client.conf"), "cookie-file = mine");
        write(&home.join(".config/pulse/mine"), "mine");
        assert_eq!(settings(home, &[]).cookie, b"mine");
        write(&home.join("given"), "given");
        let given = home.join("given");
        let given = ("PULSE_COOKIE", given.to_str().unwrap());
        assert_eq!(settings(home, &[given]).cookie, b"given");
    }
}
