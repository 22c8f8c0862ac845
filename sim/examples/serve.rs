//! Serves a simulator with default options until it is killed: `cargo run -p weir-sim --example serve -- 127.0.0.1:8080`.

use weir_sim::{Options, Sim};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    if let Some(listen) = std::env::args().nth(1) {
        options.listen = listen.parse()?;
    }
    let sim = Sim::start(options).await?;
    println!("{}", sim.url());
    std::future::pending::<()>().await;
    Ok(())
}
