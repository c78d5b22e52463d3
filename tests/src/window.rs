//! A virtual X screen with a pointer and a keyboard, operated by screen coordinates.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    process::{From, Mark, PATIENCE, Process},
    tools::{run, tool},
};

/// A virtual screen.
#[derive(Debug)]
pub struct Screen {
    server: Process,
    display: String,
}

/// The position and size of a window on its screen, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
}

/// A window on a screen.
#[derive(Clone, Debug)]
pub struct Window {
    id: String,
}

impl Screen {
    /// Starts a screen of this size.
    ///
    /// # Errors
    /// If Xvfb is missing or does not start.
    pub fn open(width: u32, height: u32) -> Result<Self> {
        let mut command = Command::new(tool("Xvfb")?);
        // Xvfb chooses a free display and prints its number.
        command.args(["-displayfd", "1", "-nolisten", "tcp", "-noreset"]);
        command.args(["-screen", "0", &format!("{width}x{height}x24")]);
        let server = Process::spawn("Xvfb", command)?;
        let number = server.wait_for_line(Mark::default(), PATIENCE, |from, line| {
            from == From::Stdout && !line.is_empty() && line.chars().all(|c| c.is_ascii_digit())
        })?;
        Ok(Self { server, display: format!(":{number}") })
    }

    /// The value of `DISPLAY` for programs that use this screen.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Waits for a window with `title` in its title.
    ///
    /// # Errors
    /// If none appears in time.
    pub fn window(&self, title: &str) -> Result<Window> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.xdotool(&["search", "--onlyvisible", "--name", title]);
            if let Some(id) = found.as_ref().ok().and_then(|ids| ids.lines().next()) {
                return Ok(Window { id: id.to_owned() });
            }
            if Instant::now() > deadline {
                bail!(
                    "no window titled {title:?} appeared; Xvfb printed:\n{}",
                    self.server.transcript()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the screen has more than one colour: the window has been drawn.
    ///
    /// # Errors
    /// If it stays blank.
    pub fn wait_until_drawn(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut command = Command::new(tool("import")?);
            command.args(["-display", &self.display, "-window", "root", "-format", "%k", "info:"]);
            // The number of colours.
            if run(&mut command)? != "1" {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the screen stays blank; Xvfb printed:\n{}", self.server.transcript());
            }
        }
    }

    /// Waits until the pixel at (x, y) has this colour, as six hexadecimal digits, or any other one.
    ///
    /// # Errors
    /// If it does not get it.
    pub fn wait_for_colour(&self, (x, y): (i32, i32), colour: &str, is_wanted: bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut command = Command::new(tool("import")?);
            command.args(["-display", &self.display, "-window", "root"]);
            command.args(["-crop", &format!("1x1+{x}+{y}"), "-depth", "8"]);
            command.args(["-format", "%[hex:p{0,0}]", "info:"]);
            let found = run(&mut command)?;
            if (found.trim() == colour) == is_wanted {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the colour at ({x}, {y}) is {found}, not {colour}");
        }
    }

    /// The position and size of a window.
    ///
    /// # Errors
    /// If the window is closed.
    pub fn geometry(&self, window: &Window) -> Result<Geometry> {
        let printed = self.xdotool(&["getwindowgeometry", "--shell", &window.id])?;
        let value = |name: &str| {
            let line = printed.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='));
            line.and_then(|value| value.parse().ok())
                .with_context(|| format!("no {name} in what xdotool printed:\n{printed}"))
        };
        Ok(Geometry {
            x: value("X")?,
            y: value("Y")?,
            width: value("WIDTH")?,
            height: value("HEIGHT")?,
        })
    }

    /// Moves the pointer to a position in a window, in fractions of its width and height, and
    /// clicks.
    ///
    /// # Errors
    /// If the window is closed.
    pub fn click(&self, window: &Window, across: f64, down: f64) -> Result<()> {
        let at = self.geometry(window)?;
        let x = f64::from(at.x) + f64::from(at.width) * across;
        let y = f64::from(at.y) + f64::from(at.height) * down;
        self.xdotool(&["mousemove", &format!("{x:.0}"), &format!("{y:.0}"), "click", "1"])?;
        Ok(())
    }

    /// Focuses a window and presses a key, given by its X keysym (`space`, `Return`).
    ///
    /// # Errors
    /// If the window is closed.
    pub fn press(&self, window: &Window, key: &str) -> Result<()> {
        self.xdotool(&["windowfocus", "--sync", &window.id, "key", key])?;
        Ok(())
    }

    /// Focuses a window and types a text of letters, digits and blanks.
    ///
    /// # Errors
    /// If the window is closed.
    pub fn type_text(&self, window: &Window, text: &str) -> Result<()> {
        self.xdotool(&["windowfocus", "--sync", &window.id, "type", text])?;
        Ok(())
    }

    /// Resizes a window.
    ///
    /// # Errors
    /// If the window is closed.
    pub fn resize(&self, window: &Window, width: u32, height: u32) -> Result<()> {
        let (width, height) = (width.to_string(), height.to_string());
        self.xdotool(&["windowsize", "--sync", &window.id, &width, &height])?;
        Ok(())
    }

    /// Saves a screenshot as a PNG file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        let mut command = Command::new(tool("import")?);
        command.args(["-display", &self.display, "-window", "root"]).arg(file);
        run(&mut command).map(drop)
    }

    fn xdotool(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(tool("xdotool")?);
        run(command.env("DISPLAY", &self.display).args(arguments))
    }
}
