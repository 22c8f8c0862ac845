//! Rates, and what a count of tokens costs at them.

use serde::{Deserialize, Serialize};
use weir_hub::usage::Usage;

use super::Billed;
use crate::money::Picodollars;

/// What each kind of thing costs, in pico-dollars: tokens by the million, the rest by the piece or the second.
///
/// A rate that is absent is that of the kind around it: reading from a cache, writing to one for 5 minutes, and audio
/// cost what input costs, writing for an hour costs what writing for 5 minutes does, reasoning and audio cost what
/// output costs. Anything else that is absent costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// A million input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Picodollars>,
    /// A million output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Picodollars>,
    /// A million input tokens that were read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_read: Option<Picodollars>,
    /// A million input tokens that were written to a cache, for 5 minutes where the provider tells that apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Picodollars>,
    /// A million input tokens that were written to a cache for an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Picodollars>,
    /// A million output tokens of reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Picodollars>,
    /// A million input tokens of audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<Picodollars>,
    /// A million output tokens of audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<Picodollars>,
    /// An image that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Picodollars>,
    /// A request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Picodollars>,
    /// A second of audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_second: Option<Picodollars>,
    /// A second of inference on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<Picodollars>,
}

/// The millionths of a pico-dollar in one. Sums have these, so that only the end result is rounded.
const MILLION: u64 = 1_000_000;
/// The same for rates by the second and counts in milliseconds.
const PER_MILLI: u64 = 1_000;

impl Rates {
    /// Whether nothing has a rate.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every rate, by its name in the configuration. The first eight are by the million.
    pub fn named(&self) -> [(&'static str, Option<Picodollars>); 12] {
        let Self {
            input, output, cached_read, cache_write, cache_write_1h, reasoning, audio_input, audio_output, ..
        } = *self;
        [
            ("input", input),
            ("output", output),
            ("cached_read", cached_read),
            ("cache_write", cache_write),
            ("cache_write_1h", cache_write_1h),
            ("reasoning", reasoning),
            ("audio_input", audio_input),
            ("audio_output", audio_output),
            ("image", self.image),
            ("request", self.request),
            ("audio_second", self.audio_second),
            ("second", self.second),
        ]
    }

    /// Every rate, in the order of [`named`](Self::named).
    pub(crate) fn each(&mut self) -> [&mut Option<Picodollars>; 12] {
        [
            &mut self.input,
            &mut self.output,
            &mut self.cached_read,
            &mut self.cache_write,
            &mut self.cache_write_1h,
            &mut self.reasoning,
            &mut self.audio_input,
            &mut self.audio_output,
            &mut self.image,
            &mut self.request,
            &mut self.audio_second,
            &mut self.second,
        ]
    }

    /// Takes the rates that `other` has.
    pub(super) fn replace(&mut self, other: &Self) {
        for (own, (_, new)) in self.each().into_iter().zip(other.named()) {
            *own = new.or(*own);
        }
    }

    /// Takes the rates that `other` has where they are higher. `self` must be [filled](Self::filled).
    pub(super) fn raise(&mut self, other: &Self) {
        for (own, (_, new)) in self.each().into_iter().zip(other.named()) {
            *own = (*own).max(new);
        }
    }

    /// The same rates, with those of tokens filled in that are absent.
    pub(super) fn filled(&self) -> Self {
        let input = self.input.or(Some(Picodollars::ZERO));
        let output = self.output.or(Some(Picodollars::ZERO));
        let cache_write = self.cache_write.or(input);
        Self {
            input,
            output,
            cached_read: self.cached_read.or(input),
            cache_write,
            cache_write_1h: self.cache_write_1h.or(cache_write),
            reasoning: self.reasoning.or(output),
            audio_input: self.audio_input.or(input),
            audio_output: self.audio_output.or(output),
            ..*self
        }
    }

    /// The cost of `usage` and `billed`; `None` if the audio has a rate and its length is not known.
    ///
    /// No token counts twice: of the input, those that were cached or are audio, and of the output, those of reasoning
    /// or audio, have their own rates, and the rest the main one.
    pub(super) fn cost(&self, usage: &Usage, billed: &Billed) -> Option<Picodollars> {
        if self.audio_second.is_some_and(|rate| rate > Picodollars::ZERO) && billed.audio_ms.is_none() {
            return None;
        }
        let rates = self.filled();
        let Usage {
            input, output, cached_read, cache_write, cache_write_1h, reasoning, audio_input, audio_output, ..
        } = *usage;
        let for_an_hour = cache_write_1h.min(cache_write);
        let plain = input.saturating_sub(cached_read).saturating_sub(cache_write).saturating_sub(audio_input);
        let text = output.saturating_sub(reasoning).saturating_sub(audio_output);
        let tokens = [
            (rates.input, plain),
            (rates.cached_read, cached_read),
            (rates.cache_write, cache_write - for_an_hour),
            (rates.cache_write_1h, for_an_hour),
            (rates.audio_input, audio_input),
            (rates.output, text),
            (rates.reasoning, reasoning),
            (rates.audio_output, audio_output),
        ];
        Some(rounded_up(sum(tokens) + rates.besides(billed)))
    }

    /// The most that `ahead` and `billed` cost, if these are the dearest rates; see [`Price::most`](super::Price::most).
    pub(super) fn most(&self, ahead: &Usage, billed: &Billed) -> Picodollars {
        let text_input = self.input.max(self.cached_read).max(self.cache_write);
        let text_output = self.output.max(self.reasoning);
        let tokens = [
            (text_input, ahead.input),
            (Some(over(self.cache_write_1h, text_input)), ahead.cache_write_1h),
            (Some(over(self.audio_input, text_input)), ahead.audio_input),
            (text_output, ahead.output),
            (Some(over(self.audio_output, text_output)), ahead.audio_output),
        ];
        rounded_up(sum(tokens) + self.besides(billed))
    }

    /// The cost of what is no token, in millionths of a pico-dollar.
    fn besides(&self, billed: &Billed) -> Picodollars {
        let Billed { tier: _, requests, images, audio_ms, local_ms } = *billed;
        let a_piece = [(self.image, images), (self.request, requests)];
        let a_milli = [(self.audio_second, audio_ms.unwrap_or(0)), (self.second, local_ms)];
        let cost =
            |(rate, count): (Option<Picodollars>, u64), times| rate.unwrap_or_default().times(count).times(times);
        let pieces: Picodollars = a_piece.into_iter().map(|each| cost(each, MILLION)).sum();
        pieces + a_milli.into_iter().map(|each| cost(each, PER_MILLI)).sum()
    }
}

/// By how much `rate` is dearer than `other`.
fn over(rate: Option<Picodollars>, other: Option<Picodollars>) -> Picodollars {
    let rest = rate.unwrap_or_default().saturating_sub(other.unwrap_or_default());
    rest.max(Picodollars::ZERO)
}

/// Counts at rates by the million, in millionths of a pico-dollar.
fn sum<const N: usize>(tokens: [(Option<Picodollars>, u64); N]) -> Picodollars {
    tokens.into_iter().map(|(rate, count)| rate.unwrap_or_default().times(count)).sum()
}

fn rounded_up(millionths: Picodollars) -> Picodollars {
    millionths.each_of_a_million()
}
