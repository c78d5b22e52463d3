//! Which of the devices to play on. Pure: it knows no sound system and no clock.

use super::message::DeviceChoice;
use crate::device::DeviceInfo;

/// The choice, and what overrides it.
#[derive(Debug, Default)]
pub(super) struct Selection {
    choice: DeviceChoice,
    /// The name of the chosen device, once it has been available.
    name: Option<String>,
    /// The id of the device to which another program moved the stream. It overrides the choice, until
    /// there is another choice or this device is gone.
    moved_to: Option<String>,
    rejected: Option<Rejected>,
}

/// A device that could not be opened, or stopped playing.
#[derive(Debug)]
struct Rejected {
    id: String,
    reason: String,
}

impl Selection {
    pub(super) fn new(choice: DeviceChoice) -> Self {
        Self { choice, ..Self::default() }
    }

    /// The sound server moved the stream from one device to another. If the former is still available,
    /// somebody wanted that; else the server only rescued the stream.
    pub(super) fn moved(&mut self, from: &str, to: String, devices: &[DeviceInfo]) {
        let is_wanted = devices.iter().any(|device| device.id == from);
        self.moved_to = is_wanted.then_some(to);
        // Back to where it would be anyway.
        self.moved_to.take_if(|to| chosen(&self.choice, devices).is_some_and(|d| d.id == *to));
    }

    /// The device with this id plays nothing; until it does, a fallback is used.
    pub(super) fn reject(&mut self, id: &str, reason: String) {
        self.rejected = Some(Rejected { id: id.to_owned(), reason });
    }

    /// Whether a device is rejected.
    pub(super) fn has_any_rejected(&self) -> bool {
        self.rejected.is_some()
    }

    pub(super) fn has_rejected(&self, id: &str) -> bool {
        self.rejected.as_ref().is_some_and(|rejected| rejected.id == id)
    }

    pub(super) fn clear_rejection(&mut self) {
        self.rejected = None;
    }

    /// The device to play on, if it can be opened.
    pub(super) fn best<'a>(&mut self, devices: &'a [DeviceInfo]) -> Option<&'a DeviceInfo> {
        let is_gone = |id: &str| devices.iter().all(|device| device.id != id);
        self.moved_to.take_if(|id| is_gone(id));
        self.rejected.take_if(|rejected| is_gone(&rejected.id));
        let named = named(&self.choice, devices);
        if let Some(named) = named {
            self.name = Some(named.name.clone());
        }
        let moved_to = self.moved_to.as_ref();
        let moved = moved_to.and_then(|id| devices.iter().find(|device| device.id == *id));
        moved.or_else(|| chosen(&self.choice, devices))
    }

    /// The device to play on while the named one plays nothing. There is none for the default: nobody
    /// asked for a device that the system does not play on.
    pub(super) fn fallback<'a>(&self, devices: &'a [DeviceInfo]) -> Option<&'a DeviceInfo> {
        if self.choice == DeviceChoice::Default {
            return None;
        }
        let others = || devices.iter().filter(|device| !self.has_rejected(&device.id));
        others().find(|device| device.is_default).or_else(|| others().next())
    }

    /// Why it is this device and not the chosen one, for people; none if it is the chosen one.
    pub(super) fn fallback_reason(&self, device: &DeviceInfo) -> Option<String> {
        if self.moved_to.as_ref() == Some(&device.id) {
            return Some("moved here by another program".to_owned());
        }
        let rejected = self.rejected.as_ref().filter(|rejected| rejected.id != device.id);
        match &self.choice {
            DeviceChoice::Named(name) if !device.answers_to(name) => {
                let name = self.name.as_ref().unwrap_or(name);
                let missing = || format!("{name} is not available");
                Some(rejected.map_or_else(missing, |rejected| rejected.reason.clone()))
            }
            _ => rejected.map(|rejected| rejected.reason.clone()),
        }
    }
}

fn named<'a>(choice: &DeviceChoice, devices: &'a [DeviceInfo]) -> Option<&'a DeviceInfo> {
    match choice {
        DeviceChoice::Default => None,
        DeviceChoice::Named(name) => devices.iter().find(|device| device.answers_to(name)),
    }
}

/// The named device, else the default, else any.
fn chosen<'a>(choice: &DeviceChoice, devices: &'a [DeviceInfo]) -> Option<&'a DeviceInfo> {
    let default = || devices.iter().find(|device| device.is_default);
    named(choice, devices).or_else(default).or(devices.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(ids: &[&str]) -> Vec<DeviceInfo> {
        let device = |id: &&str| DeviceInfo {
            id: (*id).to_owned(),
            name: format!("the {id}"),
            is_default: *id == "built-in",
            channels: 2,
            rate: 48_000,
        };
        ids.iter().map(device).collect()
    }

    fn best(selection: &mut Selection, ids: &[&str]) -> String {
        selection.best(&devices(ids)).unwrap().id.clone()
    }

    fn why(selection: &Selection, id: &str) -> Option<String> {
        selection.fallback_reason(&devices(&[id])[0])
    }

    fn named(name: &str) -> Selection {
        Selection::new(DeviceChoice::Named(name.to_owned()))
    }

    #[test]
    fn the_default_is_the_fallback_for_a_missing_device() {
        let mut selection = named("usb");
        assert_eq!(best(&mut selection, &["hdmi", "built-in"]), "built-in");
        assert_eq!(why(&selection, "built-in").as_deref(), Some("usb is not available"));
        assert_eq!(best(&mut selection, &["hdmi", "built-in", "usb"]), "usb");
        assert_eq!(why(&selection, "usb"), None);
        assert_eq!(best(&mut selection, &["hdmi", "built-in"]), "built-in");
        assert_eq!(why(&selection, "built-in").as_deref(), Some("the usb is not available"));
        assert_eq!(best(&mut selection, &["hdmi"]), "hdmi");
    }

    #[test]
    fn the_default_is_the_fallback_for_a_busy_device() {
        let mut selection = named("usb");
        let all = devices(&["hdmi", "built-in", "usb"]);
        selection.reject("usb", "it is busy".to_owned());
        assert_eq!(best(&mut selection, &["hdmi", "built-in", "usb"]), "usb", "it is tried again");
        let second = selection.fallback(&all).unwrap();
        assert_eq!(second.id, "built-in");
        assert_eq!(selection.fallback_reason(second).as_deref(), Some("it is busy"));
        assert_eq!(best(&mut selection, &["hdmi", "built-in"]), "built-in");
        assert_eq!(why(&selection, "built-in").as_deref(), Some("the usb is not available"));
    }

    #[test]
    fn a_busy_default_has_no_fallback() {
        let mut selection = Selection::new(DeviceChoice::Default);
        selection.reject("built-in", "it is busy".to_owned());
        assert_eq!(selection.fallback(&devices(&["hdmi", "built-in"])), None);
        assert_eq!(best(&mut selection, &["hdmi", "built-in"]), "built-in");
    }

    #[test]
    fn a_moved_stream_stays_until_its_device_is_gone() {
        for mut selection in [named("usb"), Selection::new(DeviceChoice::Default)] {
            let all = ["hdmi", "built-in", "usb"];
            let from = best(&mut selection, &all);
            selection.moved(&from, "hdmi".to_owned(), &devices(&all));
            assert_eq!(best(&mut selection, &all), "hdmi");
            assert_eq!(why(&selection, "hdmi").as_deref(), Some("moved here by another program"));
            assert_eq!(best(&mut selection, &["built-in", "usb"]), from);
            assert_eq!(best(&mut selection, &all), from, "the move is not remembered");
        }
    }

    #[test]
    fn a_stream_that_is_moved_back_follows_the_choice_again() {
        let mut selection = named("usb");
        let all = devices(&["hdmi", "built-in", "usb"]);
        selection.moved("usb", "hdmi".to_owned(), &all);
        selection.moved("hdmi", "usb".to_owned(), &all);
        assert_eq!(selection.best(&all).unwrap().id, "usb");
        assert_eq!(why(&selection, "usb"), None);
    }

    #[test]
    fn a_rescued_stream_returns_to_the_chosen_device() {
        let mut selection = named("usb");
        selection.moved("usb", "built-in".to_owned(), &devices(&["hdmi", "built-in"]));
        assert_eq!(best(&mut selection, &["hdmi", "built-in"]), "built-in");
        assert_eq!(best(&mut selection, &["hdmi", "built-in", "usb"]), "usb");
    }
}
