//! Paints: a small PNG whose colours follow from the prompt and whose text tells what arrived, so that a test can prove
//! that an upload came unchanged.
//!
//! <https://www.w3.org/TR/png-3/#11iTXt>

use sha2::{Digest, Sha256};

use super::order::Order;
use crate::form::Part;

/// Pixels of an order that become one here.
const SMALLER: u32 = 32;

/// One picture of an order, as the bytes of a PNG.
pub(super) fn picture(order: &Order<'_>, given: &[&Part], number: u32) -> Vec<u8> {
    let (width, height) = (order.size.0 / SMALLER, order.size.1 / SMALLER);
    let about = about(order.prompt, given);
    let hash: [u8; 32] = Sha256::digest(format!("{number} {about}")).into();
    let [red, green, blue, ..] = hash;
    let shade = |at: u32| u8::try_from(at * 4 % 256).unwrap_or_default();
    let pixels: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| [red ^ shade(x), green ^ shade(y), blue])
        .collect();
    // Writing to a Vec does not fail, and the sizes are as they must be.
    written(width, height, &about, &pixels).unwrap_or_default()
}

/// What was asked for, and what arrived with it.
fn about(prompt: &str, given: &[&Part]) -> String {
    let seen = |part: &&Part| {
        let hash = Sha256::digest(&part.body).first_chunk().copied().map_or(0, u32::from_be_bytes);
        let name = part.file.as_deref().unwrap_or_default();
        format!(" I saw {name}: {} bytes, SHA-256 {hash:08x}.", part.body.len())
    };
    std::iter::once(prompt.to_owned()).chain(given.iter().map(seen)).collect()
}

fn written(width: u32, height: u32, about: &str, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.add_itxt_chunk("Description".to_owned(), about.to_owned())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}
