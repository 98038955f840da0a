//! `formers run`: one call of a task.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use formers::pipelines;
use serde_json::Value;

use super::{input, model_options::ModelOptions, output, save, show};

/// Run a task on inputs
///
/// With --request the exact form: FILE holds {"inputs": …, "parameters": {…}}, where `inputs` is the first argument of the Python
/// pipeline and `parameters` its keyword arguments; the answer is printed as one JSON document.
#[derive(Args)]
#[command(after_help = "Examples:
  formers run text-classification 'I loved it'
  formers run feature-extraction 'a text' --model sentence-transformers/all-MiniLM-L6-v2 --param pooling=model --json
  echo '{\"inputs\": {\"question\": \"Who?\", \"context\": \"Ada did.\"}}' | formers run question-answering --request -")]
pub(super) struct Run {
    /// The task; `formers tasks` lists them.
    task: String,
    /// What to run it on: texts, or paths and addresses of pictures and sounds. Several are a list; - reads standard input, a
    /// line each.
    #[arg(value_name = "INPUT", conflicts_with = "request")]
    inputs: Vec<String>,
    /// A model on the Hub or a folder; by default the task's own.
    #[arg(short, long, value_name = "REPO|DIR")]
    model: Option<String>,
    /// A parameter of the task. The value is JSON, or else a string. `formers tasks TASK` lists them.
    #[arg(short, long = "param", value_name = "KEY=VALUE", conflicts_with = "request")]
    params: Vec<String>,
    /// Read inputs and parameters from a JSON file, or from standard input for -.
    #[arg(short, long, value_name = "FILE|-")]
    request: Option<String>,
    /// Print the answer as JSON, also on a terminal.
    #[arg(long)]
    json: bool,
    /// Write the picture or the sound of the answer to a file. Of several, each gets a number in its name.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    pub(super) options: ModelOptions,
}

impl Run {
    pub(super) fn execute(self) -> Result<()> {
        let task = pipelines::find(&self.task)?;
        // A wrong request is told before a model is loaded.
        let request = match &self.request {
            Some(file) => input::request(file)?,
            None => input::arguments(task, &self.inputs, &self.params)?,
        };
        let model = self.model.as_deref().unwrap_or(task.default_model);
        let pipeline = formers::pipeline(&self.task, self.options.resolve(model))?;
        let for_people = self.request.is_none() && !self.json && output::for_people();
        if for_people
            && self.save.is_none()
            && let Some(pieces) = pipeline.stream_call(&request.inputs, &request.parameters)?
        {
            return output::pieces(pieces);
        }
        let mut answer = pipeline.call(&request.inputs, &request.parameters)?;
        if let Some(file) = &self.save {
            save::media(&answer, file, task.id)?;
        }
        if for_people {
            if self.save.is_some() {
                save::remove_media(&mut answer);
            }
            return output::text(&show::answer(&headings(&request.inputs), &answer));
        }
        output::json(&answer)
    }
}

/// The inputs as headings of their answers, where there are several: the list, or the list among the fields of an object.
fn headings(inputs: &Value) -> Vec<String> {
    let list = match inputs {
        Value::Object(fields) => fields.values().find_map(Value::as_array),
        other => other.as_array(),
    };
    list.map(|list| list.iter().map(show::cell).collect()).unwrap_or_default()
}
