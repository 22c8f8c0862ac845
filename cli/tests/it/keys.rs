//! Making, listing, changing and removing keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use weir_tests::Home;

#[test]
fn a_key_is_shown_once_and_kept_as_a_hash() {
    let home = Home::new();
    let shown = home.weir(&["keys", "new", "ada"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let key = shown.out.trim();
    assert!(key.starts_with("weir-") && key.len() == 48, "{shown:?}");
    let text = home.read("state/keys.yaml");
    assert!(!text.contains(key) && !text.contains(key.trim_start_matches("weir-")), "{text}");
    assert!(text.contains(&weir_core::key::KeyHash::of(key.as_bytes()).to_string()), "{text}");
    let mode = fs::metadata(home.path("state/keys.yaml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn keys_are_listed_and_removed_by_name() {
    let home = Home::new();
    home.weir(&["keys", "new", "ada"]);
    home.weir(&["keys", "new", "bob", "--models", "gpt-4o-mini,assistant"]);
    let listed = home.weir(&["keys", "list"]).out;
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert!(lines[0].starts_with("ada\t") && lines[0].ends_with("\tno team\tall models\tvalid"), "{listed}");
    assert!(lines[1].starts_with("bob\t") && lines[1].ends_with("\tgpt-4o-mini, assistant\tvalid"), "{listed}");

    assert_eq!(home.weir(&["keys", "remove", "ada"]).code, Some(0));
    let listed = home.weir(&["keys", "list"]).out;
    assert!(listed.starts_with("bob\t") && listed.lines().count() == 1, "{listed}");
}

#[test]
fn a_name_has_one_key_and_a_misspelled_one_gets_a_hint() {
    let home = Home::new();
    home.weir(&["keys", "new", "team-search"]);
    let again = home.weir(&["keys", "new", "team-search"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("\"team-search\" has a key; choose another name"), "{again:?}");
    let wrong = home.weir(&["keys", "revoke", "team-serach"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("no key belongs to \"team-serach\" (did you mean \"team-search\"?)"), "{wrong:?}");
}

#[test]
fn a_key_that_expires_says_when_and_can_be_changed() {
    let home = Home::new();
    home.weir(&["keys", "new", "ada", "--expires", "90d", "--models", "gpt-4o"]);
    let listed = home.weir(&["keys", "list"]).out;
    assert!(listed.contains("\tgpt-4o\tuntil 20") && listed.ends_with("Z\n"), "{listed}");
    assert_eq!(home.weir(&["keys", "edit", "ada", "--never-expires", "--all-models"]).code, Some(0));
    assert!(home.weir(&["keys", "list"]).out.ends_with("\tall models\tvalid\n"));
    assert_eq!(home.weir(&["keys", "edit", "ada", "--expires", "0s"]).code, Some(0));
    assert!(home.weir(&["keys", "list"]).out.contains("\tall models\texpired 20"));
    let nothing = home.weir(&["keys", "edit", "ada"]);
    assert!(nothing.code == Some(2) && nothing.err.contains("--never-expires"), "{nothing:?}");
    let nobody = home.weir(&["keys", "edit", "adda", "--all-models"]);
    assert!(nobody.code == Some(1) && nobody.err.contains("did you mean \"ada\"?"), "{nobody:?}");
    assert_eq!(home.weir(&["keys", "new", "bob", "--expires", "soon"]).code, Some(2));
}

#[test]
fn a_key_belongs_to_a_team_and_may_be_limited_to_endpoints_and_networks() {
    let home = Home::new();
    let limits = ["--team", "search", "--endpoint", "chat", "--endpoint", "embeddings", "--network", "10.0.0.0/8"];
    home.weir(&[&["keys", "new", "ada", "--model", "gpt-4o"][..], &limits].concat());
    let list = || home.weir(&["keys", "list"]).out;
    assert!(list().ends_with("\tsearch\tgpt-4o; chat, embeddings only; from 10.0.0.0/8\tvalid\n"), "{}", list());
    let edit = |flags: &[&str]| home.weir(&[&["keys", "edit", "ada"], flags].concat());
    assert_eq!(edit(&["--no-team", "--all-endpoints", "--networks", "192.0.2.7,2001:db8::/32"]).code, Some(0));
    assert!(list().ends_with("\tno team\tgpt-4o; from 192.0.2.7, 2001:db8::/32\tvalid\n"), "{}", list());
    assert_eq!(edit(&["--team", "ads", "--all-networks"]).code, Some(0));
    assert!(list().ends_with("\tads\tgpt-4o\tvalid\n"), "{}", list());

    for (flags, said) in [
        (["--endpoint", "embedings"], "did you mean \"embeddings\"?"),
        (["--network", "10.1.0.0/8"], "did you mean 10.0.0.0/8?"),
        (["--network", "office"], "write it as 10.0.0.0/8"),
    ] {
        let wrong = edit(&flags);
        assert!(wrong.code == Some(2) && wrong.err.contains(said), "{wrong:?}");
    }
    let taken = home.weir(&["keys", "new", "jwt:ada"]);
    assert!(taken.code == Some(2) && taken.err.contains("callers without a key"), "{taken:?}");
}

#[test]
fn a_disabled_key_is_kept_and_its_successor_is_valid() {
    let home = Home::new();
    home.weir(&["keys", "new", "ada", "--team", "search"]);
    assert_eq!(home.weir(&["keys", "disable", "ada"]).code, Some(0));
    let list = || home.weir(&["keys", "list"]).out;
    assert!(list().ends_with("\tall models\tdisabled\n"), "{}", list());
    home.weir(&["keys", "rotate", "ada", "--overlap", "0s"]);
    let listed = list();
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines[0].contains("\tsearch\tall models\texpired 20"), "{listed}");
    assert!(lines[1].ends_with("\tsearch\tall models\tvalid"), "{listed}");
    home.weir(&["keys", "remove", "ada"]);
    home.weir(&["keys", "new", "ada"]);
    home.weir(&["keys", "disable", "ada"]);
    assert_eq!(home.weir(&["keys", "enable", "ada"]).code, Some(0));
    assert!(list().ends_with("\tvalid\n"), "{}", list());
    assert_eq!(home.weir(&["keys", "disable", "adda"]).code, Some(1));
}

/// Who had to change a key had to have nobody call meanwhile.
#[test]
fn of_a_key_that_is_rotated_both_live_for_a_while() {
    let home = Home::new();
    let first = home.weir(&["keys", "new", "ada", "--models", "gpt-4o"]).out;
    let second = home.weir(&["keys", "rotate", "ada", "--overlap", "1h"]).out;
    assert!(second.starts_with("weir-") && first != second, "{second}");
    let listed = home.weir(&["keys", "list"]).out;
    let lines: Vec<_> = listed.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains("\tgpt-4o\tuntil 20") && lines[1].ends_with("\tgpt-4o\tvalid"),
        "{listed}"
    );
    // What was to end sooner does.
    let before = home.read("state/keys.yaml");
    let end = before.split("expires: ").nth(1).unwrap().split('\n').next().unwrap();
    home.weir(&["keys", "rotate", "ada", "--overlap", "30d"]);
    let after = home.read("state/keys.yaml");
    assert!(
        after.contains(end) && after.matches("expires: ").count() == 2 && after.matches("- name: ").count() == 3,
        "{after}"
    );
    assert_eq!(home.weir(&["keys", "revoke", "ada"]).code, Some(0));
    assert_eq!(home.weir(&["keys", "list"]).out, "");
}

#[test]
fn keys_made_at_the_same_time_are_all_kept() {
    let home = Home::new();
    let start =
        |team| home.command(&["keys", "new", team]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for mut child in ["a", "b", "c", "d", "e", "f", "g", "h"].map(start) {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(home.weir(&["keys", "list"]).out.lines().count(), 8);
}

#[test]
fn a_file_that_weir_did_not_write_is_not_changed() {
    let home = Home::new();
    let file = home.write("ours.yaml", "- { name: ada, sha256: 00 }\n");
    let said = home.weir(&["keys", "--file", file.to_str().unwrap(), "new", "bob"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("ours.yaml:1: not written by `weir keys`"), "{said:?}");
    assert_eq!(home.read("ours.yaml"), "- { name: ada, sha256: 00 }\n");
}

/// One key for one configuration's model once kept every other configuration of the same user from starting.
#[test]
fn a_key_for_a_model_of_one_configuration_leaves_the_others_alone() {
    let home = Home::new();
    let with = |model: &str| {
        format!(
            "providers:\n  sim: {{ dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }}\nmodels:\n  {model}: {{ targets: \
             [{{ provider: sim }}] }}\n"
        )
    };
    home.write("one.yaml", &with("assistant"));
    home.write("other.yaml", &with("coder"));
    home.weir(&["keys", "new", "team-a", "--models", "assistant"]);
    let one = home.weir(&["check", "one.yaml"]);
    assert_eq!((one.code, one.err.as_str()), (Some(0), ""), "{one:?}");
    let other = home.weir(&["check", "other.yaml"]);
    assert_eq!(other.code, Some(0), "{other:?}");
    let warning = "keys.yaml:4: [0].models: the key \"team-a\" names models that this configuration does not have: assistant \
                   (this is right if another configuration has them)";
    assert!(other.err.starts_with("warning: ") && other.err.contains(warning), "{other:?}");

    // It opens nothing there, and what a configuration itself says must be so.
    let hash = weir_core::key::KeyHash::of(b"weir-x").to_string();
    home.write("own.yaml", &format!("{}keys: [{{ name: x, sha256: {hash}, models: [codr] }}]\n", with("coder")));
    let own = home.weir(&["check", "own.yaml"]);
    assert_eq!(own.code, Some(1), "{own:?}");
    assert!(own.err.contains("keys[0].models[0]: no model is called \"codr\" (did you mean \"coder\"?)"), "{own:?}");
    home.weir(&["keys", "new", "team-b", "--models", "coder,codr"]);
    let typo = home.weir(&["check", "other.yaml"]);
    assert!(typo.err.contains("this configuration does not have: codr (did you mean \"coder\"?)"), "{typo:?}");
}

/// A script that wrote a key to a full disk had been told that all was well, and the name was taken.
#[test]
fn a_key_that_could_not_be_shown_is_not_kept() {
    let home = Home::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let said = home.command(&["keys", "new", "ada"]).stdout(full).output().unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{err}");
    assert!(err.contains("standard output cannot be written"), "{err}");
    assert_eq!(home.weir(&["keys", "list"]).out, "");
    assert_eq!(home.weir(&["keys", "new", "ada"]).code, Some(0));
}

#[test]
fn a_first_key_that_cannot_be_kept_is_none() {
    let home = Home::new();
    home.write("weir.yaml", &format!("listen: {}\n", weir_ports::free()));
    fs::create_dir_all(home.path("state/key")).unwrap();
    let said = home.weir(&["up"]);
    assert!(said.code == Some(1) && said.err.contains("state/key: Is a directory"), "{said:?}");
    assert_eq!(home.weir(&["keys", "list"]).out, "");
}

#[test]
fn models_are_named_with_or_without_a_space_and_none_is_nameless() {
    let home = Home::new();
    home.weir(&["keys", "new", "ada", "--models", "gpt-4o-mini, assistant"]);
    assert!(home.read("state/keys.yaml").contains(r#"models: ["gpt-4o-mini", "assistant"]"#));
    let said = home.weir(&["keys", "new", "bob", "--models", ","]);
    assert!(said.code == Some(2) && said.err.contains("write names of models"), "{said:?}");
}

/// Made by root, a key once took the file away from the user whom the gateway runs as.
#[test]
fn a_keys_file_stays_who_may_read_it_and_where_a_link_leads() {
    let home = Home::new();
    let file = home.write("shared.yaml", "");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&file, home.path("keys.yaml")).unwrap();
    assert_eq!(home.weir(&["keys", "--file", "keys.yaml", "new", "ada"]).code, Some(0));
    assert!(fs::symlink_metadata(home.path("keys.yaml")).unwrap().is_symlink());
    assert!(home.read("shared.yaml").contains("ada"), "{}", home.read("shared.yaml"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}
