//! Sound in each format there is: a tone for each word where samples are sent as they are, silence of the same length
//! where they would have to be compressed.
//!
//! WAV: <https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html>, MP3: ISO/IEC 13818-3, AAC in ADTS:
//! ISO/IEC 13818-7, FLAC: <https://www.rfc-editor.org/rfc/rfc9639>, Opus in Ogg: <https://www.rfc-editor.org/rfc/rfc7845>.

use bytes::Bytes;

/// Samples in a second, as the real ones have.
const RATE: usize = 24_000;

/// Samples in a word that is spoken as fast as usual.
const WORD: usize = 6_000;

/// A format of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Mp3,
    Opus,
    Aac,
    Flac,
    Wav,
    Pcm,
}

impl Sound {
    pub(super) const ALL: [Self; 6] = [Self::Mp3, Self::Opus, Self::Aac, Self::Flac, Self::Wav, Self::Pcm];

    /// What a request calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Aac => "aac",
            Self::Flac => "flac",
            Self::Wav => "wav",
            Self::Pcm => "pcm",
        }
    }

    /// What it is served as.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Mp3 => "audio/mpeg",
            Self::Opus => "audio/opus",
            Self::Aac => "audio/aac",
            Self::Flac => "audio/flac",
            Self::Wav => "audio/wav",
            Self::Pcm => "audio/pcm",
        }
    }

    /// A header, which may be empty, and each word after it. `speed` is in percent.
    pub(super) fn spoken(self, words: &[String], speed: usize) -> Vec<Bytes> {
        let length = WORD * 100 / speed.max(1);
        let mut frames = Frames::default();
        let body: Vec<Vec<u8>> = words
            .iter()
            .map(|word| match self {
                Self::Wav | Self::Pcm => tone(word, length),
                Self::Mp3 => frames.next(length, 576, |_| silent_mp3()),
                Self::Aac => frames.next(length, 1024, |_| silent_aac()),
                Self::Flac => frames.next(length, FLAC_BLOCK, silent_flac),
                Self::Opus => frames.next(length, RATE / 50, silent_opus),
            })
            .collect();
        let samples = words.len() * length;
        let header = match self {
            Self::Wav => wav(samples),
            Self::Flac => flac(frames.count * FLAC_BLOCK),
            Self::Opus => opus(),
            Self::Mp3 | Self::Aac | Self::Pcm => Vec::new(),
        };
        std::iter::once(header).chain(body).map(Bytes::from).collect()
    }
}

/// Frames of a fixed length that fill words of any.
#[derive(Default)]
struct Frames {
    count: usize,
    /// Samples that are still to be said.
    owed: usize,
}

impl Frames {
    fn next(&mut self, samples: usize, frame: usize, write: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
        self.owed += samples;
        let mut bytes = Vec::new();
        while self.owed >= frame {
            bytes.extend(write(self.count));
            self.count += 1;
            self.owed -= frame;
        }
        bytes
    }
}

/// A square wave, whose pitch depends on the word; 16 bits, little end first.
fn tone(word: &str, samples: usize) -> Vec<u8> {
    let half = 30 + word.bytes().map(usize::from).sum::<usize>() % 50;
    let level = |at: usize| if (at / half).is_multiple_of(2) { 3_000_i16 } else { -3_000 };
    (0..samples).flat_map(|at| level(at).to_le_bytes()).collect()
}

fn wav(samples: usize) -> Vec<u8> {
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let data = samples * 2;
    [
        b"RIFF",
        &size(36 + data)[..],
        b"WAVEfmt ",
        &size(16),
        &1_u16.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &size(RATE),
        &size(RATE * 2),
        &2_u16.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &size(data),
    ]
    .concat()
}

/// A frame of MPEG-2 Layer III at 32 kbit/s, mono: without side information there is nothing to hear.
fn silent_mp3() -> Vec<u8> {
    let mut frame = vec![0xff, 0xf3, 0x44, 0xc4];
    frame.resize(72 * 32_000 / RATE, 0);
    frame
}

/// A frame of AAC-LC, mono: its ADTS header, and one channel element without any band.
fn silent_aac() -> Vec<u8> {
    vec![0xff, 0xf1, 0x58, 0x40, 0x01, 0xbf, 0xfc, 0x00, 0xc8, 0x00, 0x80, 0x23, 0x80]
}

/// Samples in a frame of FLAC.
const FLAC_BLOCK: usize = 576;

fn flac(samples: usize) -> Vec<u8> {
    let block = u16::try_from(FLAC_BLOCK).unwrap_or_default().to_be_bytes();
    // The rate in 20 bits, one channel in 3, 16 bits in 5, the number of samples in 36.
    let about = (24_000_u64 << 44) | (15 << 36) | u64::try_from(samples).unwrap_or_default();
    let mut header = b"fLaC\x80\0\0\x22".to_vec();
    header.extend([&block[..], &block, &[0; 6], &about.to_be_bytes(), &[0; 16]].concat());
    header
}

fn silent_flac(number: usize) -> Vec<u8> {
    // 576 samples, the rate of the header, mono, 16 bits; then the frame's number as UTF-8 writes a character.
    let mut frame = vec![0xff, 0xf8, 0x20, 0x08];
    let number = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or_default();
    frame.extend(number.encode_utf8(&mut [0; 4]).bytes());
    frame.push(u8::try_from(crc(&frame, 8, 0x07)).unwrap_or_default());
    // One constant: zero.
    frame.extend([0, 0, 0]);
    frame.extend(u16::try_from(crc(&frame, 16, 0x8005)).unwrap_or_default().to_be_bytes());
    frame
}

/// A checksum of `width` bits, the highest first, that begins with zero.
fn crc(bytes: &[u8], width: u32, polynomial: u32) -> u32 {
    let top = 1 << (width - 1);
    let mask = u32::MAX >> (32 - width);
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << (width - 8)), |sum, _| {
            (if sum & top == 0 { sum << 1 } else { (sum << 1) ^ polynomial }) & mask
        })
    })
}

/// What precedes the sound in Ogg: two packets, each on a page of its own.
fn opus() -> Vec<u8> {
    let rate = u32::try_from(RATE).unwrap_or_default().to_le_bytes();
    let head = [&b"OpusHead\x01\x01\0\0"[..], &rate, &[0, 0, 0]].concat();
    let tags = [&b"OpusTags"[..], &8_u32.to_le_bytes(), b"weir-sim", &[0; 4]].concat();
    [page(&head, 2, 0, 0), page(&tags, 0, 0, 1)].concat()
}

/// 20 ms, which are 960 samples at the rate that positions are counted in.
fn silent_opus(number: usize) -> Vec<u8> {
    let number = u32::try_from(number).unwrap_or_default();
    page(&[0xf8, 0xff, 0xfe], 0, u64::from(number + 1) * 960, number + 2)
}

/// One packet as a page of Ogg. <https://www.rfc-editor.org/rfc/rfc3533>
fn page(packet: &[u8], flags: u8, position: u64, number: u32) -> Vec<u8> {
    let length = u8::try_from(packet.len()).unwrap_or(u8::MAX);
    let write = |sum: u32| {
        let head = [&b"OggS\0"[..], &[flags], &position.to_le_bytes(), &1_u32.to_le_bytes(), &number.to_le_bytes()];
        [&head.concat()[..], &sum.to_le_bytes(), &[1, length], packet].concat()
    };
    write(crc(&write(0), 32, 0x04c1_1db7))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize) -> Vec<String> {
        vec!["word".to_owned(); count]
    }

    #[test]
    fn more_words_are_more_sound_and_a_higher_speed_is_less() {
        for sound in Sound::ALL {
            let length = |count: usize, speed| sound.spoken(&words(count), speed).concat().len();
            assert!(length(8, 100) > length(4, 100) && length(8, 200) < length(8, 100), "{sound:?}");
            assert_eq!(sound.spoken(&words(8), 100).len(), 9);
        }
    }

    #[test]
    fn a_wav_has_the_length_it_says() {
        let wav = Sound::Wav.spoken(&words(3), 100).concat();
        let size = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((size(4) + 8, size(40) + 44), (wav.len(), wav.len()));
        assert_eq!((size(24), size(40)), (RATE, 3 * WORD * 2));
    }

    #[test]
    fn checksums_are_the_usual_ones() {
        // The check values of CRC-8/SMBUS and CRC-16/UMTS.
        assert_eq!((crc(b"123456789", 8, 0x07), crc(b"123456789", 16, 0x8005)), (0xf4, 0xfee8));
    }
}
