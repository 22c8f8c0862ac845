//! The row of the models.

/// The longest line of names.
const WIDTH: usize = 88;
/// The most lines of names.
const LINES: usize = 4;

/// The names of the models in lines that fit a terminal. If there are many, the last line says how to see the rest.
pub(super) fn lines(models: &[&str], url: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for (index, name) in models.iter().enumerate() {
        if !line.is_empty() && line.chars().count() + 2 + name.chars().count() > WIDTH {
            lines.push(std::mem::take(&mut line) + ",");
            if lines.len() == LINES {
                lines.push(format!("… {} more: GET {url}/models lists all", models.len() - index));
                return lines;
            }
        }
        line += if line.is_empty() { "" } else { ", " };
        line += name;
    }
    lines.extend(Some(line).filter(|line| !line.is_empty()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_in_lines_that_a_terminal_holds() {
        assert_eq!(lines(&["a", "b"], "u"), ["a, b"]);
        assert!(lines(&[], "u").is_empty());
        let names: Vec<String> = (0..100).map(|number| format!("provider/model-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let few = lines(&names[..16], "u");
        assert_eq!(few.concat().split(',').count(), 16, "{few:?}");
        assert!(few.len() == 4 && few.iter().all(|line| line.len() <= WIDTH + 1), "{few:?}");
        let many = lines(&names, "http://127.0.0.1:10000/v1");
        let shown = many[..LINES].concat().matches(',').count();
        assert_eq!(many[LINES], format!("… {} more: GET http://127.0.0.1:10000/v1/models lists all", 100 - shown));
        let long = "n".repeat(200);
        assert_eq!(lines(&["a", &long, "b"], "u"), ["a,", &format!("{long},"), "b"]);
    }
}
