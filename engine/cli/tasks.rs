//! `formers tasks`: what there is to run.

use anyhow::Result;
use clap::Args;
use formers::pipelines::{self, TASKS, Task};
use serde_json::{Value, json};

use super::{failure::asked, output, table};

/// List the tasks, or show one with its inputs and parameters
#[derive(Args)]
pub(super) struct Tasks {
    /// A task to show in full.
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Tasks {
    pub(super) fn execute(self) -> Result<()> {
        match &self.name {
            Some(name) => {
                let task = pipelines::find(name).map_err(asked)?;
                if self.json { output::json(&document(task)) } else { output::text(&in_full(task)) }
            }
            None if self.json => output::json(&TASKS.iter().map(document).collect::<Vec<_>>()),
            None => {
                let row = |task: &Task| vec![names(task).join(", "), task.summary.to_owned()];
                output::text(&table::aligned(&TASKS.iter().map(row).collect::<Vec<_>>()))
            }
        }
    }
}

fn names(task: &Task) -> Vec<&str> {
    std::iter::once(task.id).chain(task.aliases.iter().copied()).collect()
}

fn in_full(task: &Task) -> String {
    let parameters = if task.parameters.is_empty() { "none".to_owned() } else { task.parameters.join(", ") };
    let rows = [
        ("task", names(task).join(", ")),
        ("gives", task.summary.to_owned()),
        ("inputs", task.inputs.to_owned()),
        ("parameters", parameters),
        ("default model", task.default_model.to_owned()),
    ];
    table::aligned(&rows.map(|(name, text)| vec![name.to_owned(), text]))
}

fn document(task: &Task) -> Value {
    json!({
        "task": task.id,
        "aliases": task.aliases,
        "summary": task.summary,
        "inputs": task.inputs,
        "parameters": task.parameters,
        "default_model": task.default_model,
    })
}
