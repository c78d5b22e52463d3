//! `replay-timing FILE...`: replays recordings of `downbeat play --record-timing FILE` through the
//! device clock, and prints its errors.

use std::path::Path;

use downbeat_tests::replay::Trace;

fn main() -> anyhow::Result<()> {
    println!("error us: median     p99     max | apart s | steps | within bound | bound us | file");
    for file in std::env::args().skip(1) {
        let f = Trace::read(Path::new(&file))?.replay();
        println!(
            "{:>16.1} {:>7.1} {:>7.1} | {:>7.2} | {:>5} | {:>10.1} % | {:>8.1} | {file}",
            f.median_micros,
            f.p99_micros,
            f.max_micros,
            f.apart_seconds,
            f.steps,
            f.within_bound * 100.0,
            f.bound_micros
        );
    }
    Ok(())
}
