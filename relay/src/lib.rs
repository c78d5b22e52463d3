//! The relay of Downbeat: it numbers triggers, stamps them with the instant at which they sound,
//! and says them to every machine in the room; it also serves the page and the sounds.
//!
//! It makes no sound and decodes none. What is inside, from the socket inwards:
//!
//! - [`server`] accepts and ends; [`reception`] is where each connection begins, [`overheard`] while
//!   it speaks HTTP; [`http`] answers requests and hands each WebSocket ([`upgrade`]) to
//!   [`connection`], which serves one client through its [`reader`]; [`conversation`] and [`seed`] are
//!   what the two wires mean by what they say.
//! - [`tls`] is the way in for those who encrypt, with a [`certificate`]; a [`seal`] is what stays
//!   of it beside a socket.
//! - [`access`] says who may; [`doors`] bounds how many are inside, [`rate`] how much one says.
//! - [`relay`] is what all connections share; [`room`] (numbers, what is sounding, who is here) and
//!   [`lead`] are its pure core, told what time it is.
//! - [`fan_out`] says things to everybody, each through its [`outbox`]; [`writers`] are its threads,
//!   [`due`] is what is to be said at an instant to come.
//! - [`supervise`] tells when a part of all this has panicked.
//! - [`health`] and [`metrics`] say how it does, to people and to monitors.
//! - [`sounds`] is the bank, [`folder`] loads it anew when its files change, [`page`] the page,
//!   [`config`] every default with its unit and reason.

pub mod access;
pub mod certificate;
pub mod clients;
pub mod clock;
pub mod config;
pub mod connection;
pub mod conversation;
pub mod doors;
pub mod due;
pub mod fan_out;
pub mod folder;
pub mod frame;
pub mod health;
pub mod http;
pub mod lead;
pub mod metrics;
pub mod outbox;
pub mod overheard;
pub mod page;
pub mod ranges;
pub mod rate;
pub mod reader;
pub mod reception;
pub mod relay;
pub mod room;
pub mod seal;
pub mod seed;
pub mod server;
pub mod sounds;
pub mod supervise;
pub mod tls;
pub mod upgrade;
pub mod writers;

/// The relay's name and version, as clients and logs are told.
pub const VERSION: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
