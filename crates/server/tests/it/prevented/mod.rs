//! Attacks that are known from elsewhere, each with a test named after what does not happen.

mod accounts;
mod oauth;

use std::path::Path;

/// Every test that the documents about security name, there is.
#[test]
fn no_promise_outlives_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tests = String::new();
    for folder in ["crates", "tests"] {
        gather(&root.join(folder), &mut tests);
    }
    let mut count = 0;
    for file in ["SECURITY.md", "docs/security/oauth.md"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        for line in text.lines().filter(|line| line.starts_with('|')) {
            let held = line.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
            for (index, name) in held.split('`').enumerate().filter(|(index, _)| index % 2 == 1) {
                let is_test = name.contains('_') && !name.contains(['.', '-']);
                let (exact, begins) = (format!("fn {name}("), format!("fn {}", name.trim_end_matches("..")));
                let found = tests.contains(&exact) || (line.contains("_..`") && tests.contains(&begins));
                assert!(!is_test || found, "{file} names {name}, piece {index}");
                count += usize::from(is_test);
            }
            for title in held.split('*').skip(1).step_by(2) {
                assert!(tests.contains(title.trim()), "{file} names {title}");
                count += 1;
            }
        }
    }
    assert!(count > 90, "{count}");
}

fn gather(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "node_modules" {
            gather(&path, all);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "mjs") {
            all.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
