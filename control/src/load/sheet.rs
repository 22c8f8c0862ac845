//! One file of the configuration, and what was found in it.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use weir_core::config::ConfigError;

use super::foreign;
use super::shape::{self, Misfit};
use super::tree::{self, Tree};
use crate::Diagnostic;

/// One file, and what was found in it.
pub(super) struct Sheet {
    file: PathBuf,
    tree: Tree,
    misfits: Vec<Misfit>,
    errors: Vec<ConfigError>,
}

impl Sheet {
    /// Reads `text` as `schema` says. What does not fit is noted in the sheet.
    pub(super) fn read<T: DeserializeOwned>(
        file: &Path,
        text: &str,
        schema: &Value,
        defs: &Value,
    ) -> Result<(Self, T), Vec<Diagnostic>> {
        let tree = tree::parse(text).map_err(|broken| vec![broken.in_file(file)])?;
        let (value, misfits) = shape::read(&tree, schema, defs);
        let sheet = Self { file: file.to_owned(), tree, misfits, errors: Vec::new() };
        match serde_json::from_value(value) {
            Ok(read) => Ok((sheet, read)),
            // The value fits the schema, so this happens only if the schema says less than the types.
            Err(error) if sheet.misfits.is_empty() => Err(vec![Diagnostic::of_file(file, error.to_string(), None)]),
            Err(_) => Err(sheet.diagnostics()),
        }
    }

    /// What the whole file is, if it is another gateway's.
    pub(super) fn foreign(&self) -> Option<Diagnostic> {
        let found = foreign::foreign(&self.tree)?;
        let (line, path, hint) = (found.line, found.path, Some(found.hint));
        Some(Diagnostic { file: self.file.clone(), line, path, problem: found.problem, hint })
    }

    /// A warning about what is at `path`.
    pub(super) fn warning(&self, path: String, problem: String, hint: String) -> Diagnostic {
        let line = self.tree.line_of(&path);
        Diagnostic { file: self.file.clone(), line, path, problem, hint: Some(hint) }
    }

    /// Notes an error, unless it follows from something that does not fit the schema.
    pub(super) fn found(&mut self, error: ConfigError) {
        let follows = |misfit: &Misfit| {
            let below = error.path.strip_prefix(misfit.path.as_str());
            below.is_some_and(|below| below.is_empty() || below.starts_with(['.', '[']))
        };
        if !self.misfits.iter().any(follows) {
            self.errors.push(error);
        }
    }

    /// All that was found, by line.
    pub(super) fn diagnostics(self) -> Vec<Diagnostic> {
        let Self { file, tree, misfits, errors } = self;
        let misfits = misfits.into_iter().map(|found| (found.line, found.path, found.problem, found.hint));
        let errors = errors.into_iter().map(|found| (tree.line_of(&found.path), found.path, found.problem, found.hint));
        let mut all: Vec<_> = misfits
            .chain(errors)
            .map(|(line, path, problem, hint)| Diagnostic { file: file.clone(), line, path, problem, hint })
            .collect();
        all.sort_by_key(|found| found.line);
        all
    }
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
    use serde::Deserialize;

    use super::*;

    /// What a quota and a price will look like.
    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Plan {
        #[serde(default)]
        monthly_tokens: Option<u64>,
        #[serde(default)]
        adjustment: Option<i64>,
        #[serde(default)]
        #[schemars(schema_with = "price")]
        price: Option<String>,
        #[serde(default)]
        #[schemars(schema_with = "difference")]
        difference: Option<String>,
        #[serde(default)]
        retries: Option<u8>,
    }

    fn price(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string", "null"], "minimum": 0 })
    }

    fn difference(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string", "null"] })
    }

    /// Reads `text` as the configuration is read; or everything that is said about it.
    fn read(text: &str) -> Result<Plan, String> {
        let schema = schema_for!(Plan).to_value();
        let lines = |found: Vec<Diagnostic>| {
            let lines: Vec<String> = found.iter().map(|found| format!("{found}\n")).collect();
            lines.concat()
        };
        let (sheet, plan) = Sheet::read(Path::new("weir.yaml"), text, &schema, &Value::Null).map_err(lines)?;
        let found = sheet.diagnostics();
        if found.is_empty() { Ok(plan) } else { Err(lines(found)) }
    }

    #[test]
    fn a_number_may_have_64_bits() {
        for number in [0, 4_294_967_295, 4_294_967_296, 9_007_199_254_740_993, u64::MAX - 1, u64::MAX] {
            let plan = read(&format!("monthly_tokens: {number}\n")).unwrap();
            assert_eq!(plan.monthly_tokens, Some(number));
        }
        for number in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(read(&format!("adjustment: {number}\n")).unwrap().adjustment, Some(number));
        }
    }

    #[test]
    fn a_decimal_is_read_as_it_is_written() {
        for written in
            ["0.15", "0.150", "2", "0", "0.000000000000000000000000000000000000001", "18446744073709551616.1"]
        {
            assert_eq!(read(&format!("price: {written}\n")).unwrap().price.as_deref(), Some(written));
            assert_eq!(read(&format!("price: \"{written}\"\n")).unwrap().price.as_deref(), Some(written));
            assert_eq!(read(&format!("difference: -{written}\n")).unwrap().difference, Some(format!("-{written}")));
        }
        assert_eq!(read("price:\n").unwrap().price, None);
    }

    #[test]
    fn what_a_field_cannot_hold_is_told_with_its_line_and_what_it_can() {
        let check =
            |text: &str, expect: &str| assert_eq!(read(&format!("\n{text}\n")).unwrap_err(), format!("{expect}\n"));
        check(
            "monthly_tokens: 18446744073709551616",
            "weir.yaml:2: monthly_tokens: expected a whole number, found the number 18446744073709551616 \
             (from 0 to 18446744073709551615)",
        );
        check(
            "monthly_tokens: -1",
            "weir.yaml:2: monthly_tokens: expected a whole number, found the number -1 (from 0 to 18446744073709551615)",
        );
        check(
            "monthly_tokens: 1e6",
            "weir.yaml:2: monthly_tokens: expected a whole number, found the number 1e6 (from 0 to 18446744073709551615)",
        );
        check(
            "adjustment: 9223372036854775808",
            "weir.yaml:2: adjustment: expected a whole number, found the number 9223372036854775808 \
             (from -9223372036854775808 to 9223372036854775807)",
        );
        check("retries: 256", "weir.yaml:2: retries: expected a whole number, found the number 256 (from 0 to 255)");
        check(
            "price: -0.15",
            "weir.yaml:2: price: expected a number, such as 0.15, found the number -0.15 (from 0 up)",
        );
        let digits = "write digits, and a point between digits if you need one";
        for (written, found) in [
            ("1e3", "the number 1e3"),
            (".5", "the number .5"),
            ("5.", "the number 5."),
            ("+1", "the number +1"),
            ("1_000", "\"1_000\""),
            (".inf", "\".inf\""),
            ("0,15", "\"0,15\""),
            ("cheap", "\"cheap\""),
        ] {
            let expect = format!("weir.yaml:2: price: expected a number, such as 0.15, found {found} ({digits})");
            check(&format!("price: {written}"), &expect);
        }
        check("price: [1]", "weir.yaml:2: price: expected a number, such as 0.15, found a list");
    }
}
