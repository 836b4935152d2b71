//! Input of the targets: four bytes that choose options and cuts, then the bytes of the peer.
//!
//! The tests of the codec include this file too, for the corpus; there, `super::codec` is the crate's.

use super::codec::{DecoderOptions, Dialect, Leniency, RequestMethod};

/// Modes of a decoder, in the order of `MODES` in `fuzz/oracle.js`.
const MODES: [Leniency; 3] = [Leniency::None, Leniency::HeaderValueRelaxed, Leniency::All];
/// Methods of a request, in the order of `METHODS` there.
const METHODS: [RequestMethod; 3] = [
    RequestMethod::Other,
    RequestMethod::Head,
    RequestMethod::Connect,
];

/// Bytes of a peer, and the circumstances of their arrival.
pub struct Input<'a> {
    /// Place of the leniency in `MODES`.
    pub mode: usize,
    /// Place of the method in `METHODS`.
    pub method: usize,
    pub options: DecoderOptions,
    /// End of the first packet.
    pub first_cut: u8,
    /// Bytes of all packets between the first and the last; 0 means 1.
    pub distance: u8,
    pub bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// Returns None if the input is too short to say anything.
    pub fn read(input: &'a [u8]) -> Option<Self> {
        let (&[choice, limit, first_cut, distance], bytes) = input.split_first_chunk::<4>()?;
        let choice = usize::from(choice);
        let mode = choice % MODES.len();
        let options = DecoderOptions {
            lenient: MODES[mode],
            max_header_size: [16_384, 300, 40, 1][usize::from(limit) % 4],
            dialect: [Dialect::default(), Dialect::from_llhttp(9, 3, 1)]
                [usize::from(limit) / 4 % 2],
        };
        Some(Self {
            mode,
            method: choice / MODES.len() % METHODS.len(),
            options,
            first_cut,
            distance,
            bytes,
        })
    }

    pub fn request_method(&self) -> RequestMethod {
        METHODS[self.method]
    }

    /// Returns the ends of all packets but the last: at equal distances, so that the fuzzer finds byte by byte as
    /// easily as two halves.
    pub fn cuts(&self) -> Vec<usize> {
        (usize::from(self.first_cut)..self.bytes.len())
            .step_by(usize::from(self.distance).max(1))
            .collect()
    }
}
