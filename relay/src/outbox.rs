//! The one thing that writes to a client's socket.
//!
//! A frame is tried straight on the socket; only what the kernel does not take is queued, and the
//! connection's task writes it when there is room, several frames in one call. So a room that
//! keeps up costs one bare write a client, and no task is woken.
//!
//! The bound: what waits may be [`OUTBOX_BYTES`] and [`OUTBOX_FRAMES`] (one frame of any size
//! fits an empty outbox). A client that exceeds it, or whose queue makes no progress for
//! [`STALLED_AFTER`](crate::config::STALLED_AFTER), is cut off: it would only hear the past.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::{Buf as _, Bytes};
use socket2::SockRef;
use tokio::{net::TcpStream, sync::Notify};

use crate::{
    config::{FRAMES_PER_WRITE, OUTBOX_BYTES, OUTBOX_FRAMES},
    frame::{self, CloseCode},
    seal::Seal,
};

/// Why a client was cut off without a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOff {
    /// More waited for it than the bound allows.
    Overflow,
    /// It read nothing for too long.
    Stalled,
    /// It said nothing for too long, not even an answer to a ping.
    Silent,
    /// Its socket failed.
    Broken,
}

/// How far a connection's outgoing half is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Frames are taken.
    Open,
    /// A close frame is the last one.
    Closing,
    /// Nothing will be written any more.
    Cut(CutOff),
}

/// The way to a client's socket, and what waits to be written to it.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// Told when something begins to wait and when the phase changes.
    changed: Notify,
}

#[derive(Debug)]
struct Queue {
    /// None as long as the socket is not ours, because its handshake is still being answered.
    socket: Option<Arc<TcpStream>>,
    waiting: VecDeque<Bytes>,
    bytes: usize,
    /// The most that `bytes` ever was.
    peak: usize,
    /// When something last began to wait or the socket last took something.
    progress: Instant,
    phase: Phase,
    /// For a client that came over TLS.
    seal: Option<Seal>,
}

impl Outbox {
    /// An outbox in which everything waits until it is opened.
    #[must_use]
    pub fn new() -> Self {
        let queue = Queue {
            socket: None,
            waiting: VecDeque::new(),
            bytes: 0,
            peak: 0,
            progress: Instant::now(),
            phase: Phase::Open,
            seal: None,
        };
        Self { queue: Mutex::new(queue), changed: Notify::new() }
    }

    /// From now on `socket` is written to, with what has waited so far first. Whoever opens it goes
    /// on to read from the socket, and to wait for it; what it holds may be sealed.
    pub fn open(&self, socket: Arc<TcpStream>, seal: Option<Seal>) {
        let mut queue = self.queue();
        queue.socket = Some(socket);
        if matches!(queue.phase, Phase::Cut(_)) {
            queue.forget_unsent();
        }
        if let Some(mut seal) = seal {
            // Should the session have something left to say, it comes before all else.
            let own = seal.own_words();
            queue.seal = Some(seal);
            let plain = std::mem::take(&mut queue.waiting);
            queue.bytes = 0;
            self.put_raw(&mut queue, &own);
            for frame in &plain {
                self.put(&mut queue, frame);
            }
        }
        drop(queue);
        self.flush();
    }

    /// Reads what a client sent that came over TLS, and tells when that arrived. Never waits.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing yet; else why there will be nothing more.
    pub fn read_sealed(&self, buffer: &mut [u8]) -> io::Result<(usize, Instant)> {
        let mut queue = self.queue();
        let Queue { socket: Some(socket), seal: Some(seal), .. } = &mut *queue else {
            return Ok((0, Instant::now()));
        };
        // What was read before, and waits in the seal, arrived when that did.
        let mut raw = Raw { socket, arrived: seal.arrived };
        let read = seal.open(&mut raw, buffer);
        let arrived = raw.arrived;
        seal.arrived = arrived;
        let own = seal.own_words();
        self.put_raw(&mut queue, &own);
        read.map(|count| (count, arrived))
    }

    /// Tells a client that came over TLS that nothing more will be written. Without TLS the end of
    /// the socket says it.
    pub fn say_end(&self) {
        let mut queue = self.queue();
        if let Some(seal) = &mut queue.seal {
            let last = seal.end();
            self.put_raw(&mut queue, &last);
        }
    }

    /// Writes `frame`, or queues what the socket does not take. Never waits.
    pub fn send(&self, frame: &Bytes) {
        let mut queue = self.queue();
        if queue.phase == Phase::Open {
            self.put(&mut queue, frame);
        }
    }

    /// Sends a close frame and takes nothing more.
    pub fn close(&self, code: CloseCode, reason: &'static str) {
        self.end_with(&frame::close(code, reason));
    }

    /// The same with a close frame as it is: the answer to the client's own.
    pub fn end_with(&self, goodbye: &Bytes) {
        let mut queue = self.queue();
        if queue.phase == Phase::Open {
            queue.phase = Phase::Closing;
            self.put(&mut queue, goodbye);
            self.changed.notify_one();
        }
    }

    /// Drops what waits, here and in the kernel, and takes nothing more.
    pub fn cut_off(&self, why: CutOff) {
        self.cut(&mut self.queue(), why);
    }

    /// Cuts the client off if what waits for it has made no progress for `patience` at `now`.
    pub fn cut_off_if_stalled(&self, now: Instant, patience: Duration) {
        let mut queue = self.queue();
        if !queue.waiting.is_empty() && now.saturating_duration_since(queue.progress) > patience {
            self.cut(&mut queue, CutOff::Stalled);
        }
    }

    /// The most bytes that ever waited.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.queue().peak
    }

    /// Writes what waits, as far as the socket takes it. Never waits itself.
    pub fn flush(&self) {
        let mut queue = self.queue();
        while !queue.waiting.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let count = queue.waiting.len().min(FRAMES_PER_WRITE);
            for (slice, frame) in slices.iter_mut().zip(&queue.waiting) {
                *slice = IoSlice::new(frame);
            }
            match queue.write(&slices[..count]) {
                Ok(written) => queue.took(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.cut(&mut queue, CutOff::Broken),
            }
        }
        // A queue that was needed once may never be again, and a year is long.
        queue.waiting.shrink_to(0);
    }

    /// Whether something waits to be written.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.queue().waiting.is_empty()
    }

    /// How far the outgoing half is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.queue().phase
    }

    /// Completes when something began to wait, or the phase changed, since it last completed.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn put(&self, queue: &mut Queue, frame: &Bytes) {
        match &mut queue.seal {
            None => self.put_raw(queue, frame),
            Some(seal) => match seal.seal(frame) {
                Ok(records) => self.put_raw(queue, &records),
                Err(_) => self.cut(queue, CutOff::Broken),
            },
        }
    }

    /// Writes bytes as the socket takes them.
    fn put_raw(&self, queue: &mut Queue, frame: &Bytes) {
        if frame.is_empty() || matches!(queue.phase, Phase::Cut(_)) {
            return;
        }
        let mut written = 0;
        if queue.waiting.is_empty() {
            match queue.write(&[IoSlice::new(frame)]) {
                Ok(all) if all == frame.len() => return,
                Ok(part) => written = part,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return self.cut(queue, CutOff::Broken),
            }
            queue.progress = Instant::now();
            self.changed.notify_one();
        } else if queue.waiting.len() >= OUTBOX_FRAMES || queue.bytes + frame.len() > OUTBOX_BYTES {
            return self.cut(queue, CutOff::Overflow);
        }
        queue.bytes += frame.len() - written;
        queue.peak = queue.peak.max(queue.bytes);
        queue.waiting.push_back(frame.slice(written..));
    }

    fn cut(&self, queue: &mut Queue, why: CutOff) {
        if !matches!(queue.phase, Phase::Cut(_)) {
            queue.phase = Phase::Cut(why);
            queue.waiting = VecDeque::new();
            queue.bytes = 0;
            queue.forget_unsent();
            self.changed.notify_one();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while holding it; were it otherwise, the queue is still a queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

/// The socket as the seal reads it.
struct Raw<'a> {
    socket: &'a TcpStream,
    /// When what was last read had arrived.
    arrived: Instant,
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, arrived) = downbeat_arrival::try_read(self.socket, buffer)?;
        self.arrived = arrived;
        Ok(count)
    }
}

impl Queue {
    /// Tries the socket. One that is not there yet takes nothing.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = self.socket.as_ref().ok_or(ErrorKind::WouldBlock)?;
        match slices {
            // A call of its own, because it is the usual one and cheaper.
            [frame] => socket.try_write(frame),
            frames => socket.try_write_vectored(frames),
        }
    }

    /// Has the end of the socket drop what the kernel still holds for it. It would keep that for
    /// minutes, for one who has not read for long.
    fn forget_unsent(&self) {
        if let Some(socket) = &self.socket {
            // If it fails, the kernel keeps it for as long as it tries to send it.
            let _ = SockRef::from(&**socket).set_linger(Some(Duration::ZERO));
        }
    }

    fn took(&mut self, mut written: usize) {
        self.bytes -= written;
        self.progress = Instant::now();
        while let Some(front) = self.waiting.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
        net::TcpListener,
        time::timeout,
    };
    use tokio_rustls::{
        TlsAcceptor, TlsConnector, client::TlsStream as TlsClient, server::TlsStream as TlsServer,
    };

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    async fn sockets() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (here, _) = listener.accept().await.unwrap();
        here.writable().await.unwrap();
        (Arc::new(here), there)
    }

    async fn pair() -> (Outbox, TcpStream) {
        let (here, there) = sockets().await;
        let outbox = Outbox::new();
        outbox.open(here, None);
        (outbox, there)
    }

    fn numbered(n: u32) -> Bytes {
        let mut bytes = vec![b'.'; 10_000];
        bytes[..8].copy_from_slice(format!("{n:08}").as_bytes());
        Bytes::from(bytes)
    }

    #[tokio::test]
    async fn a_frame_is_written_at_once_where_the_socket_takes_it() {
        let (outbox, mut there) = pair().await;
        outbox.send(&Bytes::from_static(b"now"));
        assert!(!outbox.is_waiting());
        let mut read = [0; 3];
        timeout(DEADLINE, there.read_exact(&mut read)).await.unwrap().unwrap();
        assert_eq!(&read, b"now");
    }

    #[tokio::test]
    async fn what_waits_goes_out_whole_and_in_order() {
        let (here, mut there) = sockets().await;
        let outbox = Outbox::new();
        outbox.open(here.clone(), None);
        let mut sent = 0;
        while !outbox.is_waiting() {
            outbox.send(&numbered(sent));
            sent += 1;
        }
        for _ in 0..70 {
            outbox.send(&numbered(sent));
            sent += 1;
        }
        let flush = async {
            while outbox.is_waiting() {
                here.ready(Interest::WRITABLE).await.unwrap();
                outbox.flush();
            }
        };
        let read = async {
            for n in 0..sent {
                let mut frame = vec![0; 10_000];
                there.read_exact(&mut frame).await.unwrap();
                assert_eq!(frame, numbered(n), "frame {n}");
            }
        };
        timeout(DEADLINE, async { tokio::join!(flush, read) }).await.unwrap();
        assert_eq!(outbox.phase(), Phase::Open);
        assert_eq!(outbox.queue().bytes, 0);
    }

    #[tokio::test]
    async fn what_is_sent_before_it_is_opened_goes_out_first() {
        let (here, mut there) = sockets().await;
        let outbox = Outbox::new();
        outbox.send(&Bytes::from_static(b"one "));
        outbox.send(&Bytes::from_static(b"two "));
        assert!(outbox.is_waiting());
        outbox.open(here, None);
        assert!(!outbox.is_waiting());
        outbox.close(CloseCode::GoingAway, "bye");
        drop(outbox);
        let mut read = Vec::new();
        timeout(DEADLINE, there.read_to_end(&mut read)).await.unwrap().unwrap();
        assert_eq!(read, b"one two \x88\x05\x03\xe9bye");
    }

    #[tokio::test]
    async fn a_client_that_never_reads_overflows_and_holds_nothing() {
        let (outbox, _there) = pair().await;
        let frame = numbered(0);
        // The kernel takes some megabytes before anything waits.
        for _ in 0..100_000 {
            outbox.send(&frame);
            assert!(outbox.queue().bytes <= OUTBOX_BYTES);
            if outbox.phase() != Phase::Open {
                break;
            }
        }
        assert_eq!(outbox.phase(), Phase::Cut(CutOff::Overflow));
        assert!(!outbox.is_waiting());
        timeout(DEADLINE, outbox.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn only_a_queue_without_progress_is_stalled() {
        let (outbox, _there) = pair().await;
        let later = Instant::now() + Duration::from_mins(1);
        outbox.cut_off_if_stalled(later, Duration::from_secs(5));
        assert_eq!(outbox.phase(), Phase::Open, "nothing waits");
        while !outbox.is_waiting() {
            outbox.send(&numbered(0));
        }
        outbox.cut_off_if_stalled(Instant::now(), Duration::from_secs(5));
        assert_eq!(outbox.phase(), Phase::Open, "it has just begun to wait");
        outbox.cut_off_if_stalled(later, Duration::from_secs(5));
        assert_eq!(outbox.phase(), Phase::Cut(CutOff::Stalled));
    }

    /// Both ends of a socket over TLS, after its handshake.
    async fn sealed_pair() -> (TlsClient<TcpStream>, TlsServer<TcpStream>) {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = cert.self_signed(&key).unwrap().der().clone();
        let provider = || Arc::new(ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.clone()], key.serialize_der().try_into().unwrap())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert).unwrap();
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (here, _) = listener.accept().await.unwrap();
        let name = "localhost".try_into().unwrap();
        let (there, here) = tokio::join!(
            TlsConnector::from(Arc::new(client)).connect(name, there),
            TlsAcceptor::from(Arc::new(server)).accept(here),
        );
        (there.unwrap(), here.unwrap())
    }

    #[tokio::test]
    async fn what_waits_in_the_seal_arrived_when_its_record_did() {
        const BUSY: Duration = Duration::from_millis(50);
        let (mut there, here) = sealed_pair().await;
        let (here, session) = here.into_inner();
        let (here, outbox) = (Arc::new(here), Outbox::new());
        outbox.open(here.clone(), Some(Seal::new(session)));
        there.write_all(b"bang probe").await.unwrap();
        there.flush().await.unwrap();

        let mut buffer = [0; 5];
        let first = loop {
            here.readable().await.unwrap();
            match outbox.read_sealed(&mut buffer) {
                Ok((count, arrived)) => break (count, arrived),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        };
        assert_eq!((first.0, &buffer), (5, b"bang "));
        // What the first of them asks for takes a while.
        std::thread::sleep(BUSY);
        let second = outbox.read_sealed(&mut buffer).unwrap();
        assert_eq!((second, &buffer), (first, b"probe"));
    }

    #[tokio::test]
    async fn a_cut_leaves_nothing_in_the_kernel() {
        // Cut off before its socket is there, or with it.
        for is_early in [true, false] {
            let (here, mut there) = sockets().await;
            let outbox = Outbox::new();
            if is_early {
                // Something that the kernel holds, from before.
                while here.try_write(&numbered(0)).is_ok() {}
                outbox.cut_off(CutOff::Silent);
            }
            outbox.open(here, None);
            while !is_early && !outbox.is_waiting() {
                outbox.send(&numbered(0));
            }
            outbox.cut_off(CutOff::Stalled);
            drop(outbox);
            let read = timeout(DEADLINE, there.read_to_end(&mut Vec::new())).await.unwrap();
            assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset, "early: {is_early}");
        }
    }

    #[tokio::test]
    async fn nothing_follows_a_close_frame() {
        let (outbox, mut there) = pair().await;
        outbox.close(CloseCode::GoingAway, "bye");
        outbox.send(&Bytes::from_static(b"more"));
        drop(outbox);
        let mut read = Vec::new();
        timeout(DEADLINE, there.read_to_end(&mut read)).await.unwrap().unwrap();
        assert_eq!(read, b"\x88\x05\x03\xe9bye");
    }
}
