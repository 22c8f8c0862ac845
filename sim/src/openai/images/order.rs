//! What a picture is to be like, and what OpenAI refuses to paint.

use serde_json::{Map, Value};

use crate::{
    answer::{Usage, tokens},
    dialect::Failure,
    form::{Form, Part},
    model::Model,
    openai::check::{given, integer, missing, required, unknown, word},
};

/// Pictures that an edit may begin with.
const MOST_PICTURES: usize = 16;

/// What one of them costs.
const PICTURE_TOKENS: u32 = 323;

/// Models that take the same parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Gpt,
    DallE2,
    DallE3,
}

/// A checked request for pictures.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) family: Family,
    pub(super) prompt: &'a str,
    pub(super) count: u32,
    /// Width and height.
    pub(super) size: (u32, u32),
    quality: &'a str,
    background: &'a str,
    /// Whether the pictures are linked to instead of sent.
    pub(super) linked: bool,
    pub(super) streamed: bool,
    /// How many unfinished pictures a stream shows.
    pub(super) partial: u32,
}

impl<'a> Order<'a> {
    pub(super) fn read(body: &'a Value, model: &Model) -> Result<Self, Failure> {
        // Whatever is not known is taken for one of today's.
        let family = match model.base.as_str() {
            "dall-e-2" => Family::DallE2,
            "dall-e-3" => Family::DallE3,
            _ => Family::Gpt,
        };
        let prompt = prompt(body, family)?;
        let most = if family == Family::DallE3 { 1 } else { 10 };
        let count = integer(body, "n", "n", 1, most)?.unwrap_or(1);
        let streamed = body.get("stream").and_then(Value::as_bool).unwrap_or(false) && family == Family::Gpt;
        let partial = integer(body, "partial_images", "partial_images", 0, 3)?.unwrap_or(0);
        if family == Family::Gpt && given(body, "response_format").is_some() {
            return Err(unknown("response_format"));
        }
        let format = word(body, "response_format", "response_format", &["url", "b64_json"])?;
        word(body, "moderation", "moderation", &["low", "auto"])?;
        word(body, "style", "style", &["vivid", "natural"])?;
        let background = word(body, "background", "background", &["transparent", "opaque", "auto"])?;
        painted(body)?;
        Ok(Self {
            family,
            prompt,
            count,
            size: size(body, family)?,
            quality: quality(body, family)?,
            background: background.filter(|asked| *asked != "auto").unwrap_or("opaque"),
            linked: family != Family::Gpt && format != Some("b64_json"),
            streamed,
            partial,
        })
    }

    /// What an answer repeats.
    pub(super) fn echo(&self) -> String {
        let ((width, height), quality, background) = (self.size, self.quality, self.background);
        format!(r#""background":"{background}","output_format":"png","quality":"{quality}","size":"{width}x{height}""#)
    }

    /// What `painted` pictures cost that begin with `given` ones, as a request that bills tokens tells it.
    pub(super) fn usage(&self, given: usize, painted: u32) -> String {
        let Cost { text, image, output } = self.cost(given, painted);
        let input = text.saturating_add(image);
        let total = input.saturating_add(output);
        format!(
            r#"{{"total_tokens":{total},"input_tokens":{input},"output_tokens":{output},"input_tokens_details":{{"text_tokens":{text},"image_tokens":{image}}}}}"#
        )
    }

    /// The tokens it costs; none where a picture has a price of its own.
    pub(super) fn used(&self, given: usize, painted: u32) -> Usage {
        if self.family != Family::Gpt {
            return Usage::default();
        }
        let Cost { text, image, output } = self.cost(given, painted);
        Usage::of(text.saturating_add(image), output)
    }

    /// <https://platform.openai.com/docs/guides/image-generation#cost-and-latency>
    fn cost(&self, given: usize, painted: u32) -> Cost {
        let by_quality = match self.size {
            (width, height) if width == height => [272, 1056, 4160],
            (width, height) if width < height => [408, 1584, 6240],
            _ => [400, 1568, 6208],
        };
        let [low, medium, high] = by_quality;
        let each = match self.quality {
            "low" => low,
            "high" => high,
            _ => medium,
        };
        let text = tokens(self.prompt);
        let image = u32::try_from(given).unwrap_or(u32::MAX).saturating_mul(PICTURE_TOKENS);
        Cost { text, image, output: each * painted }
    }
}

/// What pictures cost, in tokens.
struct Cost {
    text: u32,
    image: u32,
    output: u32,
}

fn prompt(body: &Value, family: Family) -> Result<&str, Failure> {
    let prompt = required(body, "prompt")?;
    let most = match family {
        Family::Gpt => 32_000,
        Family::DallE3 => 4_000,
        Family::DallE2 => 1_000,
    };
    let length = prompt.chars().count();
    if length <= most {
        return Ok(prompt);
    }
    let message = format!(
        "Invalid 'prompt': string too long. Expected a string with maximum length {most}, but got a string with length {length} instead."
    );
    Err(Failure::invalid(message, Some("prompt"), Some("string_above_max_length")))
}

fn size(body: &Value, family: Family) -> Result<(u32, u32), Failure> {
    let supported: &[&str] = match family {
        Family::Gpt => &["1024x1024", "1024x1536", "1536x1024", "auto"],
        Family::DallE2 => &["256x256", "512x512", "1024x1024"],
        Family::DallE3 => &["1024x1024", "1024x1792", "1792x1024"],
    };
    let asked = word(body, "size", "size", supported)?.and_then(|size| size.split_once('x'));
    let side = |text: &str| text.parse().unwrap_or(1024);
    Ok(asked.map_or((1024, 1024), |(width, height)| (side(width), side(height))))
}

fn quality(body: &Value, family: Family) -> Result<&str, Failure> {
    let supported: &[&str] = match family {
        Family::Gpt => &["low", "medium", "high", "auto"],
        Family::DallE2 => &["standard"],
        Family::DallE3 => &["standard", "hd"],
    };
    Ok(word(body, "quality", "quality", supported)?.filter(|asked| *asked != "auto").unwrap_or("medium"))
}

/// The real ones also write JPEG and WebP; this one says that it does not, rather than call a PNG so.
fn painted(body: &Value) -> Result<(), Failure> {
    word(body, "output_format", "output_format", &["png"]).map(drop)
}

/// The texts of a form, in the types that JSON would have them.
pub(super) fn fields(form: &Form) -> Value {
    let names = [
        "prompt",
        "n",
        "size",
        "quality",
        "background",
        "output_format",
        "response_format",
        "stream",
        "partial_images",
    ];
    let typed = |name: &str, text: &str| match name {
        "n" | "partial_images" => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
        "stream" => Value::Bool(text == "true"),
        _ => text.into(),
    };
    let field = |name: &&str| Some(((*name).to_owned(), typed(name, form.text(name)?)));
    names.iter().filter_map(field).collect::<Map<_, _>>().into()
}

/// The pictures an edit begins with, and last its mask.
pub(super) fn pictures<'a>(form: &'a Form, order: &Order<'_>) -> Result<Vec<&'a Part>, Failure> {
    let mut pictures: Vec<&Part> = form.files("image").collect();
    if pictures.is_empty() {
        return Err(missing("image"));
    }
    let most = if order.family == Family::DallE2 { 1 } else { MOST_PICTURES };
    if pictures.len() > most {
        let message = format!(
            "Invalid 'image': array too long. Expected an array with maximum length {most}, but got an array with length {} instead.",
            pictures.len()
        );
        return Err(Failure::invalid(message, Some("image"), Some("array_above_max_length")));
    }
    pictures.extend(form.file("mask"));
    if let Some(at) = pictures.iter().position(|picture| !is_picture(&picture.body)) {
        let message = format!("Invalid image file or mode for image {}, please check your image file.", at + 1);
        return Err(Failure::invalid(message, Some("image"), Some("invalid_image_file")));
    }
    Ok(pictures)
}

/// Whether a file begins as a PNG, a JPEG or a WebP does.
fn is_picture(file: &[u8]) -> bool {
    file.starts_with(b"\x89PNG\r\n\x1a\n") || file.starts_with(b"\xff\xd8\xff") || file.starts_with(b"RIFF")
}
