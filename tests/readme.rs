//! The generated tables of the README are those of the code. `FORMERS_UPDATE=1 cargo test --test readme` writes them.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use formers::pipelines::TASKS;
use formers_models::ARCHITECTURES;

fn tasks() -> String {
    let mut table = String::from("| task | what it gives | inputs | parameters |\n|---|---|---|---|\n");
    for task in TASKS {
        let aliases: String = task.aliases.iter().map(|alias| format!(", `{alias}`")).collect();
        let parameters: Vec<String> = task.parameters.iter().map(|p| format!("`{p}`")).collect();
        table += &format!("| `{}`{aliases} | {} | {} | {} |\n", task.id, task.summary, task.inputs, parameters.join(", "));
    }
    table
}

fn architectures() -> String {
    let mut table = String::from("| `model_type` | heads |\n|---|---|\n");
    for architecture in ARCHITECTURES {
        let heads: Vec<&str> = architecture.heads.iter().map(|head| head.suffix()).collect();
        table += &format!("| `{}` | {} |\n", architecture.model_type, heads.join(", "));
    }
    table
}

#[test]
fn tables_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut readme = fs::read_to_string(&path).unwrap();
    let old = readme.clone();
    for (name, table) in [("tasks", tasks()), ("architectures", architectures())] {
        let start = readme.find(&format!("<!-- {name}:")).unwrap();
        let start = start + readme[start..].find('\n').unwrap() + 1;
        let end = readme.find(&format!("<!-- end of {name} -->")).unwrap();
        readme.replace_range(start..end, &table);
    }
    if std::env::var_os("FORMERS_UPDATE").is_some() {
        fs::write(&path, &readme).unwrap();
    } else {
        assert!(readme == old, "the README's tables are old: FORMERS_UPDATE=1 cargo test --test readme");
    }
}
