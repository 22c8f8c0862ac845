//! The commands and their flags.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use weir_control::AdminAddress;
use weir_control::ledger::Dimension;
use weir_control::render::ControlAddress;
use weir_control::state::{listen, store};
use weir_node::filter::Wanted;
use weir_node::keys::{self, moment};
use weir_node::sim;

/// An AI inference gateway inside Envoy.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about = "An AI inference gateway inside Envoy", arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything a configuration needs, and keep it running
    Up(Up),
    /// List every error in a configuration
    Check {
        /// The configuration
        file: PathBuf,
    },
    /// Write the Envoy resources of a configuration
    Render(Render),
    /// Explain what would happen to a request, and why
    Explain {
        /// The configuration
        file: PathBuf,
        /// The request's body as JSON; `-` for standard input
        request: PathBuf,
        /// The request's path, such as `/v1/messages` [default: guessed from the body]
        #[arg(long)]
        path: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the hosts that a provider's `preset` can name
    Presets,
    /// List and show prices of models, or take newer ones from a file
    Prices(Prices),
    /// Make, list, change and remove callers' keys
    Keys {
        /// The keys file, as `keys_file` in a configuration names it [default: keys.yaml in Weir's state folder]
        #[arg(long, global = true)]
        file: Option<PathBuf>,
        #[command(subcommand)]
        command: Keys,
    },
    /// Sum what was used and what it cost
    Usage(Usage),
    /// Compare the ledger with what a provider says it has billed
    Reconcile(Reconcile),
    /// Fill the ledger that `weir usage` reads
    Ledger {
        #[command(subcommand)]
        command: Ledger,
    },
    /// List the local models of a running sidecar, load or unload one
    Models(Models),
    /// Ask the admin interface of the Envoy that `weir up` runs
    Admin(Admin),
    /// Let several Envoys share the limits of a configuration
    Control(Control),
    /// List what is spent of each shared limit, or give somebody more
    Limits(Limits),
    /// Serve local models to Envoy
    Sidecar {
        /// The sidecar's settings as JSON; `weir up` writes them
        #[arg(long)]
        config: PathBuf,
    },
    /// Serve a simulated provider. If `WEIR_SIM_TOKEN` is set, it keeps requests and shows them to whoever sends that token
    Sim(Sim),
    /// List what is fetched and where it is, and how to fetch what is missing
    Fetch,
    /// Write the configuration's JSON schema
    #[command(hide = true)]
    Schema {
        /// The file [default: standard output]
        #[arg(long)]
        file: Option<PathBuf>,
        /// Write nothing; fail if the file is out of date
        #[arg(long, requires = "file")]
        check: bool,
    },
    /// Become another program that dies when this one's parent does
    #[command(hide = true)]
    Launch(Launch),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Render {
    /// The configuration
    pub(crate) file: PathBuf,
    /// Folder to write to, for an Envoy of your own [default: everything to standard output, as `weir up` runs it]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Where that folder will be on the machine where Envoy runs [default: where it is]
    #[arg(long, value_name = "DIR", requires = "out")]
    pub(crate) prefix: Option<PathBuf>,
    /// Your Envoy's route configuration, if Weir's filter is in your own filter chain: Weir's routes replace those that lead to the
    /// cluster `weir` [default: Weir has an internal listener]
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(crate) routes: Option<PathBuf>,
    /// The control that this Envoy shares its limits by, as Envoy reaches it: unix:PATH, https:// and a host with a port, or, on the same
    /// machine, such a host alone [default: none, so that limits hold within this Envoy alone, and a restart forgets them]
    #[arg(long, value_name = "ADDRESS", requires = "out", requires = "node")]
    pub(crate) control: Option<ControlAddress>,
    /// With `--control`: this Envoy's name, which no other one may have
    #[arg(long, value_name = "NAME", requires = "control", value_parser = node)]
    pub(crate) node: Option<String>,
    /// With `--control`: the file with its token, as Envoy sees it, with nothing else in it, not even the end of a line
    #[arg(long, value_name = "FILE", requires = "control")]
    pub(crate) control_token: Option<PathBuf>,
    /// With `--control`: the file of the authorities that have signed its certificate, as Envoy sees it [default: the system's]
    #[arg(long, value_name = "FILE", requires = "control")]
    pub(crate) control_ca: Option<PathBuf>,
    /// Keep running, and write what changes when the configuration changes
    #[arg(long, requires = "out")]
    pub(crate) watch: bool,
    /// With `--watch`: your Envoy's admin interface, which is asked whether Envoy has taken each file [default: wait a second for each]
    #[arg(long, value_name = "ADDRESS", requires = "watch")]
    pub(crate) admin: Option<AdminAddress>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    /// The configuration [default: weir.yaml, else config/weir.yaml]
    #[arg(value_name = "CONFIG")]
    pub(crate) file: Option<PathBuf>,
    /// The same, as a flag
    #[arg(long, value_name = "CONFIG", conflicts_with = "file")]
    pub(crate) config: Option<PathBuf>,
    /// Folder with Envoy, ONNX Runtime and models [default: `$WEIR_CACHE`, else ~/.cache/weir]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Folder for sockets, rendered files and logs [default: one per configuration, outside the clone]
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// Envoy's name, by which it holds limits and is in the ledger; no other Envoy that shares them may have it [default: of this machine, the state folder and the run folder]
    #[arg(long, value_name = "NAME", value_parser = node)]
    pub(crate) node: Option<String>,
    /// The filter: `native`, `wasm` or a module's path [default: `$WEIR_FILTER`, else native if this Envoy loads it]
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<Wanted>,
    /// How long running requests may take to end after Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// How long everything may take to get ready
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub(crate) wait: Duration,
    /// Start the simulated provider here if a provider's endpoint is this address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10002")]
    pub(crate) sim: SocketAddr,
    /// Never start the simulated provider
    #[arg(long)]
    pub(crate) no_sim: bool,
    /// Where the sidecar serves health and metrics [default: 127.0.0.1:10003, or a free port if that is taken]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) sidecar_admin: Option<SocketAddr>,
    /// Envoy's worker threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,
    /// Envoy's log level. Its component `http` stays at `info`, because it would log callers' keys, unless `--component-log-level` names it
    #[arg(long, value_name = "LEVEL", default_value = "warning", value_parser = ["trace", "debug", "info", "warning", "error", "critical", "off"])]
    pub(crate) log_level: String,
    /// Log levels of single Envoy components, as in `wasm:debug,router:trace`
    #[arg(long, value_name = "LEVELS")]
    pub(crate) component_log_level: Option<String>,
    /// Write this file once everything is ready: JSON with the address, the admin address and the process ids
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Prices {
    /// A prices file, as `prices_file` in a configuration names it: its prices replace those that Weir brings along
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) file: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: PricesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PricesCommand {
    /// List the models with a price, by provider
    List {
        /// Only those whose name contains this
        #[arg(long)]
        model: Option<String>,
    },
    /// Print every rate of a model, and where it comes from
    Show {
        /// The model, as its provider names it; `openai/gpt-4o` names the provider, too
        model: String,
    },
    /// Make a prices file from the JSON in the `PyPI` package `litellm` (`model_prices_and_context_window*.json`)
    Import {
        /// The JSON
        json: PathBuf,
        /// The prices file [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Where the prices come from, such as "litellm 1.110.2, 2026-11-30" [default: the name of the JSON]
        #[arg(long, value_name = "TEXT")]
        source: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key and print it, once
    New {
        /// Who it is for; the access log names it
        name: String,
        /// The team that it belongs to [default: none]
        #[arg(long, value_name = "TEAM")]
        team: Option<String>,
        /// The models that it may use, separated by commas [default: all]
        #[arg(long, alias = "model", value_delimiter = ',', value_name = "MODELS", value_parser = model)]
        models: Option<Vec<String>>,
        /// The endpoints that it may use, such as chat,embeddings [default: all]
        #[arg(long, alias = "endpoint", value_delimiter = ',', value_name = "ENDPOINTS", value_parser = keys::endpoint)]
        endpoints: Option<Vec<String>>,
        /// The networks that it may be used from, such as 10.0.0.0/8,192.0.2.7 [default: all]
        #[arg(long, alias = "network", value_delimiter = ',', value_name = "NETWORKS", value_parser = keys::network)]
        networks: Option<Vec<String>>,
        /// How long it is valid, such as 90d or 24h [default: until it is removed]
        #[arg(long, value_name = "TIME", value_parser = moment::term)]
        expires: Option<Duration>,
    },
    /// Make another key of the same name; the old one stays valid for a while
    Rotate {
        /// Whose key
        name: String,
        /// How long the old one stays valid
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = moment::term)]
        overlap: Duration,
    },
    /// Change what a key may do; the key itself stays
    Edit(Edit),
    /// List the keys by name; the keys themselves are not kept
    List,
    /// Let a key be invalid until it is enabled
    Disable {
        /// Whose key
        name: String,
    },
    /// Let a disabled key be valid again
    Enable {
        /// Whose key
        name: String,
    },
    /// Remove a key for good
    #[command(alias = "revoke")]
    Remove {
        /// Whose key
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// Whose key
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) changes: Changes,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
#[expect(clippy::struct_excessive_bools, reason = "a flag each")]
pub(crate) struct Changes {
    /// The team that it belongs to
    #[arg(long, value_name = "TEAM")]
    pub(crate) team: Option<String>,
    /// Let it belong to no team
    #[arg(long, conflicts_with = "team")]
    pub(crate) no_team: bool,
    /// The models that it may use, separated by commas
    #[arg(long, alias = "model", value_delimiter = ',', value_name = "MODELS", value_parser = model)]
    pub(crate) models: Option<Vec<String>>,
    /// Let it use all models
    #[arg(long, conflicts_with = "models")]
    pub(crate) all_models: bool,
    /// The endpoints that it may use, separated by commas
    #[arg(long, alias = "endpoint", value_delimiter = ',', value_name = "ENDPOINTS", value_parser = keys::endpoint)]
    pub(crate) endpoints: Option<Vec<String>>,
    /// Let it use all endpoints
    #[arg(long, conflicts_with = "endpoints")]
    pub(crate) all_endpoints: bool,
    /// The networks that it may be used from, separated by commas
    #[arg(long, alias = "network", value_delimiter = ',', value_name = "NETWORKS", value_parser = keys::network)]
    pub(crate) networks: Option<Vec<String>>,
    /// Let it be used from all networks
    #[arg(long, conflicts_with = "networks")]
    pub(crate) all_networks: bool,
    /// How long it is valid from now on, such as 90d or 24h
    #[arg(long, value_name = "TIME", value_parser = moment::term)]
    pub(crate) expires: Option<Duration>,
    /// Let it be valid until it is removed
    #[arg(long, conflicts_with = "expires")]
    pub(crate) never_expires: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Usage {
    /// What to count by, separated by commas: team, key, user, application, endpoint, model, provider, `upstream_model`, outcome, node, day, hour
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "team,model")]
    pub(crate) by: Vec<Dimension>,
    /// From when: 7d, 24h, today, 2026-12-01 or 2026-12-01T09:00:00Z; its whole hour, in UTC
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub(crate) since: String,
    /// Until when, written in the same way
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub(crate) until: String,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Only these teams, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) team: Vec<String>,
    /// Only these keys
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) key: Vec<String>,
    /// Only these users
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) user: Vec<String>,
    /// Only these applications
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) application: Vec<String>,
    /// Only these models, as callers name them
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) model: Vec<String>,
    /// Only these providers
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) provider: Vec<String>,
    /// Only these outcomes, such as ok
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) outcome: Vec<String>,
    /// The ledger [default: ledger.sqlite in Weir's state folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reconcile {
    /// The provider's export: JSON of OpenAI's or Anthropic's usage or cost API, or CSV with day, model, input, output, cached, cost
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The provider, as the configuration names it [default: the only one of that time]
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// The ledger [default: ledger.sqlite in Weir's state folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns, for people.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Follow the access log of a configuration, rotated files included, until stopped
    Follow(Follow),
    /// Read files of an access log that were kept; what has been read already counts once
    Read {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The name of the Envoy that wrote them [default: the name of their folder]
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        /// The ledger [default: ledger.sqlite in Weir's state folder]
        #[arg(long, value_name = "FILE")]
        store: Option<PathBuf>,
    },
    /// Remove old rows and sums
    Age {
        /// How many days of single requests to keep
        #[arg(long, value_name = "DAYS", default_value_t = 90)]
        rows: u32,
        /// How many days of sums by hour to keep
        #[arg(long, value_name = "DAYS", default_value_t = 400)]
        hours: u32,
        /// How many days of sums by day to keep [default: all]
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
        /// The ledger [default: ledger.sqlite in Weir's state folder]
        #[arg(long, value_name = "FILE")]
        store: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Follow {
    /// The configuration that `weir up` runs [default: as for `weir up`]
    #[arg(value_name = "CONFIG")]
    pub(crate) file: Option<PathBuf>,
    /// The folder that `weir up --run` was given
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// The access log, instead of a configuration's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "run"])]
    pub(crate) log: Option<PathBuf>,
    /// The name of the Envoy that writes it [default: the name of the log's folder]
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// The admin interface of that Envoy, which is asked whether it could write all lines [default: that of the configuration; none with `--log`]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<AdminAddress>,
    /// Read what there is, and stop
    #[arg(long)]
    pub(crate) once: bool,
    /// The ledger [default: ledger.sqlite in Weir's state folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Models {
    #[command(flatten)]
    pub(crate) sidecar: Sidecar,
    #[command(subcommand)]
    pub(crate) command: Option<ModelsCommand>,
}

/// How a running sidecar is found.
#[derive(Debug, clap::Args)]
pub(crate) struct Sidecar {
    /// The configuration that `weir up` runs [default: as for `weir up`]
    #[arg(value_name = "CONFIG")]
    pub(crate) file: Option<PathBuf>,
    /// The folder that `weir up --run` was given
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// The sidecar's socket, for one that `weir up` did not start
    #[arg(long)]
    pub(crate) socket: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Load a model, or change one that is loaded; it then serves until the sidecar ends
    Load {
        /// Name that callers write
        name: String,
        #[command(flatten)]
        sidecar: Sidecar,
        /// The model's folder [default: as in the configuration]
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
        /// What runs it [default: as in the configuration, else what suits the folder]
        #[arg(long, value_parser = ["onnx", "candle"])]
        engine: Option<String>,
        /// How many inputs may wait for it [default: as in the configuration]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        max_waiting: Option<u64>,
        /// Threads that its inference uses [default: as in the configuration]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        threads: Option<u64>,
    },
    /// Unload a model, and wait until its requests have ended and its memory is free
    Unload {
        /// Name that callers write
        name: String,
        #[command(flatten)]
        sidecar: Sidecar,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Admin {
    /// The path to ask for, such as `stats`, `clusters` or `config_dump`
    #[arg(value_name = "PATH", default_value = "help")]
    pub(crate) path: String,
    /// Send a POST, which Envoy requires of what changes something, such as `--post reopen_logs`
    #[arg(long)]
    pub(crate) post: bool,
    /// The configuration that `weir up` runs [default: as for `weir up`]
    #[arg(long, value_name = "CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The folder that `weir up --run` was given
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Control {
    /// The configuration, whose limits are followed as it changes [default: as for `weir up`]
    #[arg(long, value_name = "CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen: unix:PATH or an address with a port. Beyond this machine it needs a certificate and a token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10004")]
    pub(crate) listen: listen::Address,
    /// Where leases are kept: sqlite:PATH, postgres://…, redis://…, or memory [default: a SQLite file in Weir's state folder]
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<store::Address>,
    /// The ledger [default: in Weir's state folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Fill the ledger from the access log that the configuration names, or from this one if it names none
    #[arg(long, value_name = "FILE")]
    pub(crate) follow_log: Option<PathBuf>,
    /// The name of the Envoy that writes that log [default: the name of the log's folder]
    #[arg(long, value_name = "NAME", value_parser = node, requires = "follow_log")]
    pub(crate) node: Option<String>,
    /// The admin interface of that Envoy, which is asked whether it could write all lines
    #[arg(long, value_name = "ADDRESS", requires = "follow_log")]
    pub(crate) admin: Option<AdminAddress>,
    /// A certificate in PEM, with those that sign it
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A file with the token that every caller must send
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Limits {
    /// Where `weir control` listens: unix:PATH, a host with a port, or https:// and such a host [default: the one that `weir up` runs, else
    /// 127.0.0.1:10004]
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub(crate) control: Option<ControlAddress>,
    /// The configuration that `weir up` runs [default: as for `weir up`]
    #[arg(long, value_name = "CONFIG", global = true, conflicts_with = "control")]
    pub(crate) config: Option<PathBuf>,
    /// The folder that `weir up --run` was given
    #[arg(long, value_name = "DIR", global = true, conflicts_with = "control")]
    pub(crate) run: Option<PathBuf>,
    /// A file with its token
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// A file of the authorities that have signed its certificate [default: the system's]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) ca: Option<PathBuf>,
    /// Print JSON; costs are in pico-dollars
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<LimitsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// Give somebody more of a budget, in the window that is now; the ledger keeps a row of it
    Credit {
        /// The limit's name
        name: String,
        /// Whose, as `weir limits` lists it
        subject: String,
        /// How much, in the limit's unit: tokens, requests or US dollars. With a minus: less
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sim {
    /// Where to listen; port 0 means any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10002")]
    pub(crate) listen: SocketAddr,
    /// A key it accepts; can be repeated [default: any that begins with sk-]
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Answer requests without a key as well
    #[arg(long)]
    pub(crate) keyless: bool,
    /// Time before each token, such as 20ms, or before the first and each later one, such as 200ms/20ms
    #[arg(long, default_value = "0ms")]
    pub(crate) pace: sim::Pace,
    /// Tokens of an answer [default: those of its sentence]
    #[arg(long, value_name = "N")]
    pub(crate) tokens: Option<u32>,
    /// Let requests for a model fail, such as gpt-4o=429-retry-7, or `*=503` for any model; can be repeated
    #[arg(long = "fault", value_name = "MODEL=FAULT", value_parser = fault)]
    pub(crate) faults: Vec<(String, sim::Fault)>,
    /// List all faults, and start nothing
    #[arg(long)]
    pub(crate) list_faults: bool,
    /// Folder with recorded answers to replay
    #[arg(long, value_name = "DIR")]
    pub(crate) fixtures: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Launch {
    /// The parent's process id
    #[arg(long)]
    pub(crate) parent: i32,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

fn duration(text: &str) -> Result<Duration, String> {
    // Neither Envoy nor a timer here can wait for a time beyond the end of its clock.
    let day = Duration::from_secs(86_400);
    let time = weir_node::options::duration(text)?;
    if time <= day { Ok(time) } else { Err(format!("\"{text}\" is longer than 24h")) }
}

fn node(text: &str) -> Result<String, String> {
    let is_name = !text.trim().is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
    if is_name { Ok(text.to_owned()) } else { Err("write a name of at most 200 bytes".to_owned()) }
}

fn model(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() { Err("write names of models, separated by commas".to_owned()) } else { Ok(name.to_owned()) }
}

fn fault(text: &str) -> Result<(String, sim::Fault), String> {
    let (model, fault) = text.rsplit_once('=').ok_or("write it as MODEL=FAULT, such as gpt-4o=503")?;
    Ok((model.to_owned(), fault.parse().map_err(|error: sim::UnknownFault| error.to_string())?))
}
