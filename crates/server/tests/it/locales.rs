//! Every language says everything, with the same arguments, and nothing that nobody asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The messages and attributes of a language, each with the arguments it takes.
fn messages(file: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut message = String::new();
    let mut at = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let named = line.trim_start().split_once(" = ").or_else(|| line.trim_start().split_once(" ="));
        match named {
            Some((name, _)) if !line.starts_with(' ') => {
                name.clone_into(&mut message);
                at.clone_from(&message);
            }
            Some((name, _)) if line.trim_start().starts_with('.') => at = format!("{message}{name}"),
            _ => {}
        }
        let arguments = found.entry(at.clone()).or_default();
        for argument in line.split("{ $").skip(1) {
            arguments.insert(argument.split([' ', '}']).next().unwrap().to_owned());
        }
    }
    found
}

fn locales() -> Vec<(String, BTreeMap<String, BTreeSet<String>>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("locales");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), messages(&path.join("guildhall.ftl")))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_language_says_everything() {
    let all = locales();
    assert_eq!(guildhall::say::languages(), all.iter().map(|(tag, _)| tag.clone()).collect::<Vec<_>>());
    let (_, english) = all.iter().find(|(tag, _)| tag == "en").unwrap();
    assert!(english.len() > 200, "{}", english.len());
    for (tag, messages) in &all {
        assert_eq!(messages, english, "{tag}");
    }
}

#[test]
fn every_message_that_is_asked_for_exists_and_every_other_one_is_gone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = String::new();
    for folder in
        ["src/dashboard", "src/mail", "src/accounts", "templates/pages", "../../crates/server/src/cli"]
    {
        gather(&root.join(folder), &mut source);
    }
    let english = messages(&root.join("locales/en/guildhall.ftl"));
    // Names that are put together at run time, and what there is of each.
    let made = [
        "wrong-",
        "said-",
        "dead-",
        "factor-",
        "right-",
        "tab-",
        "letter-",
        "invitation-",
        "member-",
        "field-",
    ];
    let quoted: BTreeSet<&str> = source.split('"').collect();
    for name in english.keys() {
        let found = quoted.contains(name.as_str()) || made.iter().any(|prefix| name.starts_with(prefix));
        assert!(found, "nobody says {name}");
    }
    for asked in source.split("say.of(\"").skip(1).chain(source.split("say(\"").skip(1)) {
        let name = asked.split('"').next().unwrap();
        assert!(english.contains_key(name), "{name} is asked for and missing");
    }
    for asked in source.split("?said=").skip(1) {
        let name: String = asked.chars().take_while(|one| one.is_ascii_lowercase() || *one == '-').collect();
        assert!(name.is_empty() || english.contains_key(&format!("said-{name}")), "{name}");
    }
}

fn gather(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, all);
        } else {
            all.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
