//! The programs as users start them: real sound servers, windows and browsers. All are one test program: while
//! one test waits, another runs.

mod behind_a_proxy;
mod claimed_bound;
mod commands;
mod crowded;
mod faults;
mod instrument;
mod joining;
mod lab;
mod page;
mod page_access;
mod page_sounds;
mod page_sync;
mod partition;
mod pipewire;
mod python_example;
#[cfg(target_os = "linux")]
mod real_time;
mod rig;
mod room;
mod secure;
mod targets;
mod tutorial_wire;
mod variables;
mod window;
