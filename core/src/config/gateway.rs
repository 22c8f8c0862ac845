//! A configuration that has passed every check, made from the source.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::endpoint::Delivery;

use super::ConfigError;
use super::check::{Check, DEFAULT_LIMITS};
use super::entry::{Jwt, Ledger, Limits, LocalSettings, ProviderEntry, Telemetry};
use super::preset::Preset;
use super::routing::{LedgerPlace, Model, RESERVE_OUTPUT, Routing, Target};
use super::source::Source;
use crate::upstream::Credential;

/// A configuration without errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    listen: String,
    admin: Option<String>,
    providers: BTreeMap<String, ProviderEntry>,
    limits: BTreeSet<(Limits, usize)>,
    routing: Routing,
    local: LocalSettings,
    cors: Vec<String>,
    telemetry: Telemetry,
    ledger: Ledger,
    jwt: Option<Jwt>,
    left_out: Vec<String>,
}

impl Gateway {
    /// Checks `source`. `unset` has the credentials that cannot be read where Envoy will run.
    pub fn parse(source: &Source, unset: &BTreeSet<Credential>) -> Result<Self, Vec<ConfigError>> {
        let traced = source.telemetry.otlp.is_some();
        let presets = Preset::all();
        let mut check = Check { traced, buffer: 0, presets, errors: Vec::new(), left_out: Vec::new() };
        let listen = check.address("listen", source.listen.as_deref(), "127.0.0.1:10000");
        let admin = check.admin(source.admin.as_deref(), &listen);
        let general = check.limits("limits", &source.limits, DEFAULT_LIMITS);
        let body = check.body_limits(&source.limits);
        check.buffer = body.buffer();
        let held = check.held(&source.limits);
        let in_flight = check.in_flight("in_flight", source.limits.in_flight, 8192);
        let in_flight_per_key = check.in_flight("in_flight_per_key", source.limits.in_flight_per_key, 2048);
        let parts = Some(check.parts(&source.limits));
        let providers: BTreeMap<String, Option<ProviderEntry>> = source
            .providers
            .iter()
            .map(|(name, written)| (name.clone(), check.provider(name, written, unset)))
            .collect();
        let mut providers = providers;
        let mut limits = BTreeSet::new();
        let mut models = BTreeMap::new();
        for (name, written) in &source.models {
            let path = format!("models.{name}");
            check.name(&path, name);
            let own = check.limits(&format!("{path}.limits"), &written.limits, general);
            check.not_of_a_model(&path, &written.limits);
            let targets = check.targets(&path, name, written, source, &providers);
            if targets.is_empty() {
                check.left_out.push(format!("model {name}: none of its providers has a credential"));
                continue;
            }
            limits.insert((own, targets.len()));
            for target in &targets {
                // The time limit of a try begins with its connection, so connecting may not take longer than that.
                let entry = providers.get_mut(&target.provider).and_then(Option::as_mut);
                let told = source.providers.get(&target.provider).is_some_and(|told| told.connect_timeout.is_some());
                if let Some(entry) = entry.filter(|_| !told) {
                    entry.connect_timeout = entry.connect_timeout.min(own.first_token).min(own.whole);
                }
            }
            let model = Model {
                whole: own.class(Delivery::Whole),
                streamed: own.class(Delivery::Streamed),
                targets,
                reserve_output: written.reserve_output,
                max_output: written.max_output,
                owned_by: written.owned_by.clone().unwrap_or_else(|| "weir".to_owned()),
            };
            models.insert(name.clone(), model);
        }
        let callers = check.callers(source);
        let quotas = check.quotas(source);
        check.priced_as(source);
        let prices = check.prices(source, &models, &providers);
        let jwt = check.jwt(source);
        let local = check.local(&source.local);
        let cors = check.cors(&source.cors);
        let telemetry = check.telemetry(source);
        let ledger = check.ledger(&source.ledger);
        if !check.errors.is_empty() {
            return Err(check.errors);
        }
        let asked =
            |name: &str| models.values().any(|model: &Model| model.targets.iter().any(|at| at.provider == name));
        let providers: BTreeMap<String, ProviderEntry> = providers
            .into_iter()
            .filter_map(|(name, entry)| Some((name, entry?)))
            // If real providers answer for every model, the simulated ones need not run.
            .filter(|(name, entry)| !entry.simulated || asked(name))
            .collect();
        let upstreams = providers.iter().map(|(name, entry)| (name.clone(), entry.upstream())).collect();
        Ok(Self {
            listen,
            admin,
            providers,
            limits,
            routing: Routing {
                body,
                held,
                in_flight,
                in_flight_per_key,
                parts,
                models,
                upstreams,
                quotas,
                prices,
                reserve_output: source.reserve_output.unwrap_or(RESERVE_OUTPUT),
                traced,
                fails_on: None,
                forgives_paths: false,
                ledger: LedgerPlace::None,
                draining: false,
                ..callers
            },
            local,
            cors,
            telemetry,
            ledger,
            jwt,
            left_out: check.left_out,
        })
    }

    /// The same gateway, but about to end: `/readyz` says so.
    #[must_use]
    pub fn draining(mut self) -> Self {
        self.routing.draining = true;
        self
    }

    /// The address and port that clients connect to.
    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// The address and port of Envoy's admin interface; `None` for a Unix socket.
    pub fn admin(&self) -> Option<&str> {
        self.admin.as_deref()
    }

    /// The providers, by name.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderEntry> {
        self.providers.values()
    }

    /// Every combination of limits and number of targets that a model has.
    pub fn limits(&self) -> impl Iterator<Item = &(Limits, usize)> {
        self.limits.iter()
    }

    /// The edge role's configuration.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The targets without a known price: the model that names each, its place among the model's targets, and the target.
    pub fn unpriced(&self) -> impl Iterator<Item = (&str, usize, &Target)> {
        self.routing.models.iter().flat_map(|(name, model)| {
            let targets = model.targets.iter().enumerate();
            let unpriced = targets.filter(|(_, target)| self.routing.price(&target.provider, &target.model).is_none());
            unpriced.map(move |(at, target)| (name.as_str(), at, target))
        })
    }

    /// What the sidecar serves.
    pub fn local(&self) -> &LocalSettings {
        &self.local
    }

    /// The origins of the web pages that may call from a browser.
    pub fn cors(&self) -> &[String] {
        &self.cors
    }

    /// Where records go.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// How long the ledger keeps things.
    pub fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// Where Envoy finds what a caller's token says; `None` if nobody is known by a token.
    pub fn jwt(&self) -> Option<&Jwt> {
        self.jwt.as_ref()
    }

    /// Messages about what was left out because a credential is not set.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }
}
