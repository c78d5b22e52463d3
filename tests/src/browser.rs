//! Controls Chromium through chromedriver, with the few W3C `WebDriver` commands that the tests
//! need.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    process::{PATIENCE, Process},
    tools::tool,
};

/// The web element identifier (W3C `WebDriver`, 12. Elements).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Flags with which Chromium runs as root, headless, and without requests to other servers.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page. Closed when dropped.
#[derive(Debug)]
pub struct Browser {
    // Declared first, so that the session is closed before the driver is killed.
    session: Session,
    _driver: Process,
    _profile: TempDir,
}

#[derive(Debug)]
struct Session {
    agent: ureq::Agent,
    url: String,
}

impl Browser {
    /// Opens a browser whose window is `width` by `height` pixels. `launch` makes the command that
    /// runs a program with its sound on the right card.
    ///
    /// # Errors
    /// If Chromium or chromedriver is missing or does not start.
    pub fn open(launch: impl Fn(&Path) -> Command, width: u32, height: u32) -> Result<Self> {
        let profile = tempfile::tempdir().context("creating a folder for the browser's profile")?;
        let mut command = launch(&tool("chromedriver")?);
        command.arg("--port=0");
        let driver = Process::spawn("chromedriver", command)?;
        let line = driver.wait_for("was started successfully on port ")?;
        let port: u16 = line
            .rsplit(' ')
            .next()
            .and_then(|word| word.trim_end_matches('.').parse().ok())
            .with_context(|| format!("no port in {line:?}"))?;

        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let agent = ureq::Agent::new_with_config(config);
        let mut flags: Vec<_> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--window-size={width},{height}"));
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({
            "capabilities": { "alwaysMatch": {
                // Like a user who has compared the fingerprint and continues.
                "acceptInsecureCerts": true,
                "goog:chromeOptions": { "binary": tool("chromium")?, "args": flags },
                "goog:loggingPrefs": { "browser": "ALL" },
            } }
        });
        let url = format!("http://127.0.0.1:{port}/session");
        let answer = post(&agent, &url, &wanted)
            .with_context(|| format!("chromedriver printed:\n{}", driver.transcript()))?;
        let id = answer["sessionId"].as_str().context("chromedriver opened no session")?;
        let session = Session { url: format!("{url}/{id}"), agent };
        Ok(Self { session, _driver: driver, _profile: profile })
    }

    /// Navigates to a URL.
    ///
    /// # Errors
    /// If the page does not load.
    pub fn go(&self, url: &str) -> Result<()> {
        self.session.post("url", &json!({ "url": url })).map(drop)
    }

    /// Waits for the first element that matches the CSS `selector`, and clicks its centre.
    ///
    /// # Errors
    /// If no element matches in time, or another element covers it.
    pub fn click(&self, selector: &str) -> Result<()> {
        let element = self.wait_for(selector)?;
        self.session
            .post(&format!("element/{element}/click"), &json!({}))
            .with_context(|| format!("clicking {selector}"))?;
        Ok(())
    }

    /// Waits for the first element that matches the CSS `selector`, and returns its `WebDriver` id.
    ///
    /// # Errors
    /// If no element matches in time. The error contains the page and its console log.
    pub fn wait_for(&self, selector: &str) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        let query = json!({ "using": "css selector", "value": selector });
        loop {
            let found = self.session.post("element", &query);
            if let Ok(answer) = &found {
                let element = answer[ELEMENT].as_str().context("chromedriver names no element")?;
                return Ok(element.to_owned());
            }
            if Instant::now() > deadline {
                let page = self.run("return document.documentElement.outerHTML")?;
                let page = page.as_str().unwrap_or("?");
                let console = self.session.post("se/log", &json!({ "type": "browser" }))?;
                return found.map(|_| String::new()).with_context(|| {
                    format!("{selector} is not on the page:\n{page}\nits console:\n{console:#}")
                });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs JavaScript in the page and returns its result.
    ///
    /// # Errors
    /// If it throws.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.session.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Sets the value of a form field as a user does, and returns the field's value afterwards.
    ///
    /// # Errors
    /// If no field matches.
    pub fn set(&self, selector: &str, value: &str) -> Result<String> {
        let script = format!(
            "const field = document.querySelector({});
             field.value = {};
             field.dispatchEvent(new Event('change'));
             return field.value;",
            json!(selector),
            json!(value)
        );
        let shown = self.run(&script)?;
        Ok(shown.as_str().context("a field's value is text")?.to_owned())
    }

    /// Presses and releases a key, in `WebDriver`'s encoding, on the focused element.
    ///
    /// # Errors
    /// If the page is closed.
    pub fn press(&self, key: char) -> Result<()> {
        let key = key.to_string();
        let actions = json!([{ "type": "key", "id": "keyboard", "actions": [
            { "type": "keyDown", "value": key },
            { "type": "keyUp", "value": key },
        ] }]);
        self.session.post("actions", &json!({ "actions": actions })).map(drop)
    }

    /// Emulates a phone with a viewport of this size in CSS pixels and a device pixel ratio of 2.
    ///
    /// # Errors
    /// If the browser refuses.
    pub fn emulate_phone(&self, width: u32, height: u32) -> Result<()> {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true,
        });
        self.emulate("Emulation.setDeviceMetricsOverride", &metrics)
    }

    /// Emulates a processor that is so many times slower.
    ///
    /// # Errors
    /// If the browser refuses.
    pub fn throttle(&self, slower: u32) -> Result<()> {
        self.emulate("Emulation.setCPUThrottlingRate", &json!({ "rate": slower }))
    }

    /// Sends a command of the Chrome `DevTools` protocol.
    fn emulate(&self, command: &str, parameters: &Value) -> Result<()> {
        let command = json!({ "cmd": command, "params": parameters });
        self.session.post("goog/cdp/execute", &command).map(drop)
    }

    /// Saves a screenshot of the window as a PNG file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        let answer = self.session.get("screenshot")?;
        let encoded = answer.as_str().context("chromedriver took no picture")?;
        let bytes = decode_base64(encoded).context("the picture is not in base64")?;
        std::fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))
    }
}

impl Session {
    fn post(&self, command: &str, body: &Value) -> Result<Value> {
        post(&self.agent, &format!("{}/{command}", self.url), body)
    }

    fn get(&self, command: &str) -> Result<Value> {
        let response = self.agent.get(format!("{}/{command}", self.url)).call()?;
        answer(response)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // If chromedriver does not answer, there is no browser to close.
        let _ = self.agent.delete(&self.url).call();
    }
}

fn post(agent: &ureq::Agent, url: &str, body: &Value) -> Result<Value> {
    let request = agent.post(url).header("Content-Type", "application/json");
    answer(request.send(body.to_string())?)
}

/// The `value` of a `WebDriver` response.
fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Value> {
    let status = response.status();
    // Screenshots exceed ureq's default limit.
    let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
    let mut answer: Value =
        serde_json::from_str(&text).with_context(|| format!("{status}: {text}"))?;
    let value = answer["value"].take();
    if let Some(error) = value["error"].as_str() {
        bail!("{error}: {}", value["message"].as_str().unwrap_or_default());
    }
    ensure!(status.is_success(), "chromedriver answered {status}: {text}");
    Ok(value)
}

/// Decodes padded base64 (RFC 4648, section 4); `None` if a character is invalid.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for character in text.trim_end_matches('=').bytes() {
        let six = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_as_in_rfc_4648() {
        // RFC 4648, section 10.
        let vectors =
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")];
        for (text, bytes) in vectors {
            assert_eq!(decode_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(decode_base64("/+8=").unwrap(), [0xff, 0xef]);
        assert_eq!(decode_base64("Zm9v!"), None);
    }
}
