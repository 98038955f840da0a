//! A folder of a repository as a model of its own, as repositories with several exports have them.

use super::*;

const FOLDER: &str = "cpu_and_mobile/cpu-int4-rtn-block-32-acc-level-4";

/// An export of onnxruntime-genai in a folder of a repository, beside another one and a page at the root.
fn exports() -> Scene {
    let goldens = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens"));
    let mut files = vec![("README.md".to_owned(), b"two exports".to_vec(), false), ("cuda/model.onnx".to_owned(), b"graph".to_vec(), true)];
    for (folder, left_out) in [("generate/models/llama/causal_lm_wide", "model.safetensors"), ("ready/llama/genai", "")] {
        for path in fs::read_dir(formers_testing::checkpoint(&goldens.join(folder))).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name != left_out && name != "config.json" {
                files.push((format!("{FOLDER}/{name}"), fs::read(&path).unwrap(), name.contains(".onnx")));
            }
        }
    }
    let files: Vec<(&str, &[u8], bool)> = files.iter().map(|(name, content, large)| (name.as_str(), content.as_slice(), *large)).collect();
    Scene { hub: StandIn::new(&files), folder: tempfile::tempdir().unwrap() }
}

#[test]
fn a_folder_of_a_repository_is_a_model() {
    let scene = exports();
    let name = format!("{REPO}/{FOLDER}");
    let checkpoint = Checkpoint::open(&name, &scene.options()).unwrap();
    assert_eq!((checkpoint.name(), checkpoint.revision(), checkpoint.is_local()), (name.as_str(), Some(COMMIT), false));
    assert!(checkpoint.files().iter().any(|file| file == "genai_config.json"), "{:?}", checkpoint.files());
    assert!(checkpoint.has("tokenizer.model") && !checkpoint.has("README.md") && !checkpoint.has("cuda/model.onnx"));
    assert!(checkpoint.local("tokenizer.model").is_none() && checkpoint.size("tokenizer.model").is_some());
    assert!(checkpoint.path("tokenizer.model").unwrap().ends_with(format!("{FOLDER}/tokenizer.model")));

    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/generate/models/llama/causal_lm_wide/golden.json");
    let golden: serde_json::Value = serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let case = &golden["cases"][0];
    for hub in [scene.options(), scene.offline()] {
        let options = formers::Options { hub, ..formers::Options::new(format!("{name}/")) };
        let answer = formers::pipeline("text-generation", options).unwrap().call(&case["inputs"], &case["parameters"]).unwrap();
        assert_eq!(answer, case["answer"]);
    }
    assert!(!scene.lines().iter().any(|line| line.contains("cuda") || line.contains("README")));
}

#[test]
fn a_folder_that_is_not_there() {
    let scene = exports();
    for hub in [scene.options(), scene.pinned()] {
        let error = Checkpoint::open(&format!("{REPO}/cpu"), &hub).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("no folder cpu in this repository"), "{error}");
    }
    let error = Checkpoint::open("nobody/nothing/cpu", &scene.options()).unwrap_err();
    assert!(error.to_string().contains("nobody/nothing"), "{error}");
}
