//! The generated tables of the README and of `docs/` are those of the code. `FORMERS_UPDATE=1 cargo test --test tasks readme` writes them.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use formers::{config::GenerationConfig, pipelines::TASKS};
use formers_models::ARCHITECTURES;

fn tasks() -> String {
    let mut table = String::from("| task | what it gives | inputs |\n|---|---|---|\n");
    for task in TASKS {
        let aliases: String = task.aliases.iter().map(|alias| format!(", `{alias}`")).collect();
        table += &format!("| `{}`{aliases} | {} | {} |\n", task.id, task.summary, task.inputs);
    }
    table
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What is said of each task; the parameters of `generate`, which tasks that write share, once.
fn parameters() -> String {
    let generation = GenerationConfig::PARAMETERS;
    let mut text = String::from("| task | parameters |\n|---|---|\n");
    for task in TASKS {
        let (shared, own): (Vec<&str>, Vec<&str>) = task.parameters.iter().copied().partition(|name| generation.contains(name));
        let writes = shared.len() > generation.len() / 2;
        let listed = if writes { names(&own) + "; those of generation" } else { names(task.parameters) };
        let missing: Vec<&str> = generation.iter().copied().filter(|name| writes && !shared.contains(name)).collect();
        let but = if missing.is_empty() { String::new() } else { format!(" but for {}", names(&missing)) };
        text += &format!("| `{}` | {listed}{but} |\n", task.id);
    }
    text + &format!("\nThose of generation: {}\n", names(generation))
}

fn architectures() -> String {
    let mut table = String::from("| `model_type` | heads |\n|---|---|\n");
    for architecture in ARCHITECTURES.iter().filter(|architecture| !architecture.heads.is_empty()) {
        let heads: Vec<&str> = architecture.heads.iter().map(|head| head.suffix()).collect();
        table += &format!("| `{}` | {} |\n", architecture.model_type, heads.join(", "));
    }
    table
}

#[test]
fn tables_are_those_of_the_code() {
    is_up_to_date("README.md", &[("tasks", tasks())]);
    is_up_to_date("docs/architectures.md", &[("architectures", architectures())]);
    is_up_to_date("docs/tasks.md", &[("tasks", parameters())]);
}

fn is_up_to_date(file: &str, tables: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let mut readme = fs::read_to_string(&path).unwrap();
    let old = readme.clone();
    for (name, table) in tables {
        let start = readme.find(&format!("<!-- {name}:")).unwrap();
        let start = start + readme[start..].find('\n').unwrap() + 1;
        let end = readme.find(&format!("<!-- end of {name} -->")).unwrap();
        readme.replace_range(start..end, table);
    }
    if std::env::var_os("FORMERS_UPDATE").is_some() {
        fs::write(&path, &readme).unwrap();
    } else {
        assert!(readme == old, "{file}: its tables are old: FORMERS_UPDATE=1 cargo test --test tasks readme");
    }
}
