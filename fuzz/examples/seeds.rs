//! Writes every target's seeds into a folder of its name, and the words of the corpus as a dictionary: `seeds FOLDER`. Prints
//! the names.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).expect("a folder"));
    let mut words = BTreeSet::new();
    for target in weir_fuzz::all() {
        let own = folder.join(&target.name);
        fs::create_dir_all(&own)?;
        println!("{}", target.name);
        for (number, seed) in target.seeds.iter().enumerate() {
            fs::write(own.join(format!("{number:04}")), seed)?;
            // Names of members and the like: what stands between two quotes.
            let text = String::from_utf8_lossy(seed);
            let short = |word: &&str| (2..30).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
            words.extend(text.split('"').filter(short).map(str::to_owned));
        }
    }
    let lines = words.iter().map(|word| format!("\"\\\"{}\\\"\"\n", word.replace('\\', "\\\\")));
    fs::write(folder.join("words.dict"), lines.collect::<String>())
}
