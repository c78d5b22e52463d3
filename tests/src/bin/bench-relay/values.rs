//! The cost of values of variables, which should be that of triggers.

use std::{thread, time::Instant};

use anyhow::Result;
use downbeat_tests::load::{
    cost::processor_nanos,
    crowd::{Crowd, Received},
};

use crate::{REST, receive_by_all};

/// Variables that are set in turn. The relay thins a stream to 50 values a second, and one of so many, set every
/// two milliseconds, is slower than that.
const VARIABLES: usize = 20;

/// Processor time of a delivery, in microseconds: the last client sets `sets` values, one after the other.
///
/// # Errors
/// If not every client receives each value.
pub fn per_delivery(crowd: &mut Crowd, pid: u32, sets: usize) -> Result<f64> {
    let setter = crowd.len() - 1;
    let variables: Vec<_> = (0..VARIABLES)
        .map(|index| format!(r#"{{"name":"v{index}","type":"float","min":0,"max":1,"default":0}}"#))
        .collect();
    let declare = format!(r#"{{"type":"declare","variables":[{}]}}"#, variables.join(","));
    crowd.send(setter, declare.as_bytes())?;
    let mut set = |index: usize| {
        let value = (index + 1) as f64 / (sets + VARIABLES + 1) as f64;
        let variable = index % VARIABLES;
        let set = format!(r#"{{"type":"set","name":"v{variable}","value":{value}}}"#);
        let start = Instant::now();
        crowd.send(setter, set.as_bytes())?;
        receive_by_all(crowd, 1, Received::Value, start)?;
        thread::sleep(REST);
        anyhow::Ok(())
    };
    (0..VARIABLES).try_for_each(&mut set)?;
    let used = processor_nanos(pid)?;
    (VARIABLES..VARIABLES + sets).try_for_each(&mut set)?;
    let used = processor_nanos(pid)? - used;
    Ok(used as f64 / 1e3 / (sets * crowd.len()) as f64)
}
