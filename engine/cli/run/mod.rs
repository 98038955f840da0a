//! `formers run`: a task on one input or many.

mod answers;
mod queue;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Args;
use formers::pipelines::{self, AnyPipeline, Task};
use serde_json::Value;

use super::{
    failure::{self, Called, Interrupted, asked},
    input::{self, Content, Inputs, Item, Place, Reading},
    interrupt, logging,
    model_options::ModelOptions,
    output, progress, save, show,
    sink::{Document, Lines},
};
use answers::Answers;
use queue::Queue;

/// Run a task on inputs
///
/// With --request the exact form: FILE holds {"inputs": …, "parameters": {…}}, where `inputs` is the first argument of the Python
/// pipeline and `parameters` its keyword arguments; the answer is printed as one JSON document.
///
/// An input that fails alone is an error. Of several inputs (arguments, a list in FILE, lines of standard input, files of a folder) each is
/// answered: one that fails has {"error": {"kind", "message", "input"}} in its place, where `input` counts from 0; `file` and `line`,
/// which counts from 1, say where it stands. Then the exit code is 3. With --jsonl that is so for a single input as well.
#[derive(Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", failure::EXIT_CODES))]
pub(super) struct Run {
    /// The task; `formers tasks` lists them.
    task: String,
    /// What to run it on: texts, or paths and addresses of pictures and sounds. Several are a list; - reads standard input, a line each;
    /// a folder stands for its files.
    ///
    /// Of a folder the files that the task reads are taken, in the order of their names; hidden ones and folders within it are not. For
    /// tasks with texts a folder is written as a path (with a /); .txt and .md files are a text each, .json files an input, .jsonl files an
    /// input a line. Text may be UTF-8 or UTF-16.
    #[arg(value_name = "INPUT", conflicts_with = "request")]
    inputs: Vec<String>,
    /// A model on the Hub or a folder; by default the task's own.
    #[arg(short, long, value_name = "REPO|DIR")]
    model: Option<String>,
    /// A parameter of the task. The value is JSON, or else a string; @FILE is what a file holds. `formers tasks TASK` lists them.
    ///
    /// Python's True, False and None are read as well. .json files hold JSON, .txt and .md files a text, others whichever it is; of a text the last line end is left out. A string that
    /// begins with @ is written as JSON, in quotes. Beside --request these go before the parameters of FILE.
    #[arg(short, long = "param", value_name = "KEY=VALUE")]
    params: Vec<String>,
    /// Read inputs and parameters from a JSON file, or from standard input for -.
    #[arg(short, long, value_name = "FILE|-")]
    request: Option<String>,
    /// Print the answer as JSON, also on a terminal; and errors.
    #[arg(long)]
    json: bool,
    /// Print a line of JSON for each input, as soon as it is answered; inputs are read as they come.
    ///
    /// Answers keep the order of inputs. Inputs that have come while others were answered run together, as many as the parameter
    /// batch_size says, or as are answered within about a second. Ctrl-C lets those at work come to their end; a second one does not.
    #[arg(long, conflicts_with = "save")]
    jsonl: bool,
    /// With --jsonl: each line is {"input", "file", "line", "answer"}, or has "error" in place of "answer": which input it belongs to, counted
    /// from 0, and where that stands, if it stands in a file.
    #[arg(long, requires = "jsonl")]
    with_input: bool,
    /// Lines of standard input are JSON: a string, an object with the task's fields, whatever `inputs` may be a list of; or a request
    /// {"inputs", "parameters"}. Empty lines are skipped. Without INPUT, standard input is read.
    #[arg(long, conflicts_with = "request")]
    jsonl_input: bool,
    /// Write the answer to a file, which appears or is replaced when the answer is whole. With --jsonl each line is added to what the file has;
    /// inputs that were answered before are answered again. - is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the picture or the sound of the answer to a file. Of several, each gets a number in its name.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    pub(super) options: ModelOptions,
}

const EXAMPLES: &str = "Examples:
  formers run text-classification 'I loved it'
  formers run feature-extraction 'a text' --model sentence-transformers/all-MiniLM-L6-v2 --param pooling=model --json
  echo '{\"inputs\": {\"question\": \"Who?\", \"context\": \"Ada did.\"}}' | formers run question-answering --request -
  formers run image-classification photos/ --jsonl --output labels.jsonl
  tail -f log | formers run text-classification - --jsonl
  formers run question-answering --jsonl-input --jsonl -p context=@handbook.txt < questions.jsonl";

impl Run {
    pub(super) fn execute(self) -> Result<()> {
        let task = pipelines::find(&self.task).map_err(asked)?;
        // A wrong request, and a place where nothing can be written, are told before a model is loaded.
        let (inputs, parameters) = self.read(task)?;
        let file = self.output.as_deref().filter(|file| *file != Path::new("-"));
        let out = if self.jsonl { Out::Lines(Lines::open(file)?) } else { Out::Document(Document::open(file)?) };
        let model = self.model.as_deref().unwrap_or(task.default_model);
        let start = Instant::now();
        let pipeline = formers::pipeline(&self.task, self.options.resolve(model))?;
        tracing::info!("{model} loaded in {:.2} s", start.elapsed().as_secs_f64());
        let start = Instant::now();
        let done = match out {
            Out::Lines(lines) => by_line(Answers::new(&*pipeline, &parameters).with_input(self.with_input), inputs, lines),
            Out::Document(document) => self.document(&*pipeline, inputs, &parameters, document),
        };
        logging::tell_tokens(start.elapsed());
        done
    }

    /// The model that is named, or the task's own.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref().or_else(|| pipelines::find(&self.task).ok().map(|task| task.default_model))
    }

    fn read(&self, task: &'static Task) -> Result<(Inputs, Value)> {
        let reads_twice = |file: &str| format!("standard input can be read only once, for {file} or for --param");
        let stdin_param = self.params.iter().any(|param| param.split_once('=').is_some_and(|(_, value)| value == "@-"));
        if stdin_param && (self.jsonl_input || self.request.as_deref() == Some("-") || self.inputs.iter().any(|input| input == "-")) {
            return Err(asked(reads_twice("-")));
        }
        match &self.request {
            Some(file) => {
                let request = input::request_with(task, file, &self.params)?;
                Ok((Inputs::Argument(request.inputs), request.parameters))
            }
            None => {
                let reading = Reading { stream: self.jsonl, json_lines: self.jsonl_input };
                input::arguments(task, &self.inputs, &self.params, &reading)
            }
        }
    }

    /// One document, or what people read.
    fn document(&self, pipeline: &dyn AnyPipeline, inputs: Inputs, parameters: &Value, document: Document) -> Result<()> {
        let for_people = self.request.is_none() && !self.json && self.output.is_none() && output::for_people();
        let items = match inputs {
            Inputs::Argument(inputs) => match pipeline.inputs_of(&inputs, parameters)? {
                Some(list) if list.len() > 1 => list.iter().cloned().map(|input| Item::of(pipeline.task(), input)).collect(),
                _ => return self.single(pipeline, &inputs, parameters, document, for_people),
            },
            Inputs::Each(items) => items,
            Inputs::Stream(source) => source.collect(),
        };
        if items.is_empty() {
            return Err(asked("no inputs: standard input, or the files that were named, have no lines"));
        }
        if items.len() < 2 {
            let mut list = Vec::new();
            for item in items {
                match item.content {
                    Ok(Content::Input(input)) => list.push(input),
                    Ok(Content::Request(own)) => {
                        let parameters = answers::merged(parameters, &own.parameters);
                        return self.single(pipeline, &own.inputs, &parameters, document, for_people);
                    }
                    Err(error) => return Err(formers::Error::new(error.kind(), item.place.tell(0, error.message())).into()),
                }
            }
            // As in Python, a list of one has an answer of its own form.
            return self.single(pipeline, &Value::Array(list), parameters, document, for_people);
        }
        let headings: Vec<String> = items.iter().map(heading).collect();
        let mut answers = Answers::new(pipeline, parameters);
        let bar = progress::inputs(Some(items.len() as u64));
        let mut all = Vec::with_capacity(items.len());
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let gathered: Vec<Item> = items.by_ref().take(answers.of_list()).collect();
            bar.inc(gathered.len() as u64);
            all.extend(answers.answer(gathered)?);
        }
        bar.finish_and_clear();
        self.write(Value::Array(all), &headings, document, for_people, pipeline.task())?;
        answers.end()
    }

    fn single(&self, pipeline: &dyn AnyPipeline, inputs: &Value, parameters: &Value, document: Document, for_people: bool) -> Result<()> {
        if for_people
            && self.save.is_none()
            && let Some(pieces) = pipeline.stream_call(inputs, parameters).map_err(Called)?
        {
            return output::pieces(pieces);
        }
        let answer = pipeline.call(inputs, parameters).map_err(Called)?;
        self.write(answer, &headings(inputs), document, for_people, pipeline.task())
    }

    fn write(&self, mut answer: Value, headings: &[String], document: Document, for_people: bool, task: &Task) -> Result<()> {
        if let Some(file) = &self.save {
            save::media(&answer, file, task.id)?;
        }
        if for_people {
            if self.save.is_some() {
                save::remove_media(&mut answer);
            }
            return output::text(&show::answer(headings, &answer));
        }
        document.write(&answer)
    }
}

/// Where answers go.
enum Out {
    Document(Document),
    Lines(Lines),
}

/// A line for each input as it is answered.
fn by_line(mut answers: Answers<'_>, inputs: Inputs, mut lines: Lines) -> Result<()> {
    let (pipeline, parameters) = (answers.pipeline, answers.parameters);
    let task = pipeline.task();
    let (count, items): (Option<u64>, Box<dyn Iterator<Item = Item> + Send>) = match inputs {
        Inputs::Argument(inputs) => {
            let list = pipeline.inputs_of(&inputs, parameters)?.unwrap_or(Cow::Borrowed(std::slice::from_ref(&inputs))).into_owned();
            (Some(list.len() as u64), Box::new(list.into_iter().map(|input| Item::of(task, input))))
        }
        Inputs::Each(items) => (Some(items.len() as u64), Box::new(items.into_iter())),
        Inputs::Stream(source) => (source.known_count(), source),
    };
    let bar = progress::inputs(count);
    let queue = Arc::new(Queue::default());
    let reader = queue.clone();
    // It may wait for a line that never comes, and so is not waited for.
    let read = move || {
        for item in items {
            if !reader.push(item) {
                return;
            }
        }
        reader.close();
    };
    std::thread::Builder::new().name("formers-inputs".into()).spawn(read).context("a thread to read inputs")?;
    let stopped = queue.clone();
    interrupt::gently(move || stopped.stop());
    loop {
        let gathered = queue.take(answers.at_once());
        if gathered.is_empty() {
            break;
        }
        let count = gathered.len();
        for answer in answers.answer(gathered)? {
            lines.add(&answer)?;
        }
        lines.flush()?;
        bar.inc(count as u64);
    }
    bar.finish_and_clear();
    if interrupt::is_asked() {
        return Err(Interrupted { signal: interrupt::signal(), answered: answers.of }.into());
    }
    answers.end()
}

/// What an answer belongs to, for people.
fn heading(item: &Item) -> String {
    match (&item.place.file, item.place.line, &item.content) {
        (Some(file), None, _) => file.to_string(),
        (_, _, Ok(Content::Input(input))) => show::cell(input),
        (_, Some(line), _) => format!("line {line}"),
        _ => String::new(),
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
