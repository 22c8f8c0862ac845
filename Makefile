# An index: every task is `cargo xtask …`, in Rust, under xtask/.

up: ## build everything, fetch Envoy and a model, start; `make up CONFIG=my.yaml` for another configuration
	@cargo xtask up $(CONFIG)
test: ## everything CI runs
	@cargo xtask test
check: ## formatting, lints, generated files: quick
	@cargo xtask check
agents: ## the real Claude Code and Codex, from npm, on every provider of config/examples/coding-agents.yaml, simulated
	@cargo xtask agents
soak: ## a million requests with each filter, after which no memory may have grown
	@cargo xtask soak
bench: ## the numbers that docs and design promise
	@cargo xtask bench
cuda: ## weir for NVIDIA's GPUs, at target/cuda/weir: with the CUDA toolkit, or a compiler that it fetches
	@cargo xtask cuda
pairs: ## instructions of each translation, beside those that are blessed
	@cargo xtask pairs --check
fuzz: ## every fuzz target for a minute
	@cargo xtask fuzz
bless: ## rewrite generated files and expected outputs; read the diff
	@cargo xtask bless
fmt: ## format
	@cargo fmt --all
fetch: ## Envoy, ONNX Runtime and a model, into the cache outside the clone
	@cargo xtask fetch
wasm: ## the filter as a wasm module
	@cargo xtask wasm
help: ## this list
	@sed -n 's/^\([a-z]*\): ## /\1\t/p' Makefile

.PHONY: up test check agents soak bench cuda pairs fuzz bless fmt fetch wasm help
