//! The window's shell: it takes in what the session said, has it drawn, and hands on what the
//! person asked for. It decides nothing.

use std::sync::mpsc::Receiver;

use egui::{IconData, ViewportBuilder};
use thiserror::Error;

use crate::{
    action::Action,
    event::SessionEvent,
    state::State,
    time::LocalClock,
    ui::{self, theme},
};

/// Has the window draw itself soon. It may be called from any thread, and never blocks.
pub type Waker = Box<dyn Fn() + Send + Sync>;

/// The window's end of the thread boundary.
pub struct Link {
    /// Takes what the person asked for; must not block.
    pub actions: Box<dyn FnMut(Action)>,
    /// What the session said. After each event the session calls the [`Waker`] it was given.
    pub events: Receiver<SessionEvent>,
}

/// Why there is no window.
#[derive(Debug, Error)]
pub enum WindowError {
    /// There is nowhere to open one.
    #[error(
        "there is no display to open a window on ({reason}); \
         `downbeat play` plays without one"
    )]
    NoDisplay {
        /// What was missing.
        reason: String,
    },
    /// There is a display, but it cannot be drawn on.
    #[error(
        "the window could not be opened ({reason}): this machine's graphics do not offer OpenGL 2; \
         `downbeat play` plays without a window"
    )]
    Graphics {
        /// What the system said.
        reason: String,
    },
}

/// Opens the window, and returns when the person has closed it.
///
/// `connect` is called once, when there is a window, and given what wakes it: a session that is
/// started there never runs without a window.
///
/// # Errors
/// If no window can be opened; `connect` may not have been called then.
pub fn run(
    state: State,
    clock: LocalClock,
    connect: impl FnOnce(Waker) -> Link,
) -> Result<(), WindowError> {
    if let Some(reason) = missing_display(|name| std::env::var_os(name).is_some()) {
        return Err(WindowError::NoDisplay { reason });
    }
    let options = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Downbeat")
            .with_app_id("downbeat")
            .with_inner_size(ui::FIRST_SIZE)
            .with_min_inner_size(ui::LEAST_SIZE)
            .with_icon(icon()),
        // A frame that waits for the screen would hold the press that came meanwhile. What moves
        // asks for its own pace, so nothing runs faster for it.
        glow_options: eframe::egui_glow::GlowConfiguration { vsync: false, ..Default::default() },
        // Edges are smoothed by what is drawn; samples would only cost.
        multisampling: 0,
        persist_window: false,
        ..Default::default()
    };
    eframe::run_native(
        "downbeat",
        options,
        Box::new(move |creation| {
            let context = creation.egui_ctx.clone();
            theme::install(&context);
            let link = connect(Box::new(move || context.request_repaint()));
            Ok(Box::new(Window { state, clock, link, memory: ui::Memory::default() }))
        }),
    )
    .map_err(|error| match error {
        eframe::Error::Winit(_) | eframe::Error::WinitEventLoop(_) => {
            tracing::debug!(%error, "no display");
            WindowError::NoDisplay { reason: "the one that is named does not answer".to_owned() }
        }
        other => WindowError::Graphics { reason: other.to_string() },
    })
}

/// Why there can be no display, as far as the environment tells.
fn missing_display(is_set: impl Fn(&str) -> bool) -> Option<String> {
    // Windows and macOS always have one, and so does a process on Linux that names one.
    let named = ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(is_set);
    let always = cfg!(any(windows, target_os = "macos"));
    (!always && !named).then(|| "neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned())
}

struct Window {
    state: State,
    clock: LocalClock,
    link: Link,
    memory: ui::Memory,
}

impl eframe::App for Window {
    // Called when the window is hidden, too, so that what it was told does not pile up.
    fn logic(&mut self, _: &egui::Context, _: &mut eframe::Frame) {
        for event in self.link.events.try_iter() {
            self.state.apply(event);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        let now = self.clock.now();
        for action in ui::show(ui, &self.state, now, &mut self.memory) {
            self.state.pick(&action);
            (self.link.actions)(action);
            // What was picked shows in the next frame.
            ui.ctx().request_repaint();
        }
    }

    fn clear_color(&self, _: &egui::Visuals) -> [f32; 4] {
        theme::color::BACKGROUND.to_normalized_gamma_f32()
    }
}

/// The bang's disc, small.
fn icon() -> IconData {
    const SIDE: u32 = 64;
    let middle = (SIDE - 1) as f32 / 2.0;
    let mut rgba = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (dx, dy) = (x as f32 - middle, y as f32 - middle);
            let distance = dx.hypot(dy);
            let edge = |radius: f32| (radius + 0.5 - distance).clamp(0.0, 1.0);
            let lit = ((dy + middle) / (2.0 * middle)).clamp(0.0, 1.0);
            let face = theme::mix(theme::color::ACCENT_LIGHT, theme::color::ACCENT_DEEP, lit);
            let ink = theme::mix(theme::color::PANEL, face, edge(24.0));
            rgba.extend_from_slice(&[ink.r(), ink.g(), ink.b(), (255.0 * edge(31.0)) as u8]);
        }
    }
    IconData { rgba, width: SIDE, height: SIDE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_missing_display_is_told_before_anything_is_started() {
        assert!(missing_display(|_| false).is_some_and(|reason| reason.contains("DISPLAY")));
        assert_eq!(missing_display(|name| name == "WAYLAND_DISPLAY"), None);
        assert_eq!(missing_display(|name| name == "DISPLAY"), None);
        let error = WindowError::NoDisplay { reason: "why".to_owned() };
        assert!(error.to_string().contains("downbeat play"));
    }

    #[test]
    fn the_icon_is_round() {
        let icon = icon();
        assert_eq!(icon.rgba.len(), 64 * 64 * 4);
        assert_eq!(icon.rgba[3], 0, "the corner is clear");
        let center = (32 * 64 + 32) * 4;
        assert_eq!(icon.rgba[center + 3], 255);
    }
}
