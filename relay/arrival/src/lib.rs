//! When the bytes of a socket arrived at this machine, rather than when a program got to read them.
//!
//! Between the two lies a wake-up: some tens of microseconds on an idle machine, milliseconds on a
//! busy one, and not the same on both ends of a connection. A clock that is told by such instants is
//! wrong by half the difference. The kernel of Linux notes when it received a packet, and says so to
//! who asks (`SO_TIMESTAMPNS`); elsewhere the instant just before the read has to do.
//!
//! It neither waits nor buffers.

#[cfg(unix)]
use std::os::fd::AsFd as Socket;
#[cfg(windows)]
use std::os::windows::io::AsSocket as Socket;
use std::{
    io::{self, Read},
    time::Instant,
};

use tokio::net::TcpStream;

/// Asks the kernel to note when bytes arrive on `socket`. One that does not is no failure: what
/// [`try_read`] and [`read`] say is then as good as it can be. The first socket on a machine to ask
/// may have to wait some milliseconds for it.
pub fn note_arrivals(socket: &impl Socket) {
    #[cfg(target_os = "linux")]
    linux::note_arrivals(socket);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Reads what there is, as [`TcpStream::try_read`] does, and tells when the last of it arrived.
///
/// # Errors
/// As `try_read`: `WouldBlock` if there is nothing.
pub fn try_read(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Instant)> {
    #[cfg(target_os = "linux")]
    {
        socket.try_io(tokio::io::Interest::READABLE, || linux::read(socket, buffer))
    }
    #[cfg(not(target_os = "linux"))]
    {
        // Taken before the read: what it yields was there by then.
        let now = Instant::now();
        socket.try_read(buffer).map(|count| (count, now))
    }
}

/// The same for a socket of any kind, of which what it does when there is nothing is its own affair.
///
/// # Errors
/// Those of the read.
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

    /// Room for what the kernel says beside the bytes: a header of 16 bytes, a time of 16, and as
    /// much again.
    const BESIDE_BYTES: usize = 64;

    /// Bytes that have waited for longer than this have not: the clock on the wall was set.
    const MOST_WAIT: Duration = Duration::from_secs(10);

    pub(super) fn note_arrivals(socket: &impl AsFd) {
        // As documented: without it, the time of the read has to do.
        let _ = setsockopt(&socket.as_fd(), ReceiveTimestampns, &true);
    }

    pub(super) fn read(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Instant)> {
        let before = Instant::now();
        let mut beside = [0; BESIDE_BYTES];
        let mut slices = [IoSliceMut::new(buffer)];
        let socket = socket.as_fd().as_raw_fd();
        let message = recvmsg::<()>(socket, &mut slices, Some(&mut beside), MsgFlags::empty())?;
        // The bytes have been read by now, whatever is the matter with the time.
        let noted = message.cmsgs().ok().and_then(|mut beside| {
            beside.find_map(|said| match said {
                ControlMessageOwned::ScmTimestampns(time) => Some(time),
                _ => None,
            })
        });
        let arrived = noted.and_then(arrived_at).unwrap_or(before);
        Ok((message.bytes, arrived))
    }

    /// The same instant on the clock that never jumps. Nothing if the clock on the wall has jumped
    /// since.
    fn arrived_at(noted: TimeSpec) -> Option<Instant> {
        // In this order, so that whatever comes between makes it later, as a late read does.
        let wall = SystemTime::now();
        let now = Instant::now();
        let waited = wall.duration_since(SystemTime::UNIX_EPOCH + Duration::from(noted)).ok()?;
        now.checked_sub(waited).filter(|_| waited < MOST_WAIT)
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

    /// How late four bytes are said to have come, of which the program hears only after `busy`.
    async fn late_by(here: &TcpStream, there: &mut TcpStream, busy: Duration) -> Duration {
        let before = Instant::now();
        there.write_all(b"bang").await.unwrap();
        let after = Instant::now();
        here.readable().await.unwrap();
        std::thread::sleep(busy);
        let mut buffer = [0; 16];
        let (count, arrived) = try_read(here, &mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"bang");
        assert!(arrived >= before, "it came before it was sent");
        arrived.saturating_duration_since(after)
    }

    #[tokio::test]
    async fn bytes_arrive_when_they_come_and_not_when_they_are_read() {
        const BUSY: Duration = Duration::from_millis(50);
        let (here, mut there) = sockets().await;
        note_arrivals(&here);
        let mut late = late_by(&here, &mut there, BUSY).await;
        // As documented, the first to ask may have to wait.
        let deadline = Instant::now() + Duration::from_secs(10);
        while cfg!(target_os = "linux") && late >= BUSY / 2 {
            assert!(Instant::now() < deadline, "it still comes {late:?} after it was sent");
            late = late_by(&here, &mut there, BUSY).await;
        }
    }

    #[tokio::test]
    async fn without_bytes_it_would_block_and_at_the_end_it_says_so() {
        let (here, there) = sockets().await;
        note_arrivals(&here);
        let mut buffer = [0; 16];
        let error = try_read(&here, &mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(there);
        here.readable().await.unwrap();
        assert_eq!(try_read(&here, &mut buffer).unwrap().0, 0);
    }
}
