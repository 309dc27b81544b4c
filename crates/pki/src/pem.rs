//! PEM framing (RFC 7468), for certificates and private keys alike.
//!
//! Reading is lax about line lengths and about text between blocks, strict about everything else, and leaves no copy of
//! what it read behind: a block may hold a private key. What the octets mean is decided elsewhere, never by the label.

use der::pem::{Base64Decoder, LineEnding};
use thiserror::Error;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// A decoded block and its label. The octets are wiped when it is dropped.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) contents: Zeroizing<Vec<u8>>,
}

/// Everything that a PEM text holds.
pub(crate) struct Blocks {
    pub(crate) blocks: Vec<Block>,
    /// Whether something other than white space follows the last block.
    pub(crate) trailing_text: bool,
}

/// Why a text is not PEM.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PemError {
    /// It holds octets that are no UTF-8.
    #[error("the text is not UTF-8")]
    NotText,
    /// A block is begun and not ended, or ended under another label.
    #[error("the block {label:?} is not ended")]
    Unterminated {
        /// The label it began with.
        label: String,
    },
    /// There are more blocks than anything of ours has.
    #[error("there are more than {most} blocks")]
    TooMany {
        /// How many may be.
        most: usize,
    },
    /// A block ends that did not begin.
    #[error("a block ends that did not begin")]
    Unopened,
    /// A block has header lines, as keys encrypted the way of RFC 1421 do.
    #[error("the block {label:?} has header lines, such as those of an encrypted key")]
    Headers {
        /// The block's label.
        label: String,
    },
    /// A block is not base64.
    #[error("the block {label:?} is not base64")]
    NotBase64 {
        /// The block's label.
        label: String,
    },
}

/// More certificates than any chain has, with room for what others put beside it.
const BLOCKS_MAX: usize = 64;

/// All blocks of `text`, in order.
pub(crate) fn decode(text: &[u8]) -> Result<Blocks, PemError> {
    let text = str::from_utf8(text).map_err(|_| PemError::NotText)?;
    let mut lines = text.lines().map(str::trim);
    let mut found = Blocks { blocks: Vec::new(), trailing_text: false };
    while let Some(line) = lines.next() {
        if let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) {
            if found.blocks.len() == BLOCKS_MAX {
                return Err(PemError::TooMany { most: BLOCKS_MAX });
            }
            found.blocks.push(decode_block(label, &mut lines)?);
            found.trailing_text = false;
        } else if line.starts_with(END) {
            return Err(PemError::Unopened);
        } else if !line.is_empty() {
            found.trailing_text = true;
        }
    }
    Ok(found)
}

fn decode_block<'a>(label: &str, lines: &mut (impl Iterator<Item = &'a str> + Clone)) -> Result<Block, PemError> {
    // The whole capacity at once, and no more: a buffer that grows leaves copies behind that are not wiped.
    let at_most = lines.clone().take_while(|line| !line.starts_with(DASHES)).map(str::len).sum();
    let mut base64 = Zeroizing::new(Vec::with_capacity(at_most));
    for line in lines {
        if let Some(ending) = line.strip_prefix(END) {
            if ending.strip_suffix(DASHES) != Some(label) {
                break;
            }
            let contents = decode_base64(&base64).ok_or_else(|| PemError::NotBase64 { label: label.to_owned() })?;
            return Ok(Block { label: label.to_owned(), contents });
        }
        if line.contains(':') {
            return Err(PemError::Headers { label: label.to_owned() });
        }
        if line.starts_with(DASHES) {
            break;
        }
        base64.extend(line.bytes().filter(|octet| !octet.is_ascii_whitespace()));
    }
    Err(PemError::Unterminated { label: label.to_owned() })
}

/// The octets that a base64 text with its padding stands for; none when it is not that.
pub(crate) fn decode_base64(base64: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut decoder = Base64Decoder::new(base64).ok()?;
    let mut octets = Zeroizing::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut octets).ok()?;
    Some(octets)
}

/// The octets as one block under `label`, ended by a line feed.
///
/// Only text that does not fit into memory fails, so that none is returned.
pub(crate) fn encode(label: &str, octets: &[u8]) -> Option<String> {
    der::pem::encode_string(label, LineEnding::LF, octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Result<Vec<String>, PemError> {
        decode(text.as_bytes()).map(|found| found.blocks.into_iter().map(|block| block.label).collect())
    }

    #[test]
    fn more_blocks_than_anything_has_are_refused() {
        let block = encode("CERTIFICATE", b"octets").unwrap();
        assert_eq!(labels(&block.repeat(BLOCKS_MAX)).unwrap().len(), BLOCKS_MAX);
        assert_eq!(labels(&block.repeat(BLOCKS_MAX + 1)), Err(PemError::TooMany { most: BLOCKS_MAX }));
    }

    #[test]
    fn blocks_are_found_between_text_and_with_any_line_length() {
        let text =
            "subject=CN = a\n-----BEGIN A-----\nAQID\nBA==\n-----END A-----\r\nmore\n-----BEGIN B-----\r\n  AQ==\r\n-----END B-----\r\n";
        let found = decode(text.as_bytes()).unwrap();
        assert_eq!(*found.blocks[0].contents, [1, 2, 3, 4]);
        assert_eq!(*found.blocks[1].contents, [1]);
        assert!(!found.trailing_text);
        assert!(decode(b"-----BEGIN A-----\nAQ==\n-----END A-----\nx").unwrap().trailing_text);
    }

    #[test]
    fn what_is_encoded_reads_back() {
        let octets: Vec<u8> = (0..=255).collect();
        let text = encode("THING", &octets).unwrap();
        assert!(text.ends_with("-----END THING-----\n"));
        assert_eq!(*decode(text.as_bytes()).unwrap().blocks[0].contents, octets);
    }

    #[test]
    fn broken_framing_is_named() {
        let label = || "A".to_owned();
        for (text, error) in [
            ("-----BEGIN A-----\nAQ==\n", PemError::Unterminated { label: label() }),
            ("-----BEGIN A-----\nAQ==\n-----END B-----\n", PemError::Unterminated { label: label() }),
            ("-----BEGIN A-----\nAQ==\n-----BEGIN A-----\n", PemError::Unterminated { label: label() }),
            ("-----END A-----\n", PemError::Unopened),
            ("-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAQ==\n-----END A-----\n", PemError::Headers { label: label() }),
            ("-----BEGIN A-----\nA*==\n-----END A-----\n", PemError::NotBase64 { label: label() }),
            ("-----BEGIN A-----\nAQ\n-----END A-----\n", PemError::NotBase64 { label: label() }),
        ] {
            assert_eq!(labels(text), Err(error), "{text}");
        }
        assert_eq!(decode(&[0xff]).map(|_| ()), Err(PemError::NotText));
        assert_eq!(labels("no block at all"), Ok(Vec::new()));
    }
}
