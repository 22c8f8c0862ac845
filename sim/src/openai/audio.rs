//! `/v1/audio/…`: speech to text in [`hear`], text to speech in [`speak`].
//!
//! <https://platform.openai.com/docs/api-reference/audio>

mod hear;
mod sound;
mod speak;

pub(crate) use self::{
    hear::{heard, transcriptions, translations},
    speak::speech,
};
