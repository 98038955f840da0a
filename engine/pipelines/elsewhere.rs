//! Parameters that people bring from other programs (Transformers' `pipeline()` and `from_pretrained`, sentence-transformers, llama.cpp, Ollama,
//! OpenAI's protocol, fastembed), and what they are here.

/// What a parameter of another program is here.
enum Here {
    /// The same by another name.
    Name(&'static str),
    /// Another parameter does it, with a value of its own form.
    With(&'static str, &'static str),
    /// Said when the model is loaded: the options of the program, and those of the library.
    Loading(&'static str, &'static str),
    /// Nothing of the kind is needed.
    Needless,
    /// Something else, in words.
    Otherwise(&'static str),
}

use Here::{Loading, Name, Needless, Otherwise, With};

const THEIRS: &[(&[&str], Here)] = &[
    (
        &["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict", "num_predict", "max_gen_len", "sample_len"],
        Name("max_new_tokens"),
    ),
    (&["repeat_penalty"], Name("repetition_penalty")),
    (&["frequency_penalty", "presence_penalty", "dry_multiplier"], With("repetition_penalty", "no_repeat_ngram_size is another way")),
    (&["stop", "stop_sequences", "stop_words"], Name("stop_strings")),
    (&["temp"], Name("temperature")),
    (&["typ_p"], Name("typical_p")),
    (&["beam_size", "beams"], Name("num_beams")),
    (&["random_seed", "rng_seed"], Name("seed")),
    (&["n", "best_of"], Name("num_return_sequences")),
    (&["top_logprobs", "n_probs"], With("logprobs", "true gives those of the tokens that were chosen")),
    (&["logit_bias"], With("sequence_bias", "a list of [token ids, bias]")),
    (&["response_format", "format", "guided_json", "structured_outputs"], With("json_schema", "the schema itself")),
    (&["guided_regex"], Name("regex")),
    (&["guided_grammar", "grammar_string"], With("grammar", "in the syntax of Lark")),
    (&["draft_model", "model_draft"], Name("assistant_model")),
    (
        &["prompt", "messages", "text", "texts", "sentences", "input", "documents_to_embed"],
        Otherwise("what is answered is the input itself"),
    ),
    (&["system", "system_prompt"], Otherwise("it is the first message of a chat: {\"role\": \"system\", \"content\": …}")),
    (&["stream", "streamer"], Otherwise("text comes piece by piece from `stream` of the library, on a terminal, and from `formers chat`")),
    (&["return_all_scores"], With("top_k", "null gives all scores")),
    (&["grouped_entities", "ignore_subwords"], With("aggregation_strategy", "\"simple\" groups entities")),
    (&["multi_class"], Name("multi_label")),
    (&["labels", "candidates", "classes"], Name("candidate_labels")),
    (&["normalize_embeddings"], Name("normalize")),
    (&["pooling_mode", "pooling_strategy"], Name("pooling")),
    (&["max_seq_length"], Otherwise("the tokenizer's own length holds, as the checkpoint says it")),
    (
        &["device", "device_map", "provider", "providers", "n_gpu_layers", "num_gpu", "gpu_layers", "main_gpu"],
        Loading("--device", "`SessionOptions::device`"),
    ),
    (&["dtype", "torch_dtype", "precision", "load_in_8bit", "load_in_4bit", "quantization_config"], Loading("--dtype", "`Options::dtype`")),
    (&["n_threads", "num_threads", "num_thread", "threads"], Loading("--threads", "`SessionOptions::threads`")),
    (&["use_mmap", "no_mmap", "use_mlock"], Loading("--no-mmap", "`SessionOptions::mapping`")),
    (&["model", "model_id", "model_name_or_path"], Loading("--model", "`Options::model`")),
    (&["revision"], Loading("--revision", "`hub::Options::revision`")),
    (&["token", "use_auth_token"], Loading("--token", "`hub::Options::token`")),
    (&["cache_dir", "cache_folder"], Loading("--cache-dir", "`hub::Options::cache_dir`")),
    (&["local_files_only", "offline"], Loading("--offline", "`hub::Options::offline`")),
    (
        &[
            "attn_implementation",
            "convert_to_numpy",
            "convert_to_tensor",
            "ctx_size",
            "framework",
            "keep_alive",
            "low_cpu_mem_usage",
            "n_batch",
            "n_ctx",
            "num_batch",
            "num_ctx",
            "num_workers",
            "show_progress_bar",
            "trust_remote_code",
            "use_cache",
            "use_fast",
        ],
        Needless,
    ),
];

/// Where a parameter that a task does not have is found, as the end of a sentence. `known` are those that it has.
pub(crate) fn told(name: &str, known: &[&str]) -> Option<String> {
    let (_, here) = THEIRS.iter().find(|(theirs, _)| theirs.contains(&name))?;
    match here {
        Name(ours) => known.contains(ours).then(|| format!("here it is called {ours}")),
        With(ours, form) => known.contains(ours).then(|| format!("{ours} stands for it ({form})")),
        Loading(option, field) => Some(format!("it is said when the model is loaded ({option}, {field})")),
        Needless => Some("it has no meaning here: leave it out".to_owned()),
        Otherwise(words) => Some((*words).to_owned()),
    }
}

#[cfg(all(test, feature = "text"))]
mod tests {
    use super::*;
    use crate::pipelines::TASKS;

    #[test]
    fn names_of_others_lead_to_ours() {
        for (theirs, here) in THEIRS {
            for name in *theirs {
                assert_eq!(THEIRS.iter().filter(|(theirs, _)| theirs.contains(name)).count(), 1, "{name}");
            }
            // What is named is there.
            if let Name(ours) | With(ours, _) = here {
                assert!(TASKS.iter().any(|task| task.parameters.contains(ours)), "{ours}");
            }
        }
        for (name, known, expected) in [
            ("max_tokens", &["max_new_tokens"][..], Some("here it is called max_new_tokens")),
            ("max_tokens", &["top_k"], None),
            ("return_all_scores", &["top_k"], Some("top_k stands for it (null gives all scores)")),
            ("torch_dtype", &[], Some("it is said when the model is loaded (--dtype, `Options::dtype`)")),
            ("trust_remote_code", &[], Some("it has no meaning here: leave it out")),
            ("cheese", &[], None),
        ] {
            assert_eq!(told(name, known).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn no_task_takes_what_is_said_to_be_elsewhere() {
        for task in TASKS {
            for (theirs, here) in THEIRS {
                let taken = theirs.iter().find(|name| task.parameters.contains(name));
                assert!(taken.is_none() || matches!(here, Otherwise(_)), "{}: {taken:?}", task.id);
            }
        }
    }
}
