//! The simulator by itself: what it says that it can do, it does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use weir_tests::Home;

/// Ends with its value.
struct Sim(Child);

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask(address: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_faults_are_listed_and_a_wrong_one_leads_to_the_list() {
    let home = Home::new();
    let listed = home.weir(&["sim", "--list-faults"]);
    assert_eq!((listed.code, listed.err.as_str()), (Some(0), ""), "{listed:?}");
    for fault in weir_sim::faults() {
        let line = listed.out.lines().find(|line| line.split_whitespace().next() == Some(fault.name));
        assert!(line.is_some_and(|line| line.ends_with(fault.what)), "{}: {line:?}", fault.name);
    }
    for (wrong, hint) in [("gpt-4o=503s", "`weir sim --list-faults` prints"), ("503", "MODEL=FAULT")] {
        let said = home.weir(&["sim", "--fault", wrong]);
        assert!(said.code == Some(2) && said.err.contains(hint), "{said:?}");
    }
}

#[test]
fn where_the_start_says_that_there_is_help_there_is_and_faults_are_in_force() {
    let home = Home::new();
    let flags = ["sim", "--keyless", "--listen", "127.0.0.1:0", "--fault", "gpt-4o=503", "--fault", "o3=429-retry-7"];
    let mut sim = Sim(home.command(&flags).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(sim.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().rsplit_once("what it can do: ").unwrap().1;
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let help = ask(address, "GET", &format!("/{path}"), "");
    assert!(help.starts_with("HTTP/1.1 200") && help.contains("PUT /_sim/faults"), "{help}");
    for (model, expect) in [("gpt-4o", "HTTP/1.1 503"), ("o3", "retry-after: 7"), ("gpt-4o-mini", "HTTP/1.1 200")] {
        let body = format!(r#"{{"model": "{model}", "messages": [{{"role": "user", "content": "Hi"}}]}}"#);
        let answer = ask(address, "POST", "/v1/chat/completions", &body);
        assert!(answer.contains(expect), "{model}: {answer}");
    }
}
