//! The reader of loops: which are read, and why others are not.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use downbeat_samples::{
    EMBEDDED,
    loops::{Loop, LoopError, MIN_LOOP_FRAMES, loop_of, whole},
    wav::inspect,
};
use proptest::prelude::*;

const FRAMES: u64 = 1000;

/// A file of 1000 frames with a chunk before or behind its data.
fn file(smpl: &[u8], is_behind: bool) -> Vec<u8> {
    let chunk = |name: &[u8], body: &[u8]| {
        let mut chunk = [name, &(body.len() as u32).to_le_bytes(), body].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    };
    let format = chunk(b"fmt ", b"\x01\0\x01\0\x44\xac\0\0\x44\xac\0\0\x01\0\x08\0");
    let (data, smpl) = (chunk(b"data", &[128; FRAMES as usize]), chunk(b"smpl", smpl));
    let parts = if is_behind { [format, data, smpl] } else { [format, smpl, data] };
    [b"RIFF\0\0\0\0WAVE".to_vec(), parts.concat()].concat()
}

/// A `smpl` chunk that claims `count` loops, and has these: type, first frame, last frame, count of rounds.
fn smpl(count: u32, loops: &[[u32; 4]]) -> Vec<u8> {
    let mut numbers = vec![0; 9];
    numbers[7] = count;
    for [kind, first, last, rounds] in loops {
        numbers.extend([0, *kind, *first, *last, 0, *rounds]);
    }
    numbers.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[test]
fn the_first_endless_loop_that_runs_forward_is_read() {
    let found = Ok(Some(Loop { start: 100, end: 901 }));
    for is_behind in [false, true] {
        let read = |smpl: &[u8]| {
            let file = file(smpl, is_behind);
            assert_eq!(inspect(&file).unwrap().frames, FRAMES);
            loop_of(&file, FRAMES)
        };
        assert_eq!(read(&smpl(1, &[[0, 100, 900, 0]])), found);
        let others = [[1, 0, 50, 0], [2, 0, 50, 0], [0, 0, 50, 3], [0, 100, 900, 0], [0, 0, 50, 0]];
        assert_eq!(read(&smpl(5, &others)), found);
        let last = Ok(Some(Loop { start: 0, end: FRAMES }));
        assert_eq!(read(&smpl(1, &[[0, 0, FRAMES as u32 - 1, 0]])), last);
        assert_eq!(read(&smpl(0, &[[0, 100, 900, 0]])), Ok(None));
        // The first of two loops is there, and that is enough.
        assert_eq!(read(&smpl(u32::MAX, &[[0, 100, 900, 0]])), found);
    }
    for sound in EMBEDDED {
        assert_eq!(loop_of(sound.wav, u64::MAX), Ok(None), "{}", sound.name);
    }
}

#[test]
fn a_loop_that_does_not_fit_is_ignored_with_a_reason() {
    let read = |smpl: &[u8]| loop_of(&file(smpl, true), FRAMES).unwrap_err();
    let range = |first, last| LoopError::Range { first, last, frames: FRAMES };
    for (first, last) in [(0, FRAMES), (0, u64::from(u32::MAX)), (900, 100), (5, 5), (5, 19)] {
        assert_eq!(read(&smpl(1, &[[0, first as u32, last as u32, 0]])), range(first, last));
    }
    assert_eq!(read(&smpl(2, &[[1, 0, 900, 0], [0, 0, 900, 1]])), LoopError::Kind(2));
    assert_eq!(read(&smpl(2, &[[1, 0, 900, 0]])), LoopError::Truncated);
    assert_eq!(read(&smpl(1, &[])), LoopError::Truncated);
    assert_eq!(read(&smpl(1, &[])[..35]), LoopError::Truncated);
    let text = range(5, 19).to_string();
    assert!(text.contains("5 to 19") && text.contains("1000") && text.contains("16"), "{text}");
}

#[test]
fn a_whole_sound_repeats_unless_it_is_too_short() {
    assert_eq!(whole(MIN_LOOP_FRAMES), Some(Loop { start: 0, end: MIN_LOOP_FRAMES }));
    assert_eq!(whole(MIN_LOOP_FRAMES - 1), None);
}

proptest! {
    #[test]
    fn whatever_the_file_a_loop_is_within_it(
        smpl in prop::collection::vec(any::<u8>(), 0..100),
        cut in 0_usize..1200,
        frames in 0_u64..2000,
    ) {
        let file = file(&smpl, smpl.len() % 2 == 0);
        if let Ok(Some(Loop { start, end })) = loop_of(&file[..cut.min(file.len())], frames) {
            prop_assert!(start < end && end <= frames);
        }
    }
}
