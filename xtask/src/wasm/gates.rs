//! What the module must hold to: it asks the host only for what proxy-wasm offers, and it stays small.

use wasmparser::{Parser, Payload, TypeRef};

use crate::say::Outcome;

/// The most bytes the module may have. Limits, prices, leases and the ends of streams that outgrow a limit took it from 2.4 to 2.8 MB.
const LARGEST: usize = 2_850_000;

/// Checks a module; the number of its imports if it passes.
pub(super) fn check(module: &[u8]) -> Outcome<usize> {
    let mut imports = 0;
    let mut foreign = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ImportSection(section) = payload.map_err(|error| format!("not a wasm module: {error}"))? else {
            continue;
        };
        for import in section {
            let import = import.map_err(|error| format!("not a wasm module: {error}"))?;
            imports += 1;
            let of_the_abi = import.module == "env" && import.name.starts_with("proxy_");
            if !(of_the_abi && matches!(import.ty, TypeRef::Func(_))) {
                foreign.push(format!("{}.{}", import.module, import.name));
            }
        }
    }
    if !foreign.is_empty() {
        return Err(format!(
            "the module imports what Envoy does not offer: {}; some dependency wants an operating system (a clock, random \
             numbers, WASI): find it with `cargo tree -p weir-filter -i NAME`",
            foreign.join(", ")
        ));
    }
    if module.len() > LARGEST {
        return Err(format!(
            "the module has {} bytes, {} more than it may; see what grew with `twiggy top`",
            module.len(),
            module.len() - LARGEST
        ));
    }
    Ok(imports)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one function type, importing `env.<name>` from `module`.
    fn importing(module: &str, name: &str) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0".to_vec();
        let mut import = vec![1, u8::try_from(module.len()).unwrap()];
        import.extend(module.bytes());
        import.push(u8::try_from(name.len()).unwrap());
        import.extend(name.bytes());
        import.extend([0, 0]);
        bytes.extend([2, u8::try_from(import.len()).unwrap()]);
        bytes.extend(import);
        bytes
    }

    #[test]
    fn a_module_may_ask_only_for_what_envoy_offers() {
        assert_eq!(check(&importing("env", "proxy_log")), Ok(1));
        assert!(check(&importing("wasi_snapshot_preview1", "clock_time_get")).unwrap_err().contains("clock_time_get"));
        assert!(check(&importing("env", "abort")).unwrap_err().contains("env.abort"));
        assert!(check(b"\0asm\x01\0\0\0").is_ok());
        assert!(check(b"ELF").is_err());
    }

    #[test]
    fn a_module_may_not_outgrow_its_limit() {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        // A custom section, empty of meaning.
        let body = LARGEST;
        module.push(0);
        let mut length = body;
        while length >= 0x80 {
            module.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        module.push(u8::try_from(length).unwrap());
        module.push(1);
        module.resize(module.len() + body - 1, b'x');
        assert!(check(&module).unwrap_err().contains("more than it may"));
    }
}
