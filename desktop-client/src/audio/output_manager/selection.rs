//! Which of the devices to play on. Knows no sound system and no clock.

use super::{DeviceChoice, DeviceInfo};

/// What is wanted, and what stands in its way.
#[derive(Debug, Default)]
pub(super) struct Wish {
    choice: DeviceChoice,
    /// What people call the chosen device, once it has been there.
    called: Option<String>,
    /// The id of the device to which another program moved the sound. It goes before the choice,
    /// until there is another choice or this device is gone.
    moved_to: Option<String>,
    refused: Option<Refused>,
}

/// A device that could not be opened, or stopped to play.
#[derive(Debug)]
struct Refused {
    id: String,
    reason: String,
}

impl Wish {
    pub(super) fn new(choice: DeviceChoice) -> Self {
        Self { choice, ..Self::default() }
    }

    /// The sound was moved from one device to another by the sound server. If the former is still
    /// there, it was somebody's will.
    pub(super) fn moved(&mut self, from: &str, to: String, devices: &[DeviceInfo]) {
        let is_will = devices.iter().any(|device| device.id == from);
        self.moved_to = is_will.then_some(to);
        // Back to where it would be anyway.
        self.moved_to.take_if(|to| chosen(&self.choice, devices).is_some_and(|d| d.id == *to));
    }

    /// The device with this id plays nothing: until it does, another is to do.
    pub(super) fn refuse(&mut self, id: &str, reason: String) {
        self.refused = Some(Refused { id: id.to_owned(), reason });
    }

    /// Whether another device has to do for one that plays nothing.
    pub(super) fn has_any_refused(&self) -> bool {
        self.refused.is_some()
    }

    pub(super) fn has_refused(&self, id: &str) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.id == id)
    }

    pub(super) fn forget_refusal(&mut self) {
        self.refused = None;
    }

    /// The device that would be played on if it could be opened.
    pub(super) fn best<'a>(&mut self, devices: &'a [DeviceInfo]) -> Option<&'a DeviceInfo> {
        let is_gone = |id: &str| devices.iter().all(|device| device.id != id);
        self.moved_to.take_if(|id| is_gone(id));
        self.refused.take_if(|refused| is_gone(&refused.id));
        let named = named(&self.choice, devices);
        if let Some(named) = named {
            self.called = Some(named.name.clone());
        }
        let moved_to = self.moved_to.as_ref();
        let moved = moved_to.and_then(|id| devices.iter().find(|device| device.id == *id));
        moved.or_else(|| chosen(&self.choice, devices))
    }

    /// The device to do with while the named one plays nothing. For the default there is none: what
    /// the system does not play on was not asked for.
    pub(super) fn second_best<'a>(&self, devices: &'a [DeviceInfo]) -> Option<&'a DeviceInfo> {
        if self.choice == DeviceChoice::Default {
            return None;
        }
        let others = || devices.iter().filter(|device| !self.has_refused(&device.id));
        others().find(|device| device.is_default).or_else(|| others().next())
    }

    /// Why it is this device and not the chosen one, in words for people; none if it is that.
    pub(super) fn why_instead(&self, device: &DeviceInfo) -> Option<String> {
        if self.moved_to.as_ref() == Some(&device.id) {
            return Some("moved here by another program".to_owned());
        }
        let refused = self.refused.as_ref().filter(|refused| refused.id != device.id);
        match &self.choice {
            DeviceChoice::Named(name) if !device.answers_to(name) => {
                let name = self.called.as_ref().unwrap_or(name);
                let missing = || format!("{name} is not there");
                Some(refused.map_or_else(missing, |refused| refused.reason.clone()))
            }
            _ => refused.map(|refused| refused.reason.clone()),
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

    fn best(wish: &mut Wish, ids: &[&str]) -> String {
        wish.best(&devices(ids)).unwrap().id.clone()
    }

    fn why(wish: &Wish, id: &str) -> Option<String> {
        wish.why_instead(&devices(&[id])[0])
    }

    fn named(name: &str) -> Wish {
        Wish::new(DeviceChoice::Named(name.to_owned()))
    }

    #[test]
    fn the_default_does_while_the_named_device_is_gone_and_says_why() {
        let mut wish = named("usb");
        assert_eq!(best(&mut wish, &["hdmi", "built-in"]), "built-in");
        assert_eq!(why(&wish, "built-in").as_deref(), Some("usb is not there"));
        assert_eq!(best(&mut wish, &["hdmi", "built-in", "usb"]), "usb");
        assert_eq!(why(&wish, "usb"), None);
        assert_eq!(best(&mut wish, &["hdmi", "built-in"]), "built-in");
        assert_eq!(why(&wish, "built-in").as_deref(), Some("the usb is not there"));
        assert_eq!(best(&mut wish, &["hdmi"]), "hdmi");
    }

    #[test]
    fn the_default_does_while_the_named_device_is_busy_and_says_why() {
        let mut wish = named("usb");
        let all = devices(&["hdmi", "built-in", "usb"]);
        wish.refuse("usb", "it is busy".to_owned());
        assert_eq!(best(&mut wish, &["hdmi", "built-in", "usb"]), "usb", "it is tried again");
        let second = wish.second_best(&all).unwrap();
        assert_eq!(second.id, "built-in");
        assert_eq!(wish.why_instead(second).as_deref(), Some("it is busy"));
        assert_eq!(best(&mut wish, &["hdmi", "built-in"]), "built-in");
        assert_eq!(why(&wish, "built-in").as_deref(), Some("the usb is not there"));
    }

    #[test]
    fn nothing_does_for_a_default_that_is_busy() {
        let mut wish = Wish::new(DeviceChoice::Default);
        wish.refuse("built-in", "it is busy".to_owned());
        assert_eq!(wish.second_best(&devices(&["hdmi", "built-in"])), None);
        assert_eq!(best(&mut wish, &["hdmi", "built-in"]), "built-in");
    }

    #[test]
    fn a_stream_that_somebody_moved_stays_there_until_that_device_is_gone() {
        for mut wish in [named("usb"), Wish::new(DeviceChoice::Default)] {
            let all = ["hdmi", "built-in", "usb"];
            let from = best(&mut wish, &all);
            wish.moved(&from, "hdmi".to_owned(), &devices(&all));
            assert_eq!(best(&mut wish, &all), "hdmi");
            assert_eq!(why(&wish, "hdmi").as_deref(), Some("moved here by another program"));
            assert_eq!(best(&mut wish, &["built-in", "usb"]), from);
            assert_eq!(best(&mut wish, &all), from, "it is not moved for ever");
        }
    }

    #[test]
    fn a_stream_that_was_moved_back_is_as_if_it_never_had_been() {
        let mut wish = named("usb");
        let all = devices(&["hdmi", "built-in", "usb"]);
        wish.moved("usb", "hdmi".to_owned(), &all);
        wish.moved("hdmi", "usb".to_owned(), &all);
        assert_eq!(wish.best(&all).unwrap().id, "usb");
        assert_eq!(why(&wish, "usb"), None);
    }

    #[test]
    fn a_stream_that_was_rescued_returns_to_the_chosen_device() {
        let mut wish = named("usb");
        wish.moved("usb", "built-in".to_owned(), &devices(&["hdmi", "built-in"]));
        assert_eq!(best(&mut wish, &["hdmi", "built-in"]), "built-in");
        assert_eq!(best(&mut wish, &["hdmi", "built-in", "usb"]), "usb");
    }
}
