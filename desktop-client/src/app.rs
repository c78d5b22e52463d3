//! The window's shell: applies session events to the state, draws it, and sends the person's actions to
//! the session. It decides nothing.

use std::time::Duration;

use egui::{IconData, ViewportBuilder};
use thiserror::Error;

use crate::{
    action::Action,
    state::{State, channel::StateReceiver, urgency::Urgency},
    time::LocalClock,
    ui::{self, theme},
};

/// How soon the window looks again at what it has to ask of a session that had no room for it.
const RETRY: Duration = Duration::from_millis(100);

/// How late figures may be shown that change all the time.
const FIGURES: Duration = Duration::from_secs(3);

/// Requests a repaint of the window. Any thread may call it; it never blocks.
pub(crate) type Waker = Box<dyn Fn(Urgency) + Send + Sync>;

/// The window's link to the session.
pub(crate) struct SessionLink {
    /// Sends an action to the session, or returns it if there is no room for it; must not block.
    pub(crate) actions: Box<dyn FnMut(Action) -> Option<Action>>,
    /// Receives the session's events. After each one the session calls the [`Waker`].
    pub(crate) updates: StateReceiver,
}

/// Why there is no window.
#[derive(Debug, Error)]
pub(crate) enum WindowError {
    /// There is no display.
    #[error(
        "there is no display to open a window on ({reason}); \
         `downbeat play` plays without one"
    )]
    NoDisplay {
        /// What is missing.
        reason: String,
    },
    /// There is a display, but no OpenGL on it.
    #[error(
        "the window could not be opened ({reason}): it needs OpenGL 2; \
         `downbeat play` plays without a window"
    )]
    Graphics {
        /// The error.
        reason: String,
    },
}

/// Opens the window, and returns when it is closed.
///
/// `connect` is called once, when there is a window, with what wakes it: a session that is started there
/// never runs without a window.
///
/// # Errors
/// If no window can be opened; `connect` may not have been called then.
pub(crate) fn run(
    state: State,
    clock: LocalClock,
    connect: impl FnOnce(Waker) -> SessionLink,
) -> Result<(), WindowError> {
    if let Some(reason) = missing_display(|name| std::env::var_os(name).is_some()) {
        return Err(WindowError::NoDisplay { reason });
    }
    let options = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Downbeat")
            .with_app_id("downbeat")
            .with_inner_size(ui::FIRST_SIZE)
            .with_min_inner_size(ui::MIN_SIZE)
            .with_icon(icon()),
        // With vertical sync, a press would wait for the frame before it. Animations request their own
        // frame rate, so nothing runs faster without.
        glow_options: eframe::egui_glow::GlowConfiguration { vsync: false, ..Default::default() },
        // The shapes have smooth edges of their own.
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
            let session = connect(Box::new(move |urgency| match urgency {
                Urgency::Now => context.request_repaint(),
                Urgency::Soon => context.request_repaint_after(FIGURES),
            }));
            Ok(Box::new(Window { state, clock, session, memory: ui::Memory::default() }))
        }),
    )
    .map_err(|error| match error {
        eframe::Error::Winit(_) | eframe::Error::WinitEventLoop(_) => {
            tracing::debug!(%error, "no display");
            WindowError::NoDisplay { reason: "the named display does not answer".to_owned() }
        }
        other => WindowError::Graphics { reason: other.to_string() },
    })
}

/// Why there can be no display, by the environment.
fn missing_display(is_set: impl Fn(&str) -> bool) -> Option<String> {
    // Windows and macOS always have one, and so does a process on Linux that names one.
    let named = ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(is_set);
    let always = cfg!(any(windows, target_os = "macos"));
    (!always && !named).then(|| "neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned())
}

struct Window {
    state: State,
    clock: LocalClock,
    session: SessionLink,
    memory: ui::Memory,
}

impl eframe::App for Window {
    // Also called while the window is hidden.
    fn logic(&mut self, _: &egui::Context, _: &mut eframe::Frame) {
        self.session.updates.update(&mut self.state);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        let now = self.clock.now();
        for action in ui::show(ui, &self.state, now, &mut self.memory) {
            if let Some(dropped) = (self.session.actions)(action) {
                self.memory.dropped(&dropped);
                ui.ctx().request_repaint_after(RETRY);
            }
        }
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

/// The window's icon: the disc of the bang.
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
            let face = theme::mix(theme::DARK.accent_light, theme::DARK.accent_deep, lit);
            let ink = theme::mix(theme::DARK.panel, face, edge(24.0));
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
    fn a_missing_display_is_reported_with_the_way_to_play_without_one() {
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
