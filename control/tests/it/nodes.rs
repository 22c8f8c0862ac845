//! Several Envoys from one process: a node is a value, and nothing of it is this machine's.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use weir_control::publisher::Publisher;
use weir_control::render::{Control, ControlAddress, Door, Kind, Module, Node, Resources, render};
use weir_core::config::Gateway;

use crate::common::{copy, environment, node, repository};

fn gateway(folder: &Path) -> Gateway {
    let file = copy(&repository().join("config/weir.yaml"), folder);
    weir_control::load(&file, &environment(folder)).unwrap().gateway
}

/// Two nodes that have nothing in common. Nothing of them is on this machine.
fn nodes(folder: &Path) -> [Node; 2] {
    let one = node(Path::new("/srv/one"), &environment(folder));
    let two = Node {
        filter: Module::Native("/opt/two/filter.so".into()),
        ca_bundle: Some("/opt/two/ca.pem".into()),
        connections: 7,
        door: Door::Internal,
        ..node(Path::new("/srv/two"), &environment(folder))
    };
    [one, two]
}

fn text(resources: &Resources) -> String {
    let files: Vec<String> = resources.files().into_iter().map(|(_, name, text)| format!("{name}\n{text}")).collect();
    files.concat()
}

#[test]
fn two_nodes_are_rendered_side_by_side_and_each_names_its_own_places() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(folder.path());
    let [one, two] = nodes(folder.path());
    let rendered = [&one, &two, &one, &two].map(|node| text(&render(&gateway, node).unwrap()));
    assert!(rendered[0] == rendered[2] && rendered[1] == rendered[3], "rendering one changes nothing for the other");
    for (text, own, other) in [(&rendered[0], "/srv/one/", "two"), (&rendered[1], "/srv/two/", "one")] {
        assert!(text.contains(&format!("{own}sidecar.sock")), "{own}");
        assert!(text.contains(&format!("{own}envoy/cds.json")), "{own}");
        assert!(!text.contains(&format!("/srv/{other}/")) && !text.contains(&format!("/opt/{other}/")), "{own}");
    }
}

#[test]
fn a_node_that_shares_its_limits_knows_how_to_reach_control() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(folder.path());
    let [alone, _] = nodes(folder.path());
    assert!(!text(&render(&gateway, &alone).unwrap()).contains("weir-control"));
    let places = [
        (
            ControlAddress::Socket("/run/control.sock".into()),
            "STATIC",
            json!({ "pipe": { "path": "/run/control.sock" } }),
        ),
        (
            ControlAddress::Host("10.1.2.3".into(), 7),
            "STATIC",
            json!({ "socket_address": { "address": "10.1.2.3", "port_value": 7 } }),
        ),
        (
            ControlAddress::Host("control.example".into(), 7),
            "STRICT_DNS",
            json!({ "socket_address": { "address": "control.example", "port_value": 7 } }),
        ),
    ];
    for (at, kind, address) in places {
        let shares = Node { control: Some(Control::at(at, "one")), ..alone.clone() };
        let resources = render(&gateway, &shares).unwrap();
        let (_, _, bootstrap) = resources.files().into_iter().find(|(_, name, _)| name == "bootstrap.json").unwrap();
        let bootstrap: Value = serde_json::from_str(&bootstrap).unwrap();
        let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
        let cluster = clusters.iter().find(|cluster| cluster["name"] == "weir-control").unwrap();
        let known = cluster.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address").unwrap();
        assert_eq!((&cluster["type"], known), (&json!(kind), &address));
        let settings = json!({ "steward": { "control": { "cluster": "weir-control", "node": "one" } } });
        let extensions = bootstrap["bootstrap_extensions"].as_array().unwrap();
        let told = extensions.iter().filter_map(|one| one.pointer("/typed_config/config/configuration/value"));
        let told: Vec<Value> = told.map(|told| serde_json::from_str(told.as_str().unwrap()).unwrap()).collect();
        assert_eq!(told, [settings]);
    }
}

#[test]
fn a_question_for_control_has_a_route_before_that_of_requests_without_a_plan() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(folder.path());
    let [alone, _] = nodes(folder.path());
    let at = ControlAddress::Socket("/run/control.sock".into());
    let shares = Node { control: Some(Control::at(at, "one")), ..alone };
    let own = json!({
        "name": "own",
        "virtual_hosts": [{ "routes": [{ "match": { "prefix": "/v1/" }, "route": { "cluster": "weir" } }] }],
    });
    for (door, prefix) in [(Door::Port, ""), (Door::Internal, ""), (Door::Chain(own), "weir-")] {
        let resources = render(&gateway, &Node { door, ..shares.clone() }).unwrap();
        let rendered: Value = serde_json::from_str(&resources.files_of(Kind::Routes)[0].1).unwrap();
        let routes = rendered.pointer("/resources/0/virtual_hosts/0/routes").unwrap().as_array().unwrap();
        let [.., control, no_plan] = routes.as_slice() else { panic!("{rendered}") };
        let state = json!([{ "key": "wasm.weir.control", "string_match": { "exact": "usage" } }]);
        assert_eq!(control["name"], format!("{prefix}control"));
        assert_eq!((&control["match"]["filter_state"], &control["route"]["cluster"]), (&state, &json!("weir-control")));
        assert_eq!(no_plan["name"], format!("{prefix}no-plan"));
    }
}

#[tokio::test]
async fn two_nodes_are_published_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(folder.path());
    let [one, two] = nodes(folder.path()).map(|node| render(&gateway, &node).unwrap());
    let folders = ["one", "two"].map(|name| folder.path().join(name));
    let mut publishers = folders.each_ref().map(|folder| Publisher::new(folder, None));
    let now = Instant::now();
    publishers[0].publish(one.clone(), now).await.unwrap();
    publishers[1].publish(two.clone(), now).await.unwrap();
    let held = |at: usize, kind: Kind| std::fs::read_to_string(folders[at].join(kind.file())).unwrap();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Secrets) {
        assert_eq!(held(0, kind), one.files_of(kind)[0].1);
        assert_eq!(held(1, kind), two.files_of(kind)[0].1);
    }
    // The last change of one is none of the other's.
    let last = render(&gateway.clone().draining(), &nodes(folder.path())[0]).unwrap();
    Publisher::drain(&folders[0], &last).unwrap();
    assert_ne!(held(0, Kind::Edge), one.files_of(Kind::Edge)[0].1);
    assert_eq!(held(1, Kind::Edge), two.files_of(Kind::Edge)[0].1);
}
