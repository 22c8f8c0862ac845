//! The proxy-wasm adapter around [`weir_core`]: it reads what Envoy has, asks the core what to do, and does it.
//!
//! One module, three roles, chosen by the plugin's configuration: [`edge`] in the listener's chain, [`attempt`] in every
//! provider cluster's upstream chain, and the steward, which does nothing but live as long as the process, since shared
//! data dies with the last VM. All contact with Envoy goes through [`host`].
#![allow(missing_docs, reason = "proxy_wasm::main! makes a public function without docs")]

mod attempt;
mod board;
mod edge;
mod host;

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};
use weir_core::config::{Role, Routing, Upstream};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root { role: Configured::Not }));
}}

/// One plugin configuration on one worker.
struct Root {
    role: Configured,
}

enum Configured {
    Not,
    Edge(Rc<Routing>),
    Attempt(Rc<Upstream>),
    Steward,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let bytes = host::plugin_configuration();
        self.role = match serde_json::from_slice(&bytes) {
            Ok(Role::Edge(routing)) => Configured::Edge(Rc::new(routing)),
            Ok(Role::Attempt(upstream)) => Configured::Attempt(Rc::new(upstream)),
            Ok(Role::Steward) => Configured::Steward,
            Err(error) => {
                host::log(LogLevel::Error, &format!("weir: the plugin configuration cannot be read: {error}"));
                return false;
            }
        };
        true
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        match &self.role {
            Configured::Edge(routing) => Some(Box::new(edge::Request::new(id, Rc::clone(routing)))),
            Configured::Attempt(upstream) => Some(Box::new(attempt::Try::new(Rc::clone(upstream)))),
            Configured::Not | Configured::Steward => None,
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
