//! The relay in the test's process, over real sockets. All are one program: linking the relay takes longer
//! than most of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is unexpected fails the test")]

mod access;
mod backlog;
#[path = "../common/mod.rs"]
mod common;
mod conformance;
mod hostile;
mod http;
mod joining;
mod kept;
mod large_bank;
mod limits;
mod machines;
mod outbox_model;
mod receipts;
mod rights;
mod sounds;
mod targets;
mod tls;
mod tutorial_wire;
mod uploads;
mod v1_wire;
mod variables;
