//! Reads the packets of one stream in an Ogg file (RFC 3533).
//!
//! The library has a reader too. It keeps all comments, and as many streams as a file names, so that a small
//! file can take gigabytes; and it goes on where pages are missing.

/// Flags of a page: it continues a packet; it is the first of its stream; it is the last.
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

/// Size of the head of a page without its table of segments, in bytes.
const HEAD_BYTES: usize = 27;

/// Largest packet that is kept, in bytes. Those of audio have some hundred. Pictures in the comments are larger,
/// and nobody needs them.
const MAX_PACKET_BYTES: usize = 1 << 20;

/// A page.
struct Page<'a> {
    flags: u8,
    /// Its position, in a unit of the codec: how many frames end with its last packet.
    position: u64,
    stream: u32,
    /// The lengths of its segments.
    table: &'a [u8],
    body: &'a [u8],
}

/// A packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Empty if it is too large.
    pub(super) data: Vec<u8>,
    /// How many frames of the stream end with it, if it is the last packet of a page.
    pub(super) position: Option<u64>,
    /// It is the last one of the stream.
    pub(super) is_last: bool,
}

/// The packets of the first stream of a kind.
pub(super) struct Packets<'a> {
    rest: &'a [u8],
    /// What the first packet of the stream begins with.
    magic: &'static [u8],
    stream: Option<u32>,
    /// The page that is being read: where its next segment begins in its table and in its body.
    page: Option<(Page<'a>, usize, usize)>,
    /// The beginning of a packet; whether it is too large.
    partial: Vec<u8>,
    is_partial: bool,
    is_too_large: bool,
    has_ended: bool,
}

impl<'a> Packets<'a> {
    /// The packets of the first stream in `file` whose first packet begins with `magic`.
    pub(super) fn new(file: &'a [u8], magic: &'static [u8]) -> Self {
        Self {
            rest: file,
            magic,
            stream: None,
            page: None,
            partial: Vec::new(),
            is_partial: false,
            is_too_large: false,
            has_ended: false,
        }
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// Why the file is damaged.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, &'static str> {
        loop {
            let Some((page, segment, offset)) = &mut self.page else {
                if self.has_ended || !self.next_page()? {
                    return Ok(None);
                }
                continue;
            };
            let Some(&length) = page.table.get(*segment) else {
                self.has_ended = page.flags & LAST != 0;
                self.page = None;
                continue;
            };
            let data = &page.body[*offset..*offset + usize::from(length)];
            *segment += 1;
            *offset += data.len();
            self.is_partial = true;
            if self.partial.len() + data.len() > MAX_PACKET_BYTES {
                self.is_too_large = true;
                self.partial.clear();
            }
            if !self.is_too_large {
                self.partial.extend_from_slice(data);
            }
            if length == 255 {
                continue;
            }
            // A packet ends with the first segment that is not full.
            let ends_page = page.table[*segment..].iter().all(|length| *length == 255);
            let packet = Packet {
                data: std::mem::take(&mut self.partial),
                position: (ends_page && page.position != u64::MAX).then_some(page.position),
                is_last: ends_page && page.flags & LAST != 0,
            };
            (self.is_partial, self.is_too_large) = (false, false);
            return Ok(Some(packet));
        }
    }

    /// Goes on to the next page of the stream; false at the end of the file.
    fn next_page(&mut self) -> Result<bool, &'static str> {
        loop {
            if self.rest.is_empty() {
                return match self.stream {
                    Some(_) if self.is_partial => Err("it is cut off"),
                    Some(_) => Ok(false),
                    None => Err("it contains no Vorbis: save it as Ogg Vorbis"),
                };
            }
            let page = self.take_page()?;
            if page.flags & FIRST != 0 {
                match self.stream {
                    None if page.body.starts_with(self.magic) => self.stream = Some(page.stream),
                    // Of several streams at a time the first is played.
                    _ => continue,
                }
            }
            if self.stream != Some(page.stream) {
                continue;
            }
            if (page.flags & CONTINUED != 0) != self.is_partial {
                return Err("a page is missing");
            }
            self.page = Some((page, 0, 0));
            return Ok(true);
        }
    }

    fn take_page(&mut self) -> Result<Page<'a>, &'static str> {
        let file = self.rest;
        let head = file.get(..HEAD_BYTES).ok_or("it is cut off")?;
        if !head.starts_with(b"OggS\0") {
            return Err("it is damaged: a page is missing");
        }
        let after = &file[HEAD_BYTES..];
        let table = after.get(..usize::from(head[26])).ok_or("it is cut off")?;
        let length = table.iter().map(|length| usize::from(*length)).sum();
        let body = after[table.len()..].get(..length).ok_or("it is cut off")?;
        let whole = &file[..HEAD_BYTES + table.len() + length];
        if checksum(whole).to_le_bytes() != head[22..26] {
            return Err("it is damaged: the checksum of a page is wrong");
        }
        self.rest = &file[whole.len()..];
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let position = u64::from(number(6)) | u64::from(number(10)) << 32;
        Ok(Page { flags: head[5], position, stream: number(14), table, body })
    }
}

/// The checksum of a page, in which its own field counts as zero.
fn checksum(page: &[u8]) -> u32 {
    let bytes = page.iter().enumerate();
    let bytes = bytes.map(|(at, byte)| if (22..26).contains(&at) { 0 } else { *byte });
    bytes.fold(0, |sum, byte| sum << 8 ^ CHECKSUMS[usize::from((sum >> 24) as u8 ^ byte)])
}

/// The checksum of each byte, with the polynomial 0x04c11db7.
const CHECKSUMS: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A page with these packets, each shorter than 255 bytes.
    pub(in super::super) fn page(
        flags: u8,
        position: u64,
        stream: u32,
        packets: &[&[u8]],
    ) -> Vec<u8> {
        let table: Vec<u8> = packets.iter().map(|packet| packet.len() as u8).collect();
        page_of(flags, position, stream, &table, &packets.concat())
    }

    /// A page with this table of segments.
    pub(in super::super) fn page_of(
        flags: u8,
        position: u64,
        stream: u32,
        table: &[u8],
        body: &[u8],
    ) -> Vec<u8> {
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend(position.to_le_bytes());
        page.extend(stream.to_le_bytes());
        page.extend([0; 8]);
        page.push(table.len() as u8);
        page.extend(table);
        page.extend(body);
        let sum = checksum(&page).to_le_bytes();
        page[22..26].copy_from_slice(&sum);
        page
    }

    fn packets(file: &[u8]) -> Result<Vec<Packet>, &'static str> {
        let mut packets = Packets::new(file, b"A");
        let mut all = Vec::new();
        while let Some(packet) = packets.next()? {
            all.push(packet);
        }
        Ok(all)
    }

    fn packet(data: &[u8], position: Option<u64>, is_last: bool) -> Packet {
        Packet { data: data.to_vec(), position, is_last }
    }

    #[test]
    fn packets_are_those_of_one_stream_and_may_span_pages() {
        let long = vec![7; 300];
        let file = [
            page(FIRST, 0, 9, &[b"fishead"]),
            page(FIRST, 0, 1, &[b"A-ident"]),
            page(0, 0, 9, &[b"other"]),
            page_of(0, u64::MAX, 1, &[3, 255], &[b"set".as_slice(), &long[..255]].concat()),
            page_of(CONTINUED, 40, 1, &[45, 0], &long[255..]),
            page(LAST, 50, 1, &[b"x", b"last"]),
            page(0, 60, 1, &[b"after the end"]),
        ]
        .concat();
        let expected = [
            packet(b"A-ident", Some(0), false),
            packet(b"set", None, false),
            packet(&long, None, false),
            packet(b"", Some(40), false),
            packet(b"x", None, false),
            packet(b"last", Some(50), true),
        ];
        assert_eq!(packets(&file).unwrap(), expected);
    }

    #[test]
    fn damage_is_named() {
        let file = [page(FIRST, 0, 1, &[b"A"]), page_of(0, 0, 1, &[255], &[0; 255])].concat();
        assert_eq!(packets(&file), Err("it is cut off"), "in the middle of a packet");
        for length in [1, 20, 28, 30, 40, 100, 300] {
            assert_eq!(packets(&file[..length]), Err("it is cut off"), "{length}");
        }
        let mut wrong = file.clone();
        wrong[60] ^= 1;
        assert!(packets(&wrong).unwrap_err().contains("checksum"));
        assert!(
            packets(&[&file[..29], b"junk that is no page, and long enough"].concat()).is_err()
        );
        let lost = [page(FIRST, 0, 1, &[b"A"]), page(CONTINUED, 0, 1, &[b"b"])].concat();
        assert_eq!(packets(&lost), Err("a page is missing"));
        let other = page(FIRST, 0, 1, &[b"OpusHead"]);
        assert!(packets(&other).unwrap_err().contains("no Vorbis"));
    }

    #[test]
    fn a_packet_that_is_too_large_is_not_kept() {
        let full = page_of(CONTINUED, u64::MAX, 1, &[255; 255], &vec![0; 255 * 255]);
        let mut file = page_of(FIRST, 0, 1, &[1, 255], &[b"A".as_slice(), &[0; 255]].concat());
        for _ in 0..20 {
            file.extend(&full);
        }
        file.extend(page_of(CONTINUED, 5, 1, &[1, 2], b"xok"));
        let all = packets(&file).unwrap();
        assert_eq!(all[1..], [packet(b"", None, false), packet(b"ok", Some(5), false)]);
    }
}
