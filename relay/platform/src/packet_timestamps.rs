//! Kernel timestamps of received bytes: when they arrived at this machine, rather than when the program
//! read them.
//!
//! The difference is a wake-up: tens of microseconds on an idle machine, milliseconds on a busy one, and
//! not the same on both ends of a connection. A clock estimate that includes it is wrong by half the
//! difference. Linux records the arrival of each packet and returns it with the data
//! (`SO_TIMESTAMPNS`). Elsewhere the instant just before the read is the best there is.
//!
//! This module neither waits nor buffers.
#[cfg(unix)]
use std::os::fd::AsFd as Socket;
#[cfg(windows)]
use std::os::windows::io::AsSocket as Socket;
use std::{
    io::{self, Read},
    time::Instant,
};

use tokio::net::TcpStream;

/// Asks the kernel to timestamp what arrives on `socket`. If it refuses, [`try_read`] and [`read`] return
/// the time of the read instead. The first socket on a machine to ask may receive its first timestamps
/// only after some milliseconds.
pub fn enable(socket: &impl Socket) {
    #[cfg(target_os = "linux")]
    linux::enable(socket);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Reads what is available, as [`TcpStream::try_read`] does, and returns when the last byte arrived.
///
/// # Errors
/// Those of `TcpStream::try_read`: `WouldBlock` if nothing is available.
pub fn try_read(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Instant)> {
    #[cfg(target_os = "linux")]
    {
        socket.try_io(tokio::io::Interest::READABLE, || linux::read(socket, buffer))
    }
    #[cfg(not(target_os = "linux"))]
    {
        // Taken before the read: the bytes had arrived by then.
        let now = Instant::now();
        socket.try_read(buffer).map(|count| (count, now))
    }
}

/// The same for any kind of socket. Blocking behaviour is the socket's.
///
/// # Errors
/// Those of the socket's `read`.
pub fn read<S: Socket>(socket: &S, buffer: &mut [u8]) -> io::Result<(usize, Instant)>
where
    for<'a> &'a S: Read,
{
    #[cfg(target_os = "linux")]
    {
        linux::read(socket, buffer)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let now = Instant::now();
        let mut socket = socket;
        socket.read(buffer).map(|count| (count, now))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io::{self, IoSliceMut},
        os::fd::{AsFd, AsRawFd as _},
        time::{Duration, Instant, SystemTime},
    };

    use nix::sys::{
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns},
        time::TimeSpec,
    };

    /// Space for control messages: a header of 16 bytes and a timestamp of 16, twice.
    const CONTROL_BYTES: usize = 64;

    /// A longer wait in the socket's buffer is not believed: the system clock was set meanwhile.
    const MAX_WAIT: Duration = Duration::from_secs(10);

    pub(super) fn enable(socket: &impl AsFd) {
        // Ignored as documented: the time of the read is used instead.
        let _ = setsockopt(&socket.as_fd(), ReceiveTimestampns, &true);
    }

    pub(super) fn read(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Instant)> {
        let before = Instant::now();
        let mut control = [0; CONTROL_BYTES];
        let mut slices = [IoSliceMut::new(buffer)];
        let socket = socket.as_fd().as_raw_fd();
        let message = recvmsg::<()>(socket, &mut slices, Some(&mut control), MsgFlags::empty())?;
        // The bytes are consumed by now, so a missing timestamp must not become an error.
        let timestamp = message.cmsgs().ok().and_then(|mut messages| {
            messages.find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(time) => Some(time),
                _ => None,
            })
        });
        let arrived = timestamp.and_then(to_monotonic).unwrap_or(before);
        Ok((message.bytes, arrived))
    }

    /// Converts a timestamp of the system clock to the monotonic clock. `None` if the system clock was
    /// set since.
    fn to_monotonic(timestamp: TimeSpec) -> Option<Instant> {
        // In this order, so that a preemption between the two errs to a later arrival, as a late read
        // does.
        let wall = SystemTime::now();
        let now = Instant::now();
        let waited =
            wall.duration_since(SystemTime::UNIX_EPOCH + Duration::from(timestamp)).ok()?;
        now.checked_sub(waited).filter(|_| waited < MAX_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::*;

    async fn sockets() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (here, _) = listener.accept().await.unwrap();
        (here, there)
    }

    /// How much later than sent four bytes are timestamped, if the program reads them only after `busy`.
    async fn late_by(here: &TcpStream, there: &mut TcpStream, busy: Duration) -> Duration {
        let before = Instant::now();
        there.write_all(b"bang").await.unwrap();
        let after = Instant::now();
        here.readable().await.unwrap();
        std::thread::sleep(busy);
        let mut buffer = [0; 16];
        let (count, arrived) = try_read(here, &mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"bang");
        assert!(arrived >= before, "timestamped before it was sent");
        arrived.saturating_duration_since(after)
    }

    #[tokio::test]
    async fn bytes_are_timestamped_on_arrival_not_on_reading() {
        const BUSY: Duration = Duration::from_millis(50);
        let (here, mut there) = sockets().await;
        enable(&here);
        let mut late = late_by(&here, &mut there, BUSY).await;
        // As documented, the first socket to ask may have to wait.
        let deadline = Instant::now() + Duration::from_secs(10);
        while cfg!(target_os = "linux") && late >= BUSY / 2 {
            assert!(Instant::now() < deadline, "still timestamped {late:?} after it was sent");
            late = late_by(&here, &mut there, BUSY).await;
        }
    }

    #[tokio::test]
    async fn an_empty_socket_would_block_and_a_closed_one_reads_zero() {
        let (here, there) = sockets().await;
        enable(&here);
        let mut buffer = [0; 16];
        let error = try_read(&here, &mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(there);
        here.readable().await.unwrap();
        assert_eq!(try_read(&here, &mut buffer).unwrap().0, 0);
    }
}
