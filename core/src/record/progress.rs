//! How far an answer has come: each try tells this to the edge.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::time::Duration;

use weir_hub::fault::FaultKind;
use weir_hub::usage::Usage;

use crate::time::Instant;

/// The filter state that the attempt role sets to its [`Progress`].
pub const PROGRESS_KEY: &str = "wasm.weir.progress";

/// How far the answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Tokens are coming.
    Flowing,
    /// The answer is complete.
    Done,
    /// It ended before it was complete, for this reason, and the caller was told so.
    Cut(FaultKind),
    /// The caller received an error.
    Failed,
}

/// What the latest try says about its answer. It is set whenever it changes, so that it is right even after the caller
/// hangs up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The number of the try, from 1.
    pub begun: usize,
    /// When that try began.
    pub since: Instant,
    /// How far the answer has come.
    pub stage: Stage,
    /// The code that the caller was told, for [`Stage::Failed`]; else empty.
    pub code: String,
    /// The status of the provider's answer; 0 if there was none.
    pub status: u16,
    /// Whether a whole answer was written anew; then Envoy may refuse to hold it.
    pub rewritten: bool,
    /// From the try's start to its first token.
    pub first_token: Option<Duration>,
    /// Tokens so far.
    pub usage: Usage,
    /// The model that answers, by the provider's name for it.
    pub model: Rc<str>,
    /// The name of the limit that has ended the answer before its provider did; empty if none has.
    pub ended_by: String,
}

impl Progress {
    /// The progress as text, for the filter state.
    pub fn to_text(&self) -> String {
        let (stage, code) = match self.stage {
            Stage::Flowing => ('f', ""),
            // Filters before 2026-12 read over that.
            Stage::Done => ('d', self.ended_by.as_str()),
            Stage::Cut(kind) => ('c', kind.name()),
            Stage::Failed => ('x', self.code.as_str()),
        };
        let Usage {
            input,
            output,
            cached_read,
            cache_write,
            cache_write_1h,
            reasoning,
            audio_input,
            audio_output,
            estimated,
        } = self.usage;
        let first = self.first_token.map_or(0, |first| first.as_micros().max(1));
        let (begun, status, since) = (self.begun, self.status, self.since.as_nanos());
        let (estimated, rewritten) = (u8::from(estimated), u8::from(self.rewritten));
        format!(
            "{stage}|{begun}.{status}.{rewritten}.{cache_write_1h}|{since}|{first}|{input}|{output}|{cached_read}|{cache_write}|{reasoning}|{audio_input}|\
             {audio_output}|{estimated}|{code}|{}",
            self.model
        )
    }

    /// Reads the text that [`to_text`](Self::to_text) writes.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut fields = text.splitn(14, '|');
        let stage = fields.next()?;
        let mut answer = fields.next()?.split('.');
        let (begun, status) = (answer.next()?.parse().ok()?, answer.next()?.parse().ok()?);
        let rewritten = answer.next()? == "1";
        // Filters before 2026-12 do not write it.
        let cache_write_1h = answer.next().and_then(|count| count.parse().ok()).unwrap_or_default();
        let mut number = || fields.next()?.parse::<u64>().ok();
        let since = Instant::from_nanos(number()?);
        let first = number()?;
        let usage = Usage {
            input: number()?,
            output: number()?,
            cached_read: number()?,
            cache_write: number()?,
            cache_write_1h,
            reasoning: number()?,
            audio_input: number()?,
            audio_output: number()?,
            estimated: number()? != 0,
        };
        let first_token = (first > 0).then(|| Duration::from_micros(first));
        let (code, model) = (fields.next()?, fields.next()?.into());
        let (stage, code, ended_by) = match stage {
            "f" => (Stage::Flowing, "", ""),
            "d" => (Stage::Done, "", code),
            // An unknown kind comes from a filter of another version.
            "c" => (Stage::Cut(FaultKind::from_name(code).unwrap_or(FaultKind::Cut)), "", ""),
            "x" => (Stage::Failed, code, ""),
            _ => return None,
        };
        let (code, ended_by) = (code.to_string(), ended_by.to_string());
        Some(Self { begun, since, stage, code, status, rewritten, first_token, usage, model, ended_by })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reads_back() {
        let progress = Progress {
            begun: 2,
            since: Instant::from_nanos(77),
            stage: Stage::Cut(FaultKind::Timeout),
            code: String::new(),
            status: 200,
            rewritten: true,
            first_token: Some(Duration::from_micros(12)),
            usage: Usage {
                input: 1,
                output: 2,
                cached_read: 3,
                cache_write: 4,
                cache_write_1h: 3,
                reasoning: 5,
                audio_input: 6,
                audio_output: 7,
                estimated: true,
            },
            model: "a|b".into(),
            ended_by: String::new(),
        };
        assert_eq!(Progress::from_text(&progress.to_text()).as_ref(), Some(&progress));
        let ended = Progress { stage: Stage::Done, ended_by: "team-month".to_string(), ..progress.clone() };
        assert_eq!(Progress::from_text(&ended.to_text()).as_ref(), Some(&ended));
        let earlier = progress.to_text().replacen("2.200.1.3|", "2.200.1|", 1);
        let usage = Usage { cache_write_1h: 0, ..progress.usage };
        assert_eq!(
            Progress::from_text(&earlier),
            Some(Progress { usage, ..progress }),
            "as an earlier filter writes it"
        );
    }
}
