//! Real-time safety: the device's callback neither allocates nor frees memory.
//!
//! The only test of its binary, so that the counting allocator counts nothing else.
#![allow(unsafe_code)] // An allocator cannot be written without it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use downbeat_audio::offline::OfflineDevice;
use downbeat_audio::{
    Glide, GlideTarget, MixerHandle, OutputFormat, Parameter, SoundBuffer, VoiceEvent, VoiceId,
    VoiceStart,
};
use downbeat_platform::local_time::LocalTime;

thread_local! {
    /// While it is `Some`, it counts the thread's allocations and deallocations.
    static COUNT: Cell<Option<u32>> = const { Cell::new(None) };
}

struct Counting;

fn count() {
    // An exiting thread frees memory after its thread-locals are destroyed; that is not counted.
    let _ = COUNT.try_with(|count| count.set(count.get().map(|n| n + 1)));
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The allocations and deallocations of `work`.
fn counted(work: impl FnOnce()) -> u32 {
    COUNT.set(Some(0));
    work();
    COUNT.take().unwrap_or_default()
}

struct Rig {
    mixer: MixerHandle,
    device: OfflineDevice,
    block: Vec<f32>,
    random: fastrand::Rng,
    counted: u32,
}

impl Rig {
    fn new(channels: u16) -> Self {
        let (mixer, device) = OfflineDevice::open(OutputFormat { rate: 48_000, channels });
        let device = device.with_drift_ppm(160.0).with_jitter_nanos(200e3, 5);
        let block = vec![0.0; 480 * usize::from(channels)];
        Self { mixer, device, block, random: fastrand::Rng::with_seed(9), counted: 0 }
    }

    fn render(&mut self, blocks: usize) {
        for _ in 0..blocks {
            let Self { device, block, .. } = self;
            self.counted += counted(|| device.render_into(block));
        }
    }

    fn soon(&mut self, most_nanos: i64) -> LocalTime {
        let now = self.device.time_of(self.device.frame());
        now.plus_nanos(self.random.i64(-most_nanos..most_nanos))
    }

    fn start(&mut self, id: u64, sound: SoundBuffer, most_nanos: i64) {
        let voice = VoiceStart {
            id: VoiceId(id),
            // The mixer holds the only reference, so the thread that drops it frees the sound.
            source: Arc::new(sound).into(),
            at: self.soon(most_nanos),
            gain: self.random.f32() * 4.0,
            rate: [1.0, 0.25, 1.3, 4.0][self.random.usize(0..4)],
            pan: self.random.f32() * 2.0 - 1.0,
        };
        let _ = self.mixer.start(voice);
    }

    fn sound(&mut self) -> SoundBuffer {
        let channels = [1, 1, 2, 8][self.random.usize(0..4)];
        let frames = self.random.usize(0..20_000);
        SoundBuffer::new(vec![0.5; frames * usize::from(channels)], channels, 48_000)
    }
}

#[test]
fn the_callback_neither_allocates_nor_frees() {
    // The counter detects an allocation.
    assert_eq!(counted(|| drop(std::hint::black_box(Box::new(7)))), 2);
    let mut events = [0; 4];
    for channels in [1, 2, 6] {
        let mut rig = Rig::new(channels);
        rig.render(100);
        // Random starts, late joins, steals, stops, retimes that glide or jump, glides and volume changes.
        for id in 0..1_000 {
            let sound = rig.sound();
            rig.start(id, sound, 400_000_000);
            let other = VoiceId(rig.random.u64(0..=id));
            let at = rig.soon(100_000_000);
            match rig.random.u8(0..8) {
                0 => rig.mixer.stop(other, at).unwrap(),
                1 | 2 => rig.mixer.retime(other, at).unwrap(),
                3 => rig.mixer.set_volume(rig.random.f32()).unwrap(),
                4 => rig.device.stall(3_000_000),
                5 => {
                    let target = [
                        GlideTarget::RoomVolume,
                        GlideTarget::Voice(other, Parameter::Gain),
                        GlideTarget::Voice(other, Parameter::Rate),
                        GlideTarget::Voice(other, Parameter::Pan),
                    ][rig.random.usize(0..4)];
                    let to = 0.25 + rig.random.f32();
                    let glide = Glide { at, to, over_nanos: 20_000_000 };
                    rig.mixer.glide(target, glide).unwrap();
                }
                _ => {}
            }
            if id % 3 == 0 {
                rig.render(1);
            }
            // Sometimes the handle is not polled for long.
            if id % 250 < 125 {
                while let Some(event) = rig.mixer.poll() {
                    events[match event {
                        VoiceEvent::Started { .. } => 0,
                        VoiceEvent::Ended { .. } => 1,
                        VoiceEvent::Stolen { .. } => 2,
                        VoiceEvent::Refused { .. } => 3,
                    }] += 1;
                }
            }
        }
        // Every queue overflows: too many voices wait, and the handle is not polled.
        for round in 0..40 {
            for id in 0..200 {
                rig.start(round * 200 + id, SoundBuffer::new(vec![0.1; 10], 1, 48_000), 1_000);
            }
            rig.render(1);
        }
        while rig.mixer.poll().is_some() {}
        for id in 0..1_000 {
            rig.start(id, SoundBuffer::new(vec![0.1; 10], 1, 48_000), 10_000_000_000);
        }
        rig.render(200);
        while let Some(event) = rig.mixer.poll() {
            events[3] += u32::from(matches!(event, VoiceEvent::Refused { .. }));
        }
        assert_eq!(rig.counted, 0, "{channels} channels");
    }
    assert!(events.iter().all(|count| *count > 20), "some events are missing: {events:?}");
}
