//! What works with no more than the feature `text`: `scripts/check` builds this with nothing else.
#![allow(clippy::unwrap_used)]

use formers::pipelines::{Pipeline, TASKS, TextClassification};

#[test]
fn a_text_is_classified() {
    let model = formers_testing::golden("bert/sequence_classification");
    let classify = TextClassification::from_pretrained(model.to_str().unwrap()).unwrap();
    let labels = classify.run("The film was wonderful and the actors were great.").unwrap();
    assert_eq!(labels.len(), 1);
    assert!(labels[0].score > 0.0 && labels[0].score <= 1.0);
    if cfg!(not(feature = "hub")) {
        let error = TextClassification::from_pretrained("owner/model").unwrap_err();
        assert!(error.to_string().contains("owner/model"), "{error}");
    }
    assert_eq!(TASKS.iter().any(|task| task.id == "image-classification"), cfg!(feature = "image"));
}
