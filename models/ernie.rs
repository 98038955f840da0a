//! ERNIE (<https://arxiv.org/abs/1904.09223>): BERT, perhaps with a vector for the task, which is always the first here.

use formers_converters::{Result, graph::Body};
use serde_json::Value;

use crate::{Architecture, Head, Request, bert};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("ernie", Head::ENCODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let knows_tasks = request.config.get("use_task_id").and_then(Value::as_bool) == Some(true);
    bert::model(request, "ernie", |cfg, base, text| {
        let own = base.pp("embeddings");
        let (sum, tasks) = (bert::sum(&own, text), own.pp("task_type_embeddings"));
        let sum = if knows_tasks { sum + tasks.any("weight", 2).select_index(0, 0) } else { sum };
        bert::read(cfg, base, text, &sum)
    })
}
