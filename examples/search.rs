//! Answers a question with the sentences of a text that are closest to it in meaning.
//!
//! `cargo run --release --example search -- MODEL TEXT QUESTION`

#![allow(clippy::print_stdout)]

use std::{env, error::Error, fs, time::Instant};

use formers::pipelines::{
    FeatureExtraction, Pipeline,
    feature_extraction::{Options, Pooling},
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, file, question] = arguments.as_slice() else { return Err("usage: search MODEL TEXT QUESTION".into()) };

    let start = Instant::now();
    let embeddings = FeatureExtraction::from_pretrained(model)?;
    println!("load     {:7.1} ms   the graph made from the checkpoint, the session, the tokenizer", milliseconds(start));

    let text = fs::read_to_string(file)?;
    let sentences = sentences(&text);
    let start = Instant::now();
    let vectors = embeddings.embed_many(&sentences, &Options::new(Pooling::Model)).into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("embed    {:7.1} ms   {} sentences", milliseconds(start), sentences.len());

    let start = Instant::now();
    let asked = embeddings.embed(question)?;
    // The model gives vectors of length one, so that their dot product is their cosine.
    let mut ranked: Vec<(f32, &str)> = vectors.iter().map(|vector| vector.dot(&asked)).zip(sentences).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("query    {:7.1} ms", milliseconds(start));

    println!("\n{question}");
    for (score, sentence) in ranked.iter().take(3) {
        println!("  {score:.3}  {sentence}");
    }
    Ok(())
}

/// The sentences of a text: they end with a full stop, a question mark or an exclamation mark before a blank.
fn sentences(text: &str) -> Vec<&str> {
    let ends = text.match_indices(['.', '?', '!']).map(|(at, _)| at + 1).filter(|&at| text[at..].starts_with(char::is_whitespace));
    let mut start = 0;
    let parts = ends.chain([text.len()]).map(|end| text[std::mem::replace(&mut start, end)..end].trim());
    parts.filter(|sentence| !sentence.is_empty()).collect()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
