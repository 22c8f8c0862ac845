//! The filter as a proxy-wasm module: runs in V8, in any Envoy and in every mesh that takes wasm.
//!
//! One plugin configuration a role; the third role, the steward, does nothing but live as long as the process, since shared
//! data dies with the last VM. All contact with Envoy goes through [`host`].

mod host;

use std::sync::Arc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use weir_core::config::{Role as Configured, Routing, Upstream};

use self::host::Stream;
use crate::attempt::Try;
use crate::edge::Request;
use crate::host::{Next, Role};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    // In place of the hook that the line above has set: a panic's own message may quote what was being read.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        host::log(LogLevel::Critical, &format!("weir: the filter panicked at {place}"));
    }));
    proxy_wasm::set_root_context(|_| Box::new(Root { plays: Plays::Nothing }));
}}

/// One plugin configuration on one worker.
struct Root {
    plays: Plays,
}

enum Plays {
    Nothing,
    Edge(Arc<Routing>),
    Attempt(Arc<Upstream>),
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        self.plays = match serde_json::from_slice(&host::configuration()) {
            Ok(Configured::Edge(routing)) => Plays::Edge(Arc::new(routing)),
            Ok(Configured::Attempt(upstream)) => Plays::Attempt(Arc::new(upstream)),
            Ok(Configured::Steward) => Plays::Nothing,
            Err(error) => {
                host::log(LogLevel::Error, &format!("weir: the plugin configuration cannot be read: {error}"));
                return false;
            }
        };
        true
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        match &self.plays {
            Plays::Edge(routing) => Some(Box::new(Player(Request::new(&Stream, id, Arc::clone(routing))))),
            Plays::Attempt(upstream) => Some(Box::new(Player(Try::new(Arc::clone(upstream))))),
            Plays::Nothing => None,
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// A role in one stream.
struct Player<R: Role<Stream>>(R);

impl<R: Role<Stream>> Context for Player<R> {
    fn on_done(&mut self) -> bool {
        self.0.done(&mut Stream);
        true
    }
}

impl<R: Role<Stream>> HttpContext for Player<R> {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        action(self.0.request_headers(&mut Stream, end))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        action(self.0.request_body(&mut Stream, size, end))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        action(self.0.request_trailers(&mut Stream))
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        action(self.0.response_headers(&mut Stream, end))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        action(self.0.response_body(&mut Stream, size, end))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        action(self.0.response_trailers(&mut Stream))
    }

    fn on_log(&mut self) {
        self.0.log(&mut Stream);
    }
}

fn action(next: Next) -> Action {
    match next {
        Next::Continue => Action::Continue,
        Next::Pause => Action::Pause,
        Next::Answer(answer) => {
            host::respond(&answer);
            Action::Pause
        }
    }
}
