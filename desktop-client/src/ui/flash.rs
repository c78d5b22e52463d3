//! The flash: how bright the disc is, and where its rings are, at an instant.

use std::time::Duration;

use crate::time::LocalTime;

/// How long the disc glows; it is brightest at the instant of the sound.
const HEAT_SECONDS: f32 = 0.22;
/// The heat of the disc where a flash at full contrast would be one too many: its luminance then changes
/// by less than a tenth, which is no flash by WCAG 2.3.1.
const GLOW_HEAT: f32 = 0.2;
/// The ring travels a little longer.
const RING_SECONDS: f32 = 0.36;
/// The interval of frames during a flash.
const FRAME: Duration = Duration::from_millis(16);

/// The look of the flash at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Flash {
    /// The heat of the disc, 0 to 1.
    pub(super) heat: f32,
    /// The progress of each ring, 0 to 1.
    pub(super) rings: Vec<f32>,
    /// When it changes next; none if it does not.
    pub(super) next: Option<Duration>,
}

impl Flash {
    /// The flash at `now`. Every trigger flashes at the instant at which it sounds; those that are not
    /// bright only glow.
    pub(super) fn at(
        now: LocalTime,
        triggers: impl IntoIterator<Item = (LocalTime, bool)>,
    ) -> Self {
        let mut flash = Self::default();
        for (instant, is_bright) in triggers {
            let age = now.nanos_since(instant);
            let next = if age < 0 {
                Duration::from_nanos(age.unsigned_abs())
            } else {
                let seconds = age as f32 / 1e9;
                if seconds >= RING_SECONDS {
                    continue;
                }
                let cooled = (1.0 - seconds / HEAT_SECONDS).max(0.0);
                let hottest = if is_bright { 1.0 } else { GLOW_HEAT };
                flash.heat = flash.heat.max(hottest * cooled * cooled);
                if is_bright {
                    flash.rings.push(seconds / RING_SECONDS);
                }
                FRAME
            };
            flash.next = Some(flash.next.map_or(next, |sooner| sooner.min(next)));
        }
        flash
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the ends of a range are exact")]
mod tests {
    use super::*;

    const MILLI: i64 = 1_000_000;

    fn flash(now_millis: i64, triggers: &[i64]) -> Flash {
        let at = |millis: i64| LocalTime::from_nanos(millis * MILLI);
        Flash::at(at(now_millis), triggers.iter().map(|millis| (at(*millis), true)))
    }

    #[test]
    fn a_trigger_that_is_not_bright_only_glows() {
        let at = |millis: i64| LocalTime::from_nanos(millis * MILLI);
        let flash = Flash::at(at(104), [(at(104), false)]);
        assert_eq!(flash.heat, GLOW_HEAT);
        assert!(flash.rings.is_empty());
    }

    #[test]
    fn a_flash_is_hottest_at_its_instant() {
        let before = flash(100, &[104]);
        assert_eq!(before.heat, 0.0);
        assert_eq!(before.next, Some(Duration::from_millis(4)));
        assert_eq!(flash(104, &[104]).heat, 1.0);
        let heats: Vec<f32> = (0..30).map(|step| flash(104 + step * 10, &[104]).heat).collect();
        assert!(heats.windows(2).all(|pair| pair[1] <= pair[0]), "{heats:?}");
    }

    #[test]
    fn after_a_flash_nothing_is_repainted() {
        assert_eq!(flash(1000, &[104, 500]), Flash::default());
    }

    #[test]
    fn a_scheduled_trigger_does_not_end_the_present_flash() {
        let both = flash(110, &[104, 130]);
        assert!(both.heat > 0.9);
        assert_eq!(both.rings.len(), 1);
        assert_eq!(both.next, Some(Duration::from_millis(16)));
    }
}
