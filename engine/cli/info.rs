//! `formers info`: what a model is, and what it can do.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use formers::{
    Options,
    model::{Model, Pretrained},
    pipelines::{Task, tasks_of},
    session::{Optimization, Port},
};
use serde::Serialize;
use serde_json::json;

use super::{card::Card, model_options::ModelOptions, output, table};

/// Show a model's architecture, tasks, parameters, files, what its card says, and the inputs and outputs of its graphs
///
/// Of a model on the Hub only its configs are downloaded: what its weights would tell is shown once they are in the cache.
#[derive(Args)]
pub(super) struct Info {
    /// A model on the Hub or a folder.
    pub(super) model: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) options: ModelOptions,
}

#[derive(Serialize)]
struct Report {
    model: String,
    revision: Option<String>,
    model_type: String,
    /// Whether its weights can be converted; ready-made ONNX files run in any case.
    known: bool,
    architectures: Vec<String>,
    heads: Vec<&'static str>,
    tasks: Vec<&'static str>,
    /// How many numbers the weights are, and how many of each type.
    parameters: Option<u64>,
    dtypes: Option<BTreeMap<String, u64>>,
    /// What the model card says.
    card: Option<Card>,
    /// Whether access must be asked for, and who grants it, `auto` or `manual`; `None` where nobody was asked.
    gated: Option<serde_json::Value>,
    files: Vec<File>,
    graphs: BTreeMap<String, Graph>,
    /// What could not be found out, and why.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct File {
    name: String,
    size: Option<u64>,
    /// Whether tasks need it.
    needed: bool,
}

#[derive(Serialize)]
struct Graph {
    inputs: Vec<serde_json::Value>,
    outputs: Vec<serde_json::Value>,
    #[serde(skip)]
    lines: Vec<String>,
}

impl Info {
    pub(super) fn execute(self) -> Result<()> {
        let mut options = self.options.resolve(&self.model);
        // Nothing is computed, so that nothing needs to be made faster.
        options.session.optimization = Optimization::Disable;
        options.session.prepacking = false;
        let report = Report::new(options)?;
        if self.json { output::json(&report) } else { output::text(&report.text()) }
    }
}

impl Report {
    fn new(options: Options) -> Result<Self> {
        let pretrained = Pretrained::open(options.clone())?;
        let architecture = formers_models::find(pretrained.config.model_type());
        let checkpoint = &pretrained.checkpoint;
        let mut problems = Vec::new();
        let needed = pretrained.files().unwrap_or_else(|error| {
            problems.push(error.to_string());
            Vec::new()
        });
        let parameters = pretrained.parameters()?;
        let here = needed.iter().all(|file| checkpoint.local(file).is_some());
        if !here {
            problems.push(format!("its weights are not here, which would tell more: formers download {}", checkpoint.name()));
        }
        let graphs = match pretrained.model(pretrained.head()) {
            _ if !here || needed.is_empty() => BTreeMap::new(),
            Ok(model) => graphs(&model)?,
            Err(error) => {
                problems.push(format!("the graph cannot be shown: {error}"));
                BTreeMap::new()
            }
        };
        let card = card(&pretrained).unwrap_or_else(|problem| {
            problems.push(format!("the model card cannot be read: {problem}"));
            None
        });
        let gated = gated(&options, &mut problems);
        let file = |name: &String| File { name: name.clone(), size: checkpoint.size(name), needed: needed.contains(name) };
        Ok(Self {
            model: checkpoint.name().to_owned(),
            revision: checkpoint.revision().map(str::to_owned),
            model_type: pretrained.config.model_type().to_owned(),
            known: architecture.is_some(),
            architectures: pretrained.config.architectures().into_iter().map(str::to_owned).collect(),
            heads: architecture.map(|a| a.heads.iter().map(|head| head.suffix()).collect()).unwrap_or_default(),
            tasks: tasks_of(&pretrained).into_iter().filter(|task| graphs.is_empty() || loads(task, &options)).map(|t| t.id).collect(),
            parameters: parameters.as_ref().map(|counts| counts.values().sum()),
            dtypes: parameters.map(|counts| counts.into_iter().map(|(dtype, count)| (format!("{dtype:?}"), count)).collect()),
            card,
            gated,
            files: checkpoint.files().iter().map(file).collect(),
            graphs,
            problems,
        })
    }

    fn text(&self) -> String {
        let list = |items: &[&str]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        let known = if self.known { "" } else { " (not known: runs from ready-made ONNX files only)" };
        let mut rows = vec![("model", self.model.clone())];
        rows.extend(self.revision.clone().map(|revision| ("revision", revision)));
        rows.push(("architecture", format!("{}{known}", self.model_type)));
        rows.push(("saved as", self.architectures.join(", ")));
        if self.known {
            rows.push(("heads", list(&self.heads)));
        }
        rows.push(("tasks", list(&self.tasks)));
        if let (Some(count), Some(dtypes)) = (self.parameters, &self.dtypes) {
            let dtypes: Vec<String> = dtypes.iter().map(|(dtype, count)| format!("{} {dtype}", table::thousands(*count))).collect();
            rows.push(("parameters", format!("{} ({})", table::thousands(count), dtypes.join(", "))));
        }
        rows.extend(self.card.iter().flat_map(Card::rows));
        rows.extend(self.gated.as_ref().map(|gate| ("access", access(gate))));
        let rows = rows.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| vec![name.to_owned(), text]);
        let mut text = table::aligned(&rows.collect::<Vec<_>>());

        text.push_str("\nfiles (* tasks need)\n");
        let row = |file: &File| {
            let mark = if file.needed { "*" } else { " " };
            vec![format!("  {mark} {}", file.name), file.size.map(table::bytes).unwrap_or_default()]
        };
        text.push_str(&table::aligned(&self.files.iter().map(row).collect::<Vec<_>>()));
        for (role, graph) in &self.graphs {
            text.push_str(&format!("\ngraph {role}\n"));
            graph.lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
        for problem in &self.problems {
            text.push_str(&format!("\nnote: {problem}\n"));
        }
        text
    }
}

/// The model card, if there is one that can be had.
fn card(pretrained: &Pretrained) -> Result<Option<Card>, String> {
    const MOST_BYTES: u64 = 64 << 20;
    const FILE: &str = "README.md";
    if pretrained.checkpoint.size(FILE).is_some_and(|size| size > MOST_BYTES) {
        return Err(format!("it is larger than {} MB", MOST_BYTES >> 20));
    }
    let readme = pretrained.checkpoint.read(FILE).map_err(|error| error.to_string())?;
    readme.map_or(Ok(None), |readme| Card::read(&readme))
}

/// What the Hub says of who may have the model: false for everybody.
#[cfg(feature = "hub")]
fn gated(options: &Options, problems: &mut Vec<String>) -> Option<serde_json::Value> {
    match formers::hub::about(&options.model, &options.hub) {
        Ok(about) => about.map(|about| about.gated.map_or(json!(false), |gate| json!(gate))),
        Err(problem) => {
            problems.push(format!("the Hub was asked whether the model is gated: {problem}"));
            None
        }
    }
}

#[cfg(not(feature = "hub"))]
fn gated(_: &Options, _: &mut Vec<String>) -> Option<serde_json::Value> {
    None
}

fn access(gate: &serde_json::Value) -> String {
    match gate.as_str() {
        Some("manual") => "gated: its owners grant it".to_owned(),
        Some(_) => "gated: granted to those who agree to its terms".to_owned(),
        None => "everybody".to_owned(),
    }
}

fn loads(task: &Task, options: &Options) -> bool {
    // What the task would have to tell is no matter here.
    let quietly = tracing::subscriber::NoSubscriber::default();
    tracing::subscriber::with_default(quietly, || formers::pipeline(task.id, options.clone())).is_ok()
}

fn graphs(model: &Model) -> Result<BTreeMap<String, Graph>> {
    let port = |port: &Port| {
        let shape: Vec<String> = port.shape.iter().map(ToString::to_string).collect();
        json!({ "name": port.name, "dtype": port.dtype.map(|dtype| format!("{dtype:?}")), "shape": shape })
    };
    let graph = |role: &str| {
        let session = model.session(role)?;
        let inputs = session.inputs().iter().map(|port| format!("input   {port}"));
        let outputs = session.outputs().iter().map(|port| format!("output  {port}"));
        let lines = inputs.chain(outputs).collect();
        Ok((
            role.to_owned(),
            Graph { inputs: session.inputs().iter().map(port).collect(), outputs: session.outputs().iter().map(port).collect(), lines },
        ))
    };
    model.roles().map(graph).collect()
}
