//! Tools, and whether the model must call one.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html>

use alloc::vec::Vec;

use weir_hub::chat::{Chat, Tool, ToolChoice};
use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::{Object, object};
use weir_hub::fault::Reject;

use super::{Family, Keeps, cache_point};
use crate::provider::To;
use crate::provider::answer_tool::{ANSWER_TOOL, answer_tool, called};
use crate::provider::anthropic::ask::thinking::{Answer, Thinking};
use crate::provider::anthropic::ask::tools::{check, schema};
use crate::provider::claude::Generation;

pub(super) struct Tools<'a> {
    offered: &'a [Tool<'a>],
    past: Vec<Tool<'a>>,
    answer: Option<Tool<'a>>,
    choice: Choice<'a>,
    keeps: Keeps,
}

enum Choice<'a> {
    /// The model decides; this need not be written.
    Auto,
    Any,
    Named(&'a str),
}

impl<'a> Tools<'a> {
    pub(super) fn of(
        chat: &'a Chat<'a>,
        thinking: Thinking<'a>,
        family: Family,
        to: &mut To<'_>,
    ) -> Result<Self, Reject> {
        let generation = if let Family::Claude(generation) = family { generation } else { Generation::Foreign };
        let choice = check(chat, generation, &thinking, to)?;
        let answer = match thinking.answer {
            Answer::Tool { schema, description } => Some(answer_tool(schema, description)),
            Answer::Text | Answer::Native { .. } => None,
        };
        let called = called(chat);
        let mut offered = &chat.tools[..];
        let choice = match (choice, answer.is_some()) {
            (Some(ToolChoice::Named(name)), _) => Choice::Named(name),
            // The answer may also be a call of the caller's tools, unless there are none or the caller forbids calls.
            (Some(ToolChoice::None), true) => Choice::Named(ANSWER_TOOL),
            (_, true) if offered.is_empty() => Choice::Named(ANSWER_TOOL),
            (_, true) | (Some(ToolChoice::Required), _) => Choice::Any,
            // To forbid calls, no tools are offered. But a conversation with calls must have tools.
            (Some(ToolChoice::None), false) if offered.is_empty() => Choice::Auto,
            (Some(ToolChoice::None), false) if called.is_empty() => {
                to.emulates("tool_choice");
                offered = &[];
                Choice::Auto
            }
            (Some(ToolChoice::None), false) => {
                to.unsupported("tool_choice");
                Choice::Auto
            }
            (None | Some(ToolChoice::Auto), false) => Choice::Auto,
        };
        // A conversation in which tools were called must have tools, even if none may be called now.
        let past = if offered.is_empty() { called } else { Vec::new() };
        Ok(Self { offered, past, answer, choice, keeps: family.keeps() })
    }

    pub(super) fn write(&self, body: &mut Object<'_>) {
        let tools = || self.offered.iter().chain(&self.past).chain(&self.answer);
        if tools().next().is_none() {
            return;
        }
        body.object("toolConfig", |config| {
            let items = tools().flat_map(|tool| {
                let mark = tool.cache.filter(|_| self.keeps != Keeps::Nothing);
                [Some(Item::Tool(tool)), mark.map(Item::Mark)].into_iter().flatten()
            });
            config.array("tools", items, |out, item| match item {
                Item::Tool(tool) => self::tool(out, tool),
                Item::Mark(mark) => cache_point(out, mark, self.keeps),
            });
            match self.choice {
                Choice::Auto => {}
                Choice::Any => config.object("toolChoice", |choice| choice.raw("any", "{}")),
                Choice::Named(name) => config.object("toolChoice", |choice| {
                    choice.object("tool", |tool| tool.string("name", name));
                }),
            }
        });
    }
}

enum Item<'t> {
    Tool(&'t Tool<'t>),
    Mark(Raw<'t>),
}

fn tool(out: &mut Vec<u8>, tool: &Tool<'_>) {
    object(out, |out| {
        out.object("toolSpec", |spec| {
            spec.string("name", &tool.name);
            if let Some(description) = tool.description.as_deref().filter(|description| !description.is_empty()) {
                spec.string("description", description);
            }
            spec.object("inputSchema", |input| schema(input, "json", tool));
            if tool.strict == Some(true) {
                spec.raw("strict", "true");
            }
        });
    });
}
